//! Instances: the layers of their settings, their values, and the sections that nobody uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::external::TOP_LEVEL;
use super::legacy::Outside;
use super::secret::{self, SecretSetting};
use super::section::{Layers, Reading, Reserved, roots};
use super::select::{Names, Selected};
use super::values::{Folders, ValuesFiles};
use super::version;
use crate::catalogue::{Component, External, Instance, Status};
use crate::config::overlay::{Overlay, normal};
use crate::config::reader::text_of;
use crate::config::request::LoadRequest;
use crate::config::set::{self, Setting};
use crate::config::variables::substitute;
use crate::yaml::{Entry, Located, Node, Problem, Problems, Span, layer, parse};

/// What instances are resolved from.
pub(super) struct Input<'a> {
    pub(super) request: &'a LoadRequest,
    pub(super) overlay: &'a Overlay<'a>,
    pub(super) flavour: &'a Located,
    pub(super) names: &'a Names<'a>,
    pub(super) folders: Folders<'a>,
    /// The file name of the flavour: a settings file of a component may have it.
    pub(super) flavour_name: String,
    /// `project.component_default_config`.
    pub(super) component_config: String,
}

/// Resolves the selected instances, and what their old keys say of things outside of the platform.
pub(super) fn instances(
    input: &Input<'_>,
    selected: &[Selected],
    problems: &mut Problems,
) -> (Vec<Instance>, BTreeMap<String, External>) {
    let settings = settings(input, selected, problems);
    let overrides = overrides(input, selected, problems);
    let mut values_files = ValuesFiles::default();
    let mut configs: BTreeMap<&str, Option<Located>> = BTreeMap::new();
    let mut found = Vec::new();
    let mut outside = BTreeMap::new();
    for chosen in selected {
        let Some(component) = input.names.catalogue.component(&chosen.component) else { continue };
        let config = configs
            .entry(component.name())
            .or_insert_with(|| config_file(input, component, problems));
        let one = One { input, chosen, component, config: config.as_ref() };
        let (mut instance, parts) = one.resolve(&settings, &overrides, &mut values_files, problems);
        bind_outside(&mut instance, parts, &mut outside);
        found.push(instance);
    }
    let shared: BTreeSet<String> = values_files.shared().map(str::to_owned).collect();
    for instance in &mut found {
        instance.values_file_shared = shared.contains(instance.name.as_str());
    }
    take_secrets(input, &mut found, problems);
    (found, outside)
}

/// Takes secrets out of the user's Helm values: each becomes its parameter, unless that is set. A values file that several name
/// is freed of the secrets of all of them.
fn take_secrets(input: &Input<'_>, instances: &mut [Instance], problems: &mut Problems) {
    let mut of_files: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for instance in instances.iter_mut() {
        let Some(component) = input.names.catalogue.component(&instance.component) else {
            continue;
        };
        for param in component.params() {
            let Some(path) = &param.from_values else { continue };
            let in_file = instance.values_file.as_ref().and_then(|tree| find(tree, path)).cloned();
            if let Some(file) = &instance.values_file {
                let file = file.span.path().to_owned();
                of_files.entry(file).or_default().push(path.clone());
            }
            let in_values = instance.values.as_mut().and_then(|tree| take(tree, path));
            let Some(value) = in_values.or(in_file) else { continue };
            if text_of(&value).is_some_and(|text| text.is_empty()) || value.is_null() {
                continue;
            }
            let (title, key) = path.rsplit_once('.').unwrap_or(("values", path));
            let entry = Entry { key: key.to_owned(), key_span: value.span.clone(), value };
            let setting = secret::read(&entry, title, input.overlay, input.request, problems);
            let set = instance.params.get(&param.name).is_some()
                || instance.secrets.contains_key(&param.name);
            match setting.filter(|_| !set) {
                Some(SecretSetting::Value(secret)) => {
                    instance.secrets.insert(param.name.clone(), secret);
                }
                Some(SecretSetting::Kept(entry)) => {
                    if let Node::Map(entries) = &mut instance.params.node {
                        entries.push(Entry { key: param.name.clone(), ..entry });
                    }
                }
                None => {}
            }
        }
    }
    for tree in instances.iter_mut().filter_map(|instance| instance.values_file.as_mut()) {
        for path in of_files.get(tree.span.path()).cloned().unwrap_or_default() {
            take(tree, &path);
        }
    }
}

