use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::progress::{Progress, why};
use super::standing::{Goal, Standing, standing};
use super::{COLUMNS, Target, Which};
use crate::api::Api;
use crate::failure::{Done, Failure};
use crate::output::{self, Output};

/// How often a site is looked at.
const PERIOD: Duration = Duration::from_millis(300);

/// `wpaas sites watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "Ends with 0 when the site is as wanted, with 5 after --timeout, and with 1 when it needs you."
)]
pub struct Watch {
    #[command(flatten)]
    which: Which,
    /// Gives up after so long
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = patience)]
    timeout: Duration,
}

/// Whether a command waits.
#[derive(Debug, Clone, Copy, Args)]
pub struct Wait {
    /// Waits until it is done, and shows the progress
    #[arg(short, long)]
    wait: bool,
    /// With --wait, gives up after so long; the change goes on
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = patience, requires = "wait")]
    timeout: Duration,
}

/// `90s`, `10m`.
fn patience(text: &str) -> Result<Duration, String> {
    let time: jiff::SignedDuration =
        text.parse().map_err(|_| "must be a length of time such as 90s or 10m")?;
    time.try_into().map_err(|_| "must not be negative".to_owned())
}

impl Watch {
    /// Shows it.
    pub async fn run(self, api: &Api) -> Done {
        let target = self.which.target(api).await?;
        until_as_wanted(api, &target, Goal { generation: 0, release: None }, self.timeout).await
    }
}

impl Wait {
    /// How long, if at all.
    pub fn patience(self) -> Option<Duration> {
        self.wait.then_some(self.timeout)
    }

    /// Waits for what a write asked for.
    pub async fn until_as_wanted(
        self,
        api: &Api,
        target: &Target,
        written: &Value,
        release: Option<u64>,
        patience: Duration,
    ) -> Done {
        let generation = written.get("generation").and_then(Value::as_u64).unwrap_or(0);
        until_as_wanted(api, target, Goal { generation, release }, patience).await
    }

    /// Waits until nothing of the site runs, and, with a grace of 0, until nothing is left.
    pub async fn until_gone(self, api: &Api, target: &Target, written: Value, patience: Duration) -> Done {
        let last = poll(api, target, Some(written), patience, |site| match site {
            None => Ok(Some(Value::Null)),
            Some(site) if !runs(site) && !is_to_go_now(site) => Ok(Some(site.clone())),
            Some(_) => Ok(None),
        });
        match (last.await?, api.output) {
            (site, Output::Json) => output::json(&site),
            (Value::Null, Output::Table) => output::print(&format!("{}: gone\n", target.name)),
            (_, Output::Table) => {
                let text = "stopped; `wpaas sites restore` brings it back within the grace period";
                output::print(&format!("{}: {text}\n", target.name))
            }
        }
    }
}

async fn until_as_wanted(api: &Api, target: &Target, goal: Goal, patience: Duration) -> Done {
    let done = poll(api, target, None, patience, |site| match site {
        None => Err(Failure::Other(format!("the site {} is gone", target.name))),
        Some(site) => match standing(site, goal) {
            Standing::Reached => Ok(Some(site.clone())),
            Standing::Failed(why) => Err(Failure::Other(why)),
            Standing::Underway => Ok(None),
        },
    });
    api.output.one(&COLUMNS, &done.await?)
}

/// Looks at a site until there is an answer. A site that was never seen is not found; one that was is gone.
async fn poll(
    api: &Api,
    target: &Target,
    mut last: Option<Value>,
    patience: Duration,
    ask: impl Fn(Option<&Value>) -> Result<Option<Value>, Failure>,
) -> Result<Value, Failure> {
    let (began, mut progress) = (Instant::now(), Progress::of(&target.name));
    // Whatever the site has become before the first look is news.
    if let Some(site) = &last {
        progress.show(site);
    }
    let answer = loop {
        match target.get(api).await {
            Ok(site) => {
                progress.show(&site);
                if let Some(answer) = ask(Some(&site)).transpose() {
                    break answer;
                }
                last = Some(site);
            }
            Err(Failure::Refused(problem)) if problem.status == 404 && last.is_some() => {
                break ask(None).map(|answer| answer.unwrap_or(json!(null)));
            }
            // A server that is restarted, or that has too much to do, does not end the wait.
            Err(Failure::Unreachable(_) | Failure::TimedOut(_)) if last.is_some() => {}
            Err(Failure::Refused(problem)) if problem.status == 503 => {}
            Err(other) => break Err(other),
        }
        if began.elapsed() >= patience {
            break Err(given_up(target, patience, last.as_ref()));
        }
        tokio::time::sleep(PERIOD).await;
    };
    progress.end();
    answer
}

fn given_up(target: &Target, patience: Duration, last: Option<&Value>) -> Failure {
    let name = &target.name;
    let why = last.map(why).filter(|why| !why.is_empty()).map_or_else(String::new, |why| format!(": {why}"));
    let seconds = patience.as_secs();
    Failure::TimedOut(format!(
        "{name} is not done after {seconds} s{why}; it goes on: `wpaas sites watch {name}`"
    ))
}

/// Whether anything of it was seen to run, or was not looked at yet.
fn runs(site: &Value) -> bool {
    let count = |part: &str| site.pointer(&format!("/actual/{part}")).and_then(Value::as_u64);
    count("num_instances") != Some(0) || count("database_instances") != Some(0)
}

/// Whether its grace has ended, so that the whole of it goes.
fn is_to_go_now(site: &Value) -> bool {
    let end = site.pointer("/lifecycle/purge_after").and_then(Value::as_str);
    let end: Option<jiff::Timestamp> = end.and_then(|end| end.parse().ok());
    end.is_some_and(|end| end <= jiff::Timestamp::now())
}
