//! What a run stands on: the project, the providers, who acts, and the cluster as it was found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::RngExt as _;

use crate::adapter::{clock, process};
use crate::catalogue::Expansion;
use crate::config::{Environment, Project, Target};
use crate::model::{
    ClusterFacts, Desired, Failure, Family, Health, Identity, InstallationId, Known,
    KubernetesSpec, Name, Observed, Power, Redactor, Resource, RunId, Spec,
};
use crate::plan::Permits;
use crate::provider::kubernetes::Kubernetes;
use crate::provider::local::{self, Local, output};
use crate::provider::{Provider, Providers};
use crate::ui::{PlanHeader, Screen};
use crate::yaml::Problems;

use super::draw::Goal;
use super::lock::{Answering, Lock, SavedLock, Surroundings};
use super::target::{self, Choice};
use super::{Settings, history, load};

/// What a run stands on.
pub(super) struct Scene<'a> {
    pub(super) settings: &'a Settings,
    pub(super) screen: &'a Screen,
    pub(super) project: Project,
    pub(super) lock: Lock,
    pub(super) identity: Identity,
    /// The wanted cluster.
    pub(super) cluster: Resource,
    /// As it was found.
    pub(super) cluster_seen: Observed,
    /// Where it is absent: one that was begun.
    pub(super) half_made: Option<HalfMade>,
    /// Its outputs, when it runs.
    pub(super) known: Known,
    pub(super) facts: ClusterFacts,
    pub(super) local: Arc<Local>,
    pub(super) kubernetes: Arc<Kubernetes>,
    pub(super) providers: Providers,
    pub(super) redactor: Redactor,
    /// Versions of programs.
    pub(super) tools: BTreeMap<String, String>,
    /// What a saved plan brings along.
    pub(super) approved: Option<Approved>,
}

/// What a saved plan brings along: the same installation and the same charts, wherever it is applied.
#[derive(Debug, Clone)]
pub(super) struct Approved {
    pub(super) owner: Option<InstallationId>,
    pub(super) lock: SavedLock,
}

