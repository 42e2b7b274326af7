//! The targets of scripts/fuzz, with what is kept of what they were given: that they are built, and that what was mended
//! stays mended.
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc, reason = "tests may panic")]

use std::fs;
use std::io::Read as _;
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
mod targets;

/// Gives a target all that is kept for it.
#[track_caller]
fn all(target: &str, keeps: impl Fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let seeds = fs::read_dir(fuzz.join("seeds").join(target)).unwrap();
    let seeds: Vec<_> = seeds.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    let corpus = corpus(&fuzz.join("corpus.tar.gz"), target);
    assert!(seeds.len() > 1 && corpus.len() > 100, "{target}: {} and {}", seeds.len(), corpus.len());
    for given in seeds.iter().chain(&corpus) {
        keeps(given);
    }
}

/// What `scripts/fuzz --keep` kept for this target.
fn corpus(archive: &Path, target: &str) -> Vec<Vec<u8>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(archive).unwrap()));
    let files = archive.entries().unwrap().map(Result::unwrap);
    let of_target = files.filter(|file| file.path().unwrap().starts_with(target) && file.size() > 0);
    let bytes = |mut file: tar::Entry<'_, _>| {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    };
    of_target.map(bytes).collect()
}

/// As the fuzzer does: only what is a text.
fn text(keeps: impl Fn(&str)) -> impl Fn(&[u8]) {
    move |bytes| std::str::from_utf8(bytes).map_or((), &keeps)
}

#[test]
fn names() {
    all("names", text(targets::names::keeps));
}

#[test]
fn code() {
    all("code", text(targets::code::keeps));
}

#[test]
fn archives() {
    all("archive", targets::archive::keeps);
}

#[test]
fn reports() {
    all("report", text(targets::report::keeps));
}

#[test]
fn specs() {
    all("spec", text(targets::spec::keeps));
}
