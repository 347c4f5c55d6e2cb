//! A component as its `component.yaml` describes it.

mod end;
mod read;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::expression::Expression;
use super::grant::Grant;
use super::param::Param;
use super::rule::{ClaimWish, EndpointRule, OutputRule, SecretWish};
use super::step::{self, Step};
use crate::yaml::{Entry, Located, Span};

pub(super) use read::read;

/// How far a component is kept alive by its makers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Kept alive.
    Active,
    /// Works, gets no more features.
    Frozen,
    /// Works, and something else is better.
    Deprecated,
    /// Gone: named in a flavour it is left out with a warning.
    Retired,
    /// New.
    Experimental,
}

/// A component.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    pub(super) folder: PathBuf,
    pub(super) settings: BTreeMap<String, Located>,
    pub(super) at: Span,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) summary: String,
    pub(super) categories: Vec<String>,
    pub(super) home: String,
    pub(super) license: String,
    pub(super) status: Status,
    pub(super) replaced_by: Vec<String>,
    pub(super) once_per_cluster: bool,
    pub(super) conflicts: Vec<String>,
    pub(super) namespace: NamespaceRule,
    pub(super) requires: Requires,
    pub(super) aliases: Vec<String>,
    pub(super) in_all: bool,
    pub(super) legacy: Vec<Legacy>,
    pub(super) uses: Vec<Use>,
    pub(super) provides: Vec<Provide>,
    pub(super) params: Vec<Param>,
    pub(super) profiles: BTreeMap<String, Profile>,
    pub(super) secrets: Vec<SecretWish>,
    pub(super) claims: Vec<ClaimWish>,
    /// How it grants what others claim of it, by kind.
    pub(super) grants: BTreeMap<String, Grant>,
    pub(super) steps: Vec<Step>,
    pub(super) outputs: Vec<OutputRule>,
    pub(super) endpoints: Vec<EndpointRule>,
    pub(super) health: Vec<Located>,
    pub(super) fails: Vec<Located>,
    pub(super) overlays: Vec<Overlay>,
    pub(super) upgrade: Upgrade,
    pub(super) delete: Delete,
    pub(super) notes: Option<Located>,
    pub(super) images: Option<Located>,
    pub(super) runs: Vec<Entry>,
    pub(super) verify: Vec<Located>,
    pub(super) connect: Vec<Entry>,
    /// What is read and has no effect yet: what it is, its place, what happens meanwhile.
    pub(super) idle: Vec<(&'static str, Span, &'static str)>,
}

/// The namespace that a component wants.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NamespaceRule {
    pub(super) name: Option<Located>,
    pub(super) labels: Option<Located>,
    pub(super) annotations: Option<Located>,
}

/// What a component requires of its cluster.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Requires {
    /// A range of Kubernetes versions such as `>=1.30`, and where it is written.
    pub kubernetes: Option<(String, Span)>,
    /// A range of versions of Helm, and where it is written.
    pub helm: Option<(String, Span)>,
    /// Sizes, architectures, host packages.
    pub nodes: Option<Located>,
    /// Storage class, access mode, size.
    pub storage: Option<Located>,
}

/// What an old key means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Legacy {
    /// The key, dotted.
    pub key: String,
    /// Its meaning.
    pub meaning: LegacyMeaning,
    /// Values for which nobody needs to be told (`quiet: official`).
    pub quiet: Vec<String>,
    /// Another old key that decides whether this one counts.
    pub when: Option<LegacyWhen>,
}

/// Another old key of the same section that decides whether one counts: `when: {key: datalake.type, is: minio}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyWhen {
    /// The deciding key, dotted; where it is absent, `is` holds and `is_not` does not.
    pub key: String,
    /// The words it is compared with.
    pub words: Vec<String>,
    /// Whether it must be one of them (`is`) or none of them (`is_not`).
    pub is: bool,
}

