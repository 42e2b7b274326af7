//! Rule 8: which release visitors get.

use wpaas_core::converge::trial::{Change, Op, wanted};
use wpaas_core::converge::{Action, Facts, FileContent, Intent, Part, SitePlan, Wanted, plan};
use wpaas_core::site::DatabaseSize::One;

use super::caught;

/// Rule 8: serves what is only to be tried.
pub fn serves_untried(intent: &Intent, facts: &Facts) -> SitePlan {
    let mut hasty = intent.clone();
    if let Wanted::Run(run) = &mut hasty.wanted
        && let Some(candidate) = run.candidate.take()
    {
        run.release = Some(candidate.release);
    }
    plan(&hasty, facts)
}

#[test]
fn rule_8_visitors_get_what_has_not_proved_itself() {
    caught(serves_untried, &wanted(2, One), &[Op::User(Change::Release(Some(1)))], "rule 8", "S12");
}

/// Rule 8: sends visitors to a node that shows a release under another name.
fn mixes_previews_in(intent: &Intent, facts: &Facts) -> SitePlan {
    let mut plan = plan(intent, facts);
    for step in &mut plan.steps {
        let (Action::Configure { files, .. }, Part::Gateway(_)) = (&mut step.action, step.part) else {
            continue;
        };
        for file in files {
            if let FileContent::Text(text) = &mut file.content {
                *text = text.replace("=preview beta.blog.acm.www.wpaas.localhost", "=ready");
            }
        }
    }
    plan
}

#[test]
fn rule_8_visitors_sent_to_a_preview() {
    caught(mixes_previews_in, &wanted(2, One), &[Op::User(Change::Preview(Some(1)))], "rule 8", "S12");
}
