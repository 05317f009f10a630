//! A minimal HTTP client for tests that read data back.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// Sends a request to `host:port`, or over TLS to `https://host:port`, and returns the status and the body. It uses
/// HTTP/1.0, so that the end of the connection is the end of the body.
pub fn request(method: &str, address: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    request_with(method, address, path, "", body)
}

/// Like [`request`], with additional headers, one per line.
pub fn request_with(method: &str, address: &str, path: &str, headers: &str, body: &str) -> io::Result<(u16, String)> {
    let length = body.len();
    let host = address.trim_start_matches("https://");
    let request =
        format!("{method} {path} HTTP/1.0\r\nHost: {host}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    let answer = if host == address { exchange(host, &request)? } else { exchange_over_tls(host, &request)? };
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| io::Error::other(format!("no answer: {head}")))?, body.to_owned()))
}

fn exchange(address: &str, request: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// Sends the request with openssl, without checking the server's certificate.
fn exchange_over_tls(address: &str, request: &str) -> io::Result<Vec<u8>> {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-quiet", "-connect", address]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut openssl = openssl.stderr(Stdio::null()).spawn()?;
    // With -quiet, openssl keeps reading the response after its input has ended.
    openssl.stdin.take().unwrap().write_all(request.as_bytes())?;
    Ok(openssl.wait_with_output()?.stdout)
}

/// Sends a `GET` and returns the body; the status must be 200.
#[track_caller]
pub fn get(address: &str, path: &str) -> String {
    let (status, body) = request("GET", address, path, "").unwrap();
    assert_eq!(status, 200, "{path}: {body}");
    body
}

#[track_caller]
pub fn get_json(address: &str, path: &str) -> Value {
    let body = get(address, path);
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

/// Percent-encodes text for a query string.
pub fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}
