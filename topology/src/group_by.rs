use quipu_record::Value;

use crate::accumulator::Contribution;
use crate::change::Change;
use crate::reduce::GroupId;
use crate::row::{RowChange, RowView};
use crate::values::{Entry, ValuesBuf, ValuesRef};

/// Splits the change of a row into a change for each series to which the row contributes something else now.
///
/// A row has many values, so this is a `groupBy` that yields many groups for one row. `scratch` is memory to work in.
pub(crate) fn group_by(
    change: &RowChange<'_>,
    scratch: &mut ValuesBuf,
    mut forward: impl FnMut(GroupId, Change<Contribution>),
) {
    // A row contributes nothing to a series of which it counted nothing since its baseline.
    let mut forward = |id, old: Option<Contribution>, new: Option<Contribution>| {
        if old.is_some() || new.is_some() {
            forward(id, Change { old, new });
        }
    };
    let Change { old: Some(old), new: Some(new) } = change else {
        if let Some(old) = change.old {
            for (id, value) in old.values.iter() {
                forward(id, old.contribution(id, value), None);
            }
        }
        if let Some(new) = change.new {
            for (id, value) in new.values.iter() {
                forward(id, None, new.contribution(id, value));
            }
        }
        return;
    };
    let (ValuesRef { counters: before }, ValuesRef { counters: after }) = (old.values, new.values);
    column((old, before), (new, after), Value::Counter, &mut scratch.counters, &mut forward);
}

/// The same for the values of one type.
fn column<T: Copy + PartialEq>(
    (old, before): (&RowView<'_>, &[Entry<T>]),
    (new, after): (&RowView<'_>, &[Entry<T>]),
    value: impl Fn(T) -> Value,
    scratch: &mut Vec<Entry<T>>,
    forward: &mut impl FnMut(GroupId, Option<Contribution>, Option<Contribution>),
) {
    let was = |id: GroupId, before: T| old.contribution(id, value(before));
    let is = |id: GroupId, after: T| new.contribution(id, value(after));
    let same_row = (old.base, old.live, old.baseline) == (new.base, new.live, new.baseline);
    let differs = |before: T, after: T| !same_row || before != after;
    let same_series =
        before.len() == after.len() && before.iter().zip(after).all(|(before, after)| before.0 == after.0);
    if same_series {
        for ((id, before), (_, after)) in before.iter().zip(after) {
            if differs(*before, *after) {
                forward(*id, was(*id, *before), is(*id, *after));
            }
        }
        return;
    }
    scratch.clear();
    scratch.extend_from_slice(before);
    scratch.sort_unstable_by_key(|(id, _)| *id);
    for (id, after) in after {
        match scratch.binary_search_by_key(id, |(id, _)| *id) {
            Ok(at) if differs(scratch[at].1, *after) => forward(*id, was(*id, scratch[at].1), is(*id, *after)),
            Ok(_) => {}
            Err(_) => forward(*id, None, is(*id, *after)),
        }
    }
    // Series that the new row lacks. The row rules refuse such a report today; the operator does not depend on that.
    scratch.clear();
    scratch.extend_from_slice(after);
    scratch.sort_unstable_by_key(|(id, _)| *id);
    for (id, before) in before {
        if scratch.binary_search_by_key(id, |(id, _)| *id).is_err() {
            forward(*id, was(*id, *before), None);
        }
    }
}
