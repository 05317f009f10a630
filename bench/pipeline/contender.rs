//! The interface that Quipu and Kafka Streams share.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use quipu_testkit::Cluster;

use crate::guarantee::Guarantee;
use crate::load::Load;
use crate::measure::Measured;

/// An application that reads counters from a topic and writes totals to another.
pub(crate) trait Contender {
    /// The name in the results.
    fn name(&self) -> &'static str;

    /// Reads the topic from its beginning until its totals are readable, and stops. Returns these totals, too.
    fn read(&self, application: &Site<'_>, load: &Load) -> Result<(Measured, HashMap<String, u64>)>;

    /// The time from the start of the process until the first total is readable.
    fn first_total(&self, application: &Site<'_>, load: &Load) -> Result<Duration>;

    /// Starts again after [`read`](Self::read) stopped. Returns the time until the totals are readable that include the
    /// records added in between.
    fn restart(&self, application: &Site<'_>, load: &Load) -> Result<Duration>;
}

/// The cluster, the name and the folder of one application.
pub(crate) struct Site<'a> {
    pub(crate) cluster: &'a Cluster,
    /// The application's name; the names of its topics begin with it.
    pub(crate) name: String,
    pub(crate) guarantee: Guarantee,
    pub(crate) folder: &'a Path,
}

impl Site<'_> {
    /// The topic of the totals.
    pub(crate) fn output(&self) -> String {
        self.topic("totals")
    }

    /// The full name of one of the application's topics.
    pub(crate) fn topic(&self, what: &str) -> String {
        self.cluster.name(&format!("{}-{what}", self.name))
    }

    /// Creates one of the application's topics.
    pub(crate) fn create_topic(&self, what: &str) {
        let settings = [("cleanup.policy", "compact"), ("max.message.bytes", "4194304")];
        self.cluster.create_topic(&format!("{}-{what}", self.name), 1, &settings);
    }
}
