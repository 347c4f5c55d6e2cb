//! How what is claimed of a provider is granted: a bucket, a database, a user, a topic.
//!
//! A contract says what a claim of a kind may ask for and what it gets (`claims`), and may say how anybody who keeps the contract
//! grants it. A component may say how it does so itself (`grants`). Either way the parts become resources of the instance
//! that asks: planned, kept and taken away with it.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::Contract;
use super::capability::{self, ContractOutput};
use super::component::{Component, Use, UseOf};
use super::fields::Fields;
use super::param::{self, Param};
use super::rule::{self, ClaimKind, ClaimWish, OutputOrigin, OutputRule, SecretWish};
use super::scope::{Found, Miss, Scope, text_found, within};
use super::step::{self, Step, Work};
use super::wiring::Binding;
use super::world::Member;
use crate::model::Value;
use crate::yaml::{Entry, Located, Problem, Problems, Span};

/// What a contract promises to whoever claims something of a kind.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimContract {
    /// What a claim may ask for, besides its name.
    pub options: Vec<Param>,
    /// What it gets, besides `name`.
    pub outputs: BTreeMap<String, ContractOutput>,
    /// How anybody who keeps the contract grants it.
    pub(super) grant: Option<Grant>,
}

/// How claims of a kind are granted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grant {
    pub(super) at: Span,
    pub(super) secrets: Vec<SecretWish>,
    pub(super) steps: Vec<Step>,
    pub(super) outputs: Vec<OutputRule>,
}

/// A claim on its way through a grant: who asks whom for what.
#[derive(Debug, Clone)]
pub(super) struct Asking<'w, 'a> {
    pub(super) id: &'w str,
    pub(super) kind: &'static str,
    pub(super) by: &'w Member<'a>,
    pub(super) of: Binding,
    pub(super) grant: &'w Grant,
    /// Whether the provider says itself how it grants, so that its own settings are in sight.
    pub(super) by_itself: bool,
    /// `name` and the options of the claim.
    pub(super) wishes: IndexMap<String, Value>,
}

/// Reads an entry of the `claims` of a contract.
pub(super) fn claims(entry: &Entry, problems: &mut Problems) -> Option<(String, ClaimContract)> {
    let mut fields = Fields::of(&entry.value, "a kind of claim", problems)?;
    fields.raw("doc");
    let options = fields.map("options", problems).iter();
    let options: Vec<Param> = options.filter_map(|entry| param::read(entry, problems)).collect();
    let outputs = fields.map("outputs", problems).iter();
    let outputs = outputs
        .filter_map(|entry| Some((entry.key.clone(), capability::output(entry, problems)?)))
        .collect();
    let grant = fields.value("grant").and_then(|tree| read(tree, problems));
    fields.finish(problems);
    check_kind(entry, problems)?;
    for option in options.iter().filter(|o| !rule::CLAIM_OPTIONS.contains(&o.name.as_str())) {
        let message = format!("a claim has no option `{}`", option.name);
        problems.push(
            Problem::error("unknown-option", message)
                .at(&option.at)
                .suggest(&option.name, rule::CLAIM_OPTIONS),
        );
    }
    let contract = ClaimContract { options, outputs, grant };
    if let Some(grant) = &contract.grant {
        check_outputs(grant, &contract, &entry.key, problems);
    }
    Some((entry.key.clone(), contract))
}

/// Reads an entry of the `grants` of a component.
pub(super) fn grants(entry: &Entry, problems: &mut Problems) -> Option<(String, Grant)> {
    check_kind(entry, problems)?;
    Some((entry.key.clone(), read(&entry.value, problems)?))
}

fn check_kind(entry: &Entry, problems: &mut Problems) -> Option<()> {
    if rule::GRANTED_KINDS.contains(&entry.key.as_str()) {
        return Some(());
    }
    let message = format!("nobody claims a `{}` of a provider", entry.key);
    problems.push(
        Problem::error("unknown-word", message)
            .at(&entry.key_span)
            .suggest(&entry.key, rule::GRANTED_KINDS),
    );
    None
}

