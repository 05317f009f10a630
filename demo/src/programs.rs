//! The options with which the experiment starts its programs.

pub(crate) mod aggregator;
pub(crate) mod children;

use std::path::{Path, PathBuf};

use crate::child::{ConsumerArgs, DemoChild, ProducerArgs};
use crate::options::DemoOptions;
use crate::venue::Venue;
use crate::watch::observer::{CONSUMERS, PRODUCER};

pub(crate) fn producer(options: &DemoOptions, venue: &Venue) -> DemoChild {
    DemoChild::Producer(ProducerArgs {
        connection: venue.connection(PRODUCER, options),
        records: options.records,
        rate: options.rate,
        window: venue.window(),
    })
}

/// Returns the options of consumer 1 (index 0) or 2 (index 1). Only consumer 2 skips its last commit.
pub(crate) fn consumer(index: usize, options: &DemoOptions, venue: &Venue, ids: &Path) -> DemoChild {
    let instance = CONSUMERS[index];
    DemoChild::Consumer(ConsumerArgs {
        connection: venue.connection(instance, options),
        commit_interval: options.commit_interval(),
        skip_last_commit: index == 1,
        ids: ids_file(ids, instance),
        set: venue.consumer_properties(),
    })
}

/// Returns the path of a consumer's file of record ids.
pub(crate) fn ids_file(ids: &Path, instance: &str) -> PathBuf {
    ids.join(format!("{instance}.ids"))
}
