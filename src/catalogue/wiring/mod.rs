//! Who gives what to whom: uses are bound to providers, and nothing may need itself.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::Scope;
use super::world::{Member, World};
use super::{Component, Expose, Status, Use, UseOf};
use crate::model::Name;
use crate::yaml::{Problem, Problems, Span};

/// What a use is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Binding {
    /// An instance; `provide` is the place of what it gives in its list, none for a component's own outputs.
    Instance { name: Name, provide: Option<usize> },
    /// Something outside.
    External { name: String },
    /// Nothing, and the component does without.
    Nothing { why: String },
}

/// A possible provider.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    label: String,
    component: Option<String>,
    binding: Binding,
}

type Bindings = BTreeMap<(Name, String), Binding>;

/// Binds every use of every instance.
pub(super) fn bind(world: &World<'_>, problems: &mut Problems) -> Bindings {
    let mut bindings = Bindings::new();
    for member in &world.members {
        check_bind_keys(member, problems);
        for used in member.component.uses() {
            let bound = if Scope::new(world, member).holds(used.when.as_ref(), problems) {
                bind_one(world, member, used, problems)
            } else {
                Some(Binding::Nothing {
                    why: format!("the `when` of use `{}` does not hold", used.alias),
                })
            };
            if let Some(bound) = bound {
                bindings.insert((member.name().clone(), used.alias.clone()), bound);
            }
        }
    }
    bindings
}

fn check_bind_keys(member: &Member<'_>, problems: &mut Problems) {
    for (alias, (_, at)) in &member.instance.bind {
        let uses = member.component.uses();
        if !uses.iter().any(|used| used.alias == *alias) {
            let message =
                format!("`{}` uses nothing under the name `{alias}`", member.component.name());
            problems.push(
                Problem::error("unknown-use", message)
                    .at(at)
                    .suggest(alias, uses.iter().map(|used| used.alias.as_str())),
            );
        }
    }
}

fn wanted(used: &Use) -> String {
    match &used.of {
        UseOf::Capability(name) => format!("`{name}`"),
        UseOf::Component(name) => format!("component `{name}`"),
    }
}

fn bind_one(
    world: &World<'_>,
    member: &Member<'_>,
    used: &Use,
    problems: &mut Problems,
) -> Option<Binding> {
    let candidates = candidates(world, member, used, problems);
    if let Some((target, at)) = member.instance.bind.get(&used.alias) {
        return bind_by_hand(world, member, used, target, at, &candidates, problems);
    }
    match candidates.as_slice() {
        [only] => Some(only.binding.clone()),
        [] if used.optional => Some(Binding::Nothing {
            why: format!("nothing in the flavour provides {}", wanted(used)),
        }),
        [] => {
            problems.push(no_provider(world, member, used));
            None
        }
        several => {
            let mut default = several.iter().filter(|candidate| {
                let said = used.default.as_deref();
                said.is_some()
                    && (candidate.component.as_deref() == said
                        || Some(candidate.label.as_str()) == said)
            });
            if let (Some(default), None) = (default.next(), default.next()) {
                return Some(default.binding.clone());
            }
            problems.push(ambiguous(member, used, several));
            None
        }
    }
}

/// What in the flavour, or outside, can give what is used; the instance itself cannot.
fn candidates(
    world: &World<'_>,
    member: &Member<'_>,
    used: &Use,
    problems: &mut Problems,
) -> Vec<Candidate> {
    let mut found = Vec::new();
    for other in world.members.iter().filter(|other| other.name() != member.name()) {
        let provide = match &used.of {
            UseOf::Component(component) => {
                let wanted = world.catalogue.component(component).map(Component::name);
                if wanted == Some(other.component.name()) { Some(None) } else { None }
            }
            UseOf::Capability(capability) => {
                let scope = Scope::new(world, other);
                let mut provides = other.component.provides().iter().enumerate();
                provides
                    .find(|(_, provide)| {
                        provide.capability == *capability
                            && accepts(world, used, capability, &provide.variants)
                            && scope.holds(provide.when.as_ref(), problems)
                    })
                    .map(|(at, _)| Some(at))
            }
        };
        if let Some(provide) = provide {
            found.push(Candidate {
                label: other.name().to_string(),
                component: Some(other.component.name().to_owned()),
                binding: Binding::Instance { name: other.name().clone(), provide },
            });
        }
    }
    if let UseOf::Capability(capability) = &used.of {
        for (name, external) in &world.platform.external {
            if external.capability == *capability
                && accepts(world, used, capability, &external.variants)
            {
                found.push(Candidate {
                    label: name.clone(),
                    component: None,
                    binding: Binding::External { name: name.clone() },
                });
            }
        }
    }
    found
}

