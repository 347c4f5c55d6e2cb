//! Contracts: what whoever provides a capability must give, so that providers can be exchanged.

use std::collections::BTreeMap;

use super::component::{Component, Provide};
use super::fields::{Fields, text_of};
use super::grant::{self, ClaimContract};
use super::rule::{AddressFormat, OutputOrigin};
use crate::yaml::{Entry, Located, Node, Problem, Problems, Span};

/// The contract of a capability.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// The capability.
    pub name: String,
    /// What it is.
    pub doc: String,
    /// What a provider must give.
    pub outputs: BTreeMap<String, ContractOutput>,
    /// The ways in which providers may differ, such as `auth: [keys, workload-identity]`; the first is the usual one.
    pub variants: BTreeMap<String, Vec<String>>,
    /// What may be claimed of a provider, by kind.
    pub claims: BTreeMap<String, ClaimContract>,
    /// Where it is written.
    pub at: Span,
}

/// An output of a contract.
#[derive(Debug, Clone, PartialEq)]
pub struct ContractOutput {
    /// Its type.
    pub kind: OutputType,
    /// Whether a provider may leave it out.
    pub optional: bool,
    /// The variants with which it exists, such as `auth: [keys]`; always without.
    pub only_with: BTreeMap<String, Vec<String>>,
}

/// The type of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputType {
    /// Text.
    String,
    /// A whole number.
    Int,
    /// True or false.
    Bool,
    /// Name and key of a Secret.
    Ref,
}

const TYPES: [(&str, OutputType); 9] = [
    ("string", OutputType::String),
    ("int", OutputType::Int),
    ("bool", OutputType::Bool),
    ("ref", OutputType::Ref),
    ("secret", OutputType::Ref),
    ("hostPort", OutputType::String),
    ("url", OutputType::String),
    ("host", OutputType::String),
    ("port", OutputType::Int),
];

impl OutputType {
    /// The word in `capabilities.yaml`.
    pub fn word(self) -> &'static str {
        TYPES.iter().find(|(_, kind)| *kind == self).map_or("string", |(word, _)| word)
    }
}

impl Contract {
    /// The outputs that exist with some variants; what is not said of is the usual variant.
    pub fn outputs_with<'a>(
        &'a self,
        variants: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = (&'a str, &'a ContractOutput)> {
        self.outputs
            .iter()
            .filter(move |(_, output)| {
                output.only_with.iter().all(|(key, words)| {
                    self.variant(variants, key).is_some_and(|word| words.iter().any(|w| w == word))
                })
            })
            .map(|(name, output)| (name.as_str(), output))
    }

    /// The variant that holds: the one said, else the usual one.
    pub(super) fn variant<'a>(
        &'a self,
        said: &'a BTreeMap<String, String>,
        key: &str,
    ) -> Option<&'a str> {
        said.get(key).or_else(|| self.variants.get(key)?.first()).map(String::as_str)
    }
}

/// Reads `capabilities.yaml`: a map of contracts, or one below `capabilities`.
pub(super) fn read(tree: &Located, problems: &mut Problems) -> BTreeMap<String, Contract> {
    let contracts = tree.get("capabilities").unwrap_or(tree);
    contracts
        .entries()
        .iter()
        .filter(|entry| entry.key != "schema")
        .filter_map(|entry| Some((entry.key.clone(), contract(entry, problems)?)))
        .collect()
}

fn contract(entry: &Entry, problems: &mut Problems) -> Option<Contract> {
    let mut fields = Fields::of(&entry.value, "a contract", problems)?;
    let doc = fields.text("title", problems).unwrap_or_default();
    fields.raw("doc");
    let variants: BTreeMap<_, _> = fields
        .map("variants", problems)
        .iter()
        .map(|entry| (entry.key.clone(), words(entry, problems)))
        .collect();
    let mut outputs: BTreeMap<_, _> = fields
        .map("outputs", problems)
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), output(entry, problems)?)))
        .collect();
    let claims = fields.map("claims", problems).iter();
    let claims = claims.filter_map(|entry| grant::claims(entry, problems)).collect();
    fields.finish(problems);
    outputs.entry("namespace".to_owned()).or_insert_with(|| ContractOutput {
        kind: OutputType::String,
        optional: false,
        only_with: BTreeMap::new(),
    });
    for (name, output) in &outputs {
        for (key, words) in &output.only_with {
            let known = variants.get(key).cloned().unwrap_or_default();
            for word in words.iter().filter(|word| !known.contains(word)) {
                let message = format!(
                    "output `{name}` exists with `{key}: {word}`, which the contract does not know"
                );
                problems.push(
                    Problem::error("unknown-variant", message)
                        .at(&entry.key_span)
                        .suggest(word, known.iter().map(String::as_str)),
                );
            }
        }
    }
    let at = entry.key_span.clone();
    Some(Contract { name: entry.key.clone(), doc, outputs, variants, claims, at })
}

