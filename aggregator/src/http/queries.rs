//! The queries that only the task can answer, because only the task has the rows. It answers them between two batches.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use quipu_topology::{Explained, Explanation, Topology};
use tokio::sync::oneshot;

use super::explain::ExplainQuery;
use super::instances::{InstancesAnswer, InstancesQuery, instances};
use super::query::QueryError;

/// The most queries that wait.
const WAITING: usize = 16;
/// The most totals that wait to be explained.
const EXPLANATIONS: usize = 4;
/// How many slots of the table are scanned between two batches. It takes a few milliseconds at most, like a step of a commit.
const SLOTS: usize = 4_000;
/// How long a query waits for the task, which may be committing.
const TIMEOUT: Duration = Duration::from_secs(10);

type ExplainAnswer = Result<Option<Explanation>, QueryError>;

enum Query {
    Instances(InstancesQuery, oneshot::Sender<InstancesAnswer>),
    Explain(ExplainQuery, oneshot::Sender<ExplainAnswer>),
}

/// Sends queries to the task.
#[derive(Clone)]
pub(super) struct Client(SyncSender<Query>);

/// The queries that the task answers.
pub(crate) struct Queries {
    waiting: Receiver<Query>,
    /// The totals to explain; the rows are scanned for the first one.
    explain: VecDeque<(ExplainQuery, oneshot::Sender<ExplainAnswer>)>,
}

pub(super) fn channel() -> (Client, Queries) {
    let (sender, waiting) = sync_channel(WAITING);
    (Client(sender), Queries { waiting, explain: VecDeque::new() })
}

impl Client {
    pub(super) async fn instances(&self, query: InstancesQuery) -> Result<InstancesAnswer, QueryError> {
        self.ask(|answer| Query::Instances(query, answer)).await
    }

    /// What a total is made of; `None` if there is no such total.
    pub(super) async fn explain(&self, query: ExplainQuery) -> Result<Option<Explanation>, QueryError> {
        self.ask(|answer| Query::Explain(query, answer)).await?
    }

    async fn ask<A>(&self, query: impl FnOnce(oneshot::Sender<A>) -> Query) -> Result<A, QueryError> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(query(answer)).map_err(|_| QueryError::Busy)?;
        match tokio::time::timeout(TIMEOUT, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            _ => Err(QueryError::Busy),
        }
    }
}

impl Queries {
    /// Whether rows are still to be scanned, so that the task should not wait for records.
    pub(crate) fn is_scanning(&self) -> bool {
        !self.explain.is_empty()
    }

    /// Answers the queries that wait, or scans a slice of the rows for an answer. Until the totals are all here, none is
    /// explained.
    pub(crate) fn answer(&mut self, topology: &mut Topology, is_ready: bool) {
        while let Ok(query) = self.waiting.try_recv() {
            match query {
                // The client may be gone.
                Query::Instances(query, answer) => _ = answer.send(instances(topology, &query)),
                Query::Explain(query, answer) if self.explain.len() < EXPLANATIONS => {
                    self.explain.push_back((query, answer));
                }
                Query::Explain(_, answer) => _ = answer.send(Err(QueryError::Busy)),
            }
        }
        if !is_ready {
            for (_, answer) in self.explain.drain(..) {
                let _ = answer.send(Err(QueryError::NotReady));
            }
        }
        let Some((query, _)) = self.explain.front() else { return };
        let explanation = match topology.explain(&query.series, SLOTS, query.limit) {
            Explained::Scanning => return,
            Explained::NoTotal => None,
            Explained::Done(explanation) => Some(explanation),
        };
        if let Some((_, answer)) = self.explain.pop_front() {
            let _ = answer.send(Ok(explanation));
        }
    }
}
