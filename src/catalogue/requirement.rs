//! What components require of the cluster they go into, and what a cluster lacks of it. What nobody can tell is not asked.

use super::component::Requires;
use super::fields::{Fields, text_of};
use super::param::is_quantity;
use super::scope::Scope;
use crate::model::{Name, Survey};
use crate::yaml::{Located, Problem, Problems, Span};

/// What one instance requires.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Requirement {
    /// The instance.
    pub instance: Option<Name>,
    /// Kubernetes quantities that one node must have: `cpu`, `memory`, or the name of a device.
    pub node: Vec<(String, String)>,
    /// Architectures; one node must have one of them.
    pub arch: Vec<String>,
    /// Whether volumes are made.
    pub volumes: bool,
    /// The storage class of those volumes; the cluster's default when absent.
    pub class: Option<String>,
    /// How they are used.
    pub access_mode: Option<String>,
    /// A range of versions of Helm.
    pub helm: Option<String>,
    /// Where it is written.
    pub at: Option<Span>,
}

/// Provisioners whose volumes one node can use at a time (their own documentation says so).
const ONE_NODE: [&str; 6] = [
    "rancher.io/local-path",
    "k8s.io/minikube-hostpath",
    "ebs.csi.aws.com",
    "kubernetes.io/aws-ebs",
    "pd.csi.storage.gke.io",
    "kubernetes.io/gce-pd",
];

/// Reads what an instance requires, substituted.
pub(super) fn read(
    scope: &Scope<'_, '_>,
    requires: &Requires,
    instance: &Name,
    problems: &mut Problems,
) -> Requirement {
    let mut found = Requirement { instance: Some(instance.clone()), ..Requirement::default() };
    if let Some(tree) = &requires.nodes {
        found.at = Some(tree.span.clone());
        nodes(scope, tree, &mut found, problems);
    }
    if let Some(tree) = &requires.storage {
        found.at = Some(tree.span.clone());
        storage(scope, tree, &mut found, problems);
    }
    if let Some((range, at)) = &requires.helm {
        found.at.get_or_insert_with(|| at.clone());
        found.helm = Some(range.clone());
    }
    found
}

fn nodes(scope: &Scope<'_, '_>, tree: &Located, found: &mut Requirement, problems: &mut Problems) {
    let Some(mut fields) = Fields::of(tree, "`requires.nodes`", problems) else { return };
    for (key, resource) in [("cpu", "cpu"), ("memory", "memory"), ("gpu", "nvidia.com/gpu")] {
        let Some(value) = fields.value(key) else { continue };
        let Some(text) = scope.text(value, problems) else { continue };
        if is_quantity(&text) {
            found.node.push((resource.to_owned(), text));
        } else {
            let message = format!("`{text}` is no quantity such as `4` or `8Gi`");
            problems.push(Problem::error("wrong-value", message).at(&value.span));
        }
    }
    found.arch = fields.texts("arch", problems);
    // What a machine has beside Kubernetes, no API tells: said to the person, not checked.
    let packages = fields.texts("hostPackages", problems);
    let privileged = fields.flag("privileged", problems);
    fields.finish(problems);
    if !packages.is_empty() && !scope.world.facts.simulated {
        let message = format!(
            "`{}` needs {} on each node, which cannot be seen from here",
            scope.member.name(),
            packages.join(", ")
        );
        problems.push(Problem::warning("host-packages", message).at(&tree.span));
    }
    if privileged && !scope.world.facts.simulated {
        let message = format!(
            "`{}` runs privileged pods; a cluster that forbids them will not start it",
            scope.member.name()
        );
        problems.push(Problem::warning("privileged", message).at(&tree.span));
    }
}

fn storage(
    scope: &Scope<'_, '_>,
    tree: &Located,
    found: &mut Requirement,
    problems: &mut Problems,
) {
    let Some(mut fields) = Fields::of(tree, "`requires.storage`", problems) else { return };
    let mut text = |key: &'static str, problems: &mut Problems| {
        let value = fields.value(key)?;
        scope.text(value, problems).filter(|text| !text.is_empty())
    };
    found.volumes = true;
    found.class = text("class", problems);
    found.access_mode = text("accessMode", problems);
    let size = text("size", problems);
    fields.finish(problems);
    if let Some(size) = size.filter(|size| !is_quantity(size)) {
        let message = format!("`{size}` is no quantity such as `10Gi`");
        problems.push(Problem::error("wrong-value", message).at(&tree.span));
    }
}

/// Reads `requires.helm`.
pub(super) fn helm(value: &Located, problems: &mut Problems) -> Option<(String, Span)> {
    let range = text_of(value, "helm", problems)?;
    if let Err(error) = semver::VersionReq::parse(&range) {
        let message = format!("`{range}` is no range of versions: {error}");
        problems.push(Problem::error("version-range", message).at(&value.span));
        return None;
    }
    Some((range, value.span.clone()))
}

impl Requirement {
    /// Whether anything is required that a look at a cluster could tell.
    pub fn asks(&self) -> bool {
        !self.node.is_empty() || !self.arch.is_empty() || self.volumes || self.helm.is_some()
    }

