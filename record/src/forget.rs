use std::borrow::Cow;

use serde::Deserialize;
use uuid::Uuid;

use crate::error::excerpt;
use crate::key::FORGET;
use crate::report_writer::push_series;
use crate::series::{Label, Series, SeriesRef, check_name, normalize};
use crate::{BadRecord, limits};

const VERSION: u64 = 1;

/// The request to forget what was counted for a series until now, as a record on `metrics`.
///
/// A row that has the series counts it from its present value on; the retired sum of the series is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgetSeries {
    /// The series.
    pub series: Series,
}

impl ForgetSeries {
    /// The record's key: each request has an id of its own, so that compaction keeps all of them.
    #[must_use]
    pub fn key(id: Uuid) -> Vec<u8> {
        [FORGET, id.to_string().as_bytes()].concat()
    }

    /// The record's value.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = format!("{{\"v\":{VERSION},").into_bytes();
        push_series(&mut json, self.series.as_ref());
        json.push(b'}');
        json
    }

    pub(crate) fn decode(json: &str) -> Result<Self, BadRecord> {
        #[derive(Deserialize)]
        struct Raw<'a> {
            v: u64,
            #[serde(borrow)]
            name: Cow<'a, str>,
            #[serde(borrow, default, deserialize_with = "crate::counters::labels")]
            labels: Vec<Label<'a>>,
        }
        let Raw { v, name, mut labels } =
            serde_json::from_str(json).map_err(|error| BadRecord::UnexpectedShape(excerpt(&error.to_string())))?;
        if v != VERSION {
            return Err(BadRecord::UnknownVersion(v));
        }
        check_name(&name)?;
        normalize(&mut labels, 0)?;
        let series = SeriesRef { name: &name, labels: &labels }.to_series();
        if series.name().starts_with(limits::RESERVED_PREFIX) {
            return Err(BadRecord::ReservedName { series: series.to_string() });
        }
        Ok(Self { series })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Record, decode};

    #[test]
    fn it_round_trips() {
        for text in ["done", "done{topic=\"a\\\"b\"}", "{\"odd name\",a=\"1\",b=\"2\"}"] {
            let request = ForgetSeries { series: text.parse().expect("a series") };
            let (key, value) = (ForgetSeries::key(Uuid::nil()), request.to_json());
            let Ok(Record::Forget(read)) = decode(Some(&key), Some(&value)) else { panic!("{text} is not read") };
            assert_eq!(read, request);
        }
    }

    #[test]
    fn what_the_aggregator_derives_is_not_forgotten() {
        let json = r#"{"v":1,"name":"quipu_audit_delta","labels":{"audit":"all"}}"#;
        assert!(matches!(ForgetSeries::decode(json), Err(BadRecord::ReservedName { .. })));
    }
}
