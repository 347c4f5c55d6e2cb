//! What a run teaches the lock file, and what differs from what it says: images, Kubernetes, programs.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::Lock;
use super::pin::chart_of;
use crate::adapter::helm::chart;
use crate::model::{ChartSource, KubernetesSpec, Manifests, Resource};

/// What surrounds the charts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::ops) struct Surroundings {
    /// The target's identity.
    pub(in crate::ops) target: String,
    /// The version of Kubernetes.
    pub(in crate::ops) kubernetes: String,
    /// Programs with their versions.
    pub(in crate::ops) tools: BTreeMap<String, String>,
}

impl Lock {
    /// Takes up what the charts of rendered resources turned out to be; digests of folders are not pinned, since a folder is
    /// under version control itself.
    pub(in crate::ops) fn learn<'a>(
        &mut self,
        resources: impl IntoIterator<Item = &'a Resource> + Clone,
    ) {
        self.note_charts(resources.clone());
        for resource in resources {
            let rendered = resource.rendered.as_ref();
            if let (Some(key), Some(digest)) =
                (key_of(resource), rendered.and_then(|rendered| rendered.chart.as_ref()))
            {
                self.digests.insert(key, digest.clone());
            }
            for (image, digest) in rendered.into_iter().flat_map(images) {
                self.images.insert(image, digest);
            }
        }
    }

    /// Takes up what surrounds the charts.
    pub(in crate::ops) fn learn_surroundings(&mut self, around: &Surroundings) {
        self.kubernetes.insert(around.target.clone(), minor(&around.kubernetes).to_owned());
        self.tools.extend(around.tools.clone());
    }

    /// What differs from the last apply, a line each.
    pub(in crate::ops) fn differences<'a>(
        &self,
        around: &Surroundings,
        resources: impl IntoIterator<Item = &'a Resource>,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        let now = minor(&around.kubernetes);
        if let Some(then) = self.kubernetes.get(&around.target).filter(|then| *then != now) {
            lines.push(format!("Kubernetes was {then} at the last apply and is {now}"));
        }
        for (tool, now) in &around.tools {
            if let Some(then) = self.tools.get(tool).filter(|then| *then != now) {
                lines.push(format!("{tool} was {then} at the last apply and is {now} here"));
            }
        }
        let rendered = resources.into_iter().filter_map(|resource| resource.rendered.as_ref());
        let images: BTreeMap<_, _> = rendered.flat_map(images).collect();
        for (image, now) in images {
            if let Some(then) = self.images.get(&image).filter(|then| **then != now) {
                lines.push(format!("image {image} was {then} at the last apply and is {now}"));
            }
        }
        lines
    }
}

/// `1.35` of `v1.35.4`.
fn minor(version: &str) -> &str {
    let version = version.trim_start_matches('v');
    let end = version.match_indices('.').nth(1).map_or(version.len(), |(at, _)| at);
    version.get(..end).unwrap_or(version)
}

/// The images that rendered objects name by digest.
fn images(rendered: &crate::model::Rendered) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for object in rendered.objects.iter().chain(&rendered.hooks) {
        collect(&object.0, &mut found);
    }
    found
}

fn collect(json: &Json, into: &mut Vec<(String, String)>) {
    match json {
        Json::Object(map) => {
            for (key, value) in map {
                if let ("image", Some(image)) = (key.as_str(), value.as_str()) {
                    let named = image.split_once('@');
                    into.extend(named.map(|(name, digest)| (name.to_owned(), digest.to_owned())));
                } else {
                    collect(value, into);
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// The key under which what a resource fetches is pinned.
fn key_of(resource: &Resource) -> Option<String> {
    if let Some(source) = chart_of(resource) {
        return chart_key(source);
    }
    match resource.kubernetes()? {
        KubernetesSpec::Crds(spec) => remote(&spec.from),
        KubernetesSpec::Objects(spec) => remote(&spec.from),
        KubernetesSpec::Installation
        | KubernetesSpec::Namespace(_)
        | KubernetesSpec::Secret(_)
        | KubernetesSpec::Claim(_)
        | KubernetesSpec::Release(_)
        | KubernetesSpec::Job(_)
        | KubernetesSpec::Removal(_)
        | KubernetesSpec::Wait(_) => None,
    }
}

fn remote(from: &Manifests) -> Option<String> {
    match from {
        Manifests::Remote(file) => Some(file.url.clone()),
        Manifests::Inline(_)
        | Manifests::Files(_)
        | Manifests::Chart(_)
        | Manifests::ChartFolder(..) => None,
    }
}

/// The key under which a chart is pinned; nothing for a folder, which is under version control itself.
pub(super) fn chart_key(source: &ChartSource) -> Option<String> {
    match source {
        ChartSource::Folder(_) => None,
        ChartSource::Repository { .. } | ChartSource::Oci { .. } | ChartSource::Archive { .. } => {
            Some(chart::source_key(source))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::super::pin::tests::desired;
    use super::*;
    use crate::model::{Digest, Object, Rendered};

    fn rendered(image: &str) -> Resource {
        let mut resource = desired("1.0.0").resources.into_values().next().unwrap();
        let pod =
            json!({"kind": "Pod", "spec": {"containers": [{"image": image}, {"image": "a:1"}]}});
        resource.rendered = Some(Rendered {
            objects: vec![Object(pod)],
            hooks: Vec::new(),
            ignored: Vec::new(),
            inputs: Digest::of("x"),
            unknown: BTreeSet::new(),
            unstable: BTreeSet::new(),
            chart: Some(Digest::of("chart")),
            findings: Vec::new(),
            warnings: Vec::new(),
        });
        resource
    }

    #[test]
    fn what_differs_from_the_last_apply_is_said() {
        let around = |kubernetes: &str, helm: &str| Surroundings {
            target: "t".to_owned(),
            kubernetes: kubernetes.to_owned(),
            tools: BTreeMap::from([("helm".to_owned(), helm.to_owned())]),
        };
        let mut lock = Lock::default();
        let then = rendered("quay.example/x:1@sha256:aa");
        lock.learn([&then]);
        lock.learn_surroundings(&around("v1.34.9", "4.3.1"));
        assert_eq!(lock.digests["https://charts.example/kafka@1.0.0"], Digest::of("chart"));
        assert_eq!(lock.images.len(), 1, "only what is named by digest");
        assert_eq!(lock.differences(&around("1.34.1", "4.3.1"), [&then]), Vec::<String>::new());
        let now = rendered("quay.example/x:1@sha256:bb");
        let lines = lock.differences(&around("1.35.4", "4.4.0"), [&now]);
        assert_eq!(
            lines,
            [
                "Kubernetes was 1.34 at the last apply and is 1.35",
                "helm was 4.3.1 at the last apply and is 4.4.0 here",
                "image quay.example/x:1 was sha256:aa at the last apply and is sha256:bb",
            ]
        );
    }
}
