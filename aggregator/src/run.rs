use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use metrics_exporter_prometheus::PrometheusBuilder;
use quipu_config::Config;
use quipu_reporter::{KafkaRecorder, KafkaReporter};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::error::Error;
use crate::http::{Known, own_router, status_router, totals_router};
use crate::instruments::Instruments;
use crate::kafka;
use crate::shared::Shared;
use crate::sink::Sinks;
use crate::task::Task;

/// How often the aggregator reports its own counters: each report is a record, which it counts in turn.
const OWN_INTERVAL: Duration = Duration::from_secs(10);
const OWN_SHUTDOWN: Duration = Duration::from_secs(5);

/// Runs the aggregator until `stop` is ready, then commits, leaves the group and ends.
///
/// # Errors
/// What time can't heal, as [`Error`] says. An unreachable broker is waited for.
pub async fn run(config: Config, stop: impl Future<Output = ()>) -> Result<(), Error> {
    let prometheus = Arc::new(PrometheusBuilder::new().build_recorder());
    let shared = Shared::default();
    let (known, questions) = Known::new(&config);
    let (view, statuses) = (known.view.clone(), Arc::clone(&known.sinks));
    if let Some(address) = config.http.listen {
        serve(address, own_router(prometheus.handle()).merge(totals_router(known))).await?;
    }
    tokio::pin!(stop);
    tokio::select! {
        () = &mut stop => return Ok(()),
        ready = kafka::ensure(&config) => ready?,
    }
    let (recorder, reporter) = own_reporter(&config, &config.application_id)?;
    let mut sinks = Sinks::start(&config, &shared, &prometheus, &recorder, &statuses)?;
    let task = Task::new(config, shared.clone(), Instruments::new(prometheus, recorder), view, questions)?;
    let (sender, mut ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("quipu-task".to_owned())
        .spawn(move || sender.send(task.run()))
        .map_err(|error| Error::Thread(error.to_string()))?;
    let mut of_sinks = Ok(());
    let result = tokio::select! {
        result = &mut ended => result,
        // When nobody reads a sink's output any more, the aggregation goes on.
        Err(error) = sinks.ended() => {
            of_sinks = Err(error);
            shared.stop();
            ended.await
        }
        () = stop => {
            shared.stop();
            ended.await
        }
    };
    shared.stop();
    sinks.stopped().await;
    report_last(reporter).await;
    result.unwrap_or_else(|_| Err(Error::Thread("it panicked; the log above says where".to_owned())))?;
    of_sinks
}

/// Runs the sinks alone until `stop` is ready or all of them have ended.
///
/// # Errors
/// What time can't heal, as [`Error`] says. Unreachable brokers and targets are waited for.
pub async fn run_sinks(config: Config, stop: impl Future<Output = ()>) -> Result<(), Error> {
    if config.sinks.is_empty() {
        return Err(Error::NoSinks);
    }
    let prometheus = Arc::new(PrometheusBuilder::new().build_recorder());
    let shared = Shared::default();
    let (known, _) = Known::new(&config);
    let statuses = Arc::clone(&known.sinks);
    if let Some(address) = config.http.listen {
        serve(address, own_router(prometheus.handle()).merge(status_router(known))).await?;
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

async fn serve(address: SocketAddr, router: Router) -> Result<(), Error> {
    let listener = TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
    info!(address = %listener.local_addr().unwrap_or(address), "serving /metrics and /healthz");
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
        warn!(%error, "the process's own counters were not reported to the last");
    }
}

fn own_reporter(config: &Config, instance: &str) -> Result<(KafkaRecorder, KafkaReporter), Error> {
    let mut builder = KafkaReporter::builder(&config.kafka.brokers)
        .instance(instance)
        .topic(&config.topics.metrics)
        .interval(OWN_INTERVAL);
    for (name, value) in config.client_properties().filter(|(name, _)| *name != "bootstrap.servers") {
        builder = builder.property(name, value);
    }
    builder.build().map_err(Error::Reporter)
}
