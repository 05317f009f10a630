use std::env;
use std::io::{Write, stderr};
use std::thread;

/// Why a server or a foreign client cannot be had here.
#[derive(Clone, Debug)]
pub struct Missing(pub String);

/// The server, or `None` where it is missing and the test is to return at once. Under `CI=true` a missing server is a
/// failure: nobody would notice there that a test has stopped running.
#[track_caller]
pub fn require<T>(server: Result<T, Missing>) -> Option<T> {
    match server {
        Ok(server) => Some(server),
        Err(Missing(why)) if env::var_os("CI").is_some_and(|ci| ci == "true") => {
            panic!("missing under CI: {why}")
        }
        Err(Missing(why)) => {
            let current = thread::current();
            let test = current.name().unwrap_or("a test");
            // Not `eprintln!`, which the test runner keeps to itself when a test passes.
            _ = writeln!(stderr(), "skipped: {test}: {why}");
            None
        }
    }
}
