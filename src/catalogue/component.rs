//! A component as its `component.yaml` describes it. Reading is strict: what nobody asked for is a problem.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::expression::Expression;
use super::fields::{Fields, text_of};
use super::param::{self, Param};
use super::rule::{self, ClaimWish, EndpointRule, OutputRule, SecretWish};
use super::step::{self, Step};
use super::{ComponentFile, expression};
use crate::yaml::{Entry, Located, Node, Problem, Problems, Span};

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
    /// Sizes, architectures, host packages: informational.
    pub nodes: Option<Located>,
    /// Storage class, access mode, size: informational.
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
    /// What is read and not built yet, with its place.
    pub(super) later: Vec<(&'static str, Span)>,
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

/// Reads a component; problems are collected, and with errors among them the result is of no use.
pub(super) fn read(file: ComponentFile, problems: &mut Problems) -> Option<Component> {
    let ComponentFile { folder, tree, settings } = file;
    let mut fields = Fields::of(&tree, "a component", problems)?;
    fields.need("schema", problems);
    fields.word("schema", &[("component/v1", ())], problems);
    let name = fields.need_text("name", problems)?;
    check_name(&name, &folder, fields.raw("name").unwrap_or(&tree), problems);
    let component = Component {
        title: fields.text("title", problems).unwrap_or_else(|| name.clone()),
        summary: fields.text("summary", problems).unwrap_or_default(),
        categories: fields.texts("categories", problems),
        home: fields.text("home", problems).unwrap_or_default(),
        license: fields.text("license", problems).unwrap_or_default(),
        status: status(&mut fields, problems),
        replaced_by: fields.texts("replacedBy", problems),
        once_per_cluster: once_per_cluster(&mut fields, problems),
        conflicts: fields.texts("conflicts", problems),
        namespace: namespace(&mut fields, problems),
        requires: requires(&mut fields, problems),
        aliases: fields.texts("aliases", problems),
        in_all: fields.bool("all", problems).unwrap_or(true),
        legacy: each(fields.list("legacy", problems), problems, legacy),
        uses: each(fields.list("uses", problems), problems, uses),
        provides: each(fields.list("provides", problems), problems, provides),
        params: each(fields.map("params", problems), problems, param::read),
        profiles: profiles(&mut fields, problems),
        secrets: each(fields.list("secrets", problems), problems, rule::secret),
        claims: each(fields.list("claims", problems), problems, rule::claim),
        steps: each(fields.list("steps", problems), problems, step::read),
        outputs: each(fields.map("outputs", problems), problems, rule::output),
        endpoints: each(fields.list("endpoints", problems), problems, rule::endpoint),
        health: fields.list("health", problems).to_vec(),
        fails: fields.list("fails", problems).to_vec(),
        overlays: overlays(&mut fields, problems),
        upgrade: upgrade(&mut fields, problems),
        delete: delete(&mut fields, problems),
        notes: fields.value("notes").cloned(),
        images: fields.value("images").cloned(),
        runs: fields.map("runs", problems).to_vec(),
        verify: fields.list("verify", problems).to_vec(),
        connect: fields.map("connect", problems).to_vec(),
        at: fields.raw("name").map_or_else(|| tree.span.clone(), |name| name.span.clone()),
        name,
        folder,
        settings,
    };
    fields.raw("source");
    fields.finish(problems);
    check_ids(&component, problems);
    check_later(&component, problems);
    Some(component)
}

fn each<'a, I, T>(
    items: &'a [I],
    problems: &mut Problems,
    read: impl Fn(&'a I, &mut Problems) -> Option<T>,
) -> Vec<T> {
    items.iter().filter_map(|item| read(item, problems)).collect()
}

fn check_name(name: &str, folder: &Path, at: &Located, problems: &mut Problems) {
    let folder = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if let Err(why) = name.parse::<crate::model::Name>() {
        problems.push(Problem::error("component-name", why.to_string()).at(&at.span));
    } else if folder != name {
        let message = format!("component `{name}` lies in a folder called `{folder}`");
        problems.push(
            Problem::error("component-name", message)
                .at(&at.span)
                .help("folder and component bear the same name"),
        );
    }
}

fn status(fields: &mut Fields<'_>, problems: &mut Problems) -> Status {
    let words = [
        ("active", Status::Active),
        ("frozen", Status::Frozen),
        ("deprecated", Status::Deprecated),
        ("retired", Status::Retired),
        ("experimental", Status::Experimental),
    ];
    fields.word("status", &words, problems).unwrap_or(Status::Active)
}

fn once_per_cluster(fields: &mut Fields<'_>, problems: &mut Problems) -> bool {
    fields.word("scope", &[("namespace", false), ("cluster", true)], problems).unwrap_or(false)
}

/// `namespace: name`, or a map with labels and annotations.
fn namespace(fields: &mut Fields<'_>, problems: &mut Problems) -> NamespaceRule {
    let Some(tree) = fields.value("namespace") else { return NamespaceRule::default() };
    if tree.as_text().is_some() {
        return NamespaceRule { name: Some(tree.clone()), ..NamespaceRule::default() };
    }
    let Some(mut inner) = Fields::of(tree, "a namespace", problems) else {
        return NamespaceRule::default();
    };
    let rule = NamespaceRule {
        name: inner.value("name").cloned(),
        labels: inner.value("labels").cloned(),
        annotations: inner.value("annotations").cloned(),
    };
    inner.finish(problems);
    rule
}

fn requires(fields: &mut Fields<'_>, problems: &mut Problems) -> Requires {
    let Some(tree) = fields.value("requires") else { return Requires::default() };
    let Some(mut inner) = Fields::of(tree, "`requires`", problems) else {
        return Requires::default();
    };
    let kubernetes = inner.value("kubernetes").and_then(|value| {
        let range = text_of(value, "kubernetes", problems)?;
        if let Err(error) = semver::VersionReq::parse(&range) {
            let message = format!("`{range}` is no range of versions: {error}");
            problems.push(Problem::error("version-range", message).at(&value.span));
            return None;
        }
        Some((range, value.span.clone()))
    });
    inner.raw("helm");
    let requires = Requires {
        kubernetes,
        nodes: inner.value("nodes").cloned(),
        storage: inner.value("storage").cloned(),
    };
    inner.finish(problems);
    requires
}

fn legacy(tree: &Located, problems: &mut Problems) -> Option<Legacy> {
    let mut fields = Fields::of(tree, "an old key", problems)?;
    let key = fields.need_text("key", problems);
    let to = fields.text("to", problems);
    let drop = fields.text("drop", problems);
    let quiet = fields.texts("quiet", problems);
    let when = fields.value("when").and_then(|when| legacy_when(when, problems));
    fields.finish(problems);
    let meaning = match (to, drop) {
        (Some(to), None) => LegacyMeaning::MovedTo(to),
        (None, Some(why)) => LegacyMeaning::Dropped(why),
        (Some(_), Some(_)) | (None, None) => {
            let message = "an old key has either `to` or `drop`";
            problems.push(Problem::error("legacy", message).at(&tree.span));
            return None;
        }
    };
    Some(Legacy { key: key?, meaning, quiet, when })
}

fn legacy_when(tree: &Located, problems: &mut Problems) -> Option<LegacyWhen> {
    let mut fields = Fields::of(tree, "a condition of an old key", problems)?;
    let key = fields.need_text("key", problems);
    let is = fields.texts("is", problems);
    let is_not = fields.texts("is_not", problems);
    fields.finish(problems);
    if is.is_empty() == is_not.is_empty() {
        let message = "a condition of an old key has either `is` or `is_not`";
        problems.push(Problem::error("legacy", message).at(&tree.span));
        return None;
    }
    let (words, is) = if is.is_empty() { (is_not, false) } else { (is, true) };
    Some(LegacyWhen { key: key?, words, is })
}

/// The keys of a contract that have variants.
const VARIANTS: [&str; 2] = ["auth", "dialect"];

fn uses(tree: &Located, problems: &mut Problems) -> Option<Use> {
    let mut fields = Fields::of(tree, "a use", problems)?;
    let alias = fields.text("as", problems);
    let capability = fields.text("capability", problems);
    let component = fields.text("component", problems);
    let optional = fields.flag("optional", problems);
    let soft = fields.flag("soft", problems);
    let default = fields.text("default", problems);
    let variants = VARIANTS
        .iter()
        .map(|key| ((*key).to_owned(), fields.texts(key, problems)))
        .filter(|(_, words)| !words.is_empty())
        .collect();
    let when = rule::when(&mut fields, problems);
    fields.raw("doc");
    fields.finish(problems);
    let of = match (capability, component) {
        (Some(capability), None) => UseOf::Capability(capability),
        (None, Some(component)) => UseOf::Component(component),
        (Some(_), Some(_)) | (None, None) => {
            let message = "a use names either a `capability` or a `component`";
            problems.push(Problem::error("use", message).at(&tree.span));
            return None;
        }
    };
    let alias = alias.unwrap_or_else(|| match &of {
        UseOf::Capability(name) | UseOf::Component(name) => name.clone(),
    });
    Some(Use { alias, of, optional, soft, default, variants, when, at: tree.span.clone() })
}

fn provides(tree: &Located, problems: &mut Problems) -> Option<Provide> {
    let mut fields = Fields::of(tree, "a provided capability", problems)?;
    let capability = fields.need_text("capability", problems);
    let map = fields
        .map("map", problems)
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), text_of(&entry.value, &entry.key, problems)?)))
        .collect();
    let variants = VARIANTS
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), fields.text(key, problems)?)))
        .collect();
    let when = rule::when(&mut fields, problems);
    fields.finish(problems);
    Some(Provide { capability: capability?, map, variants, when, at: tree.span.clone() })
}

