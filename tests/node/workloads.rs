//! What charts are made of, on real pods: volumes of `StatefulSets`, Services, Jobs, hooks.

use crate::cluster::kit::{chart, component, helm_step};
use crate::cluster::{ends_with, succeeds};
use crate::support::node::{self, BUSYBOX, Cluster, Image};
use crate::support::sandbox::{Run, Sandbox};

/// The project, its namespace and its flavour.
const NAME: &str = "works";
const FLAVOUR: &str = "flavours/works.yaml";

/// Keeps bytes on a volume of its own, and ends when it is told to.
const STORE: &str = r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: {{ .Release.Name }}-store}
spec:
  serviceName: {{ .Release.Name }}-store
  replicas: 1
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: store
          image: {{ .Values.busybox }}
          command: [sleep, "100000"]
          volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}-store}
spec: {clusterIP: None, selector: {app: store}, ports: [{port: 80}]}
"#;

const WEB: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}-web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: answer
          image: datamill.test/answer:1
          imagePullPolicy: IfNotPresent
          readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 1}
          env: [{name: TEXT, value: {{ .Values.text }}}]
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}-web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
";

/// A Job that asks the Service by name.
const ASK: &str = r#"
apiVersion: batch/v1
kind: Job
metadata: {name: {{ .Release.Name }}-JOB, annotations: {ANNOTATIONS}}
spec:
  template:
    spec:
      restartPolicy: OnFailure
      containers:
        - name: ask
          image: {{ .Values.busybox }}
          command: [sh, -c, "until wget -q -O - http://{{ .Release.Name }}-web.{{ .Release.Namespace }}.svc.cluster.local/; do sleep 0.5; done"]
"#;

const HOOK: &str = "helm.sh/hook: post-install, helm.sh/hook-delete-policy: before-hook-creation";

struct Platform {
    cluster: &'static Cluster,
    sandbox: Sandbox,
}

impl Platform {
    fn begin(cluster: &'static Cluster) -> Self {
        cluster.load(&Image::answer().unwrap());
        let sandbox = cluster.sandbox();
        component(&sandbox, NAME, &helm_step("{}"));
        let values = format!("busybox: {BUSYBOX}\ntext: hello\n");
        let job = ASK.replace("JOB", "ask").replace("ANNOTATIONS", "");
        let hook = ASK.replace("JOB", "hook").replace("ANNOTATIONS", HOOK);
        chart(&sandbox, NAME, &values, &[STORE, WEB, &job, &hook]);
        let project = format!("{{name: {NAME}, k8s_namespace: {NAME}, flavour: {NAME}}}");
        sandbox.write(FLAVOUR, &format!("project: {project}\nhybrid:\n"));
        Self { cluster, sandbox }
    }

    fn run(&self, words: &[&str]) -> Run {
        self.sandbox.datamill(words.iter().chain(&["-k", "-f", FLAVOUR]).copied())
    }

    fn kubectl(&self, args: &[&str]) -> String {
        self.cluster.kubectl(&[&["-n", NAME], args].concat())
    }

    /// The words that a Job got from the Service, and which Job it was.
    fn answered(&self, job: &str) -> String {
        let job = format!("job/{NAME}-{job}");
        assert!(self.kubectl(&["logs", &job]).contains("hello"));
        let done = "jsonpath={.status.succeeded}";
        assert_eq!(self.kubectl(&["get", &job, "-o", done]), "1");
        self.kubectl(&["get", &job, "-o", "jsonpath={.metadata.uid}"])
    }

    fn in_store(&self, script: &str) -> String {
        self.kubectl(&["exec", &format!("{NAME}-store-0"), "--", "sh", "-c", script])
    }

    /// The claim of the StatefulSet and its volume.
    fn volume(&self) -> String {
        let fields = "jsonpath={.items[*].metadata.uid} {.items[*].spec.volumeName}";
        self.kubectl(&["get", "pvc", "-o", fields])
    }
}

#[test]
fn a_volume_keeps_its_bytes_while_all_else_goes_and_comes_again() {
    let Some(cluster) = node::cluster() else { return };
    let platform = Platform::begin(cluster);
    succeeds(&platform.run(&["-i"]));
    let first = (platform.answered("ask"), platform.answered("hook"));
    let volume = platform.volume();
    platform.in_store("head -c 100000 /dev/urandom > /data/file && sync");
    let bytes = platform.in_store("sha256sum /data/file");
    ends_with(&platform.run(&["-i"]), 0, &["nothing to do"]);

    let claim = format!("data-{NAME}-store-0");
    ends_with(&platform.run(&["-u", "--yes"]), 0, &[&claim]);
    assert_eq!(platform.kubectl(&["get", "deploy,sts,job,svc", "-o", "name"]), "");
    assert_eq!(platform.volume(), volume, "the volume stays");

    succeeds(&platform.run(&["-i"]));
    assert_eq!(platform.volume(), volume);
    assert_eq!(platform.in_store("sha256sum /data/file"), bytes);
    let second = (platform.answered("ask"), platform.answered("hook"));
    assert!(first.0 != second.0 && first.1 != second.1, "Job and hook ran anew: {second:?}");
    ends_with(&platform.run(&["-i"]), 0, &["nothing to do"]);

    let all = ["-x", "--yes", "--include-data", "--confirm-project", NAME];
    ends_with(&platform.run(&all), 0, &[&claim]);
    let left = ["get", "namespace", NAME, "--ignore-not-found", "-o", "name"];
    assert_eq!(cluster.kubectl(&left), "");
    // The volume goes with its claim: the provisioner takes the folder away.
    let name = volume.split_once(' ').unwrap().1;
    cluster.kubectl(&["wait", "--for=delete", &format!("pv/{name}"), "--timeout=300s"]);
}
