//! The engine's log on Kafka: one consumer of the group, one producer of totals and rows, one of dead letters; and, while
//! rows are restored, one consumer of the changelog.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use quipu_config::{Config, ProcessingGuarantee, Topics};
use quipu_record::StateRowError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{error, warn};

use super::publisher::{DELIVERY_TIMEOUT, Published, Publisher, TRANSACTION_TIMEOUT};
use super::restorer::Restorer;
use super::source::Source;
use crate::engine::{Assigned, Delivery, Destination, Failure, Log, Output, RowSink};
use crate::error::Error;
use crate::shared::Shared;

/// How long to wait before a step is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a stopping process tries to have its last totals accepted.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Kafka, as the engine sees it.
pub(crate) struct KafkaLog {
    config: Config,
    shared: Shared,
    source: Arc<Source>,
    /// From an assignment until the rows are restored.
    restorer: Option<Restorer>,
    /// Totals and rows; made at each assignment, so that those of every process before are fenced.
    outputs: Option<Publisher>,
    /// When the first transaction began of those that came to no end yet, or were undone.
    began: Option<Instant>,
    /// When records were last handed over.
    sent: Instant,
    dead_letters: Publisher,
    stopping_since: Option<Instant>,
}

type Step<T> = Result<T, Failure<Error>>;

