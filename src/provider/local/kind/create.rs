//! Making a cluster of kind, from nothing or from what an earlier try left.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Kind, config, says, shape};
use crate::adapter::engine::{Container, Engine, EngineError};
use crate::adapter::files::{self, FileError};
use crate::adapter::kube::KubeError;
use crate::adapter::lock::Lock;
use crate::adapter::process::{Input, Invocation, ProcessError};
use crate::model::{Failure, FailureKind, KindRole, KindSpec, Outputs, Owner};
use crate::provider::RunContext;
use crate::provider::local::folder::Marker;
use crate::provider::local::{Says, user};
use crate::toolchain::Tool;

/// How long kind may take once the image is there.
const CREATE: Duration = Duration::from_mins(15);

impl Kind {
    /// Makes it. The last marker is written last.
    pub(in crate::provider::local) async fn create(
        &self,
        spec: &KindSpec,
        run: &RunContext,
    ) -> Result<Outputs, Failure> {
        // Better now than when all is made.
        user::check(&self.settings)?;
        let failed = |error: EngineError| self.engine_failure("create", &error);
        let engine = self.engine().map_err(failed)?;
        let info = engine.info().await.map_err(failed)?;
        let on_tool = &self.settings.on_tool;
        let tools = self.settings.toolchain.ensure(&[Tool::Kind], &|event| on_tool(event)).await?;
        let lock = self.lock(&run.progress).await?;
        let project = &run.identity.project;
        let containers = self.containers().await.map_err(failed)?;
        if !containers.is_empty() && self.owner(&containers, project) != Owner::Ours {
            return Err(self.foreign());
        }
        if !containers.is_empty() && self.folder.marker().is_some() {
            // Another run made it meanwhile.
            drop(lock);
            self.start(&run.progress).await?;
            return self.update(spec, &run.progress).await;
        }
        if !self.was_made(spec, &containers) {
            if !containers.is_empty() || self.folder.root().exists() {
                (run.progress)("removing what an earlier try left".to_owned());
                self.clear(project).await?;
            }
            self.begin(spec, run, info.cgroup_v1)?;
            self.get_image(&engine, &spec.image, run).await?;
            self.call_kind(&tools.path(Tool::Kind), &engine, &lock, run).await?;
        }
        let containers = self.must_be_there("create").await?;
        self.furnish(spec, &containers, &run.progress).await?;
        self.outputs().await
    }

    /// Whether an earlier run was cut off after kind had done its part: kind writes its kubeconfig last.
    fn was_made(&self, spec: &KindSpec, containers: &[Container]) -> bool {
        let begun = self.folder.begun().and_then(|marker| marker.kind);
        !containers.is_empty()
            && shape::stopped(containers).is_empty()
            && begun.as_ref() == Some(spec)
            && files::is_file(&self.kinds_kubeconfig())
    }

    fn kinds_kubeconfig(&self) -> std::path::PathBuf {
        self.folder.root().join("kind.kubeconfig")
    }

    fn kinds_config(&self) -> std::path::PathBuf {
        self.folder.root().join("kind.yaml")
    }

    /// Marker and configuration.
    fn begin(&self, spec: &KindSpec, run: &RunContext, cgroup_v1: bool) -> Result<(), Failure> {
        let failed = |error: FileError| self.failure("create").caused_by(&error);
        let marker = Marker {
            project: run.identity.project.clone(),
            owner: run.identity.owner.clone(),
            version: String::new(),
            port: 0,
            provider: "kind".to_owned(),
            kind: Some(spec.clone()),
        };
        self.folder.begin(&marker).map_err(failed)?;
        self.folder.make_private();
        if cgroup_v1 {
            (run.progress)("this machine has cgroup v1: the kubelet is told to bear it (failCgroupV1: false, cgroupfs)".to_owned());
        }
        files::write_private(&self.kinds_config(), config::text(spec, &run.identity, cgroup_v1))
            .map_err(failed)
    }

    /// Gets the node image, which kind would do without a word.
    async fn get_image(
        &self,
        engine: &Engine,
        image: &str,
        run: &RunContext,
    ) -> Result<(), Failure> {
        let failed = |error: EngineError| self.engine_failure("create", &error);
        if engine.has_image(image).await.map_err(failed)? {
            return Ok(());
        }
        let short = image.split('@').next().unwrap_or(image);
        (run.progress)(format!("pulling the node image {short}, some 400 MB"));
        engine.pull(image, &run.stop).await.map_err(|error| {
            let failure = self.failure("create");
            let seconds = match &error {
                EngineError::Refused { says } | EngineError::NoSuchThing { says } => {
                    return says::explain_image(failure, says);
                }
                EngineError::NoAnswer { seconds, .. } => seconds,
                EngineError::NotInstalled { .. }
                | EngineError::NotSupported { .. }
                | EngineError::NotRunning { .. }
                | EngineError::NoPermission { .. }
                | EngineError::Garbled { .. }
                | EngineError::Stopped => return failed(error),
            };
            failure
                .because(format!("the node image `{short}` did not arrive within {seconds} s"))
                .hint(format!(
                    "pull it by hand, which goes on where it stopped:\n    docker pull {image}"
                ))
        })
    }

