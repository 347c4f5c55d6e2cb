//! When a cluster can be used: some time after it calls itself ready.

use std::time::Duration;

use tokio::time::Instant;

use crate::adapter::kube::{Cluster, KubeError};
use crate::model::ObjectRef;

/// How long between two looks.
const POLL: Duration = Duration::from_millis(100);

/// Waits until pods can be made: without the default ServiceAccount the first ones are refused.
pub(super) async fn wait(cluster: &Cluster, patience: Duration) -> Result<(), KubeError> {
    let account = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "ServiceAccount".to_owned(),
        namespace: Some("default".to_owned()),
        name: "default".to_owned(),
    };
    let start = Instant::now();
    loop {
        let looked = cluster.get(&account).await;
        if let Ok(Some(_)) = &looked {
            return Ok(());
        }
        if start.elapsed() > patience {
            let what = "the default ServiceAccount".to_owned();
            let late = KubeError::Timeout { what, seconds: patience.as_secs() };
            return Err(looked.err().unwrap_or(late));
        }
        tokio::time::sleep(POLL).await;
    }
}
