//! Calls of the helm program. Values go by standard input or by a private file, never in arguments.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::watch;

use super::chart::Registry;
use super::post_render::RULES_VARIABLE;
use super::{HelmSettings, ReleaseLock, Rules, plugin};
use crate::adapter::files::{self, FileError};
use crate::adapter::process::{Input, Invocation, OnLine, ProcessError};
use crate::model::{Failure, FailureKind};

/// A rendering takes longer only when something hangs.
const RENDERING: Duration = Duration::from_mins(3);
/// What Helm may take on top of the time it was told to wait.
const GRACE: Duration = Duration::from_mins(2);
/// How many revisions Helm keeps.
const HISTORY: &str = "10";
/// Variables that would make Helm act elsewhere or otherwise than told.
const NOT_INHERITED: [&str; 14] = [
    "HELM_NAMESPACE",
    "HELM_KUBECONTEXT",
    "HELM_KUBETOKEN",
    "HELM_KUBEASUSER",
    "HELM_KUBEASGROUPS",
    "HELM_KUBEAPISERVER",
    "HELM_KUBECAFILE",
    "HELM_KUBETLS_SERVER_NAME",
    "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
    "HELM_DRIVER",
    "HELM_DEBUG",
    "HELM_MAX_HISTORY",
    "HELM_REGISTRY_CONFIG",
    "KUBECONFIG",
];

/// How Helm reaches a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterAccess {
    /// The kubeconfig.
    pub kubeconfig: PathBuf,
    /// The context; the current one when absent.
    pub context: Option<String>,
}

/// What Helm itself waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFor {
    /// Hooks.
    Hooks,
    /// Every object, before hooks that run afterwards.
    Objects,
}

/// `helm template`.
#[derive(Debug, Clone)]
pub struct Template<'a> {
    /// The release's name.
    pub release: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The chart: a folder or an archive.
    pub chart: &'a Path,
    /// The values.
    pub values: &'a Json,
    /// Whether hooks are among the manifests.
    pub hooks: bool,
    /// Whether the release exists, so that the chart renders an upgrade.
    pub is_upgrade: bool,
    /// Kubernetes version without `v`.
    pub kube_version: &'a str,
    /// Served APIs.
    pub apis: Vec<&'a str>,
    /// The cluster to ask (`lookup`, served APIs); without one the chart is rendered for the versions above.
    pub cluster: Option<&'a ClusterAccess>,
}

/// `helm upgrade --install`.
#[derive(Debug, Clone)]
pub struct Upgrade<'a> {
    /// The release's name.
    pub release: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The chart: a folder or an archive.
    pub chart: &'a Path,
    /// The values, whole.
    pub values: &'a Json,
    /// What is changed in the manifests.
    pub rules: &'a Rules,
    /// Labels of the release's storage.
    pub labels: &'a BTreeMap<String, String>,
    /// What stands in the history.
    pub description: &'a str,
    /// Whether hooks run.
    pub hooks: bool,
    /// What Helm waits for.
    pub wait: WaitFor,
    /// How long it waits.
    pub timeout: Duration,
    /// Whether fields that others hold are taken back.
    pub force_conflicts: bool,
}

/// `helm uninstall`.
#[derive(Debug, Clone)]
pub struct Uninstall<'a> {
    /// The release's name.
    pub release: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Whether its hooks run.
    pub hooks: bool,
    /// How long its hooks may take.
    pub timeout: Duration,
}

/// What a call of Helm that writes is given besides.
#[derive(Clone)]
pub struct Hold {
    /// The release's lock.
    pub lock: ReleaseLock,
    /// Is told each line Helm says.
    pub on_line: Option<OnLine>,
    /// Ends Helm when it turns true.
    pub stop: Option<watch::Receiver<bool>>,
}