/// Whether the variants that a provider gives are among those that are taken.
fn accepts(
    world: &World<'_>,
    used: &Use,
    capability: &str,
    given: &BTreeMap<String, String>,
) -> bool {
    let contract = world.catalogue.contract(capability);
    used.variants.iter().all(|(key, words)| {
        let variant = contract
            .and_then(|contract| contract.variant(given, key))
            .or_else(|| given.get(key).map(String::as_str));
        variant.is_none_or(|variant| words.iter().any(|known| known == variant))
    })
}

fn bind_by_hand(
    world: &World<'_>,
    member: &Member<'_>,
    used: &Use,
    target: &str,
    at: &Span,
    candidates: &[Candidate],
    problems: &mut Problems,
) -> Option<Binding> {
    if target == "none" && used.optional {
        return Some(Binding::Nothing {
            why: format!("the flavour binds `{}` to nothing", used.alias),
        });
    }
    if let Some(found) = candidates.iter().find(|candidate| candidate.label == target) {
        return Some(found.binding.clone());
    }
    let meant = world.catalogue.component(target).map_or(target, Component::name);
    let mut by_component =
        candidates.iter().filter(|candidate| candidate.component.as_deref() == Some(meant));
    if let (Some(only), None) = (by_component.next(), by_component.next()) {
        return Some(only.binding.clone());
    }
    let labels = candidates.iter().map(|candidate| candidate.label.as_str());
    let in_flavour = world.find(target).is_some() || world.platform.external.contains_key(target);
    let problem = if in_flavour {
        let message = format!(
            "`{target}` does not provide {}, which `{}` binds to it",
            wanted(used),
            member.name()
        );
        Problem::error("wrong-binding", message).suggest(target, labels)
    } else if world.catalogue.component(target).is_some() {
        let message = format!(
            "`{}` binds `{}` to `{target}`, which the flavour does not contain",
            member.name(),
            used.alias
        );
        Problem::error("unbound", message).help(format!("add `{target}` to `project.flavour`"))
    } else {
        let message = format!(
            "`{}` binds `{}` to `{target}`, and nothing is called so",
            member.name(),
            used.alias
        );
        Problem::error("unknown-provider", message).suggest(target, labels)
    };
    problems.push(problem.at(at));
    None
}

/// Nobody in the flavour gives it: who in the catalogue could?
fn no_provider(world: &World<'_>, member: &Member<'_>, used: &Use) -> Problem {
    let message = format!(
        "`{}` needs {}, and nothing in the flavour provides it",
        member.name(),
        wanted(used)
    );
    let problem = Problem::error("no-provider", message)
        .at(member.at())
        .label(format!("uses it as `{}`", used.alias));
    let mut names: Vec<&str> = match &used.of {
        UseOf::Component(name) => world
            .catalogue
            .component(name)
            .filter(|component| component.status() != Status::Retired)
            .map(Component::name)
            .into_iter()
            .collect(),
        UseOf::Capability(capability) => world
            .catalogue
            .components()
            .filter(|component| component.status() != Status::Retired)
            .filter(|component| {
                component.provides().iter().any(|provide| {
                    provide.capability == *capability
                        && accepts(world, used, capability, &provide.variants)
                })
            })
            .map(Component::name)
            .collect(),
    };
    if let Some(default) = used.default.as_deref()
        && let Some(at) = names.iter().position(|name| *name == default)
    {
        let default = names.remove(at);
        names.insert(0, default);
    }
    if names.is_empty() {
        return problem.help(format!(
            "no component of the catalogue provides it; describe one under `external:` and bind `{}` to it",
            used.alias
        ));
    }
    problem.help(format!("add one of: {}", names.join(", ")))
}

fn ambiguous(member: &Member<'_>, used: &Use, several: &[Candidate]) -> Problem {
    let labels: Vec<&str> = several.iter().map(|candidate| candidate.label.as_str()).collect();
    let message = format!(
        "`{}` needs {}, and several provide it: {}",
        member.name(),
        wanted(used),
        labels.join(", ")
    );
    Problem::error("ambiguous-provider", message).at(member.at()).help(format!(
        "write in section `{}`: bind: {{{}: {}}}",
        member.name(),
        used.alias,
        labels.first().copied().unwrap_or_default()
    ))
}