/// What becomes of an old key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegacyMeaning {
    /// It is written elsewhere now: a parameter, `bind.store`, or `external.store.endpoint` for what is used from outside.
    MovedTo(String),
    /// It has no meaning any more, and why.
    Dropped(String),
}

/// Something that a component uses.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// The name by which the component calls it.
    pub alias: String,
    /// What is used.
    pub of: UseOf,
    /// Whether the component does without it.
    pub optional: bool,
    /// Whether it only adds wiring and does not order.
    pub soft: bool,
    /// The provider to take when several are in the flavour.
    pub default: Option<String>,
    /// Accepted variants of the contract, such as `dialect: [s3]`.
    pub variants: BTreeMap<String, Vec<String>>,
    pub(super) when: Option<Expression>,
    /// Where it is written.
    pub at: Span,
}

/// What is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UseOf {
    /// A capability, whoever provides it.
    Capability(String),
    /// A component's own outputs.
    Component(String),
}

impl UseOf {
    /// The name of the capability or component.
    pub fn word(&self) -> &str {
        match self {
            Self::Capability(name) | Self::Component(name) => name,
        }
    }
}

/// Something that a component provides.
#[derive(Debug, Clone, PartialEq)]
pub struct Provide {
    /// The capability.
    pub capability: String,
    /// Outputs of the contract and the component's output that gives each; equal names where none is written.
    pub map: BTreeMap<String, String>,
    /// The variants of the contract it gives, such as `auth: keys`.
    pub variants: BTreeMap<String, String>,
    pub(super) when: Option<Expression>,
    /// Where it is written.
    pub at: Span,
}

/// A profile: parameters and values that come with a kind of target or a wish.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Profile {
    pub(super) params: Vec<Entry>,
    pub(super) values: Vec<Entry>,
}

/// Values that are laid over those of steps when a condition holds (`gpu`, `metrics`).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Overlay {
    pub(super) word: &'static str,
    pub(super) when: Option<Expression>,
    /// By step.
    pub(super) values: Vec<Entry>,
}

/// What an upgrade must heed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Upgrade {
    /// Parameters that cannot change once installed, without `param.`.
    pub immutable: BTreeSet<String>,
    /// How many minor versions one step may take.
    pub max_minor_step: Option<String>,
    /// What a person should know.
    pub notes: Option<String>,
}

/// What happens to a part of an instance when the instance goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// It stays.
    Keep,
    /// It goes.
    Remove,
}

/// What goes and what stays when an instance goes; nothing said where absent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Delete {
    /// Volume claims that others made for the instance.
    pub pvcs: Option<Keeping>,
    /// Secrets of ours.
    pub secrets: Option<Keeping>,
    /// Custom resource definitions.
    pub crds: Option<Keeping>,
    /// Claims of ours.
    pub claims: Option<Keeping>,
    /// The namespace.
    pub namespace: Option<Keeping>,
    /// Which of those claims are meant by a selector, and what becomes of them.
    pub(super) pvcs_where: Option<(Keeping, String)>,
    /// What must be gone before a step goes.
    pub(super) wait_gone: Vec<GoneWish>,
    /// What must hold, or nothing goes.
    pub(super) guards: Vec<GuardWish>,
    /// What is deleted first.
    pub(super) selected: Vec<SelectedWish>,
    /// How long anything of the instance may take to go.
    pub(super) timeout: Option<Duration>,
    /// What is read and not built yet, with its place.
    pub(super) later: Vec<(&'static str, Span)>,
}

/// What must be gone before a step goes; before the first one where none is named.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GoneWish {
    pub(super) of: Located,
    pub(super) selector: Option<Located>,
    pub(super) before: Option<(String, Span)>,
    pub(super) timeout: Option<Duration>,
}

/// A condition without which nothing goes, and what is said then.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GuardWish {
    pub(super) test: Located,
    pub(super) because: Option<Located>,
}