impl HelmSettings {
    /// A call with an environment of our own.
    fn invocation(&self, args: Vec<OsString>) -> Invocation {
        let folder = |name: &str| self.home.join(name).into_os_string();
        let mut call = Invocation::new(&self.program, args)
            .env("HELM_CONFIG_HOME", folder("config"))
            .env("HELM_CACHE_HOME", folder("cache"))
            .env("HELM_DATA_HOME", folder("data"))
            .env("HELM_PLUGINS", self.plugins())
            .env("HELM_REPOSITORY_CONFIG", folder("config/repositories.yaml"))
            .env("HELM_REPOSITORY_CACHE", folder("cache/repository"))
            .env("HELM_CONTENT_CACHE", folder("cache/content"))
            // What was learned about a cluster's APIs lies here instead of in the user's home.
            .env("KUBECACHEDIR", folder("cache/discovery"))
            // Helm's own brake makes a release of 100 objects slow; the API server has a better one.
            .env("HELM_QPS", "300")
            .env("HELM_BURST_LIMIT", "600");
        if let Some(registry) = &self.registry_config {
            call = call.env("HELM_REGISTRY_CONFIG", registry.clone().into_os_string());
        }
        // What is set here replaces what would be inherited; taken out is only the rest.
        let others = NOT_INHERITED.into_iter().filter(|key| !call.env.contains_key(*key));
        call.without = others.map(str::to_owned).collect();
        call.redactor = self.redactor.clone();
        call
    }

    /// Renders a chart; what is on standard output are the manifests, hooks included and tests left out.
    pub async fn template(&self, of: &Template<'_>) -> Result<String, ProcessError> {
        let mut args = words(["template", of.release]);
        args.push(of.chart.into());
        args.extend(words(["--namespace", of.namespace, "--skip-tests", "--values", "-"]));
        if !of.hooks {
            args.extend(words(["--no-hooks"]));
        }
        if of.is_upgrade || of.cluster.is_some() {
            // Without it a rendering against a cluster fails on objects that are there.
            args.extend(words(["--is-upgrade"]));
        }
        if let Some(cluster) = of.cluster {
            args.extend(words(["--dry-run=server"]));
            args.extend(access(cluster));
        } else {
            args.extend(words(["--kube-version", of.kube_version]));
            if !of.apis.is_empty() {
                args.extend(words(["--api-versions", &of.apis.join(",")]));
            }
        }
        let mut call = self.invocation(args).deadline(RENDERING);
        call.stdin = Input::Bytes(of.values.to_string().into_bytes());
        Ok(call.run().await?.stdout)
    }

    /// Installs or upgrades a release.
    pub async fn upgrade(
        &self,
        of: &Upgrade<'_>,
        cluster: &ClusterAccess,
        hold: Hold,
    ) -> Result<(), CallError> {
        self.ensure_plugin()?;
        let private = Private::new(self)?;
        let values = private.write("values.json", &of.values.to_string())?;
        let labels: Vec<_> =
            of.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let mut args = words(["upgrade", of.release]);
        args.push(of.chart.into());
        args.extend(words(["--install", "--namespace", of.namespace, "--reset-values"]));
        args.push("--values".into());
        args.push(values.into_os_string());
        args.extend(words(["--post-renderer", plugin::NAME, "--skip-crds", "--hide-notes"]));
        args.extend(words(["--labels", &labels.join(","), "--description", of.description]));
        // The server checks fields itself, before and at the write; Helm's own check reads the whole schema of the cluster each
        // time, which is most of what a small release costs.
        args.extend(words(["--disable-openapi-validation"]));
        args.extend(words(["--history-max", HISTORY, "--server-side=true"]));
        args.extend(words([match of.wait {
            WaitFor::Hooks => "--wait=hookOnly",
            WaitFor::Objects => "--wait=watcher",
        }]));
        args.extend(words(["--timeout", &seconds(of.timeout)]));
        if !of.hooks {
            args.extend(words(["--no-hooks"]));
        }
        if of.force_conflicts {
            args.extend(words(["--force-conflicts"]));
        }
        args.extend(access(cluster));
        let (key, program) = self.plugin_variable();
        let call = self.invocation(args).env(RULES_VARIABLE, of.rules.to_variable());
        self.write(call.env(key, program), of.timeout, hold).await
    }

    /// Uninstalls a release; one that is not there is fine.
    pub async fn uninstall(
        &self,
        of: &Uninstall<'_>,
        cluster: &ClusterAccess,
        hold: Hold,
    ) -> Result<(), CallError> {
        let mut args = words(["uninstall", of.release, "--namespace", of.namespace]);
        args.extend(words(["--ignore-not-found", "--wait=hookOnly"]));
        args.extend(words(["--timeout", &seconds(of.timeout)]));
        if !of.hooks {
            args.extend(words(["--no-hooks"]));
        }
        args.extend(access(cluster));
        self.write(self.invocation(args), of.timeout, hold).await
    }

    async fn write(
        &self,
        call: Invocation,
        timeout: Duration,
        hold: Hold,
    ) -> Result<(), CallError> {
        let call = Invocation {
            stdin: Input::File(hold.lock.file()),
            deadline: timeout + GRACE,
            on_line: hold.on_line,
            stop: hold.stop,
            outlives_us: true,
            ..call
        };
        call.run().await?;
        Ok(())
    }

