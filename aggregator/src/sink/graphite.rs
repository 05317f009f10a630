use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use quipu_record::Aggregate;

use super::graphite_line::{Template, push_line};
use super::retry::Failure;
use super::target::{Target, Unwritten, Written};

/// Carbon and its relays, over TCP.
///
/// The protocol has no acknowledgement: what was written is safe only after some time without the peer closing the
/// connection, and after a reconnect it is written again. The values are absolute and have fixed times, so that
/// repeating one is harmless.
pub(crate) struct Graphite {
    pub(crate) address: String,
    pub(crate) template: Template,
    pub(crate) tags: bool,
    pub(crate) timeout: Duration,
    pub(crate) settle: Duration,
    pub(crate) stream: Option<TcpStream>,
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
        // After an error a part of a line may be with the peer, which drops it with the connection.
        stream.write_all(&lines).map_err(|error| self.failure(&error.to_string()))?;
        self.stream = Some(stream);
        Ok(Written { points: aggregates.len(), cleaned, rejected: Vec::new() })
    }

    fn settle(&self) -> Duration {
        self.settle
    }

    /// The peer has nothing to say: if there is something to read, it is the end.
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
}

impl Graphite {
    fn connect(&self) -> Result<TcpStream, Failure> {
        let addresses = self.address.to_socket_addrs().map_err(|error| self.failure(&error.to_string()))?;
        let mut failure = self.failure("the name has no address");
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
        Failure::passing(format!("{}: {why}", self.address))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;

    use super::super::tests::aggregate;
    use super::*;

    fn graphite(listener: &TcpListener) -> Graphite {
        Graphite {
            address: listener.local_addr().expect("an address").to_string(),
            template: Template::default(),
            tags: false,
            timeout: Duration::from_millis(500),
            settle: Duration::from_secs(1),
            stream: None,
        }
    }

    #[test]
    fn a_closed_connection_is_noticed_before_anything_is_lost_in_it() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut graphite = graphite(&listener);
        graphite.write(&[aggregate(1)]).expect("somebody listens");
        let (peer, _) = listener.accept().expect("a connection");
        let mut line = String::new();
        BufReader::new(&peer).read_line(&mut line).expect("a line");
        assert_eq!(line, "quipu.records.topic.auth 1 0\n");
        assert_eq!(graphite.check(), Ok(()));
        drop(peer);
        // The end comes over the loopback in its own time.
        let mut checks = 0;
        while graphite.check().is_ok() {
            checks += 1;
            assert!(checks < 10_000_000, "the end of the connection was never noticed");
        }
        graphite.write(&[aggregate(2)]).expect("a new connection");
    }

    #[test]
    fn a_peer_that_does_not_read_is_a_failure_not_a_wait_for_ever() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut graphite = graphite(&listener);
        let batch: Vec<_> = (0..10_000).map(aggregate).collect();
        let failed = (0..10_000).find_map(|_| graphite.write(&batch).err());
        assert!(matches!(failed, Some(Unwritten::Failed(Failure { is_refusal: false, .. }))), "{failed:?}");
        assert!(graphite.stream.is_none(), "a part of a line is in it");
    }
}
