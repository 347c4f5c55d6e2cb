//! Which components are installed under which names: the names of the flavour, `all`, what the target adds, `-c`.

use std::collections::{BTreeMap, BTreeSet};

use super::components::Components;
use super::flavour::ProjectSection;
use crate::catalogue::{Catalogue, Component, Status, UseOf};
use crate::model::Name;
use crate::yaml::{Located, Problem, Problems, Span};

/// An instance that is installed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Selected {
    pub(super) name: Name,
    /// The component's own name.
    pub(super) component: String,
    /// Whether only `-c` asks for it.
    pub(super) extra: bool,
}

/// What is not installed, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// The component.
    pub name: String,
    /// Why, as part of a sentence: `it needs a licence`.
    pub why: String,
}

/// The names there are: components, their aliases, and sections with `component:`.
pub(super) struct Names<'a> {
    pub(super) catalogue: &'a Catalogue,
    /// Components whose description has errors.
    broken: &'a BTreeSet<String>,
    /// Sections with `component:`, by name.
    pub(super) instances: BTreeMap<String, String>,
}

impl<'a> Names<'a> {
    /// Reads which sections of a flavour are instances under names of their own.
    pub(super) fn of(
        flavour: &Located,
        components: &'a Components,
        problems: &mut Problems,
    ) -> Self {
        let catalogue = &components.catalogue;
        let mut instances = BTreeMap::new();
        for entry in flavour.entries() {
            let Some(component) = entry.value.get("component").filter(|value| !value.is_null())
            else {
                continue;
            };
            let Some(text) = component.as_text() else {
                let message = format!("`{}.component` is the name of a component", entry.key);
                problems.push(Problem::error("wrong-type", message).at(&component.span));
                continue;
            };
            match catalogue.component(text) {
                Some(component) => {
                    instances.insert(entry.key.clone(), component.name().to_owned());
                }
                None if components.broken.contains(text) => {}
                None => problems.push(unknown_component(text, catalogue).at(&component.span)),
            }
        }
        Self { catalogue, broken: &components.broken, instances }
    }

    /// The instance that a word means: its name and its component.
    pub(super) fn instance(&self, word: &str) -> Option<(String, &'a Component)> {
        if let Some(component) = self.instances.get(word) {
            return self.catalogue.component(component).map(|c| (word.to_owned(), c));
        }
        self.catalogue.component(word).map(|c| (c.name().to_owned(), c))
    }

    /// Whether a word means a component whose description has errors: those are reported.
    pub(super) fn is_broken(&self, word: &str) -> bool {
        self.broken.contains(word)
    }

    /// Every word that means an instance.
    pub(super) fn words(&self) -> BTreeSet<&str> {
        let components = self.catalogue.components().flat_map(|component| {
            component.aliases().iter().map(String::as_str).chain([component.name()])
        });
        components.chain(self.instances.keys().map(String::as_str)).collect()
    }
}

fn unknown_component(word: &str, catalogue: &Catalogue) -> Problem {
    let known = catalogue.components().flat_map(|component| {
        component.aliases().iter().map(String::as_str).chain([component.name()])
    });
    Problem::error("unknown-component", format!("there is no component `{word}`"))
        .label("unknown component")
        .suggest(word, known)
}

