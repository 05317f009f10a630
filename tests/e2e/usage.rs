//! What the binary says to a wrong command line.

use crate::support::quipu;

#[test]
fn an_unknown_command_is_a_usage_error() {
    let finished = quipu(&["knot"]).finish();

    assert_eq!(finished.status.code(), Some(2), "{finished:?}");
    assert!(finished.stderr.contains("knot"), "{finished:?}");
}
