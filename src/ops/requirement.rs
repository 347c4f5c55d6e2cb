//! Before anything is made: whether the cluster has what the components require.

use crate::catalogue::{Expansion, Requirement};
use crate::model::{ClusterSpec, Failure, FailureKind, NodeFound, Spec, Survey};
use crate::toolchain::Tool;

use super::scene::Scene;

/// Refuses a cluster that lacks what a component requires; all that is lacking comes at once.
pub(super) async fn check(scene: &Scene<'_>, expansion: &Expansion) -> Result<(), Failure> {
    let asking: Vec<&Requirement> =
        expansion.requirements.iter().filter(|requirement| requirement.asks()).collect();
    if asking.is_empty() {
        return Ok(());
    }
    let survey = if scene.runs() {
        scene.kubernetes.survey(&scene.known).await
    } else {
        declared(&scene.cluster.spec, scene.simulated())
    };
    refuse(&asking, &survey)
}

fn refuse(asking: &[&Requirement], survey: &Survey) -> Result<(), Failure> {
    // What is found is accepted within this range, so the wanted version stands for it.
    let helm = Tool::Helm.wanted();
    let mut failure =
        Failure::new(FailureKind::Preflight, "the cluster lacks what is required of it");
    for requirement in asking {
        let who = requirement.instance.as_ref().map(ToString::to_string).unwrap_or_default();
        let place = requirement
            .at
            .as_ref()
            .map(|at| format!(" ({}, line {})", at.path().display(), at.line()));
        for lack in requirement.lacks(survey, &helm) {
            failure.causes.push(format!("`{who}`: {lack}{}", place.clone().unwrap_or_default()));
        }
    }
    if failure.causes.is_empty() {
        return Ok(());
    }
    Err(failure.hint("change the target, or leave the component out; nothing was changed"))
}

/// What a cluster that is not there yet will have, as far as its target says.
fn declared(cluster: &Spec, simulated: bool) -> Survey {
    let nodes = match cluster {
        Spec::Cluster(ClusterSpec::Kwok { nodes, .. }) => Some(
            nodes
                .iter()
                .map(|node| NodeFound {
                    arch: node.labels.get("kubernetes.io/arch").cloned(),
                    capacity: node.capacity.clone(),
                })
                .collect(),
        ),
        Spec::Cluster(_) | Spec::Kubernetes(_) | Spec::Cloud(_) => None,
    };
    Survey { simulated, nodes, classes: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_lacking_is_said_at_once_with_exit_8() {
        let requirement = Requirement {
            instance: "x".parse().ok(),
            node: vec![
                ("cpu".to_owned(), "64".to_owned()),
                ("memory".to_owned(), "1Ti".to_owned()),
            ],
            ..Requirement::default()
        };
        let survey = Survey { simulated: true, nodes: Some(Vec::new()), classes: None };
        let failure = refuse(&[&requirement], &survey).unwrap_err();
        assert_eq!((failure.kind.exit_code(), failure.causes.len()), (8, 2));
        assert_eq!(refuse(&[&requirement], &Survey::default()), Ok(()));
    }
}
