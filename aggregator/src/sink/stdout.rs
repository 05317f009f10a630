use std::io::{self, ErrorKind, Write};

use quipu_record::Aggregate;

use super::retry::Failure;
use super::target::{Target, Unwritten, Written};

/// Writes a line of JSON for each aggregate.
pub(crate) struct Lines<W>(pub(crate) W);

impl<W: Write> Target for Lines<W> {
    fn write(&mut self, aggregates: &[Aggregate]) -> Result<Written, Unwritten> {
        let mut text = Vec::new();
        for aggregate in aggregates {
            text.extend_from_slice(&aggregate.to_json());
            text.push(b'\n');
        }
        self.0.write_all(&text).and_then(|()| self.0.flush()).map_err(|error| unwritten(&error))?;
        Ok(Written { points: aggregates.len(), ..Written::default() })
    }
}

fn unwritten(error: &io::Error) -> Unwritten {
    match error.kind() {
        ErrorKind::BrokenPipe => Unwritten::Closed,
        _ => Failure::temporary(format!("can't write to standard output: {error}")).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::aggregate;
    use super::*;

    #[test]
    fn each_aggregate_is_a_line_of_json() {
        let mut lines = Lines(Vec::new());
        let written = lines.write(&[aggregate(1), aggregate(2)]).expect("a vector accepts everything");
        assert_eq!(written, Written { points: 2, ..Written::default() });
        let read: Vec<_> =
            lines.0.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(Aggregate::decode).collect();
        assert_eq!(read, [Ok(aggregate(1)), Ok(aggregate(2))]);
    }
}