/// Objects that are deleted first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SelectedWish {
    pub(super) kind: Located,
    pub(super) selector: Located,
    pub(super) wait: bool,
}

impl Component {
    /// Its name: the folder's, and the key of its section.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What it is, in a line.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// What it belongs to, for lists.
    pub fn categories(&self) -> &[String] {
        &self.categories
    }

    /// Its home page.
    pub fn home(&self) -> &str {
        &self.home
    }

    /// Its licence.
    pub fn license(&self) -> &str {
        &self.license
    }

    /// How far it is kept alive.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What to take in its place.
    pub fn replaced_by(&self) -> &[String] {
        &self.replaced_by
    }

    /// Other names of its section.
    pub fn aliases(&self) -> &[String] {
        &self.aliases
    }

    /// Whether `all` includes it.
    pub fn in_all(&self) -> bool {
        self.in_all
    }

    /// The parameter that takes its licence, when it does not run without one.
    pub fn licence_param(&self) -> Option<&Param> {
        self.params.iter().find(|p| p.secret && p.required && p.name.contains("licen"))
    }

    /// What its old keys mean.
    pub fn legacy(&self) -> &[Legacy] {
        &self.legacy
    }

    /// Its parameters, in the order of the file.
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// A parameter.
    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }

    /// The names of its profiles.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// What it uses.
    pub fn uses(&self) -> &[Use] {
        &self.uses
    }

    /// What it provides.
    pub fn provides(&self) -> &[Provide] {
        &self.provides
    }

    /// Components and capabilities that exclude it.
    pub fn conflicts(&self) -> &[String] {
        &self.conflicts
    }

    /// Whether a cluster takes one installation of it only.
    pub fn once_per_cluster(&self) -> bool {
        self.once_per_cluster
    }

    /// What it requires of its cluster.
    pub fn requires(&self) -> &Requires {
        &self.requires
    }

    /// What an upgrade must heed.
    pub fn upgrade(&self) -> &Upgrade {
        &self.upgrade
    }

    /// What goes and what stays when an instance goes.
    pub fn delete(&self) -> &Delete {
        &self.delete
    }

    /// The names of its outputs.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(|output| output.name.as_str())
    }

    /// The ids of its Helm steps, in order.
    pub fn helm_steps(&self) -> impl Iterator<Item = &str> {
        self.steps
            .iter()
            .filter(|step| matches!(step.work, step::Work::Helm(_)))
            .map(|step| step.id.as_str())
    }

    /// The version of its first chart, as it is pinned.
    pub fn pinned_version(&self) -> Option<&str> {
        let versions = self.steps.iter().filter_map(|step| match &step.work {
            step::Work::Helm(helm) => helm.version.as_ref()?.as_text(),
            step::Work::Crds { .. }
            | step::Work::Manifests { .. }
            | step::Work::Objects { .. }
            | step::Work::Job(_)
            | step::Work::Wait
            | step::Work::Later(_) => None,
        });
        versions.into_iter().find(|version| !version.contains("${"))
    }

    /// The charts in its own folder, each with the place where it is named.
    pub fn chart_folders(&self) -> impl Iterator<Item = (&str, &Span)> {
        self.steps.iter().filter_map(Step::chart_folder)
    }

    /// Its folder on disk.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The other YAML files of its folder by file name.
    pub fn settings(&self) -> &BTreeMap<String, Located> {
        &self.settings
    }

    /// The names of its `runs`, for `datamill run`.
    pub fn runs(&self) -> impl Iterator<Item = &str> {
        self.runs.iter().map(|entry| entry.key.as_str())
    }

    /// How many checks `verify` has.
    pub fn checks(&self) -> usize {
        self.verify.len()
    }

    /// The clients that `connect` knows.
    pub fn clients(&self) -> impl Iterator<Item = &str> {
        self.connect.iter().map(|entry| entry.key.as_str())
    }

    /// Where it is described.
    pub fn at(&self) -> &Span {
        &self.at
    }
}
