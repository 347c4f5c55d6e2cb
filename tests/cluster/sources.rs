//! Where charts come from: an OCI registry, and mirrors that stand for hosts out of reach.

use super::kit::*;
use super::*;
use crate::support::charts::{Chart, Repository};

fn thing(text: &str) -> Chart {
    Chart::new("thing", "1.0.0")
        .file("values.yaml", &format!("text: {text}\n"))
        .file("templates/map.yaml", MAP)
}

fn installs(sandbox: &Sandbox, name: &str, source: &str) {
    let rest = format!(
        "steps:\n  - id: chart\n    kind: helm\n    release: \"${{self.release}}\"\n    chart: {source}\n    version: 1.0.0\n"
    );
    component(sandbox, name, &rest);
}

fn forget_charts(sandbox: &Sandbox) {
    std::fs::remove_dir_all(sandbox.home().join(".cache/datamill/charts")).unwrap();
}

#[test]
fn a_chart_of_a_registry_is_pinned_and_another_one_is_refused() {
    let repository = Repository::start();
    repository.serve_oci("charts/thing", &thing("one"));
    let sandbox = Sandbox::with_tools();
    installs(&sandbox, "thing", &format!("{{oci: \"{}/charts/thing\"}}", repository.oci()));
    flavour(&sandbox, "thing", "");
    succeeds(&on(&sandbox, &["-i"]));
    let lock = std::fs::read_to_string(sandbox.project().join("datamill.lock")).unwrap();
    assert!(lock.contains("/charts/thing@1.0.0"), "{lock}");
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);

    // The same version with other content.
    repository.serve_oci("charts/thing", &thing("two"));
    forget_charts(&sandbox);
    ends_with(&on(&sandbox, &["-i"]), 10, &["thing", "sha256", "datamill.lock"]);
    let text = sandbox.kubectl(["get", "cm", "thing", "-n", "kit", "-o", "jsonpath={.data.text}"]);
    assert_eq!(text, "one");
    // A version that is not there.
    repository.serve_oci("charts/thing", &thing("one"));
    repository.fail("v2/charts/thing/manifests/1.0.0", 404);
    forget_charts(&sandbox);
    ends_with(&on(&sandbox, &["-i"]), 10, &["thing@1.0.0", "the registry does not have it"]);
    repository.serve_oci("charts/thing", &thing("one"));
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    destroy(&sandbox);
}

#[test]
fn a_registry_gets_the_login_of_the_users_helm() {
    let repository = Repository::start();
    repository.serve_oci("charts/thing", &thing("one"));
    repository.wants_login("me", "hunter2");
    let sandbox = Sandbox::with_tools();
    installs(&sandbox, "thing", &format!("{{oci: \"{}/charts/thing\"}}", repository.oci()));
    flavour(&sandbox, "thing", "");
    let refused = on(&sandbox, &["-i"]);
    ends_with(&refused, 8, &["wants a login", "helm registry login 127.0.0.1"]);
    let login = data_encoding::BASE64.encode(b"me:hunter2");
    let host = repository.oci().trim_start_matches("oci://").to_owned();
    let config = sandbox.home().join(".config/helm/registry/config.json");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    std::fs::write(&config, format!(r#"{{"auths":{{"{host}":{{"auth":"{login}"}}}}}}"#)).unwrap();
    succeeds(&on(&sandbox, &["-i"]));
    destroy(&sandbox);
}

#[test]
fn mirrors_stand_for_hosts_out_of_reach() {
    let repository = Repository::start();
    repository.serve_as("stable", "https://charts.example.org/stable", &[thing("one")]);
    repository.serve_oci("team/thing", &thing("two"));
    let sandbox = Sandbox::with_tools();
    installs(&sandbox, "indexed", "{repo: \"https://charts.example.org/stable\", name: thing}");
    installs(&sandbox, "stored", "{oci: \"oci://registry.example.org/team/thing\"}");
    let url = repository.url();
    let mirrors = format!("mirrors:\n  charts.example.org: {url}\n  registry.example.org: {url}\n");
    flavour(&sandbox, "indexed stored", &mirrors);
    succeeds(&on(&sandbox, &["-i"]));
    let text = |name: &str| {
        sandbox.kubectl(["get", "cm", name, "-n", "kit", "-o", "jsonpath={.data.text}"])
    };
    assert_eq!((text("indexed"), text("stored")), ("one".to_owned(), "two".to_owned()));
    // The lock file names the hosts that the components name, so that it is the same with another mirror.
    let lock = std::fs::read_to_string(sandbox.project().join("datamill.lock")).unwrap();
    for name in ["charts.example.org/stable/thing@1.0.0", "registry.example.org/team/thing@1.0.0"] {
        assert!(lock.contains(name), "{lock}");
    }
    assert!(!lock.contains("127.0.0.1"), "{lock}");
    // A mirror is believed as little as its host: it must have what the index says, and what is pinned.
    repository.tamper("stable/thing-1.0.0.tgz");
    forget_charts(&sandbox);
    ends_with(&on(&sandbox, &["-i"]), 10, &["thing", "sha256"]);
    repository.serve_as("stable", "https://charts.example.org/stable", &[thing("three")]);
    ends_with(&on(&sandbox, &["-i"]), 10, &["thing", "sha256", "datamill.lock"]);
    repository.serve_as("stable", "https://charts.example.org/stable", &[thing("one")]);
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    destroy(&sandbox);
}

#[test]
fn manifests_bear_the_labels_of_their_step_and_a_field_is_held_against_a_pattern() {
    let sandbox = Sandbox::with_tools();
    let steps = "steps:
  - {id: maps, kind: manifests, files: [maps.yaml], labels: {team: \"${project.name}\", tier: step}, wait: [{field: {ref: v1/ConfigMap/one, path: .data.a, matches: \"^b+$\"}}]}
";
    component(&sandbox, "thing", steps);
    let map = |value: &str| {
        let text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: one, labels: {{tier: file, own: \"1\"}}}}\ndata: {{a: {value}}}\n"
        );
        sandbox.write("components/thing/maps.yaml", &text);
    };
    map("bbb");
    flavour(&sandbox, "thing", "thing: {setup_timeout: 6}\n");
    succeeds(&on(&sandbox, &["-i"]));
    let maps = list(&sandbox, "configmaps", "kit");
    let one = maps.iter().find(|map| map["metadata"]["name"] == "one").unwrap();
    let labels = &one["metadata"]["labels"];
    assert_eq!(
        (&labels["team"], &labels["tier"], &labels["own"]),
        (&"kit".into(), &"step".into(), &"1".into())
    );
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    map("abba");
    ends_with(&on(&sandbox, &["-i"]), 7, &["/data/a", "matches `^b+$`"]);
    destroy(&sandbox);
}
