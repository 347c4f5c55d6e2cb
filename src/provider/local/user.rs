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

/// Whether the context is there as it should be; a file that cannot be read says why.
pub(super) fn holds(settings: &LocalSettings, entry: &Entry) -> Result<bool, String> {
    kubeconfig::holds(&settings.user_kubeconfig, entry).map_err(|error| error.to_string())
}

fn failure(settings: &LocalSettings, error: &KubeconfigError) -> Failure {
    let path = settings.user_kubeconfig.display();
    Failure::new(FailureKind::Preflight, format!("cannot write the context to `{path}`"))
        .caused_by(error)
        .hint("mend the file, which was left as it is, or name another one by `--kubeconfig FILE`")
}
