//! The instances of a platform beside one another: what each is called, where it lives, how it is set.

use std::collections::BTreeMap;

use super::scope::Scope;
use super::wiring::Binding;
use super::{Catalogue, Component, Expose, Instance, Param, ParamType, Platform};
use crate::model::{ClusterFacts, Name, Secret, SecretRef, Value};
use crate::yaml::{Entry, Located, Node, Problem, Problems, Span, merge};

/// All that substitution may look at.
#[derive(Debug, Clone)]
pub(super) struct World<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) platform: &'a Platform,
    pub(super) facts: &'a ClusterFacts,
    /// In the order of the flavour.
    pub(super) members: Vec<Member<'a>>,
    /// By user and alias; nothing before uses are bound.
    pub(super) bindings: Option<BTreeMap<(Name, String), Binding>>,
}

/// An instance with its component and settings.
#[derive(Debug, Clone)]
pub(super) struct Member<'a> {
    pub(super) instance: &'a Instance,
    pub(super) component: &'a Component,
    pub(super) release: String,
    pub(super) namespace: String,
    pub(super) params: BTreeMap<String, ParamValue>,
    /// The profiles that hold, in order.
    pub(super) profiles: Vec<String>,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ParamValue {
    /// Nothing was set, and there is no default.
    Unset,
    /// As it is.
    Plain(Value),
    /// A secret that the user gave.
    Secret(Secret),
    /// A secret that lies in the cluster.
    Kept(SecretRef),
}

impl Member<'_> {
    /// The instance's name.
    pub(super) fn name(&self) -> &Name {
        &self.instance.name
    }

    /// How its addresses for the outside are reached.
    pub(super) fn expose(&self, platform: &Platform) -> Expose {
        self.instance.expose.as_ref().map_or(platform.expose, |(expose, _)| *expose)
    }

    /// Where the user speaks of the instance, else the component.
    pub(super) fn at(&self) -> &Span {
        self.instance.section.as_ref().unwrap_or(&self.component.at)
    }
}

impl<'a> World<'a> {
    /// Puts the instances of a platform together; those without a component are problems and left out.
    pub(super) fn new(
        catalogue: &'a Catalogue,
        platform: &'a Platform,
        facts: &'a ClusterFacts,
        problems: &mut Problems,
    ) -> Self {
        let mut world = Self { catalogue, platform, facts, members: Vec::new(), bindings: None };
        for instance in &platform.instances {
            let Some(component) = catalogue.component(&instance.component) else {
                problems.push(unknown_component(catalogue, instance));
                continue;
            };
            let member = world.member(instance, component, problems);
            world.members.push(member);
        }
        world
    }

    /// The instance of a name.
    pub(super) fn find(&self, name: &str) -> Option<&Member<'a>> {
        self.members.iter().find(|member| member.name().as_str() == name)
    }

    fn member(
        &self,
        instance: &'a Instance,
        component: &'a Component,
        problems: &mut Problems,
    ) -> Member<'a> {
        let release = instance.release.clone().unwrap_or_else(|| instance.name.to_string());
        let mut member = Member {
            instance,
            component,
            release,
            namespace: instance
                .namespace
                .clone()
                .unwrap_or_else(|| self.platform.namespace.clone()),
            params: BTreeMap::new(),
            profiles: active_profiles(self.platform, instance, component, problems),
        };
        self.set_params(&mut member, problems);
        if instance.namespace.is_none()
            && let Some(wanted) = &component.namespace.name
        {
            let named = Scope::new(self, &member).text(wanted, problems);
            member.namespace = named.unwrap_or(member.namespace);
        }
        check_word(&member.release, "release", member.at(), problems);
        check_word(&member.namespace, "namespace", member.at(), problems);
        member
    }

    /// Defaults, then profiles, both substituted; then what the user says, as it is.
    fn set_params(&self, member: &mut Member<'a>, problems: &mut Problems) {
        let component = member.component;
        for entry in member.instance.params.entries() {
            if component.param(&entry.key).is_none() {
                problems.push(unknown_param(component, entry));
            }
        }
        for param in &component.params {
            let mut under = param.default.clone();
            for profile in &member.profiles {
                let entries = component.profiles.get(profile).map(|p| p.params.as_slice());
                let said = entries.unwrap_or_default().iter().find(|e| e.key == param.name);
                if let Some(said) = said {
                    under = Some(laid(under, said.value.clone()));
                }
            }
            let said = member.instance.params.get(&param.name);
            let value = self.param_value(member, param, under, said, problems);
            member.params.insert(param.name.clone(), value);
        }
    }

    fn param_value(
        &self,
        member: &Member<'a>,
        param: &Param,
        under: Option<Located>,
        said: Option<&Located>,
        problems: &mut Problems,
    ) -> ParamValue {
        if param.secret {
            return self.secret_value(member, param, under, said, problems);
        }
        if let Some(said) = said {
            param.check(said, problems);
        }
        let value = match (under, said) {
            (_, Some(said)) if said.is_null() => None,
            (Some(under), Some(said)) if matches!(said.node, Node::Map(_)) => {
                Some(plain(&merge(under, said.clone())))
            }
            (_, Some(said)) => Some(plain(said)),
            (Some(under), None) => Scope::new(self, member).value(&under, problems),
            (None, None) => None,
        };
        match value {
            Some(Value::Null) | None => {
                if param.required {
                    problems.push(missing_param(member, param));
                }
                ParamValue::Unset
            }
            Some(value) => ParamValue::Plain(param.fit(value)),
        }
    }

    fn secret_value(
        &self,
        member: &Member<'a>,
        param: &Param,
        under: Option<Located>,
        said: Option<&Located>,
        problems: &mut Problems,
    ) -> ParamValue {
        if let Some(secret) = member.instance.secrets.get(&param.name) {
            return ParamValue::Secret(secret.clone());
        }
        let value = said.cloned().or(under).filter(|value| !value.is_null());
        let Some(value) = value else {
            if param.required {
                problems.push(missing_param(member, param));
            }
            return ParamValue::Unset;
        };
        if let Some(at) = kept_secret(&value, &self.platform.namespace) {
            return ParamValue::Kept(at);
        }
        match &value.node {
            Node::Text(text) => ParamValue::Secret(Secret::new(text.clone())),
            Node::Number(number) => ParamValue::Secret(Secret::new(number.to_string())),
            Node::Null | Node::Bool(_) | Node::List(_) | Node::Map(_) => {
                let message =
                    format!("`{}` is a secret, and here stands {}", param.name, value.kind());
                problems.push(
                    Problem::error("wrong-type", message).at(&value.span).help(
                        "write {env: NAME}, {file: PATH} or {secret: namespace/name, key: key}",
                    ),
                );
                ParamValue::Unset
            }
        }
    }
}

