//! The servers that the dashboards query, filled by a real Kafka broker, a real aggregator and its sinks.

use quipu_testkit::configured::Aggregator;
use quipu_testkit::http::{encode, request};
use quipu_testkit::{DEADLINE, Kafka, Missing, Server, eventually, run};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};

use crate::QUIPU;
use crate::query::{Source, graphite, influxql, prometheus};

pub(crate) struct Filled {
    pub(crate) prometheus: Server,
    pub(crate) influxdb: Server,
    pub(crate) carbon: Server,
    _aggregator: Aggregator,
    kafka: Kafka,
}

/// What the instances have counted in the first and in the second round. Only the last report of `app-2` is a final
/// one.
const SENT: [u64; 2] = [1000, 3000];
const APP_1_AUTH: [u64; 2] = [400, 1400];
const APP_2_AUTH: [u64; 2] = [300, 1300];
const APP_2_MAIL: [u64; 2] = [300, 400];

impl Filled {
    pub(crate) fn start() -> Result<Self, Missing> {
        let kafka = Kafka::start()?;
        let influxdb = Server::start("influxdb", &[])?;
        let carbon = Server::start("carbon", &[])?;
        let path = format!("/query?q={}", encode("CREATE DATABASE quipu"));
        eventually("the database", || {
            request("POST", influxdb.address(), &path, "").ok().filter(|(status, _)| *status == 200)
        });
        let sinks = format!(
            "[[sink]]\nname = 'influxdb'\ntype = 'influxdb'\nurl = 'http://{}'\ndatabase = 'quipu'\n\
             [[sink]]\nname = 'graphite'\ntype = 'graphite'\naddress = '{}'\nsettle = '1s'\n",
            influxdb.address(),
            carbon.address(),
        );
        let aggregator = Aggregator::start(QUIPU, kafka.bootstrap(), "instance_timeout = '1h'", &sinks);
        let prometheus = Server::start("prometheus", &[&aggregator.address])?;
        let filled = Self { prometheus, influxdb, carbon, _aggregator: aggregator, kafka };
        // Counts are reported only now, so that Prometheus sees them grow. No query here names a job: the totals do not
        // repeat the aggregator's own counters.
        let others = r#"sum(quipu_run_events_total{event="joined"})"#;
        filled.eventually("Prometheus to see the aggregator's own run", |it| it.prometheus(others) == Some(1.0));
        for round in 0..2 {
            filled.report(round);
            filled.arrived(round);
        }
        Ok(filled)
    }

    fn report(&self, round: usize) {
        let mut config = ClientConfig::new();
        let producer: BaseProducer = config.set("bootstrap.servers", self.kafka.bootstrap()).create().unwrap();
        let processed =
            |topic: &str, value| json!({"name": "records_processed", "labels": {"topic": topic}, "value": value});
        let send = |number: u64, instance: &str, is_final: bool, counters: &[Value]| {
            let run = run(number);
            let report = json!({
                "v": 1, "instance": instance, "run": run, "at": 0, "seq": round + 1, "interval_ms": 1000,
                "final": is_final, "counters": counters,
            });
            let (key, value) = (format!("{instance}/{run}"), report.to_string());
            producer.send(BaseRecord::to("metrics").key(&key).payload(&value)).map_err(|(error, _)| error).unwrap();
        };
        send(1, "app-1", false, &[processed("auth", APP_1_AUTH[round])]);
        let app_2 = [processed("auth", APP_2_AUTH[round]), processed("mail", APP_2_MAIL[round])];
        send(2, "app-2", round == 1, &app_2);
        send(3, "sender", false, &[json!({"name": "records_sent", "value": SENT[round]})]);
        if round == 1 {
            producer.send(BaseRecord::to("metrics").key("bad").payload("{")).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(DEADLINE).unwrap();
    }

    /// Waits until every server has the totals of this round and the aggregator's own series.
    fn arrived(&self, round: usize) {
        let total = [APP_1_AUTH, APP_2_AUTH, APP_2_MAIL].iter().map(|counts| counts[round]).sum::<u64>();
        #[expect(clippy::cast_precision_loss, reason = "they are small")]
        let (total, sent, left) = (Some(total as f64), Some(SENT[round] as f64), Some(round as f64));
        self.eventually("Prometheus to have the totals", |it| {
            it.prometheus("quipu_audit_processed_total") == total
                && it.prometheus("quipu_audit_sent_total") == sent
                && it.prometheus(r#"sum(quipu_run_events_total{event="left"})"#) == left
                && it.prometheus("sum(quipu_bad_records_total) or vector(0)") == left
                && it.prometheus("max(quipu_source_lag)") == Some(0.0)
        });
        self.eventually("Graphite to have the totals", |it| {
            it.graphite("quipu.quipu_audit_processed.audit.auth") == total
                && it.graphite("sumSeries(quipu.records_processed.topic.*)") == total
                && it.graphite("quipu.quipu_audit_sent.audit.auth") == sent
                && it.graphite("quipu.quipu_run_events_total.event.left") == left
        });
        self.eventually("InfluxDB to have the totals", |it| {
            it.influxdb("quipu_audit_processed", "") == total
                && it.influxdb("quipu_audit_sent", "") == sent
                && it.influxdb("quipu_run_events_total", r#""event" = 'left'"#) == left
        });
    }

    #[track_caller]
    fn eventually(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        eventually(what, || holds(self).then_some(()));
    }

    fn prometheus(&self, expression: &str) -> Option<f64> {
        Some(prometheus(&self.prometheus, expression, "").ok()?.first()?.last)
    }

    fn graphite(&self, target: &str) -> Option<f64> {
        Some(graphite(&self.carbon, target).ok()?.first()?.last)
    }

    fn influxdb(&self, measurement: &str, condition: &str) -> Option<f64> {
        let source = Source {
            measurement: measurement.to_owned(),
            field: "total".to_owned(),
            conditions: Some(condition).filter(|it| !it.is_empty()).into_iter().map(str::to_owned).collect(),
        };
        Some(influxql(&self.influxdb, &source).first()?.1.last)
    }
}
