//! Hostile archives: what comes out of one is plain files and folders, within its folder and the limits, and is packed
//! to the same bytes twice.

use std::fs;
use std::path::Path;

use wpaas_core::code::Limits;
use wpaas_core::code::archive::{Stop, pack, unpack};

/// The bytes and the number of what is below.
fn measure(folder: &Path) -> (u64, u64) {
    let (mut bytes, mut entries) = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let about = fs::symlink_metadata(&path).unwrap();
        assert!(about.is_file() || about.is_dir(), "{} is neither file nor folder", path.display());
        entries += 1;
        if about.is_dir() {
            let (more, below) = measure(&path);
            (bytes, entries) = (bytes + more, entries + below);
        } else {
            bytes += about.len();
        }
    }
    (bytes, entries)
}

/// Panics where the target does not keep it.
pub fn keeps(archive: &[u8]) {
    let limits = Limits { bytes: 1 << 16, entries: 64, ..Limits::default() };
    let place = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let (file, into) = (place.path().join("archive"), place.path().join("into"));
    fs::write(&file, archive).unwrap();
    fs::create_dir(&into).unwrap();
    let stop = Stop::default();
    let unpacked = unpack(&file, &into, &limits, &stop);
    let beside: Vec<_> =
        fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside.len(), 2, "something came out beside its folder: {beside:?}");
    let (bytes, entries) = measure(&into);
    assert!(bytes <= limits.bytes && entries <= limits.entries, "{bytes} bytes in {entries} entries");
    if unpacked.is_ok() {
        let packed = ["one", "two"].map(|name| {
            let to = place.path().join(name);
            pack(&into, &to, &limits, &stop).map(|_| fs::read(&to).unwrap()).ok()
        });
        assert_eq!(packed[0], packed[1], "packed otherwise the second time");
    }
}
