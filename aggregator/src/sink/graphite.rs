pub(crate) mod line;

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use quipu_config::{Graphite as Options, Template};
use quipu_record::Aggregate;

use super::retry::Failure;
use super::target::{Target, Unwritten, Written};
use line::push_line;

/// Carbon and its relays, over TCP.
///
/// The protocol has no acknowledgement: a write succeeds for a long time after the peer hangs or has left the network. But
/// a peer closes its side of a connection when it has read the end of ours. So the sink closes each connection in turn and
/// commits when the peer has closed its side. After a failure the sink writes again what it did not commit. That is
/// harmless, because values are absolute and have fixed times.
pub(crate) struct Graphite {
    address: String,
    template: Template,
    tags: bool,
    timeout: Duration,
    settle: Duration,
    stream: Option<TcpStream>,
    /// The peer has read everything that was written before this time.
    read: Option<Instant>,
}

impl Target for Graphite {
    fn write(&mut self, aggregates: &[Aggregate]) -> Result<Written, Unwritten> {
        self.check()?;
        let mut lines = Vec::with_capacity(aggregates.len() * 96);
        let mut cleaned = 0;
        for aggregate in aggregates {
            cleaned += usize::from(push_line(&mut lines, aggregate, &self.template, self.tags));
        }
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        // After an error the peer may have a part of a line, which it drops when the connection ends.
        stream.write_all(&lines).map_err(|error| self.failure(&error.to_string()))?;
        self.stream = Some(stream);
        Ok(Written { points: aggregates.len(), cleaned, rejected: Vec::new() })
    }

    fn settle(&self) -> Duration {
        self.settle
    }

    fn confirm(&mut self, sent: Instant) -> Result<(), Failure> {
        self.check()?;
        if self.read.is_some_and(|read| sent <= read) {
            return Ok(());
        }
        let Some(written) = self.stream.take() else {
            return Ok(());
        };
        // The next connection is opened first, because this fails if the peer is no longer running.
        let next = self.connect()?;
        let now = Instant::now();
        end(written, self.timeout)
            .map_err(|error| self.failure(&format!("the peer did not read everything that was written ({error})")))?;
        (self.stream, self.read) = (Some(next), Some(now));
        Ok(())
    }
}

impl Graphite {
    pub(crate) fn new(options: &Options, timeout: Duration) -> Self {
        let Options { address, template, tags, settle } = options.clone();
        Self { address, template: template.unwrap_or_default(), tags, timeout, settle, stream: None, read: None }
    }

    /// Checks whether the peer closed the connection. A peer sends no data, so a read returns only at the end.
    fn check(&mut self) -> Result<(), Failure> {
        let Some(mut stream) = self.stream.take() else {
            return Ok(());
        };
        let mut unread = [0; 256];
        let read = stream.set_nonblocking(true).and_then(|()| stream.read(&mut unread));
        match read.and_then(|bytes| if bytes == 0 { Err(ErrorKind::ConnectionReset.into()) } else { Ok(()) }) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => {
                return Err(self.failure(&format!("the peer closed the connection ({error})")));
            }
            _ => {}
        }
        stream.set_nonblocking(false).map_err(|error| self.failure(&error.to_string()))?;
        self.stream = Some(stream);
        Ok(())
    }

    fn connect(&self) -> Result<TcpStream, Failure> {
        let addresses = self.address.to_socket_addrs().map_err(|error| self.failure(&error.to_string()))?;
        let mut failure = self.failure("the host name has no address");
        for address in addresses {
            let connected = TcpStream::connect_timeout(&address, self.timeout).and_then(|stream| {
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(self.timeout))?;
                Ok(stream)
            });
            match connected {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = self.failure(&error.to_string()),
            }
        }
        Err(failure)
    }

    fn failure(&self, why: &str) -> Failure {
        Failure::temporary(format!("{}: {why}", self.address))
    }
}

/// Closes our side of a connection and waits until the peer has read everything and has closed its side.
fn end(mut stream: TcpStream, timeout: Duration) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(ErrorKind::TimedOut, format!("it kept the connection open for {timeout:?}")));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut [0; 256]) {
            Ok(0) => return Ok(()),
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Err(error),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;
    use std::thread;

    use super::super::tests::aggregate;
    use super::*;

    fn graphite(listener: &TcpListener) -> Graphite {
        let address = listener.local_addr().expect("an address").to_string();
        let options = Options { address, template: None, tags: false, settle: Duration::from_secs(1) };
        Graphite::new(&options, Duration::from_millis(500))
    }

    #[test]
    fn a_closed_connection_is_noticed_before_the_next_write() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut graphite = graphite(&listener);
        graphite.write(&[aggregate(1)]).expect("a listener");
        let (peer, _) = listener.accept().expect("a connection");
        let mut line = String::new();
        BufReader::new(&peer).read_line(&mut line).expect("a line");
        assert_eq!(line, "quipu.records.topic.auth 1 0\n");
        assert_eq!(graphite.check(), Ok(()));
        drop(peer);
        // The end of the connection takes some time on the loopback interface.
        let mut checks = 0;
        while graphite.check().is_ok() {
            checks += 1;
            assert!(checks < 10_000_000, "the end of the connection was never noticed");
        }
        graphite.write(&[aggregate(2)]).expect("a new connection");
    }

    #[test]
    fn a_peer_that_does_not_read_is_a_failure_within_the_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut graphite = graphite(&listener);
        let batch: Vec<_> = (0..10_000).map(aggregate).collect();
        let failed = (0..10_000).find_map(|_| graphite.write(&batch).err());
        assert!(matches!(failed, Some(Unwritten::Failed(Failure { is_refusal: false, .. }))), "{failed:?}");
        assert!(graphite.stream.is_none(), "a part of a line was written");
    }

    #[test]
    fn a_confirmed_write_was_read_and_the_next_connection_is_open() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut graphite = graphite(&listener);
        graphite.write(&[aggregate(1), aggregate(2)]).expect("a listener");
        let (peer, _) = listener.accept().expect("a connection");
        let reader = thread::spawn(move || BufReader::new(&peer).lines().map_while(Result::ok).count());
        let sent = Instant::now();
        assert_eq!(graphite.confirm(sent), Ok(()));
        assert_eq!(reader.join().expect("it counts"), 2);

        // What was sent before is confirmed already, and the connection stays in use.
        let (peer, _) = listener.accept().expect("the next connection");
        assert_eq!(graphite.confirm(sent), Ok(()));
        graphite.write(&[aggregate(3)]).expect("the next connection");
        let mut line = String::new();
        BufReader::new(&peer).read_line(&mut line).expect("a line");
        assert_eq!(line, "quipu.records.topic.auth 3 0\n");
    }

    #[test]
    fn a_write_that_the_peer_did_not_read_is_not_confirmed() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut graphite = graphite(&listener);
        graphite.write(&[aggregate(1)]).expect("the kernel takes it");
        let failure = graphite.confirm(Instant::now()).expect_err("no reader");
        assert!(failure.why.contains("did not read everything that was written"), "{failure:?}");
        assert!(graphite.stream.is_none() && graphite.read.is_none());
    }
}
