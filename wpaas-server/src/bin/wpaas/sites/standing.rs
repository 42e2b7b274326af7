//! Whether a site is as wanted, read from what the API shows of it.

use serde::Deserialize;
use serde_json::Value;

/// What a command waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    /// The generation that must have been seen.
    pub generation: u64,
    /// The generation that the release must be of, where code is awaited.
    pub release: Option<u64>,
}

/// Where a site stands.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    /// As wanted.
    Reached,
    /// It will not get there without somebody's doing.
    Failed(String),
    /// On its way.
    Underway,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Site {
    generation: u64,
    expected_num_instances: u64,
    release: Option<Release>,
    code_failure: Option<CodeFailure>,
    refused: Option<Refused>,
    status: Status,
}

#[derive(Debug, Deserialize)]
struct Release {
    digest: String,
    generation: u64,
}

/// The newest release, which failed when it was tried.
#[derive(Debug, Deserialize)]
struct Refused {
    id: String,
    generation: u64,
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct CodeFailure {
    message: String,
    retry_at: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    observed_generation: u64,
    conditions: Vec<Condition>,
}

#[derive(Debug, Deserialize)]
struct Condition {
    r#type: String,
    status: String,
    reason: String,
    message: String,
}

impl Site {
    fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.r#type == kind)
    }

    fn is(&self, kind: &str, status: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == status)
    }

    /// The status is about the release that there is now, not about one before.
    fn has_seen_release(&self, awaited: Option<u64>) -> bool {
        let Some(release) = &self.release else { return awaited.is_none() };
        let code = self.condition("CodeReady");
        release.generation >= awaited.unwrap_or(0)
            && code.is_some_and(|code| code.reason != "Released" || code.message == release.digest)
    }

    fn serves(&self) -> bool {
        let rests = self.expected_num_instances == 0 || self.is("Suspended", "True");
        rests || (self.is("Ready", "True") && self.is("CodeReady", "True"))
    }
}

/// Where a site stands towards a goal.
pub fn standing(site: &Value, goal: Goal) -> Standing {
    let site: Site = match serde_json::from_value(site.clone()) {
        Ok(site) => site,
        Err(error) => return Standing::Failed(format!("the server's answer can't be understood: {error}")),
    };
    if let Some(CodeFailure { message, retry_at: None }) = &site.code_failure {
        return Standing::Failed(format!("its code can't be used: {message}"));
    }
    if let Some(Refused { id, generation, reason }) = &site.refused
        && *generation >= goal.release.unwrap_or(0)
    {
        let reason = reason.as_deref().unwrap_or("no reason was given");
        return Standing::Failed(format!(
            "{id} does not work, so the site stays on what it serves: {reason}"
        ));
    }
    let seen = site.status.observed_generation >= goal.generation.max(site.generation);
    let still = site.is("Progressing", "False") && site.is("Deleting", "False");
    if seen && still && site.has_seen_release(goal.release) && site.serves() {
        return Standing::Reached;
    }
    Standing::Underway
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn site(generation: u64, seen: u64, conditions: &[(&str, &str)]) -> Value {
        let condition = |(kind, status): &(&str, &str)| json!({"type": kind, "status": status, "reason": "Stock", "message": "", "since": "2026-11-24T15:31:28Z"});
        let conditions: Vec<_> = conditions.iter().map(condition).collect();
        json!({"generation": generation, "expected_num_instances": 1, "release": null, "code_failure": null,
               "status": {"observed_generation": seen, "conditions": conditions}})
    }

    const READY: [(&str, &str); 4] =
        [("Ready", "True"), ("Progressing", "False"), ("CodeReady", "True"), ("Deleting", "False")];
    const FIRST: Goal = Goal { generation: 1, release: None };

    #[test]
    fn reached_is_seen_ready_and_still() {
        assert_eq!(standing(&site(1, 1, &READY), FIRST), Standing::Reached);
        assert_eq!(standing(&site(2, 1, &READY), FIRST), Standing::Underway, "another change came");
        assert_eq!(standing(&site(1, 1, &READY[1..]), FIRST), Standing::Underway);
        assert_eq!(standing(&json!({"status": {"phase": "progressing"}}), FIRST), Standing::Underway);
        let mut moving = READY;
        moving[1].1 = "True";
        assert_eq!(standing(&site(1, 1, &moving), FIRST), Standing::Underway);
    }

    #[test]
    fn a_site_that_rests_need_not_serve() {
        let mut resting = site(1, 1, &READY[1..]);
        resting["expected_num_instances"] = json!(0);
        assert_eq!(standing(&resting, FIRST), Standing::Reached);
    }

    #[test]
    fn awaited_code_is_the_release_that_the_status_is_about() {
        let goal = Goal { generation: 2, release: Some(2) };
        let mut site = site(2, 2, &READY);
        assert_eq!(standing(&site, goal), Standing::Underway, "no release yet");
        site["release"] = json!({"digest": "sha256:a", "generation": 1});
        assert_eq!(standing(&site, goal), Standing::Underway, "the release before");
        site["release"] = json!({"digest": "sha256:b", "generation": 2});
        site["status"]["conditions"][2]["reason"] = json!("Released");
        site["status"]["conditions"][2]["message"] = json!("sha256:a");
        assert_eq!(standing(&site, goal), Standing::Underway, "the status is about the one before");
        site["status"]["conditions"][2]["message"] = json!("sha256:b");
        assert_eq!(standing(&site, goal), Standing::Reached);
    }

    #[test]
    fn a_release_that_failed_ends_the_wait_for_it() {
        let mut site = site(2, 2, &READY);
        site["release"] = json!({"digest": "sha256:a", "generation": 1});
        site["refused"] = json!({"id": "rel_1", "generation": 2, "reason": "the front page answers 500"});
        let goal = Goal { generation: 3, release: Some(3) };
        assert_eq!(standing(&site, goal), Standing::Underway, "the one before failed");
        let why = "rel_1 does not work, so the site stays on what it serves: the front page answers 500";
        let goal = Goal { generation: 2, release: Some(2) };
        assert_eq!(standing(&site, goal), Standing::Failed(why.to_owned()));
    }

    #[test]
    fn code_that_failed_for_good_ends_the_wait() {
        let mut site = site(1, 1, &READY);
        site["code_failure"] = json!({"message": "no such branch", "retry_at": null});
        let why = "its code can't be used: no such branch".to_owned();
        assert_eq!(standing(&site, FIRST), Standing::Failed(why));
        site["code_failure"]["retry_at"] = json!("2026-11-24T15:31:28Z");
        assert_eq!(standing(&site, FIRST), Standing::Reached, "it is tried again");
    }
}