/// What stands at a dotted path.
fn find<'t>(tree: &'t Located, path: &str) -> Option<&'t Located> {
    path.split('.').try_fold(tree, Located::get)
}

/// Takes away what stands at a dotted path.
fn take(tree: &mut Located, path: &str) -> Option<Located> {
    let Node::Map(entries) = &mut tree.node else { return None };
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let at = entries.iter().position(|entry| entry.key == first)?;
    if rest.is_empty() {
        return Some(entries.remove(at).value);
    }
    take(&mut entries.get_mut(at)?.value, rest)
}

/// Makes an external of what the old keys of an instance say of something outside, and binds it.
fn bind_outside(
    instance: &mut Instance,
    outside: Vec<Outside>,
    externals: &mut BTreeMap<String, External>,
) {
    for part in outside {
        let name = format!("{}-{}", instance.name, part.alias);
        instance.bind.entry(part.alias).or_insert_with(|| (name.clone(), part.at.clone()));
        let external = externals.entry(name).or_insert_with(|| External {
            capability: part.capability,
            outputs: BTreeMap::new(),
            secret_from: None,
            variants: BTreeMap::new(),
            at: part.at,
        });
        external.outputs.insert(part.output, part.value);
    }
}

/// The `--set` flags; one for a component that is not installed is a warning.
fn settings(input: &Input<'_>, selected: &[Selected], problems: &mut Problems) -> Vec<Setting> {
    let mut found = Vec::new();
    for (path, value) in &input.request.set {
        match set::read(path, value) {
            Ok(setting) => {
                let flag = format!("--set {path}");
                let target = meant(input, selected, &setting.target, &flag, problems);
                found.extend(target.map(|target| Setting { target, ..setting }));
            }
            Err(problem) => problems.push(problem),
        }
    }
    found
}

/// The `--values` files by instance.
fn overrides(
    input: &Input<'_>,
    selected: &[Selected],
    problems: &mut Problems,
) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for (name, path) in &input.request.values {
        let flag = format!("--values {name}");
        let target = meant(input, selected, name, &flag, problems);
        let path = normal(&input.request.folder.join(path));
        found.extend(target.map(|target| (target, path)));
    }
    found
}

/// The instance that a flag means.
fn meant(
    input: &Input<'_>,
    selected: &[Selected],
    word: &str,
    flag: &str,
    problems: &mut Problems,
) -> Option<String> {
    let Some((instance, _)) = input.names.instance(word) else {
        problems.push(
            Problem::error(
                "unknown-component",
                format!("`{flag}`: there is no component `{word}`"),
            )
            .suggest(word, input.names.words()),
        );
        return None;
    };
    if !selected.iter().any(|chosen| chosen.name.as_str() == instance) {
        let message = format!("`{flag}`: `{instance}` is not in the flavour, so this does nothing");
        problems.push(Problem::warning("unused-flag", message));
        return None;
    }
    Some(instance)
}

