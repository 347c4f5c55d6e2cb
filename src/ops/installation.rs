//! Which installation of the project is in the cluster when its record does not say: what things bear says it, unless they
//! name two.

use std::collections::BTreeMap;

use crate::model::{Failure, FailureKind, Identity, InstallationId, Known, ObjectRef, label_value};
use crate::provider::kubernetes::Kubernetes;
use crate::ui::Screen;

use super::scene::Scene;

/// Finds the installation by the marks of what it made, after its record was lost.
pub(super) async fn recover(
    kubernetes: &Kubernetes,
    known: &Known,
    identity: &mut Identity,
    screen: &Screen,
) -> Result<(), Failure> {
    let (project, target) = (identity.project.clone(), identity.target.clone());
    let owners = kubernetes.installations_by_marks(known, &project, &target).await?;
    if owners.len() > 1 {
        return Err(two(&project, &target, &owners));
    }
    if let Some(owner) = owners.into_keys().next() {
        screen.note(&format!(
            "the record of this installation is gone; the marks of what it made name it: {owner}"
        ));
        identity.owner = InstallationId(owner);
    }
    Ok(())
}

/// A destroy of one installation would say that nothing is left while another one is.
pub(super) async fn refuse_another(scene: &Scene<'_>) -> Result<(), Failure> {
    if !scene.runs() || scene.simulated() {
        return Ok(());
    }
    let Identity { project, target, owner, .. } = &scene.identity;
    let mut owners = scene.kubernetes.installations_by_marks(&scene.known, project, target).await?;
    let ours = label_value(&owner.0);
    if owners.keys().all(|other| *other == ours) {
        return Ok(());
    }
    if let Some(own) = owners.remove(&ours) {
        owners.insert(format!("{ours} (recorded in the cluster)"), own);
    }
    Err(two(project, target, &owners))
}

fn two(project: &str, target: &str, owners: &BTreeMap<String, ObjectRef>) -> Failure {
    let what = format!("more than one installation of project `{project}` is in `{target}`");
    let mut failure = Failure::new(FailureKind::Foreign, what);
    failure.causes =
        owners.iter().map(|(owner, object)| format!("{owner}: {object} bears its mark")).collect();
    failure
        .hint(
            "take over what the one that is gone has left, node by node:\n    datamill adopt NODE",
        )
        .hint("or remove what it left by hand, and run the same command again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_installations_are_named_each_with_a_thing_of_it() {
        let object = |name: &str| ObjectRef {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: Some("n".to_owned()),
            name: name.to_owned(),
        };
        let owners = BTreeMap::from([("a".to_owned(), object("x")), ("b".to_owned(), object("y"))]);
        let failure = two("demo", "t", &owners);
        assert_eq!(failure.kind.exit_code(), 11);
        assert_eq!(failure.causes.len(), 2);
        assert!(failure.causes[0].starts_with("a: ConfigMap n/x"), "{failure:?}");
    }
}
