use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn release(n: u8) -> Release {
    Release {
        id: ReleaseId::new(),
        digest: Digest::from_sha256([n; 32]),
        layout: Layout::Content,
        revision: n.to_string(),
        generation: u64::from(n),
        created_at: NOW,
        proof: Proof::Untried,
        restores: None,
        changes: None,
    }
}

fn proved() -> Proof {
    of_schema(60421)
}

fn of_schema(schema: u64) -> Proof {
    Proof::Proved { wordpress: Some("6.8".to_owned()), schema: Some(schema) }
}

fn with(n: u8) -> (Releases, Vec<ReleaseId>) {
    let (mut releases, mut ids) = (Releases::default(), Vec::new());
    for n in 1..=n {
        let new = release(n);
        ids.push(new.id);
        releases.add(new, &BTreeSet::new());
        assert!(releases.judge(ids[ids.len() - 1], proved()));
    }
    (releases, ids)
}

fn revisions(releases: &Releases) -> Vec<&str> {
    releases.iter().map(|release| release.revision.as_str()).collect()
}

#[test]
fn only_what_has_proved_itself_serves() {
    let (mut releases, ids) = with(1);
    let bad = release(2);
    releases.add(bad.clone(), &BTreeSet::new());
    assert_eq!(releases.serving().map(|it| it.id), Some(ids[0]));
    assert_eq!(releases.candidate().map(|it| it.id), Some(bad.id));
    let failed = Proof::Failed { reason: "500".to_owned(), at: NOW };
    assert!(releases.judge(bad.id, failed.clone()));
    assert!(!releases.judge(bad.id, proved()), "judged once");
    assert_eq!(releases.serving().map(|it| it.id), Some(ids[0]));
    assert_eq!((releases.candidate(), releases.refused().map(|it| &it.proof)), (None, Some(&failed)));
    assert!(!releases.go_back(bad.id, NOW), "what failed is never served");
}

#[test]
fn the_last_five_stay_and_what_is_used() {
    let (mut releases, ids) = with(6);
    assert_eq!(revisions(&releases), ["6", "5", "4", "3", "2", "1"], "five when the sixth came");
    assert!(releases.go_back(ids[1], NOW));
    let pinned = BTreeSet::from([ids[2]]);
    for n in 7..=11 {
        let new = release(n);
        let id = new.id;
        releases.add(new, &pinned);
        assert!(releases.judge(id, proved()) && releases.go_back(ids[1], NOW));
    }
    assert_eq!(revisions(&releases), ["11", "10", "9", "8", "7", "6", "3", "2"], "pinned, and serving");
}

#[test]
fn one_that_fails_takes_no_proved_ones_place() {
    let (mut releases, _) = with(5);
    let bad = release(6);
    releases.add(bad.clone(), &BTreeSet::new());
    assert!(releases.judge(bad.id, Proof::Failed { reason: "500".to_owned(), at: NOW }));
    assert_eq!(revisions(&releases), ["6", "5", "4", "3", "2", "1"]);
}

#[test]
fn code_that_fails_over_and_over_takes_no_way_back() {
    let (mut releases, ids) = with(2);
    for n in 3..=9 {
        releases.add(release(n), &BTreeSet::new());
    }
    assert_eq!(revisions(&releases), ["9", "8", "7", "6", "5", "2", "1"]);
    let withdrawn = releases.iter().filter(|it| matches!(it.proof, Proof::Failed { .. })).count();
    assert_eq!(withdrawn, 4, "one is tried at a time");
    assert_eq!(releases.previous().map(|it| it.id), Some(ids[0]));
}

#[test]
fn a_rollback_goes_to_the_proved_one_before() {
    let (mut releases, ids) = with(2);
    let bad = release(3);
    releases.add(bad.clone(), &BTreeSet::new());
    assert!(releases.judge(bad.id, Proof::Failed { reason: "500".to_owned(), at: NOW }));
    assert_eq!(releases.previous().map(|it| it.id), Some(ids[0]));
    assert!(releases.go_back(ids[0], NOW));
    assert_eq!(releases.previous(), None);
    assert_eq!(releases.get(ids[1]).map(|it| releases.state(it)), Some(ReleaseState::Kept));
    assert!(releases.go_back(ids[1], NOW), "and forth");
}

#[test]
fn a_rollback_gives_up_what_is_being_tried() {
    let (mut releases, ids) = with(2);
    let new = release(3);
    releases.add(new.clone(), &BTreeSet::new());
    assert!(releases.go_back(ids[0], NOW));
    assert_eq!(releases.candidate(), None);
    assert!(!releases.judge(new.id, proved()), "a verdict that comes late changes nothing");
    assert_eq!(releases.serving().map(|it| it.id), Some(ids[0]));
}

