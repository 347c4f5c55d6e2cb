//! Which pod answers behind a Service, and a way there from this machine.

use serde_json::Value as Json;

use super::Kubernetes;
use super::failure::failure;
use crate::adapter::kube::{Cluster, Forward, KubeError, Listing};
use crate::model::{Endpoint, Failure, FailureKind, Known, Object, ObjectRef};

/// A pod that answers at a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// The pod.
    pub pod: ObjectRef,
    /// Its own port, which need not be the Service's.
    pub port: u16,
}

impl Kubernetes {
    /// The pods that are ready behind an endpoint in the only cluster that is known.
    pub async fn backends(
        &self,
        known: &Known,
        endpoint: &Endpoint,
    ) -> Result<Vec<Backend>, Failure> {
        let what = || format!("cannot see what answers at {}", endpoint.address());
        let failed = |error: KubeError| failure(what(), &error, &self.settings.redactor);
        let link = self.open(known, None).await.map_err(failed)?;
        let Some(link) = link else { return Err(Failure::new(FailureKind::Preflight, what())) };
        backends(&link.cluster, endpoint).await.map_err(failed)
    }

    /// Opens a port of this machine, on the loopback only, that leads to a pod; with 0, any that is free.
    pub async fn forward(
        &self,
        known: &Known,
        to: &Backend,
        local: u16,
    ) -> Result<Forward, Failure> {
        let what = || format!("cannot forward to {}", to.pod);
        let failed = |error: KubeError| failure(what(), &error, &self.settings.redactor);
        let link = self.open(known, None).await.map_err(failed)?;
        let Some(link) = link else { return Err(Failure::new(FailureKind::Preflight, what())) };
        link.cluster.forward(&to.pod, to.port, local).await.map_err(failed)
    }
}

async fn backends(cluster: &Cluster, endpoint: &Endpoint) -> Result<Vec<Backend>, KubeError> {
    let service = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        namespace: Some(endpoint.namespace.clone()),
        name: endpoint.service.clone(),
    };
    let Some(service) = cluster.get(&service).await? else {
        return Err(KubeError::NotFound(format!("{service} is not there")));
    };
    let Some(port) = port_name(&service, endpoint.port) else {
        let message = format!(
            "Service {}/{} has no port {}",
            endpoint.namespace, endpoint.service, endpoint.port
        );
        return Err(KubeError::Invalid(message));
    };
    let slices = Listing::of("discovery.k8s.io/v1", "EndpointSlice")
        .namespace(&endpoint.namespace)
        .labels(format!("kubernetes.io/service-name={}", endpoint.service));
    let slices = cluster.list(&slices).await?;
    Ok(slices.iter().flat_map(|slice| ready(slice, port)).collect())
}

/// The name of a Service's port, by its number; empty where its only port has none.
fn port_name(service: &Object, number: u16) -> Option<&str> {
    let ports = service.0.pointer("/spec/ports")?.as_array()?;
    let is_it = |port: &&Json| port.get("port").and_then(Json::as_u64) == Some(number.into());
    Some(ports.iter().find(is_it)?.get("name").and_then(Json::as_str).unwrap_or_default())
}

/// The pods of a slice that are ready, with the port of a name.
fn ready(slice: &Object, port: &str) -> Vec<Backend> {
    let list = |key: &str| slice.0.get(key).and_then(Json::as_array).into_iter().flatten();
    let named = |one: &&Json| one.get("name").and_then(Json::as_str).unwrap_or_default() == port;
    let port = list("ports").find(named).and_then(|one| one.get("port")?.as_u64());
    let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else { return Vec::new() };
    let is_ready = |one: &&Json| one.pointer("/conditions/ready") != Some(&Json::Bool(false));
    let pods = list("endpoints").filter(is_ready).filter_map(|one| {
        let target = one.get("targetRef")?;
        let text = |key: &str| target.get(key).and_then(Json::as_str).map(str::to_owned);
        let (api_version, kind) = ("v1".to_owned(), text("kind").filter(|kind| kind == "Pod")?);
        let pod =
            ObjectRef { api_version, kind, namespace: text("namespace"), name: text("name")? };
        Some(Backend { pod, port })
    });
    pods.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_port_of_a_service_leads_to_the_port_of_a_pod_that_is_ready() {
        let service = Object(json!({"spec": {"ports": [
            {"name": "http", "port": 80, "targetPort": "web"}, {"name": "metrics", "port": 9090}
        ]}}));
        assert_eq!(port_name(&service, 80), Some("http"));
        assert_eq!(port_name(&service, 81), None);
        let pod = |name: &str, ready: bool| json!({"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "namespace": "n", "name": name}});
        let slice = Object(json!({
            "ports": [{"name": "metrics", "port": 9090}, {"name": "http", "port": 8080}],
            "endpoints": [pod("starting", false), pod("there", true)],
        }));
        let found = ready(&slice, "http");
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((found.pod.name.as_str(), found.port), ("there", 8080));
        assert_eq!(ready(&slice, "grpc"), []);
        let none = Object(json!({"ports": [{"port": 80}], "endpoints": null}));
        assert_eq!(ready(&none, ""), []);
    }

    #[test]
    fn a_port_without_a_name_is_found_by_none() {
        let service = Object(json!({"spec": {"ports": [{"port": 6379}]}}));
        assert_eq!(port_name(&service, 6379), Some(""));
        let slice = Object(json!({
            "ports": [{"name": "", "port": 6379}],
            "endpoints": [{"targetRef": {"kind": "Pod", "namespace": "n", "name": "a"}}],
        }));
        assert_eq!(ready(&slice, "").first().map(|found| found.port), Some(6379));
    }
}