fn read(tree: &Located, problems: &mut Problems) -> Option<Grant> {
    let mut fields = Fields::of(tree, "a grant", problems)?;
    let secrets = fields.list("secrets", problems).iter();
    let secrets: Vec<_> = secrets.filter_map(|tree| rule::secret(tree, problems)).collect();
    let steps = fields.list("steps", problems).iter();
    let steps: Vec<_> = steps.filter_map(|tree| step::read(tree, problems)).collect();
    let outputs = fields.map("outputs", problems).iter();
    let outputs: Vec<_> = outputs.filter_map(|entry| rule::output(entry, problems)).collect();
    fields.finish(problems);
    for step in &steps {
        if !matches!(step.work, Work::Objects { .. } | Work::Job(_) | Work::Wait) {
            let message = format!("step `{}` is of a kind that no grant has", step.id);
            problems.push(
                Problem::error("grant-step", message)
                    .at(&step.at)
                    .help("the steps of a grant are of the kinds objects, job and wait"),
            );
        }
    }
    for output in outputs.iter().filter(|o| matches!(o.origin, OutputOrigin::Field { .. })) {
        let message = format!("output `{}` of a grant is read from a field", output.name);
        problems.push(
            Problem::error("grant-output", message)
                .at(&output.at)
                .help("a grant gives secretKey, service or value"),
        );
    }
    Some(Grant { at: tree.span.clone(), secrets, steps, outputs })
}

/// A grant gives what its contract promises.
fn check_outputs(grant: &Grant, contract: &ClaimContract, kind: &str, problems: &mut Problems) {
    for (name, wanted) in &contract.outputs {
        match grant.outputs.iter().find(|output| output.name == *name) {
            None if wanted.optional => {}
            None => {
                let message =
                    format!("whoever claims a {kind} gets `{name}`, which this grant lacks");
                problems.push(
                    Problem::error("missing-output", message)
                        .at(&grant.at)
                        .suggest(name, grant.outputs.iter().map(|output| output.name.as_str())),
                );
            }
            Some(rule) if !capability::fits(&rule.origin, wanted.kind) => {
                let message = format!(
                    "`{name}` of a granted {kind} is not what the contract wants: {}",
                    wanted.kind.word()
                );
                problems.push(Problem::error("wrong-output-type", message).at(&rule.at));
            }
            Some(_) => {}
        }
    }
    for output in &grant.outputs {
        if !contract.outputs.contains_key(&output.name) {
            let message = format!("the contract of a {kind} has no output `{}`", output.name);
            problems.push(
                Problem::error("unknown-output", message)
                    .at(&output.at)
                    .suggest(&output.name, contract.outputs.keys().map(String::as_str)),
            );
        }
    }
}

/// Checks what a component grants and claims against the contracts.
pub(super) fn check(
    component: &Component,
    contracts: &BTreeMap<String, Contract>,
    problems: &mut Problems,
) {
    for (kind, grant) in &component.grants {
        let mut provided = component.provides().iter();
        let contract =
            provided.find_map(|provide| contracts.get(&provide.capability)?.claims.get(kind));
        if let Some(contract) = contract {
            check_outputs(grant, contract, kind, problems);
            continue;
        }
        let message = format!(
            "`{}` grants a {kind}, and nothing that it provides has such claims",
            component.name()
        );
        problems.push(Problem::error("unknown-claim", message).at(&grant.at));
    }
    for claim in &component.claims {
        check_claim(component, claim, contracts, problems);
    }
}

