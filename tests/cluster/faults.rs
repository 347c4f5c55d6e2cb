//! Charts and clusters that misbehave: a clear error that names the thing, nothing lost, and the rerun converges.

use super::*;
use crate::support::charts::{Chart, Repository};

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {text: {{ .Values.text | quote }}}\n";

fn good() -> Chart {
    Chart::new("thing", "1.0.0")
        .file("values.yaml", "text: hello\n")
        .file("templates/config.yaml", CONFIG_MAP)
}

/// A project with one component whose chart comes from a repository.
fn project(repository: &Repository, version: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools();
    let component = format!(
        "schema: component/v1\nname: thing\ntitle: A thing\nlicense: Apache-2.0\nstatus: active\nparams:\n  text: {{type: string, default: hello}}\n\
         steps:\n  - id: chart\n    kind: helm\n    release: \"${{self.release}}\"\n    chart: {{repo: \"{}\", name: thing}}\n    version: {version}\n\
         \x20   values: {{text: \"${{param.text}}\"}}\n",
        repository.url()
    );
    sandbox.write("components/thing/component.yaml", &component);
    sandbox.write(
        "flavours/one.yaml",
        "project: {name: faults, k8s_namespace: faults, flavour: thing}\nlocal: {provider: kwok}\n",
    );
    sandbox
}

fn install(sandbox: &Sandbox) -> Run {
    sandbox.datamill(["-l", "-i", "-f", "flavours/one.yaml"])
}

#[test]
fn a_chart_from_a_repository_is_pinned_and_a_changed_one_is_refused() {
    let repository = Repository::start();
    repository.serve(&[good()]);
    let sandbox = project(&repository, "1.0.0");
    succeeds(&install(&sandbox));
    let lock = std::fs::read_to_string(sandbox.project().join("datamill.lock")).unwrap();
    assert!(lock.contains("thing@1.0.0"), "{lock}");
    // The same version with other content: an attack, or a maintainer's mistake.
    repository.serve(&[good().file("templates/more.yaml", "")]);
    std::fs::remove_dir_all(sandbox.home().join(".cache/datamill/charts")).unwrap();
    ends_with(&install(&sandbox), 10, &["thing", "sha256"]);
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", "flavours/one.yaml"]));
}

#[test]
fn what_a_charts_schema_refuses_names_component_key_file_and_line() {
    let repository = Repository::start();
    let schema = r#"{"properties": {"deep": {"properties": {"replicas": {"type": "integer"}}}}}"#;
    repository.serve(&[good().file("values.schema.json", schema)]);
    let sandbox = project(&repository, "1.0.0");
    sandbox.write("flavours/mine.yaml", "text: hello\ndeep:\n  replicas: many\n");
    let flavour = "project: {name: faults, k8s_namespace: faults, flavour: thing}\nlocal: {provider: kwok}\n\
                   thing: {config_file: mine.yaml}\n";
    sandbox.write("flavours/one.yaml", flavour);
    let run = sandbox.datamill(["plan", "-l", "-f", "flavours/one.yaml"]);
    let words =
        ["`thing/release/chart`", "`deep.replicas`", "want integer", "flavours/mine.yaml, line 3"];
    ends_with(&run, 10, &words);
}

#[test]
fn charts_that_cannot_be_had_are_named_before_anything_is_created() {
    let repository = Repository::start();
    repository.serve(&[good()]);
    // A chart that does not exist.
    let sandbox = project(&repository, "2.0.0");
    ends_with(&install(&sandbox), 10, &["thing", "2.0.0", "1.0.0"]);
    assert_eq!(sandbox.processes(), Vec::<String>::new());
    // An archive that is not what the index says.
    repository.tamper("thing-1.0.0.tgz");
    let sandbox = project(&repository, "1.0.0");
    ends_with(&install(&sandbox), 10, &["thing", "sha256"]);
    // A repository that answers with an error.
    repository.fail("index.yaml", 503);
    let index = format!("`{}/index.yaml` cannot be fetched", repository.url());
    let chart = format!("cannot get chart `thing` from `{}`", repository.url());
    let again = ["try again later", "mirrors:"];
    ends_with(&install(&sandbox), 8, &[&chart, &index, "answers 503", again[0], again[1]]);
    // An answer that ends in the middle.
    repository.serve(&[good()]);
    repository.truncate("thing-1.0.0.tgz");
    let archive = format!("`{}/thing-1.0.0.tgz` cannot be fetched", repository.url());
    ends_with(&install(&sandbox), 8, &[&chart, &archive, "end of file", again[0], again[1]]);
    // All well again: the rerun converges.
    repository.serve(&[good()]);
    succeeds(&install(&sandbox));
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", "flavours/one.yaml"]));
}

