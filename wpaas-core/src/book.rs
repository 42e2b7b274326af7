//! A book for those who embed wpaas: from nothing to a service that converges, to a backend of one's own, to
//! tests by properties. Every program in it is compiled and run with the tests.
//!
//! 1. [`first_service`]: a store, a customer, a site, a converger; and how a plan reads.
//! 2. [`a_backend`]: what a backend promises, one of some 90 lines, and the suite that says whether it is right.
//! 3. [`properties`]: trials and storms of your planner, any deeds for your backend, and scripts for people.
//!
//! What is *wanted* is written down ([`service`](crate::service), [`store`](crate::store)); what *runs* is seen
//! ([`Backend::observe`](crate::converge::Backend::observe) and the nodes' reports); [`plan`](crate::converge::plan)
//! decides, purely, what is safe to do now; [`Backend::apply`](crate::converge::Backend::apply) does it; and the
//! [`Converger`](crate::converge::Converger) goes round. No workflow is stored, so nothing has to be resumed.

/// # From nothing to a service that converges
///
/// The features `sqlite` and `testing` are on in this program; a service of your own needs the first, or a store of
/// its own. The simulated backend runs nothing, and behaves as the real ones do.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use jiff::Timestamp;
/// use wpaas_core::access::Actor;
/// use wpaas_core::converge::Converger;
/// use wpaas_core::converge::simulated::Simulated;
/// use wpaas_core::keyring::Keyring;
/// use wpaas_core::secret::Secret;
/// use wpaas_core::site::AddressKind;
/// use wpaas_core::service::{Mode, NewCustomer, NewSite, Service, Settings, SitePath, SitePlace};
/// use wpaas_core::store::SqlStore;
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     // One file holds the state; secrets in it are sealed with the keyring.
///     let folder = tempfile::tempdir()?;
///     let store = SqlStore::open(&folder.path().join("wpaas.db")).await?;
///     let keyring = Keyring::open_or_create(&folder.path().join("keys"))?;
///     let settings = Settings::new("wpaas.example.com".parse()?);
///     let service = Service::new(Arc::new(store), Arc::new(keyring), settings);
///
///     // The converger learns from the service what is wanted, and what nodes report from whoever hears them.
///     let (backend, mut reports) = Simulated::new();
///     let (converger, handle) = Converger::new(backend, Arc::new(service.intents()));
///     let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
///     let running = tokio::spawn(converger.run(async { drop(stopped.await) }));
///     let hears = handle.clone();
///     tokio::spawn(async move {
///         while let Some(report) = reports.recv().await {
///             hears.report(report);
///         }
///     });
///
///     // A customer is registered, and a site made for it. The default org and space are made on the way.
///     let now = Timestamp::now();
///     let acme = NewCustomer {
///         name: "Acme".into(),
///         email: "owner@acme.example".parse()?,
///         username: "acme".parse()?,
///         password: None,
///         account: None,
///     };
///     let acme = service.register_customer(Some(&Actor::Operator), acme, now).await?;
///     let actor = Actor::Operator;
///     let place = SitePlace { cid: acme.cid, org: None, space: None };
///     let blog = NewSite::named("blog".parse()?, Secret::new("correct horse battery".into()));
///     let blog = NewSite { title: Some("A blog".into()), num_instances: Some(2), ..blog };
///     let blog = service.create_site(&actor, &place, blog, Mode::Commit, now).await?;
///
///     // It comes up by itself; its status is kept beside it.
///     let path = SitePath { place, name: blog.site.name.clone() };
///     let ready = async {
///         loop {
///             let site = service.site(&actor, &path).await?;
///             if site.status.as_ref().is_some_and(|kept| kept.status.is_ready()) {
///                 return Ok::<_, wpaas_core::service::ServiceError>(());
///             }
///             tokio::time::sleep(Duration::from_millis(10)).await;
///         }
///     };
///     tokio::time::timeout(Duration::from_secs(60), ready).await??;
///
///     // What would be done now, and what is waited for: a plan is a value.
///     let plan = handle.explain(blog.site.id).await.expect("a site that it knows");
///     println!("{plan}");
///
///     drop(stop);
///     running.await?;
///     Ok(())
/// }
/// ```
pub mod first_service {}

