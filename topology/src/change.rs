/// What happened to the value of one key: subtract `old`, then add `new`, in one step.
///
/// `old` is absent when the key is new, `new` when it was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<V> {
    /// What was there before.
    pub old: Option<V>,
    /// What is there now.
    pub new: Option<V>,
}
