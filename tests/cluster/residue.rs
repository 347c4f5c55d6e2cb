//! What a destroy leaves, what it says of it, and who is found when the record is lost.

use serde_json::Value as Json;

use super::kit::*;
use super::*;

const HELD: &str = "steps:
  - id: held
    kind: objects
    objects:
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: held, finalizers: [example.org/held]}}
delete: {timeout: 3s}
";

fn on(sandbox: &Sandbox, context: &str, words: &[&str]) -> Run {
    let place = ["-k", "--context", context, "-f", FLAVOUR];
    sandbox.datamill(words.iter().copied().chain(place))
}

fn with(rest: &str) -> (Sandbox, String) {
    let sandbox = Sandbox::with_tools();
    let context = host(&sandbox);
    component(&sandbox, "thing", rest);
    flavour(&sandbox, "thing", "");
    (sandbox, context)
}

const DESTROY: [&str; 4] = ["-x", "--yes", "--confirm-project", "kit"];

#[test]
fn a_finalizer_is_waited_for_and_named_and_stripped_only_from_the_object_that_is_named() {
    let (sandbox, context) = with(HELD);
    succeeds(&on(&sandbox, &context, &["-i"]));
    let words = ["ConfigMap kit/held", "example.org/held", "instance `thing`"];
    let stuck = on(&sandbox, &context, &DESTROY);
    ends_with(&stuck, 6, &words);
    ends_with(&stuck, 6, &["--strip-finalizers ConfigMap/kit/held"]);
    let other = ["--strip-finalizers", "ConfigMap/kit/other"];
    let words: Vec<&str> = DESTROY.into_iter().chain(other).collect();
    ends_with(&on(&sandbox, &context, &words), 6, &["example.org/held"]);
    let name = ["--strip-finalizers", "ConfigMap/kit/held"];
    let words: Vec<&str> = DESTROY.into_iter().chain(name).collect();
    ends_with(&on(&sandbox, &context, &words), 0, &["stripped the finalizers"]);
    let left = sandbox.kubectl(["get", "namespaces", "-o", "name"]);
    assert!(!left.contains("namespace/kit"), "{left}");
    end_host(&sandbox);
}

#[test]
fn a_saved_plan_says_whose_finalizers_are_stripped_and_strips_no_others() {
    let (sandbox, context) = with(HELD);
    let one = |words: &[&str]| on(&sandbox, &context, words);
    succeeds(&one(&["-i"]));
    let strip = ["--strip-finalizers", "ConfigMap/kit/held"];
    succeeds(&one(&["plan", "--destroy", "--out", "without.plan"]));
    let more = ["apply", "without.plan"].into_iter().chain(strip);
    ends_with(&sandbox.datamill(more), 10, &["a saved plan does not take `--strip-finalizers`"]);
    ends_with(&sandbox.datamill(["apply", "without.plan"]), 6, &["example.org/held"]);

    let says = "ConfigMap/kit/held goes without what handles its finalizers";
    let planned: Vec<&str> =
        ["plan", "--destroy", "--out", "with.plan"].into_iter().chain(strip).collect();
    ends_with(&one(&planned), 0, &[says]);
    let words: Vec<&str> =
        ["plan", "--destroy", "--output", "json"].into_iter().chain(strip).collect();
    let json: Json = serde_json::from_str(&one(&words).stdout).unwrap();
    assert!(json["notes"].to_string().contains(says), "{json}");
    let again = ["apply", "with.plan"].into_iter().chain(strip);
    ends_with(&sandbox.datamill(again), 0, &["stripped the finalizers"]);
    let left = sandbox.kubectl(["get", "namespaces", "-o", "name"]);
    assert!(!left.contains("namespace/kit"), "{left}");
    end_host(&sandbox);
}