/// # A backend of one's own
///
/// A [`Backend`](crate::converge::Backend) turns parts into something that runs. It decides nothing: a step holds
/// every choice. What it promises:
///
/// - **Names are fixed, ids are not used again.** A part is made under one name, so that a second cannot be made;
///   it is removed by its object's own id, so that a late removal cannot meet its successor.
/// - **A step taken again changes nothing**, also after a crash in the middle, also by another server.
/// - **What is newer is not overruled.** A step of an older generation or epoch than a part of its site is a
///   `Conflict`; so is one that does not find what it was planned on.
/// - **A listing that cannot see all says so.** Absence is believed only in a complete one.
/// - **Nobody else's objects** are seen or touched.
/// - **No secret shows** but in the node's own files.
///
/// This one notes in memory what would run. [`conformance::all`](crate::converge::conformance::all) panics where a
/// backend does otherwise; the `Fixture` is what the suite needs of the world's owner, to kill nodes and to look
/// for secrets.
///
/// ```
#[doc = include_str!("../../examples/custom_backend.rs")]
/// ```
///
/// A store of one's own is tried in the same way, by [`store::conformance`](crate::store::conformance):
///
/// ```
/// use std::sync::Arc;
/// use wpaas_core::store::memory::MemoryStore;
/// use wpaas_core::store::{Store, conformance};
///
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// conformance::all(|| async { Arc::new(MemoryStore::default()) as Arc<dyn Store> }).await;
/// # });
/// ```
pub mod a_backend {}

/// # Tests by properties
///
/// A [`Trial`](crate::converge::trial::Trial) owns a world, one or two servers and a planner, and takes one
/// [`Op`](crate::converge::trial::Op) at a time: what a user, a server, a node or an accident does. Each op is
/// possible everywhere, so any sequence is a test, and shrinks well. What must never happen is checked after
/// every op; what must happen in the end by `finish`:
///
/// ```
/// use proptest::prelude::*;
/// use wpaas_core::converge::plan;
/// use wpaas_core::converge::trial::{Change, Fate, Op, Outside, Trial, wanted};
/// use wpaas_core::site::DatabaseSize;
///
/// fn ops() -> impl Strategy<Value = Op> {
///     prop_oneof![
///         Just(Op::Look(0)),
///         Just(Op::Plan(0)),
///         (0..4_usize, proptest::sample::select(&Fate::ALL[..])).prop_map(|(step, fate)| Op::Land(0, step, fate)),
///         Just(Op::Progress),
///         any::<u8>().prop_map(|part| Op::Outside(part, Outside::Kill)),
///         (0..3_u8).prop_map(|n| Op::User(Change::Wordpress(n))),
///         Just(Op::Learn(0)),
///     ]
/// }
///
/// proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) }, |(
///     ops in proptest::collection::vec(ops(), 0..20)
/// )| {
///     let mut trial = Trial::new(plan, wanted(1, DatabaseSize::One));
///     for op in ops {
///         trial.take(op).unwrap();
///     }
///     trial.finish().unwrap();
/// });
/// ```
///
/// A backend of one's own has its property, too: whatever happens in whatever order, there is one object of each part at
/// most, and no step makes or takes away what it does not name. [`conformance::any`](crate::converge::conformance::any)
/// checks that for any [`Deed`](crate::converge::conformance::Deed)s; the last lines of [the notebook](a_backend) show it.
///
/// A planner that breaks a rule is refused by the lint, as the converger refuses its plans; without the lint it is
/// caught by what happens:
///
/// ```
/// use wpaas_core::converge::trial::{Change, Op, Trial, wanted};
/// use wpaas_core::converge::{Action, Facts, Intent, Part, SitePlan, Step, StepReason, Wanted, plan};
/// use wpaas_core::site::DatabaseSize;
///
/// /// Tidies up too well: a site that rests loses its uploads.
/// fn tidy(intent: &Intent, facts: &Facts) -> SitePlan {
///     let mut plan = plan(intent, facts);
///     if let (Wanted::Rest, Some(uploads)) = (&intent.wanted, facts.ready(Part::UploadsVolume)) {
///         let Intent { site, generation, epoch, .. } = *intent;
///         let (part, action) = (uploads.part, Action::Remove { object: uploads.id.clone() });
///         plan.steps.push(Step { site, generation, epoch, part, action, why: StepReason::Unused });
///     }
///     plan
/// }
///
/// let mut trial = Trial::new(tidy, wanted(1, DatabaseSize::One)).without_lint();
/// trial.converge().unwrap();
/// trial.take(Op::User(Change::Rest)).unwrap();
/// let failure = trial.finish().unwrap_err();
/// assert!(failure.what.starts_with("S6"), "{failure}");
/// ```
///
/// A [`Storm`](crate::converge::storm::Storm) is the same for the whole converger, under a virtual clock: hours in
/// milliseconds, from a seed that gives the same run again.
///
/// ```
/// use wpaas_core::converge::storm::Storm;
///
/// for seed in 0..3 {
///     let trace = Storm::of(seed).run().unwrap();
///     assert!(trace.effects > 0);
/// }
/// ```
///
/// For people who read plans rather than programs there are scripts:
/// [`trial::script`](crate::converge::trial::script).
pub mod properties {}
