use crate::change::Change;
use crate::group::Contribution;
use crate::reduce::GroupId;
use crate::row::{RowChange, RowView};

/// Splits the change of a row into a change for each series whose contribution is another now.
///
/// A row has many counters, so this is a `groupBy` that yields many groups for one row. `scratch` is memory to work in.
pub(crate) fn group_by(
    change: &RowChange<'_>,
    scratch: &mut Vec<(GroupId, u64)>,
    mut forward: impl FnMut(GroupId, Change<Contribution>),
) {
    let Change { old: Some(old), new: Some(new) } = change else {
        if let Some(old) = change.old {
            for (id, value) in old.counters {
                forward(*id, Change { old: Some(old.contribution(*value)), new: None });
            }
        }
        if let Some(new) = change.new {
            for (id, value) in new.counters {
                forward(*id, Change { old: None, new: Some(new.contribution(*value)) });
            }
        }
        return;
    };
    let same_series = old.counters.len() == new.counters.len()
        && old.counters.iter().zip(new.counters).all(|(before, after)| before.0 == after.0);
    if same_series {
        for ((id, before), (_, after)) in old.counters.iter().zip(new.counters) {
            forward_difference(*id, (old, *before), (new, *after), &mut forward);
        }
        return;
    }
    scratch.clear();
    scratch.extend_from_slice(old.counters);
    scratch.sort_unstable_by_key(|(id, _)| *id);
    for (id, after) in new.counters {
        match scratch.binary_search_by_key(id, |(id, _)| *id) {
            Ok(at) => forward_difference(*id, (old, scratch[at].1), (new, *after), &mut forward),
            Err(_) => forward(*id, Change { old: None, new: Some(new.contribution(*after)) }),
        }
    }
    // What the new row lacks. The table refuses such a row today; the operator does not rely on it.
    scratch.clear();
    scratch.extend_from_slice(new.counters);
    scratch.sort_unstable_by_key(|(id, _)| *id);
    for (id, before) in old.counters {
        if scratch.binary_search_by_key(id, |(id, _)| *id).is_err() {
            forward(*id, Change { old: Some(old.contribution(*before)), new: None });
        }
    }
}

fn forward_difference(
    id: GroupId,
    (old, before): (&RowView<'_>, u64),
    (new, after): (&RowView<'_>, u64),
    forward: &mut impl FnMut(GroupId, Change<Contribution>),
) {
    if (before, old.base, old.live) != (after, new.base, new.live) {
        forward(id, Change { old: Some(old.contribution(before)), new: Some(new.contribution(after)) });
    }
}