impl KafkaLog {
    pub(crate) fn new(config: &Config, shared: Shared, source: Arc<Source>) -> Result<Self, Error> {
        Ok(Self {
            restorer: None,
            dead_letters: Publisher::new(config, ProcessingGuarantee::AtLeastOnce).map_err(Error::Client)?,
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

    /// The brokers end a transaction that is open for too long, because they were away, say. To its producer that looks as
    /// if another one had taken its place; whether one did is then for the group to tell.
    fn within_transaction(&self, failure: Failure<Error>) -> Failure<Error> {
        match failure {
            Failure::Fatal(Error::Fenced) if self.began.is_some_and(|began| began.elapsed() >= TRANSACTION_TIMEOUT) => {
                Failure::Lost("the transaction took too long, and the brokers ended it".to_owned())
            }
            failure => failure,
        }
    }
}

impl Log for KafkaLog {
    type Error = Error;

    fn assigned(&mut self) -> Step<Assigned> {
        self.outputs = None;
        let outputs = Publisher::new(&self.config, self.config.processing_guarantee)
            .map_err(|error| Failure::Fatal(Error::Client(error)))?;
        outputs.connect(&self.config).map_err(|error| Failure::Again(error.to_string()))?;
        if self.exactly_once() {
            outputs.init_transactions().map_err(|error| transaction(&error))?;
        }
        self.outputs = Some(outputs);
        self.began = None;
        let again = |error: KafkaError| Failure::Again(error.to_string());
        let Topics { metrics, state, .. } = &self.config.topics;
        let restorer = Restorer::new(&self.config).map_err(|error| Failure::Fatal(Error::Client(error)))?;
        // The changelog first: if somebody commits just now, its rows are not ahead of the source log as we know it.
        let (_, changelog_end) = restorer.watermarks(state).map_err(again)?;
        let (begin, end) = restorer.watermarks(metrics).map_err(again)?;
        let committed = self.source.committed().map_err(again)?;
        self.restorer = Some(restorer);
        Ok(Assigned { begin, end, committed, changelog_end })
    }

    fn changelog(&mut self, from: i64, end: i64, row: RowSink<'_, Error>) -> Step<()> {
        let restorer = self.restorer.as_ref().ok_or_else(|| Failure::Lost("there is no consumer".to_owned()))?;
        restorer.read(&self.config.topics.state, from, end, &self.shared, row)
    }

    fn seek(&mut self, position: i64) -> Step<()> {
        if let Some(restorer) = self.restorer.take() {
            restorer.close();
        }
        self.source.seek(position).map_err(|error| Failure::Again(error.to_string()))
    }

    fn dead_letters(&mut self, copies: &[Output]) -> Step<()> {
        let topic = &self.config.topics.dead_letters;
        let rejected = self.dead_letters.publish(topic, copies).rejected;
        if let Some((_, error)) = rejected.iter().find(|(_, error)| may_heal(error)) {
            return Err(Failure::Again(format!("copies of bad records to {topic}: {error}")));
        }
        self.shared.lose_dead_letters(rejected.len());
        if let Some((_, error)) = rejected.first() {
            let lost = rejected.len();
            error!(topic, %error, lost, "kafka refuses copies of bad records: allow WRITE on the topic, and check its max.message.bytes");
        }
        Ok(())
    }

    fn begin(&mut self) -> Step<()> {
        if self.exactly_once() {
            let result = self.outputs()?.begin_transaction();
            result.map_err(|error| self.within_transaction(transaction(&error)))?;
            self.began.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    fn send(&mut self, to: Destination, records: &[Output]) -> Step<()> {
        self.sent = Instant::now();
        let Topics { aggregates, state, .. } = &self.config.topics;
        self.outputs()?.send(if to == Destination::Totals { aggregates } else { state }, records);
        Ok(())
    }

    fn deliveries(&mut self, patience: Duration) -> Step<Delivery> {
        let Some(Published { rejected, mut next_offsets }) = self.outputs()?.deliveries(patience) else {
            if self.sent.elapsed() > DELIVERY_TIMEOUT {
                return Err(Failure::Lost("the client does not say what became of records".to_owned()));
            }
            return Ok(Delivery::Waiting);
        };
        match rejected.into_iter().next() {
            Some((topic, error)) => Err(self.within_transaction(rejection(&topic, error))),
            None => Ok(Delivery::All { changelog: next_offsets.remove(&self.config.topics.state) }),
        }
    }

    fn offset(&mut self, position: i64) -> Step<()> {
        if self.exactly_once() {
            let result = self.source.commit_with(position, self.outputs()?);
            return result.map_err(|error| self.within_transaction(transaction(&error)));
        }
        self.source.commit(position).map_err(|error| match error.rdkafka_error_code() {
            Some(code) if of_the_group(code) => Failure::Lost(error.to_string()),
            _ => Failure::Again(error.to_string()),
        })
    }

    fn end(&mut self) -> Step<()> {
        if self.exactly_once() {
            let result = self.outputs()?.commit_transaction();
            result.map_err(|error| self.within_transaction(transaction(&error)))?;
            self.began = None;
        }
        Ok(())
    }

    fn abort(&mut self) -> Step<()> {
        if self.exactly_once() {
            let result = self.outputs()?.abort_transaction();
            result.map_err(|error| self.within_transaction(transaction(&error)))?;
        }
        Ok(())
    }

    fn release(&mut self) {
        self.outputs = None;
    }

    fn rejoin(&mut self) {
        if let Err(Failure::Again(why) | Failure::Undone(why) | Failure::Lost(why)) = self.abort() {
            warn!(why, "the transaction is left to its timeout");
        }
        self.release();
        // A stopping process leaves the group anyway.
        if !self.shared.stopping()
            && let Err(error) = self.source.rejoin()
        {
            warn!(%error, "can't join the group again");
        }
    }

    fn pause(&mut self) -> bool {
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

/// What a failed step of a transaction means.
fn transaction(error: &KafkaError) -> Failure<Error> {
    let why = error.to_string();
    let code = error.rdkafka_error_code();
    match (error, code) {
        (_, Some(RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::FencedInstanceId | RDKafkaErrorCode::InvalidProducerEpoch)) => {
            Failure::Fatal(Error::Fenced)
        }
        (_, Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed)) => {
            Failure::Fatal(Error::Refused {
                what: "transactions; allow WRITE and DESCRIBE on the transactional ID and READ on the group, or set processing_guarantee = \"at_least_once\"".to_owned(),
                source: error.clone(),
            })
        }
        (_, Some(code)) if of_the_group(code) => Failure::Lost(why),
        (KafkaError::Transaction(transaction), _) if transaction.is_fatal() => Failure::Lost(why),
        (KafkaError::Transaction(transaction), _) if transaction.txn_requires_abort() => Failure::Undone(why),
        (KafkaError::Transaction(transaction), _) if transaction.is_retriable() => Failure::Again(why),
        _ => Failure::Lost(why),
    }
}

/// What a record means that Kafka did not accept.
fn rejection(topic: &str, error: KafkaError) -> Failure<Error> {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch) => {
            Failure::Fatal(Error::Fenced)
        }
        _ if !may_heal(&error) => Failure::Fatal(Error::Refused {
            what: format!("publishing to {topic}; allow WRITE on it, and check its max.message.bytes"),
            source: error,
        }),
        _ => Failure::Undone(format!("records to {topic}: {error}")),
    }
}

/// Whether it is for the group to decide who goes on.
fn of_the_group(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::UnknownMemberId
            | RDKafkaErrorCode::RebalanceInProgress
            | RDKafkaErrorCode::AssignmentLost
            | RDKafkaErrorCode::NoOffset
    )
}

/// Whether trying again may help.
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
