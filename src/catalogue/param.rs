//! Parameters: what a component lets the user set, and whether a value fits.

use super::fields::{Fields, duration_of};
use crate::yaml::{Entry, Located, Node, Problem, Problems, Span};

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamType {
    /// Text.
    String,
    /// A whole number.
    Int,
    /// True or false.
    Bool,
    /// A Kubernetes quantity such as `10Gi`.
    Quantity,
    /// A duration such as `10m`.
    Duration,
    /// A list.
    List,
    /// A map.
    Map,
    /// One of some words.
    Enum,
}

const TYPES: [(&str, ParamType); 8] = [
    ("string", ParamType::String),
    ("int", ParamType::Int),
    ("bool", ParamType::Bool),
    ("quantity", ParamType::Quantity),
    ("duration", ParamType::Duration),
    ("list", ParamType::List),
    ("map", ParamType::Map),
    ("enum", ParamType::Enum),
];

impl ParamType {
    /// The word in `component.yaml`.
    pub fn word(self) -> &'static str {
        TYPES.iter().find(|(_, kind)| *kind == self).map_or("string", |(word, _)| word)
    }
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Its name, `snake_case`.
    pub name: String,
    /// Its type.
    pub kind: ParamType,
    /// Whether its value is a secret.
    pub secret: bool,
    /// The place in the user's Helm values where a secret may stand instead: it is taken from there and never reaches Helm.
    pub from_values: Option<String>,
    /// Whether it must be set.
    pub required: bool,
    /// The words an `enum` takes.
    pub words: Vec<String>,
    /// Its value when nobody sets it.
    pub default: Option<Located>,
    /// What it is for.
    pub doc: String,
    /// Where it is declared.
    pub at: Span,
}

/// Reads one entry of `params`.
pub(super) fn read(entry: &Entry, problems: &mut Problems) -> Option<Param> {
    let mut fields = Fields::of(&entry.value, "a parameter", problems)?;
    let kind = fields.word("type", &TYPES, problems);
    let default = fields.value("default").cloned();
    let secret = fields.flag("secret", problems);
    let from_values = fields.text("fromValues", problems);
    let required = fields.flag("required", problems);
    let words = fields.texts("enum", problems);
    let doc = fields.text("doc", problems).unwrap_or_default();
    fields.finish(problems);
    let kind = kind.unwrap_or(if words.is_empty() { ParamType::String } else { ParamType::Enum });
    if kind == ParamType::Enum && words.is_empty() {
        let message = format!("parameter `{}` is an enum without words", entry.key);
        problems.push(
            Problem::error("enum-without-words", message)
                .at(&entry.value.span)
                .help("add: enum: [one, two]"),
        );
    }
    if super::RESERVED_KEYS.contains(&entry.key.as_str()) {
        let message =
            format!("`{}` is a reserved key of every section and no parameter", entry.key);
        problems.push(
            Problem::error("reserved-parameter", message)
                .at(&entry.key_span)
                .help("the name of a release is `${self.release}`"),
        );
    }
    if from_values.is_some() && !secret {
        let message = format!("`fromValues` of parameter `{}` is for secrets", entry.key);
        problems.push(
            Problem::error("from-values", message).at(&entry.value.span).help("add: secret: true"),
        );
    }
    let param = Param {
        name: entry.key.clone(),
        kind,
        secret,
        from_values,
        required,
        words,
        default,
        doc,
        at: entry.key_span.clone(),
    };
    if let Some(default) = &param.default {
        param.check(default, problems);
    }
    Some(param)
}

impl Param {
    /// Checks a value; what does not fit is a problem at its place. Text with `${…}` is looked at later.
    pub fn check(&self, value: &Located, problems: &mut Problems) -> bool {
        if value.is_null() || value.as_text().is_some_and(|text| text.contains("${")) {
            return true;
        }
        if self.secret && matches!(value.node, Node::Map(_)) {
            return true;
        }
        let fits = match self.kind {
            ParamType::String => {
                matches!(value.node, Node::Text(_) | Node::Number(_) | Node::Bool(_))
            }
            ParamType::Int => matches!(&value.node, Node::Number(n) if n.is_i64() || n.is_u64()),
            ParamType::Bool => matches!(value.node, Node::Bool(_)),
            ParamType::Quantity => match &value.node {
                Node::Number(number) => number.as_f64().is_some_and(|number| number >= 0.0),
                Node::Text(text) => is_quantity(text),
                Node::Null | Node::Bool(_) | Node::List(_) | Node::Map(_) => false,
            },
            ParamType::Duration => duration_of(value).is_some(),
            ParamType::List => match &value.node {
                Node::List(_) => true,
                Node::Text(text) => super::world::list_in(text).is_some(),
                Node::Null | Node::Bool(_) | Node::Number(_) | Node::Map(_) => false,
            },
            ParamType::Map => matches!(value.node, Node::Map(_)),
            ParamType::Enum => return self.check_word(value, problems),
        };
        if !fits {
            let message =
                format!("`{}` is {}, and here stands {}", self.name, self.wanted(), given(value));
            problems.push(Problem::error("wrong-type", message).at(&value.span));
        }
        fits
    }

