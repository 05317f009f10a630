//! The background thread: only it reads the counters, owns the parts and calls the Kafka client.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use quipu_kafka::{Scope, Trouble};
use uuid::Uuid;

use crate::Error;
use crate::client::{Client, Event, SendError};
use crate::control::{Control, Request};
use crate::part::Moment;
use crate::parts::Parts;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::stats::Progress;

/// The shortest time of one call that serves the client.
const SHORTEST_POLL: Duration = Duration::from_millis(1);
/// The longest time of one such call: a request may wait this long while a record is in flight.
const LONGEST_POLL: Duration = Duration::from_millis(50);
/// How often the client is served when there is nothing to do.
const IDLE: Duration = Duration::from_secs(1);
/// The minimum time between the creation of two clients.
const CLIENT_PAUSE: Duration = Duration::from_secs(1);
/// How often a pending request is checked while its records wait for their retry.
const RECHECK: Duration = Duration::from_millis(20);

pub(crate) struct Forwarder {
    settings: Arc<Settings>,
    registry: Arc<Registry>,
    control: Arc<Control>,
    client: Client,
    client_made: Instant,
    parts: Parts,
    progress: Progress,
    seq: u64,
    /// The part that is checked first: the one for which the client's queue had no room the last time.
    first: usize,
    flushed: u64,
    /// Whether the final reports are being sent; a series that is registered later is not reported.
    stopping: bool,
    trouble: Trouble,
    last_tick: Option<Instant>,
    last_move: Instant,
}

impl Forwarder {
    /// Creates the client here, so that the caller gets the error if a property is wrong.
    pub(crate) fn new(settings: Arc<Settings>, registry: Arc<Registry>, run: Uuid) -> Result<Self, Error> {
        Ok(Self {
            client: Client::new(&settings)?,
            client_made: Instant::now(),
            parts: Parts::new(settings.run_info(run)),
            settings,
            registry,
            control: Arc::default(),
            progress: Progress::default(),
            seq: 0,
            first: 0,
            flushed: 0,
            stopping: false,
            trouble: Trouble::default(),
            last_tick: None,
            last_move: Instant::now(),
        })
    }

    /// Starts the thread. It is never joined: callers wait at the control, with a timeout.
    pub(crate) fn start(self) -> Result<Arc<Control>, Error> {
        struct Ended(Arc<Control>);
        impl Drop for Ended {
            fn drop(&mut self) {
                self.0.ended();
            }
        }
        let control = Arc::clone(&self.control);
        let ended = Ended(Arc::clone(&control));
        let body = move || {
            let _ended = ended;
            self.run();
        };
        thread::Builder::new().name("quipu-reporter".to_owned()).spawn(body).map_err(Error::Thread)?;
        Ok(control)
    }

    fn run(mut self) {
        loop {
            // The request is read first, so that this step reports everything that was registered and counted before the
            // request.
            let request = self.control.request();
            if request.abandon {
                return;
            }
            if !self.stopping {
                self.stopping = request.stop;
                self.registry.take_new().into_iter().for_each(|series| self.parts.add(series));
            }
            self.report(request);
            self.serve();
            self.replace_dead_client();
            self.publish(request);
            if self.parts.is_closed() {
                return;
            }
            self.rest(request);
        }
    }

    /// Sends what is due.
    fn report(&mut self, request: Request) {
        let now = Instant::now();
        let tick = self.last_tick.is_none_or(|last| now.duration_since(last) >= self.settings.interval);
        let flushing = request.flush > self.flushed;
        if !(tick || flushing || self.stopping) {
            return;
        }
        if tick {
            self.last_tick = Some(now);
        }
        let moment = Moment { now, tick, flush: request.flush, flushing };
        let (seq, at) = (self.seq + 1, unix_ms(SystemTime::now()));
        let (first, count) = (self.first, self.parts.len());
        for index in (0..count).map(|offset| (first + offset) % count) {
            let Some(record) = self.parts.report(index, &moment, seq, at, self.stopping) else { continue };
            self.seq = seq;
            match self.client.send(&self.settings.topic, index, &record) {
                Ok(()) => {
                    self.progress.sent += 1;
                    self.progress.bytes += record.value.len() as u64;
                    self.last_move = now;
                }
                Err(SendError::Full) => {
                    self.parts.withdrawn(index);
                    self.first = index;
                    break;
                }
                Err(SendError::Refused(error)) => self.failed(index, &error),
            }
        }
    }

