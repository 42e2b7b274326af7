use std::collections::BTreeMap;

use crate::cloud::{Filter, Tags};

/// Names and values, where a list is numbered: `Filter.1.Value.1`.
#[derive(Debug, Clone, Default)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn read(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// Empty where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// `None` where there is none.
    pub(super) fn some(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The members of a list, each with the names below it; a plain value is below the empty name.
    pub(super) fn list(&self, name: &str) -> Vec<Self> {
        let member = |n: usize| {
            let prefix = format!("{name}.{n}");
            let below = |(key, value): (&String, &String)| {
                let rest = key.strip_prefix(&prefix)?;
                let rest = rest.strip_prefix('.').or(rest.is_empty().then_some(rest))?;
                Some((rest.to_owned(), value.clone()))
            };
            Self(self.0.iter().filter_map(below).collect())
        };
        (1..=1000).map(member).take_while(|member| !member.0.is_empty()).collect()
    }

    /// The values of a list of plain ones.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        self.list(name).iter().map(|member| member.get("").to_owned()).collect()
    }

    /// Tags that are given when something is made.
    pub(super) fn tags(&self) -> Tags {
        let given = self.list("TagSpecification").into_iter().flat_map(|of| of.list("Tag"));
        given.map(|tag| (tag.get("Key").to_owned(), tag.get("Value").to_owned())).collect()
    }

    /// What a listing is narrowed to.
    pub(super) fn filter(&self) -> Filter {
        let one = |filter: &Self| {
            let name = filter.get("Name").strip_prefix("tag:").unwrap_or_default();
            filter.values("Value").into_iter().map(|value| (name.to_owned(), value)).collect::<Vec<_>>()
        };
        Filter { tags: self.list("Filter").iter().flat_map(one).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_numbered() {
        let text = b"Filter.1.Name=tag%3Ak&Filter.1.Value.1=a+b&Filter.10.Name=x&G.1=one&G.2=two&A=b";
        let form = Form::read(text);
        assert_eq!(form.filter().tags, [("k".to_owned(), "a b".to_owned())]);
        assert_eq!(form.values("G"), ["one", "two"]);
        assert_eq!((form.get("A"), form.get("none"), form.some("none")), ("b", "", None));
    }
}
