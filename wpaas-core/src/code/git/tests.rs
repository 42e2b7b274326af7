use std::fs;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::*;

mod bench;
mod server;

use bench::{Bench, code};
use server::{Event, Manner, Server};

/// A repository served over HTTP, which the operator allowed.
fn served(manner: Manner) -> (Bench, Server, String) {
    let mut bench = Bench::new();
    let server = Server::start(bench.root(), manner);
    bench.allow(server.url(""));
    let url = server.url("site/.git");
    (bench, server, url)
}

#[tokio::test]
async fn a_branch_a_tag_a_commit_and_the_default_over_two_transports() {
    let (bench, _server, http) = served(Manner::Serve);
    let first = bench.git(&["rev-parse", "HEAD"]);
    bench.git(&["tag", "--annotate", "--message=x", "v1"]);
    bench.commit(&[("plugins/b.php", "<?php // 2")]);
    bench.git(&["checkout", "--quiet", "-b", "feature/x"]);
    let third = bench.commit(&[("plugins/b.php", "<?php // 3")]);
    bench.git(&["checkout", "--quiet", "main"]);
    let second = bench.commit(&[("plugins/c.php", "")]);
    let file = format!("file://{}/site", bench.root().display());
    for url in [http.as_str(), &file] {
        for (reference, commit) in [
            (None, &second),
            (Some("main"), &second),
            (Some("refs/heads/main"), &second),
            (Some("v1"), &first),
            (Some("feature/x"), &third),
            (Some(first.as_str()), &first),
            (Some(&third.to_uppercase()), &third),
        ] {
            let made = bench.make(url, reference).await.unwrap();
            assert_eq!(&made.revision, commit, "{url} {reference:?}");
        }
    }
    let over_http = bench.make(&http, Some("main")).await.unwrap();
    let files = bench.files(&over_http.digest).await;
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["plugins/b.php", "plugins/c.php", "themes/a/style.css"]);
    assert_eq!(over_http, bench.make(&file, Some("main")).await.unwrap());
}

#[tokio::test]
async fn a_branch_that_moved_is_another_release() {
    let (bench, _server, url) = served(Manner::Serve);
    let before = bench.make(&url, Some("main")).await.unwrap();
    assert_eq!(before, bench.make(&url, Some("main")).await.unwrap());
    fs::write(bench.site().join("themes/a/style.css"), "other").unwrap();
    bench.git(&["commit", "--quiet", "--all", "--amend", "--message=y"]);
    let moved = bench.publish();
    let after = bench.make(&url, Some("main")).await.unwrap();
    assert_eq!(after.revision, moved);
    assert_ne!(after.digest, before.digest);
    assert_eq!(bench.files(&before.digest).await[0].1, "/* Theme Name: A */", "the old one is still kept");
}

#[tokio::test]
async fn a_folder_of_the_repository() {
    let (bench, _server, url) = served(Manner::Serve);
    let commit = bench.commit(&[("web/site one/plugins/x.php", "<?php")]);
    let in_folder =
        |path: &str| Code::Git(GitCode { url: url.clone(), reference: None, path: Some(path.to_owned()) });
    let made = bench.make_code(&in_folder("web/site one"), None).await.unwrap();
    assert_eq!(bench.files(&made.digest).await, [("plugins/x.php".to_owned(), "<?php".to_owned())]);
    for path in ["nope", "themes/a/style.css"] {
        let error = bench.make_code(&in_folder(path), None).await.unwrap_err().to_string();
        let expected = format!("code.path: there is no folder {path:?} in the commit {}", &commit[..12]);
        assert_eq!(error, expected);
    }
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let (bench, server, url) = served(Manner::Serve);
    bench.git(&["tag", "v1"]);
    bench.publish();
    assert_eq!(
        bench.refusal(&url, Some("nope")).await,
        "code.ref: there is no branch, tag or commit \"nope\"; branches: main; tags: v1"
    );
    let absent = "0123456789".repeat(4);
    let error = bench.refusal(&url, Some(&absent)).await;
    assert!(error.starts_with("code.ref: there is no branch, tag or commit"), "{error}");
    let nowhere = server.url("nope.git");
    assert_eq!(
        bench.refusal(&nowhere, None).await,
        format!("code.git: there is no git repository at {nowhere}")
    );
}

