use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::cloud::{Filter, Page, Tags};

/// Things of one kind, by id, found by their tags without looking at all.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    things: BTreeMap<String, T>,
    by_tag: HashMap<(String, String), BTreeSet<String>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { things: BTreeMap::new(), by_tag: HashMap::new() }
    }
}

impl<T> Shelf<T> {
    pub(super) fn put(&mut self, id: String, tags: &Tags, thing: T) {
        for (key, value) in tags {
            self.by_tag.entry((key.clone(), value.clone())).or_default().insert(id.clone());
        }
        self.things.insert(id, thing);
    }

    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.things.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.things.get_mut(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.things.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut T)> {
        self.things.iter_mut()
    }

    /// One page of what carries all tags of the filter and can be seen, each as `show` shows it.
    pub(super) fn page<S>(
        &self,
        filter: &Filter,
        next: Option<&str>,
        size: usize,
        show: impl Fn(&str, &T) -> Option<S>,
    ) -> Page<S> {
        let none = BTreeSet::new();
        let sets: Vec<_> = filter.tags.iter().map(|tag| self.by_tag.get(tag).unwrap_or(&none)).collect();
        let Some(smallest) = sets.iter().min_by_key(|set| set.len()) else {
            return Page { items: Vec::new(), unreadable: 0, next: None };
        };
        let found = smallest.iter().filter(|id| sets.iter().all(|set| set.contains(*id)));
        let after = found.filter(|id| next.is_none_or(|next| id.as_str() > next));
        let mut shown =
            after.filter_map(|id| Some((id, self.things.get(id).and_then(|thing| show(id, thing))?)));
        let mut page = Page { items: Vec::new(), unreadable: 0, next: None };
        let mut last = None;
        for (id, thing) in shown.by_ref().take(size) {
            page.items.push(thing);
            last = Some(id.clone());
        }
        if shown.next().is_some() {
            page.next = last;
        }
        page
    }
}
