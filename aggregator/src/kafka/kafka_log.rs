//! The engine's log on Kafka: one consumer of the group, one producer of totals and rows, one of dead letters; and, while
//! rows are restored, one consumer of the changelog.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use quipu_config::{Config, ProcessingGuarantee, Topics};
use quipu_kafka::{CallError, Logged};
use quipu_record::{Offset, Partition};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{error, warn};

use super::publisher::{DELIVERY_TIMEOUT, Outgoing, Published, Publisher, TRANSACTION_TIMEOUT};
use super::restorer::Restorer;
use super::source::Source;
use crate::engine::{
    AggregateRecord, Assigned, Cause, Changelog, Coordination, DeadLetter, DeadLetters, Delivery, Failure, Port,
    RowSink, RowUpdate, Step as Stepped, Transaction,
};
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
    /// The log of the clients below. They share it, because the producer of dead letters may have nothing to write when an
    /// outage ends.
    logged: Logged,
    source: Arc<Source>,
    /// From an assignment until the rows are restored.
    restorer: Option<Restorer>,
    /// The producer of totals and rows. A new one at each assignment fences those of every process before.
    outputs: Option<Publisher>,
    /// When the first of the transactions began that failed or are open.
    began: Option<Instant>,
    /// When records were last sent.
    sent: Instant,
    dead_letters: Publisher,
    stopping_since: Option<Instant>,
}

type Step<T> = Stepped<T, Error>;

/// A failure of a step, with the error that it comes from.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error("no transaction succeeded within {PRODUCER_TIMEOUT:?}: {0}")]
    NoSuccess(#[source] Cause),
    #[error("records to {topic}: {source}")]
    Rejected { topic: String, source: KafkaError },
    #[error("copies of bad records to {topic}: {source}")]
    DeadLetters { topic: String, source: KafkaError },
}

impl KafkaLog {
    pub(crate) fn new(
        config: &Config,
        partition: Partition,
        shared: Shared,
        source: Arc<Source>,
    ) -> Result<Self, Error> {
        let logged = Logged::new("task");
        let dead_letters = Publisher::new(logged.clone(), config, partition, ProcessingGuarantee::AtLeastOnce)?;
        Ok(Self {
            partition,
            restorer: None,
            dead_letters,
            logged,
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

    fn send<R: Outgoing>(&self, topic: &str, records: &[R]) -> Step<()> {
        self.shared.progress.step("handing records to the client");
        self.outputs()?.send(topic, records);
        Ok(())
    }

    fn outputs(&self) -> Step<&Publisher> {
        self.outputs.as_ref().ok_or_else(|| Failure::Lost("there is no producer".into()))
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
                Failure::Lost("the transaction took too long, and the brokers ended it".into())
            }
            Failure::Again(why) | Failure::Undone(why) if open >= PRODUCER_TIMEOUT => {
                Failure::Lost(StepError::NoSuccess(why).into())
            }
            failure => failure,
        }
    }
}

impl Port for KafkaLog {
    type Error = Error;
}

impl Coordination for KafkaLog {
    fn assigned(&mut self) -> Step<Assigned> {
        self.shared.progress.step("fencing the processes before");
        self.outputs = None;
        let guarantee = self.config.processing_guarantee;
        let logged = self.logged.clone();
        let outputs = Publisher::new(logged, &self.config, self.partition, guarantee).map_err(Failure::Fatal)?;
        outputs.connect(&self.config).map_err(again)?;
        if self.exactly_once() {
            outputs.init_transactions().map_err(transaction)?;
        }
        self.outputs = Some(outputs);
        self.began = None;
        self.shared.progress.step("asking where the logs end");
        let Topics { metrics, state, .. } = &self.config.topics;
        let progress = self.shared.progress.clone();
        let logged = self.logged.clone();
        let restorer = Restorer::new(logged, &self.config, self.partition, progress).map_err(Failure::Fatal)?;
        // The changelog is asked first. If another process commits at this moment, its rows are not ahead of the source log's
        // end that is read next.
        let (_, changelog_end) = restorer.watermarks(state).map_err(again)?;
        let (begin, end) = restorer.watermarks(metrics).map_err(again)?;
        self.restorer = Some(restorer);
        Ok(Assigned { begin, end, changelog_end })
    }

    fn group_offset(&mut self) -> Step<Option<Offset>> {
        self.source.group_offset().map_err(again)
    }

    fn seek(&mut self, position: Offset) -> Step<()> {
        self.restorer = None;
        self.source.seek(position).map_err(|error| match error {
            CallError::Kafka(error) => Failure::Again(error.into()),
            stuck @ CallError::Stuck { .. } => Failure::Fatal(stuck.into()),
        })
    }

