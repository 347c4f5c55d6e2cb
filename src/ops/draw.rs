//! Draws a plan: what is wanted for a goal, what is there, and the decision.

use std::collections::BTreeSet;

use crate::catalogue::Expansion;
use crate::config::Environment;
use crate::model::{
    Desired, Failure, FailureKind, KubernetesSpec, Name, Owner, Redactor, ResourceId, ResourceKind,
    label_value,
};
use crate::plan::preflight::Check;
use crate::plan::preflight::Finding;
use crate::plan::{
    self, Action, Block, BrokenRule, Permits, Plan, Purpose, Request, Selection, Step,
};

use super::load;
use super::look::{Look, look};
use super::preflight;
use super::scene::Scene;

/// What a run is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Goal {
    /// Everything of the flavour is there.
    #[default]
    Install,
    /// The flavour's instances are gone; cluster, namespaces, data and claims stay.
    Uninstall,
    /// Nothing is there.
    Destroy,
}

impl Goal {
    /// What its plan is for.
    pub(super) fn purpose(self) -> Purpose {
        match self {
            Self::Install => Purpose::Apply,
            Self::Uninstall | Self::Destroy => Purpose::Removal,
        }
    }
}

/// A plan with what it was drawn from.
pub(super) struct Drawing {
    pub(super) plan: Plan,
    pub(super) look: Look,
    pub(super) expansion: Expansion,
    pub(super) findings: Vec<Finding>,
    purpose: Purpose,
    selection: Selection,
    permits: Permits,
    /// What the files say beside what is planned.
    notes: Vec<String>,
    /// What no plan shows.
    redactor: Redactor,
}

impl Drawing {
    /// Decides again from the same look, with one more thing that the user keeps.
    pub(super) fn spare(&mut self, id: ResourceId) -> Result<(), Failure> {
        self.permits.spared.insert(id);
        self.plan = decide(&self.look, self.purpose, &self.selection, &self.permits)?;
        self.plan.notes.extend(self.notes.iter().cloned());
        self.plan.mask(&self.redactor);
        Ok(())
    }

    /// Looks for what stands in the way, and writes it into the plan.
    pub(super) async fn preflight(&mut self, scene: &Scene<'_>) {
        self.findings = Box::pin(preflight::preflight(scene, &mut self.plan)).await;
    }

    /// Refuses a plan that cannot be carried out, or in whose way preflight found something.
    pub(super) fn refuse(&self, scene: &Scene<'_>, goal: Goal) -> Result<(), Failure> {
        super::deletes::refuse_unknown(scene, self)?;
        preflight::refuse(scene, goal, &self.plan, &self.findings)
    }

    /// What could not be listed may still be there. A run that was to take things away says so at its end, exit 6; one that
    /// only adds has said it in its plan.
    pub(super) fn everything_was_listed(&self, goal: Goal) -> Result<(), Failure> {
        let unlisted = &self.look.snapshot.discovered.unlisted;
        let was_to_remove = match goal {
            Goal::Install => self.plan.steps.iter().any(Step::is_kept_unseen),
            Goal::Uninstall | Goal::Destroy => true,
        };
        if unlisted.is_empty() || !was_to_remove {
            return Ok(());
        }
        let what = "not everything could be listed, so nothing was pruned";
        let mut failure = Failure::new(FailureKind::Partial, what);
        failure.causes.clone_from(unlisted);
        failure.hints = plan::preflight::rights(&self.findings);
        Err(failure.hint("mend what does not answer, and run the same command again"))
    }
}

/// Draws the plan for a goal.
pub(super) async fn draw(
    scene: &Scene<'_>,
    goal: Goal,
    include_data: bool,
) -> Result<Drawing, Failure> {
    let mut expansion = match goal {
        Goal::Install => {
            let expansion = expand(scene)?;
            if !scene.settings.skip_preflight.contains(&Check::Requirements) {
                Box::pin(super::requirement::check(scene, &expansion)).await?;
            }
            expansion
        }
        Goal::Uninstall => expand(scene)?,
        Goal::Destroy => Expansion::default(),
    };
    let asked = super::lock::asked(&scene.project);
    let pinned = scene.lock.pin(&mut expansion.desired, &asked);
    let selected = named(scene)?;
    let (desired, selection) = want(scene, goal, &expansion, &selected);
    let look = look(scene, desired, &named_by_files(scene, goal, &expansion)).await?;
    let renamed = match goal {
        Goal::Install => super::moved::check(scene, &look)?,
        Goal::Uninstall | Goal::Destroy => Vec::new(),
    };
    let permits = scene.permits(include_data);
    let purpose = goal.purpose();
    let mut plan = decide(&look, purpose, &selection, &permits)?;
    let mut notes = renamed;
    notes.extend(scene.settings.strip_finalizers.iter().map(|object| {
        format!("{object} goes without what handles its finalizers: `--strip-finalizers`")
    }));
    notes.extend(super::deletes::gone(&permits, &plan));
    if goal == Goal::Install {
        notes.extend(pinned.iter().map(super::lock::Moved::says));
        let resources = look.desired.resources.values();
        notes.extend(scene.lock.differences(&scene.surroundings(), resources));
    }
    plan.notes.extend(notes.iter().cloned());
    let redactor = scene.redactor.clone();
    plan.mask(&redactor);
    let findings = Vec::new();
    Ok(Drawing { plan, look, expansion, findings, purpose, selection, permits, notes, redactor })
}

