//! A minimal HTTP client for what an aggregator serves.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use quipu_config::ListenAddress;

/// What to ask for, and how much of an answer to accept.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) address: ListenAddress,
    /// The path and the query.
    pub(crate) path: String,
    /// The token for the routes that require one.
    pub(crate) token: Option<String>,
    pub(crate) timeout: Duration,
    /// The most bytes that are read.
    pub(crate) answer_bytes: u64,
}

impl Request {
    /// Returns the status code and the body.
    pub(crate) fn get(self) -> Result<(u16, String)> {
        let timeout = self.timeout;
        let (sender, answer) = mpsc::sync_channel(1);
        // A timeout of the socket restarts with each byte, so the request runs on a thread of its own. A thread that still
        // waits after the timeout ends with the process.
        thread::spawn(move || sender.send(self.exchange()));
        answer.recv_timeout(timeout).with_context(|| format!("no answer within {timeout:?}"))?
    }

    fn exchange(self) -> Result<(u16, String)> {
        let Self { address, path, token, answer_bytes, .. } = self;
        let mut stream = TcpStream::connect((address.host(), address.port())).context("can't connect")?;
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n{token}Connection: close\r\n\r\n")
            .context("can't send the request")?;
        let mut answer = Vec::new();
        stream.take(answer_bytes).read_to_end(&mut answer).context("no answer")?;
        parse(&String::from_utf8_lossy(&answer)).context("the answer is not HTTP")
    }
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "the peer is slow on purpose")]
    #[test]
    fn a_slow_peer_does_not_delay_the_answer() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            // The peer sends for a minute; a request without a bound would read it all.
            (0..6000).all(|_| {
                thread::sleep(Duration::from_millis(10));
                peer.write_all(b"x").is_ok()
            })
        });
        let (path, timeout) = ("/healthz".to_owned(), Duration::from_millis(200));
        let request = Request { address: address.into(), path, token: None, timeout, answer_bytes: 1 << 20 };
        let error = request.get().unwrap_err();
        assert!(error.to_string().contains("no answer within 200ms"), "{error:#}");
    }

    #[test]
    fn only_http_is_an_answer() {
        assert_eq!(parse("HTTP/1.1 200 OK\r\na: b\r\n\r\nok\n"), Some((200, "ok\n".to_owned())));
        assert_eq!(parse("HTTP/1.1 503 Service Unavailable\r\n\r\n"), Some((503, String::new())));
        for answer in ["", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK", "HTTP/1.1 no\r\n\r\n"] {
            assert_eq!(parse(answer), None, "{answer:?}");
        }
    }
}