    /// Runs `kind create cluster`, which holds the cluster's lock as long as it lives, even when we die. The nodes of a try that
    /// failed are kept until they have said why.
    async fn call_kind(
        &self,
        program: &std::path::Path,
        engine: &Engine,
        lock: &Lock,
        run: &RunContext,
    ) -> Result<(), Failure> {
        let args = ["create", "cluster", "--retain", "--name", &self.name, "--config"];
        let mut call = Invocation::new(program, args).deadline(CREATE);
        call.args.extend([self.kinds_config().into(), "--kubeconfig".into()]);
        call.args.push(self.kinds_kubeconfig().into());
        call.without = vec!["KIND_CLUSTER_NAME".to_owned()];
        call.stop = Some(run.stop.clone());
        call.stdin =
            lock.file().try_clone().map_or(Input::Nothing, |file| Input::File(Arc::new(file)));
        call.redactor = self.settings.redactor.clone();
        let log: Arc<Mutex<String>> = Arc::default();
        let (tell, all) = (Arc::clone(&run.progress), Arc::clone(&log));
        call.on_line = Some(Arc::new(move |line: &str| {
            tracing::debug!("kind: {line}");
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            all.push_str(line);
            all.push('\n');
            if let Some(words) = says::words(line) {
                tell(words);
            }
        }));
        let Err(error) = call.run().await else {
            return self.believe(&log);
        };
        let mut said = std::mem::take(&mut *log.lock().unwrap_or_else(PoisonError::into_inner));
        let failure = self.failure("create");
        match &error {
            ProcessError::Stopped { .. } => {
                return Err(Failure { kind: FailureKind::Interrupted, ..failure }
                    .caused_by(&error)
                    .hint("the next run removes what was half made"));
            }
            ProcessError::Start { .. } => return Err(failure.caused_by(&error)),
            ProcessError::Status { .. } | ProcessError::Deadline { .. } => {}
        }
        said.push_str(&self.words_of_nodes(engine).await);
        let mut failure = says::explain(failure, &said);
        if let ProcessError::Deadline { .. } = error {
            failure = failure.because(error.to_string());
        }
        if let Err(left) = self.clear(&run.identity.project).await {
            failure = failure.because(format!(
                "and what was half made could not be removed: {}",
                left.causes.join(": ")
            ));
        }
        Err(failure.hint("all that kind and the nodes said:\n    add DATAMILL_LOG=debug"))
    }

    /// kind ended well; whether it did its work is seen in what it wrote last.
    fn believe(&self, log: &Mutex<String>) -> Result<(), Failure> {
        if files::is_file(&self.kinds_kubeconfig()) {
            return Ok(());
        }
        let said = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let failure = self.failure("create").because("kind ended well and left no cluster");
        Err(says::explain(failure, &said))
    }

    /// What the control plane's container and its kubelet said last.
    async fn words_of_nodes(&self, engine: &Engine) -> String {
        let Ok(containers) = self.containers().await else { return String::new() };
        let mut all = String::new();
        for (role, one) in shape::in_order(&containers) {
            all.push_str(&engine.last_words(&one.name, 20).await);
            if role == KindRole::ControlPlane {
                let kubelet =
                    ["journalctl", "--unit=kubelet", "--no-pager", "--lines=30", "--output=cat"];
                all.push_str(&engine.exec(&one.name, kubelet).await.unwrap_or_default());
            }
        }
        all.lines().for_each(|line| tracing::debug!("node: {line}"));
        self.settings.redactor.redact(&all)
    }

    /// What every run makes sure of: kubeconfigs, labels, taints, the record, the last marker.
    pub(super) async fn furnish(
        &self,
        spec: &KindSpec,
        containers: &[Container],
        says: &Says,
    ) -> Result<(), Failure> {
        let entry = self.find_again(containers).await?;
        let failed = |error: KubeError| self.failure("set up").caused_by(&error);
        let live = self.live().await.map_err(failed)?;
        says("waiting for the default ServiceAccount".to_owned());
        live.until_usable(super::USABLE).await.map_err(failed)?;
        let names: Vec<_> =
            shape::in_order(containers).into_iter().map(|(_, one)| one.name.clone()).collect();
        live.put_nodes(&spec.nodes, &names).await.map_err(failed)?;
        self.load(&spec.load, says).await?;
        let version = live.cluster().version().await.map_err(failed)?;
        let known = self.folder.marker().or_else(|| self.folder.begun());
        let known = known.ok_or_else(|| self.failure("set up").because("its marker is gone"))?;
        let (_, port) = shape::server(containers).unwrap_or_default();
        let marker = Marker { version, port, kind: Some(spec.clone()), ..known };
        live.put_record(&marker).await.map_err(failed)?;
        user::merge(&self.settings, &entry).await?;
        self.folder.complete(&marker).map_err(|error| self.failure("set up").caused_by(&error))
    }
}