    fn check_word(&self, value: &Located, problems: &mut Problems) -> bool {
        let word = plain_text(value);
        let fits = word.as_ref().is_some_and(|word| self.words.contains(word));
        if !fits {
            let word = word.unwrap_or_else(|| given(value));
            let message = format!("`{}` cannot be `{word}`", self.name);
            problems.push(
                Problem::error("unknown-word", message)
                    .at(&value.span)
                    .suggest(&word, self.words.iter().map(String::as_str)),
            );
        }
        fits
    }

    fn wanted(&self) -> &'static str {
        match self.kind {
            ParamType::String => "text",
            ParamType::Int => "a whole number",
            ParamType::Bool => "true or false",
            ParamType::Quantity => "a quantity such as `10Gi`",
            ParamType::Duration => "a duration such as `10m`",
            ParamType::List => "a list",
            ParamType::Map => "a map",
            ParamType::Enum => "one of some words",
        }
    }
}

fn plain_text(value: &Located) -> Option<String> {
    match &value.node {
        Node::Text(text) => Some(text.clone()),
        Node::Number(number) => Some(number.to_string()),
        Node::Bool(flag) => Some(flag.to_string()),
        Node::Null | Node::List(_) | Node::Map(_) => None,
    }
}

fn given(value: &Located) -> String {
    match &value.node {
        Node::Text(text) => format!("`{text}`"),
        Node::Number(number) => format!("`{number}`"),
        Node::Null | Node::Bool(_) | Node::List(_) | Node::Map(_) => value.kind().to_owned(),
    }
}

/// Whether a text is a Kubernetes quantity that says how much of something there is: none is below zero.
pub(super) fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let numeric = number.parse::<f64>().is_ok();
    let exponent =
        suffix.strip_prefix(['e', 'E']).is_some_and(|power| power.parse::<i16>().is_ok());
    let known =
        ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    numeric && (known.contains(&suffix) || exponent)
}

/// Whether a quantity is more than nothing: a volume of no size can be claimed and never made.
pub(super) fn is_above_zero(quantity: &str) -> bool {
    let number = quantity.split_once(['e', 'E']).map_or(quantity, |(number, _)| number);
    number.contains(|c: char| c.is_ascii_digit() && c != '0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Source, parse};

    fn checked(declared: &str, value: &str) -> Vec<String> {
        let tree = parse(&Source::new("c.yaml", format!("p: {declared}\nv: {value}\n"))).unwrap();
        let mut problems = Problems::default();
        let param = read(&tree.entries()[0], &mut problems).unwrap();
        param.check(tree.get("v").unwrap(), &mut problems);
        problems.sorted().iter().map(|p| p.message.clone()).collect()
    }

    #[test]
    fn a_value_fits_its_type_or_says_what_is_wanted() {
        let table = [
            ("{type: string}", "x", ""),
            ("{type: string}", "1.5", ""),
            ("{type: string}", "[a]", "`p` is text, and here stands a list"),
            ("{type: int}", "3", ""),
            ("{type: int}", "three", "`p` is a whole number, and here stands `three`"),
            ("{type: int}", "1.5", "`p` is a whole number, and here stands `1.5`"),
            ("{type: bool}", "yes", "`p` is true or false, and here stands `yes`"),
            ("{type: quantity}", "10Gi", ""),
            (
                "{type: quantity}",
                "10GB",
                "`p` is a quantity such as `10Gi`, and here stands `10GB`",
            ),
            (
                "{type: quantity}",
                "-3Gi",
                "`p` is a quantity such as `10Gi`, and here stands `-3Gi`",
            ),
            ("{type: quantity}", "0", ""),
            ("{type: duration}", "1h30m", ""),
            ("{type: duration}", "soon", "`p` is a duration such as `10m`, and here stands `soon`"),
            ("{type: list}", "{a: 1}", "`p` is a list, and here stands a map"),
            ("{type: map}", "{a: 1}", ""),
            ("{type: enum, enum: [one, two]}", "one", ""),
            ("{type: enum, enum: [one, two]}", "tow", "`p` cannot be `tow`"),
            ("{type: int}", "null", ""),
        ];
        for (declared, value, message) in table {
            let wanted: Vec<&str> = if message.is_empty() { vec![] } else { vec![message] };
            assert_eq!(checked(declared, value), wanted, "{declared} {value}");
        }
    }

    #[test]
    fn nothing_is_no_size() {
        for (quantity, some) in
            [("0", false), ("0Gi", false), ("0.0e3", false), ("0.5Gi", true), ("10", true)]
        {
            assert_eq!(is_above_zero(quantity), some, "{quantity}");
        }
    }

    #[test]
    fn a_default_must_fit_and_a_declaration_is_strict() {
        assert_eq!(checked("{type: int, default: x}", "1").len(), 1);
        assert_eq!(checked("{typ: int}", "x"), ["a parameter has no key `typ`"]);
    }
}
