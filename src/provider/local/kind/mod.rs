//! A cluster whose nodes are containers, made by kind. What kind cannot do (saying how a cluster is, starting it again) is asked
//! of the container engine; whose a cluster is stands on its containers, so that it is known when nothing in it answers.

mod config;
mod create;
mod failure;
mod live;
mod load;
mod reasons;
mod says;
mod shape;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

pub(super) use self::failure::foreign;

use self::live::{Live, settling};
use super::folder::{Folder, Marker};
use super::{LocalSettings, Says, output, user};
use crate::adapter::engine::{Container, Engine, EngineError};
use crate::adapter::files;
use crate::adapter::kube::KubeError;
use crate::adapter::kubeconfig::Entry;
use crate::adapter::lock::Lock;
use crate::model::{
    Cause, Class, Failure, FailureKind, Found, Health, InstallationId, KindRole, KindSpec,
    Observed, Outputs, Owner, Power, Version,
};

/// How long a server may take to answer when it is looked at.
const ANSWER: Duration = Duration::from_secs(10);
/// How long until a started cluster takes pods.
const USABLE: Duration = Duration::from_mins(3);

/// One cluster of kind.
pub(super) struct Kind {
    name: String,
    folder: Folder,
    settings: Arc<LocalSettings>,
}

/// What a running cluster says.
struct Answer {
    nodes: Vec<crate::model::Object>,
    uid: Option<String>,
    record: Option<Marker>,
    version: String,
}

impl Kind {
    pub(super) fn new(name: &str, settings: &Arc<LocalSettings>) -> Self {
        let folder = Folder::new(&settings.clusters, name);
        Self { name: name.to_owned(), folder, settings: Arc::clone(settings) }
    }

    fn engine(&self) -> Result<Engine, EngineError> {
        Engine::of(&self.settings.environment)
    }

    /// Its containers, running or not.
    async fn containers(&self) -> Result<Vec<Container>, EngineError> {
        self.engine()?.containers(shape::CLUSTER, &self.name).await
    }

    /// Whether containers of it are there that bear our mark of a project.
    pub(super) async fn is_there(&self, project: &str) -> Result<bool, EngineError> {
        let containers = self.containers().await?;
        Ok(!containers.is_empty() && self.owner(&containers, project) == Owner::Ours)
    }

    /// Whose it is: as its containers say, else as our folder does.
    fn owner(&self, containers: &[Container], project: &str) -> Owner {
        let marked = containers.iter().find_map(config::mark).map(|mark| mark.project);
        let ours = || self.folder.begun().or_else(|| self.folder.marker());
        let ours = || ours().filter(|marker| marker.provider == "kind");
        match marked.or_else(|| ours().map(|marker| marker.project)) {
            Some(found) if found == project => Owner::Ours,
            Some(found) => Owner::Other(format!("project {found}")),
            None => Owner::Unmarked {
                manager: Some("somebody who made it with kind".to_owned()),
                suitable: false,
            },
        }
    }

    /// The containers that run of a cluster which was begun for a project and never came to its end; nothing where there is none.
    pub(super) async fn half_made(&self, project: &str) -> Result<Option<Vec<String>>, String> {
        let ours = |marker: &Marker| marker.project == project && marker.provider == "kind";
        if self.folder.marker().is_some() || !self.folder.begun().as_ref().is_some_and(ours) {
            return Ok(None);
        }
        let containers = self.containers().await.map_err(|error| error.to_string())?;
        let stopped: Vec<_> =
            shape::stopped(&containers).iter().map(|one| one.name.clone()).collect();
        let names = containers.into_iter().map(|one| one.name);
        Ok(Some(names.filter(|name| !stopped.contains(name)).collect()))
    }

