//! IAM's policies, as far as the documented ones go: what they allow, under conditions on texts. What goes further than
//! that is no policy here.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What a role may do.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Policy {
    #[serde(rename = "Version")]
    _version: String,
    statement: Vec<Statement>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "Effect")]
    _effect: Effect,
    action: Texts,
    resource: Texts,
    #[serde(default)]
    condition: BTreeMap<Operator, BTreeMap<String, Texts>>,
}

/// Nothing is denied.
#[derive(Debug, Clone, Deserialize)]
enum Effect {
    Allow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
enum Operator {
    StringEquals,
    StringLike,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

/// One thing that leave is needed for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ask {
    /// As policies name it: `ec2:RunInstances`.
    pub action: String,
    /// Its ARN, or `*`.
    pub resource: String,
    /// What else IAM knows of it: `aws:ResourceTag/…`, `aws:userid`…
    pub context: BTreeMap<String, String>,
}

impl Policy {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// Of what is none, or goes further than what is known here.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The text below this heading of `docs/aws.md`; empty where there is none.
    #[must_use]
    pub fn documented(heading: &str) -> &'static str {
        let below = include_str!("../../docs/aws.md").split_once(&format!("### {heading}\n"));
        let below = below.and_then(|(_, below)| below.split_once("```json\n"));
        below.and_then(|(_, below)| below.split_once("```")).map_or("", |(text, _)| text)
    }

    /// Whether a statement allows it.
    #[must_use]
    pub fn allows(&self, ask: &Ask) -> bool {
        self.statement.iter().any(|statement| statement.allows(ask))
    }

    /// Every action that is allowed on something.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.statement.iter().flat_map(|statement| statement.action.all()).map(String::as_str)
    }
}

impl Statement {
    fn allows(&self, ask: &Ask) -> bool {
        let conditions = self.condition.iter().flat_map(|(how, all)| all.iter().map(move |it| (*how, it)));
        let holds = |(how, (key, values)): (Operator, (&String, &Texts))| {
            ask.context.get(key).is_some_and(|found| values.any(|value| how.holds(value, found, ask)))
        };
        self.action.any(|action| *action == ask.action)
            && self.resource.any(|pattern| Operator::StringLike.holds(pattern, &ask.resource, ask))
            && conditions.into_iter().all(holds)
    }
}

impl Operator {
    fn holds(self, value: &str, found: &str, ask: &Ask) -> bool {
        let put =
            |text: String, (key, value): (&String, &String)| text.replace(&format!("${{{key}}}"), value);
        let value = ask.context.iter().fold(value.to_owned(), put);
        match self {
            Self::StringEquals => value == found,
            Self::StringLike => fits(value.as_bytes(), found.as_bytes()),
        }
    }
}

impl Texts {
    fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    fn any(&self, is: impl FnMut(&String) -> bool) -> bool {
        self.all().iter().any(is)
    }
}

/// Whether a pattern, of `*` for anything and `?` for one character, fits.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            fits(rest, text) || text.split_first().is_some_and(|(_, text)| fits(pattern, text))
        }
        ([b'?', pattern @ ..], [_, text @ ..]) => fits(pattern, text),
        ([a, pattern @ ..], [b, text @ ..]) => a == b && fits(pattern, text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(action: &str, resource: &str, context: &[(&str, &str)]) -> Ask {
        let context = context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Ask { action: action.to_owned(), resource: resource.to_owned(), context: context.collect() }
    }

    #[test]
    fn all_conditions_of_one_statement_hold_or_nothing_is_allowed() {
        let policy = Policy::read(
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["a:Do", "a:Undo"],
                "Resource": "x/${me}/*", "Condition": {"StringEquals": {"k": ["1", "2"], "l": "3"}}}]}"#,
        );
        let policy = policy.unwrap();
        let context = [("me", "i"), ("k", "2"), ("l", "3")];
        assert!(policy.allows(&ask("a:Undo", "x/i/y", &context)));
        for (action, resource, context) in [
            ("a:Redo", "x/i/y", context),
            ("a:Do", "x/j/y", context),
            ("a:Do", "x/i/y", [("me", "i"), ("k", "3"), ("l", "3")]),
            ("a:Do", "x/i/y", [("me", "i"), ("k", "1"), ("m", "3")]),
        ] {
            assert!(!policy.allows(&ask(action, resource, &context)), "{action} {resource} {context:?}");
        }
    }

    #[test]
    fn what_is_not_known_here_is_no_policy() {
        for statement in [
            r#"{"Effect": "Deny", "Action": "a:Do", "Resource": "*"}"#,
            r#"{"Effect": "Allow", "NotAction": "a:Do", "Resource": "*"}"#,
            r#"{"Effect": "Allow", "Action": "a:Do", "Resource": "*", "Condition": {"Bool": {"k": "true"}}}"#,
        ] {
            let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#);
            assert!(Policy::read(&text).is_err(), "{statement}");
        }
    }
}
