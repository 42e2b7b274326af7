use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;
use percent_encoding::percent_decode_str;

use super::form::Form;

/// What the SDK sends, as far as the simulator needs it.
#[derive(Debug)]
pub(super) struct Request {
    pub method: String,
    pub host: String,
    /// Decoded, with the slash that it begins with.
    pub path: String,
    pub query: Form,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    pub body: Vec<u8>,
}

impl Request {
    /// Refuses what is not signed.
    pub(super) async fn read(mut request: HttpRequest) -> Result<Self, BoxError> {
        let header = |name: &str| request.headers().get(name).map(str::to_owned);
        header("authorization").ok_or("the request is not signed")?;
        let chunked = header("content-encoding").is_some_and(|encoding| encoding.contains("aws-chunked"));
        let (if_match, if_none_match) = (header("if-match"), header("if-none-match"));
        let (method, uri) = (request.method().to_owned(), request.uri().to_owned());
        let rest = uri.split_once("://").ok_or("the address has no scheme")?.1;
        let (host, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let body = ByteStream::new(request.take_body()).collect().await?.to_vec();
        Ok(Self {
            method,
            host: host.to_owned(),
            path: format!("/{}", percent_decode_str(path).decode_utf8()?),
            query: Form::read(query.as_bytes()),
            if_match,
            if_none_match,
            body: if chunked { unchunked(&body).ok_or("a body breaks off")? } else { body },
        })
    }
}

/// What is in a body of chunks, each behind its length in hex; checksums follow the last, which is empty.
fn unchunked(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n")?;
        let line = std::str::from_utf8(&body[..end]).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?, 16).ok()?;
        if size == 0 {
            return Some(content);
        }
        let from = end + 2;
        content.extend_from_slice(body.get(from..from + size)?);
        body = body.get(from + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_chunks_is_put_together() {
        let body = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n";
        assert_eq!(unchunked(body).unwrap(), b"hello world");
        assert_eq!(unchunked(&body[..12]), None);
    }
}
