use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How series are named in Graphite: `quipu.{name}.{labels}`.
///
/// `{name}` and `{labels}` are nodes, and the template has each of them once. A label becomes two nodes: its name and its
/// value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Node>);

/// A part of a [`Template`] between two dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A constant text.
    Text(String),
    /// The metric's name.
    Name,
    /// The labels.
    Labels,
}

impl Node {
    /// Whether the text of a node may contain this byte: `A-Z a-z 0-9 _ -`.
    #[must_use]
    pub fn may_contain(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
    }
}

impl Template {
    /// The nodes, in their order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.0
    }
}

impl Default for Template {
    fn default() -> Self {
        Self(vec![Node::Text("quipu".to_owned()), Node::Name, Node::Labels])
    }
}

impl FromStr for Template {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let node = |node: &str| match node {
            "{name}" => Some(Node::Name),
            "{labels}" => Some(Node::Labels),
            text => (!text.is_empty() && text.bytes().all(Node::may_contain)).then(|| Node::Text(text.to_owned())),
        };
        let nodes: Option<Vec<_>> = text.split('.').map(node).collect();
        let nodes = nodes.filter(|nodes| {
            let count = |wanted: &Node| nodes.iter().filter(|node| *node == wanted).count();
            count(&Node::Name) == 1 && count(&Node::Labels) == 1
        });
        nodes.map(Self).ok_or(
            "must be nodes of A-Z a-z 0-9 _ - between dots, two of them {name} and {labels}, such as \
             \"quipu.{name}.{labels}\"",
        )
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            f.write_str(match node {
                Node::Text(text) => text,
                Node::Name => "{name}",
                Node::Labels => "{labels}",
            })?;
        }
        Ok(())
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_keeps_series_apart_or_is_refused() {
        for wrong in
            ["", "{name}", "{name}{labels}", "a.{name}.{name}.{labels}", "a..{name}.{labels}", "a b.{name}.{labels}"]
        {
            assert!(wrong.parse::<Template>().is_err(), "{wrong}");
        }
    }
}