impl Scene<'_> {
    /// What the lock file notes beside charts.
    pub(super) fn surroundings(&self) -> Surroundings {
        Surroundings {
            target: self.identity.target.clone(),
            kubernetes: self.facts.version.clone(),
            tools: self.tools.clone(),
        }
    }

    /// The existing cluster that answers; nothing where datamill makes clusters itself.
    fn answering(&self) -> Option<Answering> {
        let Target::Hybrid { context, .. } = &self.project.target else { return None };
        let text = |name| self.known.text(&self.cluster.id, name).unwrap_or_default().to_owned();
        Some(Answering {
            target: self.identity.target.clone(),
            context: text(output::CONTEXT),
            server: text(output::SERVER),
            named: context.is_some(),
        })
    }

    /// Refuses an existing cluster that is another one than the flavour was applied to, unless it is said to be meant.
    pub(super) fn recognise(&self) -> Result<(), Failure> {
        match self.answering() {
            Some(now) if !self.settings.new_target => {
                self.lock.recognise(&self.identity.flavour, &now)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The lock file as it is to be once the flavour is applied here.
    pub(super) fn lock_with_target(&self) -> Lock {
        let mut lock = self.lock.clone();
        if let Some(now) = self.answering() {
            lock.note_target(&self.identity.flavour, &now);
        }
        lock
    }

    /// Notes in the lock file, if there is one, that nothing of the flavour is here any more.
    pub(super) fn forget_target(&self) -> Result<(), Failure> {
        let every = self.settings.reach.all_flavours;
        let flavour = (!every).then_some(self.identity.flavour.as_str());
        // Read again: the run wrote it.
        let before = Lock::read(&self.project.lock_file)?;
        let mut lock = before.clone();
        lock.forget_target(flavour, &self.identity.target);
        if lock == before { Ok(()) } else { lock.write(&self.project.lock_file) }
    }

    /// What the files say of the cluster that is there, without drawing it.
    pub(super) fn expanded(&self) -> Result<Expansion, Failure> {
        self.project.expand(&self.facts).map_err(|problems| {
            self.screen.show_problems(&problems);
            load::refused(&problems)
        })
    }

    /// Whether a command is about an instance: all of them where none is named.
    pub(super) fn is_meant(&self, instance: &Name) -> bool {
        let chosen = &self.settings.files.components;
        chosen.is_empty() || chosen.iter().any(|name| name == instance.as_str())
    }

    /// Whether the cluster runs, so that it can be asked.
    pub(super) fn runs(&self) -> bool {
        self.cluster_seen.found().is_some_and(|found| found.power == Power::On)
    }

    /// Whether the cluster is stopped.
    pub(super) fn is_off(&self) -> bool {
        self.cluster_seen.found().is_some_and(|found| found.power == Power::Off)
    }

    /// Whether something was to go and there is not even a cluster; says so.
    pub(super) fn lacks_what_goes(&self, goal: Goal) -> bool {
        let what = match goal {
            Goal::Install => return false,
            Goal::Uninstall => "uninstall",
            Goal::Destroy => "destroy",
        };
        let absent = self.cluster_seen == Observed::Absent;
        if absent {
            let name = &self.cluster.id.name;
            self.screen.note(&format!("there is no cluster `{name}`; nothing to {what}"));
        }
        absent
    }

    /// Whether no container runs in the cluster, hence no data is in it.
    pub(super) fn simulated(&self) -> bool {
        self.facts.simulated
    }

    /// The node of the plan that records the installation.
    pub(super) fn installation(&self) -> Resource {
        let id = self.project.installation_id();
        let mut resource = Resource::new(id, Spec::kubernetes(KubernetesSpec::Installation));
        resource.host = Some(self.cluster.id.clone());
        resource.needs = BTreeSet::from([self.cluster.id.clone()]);
        resource
    }

    /// The nodes every run with a target wants: the cluster and the record of the installation.
    pub(super) fn foundation(&self) -> Desired {
        let mut desired = Desired::default();
        desired.insert(self.cluster.clone());
        desired.insert(self.installation());
        desired
    }

    /// What the settings allow.
    pub(super) fn permits(&self, include_data: bool) -> Permits {
        let holds_no_data = if self.simulated() {
            BTreeSet::from([self.cluster.id.clone()])
        } else {
            BTreeSet::new()
        };
        Permits {
            include_data,
            production: self.project.environment == Environment::Production,
            holds_no_data,
            flavour: (!self.settings.reach.all_flavours).then(|| self.identity.flavour.clone()),
            cascade: self.settings.reach.cascade,
            wait_jobs: self.settings.manner.wait_jobs,
            overwrite_data: self.settings.overwrite_data,
            allowed: self.settings.allowed.clone(),
            takes_from: self.identity.adopts.from.clone(),
            deletes: self.settings.deletes.clone(),
            spared: BTreeSet::new(),
        }
    }

    /// What stands above a plan.
    pub(super) fn header(&self) -> PlanHeader {
        PlanHeader {
            project: self.identity.project.clone(),
            flavour: self.identity.flavour.clone(),
            target: self.identity.target.clone(),
            cluster: self.cluster_sentence(),
            simulated: self.simulated(),
        }
    }

    fn cluster_sentence(&self) -> String {
        let provider = &self.facts.provider;
        let version = &self.facts.version;
        if let Some(half_made) = &self.half_made {
            return half_made.sentence(provider, &self.cluster.id.name);
        }
        match &self.cluster_seen {
            Observed::Absent => format!("a new {provider} cluster with Kubernetes {version}"),
            Observed::Present(found) if found.power == Power::Off => {
                if let Health::Failed(causes) = &found.health {
                    let says: Vec<_> = causes.iter().map(|cause| cause.says.as_str()).collect();
                    let name = &self.cluster.id.name;
                    return format!(
                        "the {provider} cluster `{name}`, which does not answer ({}); `start` and `apply` start it again",
                        says.join("; ")
                    );
                }
                format!("the stopped {provider} cluster `{}`", self.cluster.id.name)
            }
            Observed::Present(_) => {
                let context = self.known.text(&self.cluster.id, "context").unwrap_or_default();
                format!("{provider} cluster `{context}` with Kubernetes {version}")
            }
            Observed::Unreachable { because } => {
                format!("a cluster that cannot be reached: {because}")
            }
        }
    }
}

/// Looks at the wanted cluster; one that does not answer, or is somebody else's, ends the run.
async fn seen_of(
    local: &Local,
    cluster: &Resource,
    identity: &Identity,
) -> Result<Observed, Failure> {
    let mut seen = local.observe(&[cluster], identity, &Known::default()).await;
    let seen = seen
        .remove(&cluster.id)
        .unwrap_or_else(|| Observed::Unreachable { because: "it was not looked at".to_owned() });
    if let Observed::Unreachable { because } = &seen {
        return Err(target::unreachable(because));
    }
    target::refuse_foreign(cluster, &seen)?;
    Ok(seen)
}

/// Takes the installation's id from its record in the cluster; whether there is one.
async fn is_recorded(
    kubernetes: &Kubernetes,
    known: &Known,
    identity: &mut Identity,
) -> Result<bool, Failure> {
    let record = kubernetes.record(known, &identity.project).await;
    let record = record.map_err(super::preflight::with_rights)?;
    let is_there = record.is_some();
    if let Some(record) = record {
        identity.owner = record.owner;
    }
    Ok(is_there)
}

/// A cluster that was begun and is not there yet, or never came to its end.
#[derive(Debug)]
pub(super) struct HalfMade {
    /// What runs of it.
    pub(super) running: Vec<String>,
    /// Whether a run of this machine is at it.
    pub(super) is_at_work: bool,
}

impl HalfMade {
    async fn look(
        scene: (&Settings, &Identity),
        local: &Local,
        cluster: &Resource,
        seen: &Observed,
    ) -> Result<Option<Self>, Failure> {
        let (settings, identity) = scene;
        let (Observed::Absent, Spec::Cluster(spec)) = (seen, &cluster.spec) else {
            return Ok(None);
        };
        let running = local.half_made(spec, &identity.project).await;
        let running = running.map_err(|because| target::unreachable(&because))?;
        let is_at_work = history::is_at_work(&settings.data, identity);
        Ok(running.map(|running| Self { running, is_at_work }))
    }

    /// How it is, and what to do.
    fn sentence(&self, provider: &str, name: &str) -> String {
        if self.is_at_work {
            return format!("the {provider} cluster `{name}`, which a run is making");
        }
        let runs = match self.running.as_slice() {
            [] => "nothing of it runs".to_owned(),
            [one] => format!("{one} runs"),
            several => format!("{} run", several.join(", ")),
        };
        format!(
            "the half-made {provider} cluster `{name}` ({runs}); `apply` makes it anew, `destroy` takes it away"
        )
    }
}

/// Opens the scene: reads the lock file, chooses the cluster, looks at it, and finds out who we are there and whether it is the
/// right one.
pub(super) async fn open<'a>(
    settings: &'a Settings,
    screen: &'a Screen,
    project: Project,
) -> Result<Scene<'a>, Failure> {
    let scene = look_at(settings, screen, project).await?;
    scene.recognise()?;
    Ok(scene)
}

