//! What a cluster knows of runs: the lock of a project, and its last runs.

use std::sync::Arc;

use super::lease::{ClusterSlot, Lease, Slot};
use super::session::Link;
use super::{Kubernetes, failure, lease, runs};
use crate::adapter::kube::KubeError;
use crate::model::{Failure, Identity, Known, RunRecord};

impl Kubernetes {
    /// Where the lock of a project is kept; nothing when no cluster is known.
    pub async fn slot(
        &self,
        known: &Known,
        who: &Identity,
    ) -> Result<Option<Arc<dyn Slot>>, Failure> {
        let failed = |error: KubeError| self.failed("cannot open the cluster", &error);
        let link = self.open(known, None).await.map_err(failed)?;
        Ok(link.map(|link| {
            let slot: Arc<dyn Slot> = Arc::new(ClusterSlot::new(link.cluster, who));
            slot
        }))
    }

    /// The lock of a project as it is, and its last runs, oldest first.
    pub async fn memory(
        &self,
        known: &Known,
        project: &str,
    ) -> Result<(Option<Lease>, Vec<RunRecord>), Failure> {
        let failed = |error: KubeError| self.failed("cannot read what was run", &error);
        let Some(Link { cluster, .. }) = self.open(known, None).await.map_err(failed)? else {
            return Ok((None, Vec::new()));
        };
        let (lease, runs) =
            futures::join!(lease::read(&cluster, project), runs::read(&cluster, project));
        // Who may not read Leases may still look.
        let lease = match lease {
            Err(KubeError::Forbidden(_)) => None,
            other => other.map_err(failed)?,
        };
        let runs = match runs {
            Err(KubeError::Forbidden(_)) => Vec::new(),
            other => other.map_err(failed)?,
        };
        Ok((lease, runs))
    }

    /// Writes down what became of runs.
    pub async fn remember(
        &self,
        known: &Known,
        who: &Identity,
        runs: &[RunRecord],
    ) -> Result<(), Failure> {
        let failed = |error: KubeError| self.failed("cannot write down what was run", &error);
        match self.open(known, None).await.map_err(failed)? {
            Some(link) => runs::write(&link.cluster, who, runs).await.map_err(failed),
            None => Ok(()),
        }
    }

    /// Removes what is remembered of runs.
    pub async fn forget_runs(&self, known: &Known, project: &str) -> Result<(), Failure> {
        let failed = |error: KubeError| self.failed("cannot remove the record of runs", &error);
        match self.open(known, None).await.map_err(failed)? {
            Some(link) => runs::remove(&link.cluster, project).await.map_err(failed),
            None => Ok(()),
        }
    }

    fn failed(&self, what: &str, error: &KubeError) -> Failure {
        failure(what, error, &self.settings.redactor)
    }
}
