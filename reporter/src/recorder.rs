use std::fmt;
use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::registry::Registry;

/// The [`Recorder`] of a [`KafkaReporter`](crate::KafkaReporter); a clone counts into the same counters.
///
/// Install it in a fan-out beside others, or use it with [`metrics::with_local_recorder`]. It works as long as it
/// lives; what it counts is reported until its reporter is shut down.
#[derive(Clone)]
pub struct KafkaRecorder {
    registry: Arc<Registry>,
}

impl KafkaRecorder {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }
}

impl fmt::Debug for KafkaRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaRecorder").finish_non_exhaustive()
    }
}

impl Recorder for KafkaRecorder {
    /// Reports carry no descriptions.
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.registry.counter(key)
    }

    /// Not published: warned about once and counted.
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.registry.unsupported(key, "gauge");
        Gauge::noop()
    }

    /// Not published: warned about once and counted.
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.registry.unsupported(key, "histogram");
        Histogram::noop()
    }
}
