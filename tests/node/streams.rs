//! Programs in containers and ports of pods, through datamill's own door to the cluster.

use std::net::SocketAddr;
use std::time::Duration;

use datamill::adapter::kube::{Cluster, KubeError, Program};
use datamill::model::ObjectRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::node::{self, BUSYBOX, Image, Namespace};

fn pod(space: &Namespace<'_>, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        namespace: Some(space.name.clone()),
        name: name.to_owned(),
    }
}

fn program<'a>(pod: &'a ObjectRef, args: &'a [&'a str]) -> Program<'a> {
    Program { pod, container: None, args, most: 1000, deadline: Duration::from_mins(5) }
}

/// A pod that does nothing, and one of a web server.
fn pods(cluster: &node::Cluster) -> Namespace<'_> {
    cluster.load(&Image::answer().unwrap());
    let space = cluster.namespace();
    space.apply(&format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: box}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{{name: box, image: {BUSYBOX}, command: [sleep, '100000']}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: answer
      image: datamill.test/answer:1
      imagePullPolicy: IfNotPresent
      env: [{{name: TEXT, value: hello from a pod}}]
      readinessProbe: {{httpGet: {{path: /ready, port: 8080}}, periodSeconds: 1}}
"
    ));
    space.kubectl(&["wait", "pod/box", "pod/web", "--for=condition=Ready", "--timeout=300s"]);
    space
}

#[test]
fn a_program_in_a_container_gives_its_words_and_its_code() {
    let Some(cluster) = node::cluster() else { return };
    let space = pods(cluster);
    let target = pod(&space, "box");
    cluster.inside(async |kube| {
        let both = ["sh", "-c", "echo out; echo err >&2; exit 7"];
        let ran = kube.exec(&program(&target, &both)).await.unwrap();
        assert_eq!(
            (ran.code, ran.stdout.lossy(), ran.stderr.lossy()),
            (7, "out\n".to_owned(), "err\n".to_owned())
        );

        let much = ["sh", "-c", "head -c 300000 /dev/zero; echo end >&2"];
        let ran = kube.exec(&program(&target, &much)).await.unwrap();
        assert_eq!((ran.code, ran.stdout.bytes.len(), ran.stdout.cut), (0, 1000, true));
        assert_eq!(ran.stderr.lossy(), "end\n");

        // Longer than a request may take.
        let silent = ["sh", "-c", "sleep 33; echo done"];
        let ran = kube.exec(&program(&target, &silent)).await.unwrap();
        assert_eq!(ran.stdout.lossy(), "done\n");

        let endless =
            Program { deadline: Duration::from_secs(2), ..program(&target, &["sleep", "1000"]) };
        let late = kube.exec(&endless).await.unwrap_err();
        assert!(matches!(late, KubeError::Timeout { seconds: 2, .. }), "{late:?}");

        let none = kube.exec(&program(&target, &["no-such-program"])).await.unwrap_err();
        assert!(
            matches!(&none, KubeError::Invalid(says) if says.contains("no-such-program")),
            "{none:?}"
        );
        let elsewhere = Program { container: Some("other"), ..program(&target, &["true"]) };
        let none = kube.exec(&elsewhere).await.unwrap_err();
        assert!(
            matches!(&none, KubeError::Invalid(says) if says.contains("container other")),
            "{none:?}"
        );
        let nobody = pod(&space, "nobody");
        let none = kube.exec(&program(&nobody, &["true"])).await.unwrap_err();
        assert!(matches!(&none, KubeError::NotFound(says) if says.contains("nobody")), "{none:?}");
    });
}

/// What a web server answers; the asker has said all, and listens on.
async fn get(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    // A connection that leads nowhere may be reset.
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_port_leads_to_a_pod_as_long_as_it_is_held() {
    let Some(cluster) = node::cluster() else { return };
    let space = pods(cluster);
    let target = pod(&space, "web");
    cluster.inside(async |kube: Cluster| {
        let forward = kube.forward(&target, 8080, 0).await.unwrap();
        let address = forward.address();
        assert!(address.ip().is_loopback());
        // One that says nothing is in nobody's way.
        let _idle = TcpStream::connect(address).await.unwrap();
        let answers = tokio::join!(get(address), get(address), get(address));
        for answer in [answers.0, answers.1, answers.2] {
            assert!(answer.contains("hello from a pod"), "{answer} {:?}", forward.problem());
        }
        assert_eq!(forward.problem(), None);
        let taken = kube.forward(&target, 8080, address.port()).await.err().unwrap();
        assert!(taken.to_string().contains(&address.to_string()), "{taken}");

        // Nobody listens there.
        let closed = kube.forward(&target, 9, 0).await.unwrap();
        assert_eq!(get(closed.address()).await, "");
        let problem = closed.problem().unwrap_or_default();
        assert!(problem.contains("refused"), "{problem}");

        // The pod goes: each later connection is refused, and why is known.
        space.kubectl(&["delete", "pod", "web", "--now"]);
        assert_eq!(get(address).await, "");
        let problem = forward.problem().unwrap_or_default();
        assert!(problem.contains("\"web\" not found"), "{problem}");
        let none = kube.forward(&target, 8080, 0).await.err().unwrap();
        assert!(none.means_absent(), "{none:?}");

        drop(forward);
        tokio::task::yield_now().await;
        assert!(TcpStream::connect(address).await.is_err(), "it listens on");
    });
}
