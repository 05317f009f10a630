//! What Quipu and its peer have in common.

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
    /// What it is called in the results.
    fn name(&self) -> &'static str;

    /// Reads the topic from its beginning until its totals are readable, and stops. Gives these totals too.
    fn read(&self, application: &Site<'_>, load: &Load) -> Result<(Measured, HashMap<String, u64>)>;

    /// From the start of the process to the first total that is readable.
    fn first_total(&self, application: &Site<'_>, load: &Load) -> Result<Duration>;

    /// Starts again what [`read`](Self::read) stopped. Gives how long it takes until totals are readable that contain
    /// what was added meanwhile.
    fn restart(&self, application: &Site<'_>, load: &Load) -> Result<Duration>;
}

/// Where one application runs, and under which name.
pub(crate) struct Site<'a> {
    pub(crate) cluster: &'a Cluster,
    /// The application's name; with it begin those of its topics.
    pub(crate) name: String,
    pub(crate) guarantee: Guarantee,
    pub(crate) folder: &'a Path,
}

impl Site<'_> {
    /// The topic of the totals.
    pub(crate) fn output(&self) -> String {
        self.topic("totals")
    }

    /// A topic of the application.
    pub(crate) fn topic(&self, what: &str) -> String {
        self.cluster.name(&format!("{}-{what}", self.name))
    }

    /// Creates such a topic.
    pub(crate) fn create_topic(&self, what: &str) {
        let settings = [("cleanup.policy", "compact"), ("max.message.bytes", "4194304")];
        self.cluster.create_topic(&format!("{}-{what}", self.name), 1, &settings);
    }
}
