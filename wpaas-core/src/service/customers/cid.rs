//! A customer's id from its name: pure.

use std::collections::BTreeSet;

use crate::name::Cid;

/// Never given: names of the platform's own, or easily taken for them.
const RESERVED: [&str; 41] = [
    "abuse",
    "admin",
    "anonymous",
    "api",
    "app",
    "apps",
    "auth",
    "billing",
    "blog",
    "cdn",
    "customer",
    "customers",
    "default",
    "dev",
    "dns",
    "edge",
    "ftp",
    "help",
    "imap",
    "internal",
    "localhost",
    "login",
    "mail",
    "mta",
    "operator",
    "org",
    "orgs",
    "pop",
    "public",
    "root",
    "smtp",
    "space",
    "spaces",
    "ssl",
    "staging",
    "static",
    "status",
    "support",
    "system",
    "wpaas",
    "www",
];

/// Letters before the number of a numbered id.
const LONGEST: usize = 24;

/// The letters that ids are made of: the name in ASCII, at least three, the first no digit.
fn letters(name: &str) -> String {
    let ascii = deunicode::deunicode(name).to_ascii_lowercase();
    let mut letters: String = ascii.chars().filter(char::is_ascii_alphanumeric).take(LONGEST).collect();
    if letters.is_empty() {
        letters.push_str("customer");
    }
    if letters.starts_with(|first: char| first.is_ascii_digit()) {
        letters.insert(0, 'c');
    }
    while letters.len() < 3 {
        letters.push('x');
    }
    letters
}

/// What all ids of a name begin with.
pub(super) fn prefix(name: &str) -> String {
    letters(name)[..3].to_owned()
}

/// The first free id of a name: three letters, then longer, then with a number. `taken` holds those that
/// begin with [`prefix`]; `None` when there is none, which takes as many customers as there are numbers.
pub(super) fn choose(name: &str, taken: &[Cid]) -> Option<Cid> {
    let letters = letters(name);
    let taken: BTreeSet<&str> = taken.iter().map(Cid::as_str).collect();
    let plain = (3..=letters.len()).map(|length| letters[..length].to_owned());
    let numbered = (2..u32::MAX).map(|number| format!("{letters}{number}"));
    plain
        .chain(numbered)
        .find(|id| !RESERVED.contains(&id.as_str()) && !taken.contains(id.as_str()))
        .and_then(|id| id.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(name: &str, taken: &[&str]) -> String {
        let taken: Vec<Cid> = taken.iter().map(|cid| cid.parse().unwrap()).collect();
        choose(name, &taken).unwrap().to_string()
    }

    #[test]
    fn three_letters_then_longer_then_a_number() {
        assert_eq!(chosen("Acme", &[]), "acm");
        assert_eq!(chosen("Acme", &["acm"]), "acme");
        assert_eq!(chosen("Acme", &["acm", "acme"]), "acme2");
        assert_eq!(chosen("Acme", &["acm", "acme", "acme2", "acme4"]), "acme3");
    }

    #[test]
    fn any_name_gives_an_id() {
        for (name, cid) in [
            ("Müller & Söhne", "mul"),
            ("Ελλάδα", "ell"),
            ("3M", "c3m"),
            ("Li", "lix"),
            ("7", "c7x"),
            ("!!!", "cus"),
            ("", "cus"),
            ("A-B-C", "abc"),
        ] {
            assert_eq!(chosen(name, &[]), cid, "{name}");
        }
        let long = "x".repeat(200);
        let taken: Vec<String> = (3..=LONGEST).map(|length| long[..length].to_owned()).collect();
        let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
        assert_eq!(chosen(&long, &taken).len(), LONGEST + 1);
    }

    #[test]
    fn reserved_words_are_passed_over() {
        assert_eq!(chosen("www", &[]), "www2");
        assert_eq!(chosen("API Ltd", &[]), "apil");
        assert_eq!(chosen("Default", &["def", "defa", "defau", "defaul"]), "default2");
        assert!(RESERVED.is_sorted());
    }
}
