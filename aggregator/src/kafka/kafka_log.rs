//! The engine's log on Kafka: one consumer of the group, one producer of totals and rows, one of dead letters; and, while
//! rows are restored, one consumer of the changelog.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use quipu_config::{Config, ProcessingGuarantee, Topics};
use quipu_kafka::CallError;
use quipu_record::{Offset, Partition, StateRowError};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{error, warn};

use super::publisher::{DELIVERY_TIMEOUT, Published, Publisher, TRANSACTION_TIMEOUT};
use super::restorer::Restorer;
use super::source::Source;
use crate::engine::{Assigned, Delivery, Destination, Failure, Log, Output, RowSink};
use crate::error::Error;
use crate::shared::Shared;

/// How long to wait before a step is retried.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a producer may fail before it is replaced.
const PRODUCER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a stopping process tries to have its last totals accepted.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Kafka, as the engine sees it.
pub(crate) struct KafkaLog {
    config: Config,
    partition: Partition,
    shared: Shared,
    source: Arc<Source>,
    /// From an assignment until the rows are restored.
    restorer: Option<Restorer>,
    /// The producer of totals and rows. A new one at each assignment fences those of every process before.
    outputs: Option<Publisher>,
    /// When the first of the transactions began that failed or are open.
    began: Option<Instant>,
    /// When records were last handed over.
    sent: Instant,
    dead_letters: Publisher,
    stopping_since: Option<Instant>,
}

type Step<T> = Result<T, Failure<Error>>;

impl KafkaLog {
    pub(crate) fn new(
        config: &Config,
        partition: Partition,
        shared: Shared,
        source: Arc<Source>,
    ) -> Result<Self, Error> {
        Ok(Self {
            partition,
            restorer: None,
            dead_letters: Publisher::new(config, partition, ProcessingGuarantee::AtLeastOnce)?,
            config: config.clone(),
            shared,
            source,
            outputs: None,
            began: None,
            sent: Instant::now(),
            stopping_since: None,
        })
    }

    fn exactly_once(&self) -> bool {
        self.config.processing_guarantee == ProcessingGuarantee::ExactlyOnce
    }

    fn outputs(&self) -> Step<&Publisher> {
        self.outputs.as_ref().ok_or_else(|| Failure::Lost("there is no producer".to_owned()))
    }

    /// Changes what a failure means by how long transactions have been failing.
    ///
    /// The brokers end a transaction that is open for too long, for example because they were unreachable. Its producer then
    /// gets the same error as if another one had fenced it, so the group has to decide which process is active. A producer
    /// whose transactions never succeed is replaced, because the defect may be its own.
    fn within_transaction(&self, failure: Failure<Error>) -> Failure<Error> {
        let open = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        match failure {
            Failure::Fatal(Error::Fenced) if open >= TRANSACTION_TIMEOUT => {
                Failure::Lost("the transaction took too long, and the brokers ended it".to_owned())
            }
            Failure::Again(why) | Failure::Undone(why) if open >= PRODUCER_TIMEOUT => {
                Failure::Lost(format!("no transaction succeeded within {PRODUCER_TIMEOUT:?}: {why}"))
            }
            failure => failure,
        }
    }
}

impl Log for KafkaLog {
    type Error = Error;

    fn is_atomic(&self) -> bool {
        self.exactly_once()
    }

    fn assigned(&mut self) -> Step<Assigned> {
        self.shared.progress.step("fencing the processes before");
        self.outputs = None;
        let guarantee = self.config.processing_guarantee;
        let outputs = Publisher::new(&self.config, self.partition, guarantee).map_err(Failure::Fatal)?;
        outputs.connect(&self.config).map_err(again)?;
        if self.exactly_once() {
            outputs.init_transactions().map_err(|error| transaction(&error))?;
        }
        self.outputs = Some(outputs);
        self.began = None;
        self.shared.progress.step("asking where the logs end");
        let Topics { metrics, state, .. } = &self.config.topics;
        let progress = self.shared.progress.clone();
        let restorer = Restorer::new(&self.config, self.partition, progress).map_err(Failure::Fatal)?;
        // The changelog is asked first. If another process commits at this moment, its rows are not ahead of the source log's
        // end as it is known here.
        let (_, changelog_end) = restorer.watermarks(state).map_err(again)?;
        let (begin, end) = restorer.watermarks(metrics).map_err(again)?;
        self.restorer = Some(restorer);
        Ok(Assigned { begin, end, changelog_end })
    }

    fn group_offset(&mut self) -> Step<Option<Offset>> {
        self.source.group_offset().map_err(again)
    }

    fn changelog(&mut self, from: Offset, end: Offset, row: RowSink<'_, Error>) -> Step<()> {
        self.shared.progress.step("reading the changelog");
        let restorer = self.restorer.as_ref().ok_or_else(|| Failure::Lost("there is no consumer".to_owned()))?;
        restorer.read(&self.config.topics.state, from, end, &self.shared, row)
    }

    fn seek(&mut self, position: Offset) -> Step<()> {
        self.restorer = None;
        self.source.seek(position).map_err(|error| match error {
            CallError::Kafka(error) => Failure::Again(error.to_string()),
            stuck @ CallError::Stuck { .. } => Failure::Fatal(stuck.into()),
        })
    }

