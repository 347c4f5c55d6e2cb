//! What components say they require of their cluster: facts here, not words.

use super::quantity::{Amounts, amounts, of_json, parse, shown};
use super::read::{name, text};
use super::{Check, Facts, Finding, Severity};
use crate::model::{Object, ResourceId};

/// What one component requires. What it does not say is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirement {
    /// Who says so, for a person: `kafka`.
    pub by: String,
    /// The steps that wait for it.
    pub steps: Vec<ResourceId>,
    /// A range of Kubernetes versions.
    pub kubernetes: Option<String>,
    /// A range of Helm versions, and the version there is.
    pub helm: Option<(String, String)>,
    /// What nodes must have.
    pub nodes: Option<NodeNeed>,
    /// What storage must do.
    pub storage: Option<StorageNeed>,
}

/// What at least one node must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeNeed {
    /// Resources by name as quantities: `cpu`, `memory`, `nvidia.com/gpu`.
    pub resources: std::collections::BTreeMap<String, String>,
    /// Architectures that will do, such as `amd64`; empty for any.
    pub architectures: Vec<String>,
}

/// What storage must do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageNeed {
    /// A storage class by name; absent for the default.
    pub class: Option<String>,
    /// `ReadWriteMany` and so on.
    pub access_mode: Option<String>,
}

/// Provisioners of Kubernetes and of common clusters that give volumes to one node at a time.
const ONE_NODE: [&str; 8] = [
    "disk.csi.azure.com",
    "ebs.csi.aws.com",
    "k8s.io/minikube-hostpath",
    "kubernetes.io/aws-ebs",
    "kubernetes.io/gce-pd",
    "microk8s.io/hostpath",
    "pd.csi.storage.gke.io",
    "rancher.io/local-path",
];

/// Judges requirements by the facts there are.
pub(super) fn findings(requirements: &[Requirement], facts: &Facts) -> Vec<Finding> {
    requirements.iter().flat_map(|requirement| of_one(requirement, facts)).collect()
}

fn of_one(requirement: &Requirement, facts: &Facts) -> Vec<Finding> {
    let by = &requirement.by;
    let mut found = Vec::new();
    let mut add = |severity, what: String, todo: String| {
        let finding = Finding::new(Check::Requirements, severity, what);
        found.push(finding.about(&requirement.steps).todo(todo));
    };
    if let Some(range) = &requirement.kubernetes
        && is_within(&facts.version, range) == Some(false)
    {
        let what = format!("{by} needs Kubernetes {range}, and the cluster runs {}", facts.version);
        add(Severity::Blocking, what, "upgrade the cluster, or leave the component out".to_owned());
    }
    if let Some((range, version)) = &requirement.helm
        && is_within(version, range) == Some(false)
    {
        let what = format!("{by} needs Helm {range}, and there is {version}");
        add(Severity::Blocking, what, "get it with:\n    datamill tools install".to_owned());
    }
    if let (Some(need), Some(nodes)) = (&requirement.nodes, &facts.nodes)
        && !nodes.iter().any(|node| has(node, need))
    {
        let severity = if facts.autoscaler || nodes.is_empty() {
            Severity::Warning
        } else {
            Severity::Blocking
        };
        let what = format!("{by} needs a node with {}, and there is none", described(need));
        add(severity, what, "add such a node, or leave the component out".to_owned());
    }
    if let (Some(need), Some(classes)) = (&requirement.storage, &facts.storage_classes) {
        storage(by, need, classes, &mut add);
    }
    found
}

fn storage(
    by: &str,
    need: &StorageNeed,
    classes: &[Object],
    add: &mut impl FnMut(Severity, String, String),
) {
    let is_default = |class: &&Object| {
        class.annotation("storageclass.kubernetes.io/is-default-class") == Some("true")
    };
    let class = match need.class.as_deref().filter(|class| !class.is_empty()) {
        Some(wanted) => classes.iter().find(|class| name(class) == wanted),
        None => classes.iter().find(is_default),
    };
    let shared = need.access_mode.as_deref().filter(|mode| *mode == "ReadWriteMany");
    // Which class there is, is judged where the claim is; here only what it can do.
    if let (Some(class), Some(mode)) = (class, shared)
        && ONE_NODE.contains(&text(&class.0, "/provisioner"))
    {
        let what = format!(
            "{by} needs {mode}, and storage class `{}` gives volumes to one node at a time",
            name(class)
        );
        add(
            Severity::Blocking,
            what,
            "name a class that can be shared, such as one of NFS or EFS".to_owned(),
        );
    }
}

/// Whether a version lies within a range; nothing when one of them cannot be read.
fn is_within(version: &str, range: &str) -> Option<bool> {
    let range = semver::VersionReq::parse(range).ok()?;
    let found = semver::Version::parse(version.trim_start_matches('v')).ok()?;
    // A suffix of a provider, such as `-eks-1234`, is no pre-release.
    Some(range.matches(&semver::Version::new(found.major, found.minor, found.patch)))
}

fn has(node: &Object, need: &NodeNeed) -> bool {
    let room: Amounts =
        amounts(node.0.pointer("/status/capacity").or(node.0.pointer("/status/allocatable")));
    let architecture = node.label("kubernetes.io/arch").unwrap_or_default();
    let suits = need.architectures.is_empty()
        || need.architectures.iter().any(|wanted| wanted == architecture);
    suits
        && need.resources.iter().all(|(resource, amount)| {
            parse(amount).is_none_or(|amount| room.get(resource).is_some_and(|has| *has >= amount))
        })
}

fn described(need: &NodeNeed) -> String {
    let resources = need.resources.iter().map(|(resource, amount)| {
        let amount = of_json(&amount.as_str().into()).unwrap_or_default();
        format!("{resource} {}", shown(resource, amount))
    });
    let architectures = (!need.architectures.is_empty()).then(|| need.architectures.join(" or "));
    resources.chain(architectures).collect::<Vec<_>>().join(", ")
}