/// A component's settings file: named like the flavour, else as the flavour says, else `config.yaml`.
fn config_file(
    input: &Input<'_>,
    component: &Component,
    problems: &mut Problems,
) -> Option<Located> {
    let folder = Path::new("components").join(component.name());
    let names = [input.flavour_name.as_str(), input.component_config.as_str(), "config.yaml"];
    let path = names.iter().find_map(|name| input.overlay.find(&normal(&folder.join(name))))?;
    let tree = match input.overlay.read(&path).and_then(|source| parse(&source)) {
        Ok(tree) => tree,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let shown = input.overlay.shown(&path);
    let shown = shown.display();
    match &tree.node {
        Node::Map(_) => {}
        Node::Null => {
            let message = format!("`{shown}` is empty and sets nothing");
            problems.push(Problem::warning("empty-file", message).at(&tree.span));
            return None;
        }
        Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
            let message = format!("`{shown}` is {}, not a map", tree.kind());
            problems.push(Problem::error("not-a-map", message).at(&tree.span));
            return None;
        }
    }
    for entry in tree.entries() {
        let meant = input.names.instance(&entry.key).map(|(_, meant)| meant.name().to_owned());
        if meant.as_deref() != Some(component.name()) {
            let known = component.aliases().iter().map(String::as_str).chain([component.name()]);
            problems.push(
                Problem::error(
                    "unknown-key",
                    format!(
                        "`{shown}` holds the settings of `{}`, not of `{}`",
                        component.name(),
                        entry.key
                    ),
                )
                .at(&entry.key_span)
                .suggest(&entry.key, known),
            );
        }
    }
    Some(tree)
}

/// One instance being resolved.
struct One<'a> {
    input: &'a Input<'a>,
    chosen: &'a Selected,
    component: &'a Component,
    config: Option<&'a Located>,
}

impl One<'_> {
    fn name(&self) -> &str {
        self.chosen.name.as_str()
    }

    /// Whether it bears its component's own name.
    fn is_plain(&self) -> bool {
        self.name() == self.component.name()
    }

    fn resolve(
        &self,
        settings: &[Setting],
        overrides: &[(String, PathBuf)],
        values_files: &mut ValuesFiles,
        problems: &mut Problems,
    ) -> (Instance, Vec<Outside>) {
        let reading = Reading {
            component: self.component,
            overlay: self.input.overlay,
            request: self.input.request,
        };
        let mut layers = Layers::new(&self.input.flavour.span);
        self.add_config(&mut layers, &reading, problems);
        let section = self.add_sections(&mut layers, &reading, problems);
        let mut set_values = None;
        for setting in settings.iter().filter(|setting| setting.target == self.name()) {
            match setting.section.get("values") {
                Some(values) => set_values = Some(laid(set_values, values.clone())),
                None => layers.add(&setting.section, self.name(), &reading, problems),
            }
        }
        let reserved = layers.reserved(self.name());
        let outside = layers.take_external();
        let (params, secrets) = layers.into_params();
        let mut values = reserved.values.clone();
        for (_, path) in overrides.iter().filter(|(name, _)| name == self.name()) {
            let file = values_files.file(self.input.overlay, path, problems);
            values = file.map(|file| laid(values.take(), file)).or(values);
        }
        if let Some(set) = set_values {
            values = Some(laid(values.take(), set));
        }
        let values_file = reserved.config_file.as_ref().and_then(|named| {
            let (component, instance) = (self.component.name(), self.name());
            values_files.named(&self.input.folders, named, component, instance, problems)
        });
        let mut instance = Instance::new(self.chosen.name.clone(), self.component.name(), params);
        instance.secrets = secrets;
        instance.values = values;
        instance.values_file = values_file;
        instance.file_dirs = self.input.folders.on_disk(section.as_ref());
        instance.section = section;
        instance.extra = self.chosen.extra;
        instance.version = version::wanted(&reserved, self.component, self.name(), problems);
        fill(&mut instance, reserved);
        (instance, outside)
    }

    fn add_config(&self, layers: &mut Layers, reading: &Reading<'_>, problems: &mut Problems) {
        let Some(config) = self.config else { return };
        for entry in roots(config, self.name(), self.component, true) {
            let mut section = entry.value.clone();
            // A second instance has a release of its own; the file's is that of the first.
            if !self.is_plain()
                && entry.key != self.name()
                && let Node::Map(entries) = &mut section.node
            {
                entries.retain(|entry| entry.key != "release");
            }
            layers.add(&section, &entry.key, reading, problems);
        }
    }

    /// Adds the flavour's sections that mean this instance; gives the place of the one that counts.
    fn add_sections(
        &self,
        layers: &mut Layers,
        reading: &Reading<'_>,
        problems: &mut Problems,
    ) -> Option<Span> {
        let flavour = self.input.flavour;
        let others = |entry: &&Entry| {
            entry.key == self.name() || !self.input.names.instances.contains_key(&entry.key)
        };
        let entries: Vec<&Entry> = roots(flavour, self.name(), self.component, self.is_plain())
            .into_iter()
            .filter(others)
            .collect();
        for (at, entry) in entries.iter().enumerate() {
            if let Some(last) = entries.last().filter(|_| at + 1 < entries.len()) {
                problems.push(
                    Problem::warning(
                        "second-section",
                        format!(
                            "`{}` and `{}` are sections of the same component",
                            entry.key, last.key
                        ),
                    )
                    .at(&entry.key_span)
                    .help(format!("what `{}` says wins; write all of it there", last.key)),
                );
            }
            let section = substitute(&entry.value, &self.input.request.environment, problems);
            layers.add(&section, &entry.key, reading, problems);
        }
        entries.last().map(|entry| entry.key_span.clone())
    }
}

