//! What every later test of this tier builds on: pods run, volumes wait for them, names resolve, images come.

use std::time::Duration;

use crate::cluster::kit::within;
use crate::cluster::{ends_with, succeeds};
use crate::support::node::{self, Image, Registry, Serve};

/// A pod of the web server of `programs/answer`, and its Service.
fn answer(name: &str, image: &str, more: &str) -> String {
    format!(
        r"
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: answer
      image: {image}
      imagePullPolicy: IfNotPresent
      readinessProbe: {{httpGet: {{path: /ready, port: 8080}}, periodSeconds: 1}}
      env: [{{name: TEXT, value: hello from {name}}}{more}]
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80, targetPort: 8080}}]}}
"
    )
}

#[test]
fn a_service_answers_by_name_from_another_pod() {
    let Some(cluster) = node::cluster() else { return };
    cluster.load(&Image::answer().unwrap());
    let space = cluster.namespace();
    space.apply(&answer("web", "datamill.test/answer:1", ""));
    space.kubectl(&["wait", "pod/web", "--for=condition=Ready", "--timeout=300s"]);
    assert!(space.kubectl(&["logs", "web"]).contains("listening on :8080"));
    let url = format!("http://web.{}.svc.cluster.local/", space.name);
    let ask =
        ["run", "ask", "--image", node::BUSYBOX, "--image-pull-policy=Never", "--restart=Never"];
    let script = format!("until wget -q -O - {url}; do sleep 0.5; done");
    space.kubectl(&[&ask[..], &["--", "sh", "-c", &script]].concat());
    let until = "--for=jsonpath={.status.phase}=Succeeded";
    let ended = space.try_kubectl(&["wait", until, "pod/ask", "--timeout=300s"]);
    assert!(ended.status.success(), "{}", space.kubectl(&["describe", "pods"]));
    assert!(space.kubectl(&["logs", "ask"]).contains("hello from web"));
}

#[test]
fn a_claim_binds_when_a_pod_wants_it() {
    let Some(cluster) = node::cluster() else { return };
    let space = cluster.namespace();
    space.apply(
        "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
",
    );
    let class = ["get", "storageclass", "standard", "-o", "jsonpath={.volumeBindingMode}"];
    assert_eq!(space.kubectl(&class), "WaitForFirstConsumer");
    // The controller says that it waits, so the claim was looked at and left.
    let reasons = ["get", "events", "-o", "jsonpath={.items[*].reason}"];
    within(Duration::from_mins(5), "the controller looks at the claim", || {
        space.kubectl(&reasons).contains("WaitForFirstConsumer")
    });
    let phase = ["get", "pvc", "data", "-o", "jsonpath={.status.phase}"];
    assert_eq!(space.kubectl(&phase), "Pending");
    space.apply(&format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: writer}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: writer
      image: {}
      command: [sh, -c, 'echo kept > /data/file && sleep 1000']
      volumeMounts: [{{name: data, mountPath: /data}}]
  volumes: [{{name: data, persistentVolumeClaim: {{claimName: data}}}}]
",
        node::BUSYBOX
    ));
    space.kubectl(&["wait", "pod/writer", "--for=condition=Ready", "--timeout=300s"]);
    assert_eq!(space.kubectl(&phase), "Bound");
    let read = "until cat /data/file; do sleep 0.1; done 2>/dev/null";
    assert_eq!(space.kubectl(&["exec", "writer", "--", "sh", "-c", read]), "kept\n");
}

#[test]
fn a_pod_that_crashes_leaves_its_last_words() {
    let Some(cluster) = node::cluster() else { return };
    cluster.load(&Image::answer().unwrap());
    let space = cluster.namespace();
    let crash = ", {name: CRASH_AFTER, value: 1ms}";
    space.apply(&answer("crash", "datamill.test/answer:1", crash));
    // Between two tries the log is that of the last one; `--previous` may be gone already.
    let waits =
        "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff";
    space.kubectl(&["wait", waits, "pod/crash", "--timeout=300s"]);
    let words = space.kubectl(&["logs", "crash"]);
    assert!(words.contains("fatal: cannot go on"), "{words}");
}

