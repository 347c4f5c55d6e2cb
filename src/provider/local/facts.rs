//! What is known of a cluster: declared as long as a simulated one does not exist, asked of it afterwards.

use std::path::Path;

use super::output;
use crate::adapter::kube::Cluster;
use crate::model::{ClusterFacts, Failure, FailureKind, Outputs};
use crate::toolchain::KUBERNETES;

/// What the embedded control plane serves: read once from a running one.
const APIS: &str = include_str!("kwok/apis.txt");

/// The facts of a kwok cluster before it exists.
pub fn declared() -> ClusterFacts {
    ClusterFacts {
        provider: "kwok".to_owned(),
        location: "local".to_owned(),
        version: KUBERNETES.to_string(),
        apis: APIS.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect(),
        simulated: true,
    }
}

/// The facts of a cluster that runs, by its outputs.
pub async fn facts(outputs: &Outputs) -> Result<ClusterFacts, Failure> {
    let text = |name: &str| outputs.get(name).and_then(|value| value.as_str()).unwrap_or_default();
    let failed = || Failure::new(FailureKind::Preflight, "cannot ask the cluster what it serves");
    let provider = text(output::PROVIDER).to_owned();
    let kubeconfig = Path::new(text(output::KUBECONFIG));
    let cluster = Cluster::connect(kubeconfig, Some(text(output::CONTEXT)))
        .await
        .map_err(|error| failed().caused_by(&error))?;
    let kinds = cluster.kinds().await.map_err(|error| failed().caused_by(&error))?;
    Ok(ClusterFacts {
        location: if provider == "existing" { "hybrid" } else { "local" }.to_owned(),
        provider,
        version: text(output::VERSION).to_owned(),
        apis: kinds.apis(),
        simulated: outputs.get(output::SIMULATED).is_some_and(|value| value == true),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_charts_ask_for_is_declared() {
        let facts = declared();
        assert_eq!(facts.version, "1.35.4");
        for api in ["v1", "apps/v1/Deployment", "batch/v1/CronJob", "networking.k8s.io/v1/Ingress"]
        {
            assert!(facts.apis.contains(api), "{api}");
        }
    }
}