/// The decision, with its rules checked.
fn decide(
    look: &Look,
    purpose: Purpose,
    selection: &Selection,
    permits: &Permits,
) -> Result<Plan, Failure> {
    let (desired, snapshot) = (&look.desired, &look.snapshot);
    let request = Request { desired, snapshot, purpose, selection, permits };
    let plan = plan::plan(&request).map_err(|error| {
        Failure::new(FailureKind::Usage, "cannot make a plan").caused_by(&error)
    })?;
    plan::check(&plan, purpose).map_err(|broken| {
        let both_wanted = |rule: &BrokenRule| matches!(rule, BrokenRule::Shared { ids, .. } if ids.iter().all(|id| desired.get(id).is_some()));
        if broken.iter().all(both_wanted) {
            let what = "two parts of the files make the same object";
            let failure = Failure::new(FailureKind::Usage, what)
                .hint("take it out of one of them, or give it another name there");
            return broken.iter().map(ToString::to_string).fold(failure, Failure::because);
        }
        let rules = broken.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Failure::new(FailureKind::Bug, "the plan breaks a rule and is not carried out")
            .because(rules)
            .hint("report this with the flavour file: it is a fault of datamill")
    })?;
    Ok(plan)
}

/// All instances wired, for the cluster as it is or as it is declared.
fn expand(scene: &Scene<'_>) -> Result<Expansion, Failure> {
    match scene.project.expand(&scene.facts) {
        Ok(expansion) => {
            scene.screen.show_problems(&expansion.warnings);
            Ok(expansion)
        }
        Err(problems) => {
            scene.screen.show_problems(&problems);
            Err(load::refused(&problems))
        }
    }
}

/// All that the files name. Where everything goes they are not needed: what cannot be read or wired says nothing.
fn named_by_files(scene: &Scene<'_>, goal: Goal, expansion: &Expansion) -> Desired {
    match goal {
        Goal::Install | Goal::Uninstall => expansion.desired.clone(),
        Goal::Destroy => {
            let expanded = scene.project.expand(&scene.facts);
            expanded.map(|expansion| expansion.desired).unwrap_or_default()
        }
    }
}

/// The instances named by `-c`.
fn named(scene: &Scene<'_>) -> Result<BTreeSet<Name>, Failure> {
    scene
        .settings
        .files
        .components
        .iter()
        .map(|text| {
            text.parse::<Name>().map_err(|error| {
                Failure::new(FailureKind::Usage, format!("no component `{text}`")).caused_by(&error)
            })
        })
        .collect()
}

/// What is wanted for a goal, and which part of the platform it is about.
fn want(
    scene: &Scene<'_>,
    goal: Goal,
    expansion: &Expansion,
    named: &BTreeSet<Name>,
) -> (Desired, Selection) {
    match goal {
        Goal::Destroy => (Desired::default(), Selection::All),
        Goal::Install => {
            let mut desired = scene.foundation();
            desired.resources.extend(expansion.desired.resources.clone());
            let selection = if named.is_empty() {
                Selection::All
            } else if scene.settings.reach.with_needs {
                Selection::Instances(with_needs(&expansion.desired, named))
            } else {
                Selection::Instances(named.clone())
            };
            (desired, selection)
        }
        Goal::Uninstall => {
            let mut desired = scene.foundation();
            let stays = |id: &ResourceId| match id.instance_name() {
                None => true,
                Some(name) => !named.is_empty() && !named.contains(name),
            };
            let rest = expansion.desired.resources.iter().filter(|(id, _)| stays(id));
            desired.resources.extend(rest.map(|(id, resource)| (id.clone(), resource.clone())));
            let selection =
                if named.is_empty() { Selection::All } else { Selection::Instances(named.clone()) };
            (desired, selection)
        }
    }
}