#[test]
fn a_registry_gives_withholds_and_takes_its_time() {
    let Some(cluster) = node::cluster() else { return };
    let registry = Registry::start(cluster);
    let image = Image::answer().unwrap();
    let space = cluster.namespace();
    let slow = Serve::Slowly(Duration::from_millis(300));
    let slow = registry.serve("slow", image.clone().heavier_by(1 << 20), slow);
    let closed = registry.serve("closed", image.clone(), Serve::Unauthorised);
    let open = registry.serve("open", image, Serve::Whole);
    for (name, image) in
        [("slow", &slow), ("closed", &closed), ("open", &open), ("missing", &registry.name("no"))]
    {
        space.apply(&answer(name, image, ""));
    }
    for name in ["open", "slow"] {
        let pod = format!("pod/{name}");
        space.kubectl(&["wait", &pod, "--for=condition=Ready", "--timeout=300s"]);
    }
    // What was pulled is not in the way of what was loaded, though both run the same program.
    cluster.load(&Image::answer().unwrap());
    space.apply(&answer("loaded", "datamill.test/answer:1", ""));
    space.kubectl(&["wait", "pod/loaded", "--for=condition=Ready", "--timeout=300s"]);
    for name in ["closed", "missing"] {
        let why = "jsonpath={.status.containerStatuses[0].state.waiting.reason}";
        let wait = format!("--for={why}");
        // Either word, as the kubelet waits between two tries.
        let pulls = ["ErrImagePull", "ImagePullBackOff"];
        let pod = format!("pod/{name}");
        let seen = (0..240).any(|_| {
            let one = format!("{wait}={}", pulls[0]);
            let other = format!("{wait}={}", pulls[1]);
            [one, other].iter().any(|until| {
                space.try_kubectl(&["wait", until, &pod, "--timeout=1s"]).status.success()
            })
        });
        assert!(seen, "{}", space.kubectl(&["describe", &pod]));
    }
    let asked = registry.asked();
    assert!(asked.iter().any(|line| line.contains("/v2/closed/manifests/1")), "{asked:?}");
    assert!(!asked.iter().any(|line| line.contains("/v2/closed/blobs/")), "{asked:?}");
}

#[test]
fn the_minio_server_answers() {
    let Some(cluster) = node::cluster() else { return };
    let image = Image::minio().unwrap();
    cluster.load(&image);
    let space = cluster.namespace();
    space.apply(&format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: minio}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: minio
      image: {}
      imagePullPolicy: Never
      command: [/minio, server, /data]
      readinessProbe: {{httpGet: {{path: /minio/health/ready, port: 9000}}, periodSeconds: 1}}
      volumeMounts: [{{name: data, mountPath: /data}}]
  volumes: [{{name: data, emptyDir: {{}}}}]
",
        image.names[0]
    ));
    space.kubectl(&["wait", "pod/minio", "--for=condition=Ready", "--timeout=300s"]);
}

#[test]
fn the_demos_images_run_what_its_charts_call() {
    let Some(cluster) = node::cluster() else { return };
    if !cluster.engine().is_own() {
        // There the node pulls the public ones.
        return;
    }
    let image = Image::demo().unwrap();
    cluster.load(&image);
    let space = cluster.namespace();
    let script = "python3 -c 'import http.server, socket, json' && valkey-server --version && nginx -v && nginx -t && wget --version";
    let run =
        ["run", "try", "--image", &image.names[0], "--image-pull-policy=Never", "--restart=Never"];
    space.kubectl(&[&run[..], &["--", "sh", "-c", script]].concat());
    let until = "--for=jsonpath={.status.phase}=Succeeded";
    let ended = space.try_kubectl(&["wait", until, "pod/try", "--timeout=300s"]);
    assert!(ended.status.success(), "{}", space.kubectl(&["logs", "try"]));
}

#[test]
fn the_demo_is_installed_on_real_pods_and_taken_away() {
    let Some(cluster) = node::cluster() else { return };
    if cluster.engine().is_own() {
        cluster.load(&Image::demo().unwrap());
    }
    let sandbox = cluster.sandbox();
    for folder in ["flavours", "components", "k8s"] {
        sandbox.copy(folder);
    }
    let demo = "flavours/demo.yaml";
    succeeds(&sandbox.datamill(["-k", "-i", "-f", demo]));
    ends_with(&sandbox.datamill(["-k", "-i", "-f", demo]), 0, &["nothing to do"]);
    let yes = ["--yes", "--include-data", "--confirm-project", "demo"];
    succeeds(&sandbox.datamill(["-k", "-x", "-f", demo].into_iter().chain(yes)));
}