    /// Looks: by its containers, its server, its nodes.
    pub(super) async fn observe(&self, wanted: Option<&KindSpec>, project: &str) -> Observed {
        let containers = match self.containers().await {
            Ok(containers) => containers,
            Err(error) => return Observed::Unreachable { because: told(&error) },
        };
        // Nothing is there, whatever our folder says.
        if containers.is_empty() {
            return Observed::Absent;
        }
        let owner = self.owner(&containers, project);
        if owner != Owner::Ours {
            return Observed::Present(Box::new(Found { owner, ..Found::ours() }));
        }
        // Begun and not ended: it is made anew, since nobody could have put anything into it.
        if self.folder.begun().is_some() && self.folder.marker().is_none() {
            return Observed::Absent;
        }
        let mut found = Found { class: Class::Stateful, ..Found::ours() };
        found.version = Version { uid: Some(shape::uid(&containers)), fields: None };
        found.outputs = self.known(self.folder.marker().as_ref());
        if let Some(mark) = containers.iter().find_map(config::mark) {
            found.outputs.insert("owner".to_owned(), json!(mark.owner));
        }
        let stopped = shape::stopped(&containers);
        if !stopped.is_empty() {
            found.power = Power::Off;
            found.fields = wanted
                .and_then(|wanted| serde_json::to_value(wanted).ok())
                .map(|fields| json!({"Kind": fields}))
                .unwrap_or_default();
            let names: Vec<_> = stopped.iter().map(|one| one.name.as_str()).collect();
            found.health = settling(format!("not running: {}", names.join(", ")));
            return Observed::Present(Box::new(found));
        }
        let answer = match self.ask(&containers, project).await {
            Ok(answer) => answer,
            Err(because) => return Observed::Unreachable { because },
        };
        self.describe(&mut found, &containers, &answer, wanted);
        Observed::Present(Box::new(found))
    }

    /// Fills in what a running cluster says.
    fn describe(
        &self,
        found: &mut Found,
        containers: &[Container],
        answer: &Answer,
        wanted: Option<&KindSpec>,
    ) {
        found.outputs = self.known(self.folder.marker().as_ref());
        found.outputs.insert(output::UID.to_owned(), json!(answer.uid));
        found.outputs.insert(output::VERSION.to_owned(), json!(answer.version));
        if let Some(wanted) = wanted {
            let recorded = self.folder.marker().and_then(|marker| marker.kind);
            let recorded = recorded.or_else(|| answer.record.clone()?.kind);
            let name = self.shown_name(containers);
            found.fields =
                shape::fields(&name, containers, &answer.nodes, recorded.as_ref(), wanted);
        }
    }

    /// Its name; with words behind when the user's kubeconfig does not have its context, so that `apply` mends that.
    fn shown_name(&self, containers: &[Container]) -> String {
        let lacks = match self.entry(containers) {
            Some(entry) => user::lacks(&self.settings, &entry),
            None => Some("its address is not known".to_owned()),
        };
        user::shown_name(&self.name, lacks)
    }

    /// The entry of our private kubeconfig, at the address where the server listens now.
    fn entry(&self, containers: &[Container]) -> Option<Entry> {
        let (address, port) = shape::server(containers)?;
        let text = files::read(&self.folder.kubeconfig()).ok()?;
        Entry::of_admin(&text, &self.name, &format!("https://{address}:{port}"))
    }

    /// Asks its server; our own folder is found again in the containers when it was lost.
    async fn ask(&self, containers: &[Container], project: &str) -> Result<Answer, String> {
        let unreachable = |says: String| {
            let name = &self.name;
            let says = says.lines().collect::<Vec<_>>().join("; ");
            format!(
                "its containers run, and its API server does not answer: {says}\nwhat may help:\n    docker restart {name}-control-plane\nor, to remove it with all in it:\n    kind delete cluster --name {name}"
            )
        };
        self.find_again(containers).await.map_err(|failure| {
            let causes = failure.causes.join(": ");
            unreachable(if causes.is_empty() { failure.what } else { causes })
        })?;
        let asked = tokio::time::timeout(ANSWER, self.answer()).await;
        let answer = match asked {
            Ok(answer) => answer.map_err(|error| unreachable(error.to_string()))?,
            Err(_) => return Err(unreachable(format!("no answer within {} s", ANSWER.as_secs()))),
        };
        if self.folder.marker().is_none() {
            let mark = containers.iter().find_map(config::mark);
            let marker = answer.record.clone().unwrap_or_else(|| Marker {
                project: project.to_owned(),
                owner: InstallationId(mark.map(|mark| mark.owner).unwrap_or_default()),
                version: answer.version.clone(),
                port: shape::server(containers).map_or(0, |(_, port)| port),
                provider: "kind".to_owned(),
                kind: None,
            });
            // Only our own memory; without it the next look does the same again.
            self.folder.begin(&marker).and_then(|()| self.folder.complete(&marker)).ok();
        }
        Ok(answer)
    }