    fn rejoin(&mut self) -> Result<(), Error> {
        if let Err(Failure::Again(why) | Failure::Undone(why) | Failure::Lost(why)) = self.abort() {
            warn!(%why, "can't abort the transaction; the brokers end it after its timeout");
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
}

impl Transaction for KafkaLog {
    fn is_atomic(&self) -> bool {
        self.exactly_once()
    }

    fn begin(&mut self) -> Step<()> {
        if self.exactly_once() {
            self.shared.progress.step("beginning a transaction");
            let result = self.outputs()?.begin_transaction();
            result.map_err(|error| self.within_transaction(transaction(error)))?;
            self.began.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    fn send_aggregates(&mut self, records: &[AggregateRecord]) -> Step<()> {
        self.send(&self.config.topics.aggregates, records)?;
        self.sent = Instant::now();
        Ok(())
    }

    fn send_rows(&mut self, rows: &[RowUpdate]) -> Step<()> {
        self.send(&self.config.topics.state, rows)?;
        self.sent = Instant::now();
        Ok(())
    }

    fn deliveries(&mut self, patience: Duration) -> Step<Delivery> {
        self.shared.progress.step("waiting for deliveries");
        let Some(Published { rejected, mut next_offsets }) = self.outputs()?.deliveries(patience) else {
            if self.sent.elapsed() > DELIVERY_TIMEOUT {
                return Err(Failure::Lost("the client does not report the delivery of records".into()));
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
            result.map_err(|error| self.within_transaction(transaction(error)))?;
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
            result.map_err(|error| self.within_transaction(transaction(error)))?;
        }
        Ok(())
    }

    fn release(&mut self) {
        self.outputs = None;
    }
}

impl Changelog for KafkaLog {
    fn read(&mut self, from: Offset, end: Offset, row: RowSink<'_, Error>) -> Step<()> {
        self.shared.progress.step("reading the changelog");
        let restorer = self.restorer.as_ref().ok_or_else(|| Failure::Lost("there is no consumer".into()))?;
        restorer.read(&self.config.topics.state, from, end, &self.shared, row)
    }
}

impl DeadLetters for KafkaLog {
    fn write(&mut self, copies: &[DeadLetter]) -> Step<()> {
        self.shared.progress.step("writing dead letters");
        let topic = &self.config.topics.dead_letters;
        let rejected = self.dead_letters.publish(topic, copies).rejected;
        if let Some((_, source)) = rejected.iter().find(|(_, error)| is_retriable(error)) {
            let error = StepError::DeadLetters { topic: topic.clone(), source: source.clone() };
            return Err(Failure::Again(error.into()));
        }
        self.shared.lose_dead_letters(rejected.len());
        if let Some((_, error)) = rejected.first() {
            let lost = rejected.len();
            error!(topic, %error, lost, "kafka rejects copies of bad records: allow WRITE on the topic, and check its max.message.bytes");
        }
        Ok(())
    }
}

fn again(error: CallError) -> Failure<Error> {
    Failure::Again(error.into())
}

/// What a failed step of a transaction means.
fn transaction(error: CallError) -> Failure<Error> {
    let error = match error {
        CallError::Kafka(error) => error,
        // A stuck producer is dropped: the next assignment makes another one, which fences it.
        stuck @ CallError::Stuck { .. } => return Failure::Lost(stuck.into()),
    };
    let code = error.rdkafka_error_code();
    match (&error, code) {
        (_, Some(RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::FencedInstanceId | RDKafkaErrorCode::InvalidProducerEpoch)) => {
            Failure::Fatal(Error::Fenced)
        }
        (_, Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed)) => {
            Failure::Fatal(Error::Refused {
                what: "transactions: allow WRITE and DESCRIBE on the transactional ID, or set processing_guarantee = \"at_least_once\"".to_owned(),
                source: error,
            })
        }
        (KafkaError::Transaction(transaction), _) if transaction.is_fatal() => Failure::Lost(error.into()),
        (KafkaError::Transaction(transaction), _) if transaction.txn_requires_abort() => Failure::Undone(error.into()),
        (KafkaError::Transaction(transaction), _) if transaction.is_retriable() => Failure::Again(error.into()),
        _ => Failure::Lost(error.into()),
    }
}

/// What the rejection of a record means.
fn rejection(topic: &str, error: KafkaError) -> Failure<Error> {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch) => {
            Failure::Fatal(Error::Fenced)
        }
        _ if !is_retriable(&error) => Failure::Fatal(Error::Refused {
            what: format!("to publish to {topic}: allow WRITE on it, and check its max.message.bytes"),
            source: error,
        }),
        _ => Failure::Undone(StepError::Rejected { topic: topic.to_owned(), source: error }.into()),
    }
}

/// Whether a retry may succeed.
fn is_retriable(error: &KafkaError) -> bool {
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
