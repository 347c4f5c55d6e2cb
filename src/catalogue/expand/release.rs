//! Helm steps: the chart, its version, and the layers of its values.

use std::path::{Path, PathBuf};

use super::Site;
use crate::catalogue::layer::{Layered, stays_wired};
use crate::catalogue::step::{Chart, ChartPlace, Helm, Step, Work};
use crate::model::{
    ChartSource, Desired, KubernetesSpec, ReleaseSpec, ResourceId, ResourceKind, Spec,
};
use crate::yaml::{Located, Node, Problem};

/// The longest name that Helm takes.
const LONGEST: usize = 53;

impl Site<'_, '_, '_, '_> {
    pub(super) fn release(
        &mut self,
        step: &Step,
        helm: &Helm,
        namespace: &str,
    ) -> Option<ReleaseSpec> {
        let release = match &helm.release {
            Some(tree) => self.scope.text(tree, &mut self.yard.problems)?,
            None => self.member.release.clone(),
        };
        if release.len() > LONGEST {
            let message =
                format!("`{release}` is longer than the {LONGEST} characters that Helm takes");
            self.yard.problems.push(
                Problem::error("bad-name", message)
                    .at(self.member.at())
                    .help("set a shorter `release:`"),
            );
        }
        let version = self.chart_version(&step.id, helm)?;
        let chart = self.chart(&helm.chart, version)?;
        let values = self.values(step, helm);
        if let (Some(at), None) = (values.exposed(), &helm.exposes_secret) {
            self.yard.problems.push(
                Problem::error("exposed-secret", "the value of a secret would be written into a Helm release")
                    .at(at)
                    .label("its `.value`")
                    .help("pass it by reference (`.ref.name`, `.ref.key`), or write `exposesSecret: REASON` at the step"),
            );
        }
        Some(ReleaseSpec {
            namespace: namespace.to_owned(),
            release,
            chart,
            crds: helm.crds,
            values: values.into_value(),
            wait: helm.wait_for,
            hooks: helm.hooks,
            shared_with: Vec::new(),
            exposes_secret: helm.exposes_secret.clone(),
        })
    }

    /// Whether the user's values and version are for a step: the one that says `main`, else the last Helm step.
    fn is_main(&self, id: &str) -> bool {
        let mut main = None;
        for step in &self.member.component.steps {
            let Work::Helm(helm) = &step.work else { continue };
            if helm.main {
                return step.id == id;
            }
            main = Some(step.id.as_str());
        }
        main == Some(id)
    }

