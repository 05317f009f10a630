//! `quipu health`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use quipu_config::ListenAddress;

use crate::config_options::{ConfigOptions, flag};
use crate::output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu health                                  does `quipu aggregate` or `quipu sink` answer on 127.0.0.1:9464?
  quipu health --ready --config quipu.toml      has the aggregator of this configuration caught up?

The exit code is 1 if there is no answer or the health is bad.";

/// A short timeout is enough, because the process is usually on this machine.
const TIMEOUT: Duration = Duration::from_secs(3);
/// More bytes than either route answers.
const ANSWER_BYTES: u64 = 4096;

#[derive(Debug, Args)]
pub(crate) struct HealthOptions {
    #[command(flatten)]
    config: ConfigOptions,
    /// The address on which the process serves HTTP [default: 127.0.0.1:9464]
    #[arg(long, value_name = "HOST:PORT")]
    http: Option<String>,
    /// Check readiness (/readyz: all totals are available) instead of liveness (/healthz: the process answers); a standby is
    /// never ready
    #[arg(long)]
    ready: bool,
}

pub(crate) fn run(options: HealthOptions) -> Result<ExitCode> {
    let http = flag("--http", "http.listen", options.http);
    let config = options.config.load(http.into_iter().collect())?;
    let Some(listen) = config.http.listen else {
        bail!(
            "http.listen is off, so the process serves no HTTP: set http.listen to an address, or use --http HOST:PORT"
        );
    };
    let (address, path) = (listen.reachable(), if options.ready { "/readyz" } else { "/healthz" });
    match ask(address.clone(), path, TIMEOUT) {
        Ok((200, answer)) => output::print(&format!("{answer}\n")),
        Ok((status, answer)) => Ok(output::unhealthy(&format!("http://{address}{path}: {status}: {answer}"))),
        Err(error) => Ok(output::unhealthy(&format!("http://{address}{path}: {error:#}"))),
    }
}

/// Returns the status code and the first line of the body.
fn ask(address: ListenAddress, path: &'static str, timeout: Duration) -> Result<(u16, String)> {
    let (sender, answer) = mpsc::sync_channel(1);
    // A timeout of the socket restarts with each byte, so the request runs on a thread of its own. A thread that still
    // waits after the timeout ends with the process.
    thread::spawn(move || sender.send(exchange(&address, path)));
    answer.recv_timeout(timeout).with_context(|| format!("no answer within {timeout:?}"))?
}

fn exchange(address: &ListenAddress, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect((address.host(), address.port())).context("can't connect")?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .context("can't send the request")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES).read_to_end(&mut answer).context("no answer")?;
    parse(&String::from_utf8_lossy(&answer)).context("the answer is not HTTP")
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.lines().next().unwrap_or_default().to_owned()))
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
        let error = ask(address.into(), "/healthz", Duration::from_millis(200)).unwrap_err();
        assert!(error.to_string().contains("no answer within 200ms"), "{error:#}");
    }

    #[test]
    fn only_http_is_an_answer() {
        assert_eq!(parse("HTTP/1.1 200 OK\r\na: b\r\n\r\nok\n"), Some((200, "ok".to_owned())));
        assert_eq!(parse("HTTP/1.1 503 Service Unavailable\r\n\r\n"), Some((503, String::new())));
        for answer in ["", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK", "HTTP/1.1 no\r\n\r\n"] {
            assert_eq!(parse(answer), None, "{answer:?}");
        }
    }
}
