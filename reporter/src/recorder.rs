use std::fmt;
use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::registry::Registry;

/// The [`Recorder`] of a [`KafkaReporter`](crate::KafkaReporter); clones share their counters.
///
/// Install it in a fan-out with other recorders, or use it with [`metrics::with_local_recorder`]. It keeps counting
/// after its reporter was shut down, but these counts are not reported.
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

    /// Gauges are not published: the name is logged once, and the registration is counted.
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.registry.unsupported(key, "gauge");
        Gauge::noop()
    }

    /// Histograms are not published: the name is logged once, and the registration is counted.
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.registry.unsupported(key, "histogram");
        Histogram::noop()
    }
}
