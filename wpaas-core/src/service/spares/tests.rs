use super::*;
use crate::service::test::NOW;

fn spare(id: SiteId, database: DatabaseSize) -> Spare {
    Spare { id, database, state: SpareState::Kept, since: NOW }
}

#[test]
fn what_is_missing_is_made_and_the_newest_of_too_many_go() {
    let [a, b, c] = [(); 3].map(|()| SiteId::new());
    let one = [a, b].map(|id| spare(id, DatabaseSize::One));
    assert_eq!(stock(&one, 5, DatabaseSize::One), Stock { missing: 3, over: Vec::new() });
    assert_eq!(stock(&one, 2, DatabaseSize::One), Stock { missing: 0, over: Vec::new() });
    assert_eq!(stock(&one, 1, DatabaseSize::One), Stock { missing: 0, over: vec![b] });
    // Those of another size are of no use any more.
    let mixed = [one.to_vec(), vec![spare(c, DatabaseSize::Three)]].concat();
    assert_eq!(stock(&mixed, 2, DatabaseSize::One), Stock { missing: 0, over: vec![c] });
    assert_eq!(stock(&mixed, 0, DatabaseSize::Three), Stock { missing: 0, over: vec![c, a, b] });
}
