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
    /// A pod that is ready behind an endpoint in the only cluster that is known; nothing while there is none.
    pub async fn backend(
        &self,
        known: &Known,
        endpoint: &Endpoint,
    ) -> Result<Option<Backend>, Failure> {
        let what = || format!("cannot see what answers at {}", endpoint.address());
        let failed = |error: KubeError| failure(what(), &error, &self.settings.redactor);
        let link = self.open(known, None).await.map_err(failed)?;
        let Some(link) = link else { return Err(Failure::new(FailureKind::Preflight, what())) };
        backend(&link.cluster, endpoint).await.map_err(failed)
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

async fn backend(cluster: &Cluster, endpoint: &Endpoint) -> Result<Option<Backend>, KubeError> {
    let service = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        namespace: Some(endpoint.namespace.clone()),
        name: endpoint.service.clone(),
    };
    let Some(service) = cluster.get(&service).await? else { return Ok(None) };
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
    Ok(slices.iter().find_map(|slice| ready(slice, port)))
}

/// The name of a Service's port, by its number; empty where its only port has none.
fn port_name(service: &Object, number: u16) -> Option<&str> {
    let ports = service.0.pointer("/spec/ports")?.as_array()?;
    let is_it = |port: &&Json| port.get("port").and_then(Json::as_u64) == Some(number.into());
    Some(ports.iter().find(is_it)?.get("name").and_then(Json::as_str).unwrap_or_default())
}

/// The first pod of a slice that is ready, with the port of a name.
fn ready(slice: &Object, port: &str) -> Option<Backend> {
    let ports = slice.0.get("ports")?.as_array()?;
    let named = |one: &&Json| one.get("name").and_then(Json::as_str).unwrap_or_default() == port;
    let port = ports.iter().find(named)?.get("port")?.as_u64()?;
    let endpoints = slice.0.get("endpoints")?.as_array()?.iter();
    let is_ready = |one: &&Json| one.pointer("/conditions/ready") != Some(&Json::Bool(false));
    let pod = endpoints.filter(is_ready).find_map(|one| {
        let target = one.get("targetRef")?;
        let text = |key: &str| target.get(key).and_then(Json::as_str).map(str::to_owned);
        (text("kind")? == "Pod").then_some(())?;
        let (api_version, kind) = ("v1".to_owned(), "Pod".to_owned());
        Some(ObjectRef { api_version, kind, namespace: text("namespace"), name: text("name")? })
    })?;
    Some(Backend { pod, port: u16::try_from(port).ok()? })
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
        let found = ready(&slice, "http").unwrap();
        assert_eq!((found.pod.name.as_str(), found.port), ("there", 8080));
        assert_eq!(ready(&slice, "grpc"), None);
        let none = Object(json!({"ports": [{"port": 80}], "endpoints": null}));
        assert_eq!(ready(&none, ""), None);
    }

    #[test]
    fn a_port_without_a_name_is_found_by_none() {
        let service = Object(json!({"spec": {"ports": [{"port": 6379}]}}));
        assert_eq!(port_name(&service, 6379), Some(""));
        let slice = Object(json!({
            "ports": [{"name": "", "port": 6379}],
            "endpoints": [{"targetRef": {"kind": "Pod", "namespace": "n", "name": "a"}}],
        }));
        assert_eq!(ready(&slice, "").map(|found| found.port), Some(6379));
    }
}
