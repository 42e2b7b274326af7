use super::*;
use crate::service::test::{NOW, site};
use crate::site::PartStatus;

fn status(ready: Truth, database: Truth, since: Timestamp) -> SiteStatus {
    let condition =
        |kind, status| Condition { kind, status, reason: "Reason".into(), message: "message".into(), since };
    SiteStatus {
        observed_generation: 1,
        num_instances: 0,
        database_instances: 0,
        address: None,
        conditions: vec![
            condition(ConditionKind::Ready, ready),
            condition(ConditionKind::DatabaseReady, database),
        ],
        parts: Vec::new(),
        waiting: Vec::new(),
        last_error: None,
        next_try: None,
        wordpress_version: None,
        challenge: None,
    }
}

#[test]
fn a_condition_keeps_its_since_while_its_status_does() {
    let later = Timestamp::from_second(NOW.as_second() + 60).unwrap();
    let first = merge(None, &status(Truth::False, Truth::True, NOW), NOW).unwrap();
    assert!(first.founded);
    let second = merge(Some(&first), &status(Truth::True, Truth::True, later), later).unwrap();
    let since = |kind| second.status.condition(kind).unwrap().since;
    assert_eq!((since(ConditionKind::Ready), since(ConditionKind::DatabaseReady)), (later, NOW));
    assert_eq!(merge(Some(&second), &status(Truth::True, Truth::True, later), later), None);
    let third = merge(Some(&second), &status(Truth::True, Truth::False, later), later).unwrap();
    assert!(third.founded, "once founded, always founded");
}

#[test]
fn a_status_of_an_older_spec_does_not_overwrite_a_newer() {
    let old = status(Truth::False, Truth::True, NOW);
    let new = SiteStatus { observed_generation: old.observed_generation + 1, ..old.clone() };
    let kept = merge(None, &new, NOW).unwrap();
    assert_eq!(merge(Some(&kept), &old, NOW), None, "of a server that has not read the newest spec");
    let ready =
        SiteStatus { observed_generation: new.observed_generation, ..status(Truth::True, Truth::True, NOW) };
    assert!(merge(Some(&kept), &ready, NOW).is_some());
}

#[test]
fn an_event_tells_of_each_condition_that_changed() {
    let first = merge(None, &status(Truth::False, Truth::True, NOW), NOW).unwrap();
    let stored = |status| StoredSite { site: site(), status };
    let told = |stored: &StoredSite, status: &SiteStatus| -> Vec<String> {
        let events = transitions(stored, status);
        events
            .iter()
            .map(|event| format!("{} {}", event.detail["condition"], event.detail["status"]))
            .collect()
    };
    assert_eq!(told(&stored(None), &first.status), [r#""DatabaseReady" "True""#]);
    let next = status(Truth::True, Truth::True, NOW);
    assert_eq!(told(&stored(Some(first)), &next), [r#""Ready" "True""#]);
    let mut diverged = status(Truth::False, Truth::False, NOW);
    let down = merge(None, &diverged, NOW).unwrap();
    diverged.conditions[1].reason = "Diverged".into();
    assert_eq!(told(&stored(Some(down)), &diverged), [r#""DatabaseReady" "False""#]);
}

#[test]
fn a_loss_of_data_stays_said_until_somebody_changes_the_site() {
    let with_loss = |truth, generation| {
        let mut found = status(Truth::True, Truth::True, NOW);
        found.observed_generation = generation;
        let kind = ConditionKind::PossibleDataLoss;
        let (reason, message) = ("".into(), "".into());
        found.conditions.push(Condition { kind, status: truth, reason, message, since: NOW });
        found
    };
    let said =
        |status: &StoredStatus| status.status.condition(ConditionKind::PossibleDataLoss).unwrap().status;
    let lost = merge(None, &with_loss(Truth::True, 1), NOW).unwrap();
    assert_eq!(merge(Some(&lost), &with_loss(Truth::False, 1), NOW), None);
    let changed = merge(Some(&lost), &with_loss(Truth::False, 2), NOW).unwrap();
    assert_eq!(said(&changed), Truth::False);
}

#[test]
fn what_a_gateway_answers_an_authority_with_is_known_as_long_as_there_is_one() {
    let with = |challenge: Option<&str>, parts: &[&str]| {
        let part = |part: &&str| PartStatus { part: (*part).to_owned().into(), state: "serving".into() };
        let mut found = status(Truth::True, Truth::True, NOW);
        found.challenge = challenge.map(str::to_owned);
        found.parts = parts.iter().map(part).collect();
        found
    };
    let known = |before: &StoredStatus, found: &SiteStatus| {
        merge(Some(before), found, NOW)
            .map_or_else(|| before.status.challenge.clone(), |it| it.status.challenge)
    };
    let before = merge(None, &with(Some("old"), &["gateway-0"]), NOW).unwrap();
    assert_eq!(known(&before, &with(None, &["gateway-0"])).as_deref(), Some("old"), "nobody could tell");
    assert_eq!(known(&before, &with(Some("new"), &["gateway-0"])).as_deref(), Some("new"));
    assert_eq!(known(&before, &with(None, &["network"])), None, "who is gone answers nobody");
}