    async fn answer(&self) -> Result<Answer, KubeError> {
        let live = self.live().await?;
        let version = live.cluster().version().await?;
        let nodes = live.nodes().await?;
        let record = live.record().await?;
        Ok(Answer { nodes, uid: live.cluster().uid().await?, record, version })
    }

    async fn live(&self) -> Result<Live, KubeError> {
        Live::connect(&self.folder.kubeconfig(), &self.name).await
    }

    /// Makes sure that the private kubeconfig is there and leads to the server: from the control plane's own file when not.
    async fn find_again(&self, containers: &[Container]) -> Result<Entry, Failure> {
        let failed = || self.failure("open");
        let (address, port) = shape::server(containers)
            .ok_or_else(|| failed().because("no container of it publishes an API server"))?;
        let server = format!("https://{address}:{port}");
        let known = files::read(&self.folder.kubeconfig()).unwrap_or_default();
        if let Some(entry) = Entry::of_admin(&known, &self.name, &server)
            && entry.alone() == known
        {
            return Ok(entry);
        }
        let first = shape::in_order(containers)
            .into_iter()
            .find(|(role, _)| *role == KindRole::ControlPlane)
            .ok_or_else(|| failed().because("its control plane's container is gone"))?
            .1;
        let engine = self.engine().map_err(|error| failed().caused_by(&error))?;
        let text = engine
            .exec(&first.name, ["cat", "/etc/kubernetes/admin.conf"])
            .await
            .map_err(|error| failed().caused_by(&error))?;
        let entry = Entry::of_admin(&text, &self.name, &server)
            .ok_or_else(|| failed().because("its control plane has no kubeconfig"))?;
        files::write_private(&self.folder.kubeconfig(), entry.alone())
            .map_err(|error| failed().caused_by(&error))?;
        self.folder.make_private();
        Ok(entry)
    }

    /// Changes labels and taints, and mends the user's kubeconfig.
    pub(super) async fn update(&self, spec: &KindSpec, says: &Says) -> Result<Outputs, Failure> {
        let _lock = self.lock(says).await?;
        let containers = self.must_be_there("update").await?;
        self.furnish(spec, &containers, says).await?;
        self.outputs().await
    }

    /// Starts containers that do not run. kind has no word for it; the engine has, and kind's nodes are made to bear it.
    pub(super) async fn start(&self, says: &Says) -> Result<Outputs, Failure> {
        let _lock = self.lock(says).await?;
        let containers = self.must_be_there("start").await?;
        if !shape::stopped(&containers).is_empty() {
            says("starting its containers".to_owned());
            let engine = self.engine().map_err(|error| self.engine_failure("start", &error))?;
            // The control plane first: the others look for it.
            let (first, others): (Vec<_>, Vec<_>) =
                containers.iter().partition(|one| shape::role(one) == Some(KindRole::ControlPlane));
            for group in [first, others] {
                engine.start(&group).await.map_err(|error| self.engine_failure("start", &error))?;
            }
        }
        let containers = self.must_be_there("start").await?;
        let entry = self.find_again(&containers).await?;
        says("waiting for its API server".to_owned());
        let failed = |error: KubeError| self.failure("start").caused_by(&error);
        let live = self.live().await.map_err(failed)?;
        live.until_usable(USABLE).await.map_err(failed)?;
        user::merge(&self.settings, &entry).await?;
        self.outputs().await
    }

    /// Removes it: containers with their volumes, folder, context. Safe to repeat, and needs no tool but the engine.
    pub(super) async fn delete(&self, project: &str, says: &Says) -> Result<(), Failure> {
        let _lock = self.lock(says).await?;
        says("removing its containers".to_owned());
        self.clear(project).await?;
        // Folders that hold nothing any more go too; others stay, which is no failure.
        std::fs::remove_dir(&self.settings.clusters).ok();
        user::remove(&self.settings, &self.name).await
    }

