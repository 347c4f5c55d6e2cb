//! Taking over and letting go: marks change hands, and nothing else does.

use serde_json::Value as Json;

use super::kit::*;
use super::*;

fn with_thing() -> Sandbox {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", &helm_step("{text: one}"));
    chart(&sandbox, "thing", "text: none\n", &[MAP]);
    flavour(&sandbox, "thing", "");
    sandbox
}

fn get(sandbox: &Sandbox, words: &[&str]) -> Json {
    let words = ["get"].into_iter().chain(words.iter().copied()).chain(["-o", "json"]);
    serde_json::from_str(&sandbox.kubectl(words)).unwrap()
}

fn revisions(sandbox: &Sandbox) -> usize {
    let history = sandbox.helm(["history", "thing", "-n", "kit", "-o", "json"]);
    serde_json::from_str::<Vec<Json>>(&history).unwrap().len()
}

#[test]
fn a_release_made_by_hand_is_taken_over_by_its_marks_and_then_upgraded() {
    let sandbox = with_thing();
    succeeds(&on(&sandbox, &["-s"]));
    sandbox.kubectl(["create", "namespace", "kit"]);
    sandbox.helm(["install", "thing", "components/thing/chart", "-n", "kit"]);
    let map = ["configmap", "thing", "-n", "kit"];
    let uid = |sandbox: &Sandbox| get(sandbox, &map)["metadata"]["uid"].clone();
    let before = uid(&sandbox);
    // The plan names the command.
    let command = "datamill adopt thing/release/chart -l -f flavours/one.yaml\n";
    ends_with(&on(&sandbox, &["plan"]), 11, &["Helm release thing", command]);
    // Without an answer nothing is taken.
    ends_with(&on(&sandbox, &["adopt", "thing"]), 10, &["until now: Helm release thing", "--yes"]);
    assert!(!get(&sandbox, &map).to_string().contains("datamill.dev/"));
    let adopted = on(&sandbox, &["adopt", "thing", "--yes"]);
    ends_with(&adopted, 0, &["becomes ours", "none -> one", "the next apply: update"]);
    assert_eq!(get(&sandbox, &map)["data"]["text"], "none", "marks alone");
    assert_eq!(revisions(&sandbox), 1);
    ends_with(&on(&sandbox, &["adopt", "thing", "--yes"]), 0, &["ours already"]);
    ends_with(&on(&sandbox, &["status"]), 0, &["last run: `adopt`"]);

    succeeds(&on(&sandbox, &["-i"]));
    assert_eq!(get(&sandbox, &map)["data"]["text"], "one");
    assert_eq!((revisions(&sandbox), uid(&sandbox)), (2, before));
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);

    // Let go and taken back, it differs in nothing, and the plan says what its upgrade is for.
    succeeds(&on(&sandbox, &["orphan", "thing", "--yes"]));
    succeeds(&on(&sandbox, &["adopt", "thing", "--yes"]));
    let plan = on(&sandbox, &["plan"]);
    ends_with(&plan, 0, &["nothing in it differs", "is not recorded"]);
    assert!(!plan.stdout.contains("as applied"), "{plan:?}");
    succeeds(&on(&sandbox, &["-i"]));
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);

    // Another flavour takes it over with all it has.
    let one = std::fs::read_to_string(sandbox.project().join(FLAVOUR)).unwrap();
    sandbox.write("flavours/two.yaml", &one);
    let two = |words: &[&str]| {
        sandbox.datamill(words.iter().copied().chain(["-l", "-f", "flavours/two.yaml"]))
    };
    let command = "datamill adopt thing --from one -l -f flavours/two.yaml\n";
    ends_with(&two(&["-i"]), 11, &["flavour one", command]);
    ends_with(&two(&["adopt", "thing", "--from", "none", "--yes"]), 11, &["flavour one"]);
    ends_with(&two(&["adopt", "thing", "--from", "one", "--yes"]), 0, &["until now: flavour one"]);
    succeeds(&two(&["-i"]));
    ends_with(&two(&["-i"]), 0, &["nothing to do"]);
    ends_with(&on(&sandbox, &["plan"]), 11, &["datamill adopt thing --from two"]);
    succeeds(&on(&sandbox, &["destroy", "--all-flavours"]));
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}

