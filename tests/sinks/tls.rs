//! Servers that use TLS with certificates of a private CA.

use std::path::Path;
use std::process::{Command, Stdio};

use quipu_testkit::{Missing, Server, require};
use tempfile::TempDir;

use crate::stream::Stream;
use crate::{influxdb, victoria_metrics};

/// A CA, and a server's certificate and key that it signed for `localhost`.
struct Certificates(TempDir);

impl Certificates {
    fn make() -> Result<Self, Missing> {
        let missing = |_| Missing("no openssl: install it (Debian: apt-get install openssl)".to_owned());
        Command::new("openssl").arg("version").output().map_err(missing)?;
        let folder = TempDir::new().unwrap();
        let new_key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
        let openssl = |arguments: &[&str]| {
            let mut openssl = Command::new("openssl");
            openssl.args(new_key).args(arguments).current_dir(folder.path()).stderr(Stdio::null());
            assert!(openssl.status().unwrap().success(), "{openssl:?}");
        };
        openssl(&["-subj", "/CN=Quipu tests", "-keyout", "ca.key", "-out", "ca.pem"]);
        openssl(&[
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            "server.key",
            "-out",
            "server.pem",
        ]);
        Ok(Self(folder))
    }

    fn start(&self, server: &str) -> Result<Server, Missing> {
        let paths = ["server.pem", "server.key"].map(|name| self.path(name));
        Server::start(server, &paths.each_ref().map(String::as_str))
    }

    fn path(&self, name: &str) -> String {
        Path::new(self.0.path()).join(name).to_str().unwrap().to_owned()
    }
}

fn port(server: &Server) -> &str {
    server.address().rsplit_once(':').unwrap().1
}

#[test]
fn an_untrusted_certificate_loses_nothing_and_its_remedy_is_logged() {
    let Some(certificates) = require(Certificates::make()) else { return };
    let Some(server) = require(certificates.start("influxdb")) else { return };
    let address = format!("https://{}", server.address());
    influxdb::create_database(&address);
    let mut stream = Stream::new();
    stream.publish_seconds(0..3);
    let sink = |host: &str, more: &str| {
        let port = port(&server);
        stream.start_sink(&format!("type = 'influxdb'\nurl = 'https://{host}:{port}'\ndatabase = 'quipu'\n{more}"))
    };
    let ca_file = format!("ca_file = '{}'", certificates.path("ca.pem"));

    let untrusting = sink("localhost", "");
    untrusting.expect_log("the target refuses all writes; correct it or the sink's configuration");
    untrusting.expect_log("UnknownIssuer; set ca_file of the sink to the certificate of the CA");
    untrusting.expect_status("nothing is lost", |status| status["points"] == 0 && status["rejected"] == 0);
    untrusting.stop();

    let misnaming = sink("127.0.0.1", &ca_file);
    misnaming.expect_log("the host name in the url must be in the certificate");
    misnaming.stop();

    let trusting = sink("localhost", &ca_file);
    stream.expect(&trusting, || influxdb::read_at(&address, influxdb::ALL));
}

#[test]
fn the_v2_api_is_reached_over_tls_too() {
    let Some(certificates) = require(Certificates::make()) else { return };
    let Some(server) = require(certificates.start("victoria-metrics")) else { return };
    let mut stream = Stream::new();
    stream.publish_seconds(0..3);
    let url = format!("type = 'influxdb'\nbucket = 'any'\nurl = 'https://localhost:{}'", port(&server));
    let untrusting = stream.start_sink(&url);
    untrusting.expect_log("UnknownIssuer; set ca_file of the sink to the certificate of the CA");
    untrusting.stop();
    // SSL_CERT_FILE replaces the system's certificates, as for other programs.
    let trusting = stream.start_sink_with(&url, &[("SSL_CERT_FILE", &certificates.path("ca.pem"))]);
    stream.expect(&trusting, || victoria_metrics::read_at(&format!("https://{}", server.address())));
}

#[test]
fn a_server_without_tls_is_distinguished_from_one_that_is_down() {
    let Some(server) = require(influxdb::start()) else { return };
    let mut stream = Stream::new();
    stream.publish_seconds(0..1);
    let url = format!("url = 'https://{}'", server.address());
    let sink = stream.start_sink(&format!("type = 'influxdb'\n{url}\ndatabase = 'quipu'"));
    sink.expect_log("the server does not use TLS on this port; begin the url with http://");
}
