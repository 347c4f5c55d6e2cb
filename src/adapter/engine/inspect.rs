//! Containers as an engine describes them. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::EngineError;

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its whole id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it does.
    pub state: State,
    /// The image as it was asked for.
    pub image: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What is mounted, as it was asked for: `HOST:CONTAINER[:OPTIONS]`.
    pub binds: Vec<String>,
    /// Ports of the machine that lead to it.
    pub ports: Vec<Published>,
}

/// What a container does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// It is frozen.
    Paused,
    /// It does not run.
    Stopped,
}

/// A port of the machine that leads to a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Published {
    /// The machine's address.
    pub address: String,
    /// The machine's port.
    pub host: u16,
    /// The container's port.
    pub container: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    id: String,
    name: String,
    state: RawState,
    config: RawConfig,
    host_config: RawHost,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawState {
    status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawConfig {
    image: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawHost {
    #[serde(default)]
    binds: Option<Vec<String>>,
    #[serde(default)]
    port_bindings: Option<BTreeMap<String, Option<Vec<RawPort>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawPort {
    #[serde(default)]
    host_ip: String,
    #[serde(default)]
    host_port: String,
}

/// Reads the answer to `inspect`.
pub(super) fn containers(text: &str) -> Result<Vec<Container>, EngineError> {
    let raw: Vec<Raw> = serde_json::from_str(text)
        .map_err(|_unread| EngineError::Garbled { asked: "container inspect".to_owned() })?;
    let mut all: Vec<_> = raw.into_iter().map(container).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

fn container(raw: Raw) -> Container {
    let bindings = raw.host_config.port_bindings.unwrap_or_default();
    let mut ports: Vec<_> = bindings
        .iter()
        .flat_map(|(port, at)| at.iter().flatten().filter_map(|at| published(port, at)))
        .collect();
    ports.sort();
    Container {
        id: raw.id,
        name: raw.name.trim_start_matches('/').to_owned(),
        state: match raw.state.status.as_str() {
            "running" | "restarting" => State::Running,
            "paused" => State::Paused,
            _ => State::Stopped,
        },
        image: raw.config.image,
        labels: raw.config.labels.unwrap_or_default(),
        binds: raw.host_config.binds.unwrap_or_default(),
        ports,
    }
}

fn published(port: &str, at: &RawPort) -> Option<Published> {
    let (container, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    Some(Published {
        address: at.host_ip.clone(),
        host: at.host_port.parse().ok()?,
        container: container.parse().ok()?,
        protocol: protocol.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_of_a_container_is_read_whether_it_runs_or_not() {
        let text = r#"[{"Id":"b1","Name":"/x-worker","State":{"Status":"exited"},"Config":{"Image":"i","Labels":null},
            "HostConfig":{"Binds":null,"PortBindings":null}},
            {"Id":"a1","Name":"/x-control-plane","State":{"Status":"running"},"Config":{"Image":"i","Labels":{"k":"v"}},
            "HostConfig":{"Binds":["/a:/b:ro"],"PortBindings":{"80/udp":[{"HostIp":"127.0.0.1","HostPort":"8080"}],"9/tcp":null}}}]"#;
        let found = containers(text).unwrap();
        assert_eq!(found[0].name, "x-control-plane");
        assert_eq!((found[0].state, found[1].state), (State::Running, State::Stopped));
        assert_eq!(found[0].ports.len(), 1);
        assert_eq!((found[0].ports[0].host, found[0].ports[0].protocol.as_str()), (8080, "udp"));
        assert_eq!(found[0].labels["k"], "v");
        assert!(containers("Error").is_err());
    }
}
