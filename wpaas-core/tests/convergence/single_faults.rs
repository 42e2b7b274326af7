//! Every step of a way × every single fault: the step fails in each way, a server dies after it, something is
//! killed, frozen, edited or removed after it.

use wpaas_core::converge::plan;
use wpaas_core::converge::trial::{Change, Failure, Fate, Op, Outside, Trial, wanted};
use wpaas_core::site::DatabaseSize::{One, Three};

/// What happens to a site from its start on: each way ends converged.
fn ways() -> Vec<(&'static str, Trial, Vec<Change>)> {
    let site = |wordpress, database| Trial::new(plan, wanted(wordpress, database));
    vec![
        ("small", site(1, One), vec![]),
        ("redundant", site(2, Three), vec![]),
        ("release", site(2, One), vec![Change::Release(Some(7)), Change::Release(None)]),
        ("bad release", site(2, One), vec![Change::BadRelease]),
        ("preview", site(1, One), vec![Change::Preview(Some(5)), Change::Preview(None)]),
        ("domain", site(2, One), vec![Change::Domain(1)]),
        ("grow and shrink", site(1, One), vec![Change::Database(Three), Change::Database(One)]),
        ("scale", site(1, One), vec![Change::Wordpress(3), Change::Wordpress(0), Change::Wordpress(1)]),
        ("rest", site(1, Three), vec![Change::Rest, Change::Run]),
        ("admin", site(2, One), vec![Change::Admin]),
        ("gone", site(1, One), vec![Change::Gone]),
    ]
}

/// What goes wrong at one moment, besides how a step ends.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Step(Fate),
    Restart,
    Outside(u8, Outside),
}

/// Goes a way, with this fault at the step of this number. Returns whether the way had so many steps.
fn go(trial: &mut Trial, changes: &[Change], moment: usize, fault: Fault) -> Result<bool, Failure> {
    let mut steps = 0;
    let stages = std::iter::once(None).chain(changes.iter().map(|change| Some(*change)));
    for change in stages {
        if let Some(change) = change {
            trial.take(Op::User(change))?;
            trial.take(Op::Learn(0))?;
        }
        let mut quiet = 0;
        while quiet < 3 {
            for op in [Op::Look(0), Op::Judge(0), Op::Learn(0), Op::Plan(0)] {
                trial.take(op)?;
            }
            quiet = if trial.begun(0) == 0 { quiet + 1 } else { 0 };
            while trial.begun(0) > 0 {
                one(trial, steps == moment, fault)?;
                steps += 1;
            }
            trial.take(Op::Progress)?;
        }
    }
    Ok(steps > moment)
}

fn one(trial: &mut Trial, now: bool, fault: Fault) -> Result<(), Failure> {
    match fault {
        Fault::Step(fate) if now => trial.take(Op::Land(0, 0, fate)),
        Fault::Restart if now => trial.take(Op::Restart(0)),
        Fault::Outside(part, what) if now => {
            trial.take(Op::Land(0, 0, Fate::Fine))?;
            trial.take(Op::Outside(part, what))
        }
        Fault::Step(_) | Fault::Restart | Fault::Outside(..) => trial.take(Op::Land(0, 0, Fate::Fine)),
    }
}

/// Every moment of every way. Returns how many there were.
fn every_moment(fault: Fault) -> usize {
    let mut moments = 0;
    for (name, start, changes) in ways() {
        for moment in 0.. {
            let mut trial = start.clone();
            let went = go(&mut trial, &changes, moment, fault).and_then(|had| trial.finish().map(|()| had));
            let had = went.unwrap_or_else(|failure| panic!("{name}, step {moment}, {fault:?}: {failure}"));
            if !had {
                break;
            }
            moments += 1;
        }
    }
    moments
}

#[test]
fn every_step_may_end_in_any_way() {
    for fate in Fate::ALL {
        assert!(every_moment(Fault::Step(fate)) > 100);
    }
}

#[test]
fn a_server_may_die_after_every_step() {
    assert!(every_moment(Fault::Restart) > 100);
}

#[test]
fn every_part_may_be_lost_after_every_step() {
    for part in 0..11 {
        assert!(every_moment(Fault::Outside(part, Outside::Vanish)) > 100);
    }
    // Nodes come after the network and the volumes.
    for part in [3, 5, 8] {
        for what in [Outside::Kill, Outside::Freeze, Outside::Edit] {
            assert!(every_moment(Fault::Outside(part, what)) > 100);
        }
    }
}
