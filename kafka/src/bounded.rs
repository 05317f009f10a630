use std::io;
use std::ops::Deref;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::error::{KafkaError, KafkaResult};

/// How many calls may wait for the thread.
const WAITING: usize = 8;

/// A client, and a thread that makes those of its calls that can wait.
///
/// Calls that never wait go to the client directly, by dereferencing. After a call that did not return within its bound
/// the client is not used any more: every later [`call`](Self::call) fails at once, and the owner replaces the client.
/// Dropping this hands the client to its thread, so that the caller never waits for the client's own clean-up.
pub struct Bounded<C> {
    // Dropped first, so that the thread, which ends when `calls` is dropped, drops the last reference.
    client: Arc<C>,
    calls: SyncSender<Call<C>>,
    /// Disconnected when the thread has dropped the client. The mutex makes this type `Sync`; nothing waits for it.
    closed: Mutex<Receiver<()>>,
    stuck: OnceLock<CallError>,
}

type Call<C> = Box<dyn FnOnce(&C) + Send>;

/// Why a call of a client failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The client returned an error.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The call did not return within its bound, or an earlier call of the same client did not.
    #[error("the Kafka client did not return from {call} within {bound:?}; this client is given up")]
    Stuck {
        /// The name of the call.
        call: &'static str,
        /// How long the caller waited.
        bound: Duration,
    },
}

impl<C: Send + Sync + 'static> Bounded<C> {
    /// Takes over the client and starts the thread.
    ///
    /// # Errors
    /// The operating system has no thread left.
    pub fn new(client: C) -> io::Result<Self> {
        let (calls, queue) = mpsc::sync_channel::<Call<C>>(WAITING);
        let (closing, closed) = mpsc::sync_channel(0);
        let client = Arc::new(client);
        let own = Arc::clone(&client);
        thread::Builder::new().name("quipu-kafka".to_owned()).spawn(move || {
            for call in queue {
                call(&own);
            }
            drop(own);
            drop::<SyncSender<()>>(closing);
        })?;
        Ok(Self { client, calls, closed: Mutex::new(closed), stuck: OnceLock::new() })
    }

    /// Makes a call that can wait. `name` is for the error.
    ///
    /// # Errors
    /// [`CallError::Kafka`] with the client's error; [`CallError::Stuck`] if the call has not returned after `bound`,
    /// or an earlier one did not.
    pub fn call<T: Send + 'static>(
        &self,
        name: &'static str,
        bound: Duration,
        call: impl FnOnce(&C) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, CallError> {
        self.check()?;
        let (sender, result) = mpsc::sync_channel(1);
        // The receiver is gone if the caller no longer waits.
        let sent = self.calls.try_send(Box::new(move |client| drop(sender.send(call(client)))));
        if let Some(result) = sent.ok().and_then(|()| result.recv_timeout(bound).ok()) {
            return Ok(result?);
        }
        tracing::error!(call = name, ?bound, "the kafka client did not return from a call; giving the client up");
        Err(self.stuck.get_or_init(|| CallError::Stuck { call: name, bound }).clone())
    }

    /// Whether the client can be used.
    ///
    /// # Errors
    /// [`CallError::Stuck`] with the call that did not return within its bound.
    pub fn check(&self) -> Result<(), CallError> {
        self.stuck.get().map_or(Ok(()), |stuck| Err(stuck.clone()))
    }

    /// Drops the client and waits until that is done, for at most `bound`. Returns whether it is done.
    #[must_use]
    pub fn close(self, bound: Duration) -> bool {
        let Self { client, calls, closed, .. } = self;
        drop(client);
        drop(calls);
        let closed = closed.into_inner().unwrap_or_else(PoisonError::into_inner);
        closed.recv_timeout(bound) == Err(RecvTimeoutError::Disconnected)
    }
}

impl<C> Deref for Bounded<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.client
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(60);

    /// A client whose drop waits until it may.
    struct Client {
        may_drop: Mutex<Receiver<()>>,
        dropped: SyncSender<()>,
    }

    impl Drop for Client {
        fn drop(&mut self) {
            _ = self.may_drop.lock().unwrap().recv();
            _ = self.dropped.send(());
        }
    }

    fn client() -> (Bounded<Client>, SyncSender<()>, Receiver<()>) {
        let ((may_drop, waits), (dropped, is_dropped)) = (mpsc::sync_channel(1), mpsc::sync_channel(1));
        let client = Client { may_drop: Mutex::new(waits), dropped };
        (Bounded::new(client).unwrap(), may_drop, is_dropped)
    }

    #[test]
    fn a_call_returns_what_the_client_returns() {
        let (client, may_drop, _dropped) = client();
        assert_eq!(client.call("seven", LONG, |_| Ok(7)).unwrap(), 7);
        let error = client.call::<()>("fails", LONG, |_| Err(KafkaError::Canceled)).unwrap_err();
        assert!(matches!(error, CallError::Kafka(KafkaError::Canceled)), "{error}");
        assert_eq!(client.call("eight", LONG, |_| Ok(8)).unwrap(), 8);
        drop(may_drop);
    }

    #[test]
    fn a_call_that_hangs_ends_at_its_bound_and_the_client_is_not_used_again() {
        let (client, may_drop, dropped) = client();
        let (resume, hangs) = mpsc::sync_channel::<()>(1);
        let began = Instant::now();
        let error = client.call("commit_transaction", SHORT, move |_| Ok(hangs.recv().is_ok())).unwrap_err();
        assert!(error.to_string().contains("commit_transaction within 50ms"), "{error}");
        assert!(client.check().is_err());
        let next = client.call("next", LONG, |_| Ok(())).unwrap_err();
        assert!(next.to_string().contains("commit_transaction"), "{next}");
        drop(client);
        assert!(began.elapsed() < LONG, "neither the call nor the drop waited for the client");
        assert!(dropped.try_recv().is_err(), "the call still uses it");
        resume.send(()).unwrap();
        drop(may_drop);
        dropped.recv_timeout(LONG).unwrap();
    }

    #[test]
    fn closing_waits_for_the_clients_drop_but_not_beyond_the_bound() {
        let (client, may_drop, _dropped) = self::client();
        assert!(!client.close(SHORT));
        drop(may_drop);
        let (client, may_drop, dropped) = self::client();
        may_drop.send(()).unwrap();
        assert!(client.close(LONG));
        dropped.try_recv().unwrap();
    }

    #[test]
    fn a_call_that_panics_is_stuck_at_once() {
        let (client, _may_drop, _dropped) = client();
        let panics: fn(&Client) -> KafkaResult<()> = |_| std::panic::resume_unwind(Box::new("a defect"));
        assert!(matches!(client.call("panics", LONG, panics), Err(CallError::Stuck { .. })));
    }
}
