//! What can be said of local clusters without starting one.

use serde_json::json;

use super::*;
use crate::adapter::files;
use crate::model::{InstallationId, NodeImage, Owner, RunId};
use crate::toolchain::ToolSettings;

fn local(root: &Path) -> Local {
    let tools = ToolSettings::new(root.join("cache"), BTreeMap::new(), Redactor::default());
    Local::new(LocalSettings {
        toolchain: Arc::new(Toolchain::new(tools)),
        clusters: root.join("clusters"),
        locks: root.join("cache/locks"),
        user_kubeconfig: root.join("home/.kube/config"),
        use_context: false,
        environment: BTreeMap::new(),
        home: root.join("home"),
        redactor: Redactor::default(),
        on_tool: Arc::new(|_| {}),
    })
}

fn who(project: &str) -> Identity {
    Identity::new(project, "f", "t", InstallationId("o".to_owned()), RunId("r".to_owned()))
}

fn kwok() -> ClusterSpec {
    ClusterSpec::Kwok { name: "datamill-demo".to_owned(), nodes: Vec::new() }
}

fn mark(root: &Path, file: &str) {
    let marker = json!({"project": "demo", "owner": "o", "version": "1.35.4", "port": 20_000});
    let path = root.join("clusters/datamill-demo").join(file);
    files::write(&path, marker.to_string()).unwrap();
}

#[tokio::test]
async fn a_half_made_cluster_is_absent_and_still_found_for_deletion() {
    let root = tempfile::tempdir().unwrap();
    let local = local(root.path());
    assert_eq!(local.look(&kwok(), "demo").await, Observed::Absent);
    mark(root.path(), "begun.json");
    assert_eq!(local.look(&kwok(), "demo").await, Observed::Absent);
    let discovery = local.discover(&who("demo"), &Known::default()).await;
    assert_eq!(discovery.found.len(), 1);
    assert!(local.discover(&who("other"), &Known::default()).await.found.is_empty());
}

#[tokio::test]
async fn a_cluster_without_processes_is_off_and_belongs_to_its_project() {
    let root = tempfile::tempdir().unwrap();
    let local = local(root.path());
    mark(root.path(), "begun.json");
    mark(root.path(), "cluster.json");
    let observed = local.look(&kwok(), "demo").await;
    let found = observed.found().unwrap();
    assert_eq!((found.power, &found.owner), (crate::model::Power::Off, &Owner::Ours));
    assert_eq!(found.outputs[output::CONTEXT], "datamill-demo");
    let observed = local.look(&kwok(), "other").await;
    assert_eq!(observed.found().unwrap().owner, Owner::Other("project demo".to_owned()));
}

#[tokio::test]
async fn deleting_needs_no_tool_and_may_run_twice() {
    let root = tempfile::tempdir().unwrap();
    let local = local(root.path());
    mark(root.path(), "begun.json");
    let says: Says = Arc::new(|_| {});
    for _ in 0..2 {
        local.kwok("datamill-demo").delete(&says).await.unwrap();
        assert!(!root.path().join("clusters").exists());
    }
    assert!(local.kwok("datamill-demo").start(&says).await.is_err());
}

#[tokio::test]
async fn a_missing_context_names_those_there_are() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("home/.kube/config");
    files::write(&file, "contexts: [{name: a}, {name: b}]\n").unwrap();
    let spec = ClusterSpec::Existing { kubeconfig: None, context: Some("c".to_owned()) };
    let Observed::Unreachable { because } = local(root.path()).look(&spec, "demo").await else {
        panic!("nothing is there to be reached");
    };
    assert!(because.contains("no context `c`") && because.contains("a, b"), "{because}");
}

#[test]
fn the_usual_kubeconfig_is_the_first_one_named() {
    let home = Path::new("/home/u");
    let named = BTreeMap::from([("KUBECONFIG".to_owned(), ":/a:/b".to_owned())]);
    assert_eq!(usual_kubeconfig(&named, home), Path::new("/a"));
    assert_eq!(usual_kubeconfig(&BTreeMap::new(), home), Path::new("/home/u/.kube/config"));
}

#[tokio::test]
async fn images_are_loaded_by_kind_and_a_missing_one_says_where_it_is_missing() {
    let root = tempfile::tempdir().unwrap();
    let log = root.path().join("calls");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = version ] && {{ echo 'kind v0.33.0'; exit 0; }}\necho \"$*\" >> {}\n\
         case \"$*\" in *gone*) echo 'ERROR: image: \"gone:1\" not present locally' >&2; exit 1;; esac\n",
        log.display()
    );
    files::write_executable(&root.path().join("bin/kind"), script).unwrap();
    let path = root.path().join("bin").to_string_lossy().into_owned();
    let environment = BTreeMap::from([("PATH".to_owned(), path)]);
    let tools = ToolSettings::new(root.path().join("cache"), environment, Redactor::default());
    let mut settings = (*local(root.path()).settings).clone();
    settings.toolchain = Arc::new(Toolchain::new(tools));
    let local = Local::new(settings);
    let says: Says = Arc::new(|_| {});
    let of_engine = |name: &str| NodeImage::OfEngine(name.to_owned());
    let kind = local.kind("datamill-demo");
    let archive = NodeImage::Archive("/x.tar".into());
    kind.load(&[of_engine("mine:1"), archive, of_engine("yours:1")], &says).await.unwrap();
    let failure = kind.load(&[of_engine("gone:1")], &says).await.unwrap_err();
    assert!(failure.causes[0].contains("does not have it"), "{failure:?}");
    let calls = files::read(&log).unwrap();
    assert!(calls.contains("load docker-image mine:1 yours:1 --name datamill-demo"), "{calls}");
    assert!(calls.contains("load image-archive /x.tar --name datamill-demo"), "{calls}");
}
