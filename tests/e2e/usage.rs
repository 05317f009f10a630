//! The answer to a wrong command line.

use crate::QUIPU;

#[test]
fn an_unknown_command_is_a_usage_error() {
    let finished = QUIPU.start(&["knot"]).finish();

    assert_eq!(finished.status.code(), Some(2), "{finished:?}");
    assert!(finished.stderr.contains("knot"), "{finished:?}");
}
