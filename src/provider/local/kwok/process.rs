//! The processes of a simulated cluster: what runs, starting by `kwokctl`, ending by id.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Kwok, says};
use crate::adapter::lock::Lock;
use crate::adapter::pid::{self, Process};
use crate::adapter::process::{Input, Invocation, ProcessError};
use crate::adapter::{files, listener};
use crate::model::Failure;
use crate::provider::RunContext;
use crate::provider::local::Says;
use crate::toolchain::{Tool, ToolSet};

/// The programs of a cluster by the names `kwokctl` gives them, in the order in which they end.
pub(super) const PROGRAMS: [(&str, Tool); 5] = [
    ("kwok-controller", Tool::Kwok),
    ("kube-scheduler", Tool::KubeScheduler),
    ("kube-controller-manager", Tool::KubeControllerManager),
    ("kube-apiserver", Tool::KubeApiserver),
    ("etcd", Tool::Etcd),
];
/// How long `kwokctl` waits for a cluster.
const READY: &str = "120s";
/// How long a call of `kwokctl` may take.
const CALL: Duration = Duration::from_mins(4);
/// How long a program may take to end when it is asked.
const GENTLE: Duration = Duration::from_secs(5);
/// How long one may take that is ended.
const HARD: Duration = Duration::from_secs(5);

impl Kwok {
    async fn running(&self) -> BTreeSet<Process> {
        pid::running_in(&self.folder.workdir()).await
    }

    /// What runs from the cluster's folder, by name.
    pub(super) async fn running_names(&self) -> Vec<String> {
        let names = self.running().await.into_iter().map(|process| process.name().to_owned());
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The programs that do not run.
    pub(super) async fn missing(&self) -> Vec<&'static str> {
        let running = self.running().await;
        let runs = |name: &str| running.iter().any(|process| process.name() == name);
        PROGRAMS.iter().map(|(name, _)| *name).filter(|name| !runs(name)).collect()
    }

    /// What listens beyond the loopback: nothing, or anybody on the network can read every Secret.
    pub(super) async fn exposed(&self) -> Vec<String> {
        let running = self.running().await;
        let open = running.iter().flat_map(|process| {
            let beyond = listener::addresses(process.id).into_iter();
            beyond
                .filter(|at| !at.ip().is_loopback())
                .map(|at| format!("{} on {at}", process.name()))
        });
        open.collect()
    }

    pub(super) async fn kwokctl_create(
        &self,
        tools: &ToolSet,
        lock: &Lock,
        run: &RunContext,
    ) -> Result<(), Failure> {
        let unused = self.folder.root().join("kwokctl.kubeconfig");
        let mut call = self.kwokctl(tools, lock, &run.progress, "create");
        call.stop = Some(run.stop.clone());
        call.args.extend(["--config".into(), self.folder.config().into()]);
        call.args.extend(["--kubeconfig".into(), unused.into()]);
        for (name, tool) in PROGRAMS {
            call.args.extend([format!("--{name}-binary").into(), tools.path(tool).into()]);
        }
        self.run(call, "create").await
    }

    pub(super) async fn kwokctl_start(
        &self,
        tools: &ToolSet,
        lock: &Lock,
        says: &Says,
    ) -> Result<(), Failure> {
        self.forget_dead().await;
        self.relink(tools)?;
        self.run(self.kwokctl(tools, lock, says, "start"), "start").await
    }

