//! As much of an HTTP client as reading back needs.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// The status and the body of what answers at `host:port`, or over TLS at `https://host:port`. HTTP/1.0, so that the end of the body is the end of the connection.
pub fn request(method: &str, address: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    request_with(method, address, path, "", body)
}

/// Likewise, with further headers, a line each.
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

/// By openssl, whoever the server is.
fn exchange_over_tls(address: &str, request: &str) -> io::Result<Vec<u8>> {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-quiet", "-connect", address]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut openssl = openssl.stderr(Stdio::null()).spawn()?;
    // It reads the answer to its end, whatever its input does.
    openssl.stdin.take().unwrap().write_all(request.as_bytes())?;
    Ok(openssl.wait_with_output()?.stdout)
}

/// The body of a good answer.
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

/// Text as a part of a query.
pub fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}