/// The same for those who only look, whichever cluster answers.
pub(super) async fn look_at<'a>(
    settings: &'a Settings,
    screen: &'a Screen,
    project: Project,
) -> Result<Scene<'a>, Failure> {
    Box::pin(open_for(settings, screen, project, None, Wiring::Later)).await
}

/// The same for a run that wants what the files say: a fault of wiring ends it before a tool is got.
pub(super) async fn open_wired<'a>(
    settings: &'a Settings,
    screen: &'a Screen,
    project: Project,
) -> Result<Scene<'a>, Failure> {
    let scene = Box::pin(open_for(settings, screen, project, None, Wiring::Checked)).await?;
    scene.recognise()?;
    Ok(scene)
}

/// When the wiring of the instances is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wiring {
    /// As soon as the facts of the cluster are known.
    Checked,
    /// When a plan is drawn, if one is.
    Later,
}

/// Who acts, as far as files and flags tell: target and installation are known once the cluster was looked at.
fn identity_of(settings: &Settings, project: &Project, approved: Option<&Approved>) -> Identity {
    let owner = approved.and_then(|approved| approved.owner.clone());
    let owner = owner.unwrap_or_else(|| InstallationId(random_text(10)));
    Identity {
        every_flavour: settings.reach.all_flavours,
        renames: project.renames(),
        ..Identity::new(&project.name, &project.flavour, "", owner, run_id())
    }
}