/// Some instances with all that they need, directly or not.
fn with_needs(desired: &Desired, named: &BTreeSet<Name>) -> BTreeSet<Name> {
    let mut all = named.clone();
    loop {
        let more: BTreeSet<Name> = desired
            .resources
            .values()
            .filter(|resource| resource.id.instance_name().is_some_and(|name| all.contains(name)))
            .flat_map(|resource| &resource.needs)
            .filter_map(|need| need.instance_name())
            .filter(|name| !all.contains(*name))
            .cloned()
            .collect();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

/// The failure of a plan that cannot be carried out: its cause decides the exit code, the first of several by
/// `semantics.md` 5.
pub(super) fn refuse_blocked(scene: &Scene<'_>, goal: Goal, plan: &Plan) -> Result<(), Failure> {
    refuse_with(scene, plan, &|step, by| hints(scene, goal, step, by))
}

/// The same, where something else is to be done about a block.
pub(super) fn refuse_with(
    scene: &Scene<'_>,
    plan: &Plan,
    hints: &dyn Fn(&Step, &Block) -> Vec<String>,
) -> Result<(), Failure> {
    let blocked: Vec<_> =
        plan.steps.iter().filter_map(|step| Some((step, step.action.block()?))).collect();
    let Some(kind) = blocked.iter().map(|(_, by)| by.kind()).min_by_key(|kind| kind.rank()) else {
        return Ok(());
    };
    let mut failure = Failure::new(kind, "the plan cannot be carried out; nothing was changed");
    failure.hints.extend(to_allow(&scene.settings.allowed, blocked.iter().map(|(_, by)| *by)));
    for (step, by) in &blocked {
        failure.causes.push(format!("`{}`: {}", step.id, by.says()));
        for hint in hints(step, by) {
            if !failure.hints.contains(&hint) {
                failure.hints.push(hint);
            }
        }
    }
    Err(failure)
}

/// The command that allows all that waits for the user's word.
fn to_allow<'b>(
    said: &'b BTreeSet<String>,
    blocks: impl Iterator<Item = &'b Block>,
) -> Option<String> {
    let mut objects: BTreeSet<&String> = blocks
        .filter_map(|by| match by {
            Block::Unapproved { allow, .. } => Some(allow),
            Block::Foreign { .. }
            | Block::Protected { .. }
            | Block::Preflight { .. }
            | Block::Needed { .. }
            | Block::MissingNeed { .. }
            | Block::Held { .. }
            | Block::Stale { .. }
            | Block::Unreachable { .. } => None,
        })
        .flatten()
        .collect();
    if objects.is_empty() {
        return None;
    }
    objects.extend(said);
    let flags: Vec<_> = objects.into_iter().map(|object| format!("--allow {object}")).collect();
    let flags = flags.join(" ");
    Some(format!("if that is what you want, say so:\n    datamill apply {flags}"))
}

/// What to do about a block. The screen completes commands with the user's own options.
pub(super) fn hints(scene: &Scene<'_>, goal: Goal, step: &Step, by: &Block) -> Vec<String> {
    let id = &step.id;
    match by {
        Block::Foreign { .. } => foreign(scene, step),
        Block::Protected { .. } if step.found.as_ref().is_some_and(|f| f.protection.is_some()) => {
            vec![lift(id)]
        }
        Block::Protected { why } if why.contains(" was protected by ") => {
            // What lives in it is named first, as plans name it.
            let node = why.split('`').nth(1).and_then(|text| text.parse().ok());
            node.iter().map(lift).collect()
        }
        Block::Protected { .. } if scene.project.environment == Environment::Production => {
            vec!["the flavour says `environment: production`; what holds data or state there goes only when its protection was lifted before".to_owned(), lift(id)]
        }
        Block::Protected { .. } => {
            let command = match goal {
                Goal::Install => "apply",
                Goal::Uninstall => "uninstall",
                Goal::Destroy => "destroy",
            };
            let project = &scene.identity.project;
            vec![format!(
                "data goes only when it is named:\n    datamill {command} --include-data --confirm-project {project}"
            )]
        }
        Block::Needed { .. } => {
            let name = id.instance_name().map(ToString::to_string).unwrap_or_default();
            vec![format!("take along what needs it:\n    datamill uninstall -c {name} --cascade")]
        }
        Block::MissingNeed { .. } => {
            vec!["install what it needs as well:\n    datamill apply --with-needs".to_owned()]
        }
        Block::Stale { .. } => vec!["make a new plan:\n    datamill plan --out FILE".to_owned()],
        Block::Preflight { why: says } | Block::Unreachable { because: says } => {
            at_the_door(says).into_iter().map(str::to_owned).collect()
        }
        // One command allows all that waits for a word.
        Block::Unapproved { .. } | Block::Held { .. } => Vec::new(),
    }
}

/// What to do when a webhook of the cluster refuses what it was asked, or does not answer.
fn at_the_door(says: &str) -> Option<&'static str> {
    if says.contains("failed calling webhook") {
        Some("that webhook does not answer: mend what it runs in, or delete its configuration")
    } else if says.contains("denied the request") {
        Some(
            "a policy of this cluster refuses it: change what it objects to, or ask whoever runs the cluster",
        )
    } else {
        None
    }
}

