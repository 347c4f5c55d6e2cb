//! What a person protected stays until a person lifts that, in a run of its own.

use super::kit::*;
use super::*;

#[test]
fn a_protected_release_and_a_protected_cluster_stay_until_that_is_lifted() {
    let mut sandbox = installed();
    sandbox.set("USER", "ann");
    let on = |words: &[&str]| sandbox.datamill(words.iter().copied().chain(["-l", "-f", DEMO]));
    ends_with(&on(&["protect", "on", "demo-ui/release/page"]), 10, &["must stay", "--yes"]);
    let protected = on(&["protect", "on", "demo-ui/release/page", "--yes"]);
    ends_with(&protected, 0, &["must stay", "protected"]);
    let again = on(&["protect", "on", "demo-ui/release/page", "--yes"]);
    ends_with(&again, 0, &["nothing to do", "said already by ann@"]);
    // A mark is no drift, and an apply leaves it.
    ends_with(&on(&["-i"]), 0, &["nothing to do"]);
    let flavour = std::fs::read_to_string(sandbox.project().join(DEMO)).unwrap();
    sandbox.write(DEMO, &flavour.replace("My first platform", "My second platform"));
    succeeds(&on(&["-i"]));

    let lift = "datamill protect off demo-ui/release/page -l -f flavours/demo.yaml\n";
    let refused = on(&["-u", "-c", "demo-ui", "--yes"]);
    ends_with(&refused, 9, &["it was protected by ann@", lift]);
    let words = ["demo-ui/release/page` in it was protected by ann@", lift];
    ends_with(&on(&["-x"]), 9, &words);
    // It leaves the file: an apply does not take it either.
    sandbox.write(DEMO, &flavour.replace("demo-ui, demo-api, demo-store", "demo-api, demo-store"));
    ends_with(&on(&["-i", "--yes"]), 9, &["it was protected by ann@", lift]);
    let releases = || sandbox.helm(["ls", "-A", "--short"]);
    assert!(releases().contains("demo-ui"), "{}", releases());
    sandbox.write(DEMO, &flavour);
    succeeds(&on(&["protect", "off", "demo-ui/release/page", "--yes"]));
    succeeds(&on(&["-u", "-c", "demo-ui", "--yes"]));
    assert!(!releases().contains("demo-ui"), "{}", releases());

    // Data is kept by an uninstall, protected or not; a destroy does not take it along.
    succeeds(&on(&["protect", "on", "demo-store/claim/data", "--yes"]));
    succeeds(&on(&["-u", "--yes"]));
    ends_with(&on(&["-x"]), 9, &["`demo-store/claim/data` in it was protected by ann@"]);
    succeeds(&on(&["protect", "off", "demo-store/claim/data", "--yes"]));

    succeeds(&on(&["protect", "on", "target/cluster/datamill-demo", "--yes"]));
    ends_with(&on(&["-x"]), 9, &["was protected by ann@", "datamill protect off"]);
    ends_with(&on(&["protect", "off", "target/cluster/datamill-demo", "--yes"]), 0, &["may go"]);
    let history = on(&["status", "--output", "json"]);
    let history: serde_json::Value = serde_json::from_str(&history.stdout).unwrap();
    assert_eq!(history["lastRun"]["command"], "protect");
    succeeds(&on(&["-x"]));
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}

#[test]
fn of_all_deletions_only_those_named_are_done_and_a_saved_plan_holds_to_them() {
    let sandbox = installed();
    let on = |words: &[&str]| sandbox.datamill(words.iter().copied().chain(["-l", "-f", DEMO]));
    let releases = || sandbox.helm(["ls", "-A", "--short"]);
    let all = releases();
    let plan = ["plan", "--uninstall", "--out", "x.plan", "--delete", "demo-ui"];
    ends_with(&on(&plan), 0, &["demo-ui/release/page", "kept by you"]);
    let wider = sandbox.datamill(["apply", "x.plan", "--delete", "demo-store"]);
    ends_with(&wider, 10, &["a saved plan does not take `--delete`"]);
    assert_eq!(releases(), all);
    succeeds(&sandbox.datamill(["apply", "x.plan"]));
    assert!(!releases().contains("demo-ui") && releases().contains("demo-store"), "{}", releases());
    // The same words again: it is gone, and nothing else goes.
    let left = releases();
    let again = on(&["-u", "--yes", "--delete", "demo-ui"]);
    ends_with(&again, 0, &["`--delete demo-ui` names nothing that is there"]);
    assert_eq!(releases(), left);
    // What nothing is called is a mistake, in each command.
    for words in [
        ["plan", "--uninstall", "--delete", "demo-stor"].as_slice(),
        &["plan", "--destroy", "--delete", "demo-stor"],
        &["apply", "--yes", "--delete", "demo-stor"],
        &["-x", "--yes", "--delete", "demo-stor"],
    ] {
        ends_with(
            &on(words),
            10,
            &["`--delete demo-stor` names nothing", "did you mean `demo-store`?"],
        );
    }
    ends_with(
        &on(&["plan", "--uninstall", "--delete", "demo-store/release/serve"]),
        10,
        &["did you mean `demo-store/release/server`?"],
    );
    assert_eq!(releases(), left);
    succeeds(&on(&["-x"]));
}

#[test]
fn at_a_terminal_each_deletion_can_be_asked_about_by_itself() {
    let sandbox = installed();
    let Some(run) = at_a_terminal(&sandbox, &["-l", "-u", "-f", DEMO]) else { return };
    let asked = std::cell::Cell::new(0);
    let (printed, well) = answered(run, |question| {
        if question.contains("[y/N/each]") {
            asked.set(asked.get() + 1);
            return if asked.get() == 1 { "each" } else { "y" };
        }
        if question.contains("`demo-ui/") { "y" } else { "n" }
    });
    assert!(well, "{printed}");
    assert!(printed.contains("kept by you"), "{printed}");
    let left = sandbox.helm(["ls", "-A", "--short"]);
    assert!(!left.contains("demo-ui") && left.contains("demo-api"), "{left}\n{printed}");
    assert!(left.contains("demo-store"), "what is needed stays: {left}");
    succeeds(&sandbox.datamill(["-l", "-x", "-f", DEMO]));
}

#[test]
fn production_keeps_data_until_its_protection_was_lifted_in_an_earlier_run() {
    let sandbox = with_demo();
    let context = host(&sandbox);
    let text = "project: {name: demo, k8s_namespace: data-mill, flavour: demo-store, environment: production}\nhybrid: {}\n";
    sandbox.write(DEMO, text);
    let on = |words: &[&str]| {
        let place = ["-k", "--context", &context, "-f", DEMO];
        sandbox.datamill(words.iter().copied().chain(place))
    };
    succeeds(&on(&["-i"]));
    let with_data = ["-x", "--yes", "--include-data", "--confirm-project", "demo"];
    let lift = "datamill protect off demo-store/claim/data";
    ends_with(&on(&with_data), 9, &["environment is production", lift]);
    let claims = || sandbox.kubectl(["get", "pvc", "-A", "-o", "name"]);
    assert!(claims().contains("demo-store-data"));
    succeeds(&on(&["protect", "off", "demo-store/claim/data", "--yes"]));
    // Lifted is not lost: without the data's own flags it stays.
    ends_with(&on(&["-x", "--yes"]), 10, &["--confirm-project demo"]);
    succeeds(&on(&["-x", "--yes", "--confirm-project", "demo"]));
    assert!(claims().contains("demo-store-data"));
    succeeds(&on(&with_data));
    assert!(!claims().contains("demo-store-data"));
    end_host(&sandbox);
}
