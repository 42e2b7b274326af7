//! Whole trees of WordPress, as a customer might have them.

use std::path::PathBuf;
use std::process::Command;

use super::docker;
use super::server::{Server, Site};

/// The tree of the image, to be changed.
pub struct Tree {
    work: PathBuf,
}

impl Tree {
    /// Copied from a node of this site.
    pub fn of(server: &Server, site: &Site) -> Self {
        let work = server.path("tree");
        std::fs::create_dir(&work).unwrap();
        let node = Server::container(site, "wordpress-0");
        docker(&["cp", &format!("{node}:/srv/wordpress"), work.to_str().unwrap()]);
        // Debian's one link out of the tree; a customer's tree has a file there.
        let bundle = work.join("wordpress/wp-includes/certificates/ca-bundle.crt");
        std::fs::remove_file(&bundle).unwrap();
        std::fs::write(&bundle, "").unwrap();
        // What a node keeps there for its own cache is no code.
        std::fs::remove_dir_all(work.join("wordpress/wp-content/uploads/.wpaas")).unwrap();
        std::fs::create_dir_all(work.join("wordpress/wp-content/mu-plugins")).unwrap();
        Self { work }
    }

    /// The `db_version` of its WordPress.
    pub fn schema(&self) -> u64 {
        let version = std::fs::read_to_string(self.version()).unwrap();
        let after = version.split("$wp_db_version = ").nth(1).unwrap();
        after.split(';').next().unwrap().trim().parse().unwrap()
    }

    /// Makes its WordPress one of another schema.
    pub fn set_schema(&self, schema: u64) {
        let version = std::fs::read_to_string(self.version()).unwrap();
        let (was, is) = (self.schema(), schema);
        let line = |schema| format!("$wp_db_version = {schema};");
        std::fs::write(self.version(), version.replace(&line(was), &line(is))).unwrap();
        assert_eq!(self.schema(), schema);
    }

    fn version(&self) -> PathBuf {
        self.work.join("wordpress/wp-includes/version.php")
    }

    /// A tar archive of it, whose pages say this.
    pub fn archive(&self, name: &str, marker: &str) -> Vec<u8> {
        self.archive_with(name, marker, "")
    }

    /// The same, with this code, too, in every page.
    pub fn archive_with(&self, name: &str, marker: &str, code: &str) -> Vec<u8> {
        let code = format!("<?php add_action('wp_footer', function () {{ echo '{marker}'; }});\n{code}");
        std::fs::write(self.work.join("wordpress/wp-content/mu-plugins/tree.php"), code).unwrap();
        let archive = self.work.join(format!("{name}.tar.gz"));
        let tar = ["-czf", archive.to_str().unwrap(), "-C", self.work.to_str().unwrap(), "wordpress"];
        assert!(Command::new("tar").args(tar).status().unwrap().success());
        std::fs::read(archive).unwrap()
    }
}