/// An output is its type as a word, or a map.
pub(super) fn output(entry: &Entry, problems: &mut Problems) -> Option<ContractOutput> {
    if entry.value.as_text().is_some() {
        let kind = super::fields::word_of(&entry.value, &entry.key, &TYPES, problems)?;
        return Some(ContractOutput { kind, optional: false, only_with: BTreeMap::new() });
    }
    let mut fields = Fields::of(&entry.value, "an output of a contract", problems)?;
    fields.need("type", problems);
    let kind = fields.word("type", &TYPES, problems);
    let optional = fields.flag("optional", problems);
    fields.raw("doc");
    let only_with = fields
        .map("only", problems)
        .iter()
        .map(|entry| (entry.key.clone(), words(entry, problems)))
        .collect();
    fields.finish(problems);
    Some(ContractOutput { kind: kind?, optional, only_with })
}

/// A word or a list of words.
fn words(entry: &Entry, problems: &mut Problems) -> Vec<String> {
    let items = match entry.value.items() {
        [] => std::slice::from_ref(&entry.value),
        items => items,
    };
    items.iter().filter_map(|word| text_of(word, &entry.key, problems)).collect()
}

/// Checks what a component provides against the contracts, and that the capabilities it uses exist.
pub(super) fn check(
    component: &Component,
    contracts: &BTreeMap<String, Contract>,
    problems: &mut Problems,
) {
    for provide in component.provides() {
        if let Some(contract) = named(contracts, &provide.capability, &provide.at, problems) {
            check_provider(component, provide, contract, problems);
        }
    }
    for used in component.uses() {
        let super::UseOf::Capability(capability) = &used.of else { continue };
        let Some(contract) = named(contracts, capability, &used.at, problems) else { continue };
        for (key, words) in &used.variants {
            for word in words {
                check_variant(contract, key, word, &used.at, problems);
            }
        }
    }
}

/// The contract of a capability that is named at `at`; a problem where there is none.
pub(super) fn named<'a>(
    contracts: &'a BTreeMap<String, Contract>,
    name: &str,
    at: &Span,
    problems: &mut Problems,
) -> Option<&'a Contract> {
    let found = contracts.get(name);
    if found.is_none() {
        problems.push(
            Problem::error(
                "unknown-capability",
                format!("no contract describes the capability `{name}`"),
            )
            .at(at)
            .suggest(name, contracts.keys().map(String::as_str)),
        );
    }
    found
}

fn check_variant(contract: &Contract, key: &str, word: &str, at: &Span, problems: &mut Problems) {
    let known = contract.variants.get(key).map(Vec::as_slice).unwrap_or_default();
    if !known.iter().any(|k| k == word) {
        let message = format!("`{}` has no `{key}: {word}`", contract.name);
        problems.push(
            Problem::error("unknown-variant", message)
                .at(at)
                .suggest(word, known.iter().map(String::as_str)),
        );
    }
}

fn check_provider(
    component: &Component,
    provide: &Provide,
    contract: &Contract,
    problems: &mut Problems,
) {
    for (key, word) in &provide.variants {
        check_variant(contract, key, word, &provide.at, problems);
    }
    for name in provide.map.keys().filter(|name| !contract.outputs.contains_key(*name)) {
        let message = format!("the contract of `{}` has no output `{name}`", contract.name);
        problems.push(
            Problem::error("unknown-output", message)
                .at(&provide.at)
                .suggest(name, contract.outputs.keys().map(String::as_str)),
        );
    }
    for (name, wanted) in contract.outputs_with(&provide.variants) {
        let own = provide.map.get(name).map_or(name, String::as_str);
        let rule = component.outputs.iter().find(|output| output.name == own);
        match rule {
            // The namespace is known without being written.
            None if name == "namespace" || wanted.optional => {}
            None => {
                let message = format!(
                    "`{}` provides `{}` and lacks its output `{name}`",
                    component.name(),
                    contract.name
                );
                problems.push(
                    Problem::error("missing-output", message)
                        .at(&provide.at)
                        .suggest(own, component.outputs()),
                );
            }
            Some(rule) => {
                if !fits(&rule.origin, wanted.kind) {
                    let message = format!(
                        "output `{own}` does not give what `{}` wants of `{name}`: {}",
                        contract.name,
                        wanted.kind.word()
                    );
                    problems.push(Problem::error("wrong-output-type", message).at(&rule.at));
                }
            }
        }
    }
}

/// Whether an output can be of a type, as far as the file tells.
pub(super) fn fits(origin: &OutputOrigin, wanted: OutputType) -> bool {
    match origin {
        OutputOrigin::SecretKey { .. } => wanted == OutputType::Ref,
        OutputOrigin::Service(service) => match service.format {
            AddressFormat::Port => wanted == OutputType::Int,
            AddressFormat::HostPort | AddressFormat::Url | AddressFormat::Host => {
                wanted == OutputType::String
            }
        },
        OutputOrigin::Field { .. } => wanted != OutputType::Ref,
        OutputOrigin::Value(value) => match &value.node {
            Node::Text(text) if text.starts_with("${") => true,
            Node::Text(_) => wanted == OutputType::String,
            Node::Number(_) => wanted == OutputType::Int,
            Node::Bool(_) => wanted == OutputType::Bool,
            Node::Null | Node::List(_) | Node::Map(_) => false,
        },
    }
}
