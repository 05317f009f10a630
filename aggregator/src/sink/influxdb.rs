pub(crate) mod line_protocol;
mod transport;
mod verdict;
mod write_api;

use std::collections::HashSet;
use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use quipu_config::{Influxdb, InfluxdbApi, InfluxdbConnection};
use quipu_record::Aggregate;
use tokio::runtime::{Builder, Runtime};

use super::retry::Failure;
use super::target::{Rejection, Target, Unwritten, Written};
use line_protocol::push_line;
use transport::Transport;
use verdict::{Verdict, verdict};
use write_api::{Answer, WriteApi};

/// InfluxDB, and servers with the same API.
pub(crate) struct InfluxDb {
    runtime: Runtime,
    api: WriteApi,
    /// Lines in a request.
    batch: usize,
    gzip: bool,
}

impl InfluxDb {
    /// The target with these options; a request may take `timeout`.
    ///
    /// # Errors
    /// What is wrong with the options.
    pub(crate) fn new(options: &Influxdb, timeout: Duration) -> Result<Self, String> {
        let InfluxdbConnection { url, ca_file, batch, gzip, .. } = &options.connection;
        let secret = options.connection.secret().unwrap_or_default();
        let authorities = ca_file.as_deref().map(transport::authorities).transpose()?.unwrap_or_default();
        let transport = Transport { gzip: *gzip, timeout, authorities };
        let api = match &options.api {
            InfluxdbApi::V2(api) => WriteApi::v2(url, api, secret, transport),
            InfluxdbApi::V1(api) => WriteApi::v1(url, api, secret, &transport),
        };
        let api = api.map_err(|error| error.to_string())?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        Ok(Self { runtime, api, batch: *batch, gzip: *gzip })
    }

    /// Writes lines. If the server rejects some of them, the halves are written, down to the lines that are wrong.
    fn write_lines(&self, lines: &[Line<'_>], text: &[u8], written: &mut Written) -> Result<(), Failure> {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
            return Ok(());
        };
        let body = self.body(&text[first.start..last.end]);
        let Answer { status, text: reason, retry_after } = self.runtime.block_on(self.api.write(body))?;
        let why = format!("HTTP {status}: {}", reason.trim());
        match verdict(status, &reason, lines.len()) {
            Verdict::Accepted => written.points += lines.len(),
            Verdict::Retry => return Err(Failure { why, retry_after, is_refusal: false }),
            Verdict::Refused => return Err(Failure { why, retry_after, is_refusal: true }),
            Verdict::Rejected => written.rejected.extend(lines.iter().map(|line| line.rejection(&why))),
            Verdict::Split => {
                let (left, right) = lines.split_at(lines.len() / 2);
                self.write_lines(left, text, written)?;
                self.write_lines(right, text, written)?;
            }
        }
        Ok(())
    }

    fn body(&self, lines: &[u8]) -> Vec<u8> {
        if !self.gzip {
            return lines.to_vec();
        }
        let mut gzip = GzEncoder::new(Vec::with_capacity(lines.len() / 4), Compression::fast());
        // Writing to a vector can't fail.
        let _ = gzip.write_all(lines);
        gzip.finish().unwrap_or_default()
    }
}

impl Target for InfluxDb {
    fn write(&mut self, aggregates: &[Aggregate]) -> Result<Written, Unwritten> {
        let mut written = Written::default();
        let mut text = Vec::with_capacity(aggregates.len() * 128);
        let mut lines = Vec::with_capacity(aggregates.len());
        for aggregate in latest(aggregates) {
            let start = text.len();
            match push_line(&mut text, aggregate) {
                Ok(cleaned) => {
                    written.cleaned += usize::from(cleaned);
                    lines.push(Line { start, end: text.len(), aggregate });
                }
                Err(error) => {
                    written.rejected.push(Rejection { series: aggregate.series.to_string(), why: error.to_string() });
                }
            }
        }
        for lines in lines.chunks(self.batch) {
            self.write_lines(lines, &text, &mut written)?;
        }
        Ok(written)
    }
}

/// A line in a text.
struct Line<'a> {
    start: usize,
    end: usize,
    aggregate: &'a Aggregate,
}

impl Line<'_> {
    fn rejection(&self, why: &str) -> Rejection {
        Rejection { series: self.aggregate.series.to_string(), why: why.to_owned() }
    }
}

/// Drops an aggregate if a later one has the same series and time: if a request has both, it depends on the server which
/// one is kept.
fn latest(aggregates: &[Aggregate]) -> Vec<&Aggregate> {
    let mut seen = HashSet::with_capacity(aggregates.len());
    let mut latest: Vec<_> =
        aggregates.iter().rev().filter(|aggregate| seen.insert((&aggregate.series, aggregate.timestamp))).collect();
    latest.reverse();
    latest
}

#[cfg(test)]
mod tests {
    use super::super::tests::aggregate;
    use super::*;

    #[test]
    fn of_one_series_and_time_only_the_last_is_written() {
        let later = Aggregate { timestamp: quipu_record::Millis(1), ..aggregate(4) };
        let aggregates = [aggregate(1), later.clone(), aggregate(2), aggregate(3)];
        assert_eq!(latest(&aggregates), [&later, &aggregate(3)]);
    }
}
