//! Preflight: what stands in a plan's way is found before anybody is asked to approve it.

use serde_json::json;

use super::draw::Goal;
use super::scene::Scene;
use crate::model::{ClusterSpec, Failure, FailureKind, Known, NodeSpec, Object, Resource, Spec};
use crate::plan::preflight::{self, Check, Facts, Finding, Rules};
use crate::plan::{Action, Plan};

/// What a look at a cluster needs at least.
const LOOK: &str = "let somebody who may apply this, and bind it to your account:

    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata:
      name: datamill-look
      namespace: kube-system
    rules:
    - apiGroups: [\"\"]
      resources: [namespaces]
      resourceNames: [kube-system]
      verbs: [get]
    - apiGroups: [\"\"]
      resources: [configmaps]
      resourceNames: [datamill]
      verbs: [get]";

/// An existing cluster is known by the uid of `kube-system`. Who may not read it cannot tell which cluster this is, and
/// everything in it would bear the mark of another target.
pub(super) fn recognised(cluster: &Resource, known: &Known) -> Result<(), Failure> {
    let existing = matches!(cluster.spec, Spec::Cluster(ClusterSpec::Existing { .. }));
    if !existing || known.text(&cluster.id, "uid").is_some() {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Preflight, "cannot tell which cluster this is")
        .because("this account may not read namespace kube-system, whose uid names the cluster")
        .hint(LOOK))
}

/// Adds what a look needs at least to a failure for lack of rights.
pub(super) fn with_rights(failure: Failure) -> Failure {
    if failure.kind == FailureKind::Preflight { failure.hint(LOOK) } else { failure }
}

/// Looks into what a plan needs of its cluster, and writes what it finds into the plan.
pub(super) async fn preflight(scene: &Scene<'_>, plan: &mut Plan) -> Vec<Finding> {
    let settings = scene.settings;
    let rules =
        Rules { skip: settings.skip_preflight.iter().copied().collect(), strict: settings.strict };
    if rules.skip.len() == Check::ALL.len() || !preflight::concerns(plan) {
        return Vec::new();
    }
    let mut facts = if scene.runs() {
        scene.kubernetes.preflight(plan, &rules.skip, &scene.known).await
    } else {
        // Nothing runs in a cluster that is not there yet.
        Facts { pods: Some(Vec::new()), ..Facts::default() }
    };
    facts.version.clone_from(&scene.facts.version);
    if let Some(nodes) = nodes_to_come(scene, plan) {
        facts.nodes = Some(nodes.iter().map(node).collect());
    }
    let findings = preflight::judge(plan, &facts, &rules);
    preflight::attach(plan, &findings);
    findings
}

/// The nodes that the plan itself brings; nothing where the cluster stays as it is.
fn nodes_to_come<'a>(scene: &'a Scene<'_>, plan: &Plan) -> Option<&'a [NodeSpec]> {
    let step = plan.steps.iter().find(|step| step.id == scene.cluster.id)?;
    let changes = !matches!(step.action, Action::Keep | Action::Use | Action::Blocked { .. });
    match &scene.cluster.spec {
        Spec::Cluster(ClusterSpec::Kwok { nodes, .. }) if changes => Some(nodes),
        Spec::Cluster(_) | Spec::Kubernetes(_) | Spec::Cloud(_) => None,
    }
}

fn node(spec: &NodeSpec) -> Object {
    Object(json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": spec.name, "labels": spec.all_labels()},
        "spec": {"taints": spec.taints},
        "status": {"allocatable": spec.capacity},
    }))
}

/// Refuses a plan in whose way something stands: blocked steps and findings together, the worst decides the exit code.
pub(super) fn refuse(
    scene: &Scene<'_>,
    goal: Goal,
    plan: &Plan,
    findings: &[Finding],
) -> Result<(), Failure> {
    let found = preflight::failure(findings);
    let told = |step: &&crate::plan::Step| match step.action.block() {
        Some(crate::plan::Block::Preflight { why }) => {
            !findings.iter().any(|finding| finding.what == *why)
        }
        Some(_) => true,
        None => false,
    };
    let steps = plan.steps.iter().filter(told).cloned().collect();
    let blocked =
        super::draw::refuse_blocked(scene, goal, &Plan { steps, notes: Vec::new() }).err();
    match (blocked, found) {
        (None, None) => Ok(()),
        (Some(failure), None) | (None, Some(failure)) => Err(failure),
        (Some(mut blocked), Some(found)) => {
            if found.kind.rank() < blocked.kind.rank() {
                blocked.kind = found.kind;
            }
            blocked.causes.extend(found.causes);
            blocked.hints.extend(found.hints);
            Err(blocked)
        }
    }
}