#[tokio::test]
async fn what_could_run_or_read_something_here_is_refused() {
    let bench = Bench::new();
    let marker = bench.root().join("marker");
    let touch = format!("touch%20{}", marker.display());
    for (url, why) in [
        (format!("ext::sh -c touch {}", marker.display()), "must be a plain URL"),
        (format!("ext::sh%20-c%20{touch}"), "ext: is not allowed"),
        ("file:///etc/".to_owned(), "file: is not allowed"),
        ("/etc".to_owned(), "must be a git URL"),
        ("http://example.com/a".to_owned(), "http: is not allowed"),
        (format!("--upload-pack=touch%20{}", marker.display()), "must not begin with a hyphen"),
        ("ssh://-oProxyCommand=touch/x".to_owned(), "must name a host"),
    ] {
        let error = bench.refusal(&url, None).await;
        assert!(error.starts_with("code.git: ") && error.contains(why), "{url}: {error}");
    }
    let file = format!("file://{}/site", bench.root().display());
    let option = format!("--upload-pack=touch {}", marker.display());
    let error = bench.refusal(&file, Some(&option)).await;
    assert!(error.starts_with("code.ref: must not begin with a hyphen"), "{error}");
    assert!(!marker.exists());
}

#[derive(Debug)]
struct Name(&'static str, IpAddr);

#[async_trait]
impl Resolve for Name {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        if host == self.0 { Ok(vec![self.1]) } else { Err(std::io::ErrorKind::NotFound.into()) }
    }
}

#[tokio::test]
async fn private_addresses_are_refused_before_anything_is_sent() {
    let mut bench = Bench::new();
    let server = Server::start(bench.root(), Manner::Serve);
    let rebound = Name("code.example.com", "127.0.0.1".parse().unwrap());
    bench.maker.git = Some(Arc::new(bench.source().with_resolver(Arc::new(rebound))));
    for host in ["127.0.0.1", "0x7f.1", "[::ffff:127.0.0.1]", "169.254.169.254", "code.example.com"] {
        let url = server.url_of(host, "site/.git").replace("http:", "https:");
        let error = bench.refusal(&url, None).await;
        assert!(error.contains("not on the public internet"), "{host}: {error}");
    }
    let url = server.url_of("other.example.com", "site").replace("http:", "https:");
    assert_eq!(bench.refusal(&url, None).await, "the host other.example.com can't be found");
    assert_eq!(server.events(), []);
}

#[tokio::test]
async fn git_goes_to_the_address_that_was_checked() {
    let mut bench = Bench::new();
    let server = Server::start(bench.root(), Manner::Serve);
    // No other resolver knows this name: git gets there by what it is told, or not at all.
    let url = server.url_of("code.wpaas-test.invalid", "site/.git");
    bench.allow(server.url_of("code.wpaas-test.invalid", ""));
    let name = Name("code.wpaas-test.invalid", "127.0.0.1".parse().unwrap());
    bench.maker.git = Some(Arc::new(bench.source().with_resolver(Arc::new(name))));
    bench.make(&url, None).await.unwrap();
}

#[tokio::test]
async fn redirects_and_alternates_lead_nowhere() {
    let other_bench = Bench::new();
    let other = Server::start(other_bench.root(), Manner::Serve);
    let (bench, _server, url) = served(Manner::Redirect(other.url("")));
    let error = bench.refusal(&url, None).await;
    assert_eq!(error, "code.git: the URL redirects elsewhere: give the final one");
    let (bench, server, url) = served(Manner::Serve);
    let info = bench.site().join(".git/objects/info");
    for file in ["http-alternates", "alternates"] {
        fs::write(info.join(file), format!("{}\n", other.url("site/.git/objects"))).unwrap();
    }
    let object = bench.git(&["rev-parse", "HEAD:themes/a/style.css"]);
    fs::remove_file(bench.site().join(".git/objects").join(&object[..2]).join(&object[2..])).unwrap();
    let error = bench.refusal(&url, None).await;
    assert!(error.starts_with("fetching from 127.0.0.1 failed"), "{error}");
    let asked = Event::Asked("site/.git/objects/info/http-alternates".into());
    assert!(server.events().contains(&asked), "git did look for other places");
    assert_eq!(other.events(), []);
}

