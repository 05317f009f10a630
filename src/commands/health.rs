//! `quipu health`.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::config_options::{ConfigOptions, flag};
use crate::output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu health                                  does `quipu aggregate` or `quipu sink` answer at 127.0.0.1:9464?
  quipu health --ready --config quipu.toml      has the aggregator of this configuration read the log?

The exit code is 1 if nobody answers, or the answer is no.";

/// The process that is asked is on this machine.
const TIMEOUT: Duration = Duration::from_secs(3);
/// More than either route ever says.
const ANSWER_BYTES: u64 = 4096;

#[derive(Debug, Args)]
pub(crate) struct HealthOptions {
    #[command(flatten)]
    config: ConfigOptions,
    /// Where the process serves HTTP [default: 127.0.0.1:9464]
    #[arg(long, value_name = "IP:PORT")]
    http: Option<String>,
    /// Ask whether all totals are here (/readyz), not only whether the process answers (/healthz); an aggregator that
    /// waits to take over is never ready
    #[arg(long)]
    ready: bool,
}

pub(crate) fn run(options: HealthOptions) -> Result<ExitCode> {
    let http = flag("--http", "http.listen", options.http);
    let config = options.config.load(http.into_iter().collect())?;
    let Some(listen) = config.http.listen else {
        bail!("http.listen is off, so there is nobody to ask: give it an address, or --http IP:PORT");
    };
    let (address, path) = (reachable(listen), if options.ready { "/readyz" } else { "/healthz" });
    match ask(address, path, TIMEOUT) {
        Ok((200, said)) => output::print(&format!("{said}\n")),
        Ok((status, said)) => Ok(output::unhealthy(&format!("http://{address}{path}: {status}: {said}"))),
        Err(error) => Ok(output::unhealthy(&format!("http://{address}{path}: {error:#}"))),
    }
}

/// Where a process that listens there can be asked.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The status code and the first line of the body, if all that comes in time.
fn ask(address: SocketAddr, path: &'static str, timeout: Duration) -> Result<(u16, String)> {
    let (sender, answer) = mpsc::sync_channel(1);
    // A time limit of the socket begins anew with each byte. Who still waits then ends with the process.
    thread::spawn(move || sender.send(exchange(address, path)));
    answer.recv_timeout(timeout).with_context(|| format!("no answer within {timeout:?}"))?
}

fn exchange(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).context("nobody answers")?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").context("no request")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES).read_to_end(&mut answer).context("no answer")?;
    parse(&String::from_utf8_lossy(&answer)).context("that is no answer of HTTP")
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.lines().next().unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_here() {
        let asked = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:9464"), "127.0.0.1:9464");
        assert_eq!(asked("[::]:9464"), "[::1]:9464");
        assert_eq!(asked("10.0.0.1:80"), "10.0.0.1:80");
    }

    #[expect(clippy::disallowed_methods, reason = "it is what the peer does")]
    #[test]
    fn a_peer_that_drips_is_not_waited_for() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            // A minute's worth: whoever takes it all was not bounded.
            (0..6000).all(|_| {
                thread::sleep(Duration::from_millis(10));
                peer.write_all(b"x").is_ok()
            })
        });
        let error = ask(address, "/healthz", Duration::from_millis(200)).unwrap_err();
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