    /// Gets a chart from an OCI registry into an empty folder.
    pub(super) async fn pull(
        &self,
        of: &Registry,
        version: Option<&str>,
        into: &Path,
    ) -> Result<(), ProcessError> {
        let mut args = words(["pull", &of.url, "--destination"]);
        args.push(into.into());
        if of.plain_http {
            args.extend(words(["--plain-http"]));
        }
        if let Some(version) = version {
            args.extend(words(["--version", version]));
        }
        self.invocation(args).deadline(Duration::from_mins(5)).run().await.map(drop)
    }
}

/// A call could not be made, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Its files could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It did not end well.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

impl CallError {
    /// As a failure without the explanation that [`super::explain`] gives to what Helm said.
    pub fn plain(&self, what: &str) -> Failure {
        Failure::new(FailureKind::Bug, what).caused_by(self)
    }
}

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<OsString> {
    words.into_iter().map(OsString::from).collect()
}

fn access(cluster: &ClusterAccess) -> Vec<OsString> {
    let mut args = vec!["--kubeconfig".into(), cluster.kubeconfig.clone().into_os_string()];
    if let Some(context) = &cluster.context {
        args.extend(words(["--kube-context", context]));
    }
    args
}

fn seconds(timeout: Duration) -> String {
    format!("{}s", timeout.as_secs().max(1))
}

/// A folder for files of one call, readable by us alone and gone when the call is over. One that a killed run left behind
/// goes with the next call: its lock tells that nobody needs it.
struct Private {
    folder: PathBuf,
    _lock: ReleaseLock,
}

impl Private {
    fn new(settings: &HelmSettings) -> Result<Self, FileError> {
        let calls = settings.home.join("calls");
        files::create_folder(&calls)?;
        Self::sweep(&calls);
        let folder = tempfile::Builder::new().prefix("call-").tempdir_in(&calls);
        let folder = folder
            .map_err(|source| FileError { what: "create", path: calls.clone(), source })?
            .keep();
        let lock = ReleaseLock::take(&folder.join("lock"), "")?;
        match lock {
            Ok(lock) => Ok(Self { folder, _lock: lock }),
            Err(_) => Err(FileError {
                what: "lock",
                path: folder,
                source: std::io::ErrorKind::WouldBlock.into(),
            }),
        }
    }

    fn sweep(calls: &Path) {
        for left in files::list(calls).unwrap_or_default() {
            let lock = left.join("lock");
            // One without a lock file is being made at this moment.
            if files::read(&lock).is_ok() && matches!(ReleaseLock::holder(&lock), Ok(None)) {
                files::remove_folder(&left).ok();
            }
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, FileError> {
        let path = self.folder.join(name);
        files::write_private(&path, text)?;
        Ok(path)
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        files::remove_folder(&self.folder).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_behind_goes_with_the_next_call() {
        let cache = tempfile::tempdir().unwrap();
        let settings = HelmSettings::new("helm", "datamill", cache.path());
        let left = settings.home.join("calls/call-old");
        files::write_private(&left.join("lock"), "").unwrap();
        files::write_private(&left.join("values.json"), "{}").unwrap();
        let private = Private::new(&settings).unwrap();
        let values = private.write("values.json", "{}").unwrap();
        assert!(files::read(&left.join("values.json")).unwrap_err().is_missing());
        // A living call's files stay.
        drop(Private::new(&settings).unwrap());
        assert!(files::read(&values).is_ok());
        drop(private);
        assert!(files::read(&values).unwrap_err().is_missing());
    }

    #[test]
    fn helm_runs_with_folders_of_ours_and_nothing_inherited() {
        let settings = HelmSettings::new("helm", "datamill", Path::new("/c"));
        let call = settings.invocation(words(["version"]));
        assert_eq!(call.env["HELM_PLUGINS"], "/c/helm/plugins");
        for key in ["KUBECONFIG", "HELM_REGISTRY_CONFIG"] {
            assert!(call.without.contains(&key.to_owned()));
        }
        let settings = HelmSettings { registry_config: Some("/r.json".into()), ..settings };
        let call = settings.invocation(words(["pull"]));
        assert_eq!(call.env["HELM_REGISTRY_CONFIG"], "/r.json");
        assert!(!call.without.contains(&"HELM_REGISTRY_CONFIG".to_owned()));
    }
}