#[test]
fn a_chart_that_does_not_render_names_template_and_line() {
    let repository = Repository::start();
    repository.serve(&[good().file("templates/broken.yaml", "{{ .Values.a.b.c }}\n")]);
    let sandbox = project(&repository, "1.0.0");
    ends_with(&install(&sandbox), 10, &["thing", "broken.yaml"]);
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}

#[test]
fn an_object_the_server_rejects_is_named_and_the_rerun_converges() {
    let bad =
        "apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 99999}]}\n";
    let repository = Repository::start();
    repository.serve(&[good().file("templates/service.yaml", bad)]);
    let sandbox = project(&repository, "1.0.0");
    let run = install(&sandbox);
    assert_ne!(run.code, Some(0));
    ends_with(&run, run.code.unwrap(), &["thing/release/chart", "Service", "bad", "99999"]);
    std::fs::remove_dir_all(sandbox.home().join(".cache/datamill/charts")).ok();
    std::fs::remove_file(sandbox.project().join("datamill.lock")).ok();
    repository.serve(&[good()]);
    succeeds(&install(&sandbox));
    ends_with(&install(&sandbox), 0, &["nothing to do"]);
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", "flavours/one.yaml"]));
}

#[test]
fn a_release_in_pending_install_that_is_not_ours_is_left_alone() {
    let repository = Repository::start();
    repository.serve(&[good()]);
    let sandbox = project(&repository, "1.0.0");
    succeeds(&sandbox.datamill(["-l", "-s", "-f", "flavours/one.yaml"]));
    sandbox.kubectl(["create", "namespace", "faults"]);
    let name = "sh.helm.release.v1.thing.v1";
    sandbox.kubectl([
        "create",
        "secret",
        "generic",
        name,
        "-n",
        "faults",
        "--type=helm.sh/release.v1",
        "--from-literal=release=x",
    ]);
    sandbox.kubectl([
        "label",
        "secret",
        name,
        "-n",
        "faults",
        "owner=helm",
        "name=thing",
        "status=pending-install",
        "version=1",
    ]);
    ends_with(&install(&sandbox), 11, &["thing"]);
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", "flavours/one.yaml"]));
}

#[test]
fn a_terminating_namespace_is_named() {
    let repository = Repository::start();
    repository.serve(&[good()]);
    let sandbox = project(&repository, "1.0.0");
    succeeds(&install(&sandbox));
    let map = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"held","namespace":"faults","finalizers":["example.org/held"]}}"#;
    let file = sandbox.write("held.json", map);
    sandbox.kubectl(["apply", "-f", file.to_str().unwrap()]);
    sandbox.kubectl(["delete", "namespace", "faults", "--wait=false"]);
    let run = install(&sandbox);
    assert_ne!(run.code, Some(0), "{run:?}");
    ends_with(&run, run.code.unwrap(), &["faults", "being deleted"]);
    sandbox.kubectl([
        "patch",
        "configmap",
        "held",
        "-n",
        "faults",
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":null}}"#,
    ]);
    sandbox.kubectl(["wait", "--for=delete", "namespace/faults", "--timeout=30s"]);
    succeeds(&install(&sandbox));
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", "flavours/one.yaml"]));
}

#[test]
fn an_api_server_that_stops_answering_is_an_error_and_not_a_hang() {
    let repository = Repository::start();
    repository.serve(&[good()]);
    let sandbox = project(&repository, "1.0.0");
    succeeds(&install(&sandbox));
    let server =
        sandbox.processes().into_iter().find(|line| line.contains("kube-apiserver")).unwrap();
    let pid = nix::unistd::Pid::from_raw(server.split(' ').next().unwrap().parse().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::SIGSTOP).unwrap();
    let start = std::time::Instant::now();
    let run = install(&sandbox);
    assert!(start.elapsed() < std::time::Duration::from_mins(2));
    nix::sys::signal::kill(pid, nix::sys::signal::SIGCONT).unwrap();
    ends_with(&run, 8, &["cluster"]);
    ends_with(&install(&sandbox), 0, &["nothing to do"]);
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", "flavours/one.yaml"]));
}