    /// A call that holds the cluster's lock as long as it lives, even when we die.
    fn kwokctl(&self, tools: &ToolSet, lock: &Lock, says: &Says, verb: &str) -> Invocation {
        let args = [verb, "cluster", "--name", &self.name, "--wait", READY];
        let mut call = Invocation::new(tools.path(Tool::Kwokctl), args)
            .deadline(CALL)
            .env("KWOK_WORKDIR", self.folder.workdir())
            .env("KWOK_KUBECTL_BINARY", tools.path(Tool::Kubectl))
            // kubectl would leave a cache in the user's HOME that nobody takes away.
            .env("KUBECACHEDIR", self.folder.workdir().join("kubectl"));
        let ours = |key: &&String| key.starts_with("KWOK_") && !call.env.contains_key(*key);
        call.without = self.settings.environment.keys().filter(ours).cloned().collect();
        call.stdin =
            lock.file().try_clone().map_or(Input::Nothing, |file| Input::File(Arc::new(file)));
        call.redactor = self.settings.redactor.clone();
        let tell = Arc::clone(says);
        call.on_line = Some(Arc::new(move |line: &str| {
            if let Some(words) = says::words(line) {
                tell(words);
            }
        }));
        call
    }

    async fn run(&self, call: Invocation, verb: &str) -> Result<(), Failure> {
        let Err(error) = call.run().await else { return Ok(()) };
        let mut failure = self.failure(verb);
        match &error {
            ProcessError::Status { program, status, says, .. } => {
                failure = failure.because(format!("`{program}` ended with {status}"));
                for line in says::last_words(says, 3) {
                    failure = failure.because(line);
                }
            }
            ProcessError::Start { .. }
            | ProcessError::Deadline { .. }
            | ProcessError::Stopped { .. } => failure = failure.caused_by(&error),
        }
        for name in self.missing().await {
            let log = files::read(&self.folder.logs().join(format!("{name}.log")));
            for line in says::last_words(&log.unwrap_or_default(), 2) {
                failure =
                    failure.because(format!("{name}: {}", self.settings.redactor.redact(&line)));
            }
        }
        Err(failure.hint(format!("the logs are in `{}`", self.folder.logs().display())))
    }

    /// Removes the ids of processes that are gone: after a restart of the machine they may be somebody else's, whom `kwokctl` would
    /// take for running, or end.
    async fn forget_dead(&self) {
        let running = self.running().await;
        for file in files::list(&self.folder.pids()).unwrap_or_default() {
            let id = files::read(&file).ok().and_then(|text| text.trim().parse::<i32>().ok());
            if !running.iter().any(|process| Some(process.id) == id) {
                // One that stays only makes the start fail, which is said.
                files::remove(&file).ok();
            }
        }
    }

    /// Points the cluster's programs to where the tools are now, when the cache was cleared meanwhile.
    fn relink(&self, tools: &ToolSet) -> Result<(), Failure> {
        for (name, tool) in PROGRAMS {
            let link: PathBuf = self.folder.programs().join(name);
            if link.exists() {
                continue;
            }
            files::remove(&link).map_err(|error| self.failure("start").caused_by(&error))?;
            std::os::unix::fs::symlink(tools.path(tool), &link).map_err(|source| {
                let error = files::FileError { what: "link", path: link.clone(), source };
                self.failure("start").caused_by(&error)
            })?;
        }
        Ok(())
    }

    /// Ends the programs in order, so that nothing is lost: those that write first, the store last.
    pub(super) async fn end_gently(&self) -> Result<(), Failure> {
        let root = self.folder.workdir();
        let (writers, store): (Vec<_>, Vec<_>) =
            self.running().await.into_iter().partition(|process| process.name() != "etcd");
        pid::ask_to_end(&writers);
        let left = pid::until_gone(&root, |process| process.name() != "etcd", GENTLE).await;
        pid::end(&left);
        pid::ask_to_end(&store);
        pid::until_gone(&root, |_| true, GENTLE).await;
        self.end_at_once().await
    }

    /// Ends whatever still runs from the cluster's folder, and makes sure of it.
    pub(super) async fn end_at_once(&self) -> Result<(), Failure> {
        let root = self.folder.workdir();
        pid::end(&self.running().await);
        let left = pid::until_gone(&root, |_| true, HARD).await;
        self.forget_dead().await;
        if left.is_empty() {
            return Ok(());
        }
        let left: Vec<_> = left.iter().map(|p| format!("{} ({})", p.name(), p.id)).collect();
        Err(self.failure("stop").because(format!("these still run: {}", left.join(", "))))
    }
}
