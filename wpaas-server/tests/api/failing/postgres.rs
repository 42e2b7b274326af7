//! A `PostgreSQL` of a test's own, which it may stop, fill and put back, and two of which one follows the other.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A `PostgreSQL` that a test may stop.
pub struct Own {
    folder: PathBuf,
}

impl Own {
    pub fn new() -> Option<(Self, String)> {
        Self::at(|_| true)
    }

    /// One whose disk can be filled; `None` where this process is not root, and may not mount one.
    pub fn on_small_disk() -> Option<(Self, String)> {
        Self::at(|folder| {
            std::fs::create_dir(folder).unwrap();
            let mount = ["-t", "tmpfs", "-o", "size=200m", "tmpfs"];
            let mounted = Command::new("mount").args(mount).arg(folder).output();
            let mounted = mounted.is_ok_and(|mounted| mounted.status.success());
            let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
            assert!(mounted || !is_root, "root can't mount a file system here");
            if !mounted {
                println!("skipped: no file system can be mounted here");
                std::fs::remove_dir(folder).unwrap();
            }
            mounted
        })
    }

    /// In a folder of its own, once that is prepared.
    fn at(prepare: impl FnOnce(&Path) -> bool) -> Option<(Self, String)> {
        std::env::var("WPAAS_TEST_POSTGRES").ok()?;
        let folder = std::env::temp_dir().join(format!("wpaas-{}", uuid::Uuid::now_v7().simple()));
        if !prepare(&folder) {
            return None;
        }
        let own = Self { folder };
        let said = own.run("start", &[]);
        Some((own, said.trim().to_owned()))
    }

    /// One that follows this one.
    fn beside(primary: &Self) -> Self {
        let own =
            Self { folder: std::env::temp_dir().join(format!("wpaas-{}", uuid::Uuid::now_v7().simple())) };
        own.run("standby", &[primary.folder.to_str().unwrap()]);
        own
    }

    /// Leaves no room on the disk.
    pub fn fill(&self) {
        let mut filler = std::fs::File::create(self.folder.join("filler")).unwrap();
        let full = std::io::copy(&mut std::io::repeat(1), &mut filler).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }

    pub fn make_room(&self) {
        std::fs::remove_file(self.folder.join("filler")).unwrap();
    }

    pub fn run(&self, what: &str, more: &[&str]) -> String {
        let output = self.may_fail(what, more);
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn may_fail(&self, what: &str, more: &[&str]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres");
        let mut command = Command::new(script);
        command.arg(what).arg(&self.folder).args(more).env("WPAAS_POSTGRES_OPTIONS", "-c fsync=off");
        command.output().unwrap()
    }

    /// Copies the stopped database's files, or puts them back.
    pub fn copy(&self, from: &str, to: &str) {
        let to = self.folder.join(to);
        let _absent = std::fs::remove_dir_all(&to);
        let done = Command::new("cp").arg("-a").arg(self.folder.join(from)).arg(to).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.run("stop", &[]);
        }
        let _none = Command::new("umount").arg("--lazy").arg(&self.folder).output();
        let _left = std::fs::remove_dir_all(&self.folder);
    }
}

/// Two that follow each other, at one address that can be moved from the one to the other.
pub struct Pair {
    primary: Own,
    standby: Own,
    address: PathBuf,
}

impl Pair {
    pub fn start() -> Option<(Self, String)> {
        let (primary, server) = Own::new()?;
        let standby = Own::beside(&primary);
        let address = primary.folder.with_extension("at");
        std::os::unix::fs::symlink(&primary.folder, &address).unwrap();
        let server = server.replace(primary.folder.to_str().unwrap(), address.to_str().unwrap());
        Some((Self { primary, standby, address }, server))
    }

    /// What is committed from now on is lost with the primary.
    pub fn cut(&self) {
        let waits = |many: &str, sql: &str| {
            let began = Instant::now();
            while self.primary.run("sql", &[sql]).trim() != many {
                assert!(began.elapsed() < Duration::from_secs(60), "still not {many}: {sql}");
            }
        };
        waits("1", "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()");
        self.standby.run("sql", &["ALTER SYSTEM SET primary_conninfo = ''"]);
        self.standby.run("sql", &["SELECT pg_reload_conf()"]);
        waits("0", "SELECT count(*) FROM pg_stat_replication");
    }

    pub fn fail_over(&self) {
        self.primary.run("kill", &[]);
        self.standby.run("promote", &[]);
        std::fs::remove_file(&self.address).unwrap();
        std::os::unix::fs::symlink(&self.standby.folder, &self.address).unwrap();
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _left = std::fs::remove_file(&self.address);
    }
}
