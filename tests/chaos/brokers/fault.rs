//! The faults of the brokers: one broker at a time is down, and the next one only after all replicas are in sync again.

use std::time::Duration;

use quipu_testkit::Pipeline;

use super::three::{Brokers, Number};
use super::view::View;
use crate::chance::{Random, pause};

#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// SIGKILL, and a start some seconds later.
    Kill(Role),
    /// SIGSTOP, and SIGCONT up to 20 s later.
    Hang(Role),
    /// All brokers, one after the other, are shut down cleanly and started again.
    RollingRestart,
}

/// The role of the broker that gets the fault.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Role {
    Any,
    GroupCoordinator,
    /// The coordinator of the sink's group.
    SinkCoordinator,
    TransactionCoordinator,
    LeaderOfMetrics,
    LeaderOfAggregates,
    LeaderOfState,
}

use Fault::{Hang, Kill, RollingRestart};

/// The faults in their order, which repeats. The first ones are the most likely to find a defect.
const FAULTS: [Fault; 13] = [
    Kill(Role::GroupCoordinator),
    Hang(Role::LeaderOfMetrics),
    Kill(Role::TransactionCoordinator),
    RollingRestart,
    Hang(Role::GroupCoordinator),
    Kill(Role::LeaderOfMetrics),
    Hang(Role::TransactionCoordinator),
    Kill(Role::SinkCoordinator),
    Hang(Role::LeaderOfAggregates),
    Kill(Role::LeaderOfState),
    Hang(Role::Any),
    Kill(Role::Any),
    Kill(Role::LeaderOfAggregates),
];

impl Fault {
    /// The faults for a guarantee: without transactions there is no transaction coordinator.
    pub(crate) fn all(guarantee: &str) -> impl Iterator<Item = Self> + use<> {
        let has_transactions = guarantee == "exactly_once";
        let faults = FAULTS.into_iter().filter(move |fault| match fault {
            Kill(role) | Hang(role) => has_transactions || *role != Role::TransactionCoordinator,
            RollingRestart => true,
        });
        faults.cycle()
    }

    /// Runs the fault and undoes it. Returns its description, after all replicas are in sync and the leaders are back.
    pub(crate) fn run(self, brokers: &Brokers, view: &View, pipeline: &Pipeline, random: &mut Random) -> String {
        let done = match self {
            Kill(role) => {
                let broker = role.broker(brokers, view, pipeline, random);
                let away = Duration::from_millis(1000 + random.below(6000));
                brokers.kill(broker);
                pause(away);
                brokers.restart(broker);
                format!("broker {broker} ({}) was killed, and started {away:.1?} later", role.name())
            }
            Hang(role) => {
                let broker = role.broker(brokers, view, pipeline, random);
                let away = Duration::from_millis(2000 + random.below(18_000));
                brokers.hang(broker);
                pause(away);
                brokers.resume(broker);
                format!("broker {broker} ({}) hung for {away:.1?}", role.name())
            }
            RollingRestart => {
                for broker in brokers.numbers() {
                    brokers.stop(broker);
                    brokers.restart(broker);
                    view.until_whole();
                }
                "all brokers were restarted, one after the other".to_owned()
            }
        };
        view.until_balanced();
        done
    }
}

impl Role {
    fn broker(self, brokers: &Brokers, view: &View, pipeline: &Pipeline, random: &mut Random) -> Number {
        let application_id = &pipeline.application_id;
        match self {
            Self::Any => {
                let numbers: Vec<Number> = brokers.numbers().collect();
                numbers[usize::try_from(random.below(numbers.len() as u64)).expect("small")]
            }
            Self::GroupCoordinator => view.group_coordinator(application_id),
            Self::SinkCoordinator => view.group_coordinator(&format!("{application_id}-sink-stdout")),
            Self::TransactionCoordinator => view.transaction_coordinator(&format!("{application_id}-0")),
            Self::LeaderOfMetrics => view.leader(&pipeline.metrics),
            Self::LeaderOfAggregates => view.leader(&pipeline.aggregates),
            Self::LeaderOfState => view.leader(&pipeline.state),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::GroupCoordinator => "the group's coordinator",
            Self::SinkCoordinator => "the coordinator of the sink's group",
            Self::TransactionCoordinator => "the transactions' coordinator",
            Self::LeaderOfMetrics => "the leader of metrics",
            Self::LeaderOfAggregates => "the leader of the totals",
            Self::LeaderOfState => "the leader of the changelog",
        }
    }
}