fn check_claim(
    component: &Component,
    claim: &ClaimWish,
    contracts: &BTreeMap<String, Contract>,
    problems: &mut Problems,
) {
    let ClaimKind::Granted { from, .. } = &claim.want else { return };
    let alias = from.as_text().unwrap_or_default();
    let Some(used) = component.uses().iter().find(|used| used.alias == alias) else {
        let known = component.uses().iter().map(|used| used.alias.as_str());
        problems.push(
            Problem::error("unknown-use", format!("there is no use `{alias}`"))
                .at(&from.span)
                .suggest(alias, known),
        );
        return;
    };
    let UseOf::Capability(capability) = &used.of else {
        let message = format!("`{alias}` uses a component, and claims are made of a capability");
        problems.push(Problem::error("unknown-claim", message).at(&from.span));
        return;
    };
    if used.soft {
        let message = format!("`{alias}` is a soft use, which nobody waits for");
        problems.push(
            Problem::error("soft-claim", message)
                .at(&from.span)
                .help("what is claimed must be there first: take `soft` away"),
        );
    }
    // A capability without a contract is reported where it is used.
    if let Some(contract) = contracts.get(capability) {
        check_options(claim, contract, problems);
    }
}

/// Checks what a claim asks for against the contract of the capability.
pub(super) fn check_options(claim: &ClaimWish, contract: &Contract, problems: &mut Problems) {
    let ClaimKind::Granted { kind, options, .. } = &claim.want else { return };
    let capability = &contract.name;
    let Some(wanted) = contract.claims.get(*kind) else {
        let message = format!("nobody who provides `{capability}` grants a {kind}");
        problems.push(
            Problem::error("unknown-claim", message)
                .at(&claim.at)
                .suggest(kind, contract.claims.keys().map(String::as_str)),
        );
        return;
    };
    for entry in options {
        if let Some(option) = wanted.options.iter().find(|option| option.name == entry.key) {
            option.check(&entry.value, problems);
            continue;
        }
        let message = format!("a {kind} of `{capability}` has no `{}`", entry.key);
        problems.push(
            Problem::error("unknown-option", message)
                .at(&entry.key_span)
                .suggest(&entry.key, wanted.options.iter().map(|o| o.name.as_str())),
        );
    }
    for option in wanted.options.iter().filter(|option| option.required) {
        if !options.iter().any(|entry| entry.key == option.name) {
            let message = format!("claim `{}` lacks `{}`", claim.id, option.name);
            problems.push(
                Problem::error("missing-key", message).at(&claim.at).help(option.doc.clone()),
            );
        }
    }
}

impl<'w, 'a> Scope<'w, 'a> {
    /// The scope in which a claim of the instance is granted.
    pub(super) fn granted(
        &self,
        claim: &'w ClaimWish,
        problems: &mut Problems,
    ) -> Result<Self, Miss> {
        let ClaimKind::Granted { from, .. } = &claim.want else {
            return Err(Miss::Reported);
        };
        let alias = from.as_text().unwrap_or_default();
        let of = self.binding(alias)?;
        let used = self.member.component.uses().iter().find(|used| used.alias == alias);
        let Some(UseOf::Capability(capability)) = used.map(|used: &Use| &used.of) else {
            return Err(Miss::Reported);
        };
        self.granted_by(
            claim,
            of.clone(),
            capability,
            &|tree, problems| self.value(tree, problems),
            problems,
        )
    }

