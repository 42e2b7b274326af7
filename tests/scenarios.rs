//! `scenarios/*.txt` say what they said before, and each ends in "nothing to do". After a change that is wanted,
//! `WPAAS_BLESS=1 cargo test -p wpaas-tests scenarios` writes them anew: read the difference.

use std::path::PathBuf;

use wpaas_core::converge::trial::script::play;

fn scripts() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut scripts: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.sort();
    scripts
}

#[test]
fn every_scenario_goes_as_before_and_ends_in_nothing_to_do() {
    let bless = std::env::var_os("WPAAS_BLESS").is_some();
    let scripts = scripts();
    assert!(scripts.len() >= 12, "only {} scenarios", scripts.len());
    for path in scripts {
        let script = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy();
        let said = play(&script).unwrap_or_else(|error| panic!("{name}: {error}"));
        if bless {
            std::fs::write(&path, &said).unwrap();
        } else {
            let at = said.lines().zip(script.lines()).position(|(new, old)| new != old);
            assert!(said == script, "{name} goes otherwise from line {:?} on:\n{said}", at.map(|at| at + 1));
        }
        assert_eq!(said.lines().last(), Some("  nothing to do"), "{name} does not end well");
    }
}

#[test]
fn a_scenario_that_goes_otherwise_is_told_apart() {
    for (script, why) in [
        ("> plan\n", "a script begins with `site`"),
        ("> site wordpress=1 database=2\n", "1 or 3"),
        ("> site wordpress=1 database=1 colour=red\n", "not understood"),
        ("> site wordpress=1 database=1\n> kill database-0\n", "there is no database-0"),
        ("> site wordpress=1 database=1\n> run\n> expect serving=2\n", "expected serving=2, and it is 1"),
    ] {
        let error = play(script).unwrap_err().to_string();
        assert!(error.contains(why), "{script:?}: {error}");
    }
}