    /// Serves the client. While a record is in flight, this call is also the wait for it. It lasts about as long as the
    /// record has taken so far, because polling does not return early when an acknowledgement arrives.
    fn serve(&mut self) {
        let time = match self.parts.in_flight() {
            0 => SHORTEST_POLL,
            _ => self.last_move.elapsed().clamp(SHORTEST_POLL, LONGEST_POLL),
        };
        let mut acked = false;
        for event in self.client.poll(time) {
            match event {
                Event::Delivered { part, result: Ok(()) } => {
                    let now = Instant::now();
                    acked = true;
                    self.parts.acked(part);
                    self.progress.acked += 1;
                    self.progress.last_ack = Some(now);
                    self.last_move = now;
                }
                Event::Delivered { part, result: Err(error) } => self.failed(part, &error),
                Event::Trouble { error, scope: Scope::Total } => match self.progress.last_error.take() {
                    // The error that came before has the reason.
                    Some((reason, _)) if self.trouble.lasts() => self.trouble(&reason, Scope::Total),
                    // Without an error before, the brokers have closed idle connections.
                    _ => self.note(&error),
                },
                Event::Trouble { error, scope } => self.trouble(&error, scope),
            }
        }
        if acked
            && self.parts.failing() == 0
            && let Some(for_s) = self.trouble.success(Instant::now())
        {
            tracing::info!(for_s, "reports are acknowledged again");
        }
    }

    fn failed(&mut self, part: usize, error: &str) {
        self.parts.failed(part, Instant::now());
        self.progress.failed += 1;
        self.trouble(error, Scope::Total);
    }

    /// Notes an error, and logs it when trouble begins and once a minute.
    fn trouble(&mut self, error: &str, scope: Scope) {
        self.note(error);
        if let Some(for_s) = self.trouble.failure(Instant::now(), scope) {
            tracing::warn!(
                error,
                for_s,
                "the Kafka client has an error; counting continues, and the newest counts are retried until Kafka acknowledges them"
            );
        }
    }

    fn note(&mut self, error: &str) {
        self.progress.last_error = Some((error.into(), Instant::now()));
    }

    /// Replaces a client that a fatal error has ended. The new one may meet the same error.
    fn replace_dead_client(&mut self) {
        let Some(error) = self.client.fatal_error() else { return };
        if self.client_made.elapsed() < CLIENT_PAUSE {
            return;
        }
        self.client_made = Instant::now();
        self.trouble(&format!("the Kafka client ended with a fatal error; starting another: {error}"), Scope::Total);
        match Client::new(&self.settings) {
            Ok(client) => {
                self.client = client;
                for part in 0..self.parts.len() {
                    self.parts.failed(part, Instant::now());
                }
            }
            Err(error) => self.note(&error.to_string()),
        }
    }

    fn publish(&mut self, request: Request) {
        if request.flush > self.flushed && self.parts.is_flushed(request.flush) {
            self.flushed = request.flush;
        }
        self.progress.parts = self.parts.len();
        self.progress.in_flight = self.parts.in_flight();
        self.control.publish(self.progress.clone(), self.flushed, self.parts.is_closed());
    }

    fn rest(&self, request: Request) {
        if self.progress.in_flight > 0 {
            return;
        }
        let to_tick =
            self.last_tick.map_or(Duration::ZERO, |last| self.settings.interval.saturating_sub(last.elapsed()));
        let unanswered = request.stop || request.flush > self.flushed;
        let most = if unanswered { RECHECK } else { IDLE };
        self.control.rest(request, Instant::now() + to_tick.min(most));
    }
}

/// Milliseconds since 1970, negative for a clock that is before that.
fn unix_ms(time: SystemTime) -> i64 {
    let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => ms(since),
        Err(before) => -ms(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_clock_makes_a_time() {
        assert_eq!(unix_ms(UNIX_EPOCH + Duration::from_millis(1_718_900_012_345)), 1_718_900_012_345);
        assert_eq!(unix_ms(UNIX_EPOCH - Duration::from_millis(5)), -5);
    }
}
