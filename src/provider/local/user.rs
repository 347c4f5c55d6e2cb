//! The cluster's context in the user's own kubeconfig.

use super::LocalSettings;
use crate::adapter::kubeconfig::{self, Entry, KubeconfigError};
use crate::model::{Failure, FailureKind};

/// Merges the context in.
pub(super) async fn merge(settings: &LocalSettings, entry: &Entry) -> Result<(), Failure> {
    kubeconfig::merge(&settings.user_kubeconfig, entry, settings.use_context)
        .await
        .map_err(|error| failure(settings, &error))
}

/// Takes the context out.
pub(super) async fn remove(settings: &LocalSettings, name: &str) -> Result<(), Failure> {
    kubeconfig::remove(&settings.user_kubeconfig, name)
        .await
        .map(drop)
        .map_err(|error| failure(settings, &error))
}

/// Makes sure that the file can be written, should it be there.
pub(super) fn check(settings: &LocalSettings) -> Result<(), Failure> {
    kubeconfig::contexts(&settings.user_kubeconfig)
        .map(drop)
        .map_err(|error| failure(settings, &error))
}

/// What is not as it should be with the context, if anything.
pub(super) fn lacks(settings: &LocalSettings, entry: &Entry) -> Option<String> {
    let path = &settings.user_kubeconfig;
    let shown = path.display();
    match (kubeconfig::holds(path, entry), kubeconfig::contexts(path)) {
        (Err(error), _) | (_, Err(error)) => Some(error.to_string()),
        (Ok(false), _) => Some(format!("its context is not in `{shown}`")),
        (Ok(true), Ok(there)) => {
            let is_current = there.current.as_ref() == Some(&entry.name);
            (settings.use_context && !is_current)
                .then(|| format!("its context is not the current one of `{shown}`"))
        }
    }
}

/// The name of a cluster with what its context lacks behind: another name than the wanted one, so that `apply` mends it.
pub(super) fn shown_name(name: &str, lacks: Option<String>) -> String {
    lacks.map_or_else(|| name.to_owned(), |lacks| format!("{name} ({lacks})"))
}

fn failure(settings: &LocalSettings, error: &KubeconfigError) -> Failure {
    let path = settings.user_kubeconfig.display();
    Failure::new(FailureKind::Preflight, format!("cannot write the context to `{path}`"))
        .caused_by(error)
        .hint("mend the file, which was left as it is, or name another one by `--kubeconfig FILE`")
}
