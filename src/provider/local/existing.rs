//! Clusters behind a kubeconfig of the user: found, asked who they are, never changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::{LocalSettings, output};
use crate::adapter::kube::{Cluster, KubeError, Listing};
use crate::adapter::kubeconfig::{self, Contexts};
use crate::model::{
    Digest, Failure, FailureKind, Found, Health, Observed, Outputs, Owner, Progress,
};

/// How long a cluster may take to say who it is.
const ANSWER: Duration = Duration::from_secs(10);
/// On nodes of kwok.
const FAKE: &str = "kwok.x-k8s.io/node";

/// The contexts of a kubeconfig.
pub fn contexts(kubeconfig: &Path) -> Result<Contexts, Failure> {
    kubeconfig::contexts(kubeconfig).map_err(|error| {
        Failure::new(FailureKind::Usage, "cannot read the kubeconfig").caused_by(&error)
    })
}

/// Looks at an existing cluster.
pub(super) async fn observe(
    settings: &LocalSettings,
    file: Option<&Path>,
    context: Option<&str>,
) -> Observed {
    match outputs(settings, file, context).await {
        Ok(outputs) => {
            let manager = outputs.get(output::CONTEXT).and_then(|name| name.as_str());
            let manager = manager.map(|name| format!("context {name}"));
            Observed::Present(Box::new(Found {
                owner: Owner::Unmarked { manager, suitable: true },
                outputs,
                ..Found::ours()
            }))
        }
        Err(failure) => {
            let because = std::iter::once(failure.what).chain(failure.causes).chain(failure.hints);
            Observed::Unreachable { because: because.collect::<Vec<_>>().join(": ") }
        }
    }
}

/// How an existing cluster is.
pub(super) async fn health(
    settings: &LocalSettings,
    file: Option<&Path>,
    context: Option<&str>,
) -> Health {
    match outputs(settings, file, context).await {
        Ok(_) => Health::Ready,
        Err(failure) => {
            Health::Settling(Progress { mark: Digest::of(&failure.what), waits_for: failure.what })
        }
    }
}

/// What an existing cluster tells others.
pub(super) async fn outputs(
    settings: &LocalSettings,
    file: Option<&Path>,
    context: Option<&str>,
) -> Result<Outputs, Failure> {
    let (file, context) = choose(settings, file, context)?;
    let failed = |error: KubeError| {
        Failure::new(
            FailureKind::Preflight,
            format!("cannot reach the cluster of context `{context}`"),
        )
        .caused_by(&error)
    };
    let cluster = Cluster::connect(&file, Some(&context)).await.map_err(failed)?;
    let asked = tokio::time::timeout(ANSWER, ask(&cluster)).await;
    let (version, uid, simulated) = asked
        .unwrap_or(Err(KubeError::Timeout {
            what: "who it is".to_owned(),
            seconds: ANSWER.as_secs(),
        }))
        .map_err(failed)?;
    Ok([
        (output::KUBECONFIG, json!(file)),
        (output::CONTEXT, json!(context)),
        (output::SIMULATED, json!(simulated)),
        (output::VERSION, json!(version)),
        (output::PROVIDER, json!("existing")),
        (output::UID, json!(uid)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into())
}

async fn ask(cluster: &Cluster) -> Result<(String, Option<String>, bool), KubeError> {
    let version = cluster.version().await?;
    let uid = cluster.uid().await?;
    let nodes = cluster.list(&Listing::of("v1", "Node").metadata_only()).await;
    // Who may not list nodes may still install.
    let nodes = nodes.unwrap_or_default();
    let simulated =
        !nodes.is_empty() && nodes.iter().all(|node| node.annotation(FAKE) == Some("fake"));
    Ok((version, uid, simulated))
}

/// The file and the context: as given, else the first usual file that has it, else the current context.
fn choose(
    settings: &LocalSettings,
    file: Option<&Path>,
    context: Option<&str>,
) -> Result<(PathBuf, String), Failure> {
    let files = match file {
        Some(file) => vec![file.to_owned()],
        None => usual(settings),
    };
    let mut known: Vec<String> = Vec::new();
    for path in &files {
        let found = contexts(path)?;
        let wanted = context.or(found.current.as_deref());
        if let Some(wanted) = wanted.filter(|wanted| found.names.iter().any(|name| name == wanted))
        {
            return Ok((path.clone(), wanted.to_owned()));
        }
        known.extend(found.names);
    }
    let places: Vec<_> = files.iter().map(|path| format!("`{}`", path.display())).collect();
    let what = match context {
        Some(name) => format!("there is no context `{name}` in {}", places.join(", ")),
        None => format!("there is no current context in {}", places.join(", ")),
    };
    let hint = if known.is_empty() {
        "no context is there; name another file by `--kubeconfig FILE`".to_owned()
    } else {
        format!("contexts there: {}; choose one by `--context NAME`", known.join(", "))
    };
    Err(Failure::new(FailureKind::Usage, what).hint(hint))
}

fn usual(settings: &LocalSettings) -> Vec<PathBuf> {
    let list = settings.environment.get("KUBECONFIG").map(String::as_str).unwrap_or_default();
    let files: Vec<_> =
        std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect();
    if files.is_empty() { vec![settings.home.join(".kube/config")] } else { files }
}
