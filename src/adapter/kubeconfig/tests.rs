//! What must hold for a file that belongs to the user.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

const THEIRS: &str = "apiVersion: v1
kind: Config
current-context: work
preferences: {colors: true}
x-unknown: [1, 2]
clusters:
- name: work
  cluster: {server: https://work, proxy-url: http://p, x-more: kept}
contexts:
- name: work
  context: {cluster: work, user: me, namespace: team}
users:
- name: me
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, args: [a, b], env: null}}
";

fn entry(server: &str) -> Entry {
    Entry {
        name: "datamill-demo".to_owned(),
        server: server.to_owned(),
        authority: "Y2E=".to_owned(),
        certificate: "Y2VydA==".to_owned(),
        key: Secret::new("a2V5"),
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".kube/config");
    (folder, path)
}

#[tokio::test]
async fn what_others_wrote_stays_through_merge_and_remove() {
    let (_folder, path) = folder();
    files::write(&path, THEIRS).unwrap();
    let before = load(&path).unwrap();
    merge(&path, &entry("https://127.0.0.1:1"), false).await.unwrap();
    assert!(holds(&path, &entry("https://127.0.0.1:1")).unwrap());
    assert!(!holds(&path, &entry("https://127.0.0.1:2")).unwrap());
    let known = contexts(&path).unwrap();
    assert_eq!(known.names, ["work", "datamill-demo"]);
    assert_eq!(known.current.as_deref(), Some("work"));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(remove(&path, "datamill-demo").await.unwrap());
    assert_eq!(load(&path).unwrap(), before);
    assert!(!remove(&path, "datamill-demo").await.unwrap());
}

#[tokio::test]
async fn a_file_of_ours_goes_with_its_last_entry() {
    let (_folder, path) = folder();
    merge(&path, &entry("https://a"), true).await.unwrap();
    merge(&path, &entry("https://b"), false).await.unwrap();
    assert_eq!(contexts(&path).unwrap().current.as_deref(), Some("datamill-demo"));
    assert_eq!(contexts(&path).unwrap().names.len(), 1);
    assert!(remove(&path, "datamill-demo").await.unwrap());
    assert!(!path.exists());
    assert!(!remove(&path, "datamill-demo").await.unwrap());
}

#[tokio::test]
async fn an_empty_file_of_the_user_stays() {
    let (_folder, path) = folder();
    files::write(&path, "").unwrap();
    merge(&path, &entry("https://a"), false).await.unwrap();
    assert_eq!(contexts(&path).unwrap().current, None);
    remove(&path, "datamill-demo").await.unwrap();
    assert!(path.exists());
}

#[tokio::test]
async fn our_current_context_goes_with_us() {
    let (_folder, path) = folder();
    files::write(&path, THEIRS).unwrap();
    merge(&path, &entry("https://a"), true).await.unwrap();
    remove(&path, "datamill-demo").await.unwrap();
    assert_eq!(contexts(&path).unwrap().current, None);
}

#[tokio::test]
async fn a_broken_file_is_named_and_left_as_it_is() {
    let (_folder, path) = folder();
    for (text, says) in [
        ("clusters: [\n", "is broken on line"),
        ("- a\n", "it holds a list"),
        ("contexts: {a: b}\n", "`contexts` is no list"),
    ] {
        files::write(&path, text).unwrap();
        let error = merge(&path, &entry("https://a"), false).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert!(remove(&path, "datamill-demo").await.is_err());
        assert_eq!(files::read(&path).unwrap(), text);
        assert_eq!(files::list(path.parent().unwrap()).unwrap(), std::slice::from_ref(&path));
    }
}

#[tokio::test]
async fn a_link_stays_a_link() {
    let (folder, path) = folder();
    let target = folder.path().join("elsewhere");
    files::write(&target, THEIRS).unwrap();
    files::create_folder(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    merge(&path, &entry("https://a"), false).await.unwrap();
    assert!(path.is_symlink());
    assert!(holds(&target, &entry("https://a")).unwrap());
}

#[tokio::test]
async fn a_stale_lock_is_taken_over() {
    let (_folder, path) = folder();
    let lock = PathBuf::from(format!("{}.lock", path.display()));
    files::write(&lock, "").unwrap();
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    std::fs::File::options().write(true).open(&lock).unwrap().set_modified(long_ago).unwrap();
    merge(&path, &entry("https://a"), false).await.unwrap();
    assert!(!lock.exists());
}

#[test]
fn an_entry_alone_is_a_whole_kubeconfig() {
    let (_folder, path) = folder();
    files::write_private(&path, entry("https://a").alone()).unwrap();
    assert!(holds(&path, &entry("https://a")).unwrap());
    assert_eq!(contexts(&path).unwrap().current.as_deref(), Some("datamill-demo"));
}

#[test]
fn an_administrators_file_becomes_an_entry_under_our_name() {
    let text = "clusters:\n- {name: x, cluster: {server: 'https://x-control-plane:6443', certificate-authority-data: QQ==}}\n\
                users:\n- {name: a, user: {client-certificate-data: Qg==, client-key-data: Qw==}}\n";
    let entry = Entry::of_admin(text, "datamill-x", "https://127.0.0.1:1").unwrap();
    assert_eq!((entry.name.as_str(), entry.server.as_str()), ("datamill-x", "https://127.0.0.1:1"));
    assert_eq!((entry.authority.as_str(), entry.key.reveal()), ("QQ==", "Qw=="));
    assert_eq!(Entry::of_admin("clusters: []", "a", "b"), None);
}