#[tokio::test]
async fn a_token_is_shown_to_the_server_that_asks() {
    // me:s3cret
    let (bench, _server, url) = served(Manner::Ask("Basic bWU6czNjcmV0".into()));
    let code = code(&url, None);
    bench.make_code(&code, Some("me:s3cret")).await.unwrap();
    for wrong in [None, Some("me:other")] {
        let error = bench.make_code(&code, wrong).await.unwrap_err().to_string();
        assert!(error.starts_with("code.git: 127.0.0.1 wants a credential, or another one"), "{error}");
        assert!(!error.contains("other:") && !error.contains("me:"), "{error}");
    }
}

#[tokio::test]
async fn a_fetch_that_is_cut_in_the_middle() {
    let bench = Bench::new();
    let (hash, file) = (bench.git(&["rev-parse", "HEAD:themes/a/style.css"]), "objects/");
    assert_eq!(hash.len(), 40);
    for part in [file, "info/refs"] {
        let (bench, _server, url) = served(Manner::Cut(part));
        let error = bench.make(&url, None).await.unwrap_err();
        assert!(matches!(error, CodeError::Unavailable(_)), "{part}: {error}");
        assert!(error.to_string().contains("127.0.0.1"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_after_the_time_given() {
    let (mut bench, server, url) = served(Manner::Hang);
    bench.maker.limits.time = Duration::from_secs(1);
    let error = bench.make(&url, None).await.unwrap_err();
    assert!(matches!(error, CodeError::Unavailable(_)), "{error}");
    assert_eq!(error.to_string(), "fetching the code took longer than 1 s");
    assert!(matches!(server.next(), Event::Asked(_)));
    assert_eq!(server.next(), Event::Gone, "git itself has ended too");
}

#[tokio::test]
async fn dropping_the_work_ends_git_and_leaves_nothing() {
    let (mut bench, server, url) = served(Manner::Hang);
    bench.maker.git = Some(Arc::new(bench.source()));
    let maker = bench.maker.clone();
    let task =
        tokio::spawn(async move { maker.make(&code(&url, None), None).await.map(|made| made.revision) });
    let server = tokio::task::spawn_blocking(move || {
        assert!(matches!(server.next(), Event::Asked(_)));
        server
    });
    let server = server.await.unwrap();
    assert!(!bench.is_clean());
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(server.next(), Event::Gone);
    bench.assert_clean();
}

#[tokio::test]
async fn a_flood_is_stopped_at_the_limit() {
    for part in ["objects/", "info/refs"] {
        let (mut bench, server, url) = served(Manner::Flood(part));
        bench.maker.limits.time = Duration::from_secs(600);
        let error = bench.make(&url, None).await.unwrap_err();
        assert_eq!(error.to_string(), "the code is larger than 4194304 bytes", "{part}");
        while server.next() != Event::Gone {}
    }
}

#[tokio::test]
async fn too_much_code_is_refused() {
    let (mut bench, _server, url) = served(Manner::Serve);
    bench.commit(&[("themes/a/big", &"\0".repeat(5 << 20))]);
    assert_eq!(bench.refusal(&url, None).await, "the code is larger than 4194304 bytes");
    bench.git(&["rm", "--quiet", "themes/a/big"]);
    bench.commit(&[("a", ""), ("b", "")]);
    bench.maker.limits.entries = 2;
    assert_eq!(bench.refusal(&url, None).await, "the code has more than 2 files and folders");
}

#[tokio::test]
async fn a_repository_can_not_bring_along_what_acts() {
    let (bench, _server, url) = served(Manner::Serve);
    let content = "a\n$Id$\n";
    let attributes = "plugins/* text eol=crlf ident filter=lfs export-subst working-tree-encoding=UTF-16LE-BOM\n\
                      plugins/b.php export-ignore\n";
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    bench.git(&["config", "core.autocrlf", "false"]);
    let files = [("plugins/a.php", content), ("plugins/b.php", "b"), ("plugins/c.bin", pointer)];
    bench.commit(&files);
    bench.commit(&[(".lfsconfig", "[lfs]\nurl=http://127.0.0.1:1/\n")]);
    fs::write(bench.site().join(".gitattributes"), attributes).unwrap();
    bench.git(&["add", ".gitattributes"]);
    bench.git(&["commit", "--quiet", "--message=x"]);
    bench.publish();
    let made = bench.make(&url, None).await.unwrap();
    let kept = bench.files(&made.digest).await;
    for (path, content) in files {
        assert!(kept.contains(&(path.to_owned(), content.to_owned())), "{path}: {kept:?}");
    }
}

#[tokio::test]
async fn links_are_copied_or_refused_and_submodules_refused() {
    let (bench, _server, url) = served(Manner::Serve);
    std::os::unix::fs::symlink("a/style.css", bench.site().join("themes/link.css")).unwrap();
    let commit = bench.commit(&[]);
    let made = bench.make(&url, None).await.unwrap();
    let copied = ("themes/link.css".to_owned(), "/* Theme Name: A */".to_owned());
    assert!(bench.files(&made.digest).await.contains(&copied));
    std::os::unix::fs::symlink("/etc/passwd", bench.site().join("themes/out.css")).unwrap();
    bench.commit(&[]);
    assert_eq!(
        bench.refusal(&url, None).await,
        "the link \"themes/out.css\" leads out of the code, to \"/etc/passwd\""
    );
    bench.git(&["rm", "--quiet", "themes/out.css"]);
    bench.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},plugins/sub")]);
    bench.git(&["commit", "--quiet", "--message=x"]);
    bench.publish();
    let error = bench.refusal(&url, None).await;
    assert!(error.starts_with("the entry \"plugins/sub\" is a submodule, which is not fetched"), "{error}");
}

#[tokio::test]
async fn hostile_names_in_a_tree_are_refused() {
    let (bench, _server, url) = served(Manner::Serve);
    let blob = bench.git_with(&["hash-object", "-w", "--stdin"], b"x");
    for (name, why) in [
        (&b"../../../../evil"[..], "leads out of the archive"),
        (b"..", "leads out of the archive"),
        (b"/evil", "its path is absolute"),
        (b"a\\b", "its name has a backslash"),
        (b"a\nb", "its name has control characters"),
        (b"\xff", "not UTF-8"),
    ] {
        let id = hex::decode(&blob).unwrap();
        let tree = [&b"100644 "[..], name, b"\0", &id].concat();
        let tree = bench.git_with(&["hash-object", "-w", "-t", "tree", "--literally", "--stdin"], &tree);
        let commit = bench.git(&["commit-tree", "-m", "x", &tree]);
        bench.git(&["update-ref", "refs/heads/evil", &commit]);
        bench.publish();
        let error = bench.refusal(&url, Some("evil")).await;
        assert!(error.contains(why), "{}: {error}", String::from_utf8_lossy(name));
    }
}

#[tokio::test]
async fn ssh_needs_a_key_and_known_hosts() {
    let bench = Bench::new();
    let ssh = code("git@1.1.1.1:a/b.git", None);
    let error = bench.make_code(&ssh, Some("token")).await.unwrap_err().to_string();
    assert_eq!(error, "code.credential: an ssh address needs an SSH private key");
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n";
    let error = bench.make_code(&ssh, Some(key)).await.unwrap_err().to_string();
    assert!(error.contains("this server knows the keys of no SSH servers"), "{error}");
}

#[tokio::test]
async fn a_missing_git_is_this_servers_fault() {
    let mut bench = Bench::new();
    bench.maker.git = Some(Arc::new(bench.source().with_program("/nonexistent/git".into())));
    let error = bench.make(&format!("file://{}/site", bench.root().display()), None).await.unwrap_err();
    assert!(matches!(&error, CodeError::Unavailable(why) if why == "this server has no git"), "{error:?}");
}

/// Whoever ended the server before it could end its git: that ends by itself.
#[tokio::test]
async fn what_a_killed_server_left_running_ends_by_itself() {
    let has_timeout = std::process::Command::new("timeout").arg("--version").output().is_ok();
    if !has_timeout {
        println!("skipped: there is no program `timeout`");
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let limits = Limits { time: Duration::ZERO, ..Limits::default() };
    let git = Git::local("git".as_ref(), work.path(), &limits);
    let mut left = git.command(&["-c", "alias.hang=!sleep 600", "hang"]).spawn().unwrap();
    let ended = tokio::task::spawn_blocking(move || left.wait()).await.unwrap().unwrap();
    assert!(!ended.success(), "{ended}");
}
