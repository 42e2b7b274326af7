//! A case is a story about the port; it ends well, or says what was otherwise.

use std::fmt;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use tokio::time::sleep;
use wpaas_backend_aws::cloud::CloudError;

use crate::differences::{DIFFERENCES, Difference};
use crate::world::{Who, World};

/// What was otherwise.
#[derive(Debug)]
pub struct Otherwise(pub String);

impl From<CloudError> for Otherwise {
    fn from(error: CloudError) -> Self {
        Self(format!("{} {}", error.code, error.message))
    }
}

pub type Told = Result<(), Otherwise>;

/// A case by its name.
pub type Case = (&'static str, for<'w> fn(&'w World) -> LocalBoxFuture<'w, Told>);

/// Fails the case unless this holds.
macro_rules! ensure {
    ($holds:expr, $($told:tt)+) => {
        if !$holds {
            return Err($crate::check::Otherwise(format!($($told)+)));
        }
    };
}

/// The cases by the names of their functions.
macro_rules! cases {
    ($($name:ident),+ $(,)?) => {
        &[$((stringify!($name), |world| Box::pin($name(world)))),+]
    };
}

pub(crate) use {cases, ensure};

/// Both are the same.
#[expect(clippy::needless_pass_by_value, reason = "what is compared is made where it is compared")]
pub fn same<T: PartialEq + fmt::Debug>(what: &str, found: T, wanted: T) -> Told {
    ensure!(found == wanted, "{what}: {found:?} instead of {wanted:?}");
    Ok(())
}

/// It fails with this code.
pub fn refused<T: fmt::Debug>(what: &str, answer: Result<T, CloudError>, code: &str) -> Told {
    match answer {
        Err(error) if error.is(code) => Ok(()),
        Err(error) => Err(Otherwise(format!("{what}: {} instead of {code}: {}", error.code, error.message))),
        Ok(done) => Err(Otherwise(format!("{what}: done instead of {code}: {done:?}"))),
    }
}

/// Asks until there is an answer, for some minutes.
pub async fn until<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<Option<T>, Otherwise>,
) -> Result<T, Otherwise> {
    for _ in 0..300 {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        sleep(Duration::from_secs(1)).await;
    }
    Err(Otherwise(format!("{what}: not after five minutes")))
}

/// Every case holds, but where this one is known to differ: there it must differ, and in that way.
pub async fn all(world: &World, cases: &[Case]) {
    let mut wrong = Vec::new();
    for (name, case) in cases {
        let told = case(world).await;
        let known = DIFFERENCES.iter().find(|known| known.who == world.who && known.case == *name);
        match (told, known) {
            (Ok(()), None) => {}
            (Err(Otherwise(told)), Some(Difference { told: wanted, .. })) if told.contains(wanted) => {}
            (Err(Otherwise(told)), _) => wrong.push(format!("{name}: {told}")),
            (Ok(()), Some(known)) => wrong.push(format!("{name}: differs no more: {}", known.right)),
        }
    }
    assert!(wrong.is_empty(), "{:?}:\n{}", world.who, wrong.join("\n"));
}

#[test]
fn every_difference_is_one_of_a_case_that_is_there() {
    let cases = [
        crate::bucket::CASES,
        crate::zone::CASES,
        crate::instances::CASES,
        crate::volumes::CASES,
        crate::network::CASES,
    ];
    for Difference { who, case, right, .. } in DIFFERENCES {
        assert!(cases.iter().any(|cases| cases.iter().any(|(name, _)| name == case)), "{case}");
        assert!(*who != Who::Account && !right.is_empty(), "{case}: a real account is right");
    }
}
