//! What customers write about their code: what gets through is safe to give to git, and gets through again.

use wpaas_core::code::reference::{CodePolicy, CodeRequest, GitUrl, Transport, parse_plain, recheck};
use wpaas_core::code::{Code, GitCode, S3Code};

fn is_safe(code: &Code, policy: &CodePolicy) {
    recheck(code, policy).unwrap_or_else(|error| panic!("{code:?} does not get through again: {error}"));
    let Code::Git(GitCode { url, reference, path }) = code else {
        let Code::S3(S3Code { bucket, key, endpoint, region }) = code else { return };
        let texts = [Some(bucket), key.as_ref(), endpoint.as_ref(), region.as_ref()];
        return assert!(texts.into_iter().flatten().all(|text| !text.contains('\0')), "{code:?}");
    };
    for text in [Some(url), reference.as_ref(), path.as_ref()].into_iter().flatten() {
        assert!(!text.starts_with('-'), "an option of git: {code:?}");
        assert!(!text.contains(char::is_control), "{code:?}");
    }
    // What git is given.
    let read = GitUrl::parse(url, policy).unwrap();
    let scheme = read.text.split_once("://").map_or("ssh", |(scheme, _)| scheme);
    assert_eq!(scheme, read.transport.as_str(), "{code:?}");
    assert!(matches!(read.transport, Transport::Https | Transport::Ssh), "{code:?}");
    assert!(!read.text.starts_with('-') && !read.text.contains(char::is_whitespace), "{code:?}");
    assert_eq!(GitUrl::parse(&read.text, policy).as_ref(), Ok(&read), "{code:?} is read otherwise again");
    let climbs = path.iter().flat_map(|path| path.split('/')).any(|folder| folder == "..");
    assert!(!climbs, "{code:?}");
}

/// Panics where the target does not keep it.
pub fn keeps(text: &str) {
    let policy = CodePolicy::default();
    if let Ok(code) = parse_plain(text, &policy) {
        is_safe(&code, &policy);
    }
    let mut fields = text.split('\n').map(|field| Some(field.to_owned()).filter(|field| !field.is_empty()));
    let mut field = || fields.next().flatten();
    let request = CodeRequest {
        git: field(),
        reference: field(),
        path: field(),
        s3: field(),
        key: field(),
        endpoint: field(),
        region: field(),
    };
    if let Ok(code) = request.parse(&policy) {
        is_safe(&code, &policy);
    }
}