    fn dead_letters(&mut self, copies: &[Output]) -> Step<()> {
        self.shared.progress.step("writing dead letters");
        let topic = &self.config.topics.dead_letters;
        let rejected = self.dead_letters.publish(topic, copies).rejected;
        if let Some((_, error)) = rejected.iter().find(|(_, error)| may_heal(error)) {
            return Err(Failure::Again(format!("copies of bad records to {topic}: {error}")));
        }
        self.shared.lose_dead_letters(rejected.len());
        if let Some((_, error)) = rejected.first() {
            let lost = rejected.len();
            error!(topic, %error, lost, "kafka rejects copies of bad records: allow WRITE on the topic, and check its max.message.bytes");
        }
        Ok(())
    }

    fn begin(&mut self) -> Step<()> {
        if self.exactly_once() {
            self.shared.progress.step("beginning a transaction");
            let result = self.outputs()?.begin_transaction();
            result.map_err(|error| self.within_transaction(transaction(&error)))?;
            self.began.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    fn send(&mut self, to: Destination, records: &[Output]) -> Step<()> {
        self.shared.progress.step("handing records to the client");
        self.sent = Instant::now();
        let Topics { aggregates, state, .. } = &self.config.topics;
        self.outputs()?.send(if to == Destination::Totals { aggregates } else { state }, records);
        Ok(())
    }

    fn deliveries(&mut self, patience: Duration) -> Step<Delivery> {
        self.shared.progress.step("waiting for deliveries");
        let Some(Published { rejected, mut next_offsets }) = self.outputs()?.deliveries(patience) else {
            if self.sent.elapsed() > DELIVERY_TIMEOUT {
                return Err(Failure::Lost("the client did not report the deliveries".to_owned()));
            }
            return Ok(Delivery::Waiting);
        };
        match rejected.into_iter().next() {
            Some((topic, error)) => Err(self.within_transaction(rejection(&topic, error))),
            None => Ok(Delivery::All { changelog: next_offsets.remove(&self.config.topics.state) }),
        }
    }

    fn end(&mut self) -> Step<()> {
        if self.exactly_once() {
            self.shared.progress.step("committing a transaction");
            let result = self.outputs()?.commit_transaction();
            result.map_err(|error| self.within_transaction(transaction(&error)))?;
            self.began = None;
        }
        Ok(())
    }

    fn committed(&mut self, position: Offset) {
        self.source.show_offset(position);
    }

    fn abort(&mut self) -> Step<()> {
        if self.exactly_once() {
            self.shared.progress.step("aborting a transaction");
            let result = self.outputs()?.abort_transaction();
            result.map_err(|error| self.within_transaction(transaction(&error)))?;
        }
        Ok(())
    }

    fn release(&mut self) {
        self.outputs = None;
    }

    fn rejoin(&mut self) -> Result<(), Error> {
        if let Err(Failure::Again(why) | Failure::Undone(why) | Failure::Lost(why)) = self.abort() {
            warn!(why, "the transaction is left to its timeout");
        }
        self.release();
        // A stopping process leaves the group anyway.
        if self.shared.stopping() {
            return Ok(());
        }
        self.shared.progress.step("joining the group again");
        Ok(self.source.rejoin()?)
    }

    fn pause(&mut self) -> bool {
        self.shared.progress.step("waiting before a retry");
        if self.shared.stopping() {
            let since = self.stopping_since.get_or_insert_with(Instant::now);
            if since.elapsed() > STOP_TIMEOUT {
                return false;
            }
        }
        thread::park_timeout(PAUSE);
        true
    }

    fn gave_up(&self) -> Error {
        Error::Uncommitted
    }

    fn unreadable(&self, why: &StateRowError) -> Error {
        Error::Changelog { topic: self.config.topics.state.clone(), why: why.clone() }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is an argument of map_err")]
fn again(error: CallError) -> Failure<Error> {
    Failure::Again(error.to_string())
}

/// What a failed step of a transaction means.
fn transaction(error: &CallError) -> Failure<Error> {
    let why = error.to_string();
    // A producer that is stuck is given up. The next assignment makes another one, which fences it.
    let CallError::Kafka(error) = error else { return Failure::Lost(why) };
    let code = error.rdkafka_error_code();
    match (error, code) {
        (_, Some(RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::FencedInstanceId | RDKafkaErrorCode::InvalidProducerEpoch)) => {
            Failure::Fatal(Error::Fenced)
        }
        (_, Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed)) => {
            Failure::Fatal(Error::Refused {
                what: "transactions: allow WRITE and DESCRIBE on the transactional ID, or set processing_guarantee = \"at_least_once\"".to_owned(),
                source: error.clone(),
            })
        }
        (KafkaError::Transaction(transaction), _) if transaction.is_fatal() => Failure::Lost(why),
        (KafkaError::Transaction(transaction), _) if transaction.txn_requires_abort() => Failure::Undone(why),
        (KafkaError::Transaction(transaction), _) if transaction.is_retriable() => Failure::Again(why),
        _ => Failure::Lost(why),
    }
}

/// What the rejection of a record means.
fn rejection(topic: &str, error: KafkaError) -> Failure<Error> {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch) => {
            Failure::Fatal(Error::Fenced)
        }
        _ if !may_heal(&error) => Failure::Fatal(Error::Refused {
            what: format!("to publish to {topic}: allow WRITE on it, and check its max.message.bytes"),
            source: error,
        }),
        _ => Failure::Undone(format!("records to {topic}: {error}")),
    }
}

/// Whether a retry may succeed.
fn may_heal(error: &KafkaError) -> bool {
    !matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::PolicyViolation
                | RDKafkaErrorCode::InvalidRecord
        )
    )
}