    /// The same by whoever is bound, for a capability; `value` reads what the claim says.
    pub(super) fn granted_by(
        &self,
        claim: &'w ClaimWish,
        of: Binding,
        capability: &str,
        value: &dyn Fn(&Located, &mut Problems) -> Option<Value>,
        problems: &mut Problems,
    ) -> Result<Self, Miss> {
        let ClaimKind::Granted { kind, options, .. } = &claim.want else {
            return Err(Miss::Reported);
        };
        let contract = self.world.catalogue.contract(capability);
        let contract = contract.and_then(|contract| contract.claims.get(*kind));
        let contract = contract.ok_or(Miss::Reported)?;
        let provider = match &of {
            Binding::Nothing { why } => return Err(Miss::Absent { why: why.clone() }),
            Binding::External { .. } => None,
            Binding::Instance { name, .. } => self.world.find(name.as_str()),
        };
        let own = provider.and_then(|member| Some((member, member.component.grants.get(*kind)?)));
        let (member, grant, by_itself) = match (own, &contract.grant) {
            (Some((member, grant)), _) => (member, grant, true),
            (None, Some(grant)) => (self.member, grant, false),
            (None, None) => {
                let who = match &of {
                    Binding::Instance { name, .. } => name.as_str(),
                    Binding::External { name } => name,
                    Binding::Nothing { .. } => capability,
                };
                let help = format!("take another provider of `{capability}`, one that does");
                let message = format!("`{who}` grants no {kind}");
                problems.push(Problem::error("not-granted", message).at(&claim.at).help(help));
                return Err(Miss::Reported);
            }
        };
        let (_, name) = self.claim_place(claim, problems).ok_or(Miss::Reported)?;
        let wishes = IndexMap::from([("name".to_owned(), Value::Text(name))]);
        let mut asking =
            Asking { id: &claim.id, kind, by: self.member, of, grant, by_itself, wishes };
        for option in &contract.options {
            let said = options.iter().find(|entry| entry.key == option.name);
            let value = match (said, &option.default) {
                (Some(said), _) => value(&said.value, problems),
                // A default may mention the name and the options before it.
                (None, Some(default)) => {
                    self.inside(member, asking.clone()).value(default, problems)
                }
                (None, None) => None,
            };
            let value = value.filter(|value| *value != Value::Null);
            asking.wishes.extend(value.map(|value| (option.name.clone(), value)));
        }
        Ok(self.inside(member, asking))
    }

    fn inside(&self, member: &'w Member<'a>, asking: Asking<'w, 'a>) -> Self {
        Self { member, item: None, asking: Some(asking.into()), ..self.clone() }
    }

    /// `asked.…`: who asks for what.
    pub(super) fn asked(&self, rest: &str) -> Result<Found, Miss> {
        let Some(asking) = &self.asking else { return Err(outside_of_a_grant("asked")) };
        match rest {
            "id" => text_found(asking.id),
            "instance" => text_found(asking.by.name().as_str()),
            "release" => text_found(&asking.by.release),
            "namespace" => text_found(&asking.by.namespace),
            _ => {
                let wishes = Value::Map(asking.wishes.clone());
                let (option, _) = rest.split_once('.').unwrap_or((rest, ""));
                let known = rule::CLAIM_OPTIONS.contains(&option);
                if known && !asking.wishes.contains_key(option) {
                    return Err(Miss::Absent { why: format!("the claim says no `{option}`") });
                }
                within(&wishes, rest, "asked")
            }
        }
    }

    /// `from.…`: what the provider gives by its contract.
    pub(super) fn from(&self, rest: &str, problems: &mut Problems) -> Result<Found, Miss> {
        let Some(asking) = &self.asking else { return Err(outside_of_a_grant("from")) };
        self.given(&asking.of, rest, "from", problems)
    }

    /// An output of what was granted.
    pub(super) fn granted_output(
        &self,
        name: &str,
        problems: &mut Problems,
    ) -> Result<Found, Miss> {
        let Some(asking) = &self.asking else { return Err(Miss::Reported) };
        let outputs = &asking.grant.outputs;
        let Some(rule) = outputs.iter().find(|rule| rule.name == name) else {
            if name == "name" {
                return within(&Value::Map(asking.wishes.clone()), name, "asked");
            }
            let known = outputs.iter().map(|rule| rule.name.as_str()).chain(["name"]);
            return Err(Miss::unknown(format!("what was granted has no `{name}`"), name, known));
        };
        if !self.holds(rule.when.as_ref(), problems) {
            let why = format!("the `when` of output `{name}` does not hold");
            return Err(Miss::Absent { why });
        }
        self.output_value(rule, problems)
    }
}

fn outside_of_a_grant(root: &str) -> Miss {
    let message = format!("`{root}` means something inside of a grant only");
    Miss::unknown(message, root, Vec::<String>::new())
}