/// Reads `{secret: ns/name, key: k}`.
pub(super) fn kept_secret(value: &Located, namespace: &str) -> Option<SecretRef> {
    let secret = value.get("secret")?.as_text()?;
    let key = value.get("key")?.as_text()?.to_owned();
    let (namespace, name) = secret.split_once('/').unwrap_or((namespace, secret));
    Some(SecretRef { namespace: namespace.to_owned(), name: name.to_owned(), key })
}

fn laid(under: Option<Located>, over: Located) -> Located {
    match under {
        Some(under) => merge(under, over),
        None => over,
    }
}

/// A value of a user's file as it is: nothing in it is substituted.
pub(super) fn plain(tree: &Located) -> Value {
    match &tree.node {
        Node::Null => Value::Null,
        Node::Bool(flag) => Value::Bool(*flag),
        Node::Number(number) => Value::Number(number.clone()),
        Node::Text(text) => Value::Text(text.clone()),
        Node::List(items) => Value::List(items.iter().map(plain).collect()),
        Node::Map(entries) => {
            Value::Map(entries.iter().map(|e| (e.key.clone(), plain(&e.value))).collect())
        }
    }
}

impl Param {
    /// The value as its type wants it: numbers and flags given for a text become text, a text like `[ "/x" ]` given for a
    /// list becomes the list.
    fn fit(&self, value: Value) -> Value {
        let to_text = match self.kind {
            ParamType::String | ParamType::Enum | ParamType::Quantity | ParamType::Duration => true,
            ParamType::Int | ParamType::Bool | ParamType::List | ParamType::Map => false,
        };
        match value {
            Value::Number(number) if to_text => Value::Text(number.to_string()),
            Value::Bool(flag) if to_text => Value::Text(flag.to_string()),
            Value::Text(text) if self.kind == ParamType::List => {
                list_in(&text).map_or(Value::Text(text), |list| plain(&list))
            }
            other @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Join(_)
            | Value::Output { .. }
            | Value::Secret(_)) => other,
        }
    }
}

/// The list that a text such as `[ "/download.sh" ]` writes.
pub(super) fn list_in(text: &str) -> Option<Located> {
    if !text.trim_start().starts_with('[') {
        return None;
    }
    let source = crate::yaml::Source::new("a list in text", text.to_owned());
    crate::yaml::parse(&source).ok().filter(|tree| matches!(tree.node, Node::List(_)))
}

fn active_profiles(
    platform: &Platform,
    instance: &Instance,
    component: &Component,
    problems: &mut Problems,
) -> Vec<String> {
    for name in &instance.profiles {
        if !component.profiles.contains_key(name) && !platform.profiles.contains(name) {
            let message = format!("`{}` has no profile `{name}`", component.name());
            problems.push(
                Problem::error("unknown-profile", message)
                    .at(instance.section.as_ref().unwrap_or(component.at()))
                    .suggest(name, component.profiles()),
            );
        }
    }
    let mut active: Vec<String> = Vec::new();
    for name in platform.profiles.iter().chain(&instance.profiles) {
        if component.profiles.contains_key(name) {
            active.retain(|known| known != name);
            active.push(name.clone());
        }
    }
    active
}

fn check_word(text: &str, what: &str, at: &Span, problems: &mut Problems) {
    if let Err(why) = text.parse::<Name>() {
        problems.push(
            Problem::error("bad-name", format!("the {what} cannot be called so: {why}")).at(at),
        );
    }
}

fn unknown_component(catalogue: &Catalogue, instance: &Instance) -> Problem {
    let message = format!("there is no component `{}`", instance.component);
    let known = catalogue.components().map(Component::name);
    let problem = Problem::error("unknown-component", message).suggest(&instance.component, known);
    match &instance.section {
        Some(at) => problem.at(at),
        None => problem,
    }
}

fn unknown_param(component: &Component, entry: &Entry) -> Problem {
    let message = format!("`{}` has no parameter `{}`", component.name(), entry.key);
    let known = component.params().iter().map(|param| param.name.as_str());
    let reserved = super::RESERVED_KEYS.into_iter();
    Problem::error("unknown-parameter", message)
        .at(&entry.key_span)
        .suggest(&entry.key, known.chain(reserved))
}

fn missing_param(member: &Member<'_>, param: &Param) -> Problem {
    let message = format!("`{}` needs a value for `{}`", member.name(), param.name);
    let problem = Problem::error("missing-parameter", message).at(member.at());
    if param.doc.is_empty() { problem } else { problem.help(param.doc.clone()) }
}
