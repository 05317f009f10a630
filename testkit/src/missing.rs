use std::env;
use std::io::{Write, stderr};
use std::thread;

/// Why a server or a program is not available on this machine.
#[derive(Clone, Debug)]
pub struct Missing(pub String);

/// Returns the server, or `None` if it is missing, in which case the test must return at once. With `CI=true` a missing
/// server fails the test, because a skipped test would go unnoticed there.
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
            // `eprintln!` is not used, because the test runner hides its output when a test passes.
            _ = writeln!(stderr(), "skipped: {test}: {why}");
            None
        }
    }
}
