use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use url::Url;

use super::command::Git;
use super::remote::quoted;
use crate::code::CodeError;
use crate::code::reference::{GitUrl, Transport};
use crate::secret::Secret;

/// The user for a token that comes without one; most services look at the token only.
const USER: &str = "x-access-token";

/// The file of an ssh key, in the work folder.
pub(super) const KEY: &str = "key";

/// Puts the secret into a file of mode 0600 in the work folder, where git or ssh finds it. It is never in an
/// argument or the environment, and is given to no other host than the URL's.
pub(super) fn give(git: Git, url: &GitUrl, credential: Option<&Secret>) -> Result<Git, CodeError> {
    let secret = credential.map(Secret::expose);
    let is_key = secret.is_some_and(|text| text.trim_start().starts_with("-----BEGIN "));
    match (url.transport, secret) {
        (Transport::Ssh, Some(key)) if is_key => {
            write(&git.work().join(KEY), &format!("{}\n", key.trim()))?;
            Ok(git)
        }
        (Transport::Ssh, _) => refuse("an ssh address needs an SSH private key"),
        (Transport::Https | Transport::Http, Some(_)) if is_key => {
            refuse("an SSH key is of no use for an https address; a token is needed")
        }
        (Transport::Https | Transport::Http, Some(token)) => give_token(git, url, token),
        (Transport::Git | Transport::File, Some(_)) => refuse("an address of this kind takes none"),
        (_, None) => Ok(git),
    }
}

fn give_token(git: Git, url: &GitUrl, token: &str) -> Result<Git, CodeError> {
    let token = token.trim();
    if token.is_empty() || token.chars().any(char::is_control) {
        return refuse("a token is one line of text: TOKEN or USER:TOKEN");
    }
    let (user, password) = token.split_once(':').unwrap_or((USER, token));
    let Some(line) = line(&url.text, user, password) else { return refuse("it can't be used for this URL") };
    let file = git.work().join("token");
    write(&file, &line)?;
    Ok(git.with_config(format!("credential.helper=store --file={}", quoted(&file)?)))
}

/// In the form of `git credential-store`: for one host and port.
fn line(url: &str, user: &str, password: &str) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    url.set_path("");
    url.set_username(user).ok()?;
    url.set_password(Some(password)).ok()?;
    Some(format!("{}\n", url.as_str().trim_end_matches('/')))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn refuse<T>(why: &str) -> Result<T, CodeError> {
    Err(CodeError::Refused(format!("code.credential: {why}")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::code::Limits;
    use crate::code::reference::CodePolicy;

    fn given(url: &str, secret: Option<&str>) -> Result<Vec<(String, String)>, String> {
        let work = tempfile::tempdir().unwrap();
        let git = Git::local(Path::new("git"), work.path(), &Limits::default());
        let url = GitUrl::parse(url, &CodePolicy::default()).unwrap();
        let secret = secret.map(|text| Secret::new(text.to_owned()));
        let git = give(git, &url, secret.as_ref()).map_err(|error| error.to_string())?;
        let command = format!("{:?}", git.command(&["fetch"]));
        let files = std::fs::read_dir(work.path()).unwrap().map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            let content = std::fs::read_to_string(entry.path()).unwrap();
            assert!(!command.contains("hunter2"), "{command}");
            (entry.file_name().into_string().unwrap(), content)
        });
        Ok(files.collect())
    }

    #[test]
    fn a_secret_is_in_a_file_for_one_host_and_nowhere_else() {
        let file = |name: &str, text: &str| Ok(vec![(name.to_owned(), text.to_owned())]);
        assert_eq!(
            given("https://example.com:8443/a/b", Some("hunter2\n")),
            file("token", "https://x-access-token:hunter2@example.com:8443\n")
        );
        assert_eq!(
            given("https://example.com/a", Some("me:hunter2@/:")),
            file("token", "https://me:hunter2%40%2F%3A@example.com\n")
        );
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----";
        assert_eq!(given("git@example.com:a", Some(key)), file("key", &format!("{key}\n")));
        assert_eq!(given("https://example.com/a", None), Ok(vec![]));
    }

    #[test]
    fn a_secret_of_the_wrong_kind_is_refused_without_being_told() {
        for (url, secret, why) in [
            ("git@example.com:a", None, "needs an SSH private key"),
            ("git@example.com:a", Some("hunter2"), "needs an SSH private key"),
            ("https://example.com/a", Some("-----BEGIN OPENSSH hunter2"), "a token is needed"),
            ("https://example.com/a", Some("hunter2\nhost=evil"), "one line of text"),
            ("https://example.com/a", Some(" "), "one line of text"),
        ] {
            let error = given(url, secret).unwrap_err();
            assert!(error.starts_with("code.credential: ") && error.contains(why), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
