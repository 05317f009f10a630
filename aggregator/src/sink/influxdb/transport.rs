//! How an HTTP server is reached: time limits, whom to trust, and what it means when there is no answer.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use reqwest::Certificate;
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;

use crate::sink::retry::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What the clients of a sink have in common.
pub(crate) struct Transport {
    /// Whether bodies are compressed.
    pub(crate) gzip: bool,
    /// How long the server may take to answer.
    pub(crate) timeout: Duration,
    /// Who signs servers' certificates, besides those whom the system trusts.
    pub(crate) authorities: Vec<Certificate>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("url: {0}")]
    Url(String),
    #[error("can't make an HTTP client: {0}")]
    Client(String),
}

impl Transport {
    pub(crate) fn builder(&self) -> reqwest::ClientBuilder {
        let mut headers = HeaderMap::new();
        if self.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(self.timeout)
            .default_headers(headers)
            .no_proxy()
            // A POST that is redirected would become a GET.
            .redirect(Policy::none())
            .user_agent(concat!("quipu/", env!("CARGO_PKG_VERSION")));
        self.authorities.iter().cloned().fold(builder, reqwest::ClientBuilder::add_root_certificate)
    }

    pub(crate) fn client(&self) -> Result<reqwest::Client, ClientError> {
        self.builder().build().map_err(|error| ClientError::Client(describe(&error)))
    }
}

/// The certificates of a file in PEM.
///
/// # Errors
/// The file can't be read, or has none; the text says so.
pub(crate) fn authorities(path: &Path) -> Result<Vec<Certificate>, String> {
    let wrong = |why: &str| format!("ca_file {}: {why}", path.display());
    let text = std::fs::read(path).map_err(|error| wrong(&error.to_string()))?;
    match Certificate::from_pem_bundle(&text) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(wrong("has no certificate; it must be PEM, with lines BEGIN CERTIFICATE and END CERTIFICATE")),
    }
}

/// What to do when there was no answer.
pub(crate) fn unanswered(error: &dyn Error) -> Failure {
    let mut failure = Failure::passing(describe(error));
    let remedies = [
        // The words of rustls, which are all that reqwest lets through.
        ("UnknownIssuer", "give the certificate of its CA as ca_file of the sink"),
        ("NotValidForName", "the url must have a name that the certificate is for"),
        ("CaUsedAsEndEntity", "the server shows the certificate of a CA instead of one that the CA signed"),
        ("Expired", "renew it"),
        ("InvalidContentType", "the server does not speak TLS there; begin the url with http://"),
    ];
    if let Some((_, remedy)) = remedies.iter().find(|(word, _)| failure.why.contains(word)) {
        failure.why = format!("{}; {remedy}", failure.why);
        failure.is_refusal = true;
    }
    failure
}

/// An error with its causes, of which the last says most.
fn describe(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        if !text.contains(&why) {
            text.push_str(": ");
            text.push_str(&why);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write as _};

    use super::*;

    #[test]
    fn what_somebody_has_to_mend_is_a_refusal_with_its_remedy() {
        let unknown = unanswered(&io::Error::other("invalid peer certificate: UnknownIssuer"));
        assert!(unknown.is_refusal && unknown.why.ends_with("as ca_file of the sink"), "{unknown:?}");
        assert!(!unanswered(&io::Error::other("Connection refused")).is_refusal);
    }

    #[test]
    fn a_file_without_a_certificate_is_told_by_its_name() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(b"no certificate\n").expect("space");
        for path in [file.path(), Path::new("/nowhere/ca.pem")] {
            let why = authorities(path).expect_err("there is none");
            assert!(why.starts_with(&format!("ca_file {}: ", path.display())), "{why}");
        }
    }
}