#[test]
fn what_a_living_installation_has_is_taken_over_only_when_that_lets_go() {
    let sandbox = with_thing();
    let context = host(&sandbox);
    let on = |file: &str, words: &[&str]| {
        let place = ["-k", "--context", &context, "-f", file];
        sandbox.datamill(words.iter().copied().chain(place))
    };
    succeeds(&on(FLAVOUR, &["-i"]));
    let text = std::fs::read_to_string(sandbox.project().join(FLAVOUR)).unwrap();
    sandbox.write("other/flavours/other.yaml", &text.replace("name: kit", "name: other"));
    let link = sandbox.project().join("other/components");
    std::os::unix::fs::symlink(sandbox.project().join("components"), link).unwrap();
    let other = "other/flavours/other.yaml";
    let map = ["configmap", "thing", "-n", "kit"];
    let before = get(&sandbox, &map);
    ends_with(&on(other, &["-i"]), 11, &["project kit, installation"]);
    let refused = on(other, &["adopt", "thing", "--yes"]);
    ends_with(&refused, 11, &["project kit, installation", "orphan"]);
    assert_eq!(get(&sandbox, &map), before, "nothing was touched");

    // Its owner lets go: marks come off, and nothing else.
    let orphaned = on(FLAVOUR, &["orphan", "thing", "--yes"]);
    ends_with(&orphaned, 0, &["stays, and is ours no more", "still in the flavour"]);
    let after = get(&sandbox, &map);
    assert!(!after["metadata"]["labels"].to_string().contains("datamill.dev/"), "{after}");
    assert!(!after["metadata"]["annotations"].to_string().contains("datamill.dev/"), "{after}");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["data"], before["data"]);
    let storage = get(&sandbox, &["secrets", "-n", "kit", "-l", "owner=helm"]);
    for secret in storage["items"].as_array().unwrap() {
        assert!(!secret["metadata"].to_string().contains("datamill.dev/"), "{secret}");
    }
    ends_with(&on(FLAVOUR, &["orphan", "thing", "--yes"]), 10, &["nothing of ours here is called"]);
    ends_with(&on(FLAVOUR, &["plan"]), 11, &["datamill adopt thing/release/chart"]);
    // Not even a destroy takes what is nobody's.
    succeeds(&on(FLAVOUR, &["-x", "--yes", "--confirm-project", "kit"]));
    assert_eq!(get(&sandbox, &map)["metadata"]["uid"], before["metadata"]["uid"]);

    succeeds(&on(other, &["adopt", "thing", "--yes"]));
    succeeds(&on(other, &["-i"]));
    ends_with(&on(other, &["-i"]), 0, &["nothing to do"]);
    assert_eq!(get(&sandbox, &map)["metadata"]["uid"], before["metadata"]["uid"]);
    end_host(&sandbox);
}

#[test]
fn what_others_need_is_not_let_go_of() {
    let sandbox = installed();
    let on = |words: &[&str]| sandbox.datamill(words.iter().copied().chain(["-l", "-f", DEMO]));
    // Others need it: what is suggested leaves all of it in place.
    let together = "datamill orphan demo-api demo-store demo-ui -l";
    let refused = on(&["orphan", "demo-store", "--yes"]);
    ends_with(&refused, 9, &["needed by `demo-api/", together]);
    assert!(!refused.stderr.contains("uninstall"), "{refused:?}");
    ends_with(&on(&["orphan", "demo-stroe", "--yes"]), 10, &["did you mean `demo-store`"]);
    ends_with(&on(&["orphan", "target/cluster/datamill-demo", "--yes"]), 10, &["stands on it"]);
    succeeds(&on(&["orphan", "demo-ui", "--yes"]));
    let status = on(&["status", "--output", "json"]);
    let status: Json = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["lastRun"]["command"], "orphan", "the journal names it");
    // It is in the flavour and not ours any more.
    let row = |name: &str| {
        let rows = status["instances"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap()["state"].clone()
    };
    assert_eq!((row("demo-ui"), row("demo-api")), ("unmanaged".into(), "assumed".into()));
    let uids = || {
        sandbox.kubectl([
            "get",
            "pvc,deploy,secret",
            "-n",
            "data-mill",
            "-o",
            "jsonpath={.items[*].metadata.uid}",
        ])
    };
    let before = uids();
    succeeds(&on(&["orphan", "demo-api", "demo-store", "--yes"]));
    assert_eq!(uids(), before, "nothing went");
    succeeds(&on(&["destroy"]));
}

#[test]
fn a_lost_class_costs_no_data_and_what_another_owner_marked_is_not_taken_away() {
    let sandbox = installed();
    let on = |words: &[&str]| sandbox.datamill(words.iter().copied().chain(["-l", "-f", DEMO]));
    let label = |kind: &str, name: &str, label: &str| {
        sandbox.kubectl(["label", "-n", "data-mill", "--overwrite", kind, name, label]);
    };
    let owner = get(&sandbox, &["svc", "demo-store", "-n", "data-mill"]);
    let owner = owner["metadata"]["labels"]["datamill.dev/owner"].as_str().unwrap().to_owned();
    label("svc", "demo-store", "datamill.dev/owner=someoneelse");
    let says =
        ["Service data-mill/demo-store", "belongs to another owner", "datamill orphan demo-store"];
    ends_with(&on(&["-u", "--yes"]), 11, &says);
    ends_with(&on(&["plan", "--uninstall"]), 11, &says);
    assert_eq!(sandbox.helm(["ls", "-A", "--short"]).split_whitespace().count(), 3, "untouched");
    label("svc", "demo-store", &format!("datamill.dev/owner={owner}"));

    let claim = ["pvc", "demo-store-data", "-n", "data-mill"];
    let uid = || get(&sandbox, &claim)["metadata"]["uid"].clone();
    let before = uid();
    for mark in ["datamill.dev/class-", "datamill.dev/class=stateless"] {
        label("pvc", "demo-store-data", mark);
        ends_with(&on(&["-u", "--yes"]), 0, &["demo-store/claim/data", "it holds data"]);
        assert_eq!(uid(), before, "{mark}");
        succeeds(&on(&["-i"]));
    }
    label("svc", "demo-store", "datamill.dev/owner=someoneelse");
    // Where the whole cluster goes, it goes.
    succeeds(&on(&["destroy"]));
}
