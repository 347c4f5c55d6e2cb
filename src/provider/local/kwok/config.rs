//! What `kwokctl` is told: addresses, ports, admission, and the stages. Pure.

use crate::toolchain::{ETCD, KUBERNETES};

/// How simulated things behave.
const STAGES: &str = include_str!("stages.yaml");
/// Pods get addresses of this range, apart from Services'.
const PODS: &str = "10.244.0.1/16";

/// The ports of a cluster, all on the loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) server: u16,
    others: [u16; 5],
}

impl Ports {
    /// From six free ones; nothing when there are fewer.
    pub(super) fn new(free: &[u16]) -> Option<Self> {
        let [server, others @ ..] = free else { return None };
        Some(Self { server: *server, others: others.try_into().ok()? })
    }
}

/// The configuration file. Every program listens on the loopback alone: etcd asks for no password. Webhooks are off, since
/// nobody answers for a simulated pod. There is one of each program, and none waits until a dead one's lease is over: not
/// for its own work, and kwok not for that of its nodes.
pub(super) fn text(ports: Ports) -> String {
    let server = ports.server;
    let [etcd, peer, manager, scheduler, kwok] = ports.others;
    let stages = STAGES.replace("@KUBERNETES@", &KUBERNETES.to_string());
    format!(
        "apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokctlConfiguration
options:
  runtime: binary
  bindAddress: 127.0.0.1
  kubeVersion: v{KUBERNETES}
  etcdVersion: {ETCD}
  disableQPSLimits: true
  kubeAuthorization: true
  kubeApiserverPort: {server}
  etcdPort: {etcd}
  etcdPeerPort: {peer}
  kubeControllerManagerPort: {manager}
  kubeSchedulerPort: {scheduler}
  kwokControllerPort: {kwok}
componentsPatches:
- name: kube-apiserver
  extraArgs:
  - key: disable-admission-plugins
    value: MutatingAdmissionWebhook,ValidatingAdmissionWebhook
- name: kube-controller-manager
  extraArgs:
  - key: leader-elect
    value: \"false\"
- name: kube-scheduler
  extraArgs:
  - key: leader-elect
    value: \"false\"
- name: kwok-controller
  extraArgs:
  - key: cidr
    value: {PODS}
  - key: node-lease-duration-seconds
    value: \"0\"
    override: true
---
{stages}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Source, parse_all};

    #[test]
    fn the_configuration_is_yaml_and_listens_on_the_loopback_alone() {
        let ports = Ports::new(&[1, 2, 3, 4, 5, 6]).unwrap();
        let documents = parse_all(&Source::new("kwokctl.yaml", text(ports))).unwrap();
        let options = documents[0].to_json()["options"].clone();
        assert_eq!(options["bindAddress"], "127.0.0.1");
        assert_eq!(options["kubeApiserverPort"], 1);
        let kinds: Vec<_> = documents[1..]
            .iter()
            .map(|stage| {
                stage.to_json()["spec"]["resourceRef"]["kind"].as_str().unwrap().to_owned()
            })
            .collect();
        for kind in ["Node", "Pod", "PersistentVolumeClaim", "PersistentVolume", "Service"] {
            assert!(kinds.iter().any(|found| found == kind), "{kind}");
        }
        assert!(!text(ports).contains('@'));
    }

    #[test]
    fn six_ports_are_needed() {
        assert_eq!(Ports::new(&[1, 2, 3, 4, 5]), None);
        assert_eq!(Ports::new(&[]), None);
    }
}
