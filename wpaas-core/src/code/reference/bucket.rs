use std::net::Ipv4Addr;

use super::{CodeProblem, text};

/// The rules that S3 has for the names of buckets.
pub(super) fn check_name(name: &str) -> Result<(), CodeProblem> {
    text::check(name, 255)?;
    if name.contains('@') {
        return Err(CodeProblem::UserOrPassword);
    }
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = name.bytes().next().is_some_and(plain) && name.bytes().last().is_some_and(plain);
    let all = name.bytes().all(|b| plain(b) || b == b'.' || b == b'-');
    let misleading = name.contains("..") || name.parse::<Ipv4Addr>().is_ok();
    if (3..=63).contains(&name.len()) && ends && all && !misleading {
        Ok(())
    } else {
        Err(CodeProblem::BucketName)
    }
}

/// A key that no server or proxy on the way could take for another one.
pub(super) fn check_key(key: &str) -> Result<(), CodeProblem> {
    text::check(key, 1024)?;
    if key.contains('\\') || key.split('/').any(text::is_dots) {
        return Err(CodeProblem::Key);
    }
    Ok(())
}

/// A region becomes part of a host's name.
pub(super) fn check_region(region: &str) -> Result<(), CodeProblem> {
    text::check(region, 255)?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if region.len() <= 32 && region.bytes().all(plain) { Ok(()) } else { Err(CodeProblem::Region) }
}
