//! The names that were published last, in a file of the data folder. A store that is put back may not know of them.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;

use wpaas_core::fleet::Names;

use super::replace_file;

/// What was published before this process began; without a file that can be read, nothing.
pub(super) fn load(file: &Path) -> Names {
    let names = std::fs::read(file).and_then(|text| serde_json::from_slice(&text).map_err(Error::from));
    names.unwrap_or_else(|error| {
        if error.kind() != ErrorKind::NotFound {
            tracing::warn!(file = %file.display(), %error, "the names that were published before can't be read");
        }
        Names::default()
    })
}

pub(super) fn save(file: &Path, names: &Names) -> Result<()> {
    replace_file(file, &serde_json::to_string(names)?)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use wpaas_core::fleet::{Said, SitePlace};
    use wpaas_core::id::SiteId;

    use super::*;

    #[test]
    fn what_is_saved_is_there_after_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("names.json");
        assert_eq!(load(&file), Names::default());
        let ip = IpAddr::from([10, 208, 0, 2]);
        let platform = vec!["blog.acm.www.wpaas.localhost".parse().unwrap()];
        let place = SitePlace { platform, domains: Vec::new(), gateway: ip, public: ip, shared: true };
        let mut names = Names::default();
        names.hear(SiteId::new(), Said::At(3, place), None);
        save(&file, &names).unwrap();
        assert_eq!(load(&file), names);
        std::fs::write(&file, "{").unwrap();
        assert_eq!(load(&file), Names::default());
    }
}
