//! The connection to an HTTP server: time limits, trusted certificates, and what a missing answer means.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use reqwest::Certificate;
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;

use crate::sink::retry::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What the HTTP clients of a sink have in common.
pub(crate) struct Transport {
    /// Whether bodies are compressed.
    pub(crate) gzip: bool,
    /// How long the server may take to answer.
    pub(crate) timeout: Duration,
    /// Certificates of CAs to trust in addition to those of the system.
    pub(crate) authorities: Vec<Certificate>,
}

/// Why a client can't be created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("url: {0}")]
    Url(String),
    #[error("can't create an HTTP client: {0}")]
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
            // A redirect would turn a POST into a GET.
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
/// The file can't be read or has no certificate.
pub(crate) fn authorities(path: &Path) -> Result<Vec<Certificate>, String> {
    let wrong = |why: &str| format!("ca_file {}: {why}", path.display());
    let text = std::fs::read(path).map_err(|error| wrong(&error.to_string()))?;
    match Certificate::from_pem_bundle(&text) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(wrong("has no certificate; it must be PEM, with lines BEGIN CERTIFICATE and END CERTIFICATE")),
    }
}

/// The failure of a request that the server did not answer.
pub(crate) fn unanswered(error: &dyn Error) -> Failure {
    let mut failure = Failure::temporary(describe(error));
    let remedies = [
        // reqwest gives no access to the error of rustls but its text.
        ("UnknownIssuer", "set ca_file of the sink to the certificate of the CA"),
        ("NotValidForName", "the host name in the url must be in the certificate"),
        ("CaUsedAsEndEntity", "the server must use a certificate that is signed by the CA, not that of the CA"),
        ("Expired", "renew the certificate"),
        ("InvalidContentType", "the server does not use TLS on this port; begin the url with http://"),
    ];
    if let Some((_, remedy)) = remedies.iter().find(|(word, _)| failure.why.contains(word)) {
        failure.why = format!("{}; {remedy}", failure.why);
        failure.is_refusal = true;
    }
    failure
}

/// The text of an error with its causes.
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
    fn an_error_that_needs_a_correction_is_a_refusal_with_its_remedy() {
        let unknown = unanswered(&io::Error::other("invalid peer certificate: UnknownIssuer"));
        assert!(unknown.is_refusal && unknown.why.ends_with("the certificate of the CA"), "{unknown:?}");
        assert!(!unanswered(&io::Error::other("Connection refused")).is_refusal);
    }

    #[test]
    fn a_file_without_a_certificate_is_named_in_the_error() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(b"no certificate\n").expect("space");
        for path in [file.path(), Path::new("/nowhere/ca.pem")] {
            let why = authorities(path).expect_err("there is none");
            assert!(why.starts_with(&format!("ca_file {}: ", path.display())), "{why}");
        }
    }
}
