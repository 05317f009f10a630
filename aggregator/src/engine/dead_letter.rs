use quipu_record::BadRecord;
use quipu_topology::SourceRecord;

use super::ports::DeadLetter;

/// The longest key or value that is copied whole: below the limit of a topic that was created with Kafka's defaults.
const COPY_BYTES: usize = 512 * 1024;

/// The copy of a bad record for the dead-letter topic: as it came, with headers for the reason and the origin.
///
/// A key or value that is too large is cut, and a header has its size.
pub(super) fn dead_letter(topic: &str, record: &SourceRecord<'_>, bad: &BadRecord) -> DeadLetter {
    let mut headers = vec![
        ("quipu.reason", bad.reason().to_owned()),
        ("quipu.error", bad.to_string()),
        ("quipu.topic", topic.to_owned()),
        ("quipu.offset", record.offset.to_string()),
    ];
    if let Some(timestamp) = record.timestamp {
        headers.push(("quipu.timestamp", timestamp.to_string()));
    }
    let mut copy = |bytes: &[u8], header| {
        if bytes.len() > COPY_BYTES {
            headers.push((header, bytes.len().to_string()));
        }
        bytes[..bytes.len().min(COPY_BYTES)].to_vec()
    };
    let key = record.key.map(|key| copy(key, "quipu.key_bytes"));
    let value = record.value.map(|value| copy(value, "quipu.value_bytes"));
    DeadLetter { key, value, headers }
}

#[cfg(test)]
mod tests {
    use quipu_record::{Millis, Offset};

    use super::*;

    fn letter(key: Option<&[u8]>, value: Option<&[u8]>) -> DeadLetter {
        dead_letter(
            "metrics",
            &SourceRecord { offset: Offset(7), timestamp: Some(Millis(8)), is_append_time: true, key, value },
            &BadRecord::NullKey,
        )
    }

    #[test]
    fn a_record_is_copied_as_it_came() {
        let letter = letter(None, Some(b"\xff\0"));
        assert_eq!((letter.key, letter.value), (None, Some(b"\xff\0".to_vec())));
        let headers: Vec<_> = letter.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(headers[0], ("quipu.reason", "null_key"));
        assert_eq!(headers[2..], [("quipu.topic", "metrics"), ("quipu.offset", "7"), ("quipu.timestamp", "8")]);
    }

    #[test]
    fn a_large_value_is_cut_and_a_header_has_its_size() {
        let letter = letter(Some(b"k"), Some(&vec![b'x'; 10_000_000]));
        assert_eq!(letter.value.map(|value| value.len()), Some(COPY_BYTES));
        assert!(letter.headers.contains(&("quipu.value_bytes", "10000000".to_owned())));
    }
}