    /// Removes containers of ours and the folder.
    async fn clear(&self, project: &str) -> Result<(), Failure> {
        let failed = |error: EngineError| self.engine_failure("delete", &error);
        let engine = self.engine().map_err(failed)?;
        let containers = self.containers().await.map_err(failed)?;
        if !containers.is_empty() && self.owner(&containers, project) != Owner::Ours {
            return Err(self.foreign());
        }
        engine.remove(&containers).await.map_err(failed)?;
        let left = self.containers().await.map_err(failed)?;
        if !left.is_empty() {
            let names: Vec<_> = left.iter().map(|one| one.name.as_str()).collect();
            let what = format!(
                "the engine says that it removed these, and they are there: {}",
                names.join(", ")
            );
            return Err(self.failure("delete").because(what));
        }
        files::remove_folder(self.folder.root())
            .map_err(|error| self.failure("delete").caused_by(&error))
    }

    /// Says so when the cluster is not the one that a plan was made for.
    pub(super) async fn expect(&self, uid: Option<&str>) -> Result<(), Failure> {
        let Some(planned) = uid else { return Ok(()) };
        let containers =
            self.containers().await.map_err(|error| self.engine_failure("look at", &error))?;
        if containers.is_empty() || shape::uid(&containers) == planned {
            return Ok(());
        }
        let what = format!("cluster `{}` was made anew since the plan", self.name);
        Err(Failure::new(FailureKind::Stale, what).hint("plan again"))
    }

    /// How it is.
    pub(super) async fn health(&self) -> Health {
        let containers = match self.containers().await {
            Ok(containers) if containers.is_empty() => {
                let says = format!("cluster `{}` is not there", self.name);
                return Health::Failed(vec![Cause { object: None, says }]);
            }
            Ok(containers) => containers,
            Err(error) => return settling(error.to_string()),
        };
        if let Some(first) = shape::stopped(&containers).first() {
            return settling(format!("container {} does not run", first.name));
        }
        let wanted = shape::in_order(&containers).len();
        let look = async { self.live().await?.health(wanted).await };
        match tokio::time::timeout(ANSWER, look).await {
            Ok(Ok(health)) => health,
            Ok(Err(error)) => settling(error.to_string()),
            Err(_) => settling("its API server does not answer".to_owned()),
        }
    }

    /// What it tells others.
    pub(super) async fn outputs(&self) -> Result<Outputs, Failure> {
        let marker = self
            .folder
            .marker()
            .ok_or_else(|| self.failure("open").because("it is not there, or only half-made"))?;
        let mut outputs = self.known(Some(&marker));
        if let Ok(Ok(answer)) = tokio::time::timeout(ANSWER, self.answer()).await {
            outputs.insert(output::UID.to_owned(), json!(answer.uid));
            outputs.insert(output::VERSION.to_owned(), json!(answer.version));
        }
        Ok(outputs)
    }

    /// What it tells others without being asked.
    fn known(&self, marker: Option<&Marker>) -> Outputs {
        [
            (output::KUBECONFIG, json!(self.folder.kubeconfig())),
            (output::CONTEXT, json!(self.name)),
            (output::SIMULATED, json!(false)),
            (output::VERSION, json!(marker.map(|marker| &marker.version))),
            (output::PROVIDER, json!("kind")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    async fn must_be_there(&self, verb: &str) -> Result<Vec<Container>, Failure> {
        let containers =
            self.containers().await.map_err(|error| self.engine_failure(verb, &error))?;
        if containers.is_empty() {
            let what = format!("cluster `{}` is not there", self.name);
            return Err(Failure::new(FailureKind::Preflight, what)
                .hint("to make it, run:\n    datamill apply"));
        }
        Ok(containers)
    }

    async fn lock(&self, says: &Says) -> Result<Lock, Failure> {
        let locked = self.folder.lock(&self.settings.locks, says).await;
        locked.map_err(|error| self.failure("lock").caused_by(&error))
    }
}

/// An engine's error on one line, with what to do.
fn told(error: &EngineError) -> String {
    match error.hint() {
        Some(hint) => format!("{error}\n{hint}"),
        None => error.to_string(),
    }
}