    /// The version of a step's chart: the user's for the main one, else the component's. Nothing in case of a problem.
    #[expect(
        clippy::option_option,
        reason = "a chart may have no version, and a problem is neither"
    )]
    pub(super) fn chart_version(&mut self, id: &str, helm: &Helm) -> Option<Option<String>> {
        let own = match &helm.version {
            Some(tree) => Some(self.scope.text(tree, &mut self.yard.problems)?),
            None => None,
        };
        let Some(wanted) = self.member.instance.version.clone().filter(|_| self.is_main(id)) else {
            return Some(own);
        };
        match &helm.chart.place {
            ChartPlace::Repository { .. } | ChartPlace::Oci(_) => Some(Some(wanted)),
            ChartPlace::Archive { .. } | ChartPlace::Folder(_) => {
                let message = format!(
                    "`version: {wanted}` has no effect: the chart of `{}` is a fixed one",
                    self.member.name()
                );
                self.yard
                    .problems
                    .push(Problem::warning("fixed-version", message).at(self.member.at()));
                Some(own)
            }
        }
    }

    pub(super) fn chart(&mut self, chart: &Chart, version: Option<String>) -> Option<ChartSource> {
        let problems = &mut self.yard.problems;
        let source = match &chart.place {
            ChartPlace::Repository { url, name } => ChartSource::Repository {
                url: self.scope.text(url, problems)?,
                name: self.scope.text(name, problems)?,
                version,
            },
            ChartPlace::Oci(url) => {
                ChartSource::Oci { url: self.scope.text(url, problems)?, version }
            }
            ChartPlace::Archive { url, sha256, mirrors } => {
                let url = self.scope.text(url, problems)?;
                let folder = self.member.component.folder();
                let mirrors = mirrors.iter().filter_map(|tree| self.scope.text(tree, problems));
                let mirrors = mirrors.map(|mirror| elsewhere(&mirror, &url, folder)).collect();
                ChartSource::Archive { url, sha256: sha256.clone(), mirrors }
            }
            ChartPlace::Folder(path) => {
                ChartSource::Folder(self.member.component.folder().join(path))
            }
        };
        let unversioned = matches!(
            source,
            ChartSource::Repository { version: None, .. } | ChartSource::Oci { version: None, .. }
        );
        if unversioned {
            problems.push(
                Problem::error("chart-version", "a chart from a repository has a version")
                    .at(&chart.at)
                    .help("add to the step: version: 1.2.3"),
            );
            return None;
        }
        Some(source)
    }

    /// The layers, later wins: files of the component, the step's values, profiles, switches; then the user's file and values.
    fn values(&mut self, step: &Step, helm: &Helm) -> Layered {
        let mut values = Layered::empty(&step.at);
        for (name, at) in &helm.value_files {
            let settings = self.member.component.settings();
            if let Some(tree) = settings.get(name) {
                values.lay_own(Layered::of_user(tree));
                continue;
            }
            let message = format!("the component has no file `{name}`");
            self.yard.problems.push(
                Problem::error("no-such-file", message)
                    .at(at)
                    .suggest(name, settings.keys().map(String::as_str)),
            );
        }
        for tree in self.own_layers(step, helm) {
            let layer = Layered::of_component(&self.scope, &tree, &mut self.yard.problems);
            if let Some(layer) = layer {
                values.lay_own(layer);
            }
        }
        for tree in self.user_layers(step) {
            if !matches!(tree.node, Node::Map(_)) {
                let message = format!("values are a map, and here stands {}", tree.kind());
                self.yard.problems.push(Problem::error("values", message).at(&tree.span));
                continue;
            }
            let problems = &mut self.yard.problems;
            let instance = self.member.name().as_str();
            values.lay(Layered::of_user(&tree), "", &mut |path, wired, said| {
                problems.push(stays_wired(instance, path, wired, said));
            });
        }
        values
    }

    fn own_layers(&mut self, step: &Step, helm: &Helm) -> Vec<Located> {
        let component = self.member.component;
        let mut layers: Vec<Located> = helm.values.iter().cloned().collect();
        for profile in &self.member.profiles {
            let values = component.profiles.get(profile).map(|p| p.values.as_slice());
            let entries = values.unwrap_or_default().iter().filter(|entry| entry.key == step.id);
            layers.extend(entries.map(|entry| entry.value.clone()));
        }
        for overlay in &component.overlays {
            if self.scope.holds(overlay.when.as_ref(), &mut self.yard.problems) {
                let entries = overlay.values.iter().filter(|entry| entry.key == step.id);
                layers.extend(entries.map(|entry| entry.value.clone()));
            }
        }
        layers
    }

    /// What the user says for a step. With several Helm steps, values whose keys are all ids of steps are shared out among
    /// them; else they are for the main step.
    fn user_layers(&self, step: &Step) -> Vec<Located> {
        let instance = self.member.instance;
        let steps: Vec<&str> = self.member.component.helm_steps().collect();
        let mut layers = Vec::new();
        for tree in instance.values_file.iter().chain(&instance.values) {
            let keys: Vec<&str> = tree.entries().iter().map(|entry| entry.key.as_str()).collect();
            let by_step =
                steps.len() > 1 && !keys.is_empty() && keys.iter().all(|key| steps.contains(key));
            if by_step {
                layers.extend(tree.get(&step.id).cloned());
            } else if self.is_main(&step.id) && !tree.is_null() {
                layers.push(tree.clone());
            }
        }
        layers
    }

    /// The values file that others name too, and the release that gets it.
    pub(super) fn shared_file(&self) -> Option<(PathBuf, ResourceId)> {
        let instance = self.member.instance;
        let file = instance.values_file.as_ref().filter(|_| instance.values_file_shared)?;
        let step = self.member.component.helm_steps().find(|step| self.is_main(step))?;
        let release = ResourceId::instance(self.member.name(), ResourceKind::Release, step);
        Some((file.span.path().to_owned(), release))
    }
}

/// Another place of an archive: an address, a file of the component, or `vendored` for the file of the same name there.
fn elsewhere(mirror: &str, url: &str, folder: &Path) -> String {
    if mirror.contains("://") {
        return mirror.to_owned();
    }
    let file = if mirror == "vendored" { url.rsplit('/').next().unwrap_or(url) } else { mirror };
    folder.join(file).display().to_string()
}

/// Tells releases that get the same values file which charts the others have.
pub(super) fn share(desired: &mut Desired, files: &[(PathBuf, ResourceId)]) {
    let chart = |id: &ResourceId| {
        let Some(KubernetesSpec::Release(spec)) = desired.get(id)?.kubernetes() else {
            return None;
        };
        Some(spec.chart.clone())
    };
    let charts: Vec<_> = files
        .iter()
        .filter_map(|(file, id)| Some((file.clone(), id.clone(), chart(id)?)))
        .collect();
    for (file, id, _) in &charts {
        let others = charts.iter().filter(|(other, by, _)| other == file && by != id);
        let others: Vec<_> = others.map(|(_, _, chart)| chart.clone()).collect();
        let Some(resource) = desired.resources.get_mut(id) else { continue };
        let Spec::Kubernetes(spec) = &mut resource.spec else { continue };
        if let KubernetesSpec::Release(spec) = spec.as_mut() {
            spec.shared_with = others;
        }
    }
}
