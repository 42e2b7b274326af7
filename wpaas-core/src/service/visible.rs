//! Lists of which only some are shown: those that one may see, or that pass a filter.

use crate::service::{Listed, Page, ServiceError};

/// Read at a time after the first piece, where few may pass.
const PIECE: usize = 200;

/// The next of a list that `passes`, from as many pieces as it takes to find them. Where the list goes on is told by
/// one that passes: what one may not see is neither counted nor named.
pub(super) async fn visible<T, K, F, R, E>(
    page: Page<K>,
    key: impl Fn(&T) -> K,
    passes: impl Fn(&T) -> bool,
    read: F,
) -> Result<Listed<T, K>, ServiceError>
where
    K: Copy,
    F: Fn(Page<K>) -> R,
    R: Future<Output = Result<Vec<T>, E>>,
    E: Into<ServiceError>,
{
    let (mut piece, limit) = page.and_one();
    let mut found = Vec::new();
    loop {
        let all = read(piece).await.map_err(Into::into)?;
        let is_last = all.len() < piece.limit;
        piece.after = all.last().map(&key).or(piece.after);
        found.extend(all.into_iter().filter(&passes));
        if is_last || found.len() > limit {
            return Ok(Listed::cut(found, limit, key));
        }
        piece.limit = PIECE;
    }
}
