use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest as _, Sha256};
use wpaas_core::code::archive::{EntryPath, Stop, TreeWriter};
use wpaas_core::code::{CodeError, Limits};

use super::budget::Budget;
use super::{Object, Objects};

/// How many objects are read at a time.
const AT_A_TIME: usize = 16;

/// All objects below a key. What they resolved to is a hash of the listing: keys and `ETag`s.
pub(super) async fn fetch(
    objects: &dyn Objects,
    bucket: &str,
    prefix: &str,
    limits: &Limits,
    into: &Path,
) -> Result<String, CodeError> {
    let listed = list(objects, bucket, prefix, limits).await?;
    if listed.is_empty() {
        return Err(CodeError::Refused(format!(
            "code.key: there are no objects below {prefix:?} in {bucket}"
        )));
    }
    let revision = revision(&listed);
    let files = lay_out(listed, prefix, limits, into).await?;
    let budget = Budget::new(limits);
    let jobs = stream::iter(files).map(|(object, file)| save(objects, bucket, object, file, &budget));
    jobs.buffer_unordered(AT_A_TIME).try_collect::<()>().await?;
    Ok(revision)
}

/// All is known of the sizes before the first byte is asked for.
async fn list(
    objects: &dyn Objects,
    bucket: &str,
    prefix: &str,
    limits: &Limits,
) -> Result<Vec<Object>, CodeError> {
    let (mut listed, mut next, mut bytes) = (Vec::new(), None, 0_u64);
    loop {
        let page = objects.list(prefix, next).await.map_err(|error| error.translate(bucket, Some(prefix)))?;
        bytes = page.objects.iter().fold(bytes, |sum, object| sum.saturating_add(object.size));
        // An object whose key ends in a slash is how some tools make a folder.
        listed.extend(page.objects.into_iter().filter(|object| !object.key.ends_with('/')));
        if bytes > limits.bytes {
            return Err(CodeError::Refused(format!("the code is larger than {} bytes", limits.bytes)));
        }
        if listed.len() as u64 > limits.entries {
            let limit = limits.entries;
            return Err(CodeError::Refused(format!("the code has more than {limit} files and folders")));
        }
        match page.next {
            Some(following) => next = Some(following),
            None => return Ok(listed),
        }
    }
}

/// Makes every file, empty, where its key says: that is where all checks of names are.
async fn lay_out(
    listed: Vec<Object>,
    prefix: &str,
    limits: &Limits,
    into: &Path,
) -> Result<Vec<(Object, PathBuf)>, CodeError> {
    let (prefix, limits, into, stop) = (prefix.to_owned(), *limits, into.to_owned(), Stop::default());
    let _stopped = stop.on_drop();
    super::blocking(move || {
        let mut tree = TreeWriter::new(&into, &limits, stop);
        let place = |object: Object| {
            let key = object.key.strip_prefix(&prefix).unwrap_or(&object.key);
            tree.file(key, &mut std::io::empty())?;
            let Some(path) = EntryPath::parse(key)? else {
                return Err(CodeError::Refused("an object has no name".into()));
            };
            let file = into.join(path.as_str());
            Ok((object, file))
        };
        listed.into_iter().map(place).collect()
    })
    .await
}

async fn save(
    objects: &dyn Objects,
    bucket: &str,
    object: Object,
    file: PathBuf,
    budget: &Budget,
) -> Result<(), CodeError> {
    let download = objects.get(&object.key, Some(&object.etag)).await;
    let download = download.map_err(|error| error.translate(bucket, Some(&object.key)))?;
    let mut file = tokio::fs::OpenOptions::new().write(true).open(file).await?;
    budget.save(download, &mut file, bucket).await
}

fn revision(listed: &[Object]) -> String {
    let mut hash = Sha256::new();
    for Object { key, size: _, etag } in listed {
        for text in [key, etag] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
    }
    format!("listing-{}", hex::encode(&hash.finalize()[..16]))
}
