use proptest::prelude::*;

use super::*;

fn policy() -> CodePolicy {
    CodePolicy {
        allowed_prefixes: vec![
            "http://127.0.0.1:8099/".into(),
            "https://git.internal/team/".into(),
            "ssh://git@10.0.0.7/srv/".into(),
        ],
        allowed_endpoints: vec!["http://127.0.0.1:9000".into()],
        server_buckets: vec!["ours".into()],
    }
}

fn git(url: &str) -> Result<GitUrl, CodeProblem> {
    GitUrl::parse(url, &policy())
}

fn plain(text: &str) -> Result<Code, String> {
    parse_plain(text, &policy()).map_err(|invalid| invalid.to_string())
}

fn bucket(bucket: &str, key: Option<&str>) -> Code {
    Code::S3(S3Code { bucket: bucket.into(), key: key.map(Into::into), endpoint: None, region: None })
}

#[test]
fn the_plain_form_tells_git_from_s3() {
    let repository = |url: &str| Code::Git(GitCode { url: url.into(), reference: None, path: None });
    for url in ["https://example.com/a/b.git", "ssh://git@example.com:2222/a.git", "git@example.com:a/b.git"]
    {
        assert_eq!(plain(url), Ok(repository(url)));
    }
    assert_eq!(plain("s3://my-bucket/site/a.zip"), Ok(bucket("my-bucket", Some("site/a.zip"))));
    assert_eq!(plain("s3://my-bucket/site/"), Ok(bucket("my-bucket", Some("site/"))));
    assert_eq!(plain("s3://my-bucket/"), Ok(bucket("my-bucket", None)));
    assert_eq!(plain("my-bucket"), Ok(bucket("my-bucket", None)));
}

#[test]
fn what_is_refused_in_the_plain_form_says_why() {
    for (text, why) in [
        ("", "code: must not be empty"),
        ("-bucket", "code: must not begin with a hyphen"),
        ("--upload-pack=touch /tmp/x", "code: must not begin with a hyphen"),
        ("https://user:secret@example.com/a", "code: must hold no user or password"),
        ("https://token@example.com/a", "code: must hold no user or password"),
        ("https://@example.com/a", "code: must hold no user or password"),
        ("ssh://root@example.com/a", "code: must hold no user or password"),
        ("ssh://git:pw@example.com/a", "code: must hold no user or password"),
        ("s3://KEY:SECRET@bucket/a", "code: must hold no user or password"),
        ("http://example.com/a", "code: http: is not allowed"),
        ("git://example.com/a", "code: git: is not allowed"),
        ("file:///etc/passwd", "code: file: is not allowed"),
        ("ftp://example.com/a", "code: ftp: is not allowed"),
        ("ext::sh", "code: ext: is not allowed"),
        ("fd::17/foo", "code: fd: is not allowed"),
        ("ext::https://example.com/", "code: ext: is not allowed"),
        ("https://example.com/a?token=1", "code: must have no query"),
        ("https://example.com/a#x", "code: must have no query"),
        ("https://exa mple.com/a", "code: must be a plain URL"),
        ("https://example.com\\@evil/a", "code: must be a plain URL"),
        ("https://example.com/a\nb", "code: must hold no control characters"),
        ("https://example.com/%0a", "code: must be a plain URL"),
        ("https://example.com/a%2f..%2fb", "code: must be a plain URL"),
        ("https://example.com./a", "code: must name a host"),
        ("https:///a", "code: must name a host"),
        ("ssh://-oProxyCommand=x/a", "code: must name a host"),
        ("git@-oProxyCommand=x:a", "code: must name a host"),
        ("git@example.com:-x", "code: must not begin with a hyphen"),
        ("git@example.com:../a", "code: must be a plain URL"),
        ("git@example.com", "code: must be a git URL"),
        ("https://example.com:0/a", "code: must not have port 0"),
        ("Bucket", "code: must be a bucket's name"),
        ("/etc/passwd", "code: must be a bucket's name"),
        ("192.168.0.1", "code: must be a bucket's name"),
        ("a..b", "code: must be a bucket's name"),
        ("s3://bucket/../x", "code: must be an object's key"),
    ] {
        match plain(text) {
            Err(error) => assert!(error.starts_with(why), "{text:?}: {error}"),
            Ok(code) => panic!("{text:?} was taken as {code:?}"),
        }
    }
}

#[test]
fn an_allowed_prefix_admits_what_is_below_it_and_nothing_else() {
    for good in ["http://127.0.0.1:8099/", "http://127.0.0.1:8099/a.git", "https://git.internal/team/a"] {
        assert!(git(good).unwrap().allowed_by_prefix, "{good}");
    }
    assert!(git("git@10.0.0.7:/srv/a.git").unwrap().allowed_by_prefix);
    assert!(!git("git@10.0.0.7:srv/a.git").unwrap().allowed_by_prefix, "that one is below the user's home");
    for bad in [
        "http://127.0.0.1:8099@evil/",
        "https://127.0.0.1:8099/a",
        "http://127.0.0.1:80999/",
        "http://127.0.0.1:8099",
        "http://127.0.0.1/",
        "http://127.0.0.2:8099/",
        "http://127.0.0.1:8099.evil/",
        "http://evil/http://127.0.0.1:8099/",
        "http://git.internal/team/a",
        "https://git.internal/team",
        "https://git.internal/team/../other/a",
        "https://git.internal/team/%2e%2e/other/a",
        "https://git.internal/team/..%2fother/a",
        "https://git.internal/teamx/a",
        "https://git.internal.evil/team/a",
        "ssh://git@10.0.0.7/srv/../etc",
    ] {
        let admitted =
            git(bad).is_ok_and(|url| url.allowed_by_prefix && url.text != "http://127.0.0.1:8099/");
        assert!(!admitted, "{bad}");
    }
    let without_slash =
        CodePolicy { allowed_prefixes: vec!["http://a.example".into()], ..CodePolicy::default() };
    assert!(without_slash.check().unwrap_err().to_string().contains("must be a URL that ends in /"));
    assert!(GitUrl::parse("http://a.example.evil/", &without_slash).is_err());
}

