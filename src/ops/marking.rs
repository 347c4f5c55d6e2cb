//! What `adopt`, `orphan` and `protect` share: which resources a word on the command line means, and how a run that changes
//! marks alone is shown, asked for and carried out.

use std::collections::BTreeSet;

use tokio::sync::watch;

use crate::engine::Cancel;
use crate::model::{
    Discovery, Failure, FailureKind, Family, Name, Owner, ResourceId, ResourceKind,
};
use crate::plan::{Block, Plan};
use crate::ui::{Answer, Question};
use crate::yaml::nearest;

use super::draw::{self, Goal};
use super::scene::Scene;
use super::{Confirm, Ended, apply};

/// What a word means: an instance with all it has, or one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meant {
    /// All of an instance.
    Instance(Name),
    /// One resource.
    Node(ResourceId),
}

impl Meant {
    /// Reads it: `kafka`, or `kafka/release/strimzi`.
    pub(super) fn read(text: &str) -> Result<Self, Failure> {
        let wrong = |because: String| {
            Failure::new(FailureKind::Usage, format!("`{text}` names nothing that can be marked"))
                .because(because)
                .hint("name an instance, or a node as plans show it:\n    datamill status")
        };
        if text.contains('/') {
            let id: ResourceId = text
                .parse()
                .map_err(|error: crate::model::ResourceIdError| wrong(error.to_string()))?;
            if id.kind.only_looks() {
                return Err(wrong("it only looks, and nothing of it is there".to_owned()));
            }
            return Ok(Self::Node(id));
        }
        text.parse()
            .map(Self::Instance)
            .map_err(|error: crate::model::NameError| wrong(error.to_string()))
    }

    /// Whether it means a resource.
    pub(super) fn takes(&self, id: &ResourceId) -> bool {
        match self {
            Self::Instance(name) => id.instance_name() == Some(name) && !id.kind.only_looks(),
            Self::Node(node) => id == node,
        }
    }
}

/// All of ours that is there; what could not be listed stops the run.
pub(super) async fn discover(scene: &Scene<'_>) -> Result<Discovery, Failure> {
    use crate::provider::Provider as _;
    running(scene)?;
    let mut there = scene.kubernetes.discover(&scene.identity, &scene.known).await;
    // Ids are those that plans show; what cannot be wired names nothing.
    let desired = scene.project.expand(&scene.facts).map(|all| all.desired).unwrap_or_default();
    there.tell_apart(&desired);
    if there.unlisted.is_empty() {
        return Ok(there);
    }
    let mut failure = Failure::new(
        FailureKind::Preflight,
        "cannot see all that is installed; nothing was changed",
    );
    failure.causes.extend(there.unlisted);
    Err(failure.hint("mend what does not answer, and run the same command again"))
}

/// Marks are written on live objects.
pub(super) fn running(scene: &Scene<'_>) -> Result<(), Failure> {
    if scene.runs() {
        return Ok(());
    }
    let what = format!("the cluster `{}` does not run", scene.cluster.id.name);
    Err(Failure::new(FailureKind::Preflight, what)
        .because("marks stand on the objects in it")
        .hint("start it first:\n    datamill start"))
}

/// The resources of this flavour that are meant; an error that names what there is when there are none.
pub(super) fn of_ours(
    scene: &Scene<'_>,
    there: &Discovery,
    meant: &Meant,
    typed: &str,
) -> Result<BTreeSet<ResourceId>, Failure> {
    let own = |id: &&ResourceId| {
        there.found.get(*id).is_some_and(|found| found.owner == Owner::Ours) && meant.takes(id)
    };
    let ids: BTreeSet<ResourceId> = there.found.keys().filter(own).cloned().collect();
    let ours = crate::model::label_value(&scene.identity.flavour);
    let other = ids.iter().find_map(|id| {
        let flavour = there.found.get(id)?.flavour.as_ref()?;
        (*flavour != ours).then_some(flavour)
    });
    if let Some(flavour) = other {
        let what = format!("`{typed}` belongs to flavour {flavour}");
        return Err(Failure::new(FailureKind::Foreign, what)
            .hint("run the same command with that flavour's file:\n    add -f FILE"));
    }
    if ids.is_empty() {
        return Err(unknown(there, meant, typed));
    }
    Ok(ids)
}

fn unknown(there: &Discovery, meant: &Meant, typed: &str) -> Failure {
    let names: BTreeSet<String> = match meant {
        Meant::Instance(_) => there
            .found
            .keys()
            .filter_map(ResourceId::instance_name)
            .map(ToString::to_string)
            .collect(),
        Meant::Node(_) => there.found.keys().map(ToString::to_string).collect(),
    };
    let failure =
        Failure::new(FailureKind::Usage, format!("nothing of ours here is called `{typed}`"));
    match nearest(typed, names.iter().map(String::as_str)) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None if names.is_empty() => failure.hint("nothing is installed here"),
        None => {
            let some: Vec<&str> = names.iter().take(12).map(String::as_str).collect();
            failure.hint(format!("there is: {}", some.join(", ")))
        }
    }
}

/// Only what lives in the cluster bears marks that a command changes; its record and the cluster are what all else stands on.
pub(super) fn only_content(ids: &BTreeSet<ResourceId>) -> Result<(), Failure> {
    let base = |id: &&ResourceId| {
        id.kind.family() == Family::Local || id.kind == ResourceKind::Installation
    };
    match ids.iter().find(base) {
        None => Ok(()),
        Some(id) => Err(Failure::new(
            FailureKind::Usage,
            format!("`{id}` cannot be taken over or let go of"),
        )
        .because("everything that is installed stands on it")),
    }
}

/// Shows a plan of marks, asks, and carries it out. `needed` is what to do when others need what it is about.
pub(super) async fn carry_out(
    scene: &Scene<'_>,
    plan: &Plan,
    question: String,
    needed: Option<String>,
    cancel: watch::Receiver<Cancel>,
) -> Result<Ended, Failure> {
    scene.screen.show_plan(plan, &scene.header());
    draw::refuse_with(scene, plan, &|step, by| match (by, &needed) {
        (Block::Needed { .. }, Some(hint)) => vec![hint.clone()],
        _ => draw::hints(scene, Goal::Install, step, by),
    })?;
    if !plan.has_changes() {
        return Ok(Ended::Well);
    }
    if scene.settings.confirm != Confirm::Nothing
        && scene.screen.ask(&Question::yes_no(question, "--yes"))? != Answer::Yes
    {
        scene.screen.note("nothing was changed");
        return Ok(Ended::Well);
    }
    let report = apply::execute(scene, plan, cancel).await?;
    scene.screen.show_short_report(&report);
    apply::end(&report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_an_instance_or_a_node() {
        let id = |text: &str| text.parse::<ResourceId>().unwrap();
        let kafka = Meant::read("kafka").unwrap();
        assert!(kafka.takes(&id("kafka/release/x")) && !kafka.takes(&id("spark/release/x")));
        assert!(
            !kafka.takes(&id("kafka/health/installed"))
                && !kafka.takes(&id("target/namespace/kafka"))
        );
        let node = Meant::read("kafka/claim/data").unwrap();
        assert!(node.takes(&id("kafka/claim/data")) && !node.takes(&id("kafka/release/x")));
        for text in ["Kafka", "kafka/what", "kafka/thing/x", "kafka/health/installed", ""] {
            assert_eq!(Meant::read(text).unwrap_err().kind, FailureKind::Usage, "{text}");
        }
    }
}
