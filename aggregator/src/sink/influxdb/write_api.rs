//! The two APIs of InfluxDB for writing lines over HTTP.

use std::time::Duration;

use influxdb2::api::write::TimestampPrecision;
use influxdb2::{Client, ClientBuilder, RequestError};
use quipu_config::{InfluxdbV1, InfluxdbV2};
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, Url};

use super::transport::{ClientError, Transport, unanswered};
use super::verdict::retry_after;
use crate::sink::retry::Failure;

/// The most bytes of an error's text that are kept.
const TEXT_BYTES: usize = 4096;

/// Where and how to write.
pub(crate) enum WriteApi {
    /// `/api/v2/write` of InfluxDB 2, 3 and VictoriaMetrics.
    V2 { client: Client, bucket: String, probe: Request },
    /// `/write` of InfluxDB 1, 3 and VictoriaMetrics.
    V1(Request),
}

/// A request that is made without the client of `influxdb2`.
pub(crate) struct Request {
    client: reqwest::Client,
    url: Url,
    user: Option<(String, String)>,
    token: Option<String>,
}

/// The server's answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) retry_after: Option<Duration>,
}

impl WriteApi {
    pub(crate) fn v2(url: &str, api: &InfluxdbV2, token: &str, transport: Transport) -> Result<Self, ClientError> {
        let InfluxdbV2 { org, bucket } = api;
        let mut probe_url = parse(url, "api/v2/write")?;
        probe_url.query_pairs_mut().append_pair("org", org).append_pair("bucket", bucket);
        let client = ClientBuilder::with_builder(transport.builder(), url, org, token).build();
        let client = client.map_err(|error| ClientError::Client(error.to_string()))?;
        let token = (!token.is_empty()).then(|| token.to_owned());
        let uncompressed = Transport { gzip: false, ..transport };
        let probe = Request { client: uncompressed.client()?, url: probe_url, user: None, token };
        Ok(Self::V2 { client, bucket: bucket.clone(), probe })
    }

    pub(crate) fn v1(url: &str, api: &InfluxdbV1, password: &str, transport: &Transport) -> Result<Self, ClientError> {
        let InfluxdbV1 { database, retention_policy, user } = api;
        let user = user.clone().map(|user| (user, password.to_owned()));
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
    /// The server did not answer.
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
                    // The client does not give access to headers. The answer to an empty write has the `Retry-After`.
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
        Ok(Answer { status, text: text(response).await, retry_after })
    }
}

/// The beginning of the answer's text, as far as it can be read.
async fn text(mut response: Response) -> String {
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        text.extend_from_slice(&chunk[..chunk.len().min(TEXT_BYTES - text.len())]);
        if text.len() == TEXT_BYTES {
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn parse(url: &str, endpoint: &str) -> Result<Url, ClientError> {
    let mut url = Url::parse(url).map_err(|error| ClientError::Url(error.to_string()))?;
    let path = format!("{}/{endpoint}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}
