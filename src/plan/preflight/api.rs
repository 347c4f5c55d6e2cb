//! API versions that Kubernetes took away, or is about to: named with what replaces them.

use std::collections::BTreeMap;

use super::wish::Wishes;
use super::{Check, Facts, Finding, Severity};
use crate::model::{KubernetesSpec, ResourceId};

/// What left Kubernetes, from its deprecated API migration guide: API version, kinds (all when empty), the minor version that
/// no longer serves it, and what to write instead.
const GONE: [(&str, &[&str], u64, &str); 28] = [
    ("extensions/v1beta1", &["Deployment", "DaemonSet", "ReplicaSet"], 16, "apps/v1"),
    ("extensions/v1beta1", &["NetworkPolicy"], 16, "networking.k8s.io/v1"),
    ("extensions/v1beta1", &["PodSecurityPolicy"], 16, "nothing: use pod security admission"),
    ("extensions/v1beta1", &["Ingress"], 22, "networking.k8s.io/v1"),
    ("apps/v1beta1", &[], 16, "apps/v1"),
    ("apps/v1beta2", &[], 16, "apps/v1"),
    (
        "admissionregistration.k8s.io/v1beta1",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
        22,
        "admissionregistration.k8s.io/v1",
    ),
    ("apiextensions.k8s.io/v1beta1", &[], 22, "apiextensions.k8s.io/v1"),
    ("apiregistration.k8s.io/v1beta1", &[], 22, "apiregistration.k8s.io/v1"),
    ("authentication.k8s.io/v1beta1", &["TokenReview"], 22, "authentication.k8s.io/v1"),
    ("authorization.k8s.io/v1beta1", &[], 22, "authorization.k8s.io/v1"),
    ("certificates.k8s.io/v1beta1", &["CertificateSigningRequest"], 22, "certificates.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", &["Lease"], 22, "coordination.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", &["Ingress", "IngressClass"], 22, "networking.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", &[], 22, "rbac.authorization.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", &["PriorityClass"], 22, "scheduling.k8s.io/v1"),
    (
        "storage.k8s.io/v1beta1",
        &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"],
        22,
        "storage.k8s.io/v1",
    ),
    ("batch/v1beta1", &["CronJob"], 25, "batch/v1"),
    ("discovery.k8s.io/v1beta1", &["EndpointSlice"], 25, "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", &["Event"], 25, "events.k8s.io/v1"),
    ("autoscaling/v2beta1", &["HorizontalPodAutoscaler"], 25, "autoscaling/v2"),
    ("policy/v1beta1", &["PodDisruptionBudget"], 25, "policy/v1"),
    ("policy/v1beta1", &["PodSecurityPolicy"], 25, "nothing: use pod security admission"),
    ("node.k8s.io/v1beta1", &["RuntimeClass"], 25, "node.k8s.io/v1"),
    ("autoscaling/v2beta2", &["HorizontalPodAutoscaler"], 26, "autoscaling/v2"),
    ("flowcontrol.apiserver.k8s.io/v1beta1", &[], 26, "flowcontrol.apiserver.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", &["CSIStorageCapacity"], 27, "storage.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", &[], 29, "flowcontrol.apiserver.k8s.io/v1"),
];
/// The same for what left last.
const GONE_LATER: [(&str, &[&str], u64, &str); 1] =
    [("flowcontrol.apiserver.k8s.io/v1beta3", &[], 32, "flowcontrol.apiserver.k8s.io/v1")];

/// Names objects in an API version that this server no longer serves, or that the next ones will not.
pub(super) fn findings(wishes: &Wishes<'_>, facts: &Facts) -> Vec<Finding> {
    let Some(minor) = minor(&facts.version) else { return Vec::new() };
    let mut by_step: BTreeMap<(&ResourceId, &str, u64, &str), Vec<String>> = BTreeMap::new();
    for written in &wishes.written {
        let name = &written.name;
        let Some((version, _, since, instead)) =
            GONE.iter().chain(&GONE_LATER).find(|(version, kinds, _, _)| {
                *version == name.api_version
                    && (kinds.is_empty() || kinds.contains(&name.kind.as_str()))
            })
        else {
            continue;
        };
        let key = (name.api_version.clone(), name.kind.clone());
        let served = facts.served.as_ref().is_some_and(|served| served.contains_key(&key));
        if minor < *since || !served {
            let key = (written.step, *version, *since, *instead);
            by_step.entry(key).or_default().push(name.to_string());
        }
    }
    let one = |((step, version, since, instead), names): (
        (&ResourceId, &str, u64, &str),
        Vec<String>,
    )| {
        let chart = chart_of(wishes, step);
        let (severity, what) = if minor < since {
            (Severity::Warning, format!("Kubernetes 1.{since} will no longer serve {version}"))
        } else {
            (Severity::Blocking, format!("Kubernetes {} no longer serves {version}", facts.version))
        };
        Finding::new(Check::Apis, severity, what)
            .about([step])
            .because(format!("{chart} renders {} in it; it is now {instead}", names.join(", ")))
            .todo(format!("use a newer version of {chart}"))
    };
    by_step.into_iter().map(one).collect()
}

/// The minor version: 35 of `1.35.4`, and of `1.35+`.
fn minor(version: &str) -> Option<u64> {
    let mut parts = version.split('.');
    (parts.next() == Some("1")).then_some(())?;
    let digits: String = parts.next()?.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn chart_of(wishes: &Wishes<'_>, step: &ResourceId) -> String {
    use crate::model::ChartSource;
    let wanted = wishes.plan.steps.iter().find(|other| other.id == *step);
    let spec =
        wanted.and_then(|step| step.wanted.as_ref()).and_then(|wanted| match wanted.kubernetes() {
            Some(KubernetesSpec::Release(spec)) => Some(spec.chart.clone()),
            _ => None,
        });
    match spec {
        Some(ChartSource::Repository { name, version, .. }) => {
            format!("chart {name} {}", version.unwrap_or_default()).trim().to_owned()
        }
        Some(ChartSource::Oci { url, version }) => {
            format!("chart {url} {}", version.unwrap_or_default()).trim().to_owned()
        }
        Some(ChartSource::Archive { url, .. }) => format!("chart {url}"),
        Some(ChartSource::Folder(path)) => format!("chart {}", path.display()),
        None => format!("`{step}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_version_is_read_from_every_form() {
        for (version, wanted) in [
            ("1.35.4", Some(35)),
            ("1.30+", Some(30)),
            ("1.29.1-eks-1", Some(29)),
            ("", None),
            ("2.1", None),
        ] {
            assert_eq!(minor(version), wanted, "{version}");
        }
    }
}
