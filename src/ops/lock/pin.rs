//! Pinned charts: a version that was used stays in use until somebody moves it, whatever a newer catalogue says.

use std::collections::BTreeMap;

use super::{Lock, Pin};
use crate::adapter::helm::chart;
use crate::model::{
    ChartSource, Desired, KubernetesSpec, Manifests, Name, Resource, ResourceId, Spec,
};

/// Versions that the user asked for, by instance.
pub(in crate::ops) type Asked<'a> = BTreeMap<&'a Name, &'a str>;

/// A pinned version in place of the catalogue's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ops) struct Moved {
    /// The step.
    pub(in crate::ops) id: ResourceId,
    /// Where the chart comes from, without its version.
    pub(in crate::ops) chart: String,
    /// The version in the lock file.
    pub(in crate::ops) pinned: String,
    /// The catalogue's.
    pub(in crate::ops) catalogue: String,
}

impl Moved {
    /// As a line of a plan.
    pub(in crate::ops) fn says(&self) -> String {
        let Self { id, pinned, catalogue, .. } = self;
        let whom = id.instance_name().map_or_else(|| id.to_string(), ToString::to_string);
        format!(
            "chart {} {pinned} of `{id}` is pinned; the catalogue has {catalogue}: datamill lock update {whom}",
            short(&self.chart)
        )
    }
}

/// The last part of a chart's address.
pub(super) fn short(chart: &str) -> &str {
    chart.rsplit('/').next().unwrap_or(chart)
}

impl Lock {
    /// Puts pinned versions in the place of the catalogue's. What the user asked for in a file stays.
    pub(in crate::ops) fn pin(&self, desired: &mut Desired, asked: &Asked<'_>) -> Vec<Moved> {
        let mut moved = Vec::new();
        for resource in desired.resources.values_mut() {
            let id = resource.id.clone();
            let Some(pin) = self.charts.get(&id) else { continue };
            let by_user = id.instance_name().and_then(|name| asked.get(name)).copied();
            let Some(source) = chart_of_mut(resource) else { continue };
            if base(source) != pin.chart {
                continue;
            }
            let Some(version) = version_mut(source) else { continue };
            let catalogue = version.clone().unwrap_or_default();
            if catalogue == pin.version || by_user == Some(catalogue.as_str()) {
                continue;
            }
            *version = Some(pin.version.clone());
            let (chart, pinned) = (pin.chart.clone(), pin.version.clone());
            moved.push(Moved { id, chart, pinned, catalogue });
        }
        moved
    }

    /// Notes which chart each resource uses.
    pub(super) fn note_charts<'a>(&mut self, resources: impl IntoIterator<Item = &'a Resource>) {
        for resource in resources {
            let Some(source) = chart_of(resource) else { continue };
            if let Some(version) = version(source) {
                let pin = Pin { chart: base(source), version: version.to_owned() };
                self.charts.insert(resource.id.clone(), pin);
            }
        }
    }
}

/// The chart of a release, or of the definitions in one.
pub(super) fn chart_of(resource: &Resource) -> Option<&ChartSource> {
    match resource.kubernetes()? {
        KubernetesSpec::Release(release) => Some(&release.chart),
        KubernetesSpec::Crds(crds) => match &crds.from {
            Manifests::Chart(chart) | Manifests::ChartFolder(chart, _) => Some(chart),
            Manifests::Inline(_) | Manifests::Files(_) | Manifests::Remote(_) => None,
        },
        KubernetesSpec::Installation
        | KubernetesSpec::Namespace(_)
        | KubernetesSpec::Secret(_)
        | KubernetesSpec::Claim(_)
        | KubernetesSpec::Objects(_)
        | KubernetesSpec::Job(_)
        | KubernetesSpec::Removal(_)
        | KubernetesSpec::Wait(_) => None,
    }
}

fn chart_of_mut(resource: &mut Resource) -> Option<&mut ChartSource> {
    let Spec::Kubernetes(spec) = &mut resource.spec else { return None };
    match spec.as_mut() {
        KubernetesSpec::Release(release) => Some(&mut release.chart),
        KubernetesSpec::Crds(crds) => match &mut crds.from {
            Manifests::Chart(chart) | Manifests::ChartFolder(chart, _) => Some(chart),
            Manifests::Inline(_) | Manifests::Files(_) | Manifests::Remote(_) => None,
        },
        KubernetesSpec::Installation
        | KubernetesSpec::Namespace(_)
        | KubernetesSpec::Secret(_)
        | KubernetesSpec::Claim(_)
        | KubernetesSpec::Objects(_)
        | KubernetesSpec::Job(_)
        | KubernetesSpec::Removal(_)
        | KubernetesSpec::Wait(_) => None,
    }
}

pub(super) fn version(source: &ChartSource) -> Option<&str> {
    match source {
        ChartSource::Repository { version, .. } | ChartSource::Oci { version, .. } => {
            version.as_deref()
        }
        ChartSource::Archive { .. } | ChartSource::Folder(_) => None,
    }
}

fn version_mut(source: &mut ChartSource) -> Option<&mut Option<String>> {
    match source {
        ChartSource::Repository { version, .. } | ChartSource::Oci { version, .. } => Some(version),
        ChartSource::Archive { .. } | ChartSource::Folder(_) => None,
    }
}

/// Where a chart comes from, without its version.
pub(super) fn base(source: &ChartSource) -> String {
    let mut source = source.clone();
    if let Some(version) = version_mut(&mut source) {
        *version = None;
    }
    chart::source_key(&source)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::CrdsSpec;

    pub(in crate::ops::lock) fn desired(version: &str) -> Desired {
        let source = ChartSource::Repository {
            url: "https://charts.example/".to_owned(),
            name: "kafka".to_owned(),
            version: Some(version.to_owned()),
        };
        let spec =
            KubernetesSpec::Crds(CrdsSpec { from: Manifests::Chart(source), names: Vec::new() });
        let mut desired = Desired::default();
        desired.insert(Resource::new("queue/crds/kafka".parse().unwrap(), Spec::kubernetes(spec)));
        desired
    }

    fn versions(desired: &Desired) -> Vec<&str> {
        desired.resources.values().filter_map(chart_of).filter_map(version).collect()
    }

    #[test]
    fn a_pinned_version_wins_over_a_newer_catalogue_and_not_over_the_user() {
        let mut lock = Lock::default();
        lock.note_charts(desired("1.2.3").resources.values());
        let mut newer = desired("1.3.0");
        let moved = lock.pin(&mut newer, &Asked::new());
        assert_eq!(versions(&newer), ["1.2.3"]);
        assert_eq!(
            moved[0].says(),
            "chart kafka 1.2.3 of `queue/crds/kafka` is pinned; the catalogue has 1.3.0: datamill lock update queue"
        );
        let name: Name = "queue".parse().unwrap();
        let mut asked = desired("1.3.0");
        assert_eq!(lock.pin(&mut asked, &Asked::from([(&name, "1.3.0")])), []);
        assert_eq!(versions(&asked), ["1.3.0"]);
        assert_eq!(lock.pin(&mut desired("1.2.3"), &Asked::new()), []);
    }

    #[test]
    fn a_pin_of_another_place_does_not_count() {
        let mut lock = Lock::default();
        lock.note_charts(desired("1.2.3").resources.values());
        for pin in lock.charts.values_mut() {
            pin.chart = "https://elsewhere.example/kafka".to_owned();
        }
        let mut newer = desired("1.3.0");
        assert_eq!(lock.pin(&mut newer, &Asked::new()), []);
        assert_eq!(versions(&newer), ["1.3.0"]);
    }
}