fn laid(under: Option<Located>, over: Located) -> Located {
    match under {
        Some(under) => layer(under, over),
        None => over,
    }
}

fn fill(instance: &mut Instance, reserved: Reserved) {
    instance.release = reserved.release;
    instance.namespace = reserved.namespace;
    instance.bind = reserved.bind;
    instance.profiles = reserved.profiles;
    instance.ignore = reserved.ignore;
    instance.ceiling = reserved.ceiling;
}

/// Bindings name instances, aliases of components or, as data-mill does, releases: all become names of instances.
pub(super) fn settle_bindings(
    instances: &mut [Instance],
    names: &Names<'_>,
    external: &BTreeMap<String, External>,
) {
    let known: BTreeSet<String> =
        instances.iter().map(|instance| instance.name.as_str().to_owned()).collect();
    let releases: BTreeMap<String, String> = instances
        .iter()
        .filter_map(|i| Some((i.release.clone()?, i.name.as_str().to_owned())))
        .collect();
    for (provider, _) in instances.iter_mut().flat_map(|instance| instance.bind.values_mut()) {
        if known.contains(provider) || external.contains_key(provider) {
            continue;
        }
        let by_alias = names.instance(provider).map(|(name, _)| name);
        let by_alias = by_alias.filter(|name| known.contains(name));
        if let Some(name) = by_alias.or_else(|| releases.get(provider).cloned()) {
            *provider = name;
        }
    }
}

/// Looks at the sections that no instance uses: of a component that is not installed a warning, else an error.
pub(super) fn check_unused(input: &Input<'_>, selected: &[Selected], problems: &mut Problems) {
    for entry in input.flavour.entries() {
        if TOP_LEVEL.contains(&entry.key.as_str()) {
            continue;
        }
        let Some((instance, component)) = input.names.instance(&entry.key) else {
            // A section whose `component:` is wrong was reported where that stands.
            if entry.value.get("component").is_none() && !input.names.is_broken(&entry.key) {
                let known = input.names.words().into_iter().chain(TOP_LEVEL);
                problems.push(
                    Problem::error(
                        "unknown-key",
                        format!(
                            "`{}` is neither a section of a flavour nor a component",
                            entry.key
                        ),
                    )
                    .at(&entry.key_span)
                    .label("unknown section")
                    .suggest(&entry.key, known),
                );
            }
            continue;
        };
        if selected.iter().any(|chosen| chosen.name.as_str() == instance) {
            continue;
        }
        problems.push(
            Problem::warning(
                "unused-section",
                format!("`{instance}` is not in the flavour, so this section does nothing"),
            )
            .at(&entry.key_span)
            .help(format!("add `{instance}` to `project.flavour`, or remove the section")),
        );
        if component.status() == Status::Retired {
            continue;
        }
        let reading = Reading { component, overlay: input.overlay, request: input.request };
        let mut found = Problems::default();
        let section = substitute(&entry.value, &input.request.environment, &mut found);
        Layers::new(&entry.key_span).add(&section, &entry.key, &reading, &mut found);
        problems.append(found.as_warnings());
    }
}