/// The instances that a run is about, and what is left out.
pub(super) struct Selection {
    pub(super) instances: Vec<Selected>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Selects instances.
pub(super) fn select(
    names: &Names<'_>,
    project: &ProjectSection,
    adds: &[(&'static str, Span)],
    asked: &[String],
    problems: &mut Problems,
) -> Selection {
    let mut chosen = Chosen { names, selected: Vec::new(), left_out: BTreeSet::new() };
    for (word, at) in &project.names {
        chosen.name(word, at, problems);
    }
    twice(names, &project.names, problems);
    for (word, at) in adds {
        if names.instance(word).is_some() {
            chosen.name(word, at, problems);
        } else {
            let message =
                format!("this asks for the component `{word}`, which the catalogue does not have");
            problems.push(Problem::warning("unknown-component", message).at(at));
            chosen.leave_out(word, "the catalogue does not have it");
        }
    }
    if project.all {
        chosen.all();
    }
    for word in asked {
        chosen.asked(word, problems);
    }
    if project.all && chosen.selected.is_empty() {
        problems.push(chosen.nothing());
    }
    Selection { instances: chosen.selected, left_out: chosen.left_out.into_iter().collect() }
}

/// An instance is installed once, however often it is named.
fn twice(names: &Names<'_>, words: &[(String, Span)], problems: &mut Problems) {
    let mut before: BTreeMap<String, &str> = BTreeMap::new();
    for (word, at) in words {
        let Some((instance, _)) = names.instance(word) else { continue };
        let Some(first) = before.insert(instance.clone(), word) else { continue };
        let message = if first == word && *word == instance {
            format!("`{word}` is named twice")
        } else {
            format!("`{first}` and `{word}` are the same instance, `{instance}`")
        };
        problems.push(Problem::error("duplicate-instance", message).at(at).help(format!(
            "remove one; a second one of its kind is a section of its own: `NAME: {{component: {instance}}}`"
        )));
    }
}

struct Chosen<'a> {
    names: &'a Names<'a>,
    selected: Vec<Selected>,
    left_out: BTreeSet<LeftOut>,
}

impl Chosen<'_> {
    fn name(&mut self, word: &str, at: &Span, problems: &mut Problems) {
        let Some((instance, component)) = self.names.instance(word) else {
            if self.names.is_broken(word) {
                return;
            }
            let problem =
                Problem::error("unknown-component", format!("there is no component `{word}`"));
            problems
                .push(problem.at(at).label("unknown component").suggest(word, self.names.words()));
            return;
        };
        if component.status() == Status::Retired {
            problems.push(
                Problem::warning("retired-component", retired(word))
                    .at(at)
                    .help(instead(component, "remove it")),
            );
            self.leave_out(
                component.name(),
                &format!("it is retired: {}", instead(component, "nothing replaces it")),
            );
            return;
        }
        if component.status() == Status::Deprecated {
            problems.push(
                Problem::warning("deprecated-component", format!("`{word}` is deprecated"))
                    .at(at)
                    .help(instead(component, "look for another one")),
            );
        }
        match instance.parse::<Name>() {
            Ok(name) => self.add(name, component.name(), false),
            Err(wrong) => {
                let better = instance.to_ascii_lowercase().replace('_', "-");
                problems.push(
                    Problem::error(
                        "wrong-value",
                        format!("`{instance}` is no name of an instance: {wrong}"),
                    )
                    .at(at)
                    .help(format!("call the section `{better}`")),
                );
            }
        }
    }

    fn asked(&mut self, word: &str, problems: &mut Problems) {
        let Some((instance, component)) = self.names.instance(word) else {
            problems.push(
                Problem::error("unknown-component", format!("`-c {word}` names no component"))
                    .suggest(word, self.names.words()),
            );
            return;
        };
        if component.status() == Status::Retired {
            let problem =
                Problem::error("retired-component", format!("`-c {word}`: {}", retired(word)));
            problems.push(problem.help(instead(component, "nothing replaces it")));
            return;
        }
        if let Ok(name) = instance.parse::<Name>() {
            self.left_out.retain(|left| left.name != component.name());
            self.add(name, component.name(), true);
        }
    }

    fn add(&mut self, name: Name, component: &str, extra: bool) {
        if !self.selected.iter().any(|known| known.name == name) {
            self.selected.push(Selected { name, component: component.to_owned(), extra });
        }
    }

    fn leave_out(&mut self, name: &str, why: &str) {
        self.left_out.insert(LeftOut { name: name.to_owned(), why: why.to_owned() });
    }

    /// Every component that `all` means, and every instance under a name of its own.
    /// Says that `all` is nothing here, and why.
    fn nothing(&self) -> Problem {
        let why: Vec<_> =
            self.left_out.iter().map(|left| format!("{}: {}", left.name, left.why)).collect();
        Problem::warning("nothing-chosen", "`all` chooses nothing: every component is left out")
            .help(format!("name what you want in `flavour:`. Left out are {}", why.join("; ")))
    }

    fn all(&mut self) {
        let catalogue = self.names.catalogue;
        let named: BTreeSet<String> =
            self.selected.iter().map(|selected| selected.component.clone()).collect();
        let mut candidates: BTreeMap<&str, &Component> = BTreeMap::new();
        for component in catalogue.components() {
            match not_in_all(component) {
                Some(why) if !named.contains(component.name()) => {
                    self.leave_out(component.name(), &why);
                }
                Some(_) | None => drop(candidates.insert(component.name(), component)),
            }
        }
        for (loser, why) in rivals(&candidates, &named) {
            candidates.remove(loser.as_str());
            self.leave_out(&loser, &why);
        }
        for name in candidates.keys() {
            if let Ok(name) = name.parse::<Name>() {
                let component = name.as_str().to_owned();
                self.add(name, &component, false);
            }
        }
        for (instance, component) in &self.names.instances {
            if let Ok(name) = instance.parse::<Name>() {
                self.add(name, component, false);
            }
        }
    }
}

fn retired(word: &str) -> String {
    format!("`{word}` is retired and not installed any more")
}

fn instead(component: &Component, otherwise: &str) -> String {
    match component.replaced_by() {
        [] => otherwise.to_owned(),
        others => format!("take {} in its place", quoted(others.iter().map(String::as_str))),
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
}

/// Why `all` does not include a component, whatever else is there.
fn not_in_all(component: &Component) -> Option<String> {
    match component.status() {
        Status::Retired => {
            return Some(format!("it is retired: {}", instead(component, "nothing replaces it")));
        }
        Status::Deprecated => {
            return Some(format!(
                "it is deprecated: {}",
                instead(component, "look for another one")
            ));
        }
        Status::Active | Status::Frozen | Status::Experimental => {}
    }
    if let Some(param) = component.licence_param() {
        return Some(format!("it needs a licence, set as `{}.{}`", component.name(), param.name));
    }
    (!component.in_all()).then(|| "it is not part of `all`; name it to install it".to_owned())
}

/// Of several providers of a capability, and of conflicting components, one stays: what the flavour names, else the default of
/// those that use it, else the first by name.
fn rivals(
    candidates: &BTreeMap<&str, &Component>,
    named: &BTreeSet<String>,
) -> BTreeMap<String, String> {
    let mut losers = BTreeMap::new();
    let capabilities: BTreeSet<&str> = candidates
        .values()
        .flat_map(|component| component.provides().iter().map(|p| p.capability.as_str()))
        .collect();
    for capability in capabilities {
        let providers: Vec<&str> = candidates
            .values()
            .filter(|c| c.provides().iter().any(|p| p.capability == capability))
            .map(|c| c.name())
            .filter(|name| !losers.contains_key(*name))
            .collect();
        let Some(default) = default_of(capability, &providers, candidates, named) else { continue };
        for loser in providers.into_iter().filter(|name| *name != default && !named.contains(*name))
        {
            let why = format!("`{default}` gives `{capability}` by default");
            losers.insert(loser.to_owned(), why);
        }
    }
    for (name, component) in candidates {
        for other in component.conflicts() {
            if !candidates.contains_key(other.as_str())
                || losers.contains_key(*name)
                || losers.contains_key(other)
            {
                continue;
            }
            let keep_other = named.contains(other) && !named.contains(*name);
            let (kept, lost) =
                if keep_other { (other.as_str(), *name) } else { (*name, other.as_str()) };
            if !named.contains(lost) {
                losers.insert(lost.to_owned(), format!("it conflicts with `{kept}`"));
            }
        }
    }
    losers
}

fn default_of<'a>(
    capability: &str,
    providers: &[&'a str],
    candidates: &BTreeMap<&str, &Component>,
    named: &BTreeSet<String>,
) -> Option<&'a str> {
    let wished: Vec<&str> = candidates
        .values()
        .flat_map(|component| component.uses())
        .filter(|wish| wish.of == UseOf::Capability(capability.to_owned()))
        .filter_map(|wish| wish.default.as_deref())
        .collect();
    let by_name = providers.iter().find(|name| named.contains(**name));
    let by_wish = providers
        .iter()
        .filter(|name| wished.contains(name))
        .max_by_key(|name| wished.iter().filter(|wish| wish == name).count());
    by_name.or(by_wish).or_else(|| providers.first()).copied()
}
