//! Instances: the layers of their settings, their values and bindings.

mod flags;
mod moved;
mod secrets;
mod settings_file;
mod unused;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use self::flags::{overrides, settings};
pub(super) use self::moved::check_moved;
use self::secrets::take_secrets;
use self::settings_file::config_file;
pub(super) use self::unused::check_unused;
use super::legacy::Outside;
use super::section::{Layers, Reading, Reserved, roots};
use super::select::{Names, Selected};
use super::values::{Folders, ValuesFiles};
use super::version;
use crate::catalogue::{Component, External, Instance};
use crate::config::overlay::Overlay;
use crate::config::request::LoadRequest;
use crate::config::set::Setting;
use crate::config::variables::substitute;
use crate::yaml::{Entry, Located, Node, Problem, Problems, Span, layer};

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
            let file = values_files.file(self.input.overlay, path, None, problems);
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
    // What Helm and volumes are called cannot change, so a renamed instance keeps it.
    let kept = reserved.moved.as_ref().map(|(old, _)| old.to_string());
    instance.release = reserved.release.or(kept);
    instance.moved = reserved.moved;
    instance.namespace = reserved.namespace;
    instance.bind = reserved.bind;
    instance.profiles = reserved.profiles;
    instance.expose = reserved.expose;
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
