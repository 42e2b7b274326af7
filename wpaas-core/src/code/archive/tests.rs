use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{Archive, Builder, EntryType, Header};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::code::Layout;

const SMALL: Limits = Limits { bytes: 1 << 20, entries: 20, time: std::time::Duration::from_mins(1) };

/// A tar of these entries, with names as bad as they may be.
fn tar_of(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (kind, path, content) in entries {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
            header.set_size(0);
            header.set_cksum();
            tar.append(&header, &[][..]).unwrap();
        } else {
            header.set_size(content.len() as u64);
            header.set_cksum();
            tar.append(&header, content.as_bytes()).unwrap();
        }
    }
    tar.into_inner().unwrap()
}

fn files(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries: Vec<_> = entries.iter().map(|(path, text)| (EntryType::Regular, *path, *text)).collect();
    tar_of(&entries)
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip_of(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in entries {
        zip.start_file(*path, SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

struct Bench {
    temp: TempDir,
}

impl Bench {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("code")).unwrap();
        Self { temp }
    }

    fn code(&self) -> PathBuf {
        self.temp.path().join("code")
    }

    fn unpack(&self, archive: &[u8], limits: &Limits) -> Result<(), String> {
        let file = self.temp.path().join("archive");
        fs::write(&file, archive).unwrap();
        unpack(&file, &self.code(), limits, &Stop::default()).map_err(|error| error.to_string())
    }

    fn pack(&self) -> Result<Packed, String> {
        let to = self.temp.path().join("release");
        pack(&self.code(), &to, &SMALL, &Stop::default()).map_err(|error| error.to_string())
    }

    fn packed_entries(&self) -> Vec<(String, String)> {
        let release = File::open(self.temp.path().join("release")).unwrap();
        let mut tar = Archive::new(flate2::read::GzDecoder::new(release));
        let entries = tar.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            assert_eq!(header.mode().unwrap(), if header.entry_type().is_dir() { 0o755 } else { 0o644 });
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            (path, content)
        });
        entries.collect()
    }
}