    /// What a cluster lacks, a sentence each; what was not seen is not lacking.
    pub fn lacks(&self, survey: &Survey, helm: &semver::Version) -> Vec<String> {
        let mut lacks = Vec::new();
        if let Some(nodes) = survey.nodes.as_ref() {
            for (resource, wanted) in &self.node {
                let most = nodes.iter().filter_map(|node| quantity(node.capacity.get(resource)?));
                let most = most.fold(0.0_f64, f64::max);
                if quantity(wanted).is_some_and(|wanted| most < wanted) {
                    let largest = nodes
                        .iter()
                        .filter_map(|node| node.capacity.get(resource))
                        .max_by(|a, b| {
                            quantity(a).unwrap_or(0.0).total_cmp(&quantity(b).unwrap_or(0.0))
                        });
                    let has = largest.map_or_else(|| "none".to_owned(), Clone::clone);
                    lacks.push(format!(
                        "a node with {wanted} of {resource} is needed, and the largest has {has}"
                    ));
                }
            }
            let fits = |arch: &String| nodes.iter().any(|node| node.arch.as_ref() == Some(arch));
            let told = nodes.iter().any(|node| node.arch.is_some());
            if !self.arch.is_empty() && told && !self.arch.iter().any(fits) {
                let wanted = self.arch.join(" or ");
                lacks.push(format!("a node of architecture {wanted} is needed, and there is none"));
            }
        }
        if self.volumes
            && let Some(classes) = survey.classes.as_ref()
        {
            lacks.extend(self.lacks_storage(classes, survey.simulated));
        }
        if let Some(range) = &self.helm
            && semver::VersionReq::parse(range).is_ok_and(|range| !range.matches(helm))
        {
            lacks.push(format!("Helm {range} is needed, and {helm} is used"));
        }
        lacks
    }

    fn lacks_storage(
        &self,
        classes: &[crate::model::StorageFound],
        simulated: bool,
    ) -> Option<String> {
        let named = || {
            let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
            if names.is_empty() {
                "there is none at all".to_owned()
            } else {
                format!("there are: {}", names.join(", "))
            }
        };
        let class = match &self.class {
            Some(wanted) => classes.iter().find(|class| class.name == *wanted),
            None => classes.iter().find(|class| class.is_default),
        };
        match (class, &self.class) {
            (None, Some(wanted)) => {
                Some(format!("storage class `{wanted}` is needed; {}", named()))
            }
            (None, None) => Some(format!("a default storage class is needed; {}", named())),
            (Some(class), _) => {
                let many = self.access_mode.as_deref() == Some("ReadWriteMany");
                let one = ONE_NODE.contains(&class.provisioner.as_str());
                (many && one && !simulated).then(|| {
                    format!(
                        "volumes that several nodes use (ReadWriteMany) are needed, and storage class `{}` ({}) makes none",
                        class.name, class.provisioner
                    )
                })
            }
        }
    }
}

/// A Kubernetes quantity as a number.
fn quantity(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 13] = [
        ("Ki", 1_024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("m", 0.001),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let text = text.trim();
    let suffix = SUFFIXES.iter().find(|(suffix, _)| text.ends_with(suffix));
    let (number, factor) = match suffix {
        Some((suffix, factor)) => (text.strip_suffix(suffix)?, *factor),
        None => (text, 1.0),
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{NodeFound, StorageFound};

    fn survey(class: &str, is_default: bool, provisioner: &str) -> Survey {
        let capacity = BTreeMap::from([
            ("cpu".to_owned(), "3500m".to_owned()),
            ("memory".to_owned(), "8Gi".to_owned()),
        ]);
        Survey {
            simulated: false,
            nodes: Some(vec![NodeFound { arch: Some("arm64".to_owned()), capacity }]),
            classes: Some(vec![StorageFound {
                name: class.to_owned(),
                is_default,
                provisioner: provisioner.to_owned(),
            }]),
        }
    }

    fn lacks(requirement: &Requirement, survey: &Survey) -> Vec<String> {
        requirement.lacks(survey, &semver::Version::new(4, 3, 1))
    }

    #[test]
    fn a_cluster_is_told_what_it_lacks_and_nothing_that_nobody_saw() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let wanted = Requirement {
            node: vec![pair("cpu", "4"), pair("memory", "8000Mi"), pair("nvidia.com/gpu", "1")],
            arch: vec!["amd64".to_owned()],
            helm: Some(">=5".to_owned()),
            ..Requirement::default()
        };
        assert_eq!(
            lacks(&wanted, &survey("x", true, "p")),
            [
                "a node with 4 of cpu is needed, and the largest has 3500m",
                "a node with 1 of nvidia.com/gpu is needed, and the largest has none",
                "a node of architecture amd64 is needed, and there is none",
                "Helm >=5 is needed, and 4.3.1 is used",
            ]
        );
        let unseen = Survey { simulated: false, nodes: None, classes: None };
        let blind = Requirement { helm: None, volumes: true, ..wanted };
        assert_eq!(lacks(&blind, &unseen), Vec::<String>::new());
    }

    #[test]
    fn storage_is_of_a_class_that_is_there_and_can_do_it() {
        let wanted = |class: Option<&str>, mode: &str| Requirement {
            volumes: true,
            class: class.map(str::to_owned),
            access_mode: Some(mode.to_owned()),
            ..Requirement::default()
        };
        let fast = survey("fast", false, "ebs.csi.aws.com");
        assert_eq!(lacks(&wanted(Some("fast"), "ReadWriteOnce"), &fast), Vec::<String>::new());
        let of = |requirement: &Requirement| lacks(requirement, &fast).concat();
        assert!(of(&wanted(None, "ReadWriteOnce")).contains("a default storage class is needed"));
        assert!(of(&wanted(Some("slow"), "ReadWriteOnce")).contains("there are: fast"));
        assert!(of(&wanted(Some("fast"), "ReadWriteMany")).contains("makes none"));
        let simulated = Survey { simulated: true, ..fast.clone() };
        assert_eq!(lacks(&wanted(Some("fast"), "ReadWriteMany"), &simulated), Vec::<String>::new());
    }
}
