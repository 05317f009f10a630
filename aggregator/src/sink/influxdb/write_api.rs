//! InfluxDB's two ways to write lines over HTTP.

use std::time::Duration;

use influxdb2::api::write::TimestampPrecision;
use influxdb2::{Client, ClientBuilder, RequestError};
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, Url};

use super::transport::{ClientError, Transport, unanswered};
use super::verdict::retry_after;
use crate::sink::retry::Failure;

/// As much of an error as anybody reads.
const WORDS_BYTES: usize = 4096;

/// Where and how to write.
pub(crate) enum WriteApi {
    /// `/api/v2/write` of InfluxDB 2, 3 and VictoriaMetrics.
    V2 { client: Client, bucket: String, probe: Request },
    /// `/write` of InfluxDB 1, 3 and VictoriaMetrics.
    V1(Request),
}

/// A request of our own.
pub(crate) struct Request {
    client: reqwest::Client,
    url: Url,
    user: Option<(String, String)>,
    token: Option<String>,
}

/// What the server said.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) retry_after: Option<Duration>,
}

impl WriteApi {
    pub(crate) fn v2(
        url: &str,
        org: &str,
        bucket: &str,
        token: &str,
        transport: Transport,
    ) -> Result<Self, ClientError> {
        let mut probe_url = parse(url, "api/v2/write")?;
        probe_url.query_pairs_mut().append_pair("org", org).append_pair("bucket", bucket);
        let client = ClientBuilder::with_builder(transport.builder(), url, org, token).build();
        let client = client.map_err(|error| ClientError::Client(error.to_string()))?;
        let token = (!token.is_empty()).then(|| token.to_owned());
        let uncompressed = Transport { gzip: false, ..transport };
        let probe = Request { client: uncompressed.client()?, url: probe_url, user: None, token };
        Ok(Self::V2 { client, bucket: bucket.to_owned(), probe })
    }

    pub(crate) fn v1(
        url: &str,
        database: &str,
        retention_policy: Option<&str>,
        user: Option<(String, String)>,
        transport: &Transport,
    ) -> Result<Self, ClientError> {
        let mut url = parse(url, "write")?;
        url.query_pairs_mut().append_pair("db", database).append_pair("precision", "ms");
        if let Some(policy) = retention_policy {
            url.query_pairs_mut().append_pair("rp", policy);
        }
        Ok(Self::V1(Request { client: transport.client()?, url, user, token: None }))
    }

    /// Writes lines.
    ///
    /// # Errors
    /// There was no answer.
    pub(crate) async fn write(&self, body: Vec<u8>) -> Result<Answer, Failure> {
        let (client, bucket, probe) = match self {
            Self::V1(request) => return request.send(body).await,
            Self::V2 { client, bucket, probe } => (client, bucket, probe),
        };
        let precision = TimestampPrecision::Milliseconds;
        match client.write_line_protocol_with_precision(&client.org, bucket, body, precision).await {
            Ok(()) => Ok(Answer { status: 204, text: String::new(), retry_after: None }),
            Err(RequestError::Http { status, text }) => {
                let mut answer = Answer { status: status.as_u16(), text, retry_after: None };
                if matches!(answer.status, 429 | 503) {
                    // The client shows no headers. A write of nothing tells how long the server wants to be left alone.
                    answer.retry_after = probe.send(Vec::new()).await.ok().and_then(|probed| probed.retry_after);
                }
                Ok(answer)
            }
            Err(error) => Err(unanswered(&error)),
        }
    }
}

impl Request {
    async fn send(&self, body: Vec<u8>) -> Result<Answer, Failure> {
        let mut request = self.client.post(self.url.clone()).body(body);
        if let Some((user, password)) = &self.user {
            request = request.basic_auth(user, Some(password));
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Token {token}"));
        }
        let response = request.send().await.map_err(|error| unanswered(&error.without_url()))?;
        let retry_after =
            response.headers().get(RETRY_AFTER).and_then(|header| header.to_str().ok()).and_then(retry_after);
        let status = response.status().as_u16();
        Ok(Answer { status, text: words(response).await, retry_after })
    }
}

/// The beginning of the server's words; the status says enough if they can't be read.
async fn words(mut response: Response) -> String {
    let mut words = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        words.extend_from_slice(&chunk[..chunk.len().min(WORDS_BYTES - words.len())]);
        if words.len() == WORDS_BYTES {
            break;
        }
    }
    String::from_utf8_lossy(&words).into_owned()
}

fn parse(url: &str, endpoint: &str) -> Result<Url, ClientError> {
    let mut url = Url::parse(url).map_err(|error| ClientError::Url(error.to_string()))?;
    let path = format!("{}/{endpoint}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}