#[test]
fn git_gets_the_url_as_we_understood_it() {
    assert_eq!(git("https://EXAMPLE.com:443/a/../b").unwrap().text, "https://example.com/b");
    let numeric = git("https://0x7f.1/a").unwrap();
    assert_eq!((numeric.host.as_str(), numeric.text.as_str()), ("127.0.0.1", "https://127.0.0.1/a"));
    let six = git("https://[::1]:8443/a").unwrap();
    assert_eq!((six.host.as_str(), six.port), ("::1", 8443));
    assert_eq!(git("ssh://127.1/a"), Err(CodeProblem::Host), "libc would read it as 127.0.0.1");
}

#[test]
fn the_structured_form_names_the_field() {
    let on_git = || CodeRequest { git: Some("https://example.com/a".into()), ..CodeRequest::default() };
    let on_s3 = || CodeRequest { s3: Some("bucket".into()), ..CodeRequest::default() };
    let text = |text: &str| Some(text.to_owned());
    for (request, why) in [
        (CodeRequest::default(), "code: must have git (a URL) or s3"),
        (CodeRequest { s3: text("b"), ..on_git() }, "code: must have either git or s3"),
        (
            CodeRequest { git: text("ext::sh -c id"), ..CodeRequest::default() },
            "code.git: must be a plain URL",
        ),
        (CodeRequest { reference: text("-x"), ..on_git() }, "code.ref: must not begin with a hyphen"),
        (CodeRequest { reference: text("a..b"), ..on_git() }, "code.ref: must be a branch"),
        (CodeRequest { path: text("../x"), ..on_git() }, "code.path: must be a folder"),
        (CodeRequest { path: text("/x"), ..on_git() }, "code.path: must be a folder"),
        (CodeRequest { path: text("a/.git"), ..on_git() }, "code.path: must be a folder"),
        (CodeRequest { key: text("k"), ..on_git() }, "code.key: goes with code.s3 only"),
        (CodeRequest { s3: text("B"), ..CodeRequest::default() }, "code.s3: must be a bucket's name"),
        (CodeRequest { path: text("x"), ..on_s3() }, "code.path: goes with code.git only"),
        (CodeRequest { endpoint: text("http://169.254.169.254"), ..on_s3() }, "code.endpoint: is not an"),
        (CodeRequest { endpoint: text("http://127.0.0.1:9000@evil"), ..on_s3() }, "code.endpoint: is not an"),
        (CodeRequest { region: text("evil.example/"), ..on_s3() }, "code.region: must be a region's name"),
    ] {
        let error = request.clone().parse(&policy()).unwrap_err().to_string();
        assert!(error.starts_with(why), "{request:?}: {error}");
    }
    let code =
        CodeRequest { endpoint: text("http://127.0.0.1:9000/"), region: text("eu-central-1"), ..on_s3() };
    let code = code.parse(&policy()).unwrap();
    assert!(recheck(&code, &policy()).is_ok());
    assert_eq!(recheck(&code, &CodePolicy::default()).unwrap_err().field, CodeField::Endpoint);
}

#[cfg(feature = "git")]
#[test]
fn ref_names_are_gits() {
    let ours = |name: &str| ref_name::check(name).is_ok();
    let names = [
        "main",
        "feature/a",
        "v1.0",
        "a.lock",
        "a.lock/b",
        ".a",
        "a/.b",
        "a..b",
        "a.",
        "/a",
        "a/",
        "a//b",
        "a b",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[b",
        "a\\b",
        "@",
        "a@{1",
        "a@b",
        "HEAD",
        "refs/heads/x",
        "é",
        "a\u{7f}",
    ];
    for name in names {
        let mut git = std::process::Command::new("git");
        let gits = git.args(["check-ref-format", "--allow-onelevel", name]).status().unwrap().success();
        assert_eq!(ours(name), gits, "{name:?}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics_and_never_lets_a_hyphen_or_a_control_character_through(text in ".{0,60}") {
        if let Ok(code) = parse_plain(&text, &policy()) {
            let whole = format!("{code:?}");
            prop_assert!(!text.starts_with('-') && !text.chars().any(char::is_control), "{whole}");
        }
    }

    #[test]
    fn a_url_that_is_taken_is_of_an_allowed_scheme(
        scheme in "[a-z]{2,5}", user in "([a-z]{0,3}(:[a-z]{0,2})?@)?", rest in "[a-z0-9.:/@%-]{1,30}",
    ) {
        if let Ok(url) = git(&format!("{scheme}://{user}{rest}")) {
            let open = matches!(url.transport, Transport::Https | Transport::Ssh);
            prop_assert!(open || url.allowed_by_prefix);
            let again = git(&url.text).unwrap();
            prop_assert_eq!(again, url, "what is handed on means the same when read again");
        }
    }

    #[test]
    fn no_suffix_leads_out_of_a_prefix(suffix in "[a-z0-9.:/@%\\\\-]{0,30}") {
        if let Ok(url) = git(&format!("http://127.0.0.1:8099{suffix}")) {
            prop_assert_eq!((url.host.as_str(), url.port), ("127.0.0.1", 8099));
        }
    }
}
