use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use axum::Router;
use metrics_exporter_prometheus::PrometheusBuilder;
use quipu_config::{Config, ListenAddress};
use quipu_reporter::{KafkaRecorder, KafkaReporter};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::error::Error;
use crate::health::{self, Freshness, Stall};
use crate::http::{HttpState, own_router, status_router, totals_router};
use crate::instruments::{HealthGauges, Instruments, build_info};
use crate::kafka;
use crate::kafka::Source;
use crate::shared::Shared;
use crate::sink::Sinks;
use crate::store;
use crate::task::{PARTITION, Task};

/// How often the aggregator reports its own counters: each report is a record, which it counts in turn.
const OWN_INTERVAL: Duration = Duration::from_secs(10);
const OWN_SHUTDOWN: Duration = Duration::from_secs(5);

/// Runs the aggregator until `stop` is ready, then commits, leaves the group and ends. `version` is that of the program, for
/// its metrics and its status.
///
/// # Errors
/// [`Error`] lists what a retry can't solve. An unreachable broker is retried.
pub async fn run(config: Config, version: &'static str, stop: impl Future<Output = ()>) -> Result<(), Error> {
    store::check(&config)?;
    let prometheus = Arc::new(PrometheusBuilder::new().build_recorder());
    build_info(&prometheus, version);
    let shared = Shared::default();
    let (state, queries) = HttpState::new(&config, version);
    let (view, freshness, statuses) = (state.view.clone(), state.freshness.clone(), Arc::clone(&state.sinks));
    let gauges = HealthGauges::new(&prometheus);
    if let Some(address) = &config.http.listen {
        let (view, freshness) = (view.clone(), freshness.clone());
        let refresh = move || gauges.set(&view, &freshness, Instant::now());
        serve(address, own_router(prometheus.handle(), refresh).merge(totals_router(state))).await?;
    }
    tokio::pin!(stop);
    tokio::select! {
        () = &mut stop => return Ok(()),
        ready = kafka::ensure(&config) => ready?,
    }
    let (recorder, reporter) = own_reporter(&config, &config.application_id)?;
    let mut sinks = Sinks::start(&config, &shared, &prometheus, &recorder, &statuses)?;
    let joining = config.clone();
    let source = tokio::task::spawn_blocking(move || Source::new(&joining, PARTITION)).await;
    let source = Arc::new(source.map_err(|error| Error::Thread(error.to_string()))??);
    let member = Arc::downgrade(&source);
    kafka::watch_log_end(&config, PARTITION, shared.clone(), freshness.clone())?;
    let watchdog = config.watchdog;
    let instruments = Instruments::new(prometheus, recorder, &config.limits);
    let fresh = freshness.clone();
    let task = Task::new(config, shared.clone(), freshness, source, instruments, view.clone(), queries)?;
    let (sender, mut ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("quipu-task".to_owned())
        .spawn(move || sender.send(task.run()))
        .map_err(Error::thread)?;
    let stalled = health::stalled(&shared, watchdog);
    tokio::pin!(stalled);
    let mut of_sinks = Ok(());
    let result = loop {
        tokio::select! {
            result = &mut ended => break result.unwrap_or_else(|_| Err(panicked())),
            // A sink ends without an error when its output is closed; the aggregation goes on.
            Err(error) = sinks.ended() => {
                of_sinks = Err(error);
                shared.stop();
            }
            () = &mut stop, if !shared.stopping() => shared.stop(),
            stall = &mut stalled => {
                view.clear();
                break Err(give_up(stall, &fresh, member).await);
            }
        }
    };
    shared.stop();
    sinks.stopped().await;
    report_last(reporter).await;
    result.and(of_sinks)
}

fn panicked() -> Error {
    Error::Thread("it panicked; see the log above".to_owned())
}

/// Leaves the group, so that a standby takes over at once, and logs what happened.
async fn give_up(stall: Stall, freshness: &Freshness, member: Weak<Source>) -> Error {
    let (step, seconds) = (stall.step, stall.duration.as_secs());
    let (lag, totals_age) = (freshness.lag(Instant::now()), freshness.age(Instant::now()));
    let client = member.upgrade().map(|source| source.state());
    error!(step, seconds, lag, ?totals_age, client, "the task makes no step; leaving the group and ending the process");
    let left = tokio::task::spawn_blocking(move || member.upgrade().inspect(|source| source.leave()));
    drop(left.await);
    Error::Stalled { step, seconds }
}

/// Runs the sinks alone until `stop` is ready or all of them have ended. `version` is that of the program.
///
/// # Errors
/// [`Error`] lists what a retry can't solve. Unreachable brokers and targets are retried.
pub async fn run_sinks(config: Config, version: &'static str, stop: impl Future<Output = ()>) -> Result<(), Error> {
    if config.sinks.is_empty() {
        return Err(Error::NoSinks);
    }
    let prometheus = Arc::new(PrometheusBuilder::new().build_recorder());
    build_info(&prometheus, version);
    let shared = Shared::default();
    let (state, _) = HttpState::new(&config, version);
    let statuses = Arc::clone(&state.sinks);
    if let Some(address) = &config.http.listen {
        serve(address, own_router(prometheus.handle(), || {}).merge(status_router(state))).await?;
    }
    let (recorder, reporter) = own_reporter(&config, &format!("{}-sinks", config.application_id))?;
    let mut sinks = Sinks::start(&config, &shared, &prometheus, &recorder, &statuses)?;
    let result = tokio::select! {
        () = stop => Ok(()),
        ended = sinks.ended() => ended,
    };
    shared.stop();
    sinks.stopped().await;
    report_last(reporter).await;
    result
}

async fn serve(address: &ListenAddress, router: Router) -> Result<(), Error> {
    let failed = |source| Error::Listen { address: address.clone(), source };
    let listener = TcpListener::bind((address.host(), address.port())).await.map_err(failed)?;
    info!(address = %listener.local_addr().map_err(failed)?, "serving HTTP; the page at / links all paths");
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            warn!(%error, "the HTTP server ended");
        }
    });
    Ok(())
}

async fn report_last(reporter: KafkaReporter) {
    let last_report = tokio::task::spawn_blocking(move || reporter.shutdown(OWN_SHUTDOWN)).await;
    if let Ok(Err(error)) = last_report {
        warn!(%error, "the last report of the process's own counters was not acknowledged");
    }
}

fn own_reporter(config: &Config, instance: &str) -> Result<(KafkaRecorder, KafkaReporter), Error> {
    let mut builder = KafkaReporter::builder(&config.kafka.brokers)
        .instance(instance)
        .topic(&config.topics.metrics)
        .interval(OWN_INTERVAL);
    for (name, value) in quipu_kafka::without_identity(config.client_properties()) {
        builder = builder.property(name, value);
    }
    builder.build().map_err(Error::Reporter)
}