/// The same for a saved plan.
pub(super) async fn open_for<'a>(
    settings: &'a Settings,
    screen: &'a Screen,
    project: Project,
    approved: Option<Approved>,
    wiring: Wiring,
) -> Result<Scene<'a>, Failure> {
    has_target(screen, &project)?;
    let lock = lock_of(&project, approved.as_ref())?;
    let redactor = Redactor::default();
    project.secrets().for_each(|secret| redactor.learn(secret));
    let toolchain = super::tools::toolchain(settings, &redactor);
    let local =
        Arc::new(Local::new(super::tools::local_settings(settings, screen, &toolchain, &redactor)));
    let choice = Box::pin(target::choose(&project, &local)).await?;
    tell_choice(screen, &choice)?;
    let mut identity = identity_of(settings, &project, approved.as_ref());
    let mut known = Known::default();
    let cluster = choice.cluster;
    let cluster_seen = seen_of(&local, &cluster, &identity).await?;
    let mut facts = target::declared(&project, &cluster);
    let power = cluster_seen.found().map(|found| found.power);
    if let Some(found) = cluster_seen.found() {
        if let Some(owner) = found.outputs.get("owner").and_then(serde_json::Value::as_str) {
            identity.owner = InstallationId(owner.to_owned());
        }
        if found.power == Power::On {
            known.insert(cluster.id.clone(), found.outputs.clone());
            facts = local::facts(&found.outputs).await?;
            super::preflight::recognised(&cluster, &known)?;
        }
    }
    if wiring == Wiring::Checked {
        is_wired(screen, &project, &facts)?;
    }
    let helm = super::tools::helm(settings, screen, &toolchain, &project, &lock, &redactor).await?;
    let kubernetes =
        Arc::new(Kubernetes::new(super::tools::kubernetes_settings(helm, &redactor, settings)));
    identity.target = target::target_name(&cluster, &known);
    let half_made = HalfMade::look((settings, &identity), &local, &cluster, &cluster_seen).await?;
    let is_open = power == Some(Power::On);
    if is_open && !is_recorded(&kubernetes, &known, &mut identity).await? && approved.is_none() {
        super::installation::recover(&kubernetes, &known, &mut identity, screen).await?;
    }
    let clusters: Arc<dyn Provider> = Arc::<Local>::clone(&local);
    let inside: Arc<dyn Provider> = Arc::<Kubernetes>::clone(&kubernetes);
    let providers = Providers::new([(Family::Local, clusters), (Family::Kubernetes, inside)]);
    Ok(Scene {
        settings,
        screen,
        project,
        lock,
        identity,
        cluster,
        cluster_seen,
        half_made,
        known,
        facts,
        local,
        kubernetes,
        providers,
        redactor,
        tools: super::tools::versions(&toolchain).await,
        approved,
    })
}

fn has_target(screen: &Screen, project: &Project) -> Result<(), Failure> {
    let Some(problem) = &project.target_missing else { return Ok(()) };
    let mut problems = Problems::default();
    problems.push(problem.clone());
    screen.show_problems(&problems);
    Err(load::refused(&problems))
}

/// Says which provider was chosen, and what of the target it does not heed.
fn tell_choice(screen: &Screen, choice: &Choice) -> Result<(), Failure> {
    if let Some(because) = &choice.because {
        screen.note(because);
    }
    screen.show_problems(&choice.problems);
    if choice.problems.has_errors() {
        return Err(load::refused(&choice.problems));
    }
    Ok(())
}

/// Refuses what cannot be wired; its warnings come with the plan.
fn is_wired(screen: &Screen, project: &Project, facts: &ClusterFacts) -> Result<(), Failure> {
    project.expand(facts).map(drop).map_err(|problems| {
        screen.show_problems(&problems);
        load::refused(&problems)
    })
}

/// The lock file, with what a saved plan pins laid over it.
fn lock_of(project: &Project, approved: Option<&Approved>) -> Result<Lock, Failure> {
    let mut lock = Lock::read(&project.lock_file)?;
    if let Some(approved) = approved {
        lock.agrees_with(&approved.lock)?;
        lock.lay(&approved.lock);
    }
    Ok(lock)
}

/// The id of this run: host, process and a random part.
fn run_id() -> RunId {
    let host = process::host();
    let since = clock::since_epoch().as_secs();
    RunId(format!("{host}.{}.{since}.{}", std::process::id(), random_text(4)))
}

/// Random text in the alphabet of Kubernetes names that cannot be misread: base 32 without vowels and look-alikes.
pub(super) fn random_text(length: usize) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut random = rand::rng();
    (0..length)
        .filter_map(|_| ALPHABET.get(random.random_range(0..ALPHABET.len())))
        .map(|byte| char::from(*byte))
        .collect()
}
