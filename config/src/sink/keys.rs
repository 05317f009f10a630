//! The keys of a section `[[sink]]`, as the types that are read from it have them.

use serde::de::value::Error;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

use super::graphite::Graphite;
use super::influxdb::{InfluxdbConnection, InfluxdbV1, InfluxdbV2};
use super::read::{Common, Type};

/// The key `type` as a user writes it, and the keys that only this kind of sink has.
pub(super) fn by_type() -> [(&'static str, Vec<&'static str>); 2] {
    let influxdb = [of::<InfluxdbConnection>(), of::<InfluxdbV1>(), of::<InfluxdbV2>()].concat();
    [("influxdb", influxdb), ("graphite", of::<Graphite>().to_vec())]
}

/// The paths of all keys of sinks.
pub(super) fn paths() -> impl Iterator<Item = String> {
    let common = [of::<Type>(), of::<Common>()].concat();
    common.into_iter().chain(by_type().into_iter().flat_map(|(_, keys)| keys)).map(|key| format!("sink.{key}"))
}

/// The keys that the struct `T` is read from.
pub(super) fn of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut keys: &[&str] = &[];
    // This always fails: `Fields` has no values.
    let _ = T::deserialize(Fields(&mut keys));
    keys
}

/// Takes the names of the fields from the call that a derived `Deserialize` makes.
struct Fields<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("no value"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_belongs_to_one_type() {
        assert_eq!(of::<Graphite>(), ["address", "template", "tags", "settle"]);
        let mut all: Vec<_> = paths().collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!((all.len(), count), (18, 18), "{all:?}");
    }
}
