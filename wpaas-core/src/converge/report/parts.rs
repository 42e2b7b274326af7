use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::converge::Part;

/// Something of each of some parts; on the wire a map. There are few, and there is one for every gateway of a fleet: they
/// lie side by side, in the order of parts.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PartMap<T>(Box<[(Part, T)]>);

impl<T> PartMap<T> {
    /// What there is of this part.
    #[must_use]
    pub fn get(&self, part: Part) -> Option<&T> {
        let at = self.0.binary_search_by_key(&part, |(known, _)| *known).ok()?;
        self.0.get(at).map(|(_, it)| it)
    }

    /// All of it, in the order of parts.
    pub fn iter(&self) -> impl Iterator<Item = (Part, &T)> {
        self.0.iter().map(|(part, it)| (*part, it))
    }

    /// Puts something in for a part, in the place of what there was.
    pub fn insert(&mut self, part: Part, it: T) {
        *self = std::mem::take(&mut self.0).into_iter().chain([(part, it)]).collect();
    }
}

impl<T> Default for PartMap<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

/// Of several of one part the last counts.
impl<T> FromIterator<(Part, T)> for PartMap<T> {
    fn from_iter<I: IntoIterator<Item = (Part, T)>>(all: I) -> Self {
        Self(all.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect())
    }
}

impl<T: fmt::Debug> fmt::Debug for PartMap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<T: Serialize> Serialize for PartMap<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for PartMap<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map_on_the_wire() {
        let text = r#"{"database-0":1,"wordpress-2":2}"#;
        let map: PartMap<u8> = serde_json::from_str(text).unwrap();
        assert_eq!((map.get(Part::Database(0)), map.get(Part::Wordpress(2))), (Some(&1), Some(&2)));
        assert_eq!(map.get(Part::Gateway(0)), None);
        assert_eq!(serde_json::to_string(&map).unwrap(), text);
        let unordered = [(Part::Wordpress(2), 9), (Part::Database(0), 1), (Part::Wordpress(2), 2)];
        assert_eq!(unordered.into_iter().collect::<PartMap<_>>(), map);
        let mut other = PartMap::default();
        for (part, it) in unordered {
            other.insert(part, it);
        }
        assert_eq!(other, map);
        assert!(serde_json::from_str::<PartMap<u8>>(r#"{"nothing":1}"#).is_err());
    }
}