fn lift(id: &ResourceId) -> String {
    format!(
        "lift the protection in a run of its own, then run this again:\n    datamill protect off {id}"
    )
}

/// How something of somebody else may become ours, or be left alone.
fn foreign(scene: &Scene<'_>, step: &Step) -> Vec<String> {
    let found = step.found.as_deref();
    let id = &step.id;
    let holds_foreign = found.is_some_and(|found| !found.foreign.is_empty());
    if let (None, true, Some(name)) = (&step.wanted, holds_foreign, id.instance_name())
        && id.kind != ResourceKind::Removal
    {
        return vec![
            "what bears another owner's mark is never taken away: if the mark is wrong, take it off with `kubectl label`".to_owned(),
            format!("or let go of the instance and keep all of it:\n    datamill orphan {name}"),
        ];
    }
    let live = found.into_iter().flat_map(|found| &found.objects).filter(|o| o.live.is_some());
    let owners =
        found.map(|found| &found.owner).into_iter().chain(live.map(|object| &object.owner));
    let others: Vec<&Owner> = owners.filter(|owner| **owner != Owner::Ours).collect();
    let of_flavour =
        |owner: &&Owner| matches!(owner, Owner::Other(whose) if whose.starts_with("flavour "));
    let ours = label_value(&scene.identity.flavour);
    let flavour = found.and_then(|found| found.flavour.as_deref()).filter(|name| **name != ours);
    if let (Some(flavour), Some(name), true) =
        (flavour, id.instance_name(), others.iter().all(of_flavour))
    {
        return vec![format!(
            "take it over from that flavour:\n    datamill adopt {name} --from {flavour}"
        )];
    }
    let alone = "what bears no mark of ours is never changed: rename it, remove it yourself, or choose another namespace or release name".to_owned();
    if others.iter().all(|owner| matches!(owner, Owner::Unmarked { .. })) && !others.is_empty() {
        return vec![alone, format!("or take it over:\n    datamill adopt {id}")];
    }
    if let Some(old) = others.iter().find_map(|owner| match owner {
        Owner::Other(whose) => whose.strip_prefix("instance "),
        Owner::Ours | Owner::Unmarked { .. } => None,
    }) {
        let release = step.wanted.as_deref().and_then(|wanted| match wanted.kubernetes() {
            Some(KubernetesSpec::Release(spec)) => Some(spec.release.as_str()),
            _ => None,
        });
        let lines = super::moved::lines(old, release);
        return vec![format!(
            "it belongs to the instance `{old}` of this flavour: if that was renamed, write {lines} in the section of the instance; if both are wanted, give this one another `release` or `namespace`"
        )];
    }
    let gone = format!(
        "its owner can let go of it (`orphan`), or is gone; then take it over:\n    datamill adopt {id}"
    );
    vec![alone, gone]
}

/// The instances of a plan's destructive lines, for a question.
pub(super) fn destructive(plan: &Plan) -> Vec<&ResourceId> {
    plan.steps
        .iter()
        .filter(|step| matches!(step.action, Action::Delete | Action::Replace))
        .filter(|step| !matches!(step.id.kind, ResourceKind::Wait | ResourceKind::Health))
        .map(|step| &step.id)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_allows_all_that_waits_and_what_was_allowed_already() {
        let words = |all: &[&str]| -> BTreeSet<String> {
            all.iter().map(|word| (*word).to_owned()).collect()
        };
        let unapproved = |allow| Block::Unapproved { why: String::new(), allow };
        let [one, more] =
            [&["Release/b"][..], &["Release/a", "Job/x"]].map(|all| unapproved(words(all)));
        let said = words(&["Release/c"]);
        let hint = to_allow(&said, [&one, &more].into_iter()).unwrap();
        let command =
            "datamill apply --allow Job/x --allow Release/a --allow Release/b --allow Release/c";
        assert!(hint.ends_with(&format!("\n    {command}")), "{hint}");
        let held = Block::Held { by: String::new() };
        assert_eq!(to_allow(&said, [&held].into_iter()), None);
    }
}