/// Warns of what stands ready outside and is used by nobody: mostly a binding that was forgotten.
pub(super) fn check_unused(world: &World<'_>, problems: &mut Problems) {
    let bindings = world.bindings.iter().flat_map(|bindings| bindings.values());
    let used: BTreeSet<&String> = bindings
        .filter_map(|binding| match binding {
            Binding::External { name } => Some(name),
            Binding::Instance { .. } | Binding::Nothing { .. } => None,
        })
        .collect();
    let exposed = world.members.iter().any(|m| m.expose(world.platform) == Expose::Ingress);
    for (name, external) in &world.platform.external {
        // What is exposed takes its Ingress and its certificates from where they are.
        let serves = ["ingress", "certificates"].contains(&external.capability.as_str());
        if !(used.contains(name) || serves && exposed) {
            problems.push(
                Problem::warning("unused-external", format!("`external.{name}` is used by nobody"))
                    .at(&external.at)
                    .help(format!(
                        "bind it in the section of what needs it: bind: {{NAME: {name}}}"
                    )),
            );
        }
    }
}

fn bound<'w>(world: &'w World<'_>, key: &(Name, String)) -> Option<&'w Binding> {
    world.bindings.as_ref()?.get(key)
}

/// The instances that must be installed before an instance: soft uses do not order.
pub(super) fn before(world: &World<'_>, member: &Member<'_>) -> BTreeSet<Name> {
    let uses = member.component.uses().iter().filter(|used| !used.soft);
    uses.filter_map(|used| match bound(world, &(member.name().clone(), used.alias.clone())) {
        Some(Binding::Instance { name, .. }) => Some(name.clone()),
        Some(Binding::External { .. } | Binding::Nothing { .. }) | None => None,
    })
    .collect()
}

/// Reports each circle of instances that need one another, once, as a chain.
pub(super) fn check_cycles(world: &World<'_>, problems: &mut Problems) {
    let mut done = BTreeSet::new();
    for member in &world.members {
        let mut chain = Vec::new();
        walk(world, member, &mut chain, &mut done, problems);
    }
}

fn walk(
    world: &World<'_>,
    member: &Member<'_>,
    chain: &mut Vec<Name>,
    done: &mut BTreeSet<Name>,
    problems: &mut Problems,
) {
    if let Some(at) = chain.iter().position(|name| name == member.name()) {
        let circle = chain.iter().skip(at).chain([member.name()]);
        let text = circle.map(Name::as_str).collect::<Vec<_>>().join(" → ");
        problems.push(
            Problem::error("cycle", format!("these instances need one another: {text}"))
                .at(member.at())
                .help("bind one of them to another provider, or leave one out"),
        );
        return;
    }
    if done.contains(member.name()) {
        return;
    }
    chain.push(member.name().clone());
    for name in before(world, member) {
        if let Some(next) = world.find(name.as_str()) {
            walk(world, next, chain, done, problems);
        }
    }
    chain.pop();
    done.insert(member.name().clone());
}

/// Reports what excludes one another, and what a cluster takes only once.
pub(super) fn check_conflicts(world: &World<'_>, problems: &mut Problems) {
    for (at, member) in world.members.iter().enumerate() {
        for other in &world.members {
            if other.name() == member.name() {
                continue;
            }
            let excludes = |word: &String| {
                let meant = world.catalogue.component(word).map_or(word.as_str(), Component::name);
                meant == other.component.name()
                    || other.component.provides().iter().any(|provide| provide.capability == *word)
            };
            if member.component.conflicts().iter().any(excludes) {
                let message =
                    format!("`{}` and `{}` exclude one another", member.name(), other.name());
                problems.push(
                    Problem::error("conflict", message)
                        .at(member.at())
                        .help("leave one of the two out of `project.flavour`"),
                );
            }
        }
        let twin = world.members.iter().take(at).find(|other| {
            other.component.name() == member.component.name() && member.component.once_per_cluster()
        });
        if let Some(twin) = twin {
            let message = format!(
                "`{}` and `{}` are both `{}`, and a cluster takes one of those",
                twin.name(),
                member.name(),
                member.component.name()
            );
            problems.push(
                Problem::error("once-per-cluster", message)
                    .at(member.at())
                    .help("leave one of the two out of `project.flavour`"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