fn refusal(archive: &[u8]) -> String {
    let bench = Bench::new();
    let error = bench.unpack(archive, &SMALL).unwrap_err();
    let outside: Vec<_> = fs::read_dir(bench.temp.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(outside.len(), 2, "only the archive and the folder: {outside:?}");
    error
}

#[test]
fn a_hostile_tar_is_refused_with_the_reason() {
    use EntryType as T;
    let file = (T::Regular, "a", "x");
    for (entries, why) in [
        (
            vec![(T::Regular, "../evil", "x")],
            "the entry \"../evil\" is refused: its path leads out of the archive",
        ),
        (vec![(T::Regular, "a/../../evil", "x")], "leads out of the archive"),
        (vec![(T::Regular, "/etc/evil", "x")], "its path is absolute"),
        (vec![(T::Directory, "../evil", "")], "leads out of the archive"),
        (vec![(T::Regular, "a\\..\\evil", "x")], "its name has a backslash"),
        (vec![(T::Regular, "a\nb", "x")], "its name has control characters"),
        (vec![(T::Symlink, "l", "/etc/passwd")], "the link \"l\" leads out of the code, to \"/etc/passwd\""),
        (vec![(T::Symlink, "l", "../x")], "leads out of the code"),
        (vec![(T::Symlink, "l", "nowhere")], "the link \"l\" leads to no file of the code"),
        (vec![(T::Symlink, "l", "l")], "leads to no file of the code"),
        (vec![file, (T::Symlink, "l", "a"), (T::Symlink, "m", "l")], "the link \"m\" leads to no file"),
        (vec![(T::Symlink, "d", "."), (T::Regular, "d/x", "x")], "leads out"),
        (vec![file, (T::Symlink, "d", "a"), (T::Regular, "d/x", "x")], "the entry \"d\" is there twice"),
        (vec![file, (T::Link, "h", "a")], "the entry \"h\" is a hard link"),
        (vec![(T::Fifo, "p", "")], "the entry \"p\" is a named pipe"),
        (vec![(T::Block, "b", "")], "is a device"),
        (vec![(T::Char, "c", "")], "is a device"),
        (vec![(T::GNUSparse, "s", "")], "is a sparse file"),
        (vec![file, file], "the entry \"a\" is there twice"),
        (vec![file, (T::Regular, "a/b", "x")], "the entry \"a\" is there twice"),
        (vec![file, (T::Regular, "A", "x")], "the entries \"a\" and \"A\" differ only in case"),
        (vec![(T::Regular, "d/a", ""), (T::Regular, "D/b", "")], "differ only in case"),
    ] {
        let error = refusal(&tar_of(&entries));
        assert!(error.contains(why), "{entries:?}: {error}");
    }
}

#[test]
fn a_hostile_zip_is_refused_with_the_reason() {
    for (entries, why) in [
        (vec![("../evil", "x")], "leads out of the archive"),
        (vec![("/etc/evil", "x")], "its path is absolute"),
        (vec![("a\\b", "x")], "its name has a backslash"),
        (vec![("C:/evil", "x")], "begins with a drive"),
        (vec![("a/x", "1"), ("A/y", "2")], "differ only in case"),
    ] {
        let error = refusal(&zip_of(&entries));
        assert!(error.contains(why), "{entries:?}: {error}");
    }
    let mut twice = zip_of(&[("name-a", "1"), ("name-b", "2")]);
    let places: Vec<usize> = (0..twice.len() - 6).filter(|&at| &twice[at..at + 6] == b"name-b").collect();
    for at in places {
        twice[at + 5] = b'a';
    }
    assert!(refusal(&twice).contains("an entry twice"), "{}", refusal(&twice));
    let mut link = ZipWriter::new(Cursor::new(Vec::new()));
    link.add_symlink("l", "../../etc/passwd", SimpleFileOptions::default()).unwrap();
    let link = link.finish().unwrap().into_inner();
    assert!(refusal(&link).contains("leads out of the code"), "{}", refusal(&link));
}

#[test]
fn bombs_go_off_at_the_limit() {
    let zeros = "\0".repeat(2 << 20);
    let larger = "the code is larger than 1048576 bytes";
    assert_eq!(refusal(&zip_of(&[("a", &zeros)])), larger);
    assert_eq!(refusal(&gzipped(&files(&[("a", &zeros)]))), larger);
    let mut lying = zip_of(&[("a", &zeros)]);
    let size = u32::try_from(zeros.len()).unwrap().to_le_bytes();
    let places: Vec<usize> = (0..lying.len() - 4).filter(|&at| lying[at..at + 4] == size).collect();
    assert!(!places.is_empty());
    for at in places {
        lying[at..at + 4].copy_from_slice(&7_u32.to_le_bytes());
    }
    let error = refusal(&lying);
    assert!(error == larger || error.starts_with("the archive is damaged"), "{error}");
    let names: Vec<String> = (0..21).map(|n| format!("f{n}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert_eq!(refusal(&files(&many)), "the code has more than 20 files and folders");
    assert_eq!(refusal(&zip_of(&many)), "the code has more than 20 files and folders");
    assert_eq!(refusal(&files(&[(&"d/".repeat(30), "")])), "the code has more than 20 files and folders");
    let link = vec![(EntryType::Regular, "a", zeros.get(..600_000).unwrap()), (EntryType::Symlink, "b", "a")];
    assert_eq!(refusal(&tar_of(&link)), larger);
}

#[test]
fn a_header_can_not_fill_the_memory() {
    let long = "x".repeat(100_000);
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader, EntryType::XGlobalHeader]
    {
        let error = refusal(&tar_of(&[(kind, "l", &long), (EntryType::Regular, "a", "")]));
        assert_eq!(error, "the archive has a name or header that is too long");
    }
    let mut directory = zip_of(&[("a", "")]);
    let end = directory.len() - 22;
    for at in [8, 10] {
        directory[end + at..end + at + 2].copy_from_slice(&u16::MAX.to_le_bytes());
    }
    let error = refusal(&directory);
    assert!(error.starts_with("the archive is damaged"), "{error}");
}

#[test]
fn what_is_no_archive_or_a_broken_one_is_refused() {
    assert!(refusal(b"").contains("the object is no archive"));
    assert!(refusal(b"<?php phpinfo();").contains("the object is no archive"));
    assert!(refusal(&gzipped(b"just text, for a while")).starts_with("the archive is damaged"));
    let tar = files(&[("themes/a/style.css", &"x".repeat(5000))]);
    for whole in [tar.clone(), gzipped(&tar), zip_of(&[("a", "some content")])] {
        let cut = &whole[..whole.len() / 2];
        assert!(refusal(cut).starts_with("the archive is damaged"), "{}", refusal(cut));
    }
    let name = [(EntryType::Regular, "bad-name", "")];
    let mut tar = tar_of(&name);
    tar[0] = 0xff;
    assert!(refusal(&tar).starts_with("the archive is damaged"), "its checksum");
}

#[test]
fn long_names_of_both_kinds_are_read() {
    let name = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let mut gnu = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(1);
    gnu.append_data(&mut header, &name, &b"x"[..]).unwrap();
    let record = format!(" path={name}\n");
    let record = format!("{}{record}", record.len() + 3);
    let pax = tar_of(&[(EntryType::XHeader, "h", &record), (EntryType::Regular, "short", "x")]);
    for archive in [gnu.into_inner().unwrap(), pax] {
        let bench = Bench::new();
        bench.unpack(&archive, &SMALL).unwrap();
        assert_eq!(fs::read_to_string(bench.code().join(&name)).unwrap(), "x");
    }
}

#[test]
fn the_same_content_has_the_same_digest_whatever_it_came_in() {
    let content =
        [("themes/a/style.css", "/* Theme Name: A */"), ("plugins/b.php", "<?php"), ("index.php", "")];
    let mut turned = content;
    turned.reverse();
    let deep: Vec<(String, &str)> =
        content.iter().map(|(path, text)| (format!("x-main/{path}"), *text)).collect();
    let deep: Vec<(&str, &str)> = deep.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let littered =
        [&content[..], &[("uploads/2024/a.jpg", "jpg"), (".git/config", "x"), ("__MACOSX/a", "")]].concat();
    let empty =
        [(EntryType::Directory, "languages/", ""), (EntryType::Regular, "themes/a/style.css", content[0].1)];
    let digests: Vec<Packed> = [
        files(&content),
        gzipped(&files(&turned)),
        zip_of(&content),
        zip_of(&deep),
        files(&littered),
        [&tar_of(&empty)[..512 * 3], &files(&content[1..])].concat(),
    ]
    .iter()
    .map(|archive| {
        let bench = Bench::new();
        bench.unpack(archive, &SMALL).unwrap();
        let packed = bench.pack().unwrap();
        let names: Vec<String> = bench.packed_entries().into_iter().map(|(path, _)| path).collect();
        let expected = [
            "index.php",
            "plugins/",
            "plugins/b.php",
            "themes/",
            "themes/a/",
            "themes/a/style.css",
            "uploads/",
        ];
        assert_eq!(names, expected);
        packed
    })
    .collect();
    assert!(digests.iter().all(|packed| *packed == digests[0]), "{digests:?}");
    assert_eq!(digests[0].layout, Layout::Content);
    // Another one after an update of the compressor: every release made again gets a new digest, and is
    // rolled out anew. Say so in the change log.
    assert_eq!(
        digests[0].digest.to_string(),
        "sha256:3ba0f465efd650a50887dc7787d7cdc9e1e516156808b6faf58c0477b10f0218"
    );
}

#[test]
fn a_whole_wordpress_loses_its_configuration_and_uploads_only() {
    let bench = Bench::new();
    let core =
        ["index.php", "wp-load.php", "wp-settings.php", "wp-admin/index.php", "wp-includes/version.php"];
    let mut content: Vec<(&str, &str)> = core.iter().map(|path| (*path, "<?php")).collect();
    content.extend([
        ("wp-config.php", "secret"),
        ("wp-content/themes/a/style.css", ""),
        ("wp-content/uploads/a.jpg", ""),
        ("wp-content/object-cache.php", ""),
        ("wp-content/plugins/x/wp-config.php", "kept"),
    ]);
    bench.unpack(&files(&content), &Limits { entries: 100, ..SMALL }).unwrap();
    let to = bench.temp.path().join("release");
    let packed = pack(&bench.code(), &to, &Limits { entries: 100, ..SMALL }, &Stop::default()).unwrap();
    assert_eq!(packed.layout, Layout::Tree);
    let names: Vec<String> = bench.packed_entries().into_iter().map(|(path, _)| path).collect();
    assert!(names.contains(&"wp-content/uploads/".to_owned()));
    assert!(names.contains(&"wp-content/object-cache.php".to_owned()));
    assert!(names.contains(&"wp-content/plugins/x/wp-config.php".to_owned()));
    assert!(!names.iter().any(|name| name == "wp-config.php" || name.ends_with("a.jpg")), "{names:?}");
}

#[test]
fn a_link_inside_becomes_a_copy_and_archives_inside_stay_closed() {
    let bench = Bench::new();
    let inner = String::from_utf8(tar_of(&[(EntryType::Regular, "../evil", "x")])).unwrap();
    let entries = [
        (EntryType::Symlink, "themes/a/readme.txt", "../../README"),
        (EntryType::Regular, "README", "text"),
        (EntryType::Regular, "themes/a/style.css", ""),
        (EntryType::Regular, "plugins/inner.tar", inner.as_str()),
    ];
    bench.unpack(&tar_of(&entries), &SMALL).unwrap();
    bench.pack().unwrap();
    let entries = bench.packed_entries();
    assert!(entries.contains(&("themes/a/readme.txt".into(), "text".into())), "{entries:?}");
    assert!(entries.contains(&("plugins/inner.tar".into(), inner)));
}

#[test]
fn packing_trusts_no_source() {
    let bench = Bench::new();
    fs::create_dir(bench.code().join("plugins")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", bench.code().join("plugins/a.php")).unwrap();
    assert_eq!(
        bench.pack().unwrap_err(),
        "the entry \"plugins/a.php\" is a link or a special file; code is files and folders only"
    );
    fs::remove_file(bench.code().join("plugins/a.php")).unwrap();
    fs::write(bench.code().join("plugins/a.php"), vec![0; 2 << 20]).unwrap();
    assert_eq!(bench.pack().unwrap_err(), "the code is larger than 1048576 bytes");
}

#[test]
fn work_ends_when_nobody_waits() {
    let bench = Bench::new();
    let file = bench.temp.path().join("archive");
    fs::write(&file, files(&[("a", "x")])).unwrap();
    let stop = Stop::default();
    drop(stop.on_drop());
    let error = unpack(&file, &bench.code(), &SMALL, &stop).unwrap_err();
    assert_eq!(error.to_string(), "cancelled");
    assert_eq!(fs::read_dir(bench.code()).unwrap().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_mangled_archive_never_panics_and_never_writes_elsewhere(
        which in 0..3_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let content = [("themes/a/style.css", "/* A */")];
        let tar = tar_of(&[
            (EntryType::Regular, content[0].0, content[0].1),
            (EntryType::Symlink, "themes/l", "a/style.css"),
            (EntryType::Directory, "plugins", ""),
        ]);
        let mut archive = [zip_of(&content), gzipped(&tar), tar][which].clone();
        for (at, byte) in changes {
            let at = at.index(archive.len());
            archive[at] = byte;
        }
        let bench = Bench::new();
        let unpacked = bench.unpack(&archive, &SMALL);
        let beside = fs::read_dir(bench.temp.path()).unwrap().count();
        prop_assert_eq!(beside, 2, "{:?}", unpacked);
        let real = bench.code().canonicalize().unwrap();
        let mut folders = vec![real];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let kind = entry.file_type().unwrap();
                prop_assert!(kind.is_file() || kind.is_dir());
                if kind.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
    }
}