#[test]
fn what_bears_our_mark_and_survives_is_listed_with_exit_6() {
    let (sandbox, context) = with(&HELD.replace(", finalizers: [example.org/held]", ""));
    succeeds(&on(&sandbox, &context, &["-i"]));
    let record =
        sandbox.kubectl(["get", "configmap", "datamill", "-n", "kube-system", "-o", "json"]);
    let record: Json = serde_json::from_str(&record).unwrap();
    let entry: Json = serde_json::from_str(record["data"]["kit"].as_str().unwrap()).unwrap();
    let owner = entry["owner"].as_str().unwrap();
    sandbox.kubectl(["create", "configmap", "stray", "-n", "default"]);
    let mark = format!("datamill.dev/owner={owner}");
    sandbox.kubectl(["label", "configmap", "stray", "-n", "default", &mark]);
    let left = on(&sandbox, &context, &DESTROY);
    ends_with(&left, 6, &["destroy left something behind", "ConfigMap default/stray"]);
    sandbox.kubectl(["delete", "configmap", "stray", "-n", "default"]);
    succeeds(&on(&sandbox, &context, &DESTROY));
    end_host(&sandbox);
}

#[test]
fn without_its_record_an_installation_is_found_by_marks_and_two_of_them_stop_the_run() {
    let (sandbox, context) = with(&HELD.replace(", finalizers: [example.org/held]", ""));
    succeeds(&on(&sandbox, &context, &["-i"]));
    sandbox.kubectl(["delete", "configmap", "datamill", "-n", "kube-system"]);
    let again = on(&sandbox, &context, &["-i"]);
    ends_with(&again, 0, &["the marks of what it made name it", "target/installation/kit"]);
    ends_with(&on(&sandbox, &context, &["-i"]), 0, &["nothing to do"]);

    // Somebody brought back a part of an earlier installation.
    sandbox.kubectl(["create", "configmap", "old", "-n", "default"]);
    let marks = sandbox.kubectl([
        "get",
        "configmap",
        "held",
        "-n",
        "kit",
        "-o",
        "jsonpath={.metadata.labels.datamill\\.dev/target}",
    ]);
    let target = format!("datamill.dev/target={marks}");
    succeeds(&on(&sandbox, &context, &["plan", "--destroy", "--out", "end.plan"]));
    let labels = ["datamill.dev/project=kit", "datamill.dev/owner=earlier", &target];
    let words = ["label", "configmap", "old", "-n", "default"].into_iter().chain(labels);
    sandbox.kubectl(words);
    let two = ["more than one installation", "earlier"];
    ends_with(&on(&sandbox, &context, &DESTROY), 11, &two);
    ends_with(&on(&sandbox, &context, &["plan", "--destroy"]), 11, &two);
    ends_with(&sandbox.datamill(["apply", "end.plan"]), 11, &two);
    sandbox.kubectl(["delete", "configmap", "datamill", "-n", "kube-system"]);
    let two = ["more than one installation", "earlier: ConfigMap default/old", "datamill adopt"];
    ends_with(&on(&sandbox, &context, &["-i"]), 11, &two);
    sandbox.kubectl(["delete", "configmap", "old", "-n", "default"]);
    succeeds(&on(&sandbox, &context, &DESTROY));
    end_host(&sandbox);
}