fn profiles(fields: &mut Fields<'_>, problems: &mut Problems) -> BTreeMap<String, Profile> {
    let mut found = BTreeMap::new();
    for entry in fields.map("profiles", problems) {
        let Some(mut inner) = Fields::of(&entry.value, "a profile", problems) else { continue };
        let params = inner.map("params", problems).to_vec();
        let values = inner.map("values", problems).to_vec();
        inner.finish(problems);
        found.insert(entry.key.clone(), Profile { params, values });
    }
    found
}

fn overlays(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<Overlay> {
    let mut found = Vec::new();
    for (word, what) in [("gpu", "`gpu`"), ("metrics", "`metrics`")] {
        let Some(tree) = fields.value(word) else { continue };
        let Some(mut inner) = Fields::of(tree, what, problems) else { continue };
        let when = rule::when(&mut inner, problems);
        let values = inner.map("values", problems).to_vec();
        if word == "gpu" {
            inner.raw("resource");
            inner.raw("runtimeClass");
        }
        inner.finish(problems);
        found.push(Overlay { word, when, values });
    }
    found
}

fn upgrade(fields: &mut Fields<'_>, problems: &mut Problems) -> Upgrade {
    let Some(tree) = fields.value("upgrade") else { return Upgrade::default() };
    let Some(mut inner) = Fields::of(tree, "`upgrade`", problems) else {
        return Upgrade::default();
    };
    let immutable = inner.texts("immutable", problems);
    let upgrade = Upgrade {
        immutable: immutable
            .iter()
            .map(|path| path.strip_prefix("param.").unwrap_or(path).to_owned())
            .collect(),
        max_minor_step: inner.text("maxMinorStep", problems),
        notes: inner.text("notes", problems),
    };
    inner.raw("crdsFirst");
    inner.finish(problems);
    upgrade
}

fn delete(fields: &mut Fields<'_>, problems: &mut Problems) -> Delete {
    let Some(tree) = fields.value("delete") else { return Delete::default() };
    let Some(mut inner) = Fields::of(tree, "`delete`", problems) else {
        return Delete::default();
    };
    let mut later = Vec::new();
    let mut keeping = |key: &'static str, fields: &mut Fields<'_>, problems: &mut Problems| {
        let value = fields.value(key)?;
        if matches!(value.node, Node::Map(_)) {
            later.push(("a selector in `delete`", value.span.clone()));
            return None;
        }
        let words = [("keep", Keeping::Keep), ("ask", Keeping::Keep), ("remove", Keeping::Remove)];
        fields.word(key, &words, problems)
    };
    let mut found = Delete {
        pvcs: keeping("pvcs", &mut inner, problems),
        secrets: keeping("secrets", &mut inner, problems),
        crds: keeping("crds", &mut inner, problems),
        claims: keeping("claims", &mut inner, problems),
        namespace: keeping("namespace", &mut inner, problems),
        later: Vec::new(),
    };
    let unbuilt = [
        ("waitGone", "`delete.waitGone`"),
        ("guards", "`delete.guards`"),
        ("before", "`delete.before`"),
    ];
    for (key, what) in unbuilt {
        later.extend(inner.value(key).map(|value| (what, value.span.clone())));
    }
    found.later = later;
    inner.duration("timeout", problems);
    inner.finish(problems);
    found
}

/// Ids are unique within their list, and what is named exists.
fn check_ids(component: &Component, problems: &mut Problems) {
    let mut unique = |what: &str, ids: Vec<(&str, &Span)>| {
        let mut seen = BTreeSet::new();
        for (id, at) in ids {
            if id.parse::<crate::model::Name>().is_err() && what != "use" {
                let message = format!(
                    "the id `{id}` of a {what} is no name of small letters, digits and `-`"
                );
                problems.push(Problem::error("bad-id", message).at(at));
            }
            if !seen.insert(id) {
                let message = format!("two entries of this list are called `{id}`");
                problems.push(Problem::error("duplicate-id", message).at(at));
            }
        }
    };
    unique("secret", component.secrets.iter().map(|s| (s.id.as_str(), &s.at)).collect());
    unique("claim", component.claims.iter().map(|c| (c.id.as_str(), &c.at)).collect());
    unique("step", component.steps.iter().map(|s| (s.id.as_str(), &s.at)).collect());
    unique("endpoint", component.endpoints.iter().map(|e| (e.id.as_str(), &e.at)).collect());
    unique("use", component.uses.iter().map(|u| (u.alias.as_str(), &u.at)).collect());
    let steps: Vec<&str> = component.helm_steps().collect();
    let overlays = component.overlays.iter().flat_map(|overlay| &overlay.values);
    let profiles = component.profiles.values().flat_map(|profile| &profile.values);
    for entry in overlays.chain(profiles) {
        if !steps.contains(&entry.key.as_str()) {
            let message = format!("`{}` is no Helm step of this component", entry.key);
            problems.push(
                Problem::error("unknown-step", message)
                    .at(&entry.key_span)
                    .suggest(&entry.key, steps.iter().copied()),
            );
        }
    }
    check_params(component, problems);
}

fn check_params(component: &Component, problems: &mut Problems) {
    let known: Vec<&str> = component.params.iter().map(|p| p.name.as_str()).collect();
    let unknown = |name: &str, at: &Span| {
        Problem::error("unknown-parameter", format!("there is no parameter `{name}`"))
            .at(at)
            .suggest(name, known.iter().copied())
    };
    for entry in component.profiles.values().flat_map(|profile| &profile.params) {
        match component.param(&entry.key) {
            Some(param) => {
                param.check(&entry.value, problems);
            }
            None => problems.push(unknown(&entry.key, &entry.key_span)),
        }
    }
    for name in &component.upgrade.immutable {
        if component.param(name).is_none() {
            problems.push(unknown(name, component.at()));
        }
    }
}

/// Reads what later issues run, so that a slip in it is found today.
fn check_later(component: &Component, problems: &mut Problems) {
    for entry in &component.runs {
        let Some(mut fields) = Fields::of(&entry.value, "a run", problems) else { continue };
        for key in ["job", "objects", "done", "fails", "logs", "doc", "params"] {
            fields.raw(key);
        }
        fields.finish(problems);
        if ["data", "pachyderm"].contains(&entry.key.as_str()) {
            let message = format!("`{}` is a reserved name of a run", entry.key);
            problems.push(Problem::error("reserved-run", message).at(&entry.key_span));
        }
    }
    for check in &component.verify {
        let Some(mut fields) = Fields::of(check, "a check", problems) else { continue };
        for key in ["id", "job", "http", "call", "expect", "doc"] {
            fields.raw(key);
        }
        fields.value("when").and_then(|value| expression::read(value, problems));
        fields.finish(problems);
    }
    for entry in &component.connect {
        text_of(&entry.value, &entry.key, problems);
    }
    let images = component.images.as_ref().map(Located::entries).unwrap_or_default();
    for entry in images {
        let Some(mut fields) = Fields::of(&entry.value, "an image", problems) else { continue };
        for key in ["context", "file", "args", "when"] {
            fields.raw(key);
        }
        fields.finish(problems);
    }
}