#[test]
fn a_rollback_knows_what_became_of_the_database() {
    let none = BTreeSet::new();
    let mut releases = Releases::default();
    let ids: Vec<_> = [(1, None), (1, None), (2, Some(1)), (2, None), (3, Some(2))]
        .into_iter()
        .map(|(schema, from)| {
            let id = tried(&mut releases);
            if let Some(from) = from {
                assert!(releases.change_schema(id, SchemaChange { from, to: schema }));
            }
            assert!(releases.judge(id, of_schema(schema)));
            id
        })
        .collect();
    let changed = |releases: &Releases, id| releases.changed_since(id).map(|release| release.id);
    assert_eq!(changed(&releases, ids[0]), Some(ids[2]), "the first that changed the schema");
    assert_eq!(changed(&releases, ids[3]), Some(ids[4]));
    assert_eq!((changed(&releases, ids[4]), releases.newer_schema()), (None, None));
    assert!(releases.go_back(ids[1], NOW));
    assert_eq!(releases.newer_schema(), Some((1, 3)), "the code alone went back");
    let again = ReleaseId::new();
    assert!(releases.try_again(ids[1], again, Some(ids[2]), &none, NOW));
    assert_eq!(releases.candidate().map(|it| (it.id, it.restores)), Some((again, Some(ids[2]))));
    assert_eq!(releases.serving().map(|it| it.id), Some(ids[1]), "until it has proved itself");
    assert!(releases.judge(again, of_schema(1)));
    assert_eq!((releases.newer_schema(), changed(&releases, again)), (None, None));
}

/// A new one that is tried.
fn tried(releases: &mut Releases) -> ReleaseId {
    let new = release(100 + u8::try_from(releases.list.len()).unwrap());
    let id = new.id;
    releases.add(new, &BTreeSet::new());
    id
}

#[test]
fn a_schema_is_known_to_be_changed_by_a_release_that_fails_or_makes_way() {
    let failed = || Proof::Failed { reason: "500".to_owned(), at: NOW };
    for withdrawn in [false, true] {
        let (mut releases, ids) = with(1);
        let change = SchemaChange { from: 60421, to: 60422 };
        let bad = tried(&mut releases);
        assert!(releases.change_schema(bad, change));
        assert!(!releases.change_schema(bad, SchemaChange { from: 60422, to: 60422 }), "once");
        assert_eq!(releases.newer_schema(), None, "it is under way");
        assert!(if withdrawn { releases.go_back(ids[0], NOW) } else { releases.judge(bad, failed()) });
        assert!(!releases.change_schema(bad, change));
        assert_eq!(releases.newer_schema(), Some((60421, 60422)));
        assert_eq!(releases.changed_since(ids[0]).map(|it| it.id), Some(bad));

        // The next finds it changed, and takes no dump.
        let good = tried(&mut releases);
        assert!(releases.judge(good, of_schema(60422)));
        assert_eq!(releases.newer_schema(), None);
        assert_eq!(releases.changed_since(ids[0]).map(|it| it.id), Some(bad));

        // However many fail after that.
        for _ in 0..9 {
            let other = tried(&mut releases);
            assert!(releases.judge(other, failed()));
        }
        assert_eq!(releases.changed_since(ids[0]).map(|it| it.id), Some(bad));
    }
}

#[test]
fn the_last_dump_of_a_schema_is_what_a_rollback_goes_back_to() {
    let (mut releases, ids) = with(1);
    let first = tried(&mut releases);
    assert!(releases.change_schema(first, SchemaChange { from: 60421, to: 60422 }));
    // It made way before it had begun, so the next one changes the schema.
    let second = tried(&mut releases);
    assert!(releases.change_schema(second, SchemaChange { from: 60421, to: 60422 }));
    assert!(releases.judge(second, of_schema(60422)));
    assert_eq!(releases.changed_since(ids[0]).map(|it| it.id), Some(second));
}

#[test]
fn the_same_code_again_is_no_new_release() {
    let (mut releases, ids) = with(1);
    releases.add(Release { generation: 9, revision: "moved".to_owned(), ..release(1) }, &BTreeSet::new());
    assert_eq!((revisions(&releases), releases.candidate()), (vec!["moved"], None));
    assert_eq!(releases.serving().map(|it| (it.id, it.generation)), Some((ids[0], 9)));
    releases.add(release(2), &BTreeSet::new());
    releases.add(release(2), &BTreeSet::new());
    assert_eq!(revisions(&releases), ["2", "moved"]);
}