#[test]
fn data_that_left_the_flavour_is_listed_by_every_later_status_until_somebody_takes_it_away() {
    let claim = "claims:\n  - {id: own, kind: volume, name: \"${self.release}-own\", size: 3Gi}\n";
    let (sandbox, context) = with(&format!("{claim}steps: []\n"));
    let note = HELD.replace(", finalizers: [example.org/held]", "");
    component(&sandbox, "note", &note);
    flavour(&sandbox, "thing, note", "");
    succeeds(&on(&sandbox, &context, &["-i"]));
    flavour(&sandbox, "note", "");
    ends_with(&on(&sandbox, &context, &["-i"]), 0, &["thing/claim/own"]);
    let orphaned = || {
        let run = on(&sandbox, &context, &["status", "--output", "json"]);
        let status: Json = serde_json::from_str(&run.stdout).unwrap();
        status["orphaned"].to_string()
    };
    for _ in 0..2 {
        assert_eq!(orphaned(), r#"[{"id":"thing/claim/own","namespace":"kit","size":"3Gi"}]"#);
        succeeds(&on(&sandbox, &context, &["-i"]));
    }
    let text = on(&sandbox, &context, &["status"]);
    ends_with(&text, 0, &["kept though the flavour does not name it", "thing/claim/own (3Gi)"]);
    // `--yes` alone never loses it, and neither does naming it without the project.
    succeeds(&on(&sandbox, &context, &["-i", "--yes"]));
    let asked = on(&sandbox, &context, &["-i", "--yes", "--include-data"]);
    ends_with(&asked, 10, &["`thing/claim/own` (3Gi)", "--include-data --confirm-project kit"]);
    let wrong = ["-i", "--yes", "--include-data", "--confirm-project", "kat"];
    ends_with(&on(&sandbox, &context, &wrong), 10, &["does not name this project"]);
    assert!(orphaned().contains("thing/claim/own"));
    let named = ["-i", "--yes", "--include-data", "--confirm-project", "kit"];
    ends_with(&on(&sandbox, &context, &named), 0, &["DATA IS LOST (3Gi)"]);
    assert_eq!(orphaned(), "[]");
    succeeds(&on(&sandbox, &context, &DESTROY));
    end_host(&sandbox);
}

#[test]
fn what_leaves_the_flavour_goes_only_when_somebody_says_yes() {
    let sandbox = Sandbox::with_tools();
    let note =
        |name: &str| HELD.replace(", finalizers: [example.org/held]", "").replace("held", name);
    component(&sandbox, "stays", &note("stays"));
    component(&sandbox, "leaves", &note("leaves"));
    let local = |words: &[&str]| kit::on(&sandbox, words);
    flavour(&sandbox, "stays, leaves", "");
    succeeds(&local(&["-i"]));
    let maps = || sandbox.kubectl(["get", "configmaps", "-n", "kit", "-o", "name"]);
    flavour(&sandbox, "stays", "");
    // `-i` goes ahead with what creates or updates; this line deletes, so it asks.
    let plan = local(&["plan"]);
    ends_with(&plan, 0, &["Will be destroyed", "- leaves/objects/leaves"]);
    ends_with(&local(&["-i"]), 10, &["will be deleted or replaced", "--yes"]);
    assert!(maps().contains("configmap/leaves"), "{}", maps());
    // `-c` is about what it names, and prunes nothing.
    succeeds(&local(&["-i", "-c", "stays"]));
    assert!(maps().contains("configmap/leaves"), "{}", maps());
    succeeds(&local(&["-i", "--yes"]));
    assert!(!maps().contains("configmap/leaves") && maps().contains("configmap/stays"));
    destroy(&sandbox);
}

#[test]
fn with_all_files_gone_project_and_target_are_enough_to_destroy() {
    let (sandbox, context) = with(&HELD.replace(", finalizers: [example.org/held]", ""));
    succeeds(&on(&sandbox, &context, &["-i"]));
    sandbox.write(FLAVOUR, "project: {name: kit, flavour: [gone]}\n");
    let broken = on(&sandbox, &context, &DESTROY);
    ends_with(&broken, 10, &["gone", "datamill destroy --project NAME --flavour-name NAME -k"]);
    std::fs::remove_dir_all(sandbox.project().join("flavours")).unwrap();
    std::fs::remove_dir_all(sandbox.project().join("components/thing")).unwrap();
    let place = ["-k", "--context", &context, "--project", "kit", "--flavour-name", "one"];
    let words: Vec<&str> = DESTROY.into_iter().chain(place).collect();
    ends_with(&sandbox.datamill(words.iter().copied()), 0, &["- thing/objects/held"]);
    let left = sandbox.kubectl(["get", "namespaces", "-o", "name"]);
    assert!(!left.contains("namespace/kit"), "{left}");
    ends_with(&sandbox.datamill(words), 0, &["nothing to do"]);
    end_host(&sandbox);
}
