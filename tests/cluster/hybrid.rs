//! An existing cluster: used, never created or deleted; volumes stay.

use super::*;

/// Makes the sandbox's kwok cluster an existing one for a second project.
fn existing() -> (Sandbox, String) {
    let sandbox = with_demo();
    sandbox.write(
        "host/flavours/host.yaml",
        "project: {name: host, k8s_namespace: host, flavour: demo-store}\nlocal: {provider: kwok}\n",
    );
    succeeds(&sandbox.datamill(["-l", "-s", "-f", "host/flavours/host.yaml"]));
    let context = sandbox.context();
    (sandbox, context)
}

#[test]
fn destroy_on_an_existing_cluster_keeps_the_volume_and_the_cluster() {
    let (sandbox, context) = existing();
    let target = ["-k", "--context", &context, "-f", DEMO];
    let on =
        |first: &[&'static str]| -> Run { sandbox.datamill(first.iter().copied().chain(target)) };
    succeeds(&on(&["-i"]));
    ends_with(&on(&["-i"]), 0, &["nothing to do"]);
    let destroyed = on(&["-x", "--yes", "--confirm-project", "demo"]);
    ends_with(&destroyed, 0, &["demo-store/claim/data"]);
    let claims = sandbox.kubectl(["get", "pvc", "-A", "-o", "name"]);
    assert!(claims.contains("demo-store-data"), "{claims}");
    assert_eq!(sandbox.helm(["ls", "-A", "--short"]).trim(), "");
    // With the data named, it goes as well.
    succeeds(&on(&["-x", "--yes", "--include-data", "--confirm-project", "demo"]));
    let claims = sandbox.kubectl(["get", "pvc", "-A", "-o", "name"]);
    assert!(!claims.contains("demo-store-data"), "{claims}");
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", "host/flavours/host.yaml"]));
}

#[test]
fn a_cluster_in_which_another_project_lives_stays_and_what_goes_with_it_is_named() {
    let (sandbox, context) = existing();
    succeeds(&sandbox.datamill(["-i", "-k", "--context", &context, "-f", DEMO]));
    sandbox.kubectl(["create", "namespace", "theirs"]);
    sandbox.kubectl(["create", "configmap", "theirs", "-n", "theirs"]);
    let host = ["destroy", "-l", "-f", "host/flavours/host.yaml"];
    let says = ["project `demo` with flavour `demo` lives in it", "`--all-flavours` takes all"];
    ends_with(&sandbox.datamill(host), 0, &says);
    assert_eq!(sandbox.helm(["ls", "-A", "--short"]).split_whitespace().count(), 3);
    let all = sandbox.datamill(host.into_iter().chain(["--all-flavours"]));
    ends_with(&all, 0, &["not ours, and goes with it: Namespace data-mill, Namespace theirs"]);
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}

#[test]
fn a_context_that_does_not_exist_is_named_with_those_that_do() {
    let (sandbox, context) = existing();
    let run = sandbox.datamill(["-k", "-i", "--context", "nowhere", "-f", DEMO]);
    ends_with(&run, 8, &["nowhere", &context]);
}

#[test]
fn a_foreign_object_stops_the_run_before_any_change() {
    let (sandbox, context) = existing();
    sandbox.kubectl(["create", "namespace", "data-mill"]);
    sandbox.kubectl(["create", "service", "clusterip", "demo-api", "--tcp=80", "-n", "data-mill"]);
    let before = sandbox.kubectl(["get", "all", "-A", "-o", "name"]);
    let run = sandbox.datamill(["-k", "-i", "--context", &context, "-f", DEMO]);
    ends_with(&run, 11, &["Service data-mill/demo-api"]);
    assert_eq!(sandbox.kubectl(["get", "all", "-A", "-o", "name"]), before);
    let service = sandbox.kubectl(["get", "service", "demo-api", "-n", "data-mill", "-o", "json"]);
    assert!(!service.contains("datamill.dev/"), "{service}");
}

/// The volume of the demo's claim: its name, its reclaim policy, and the one that is remembered.
fn volume(sandbox: &Sandbox) -> Option<(String, String, Option<String>)> {
    let all = sandbox.kubectl(["get", "pv", "-o", "json"]);
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    let mut all = all["items"].as_array().unwrap().iter();
    let volume = all.find(|volume| volume["spec"]["claimRef"]["name"] == "demo-store-data")?;
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    Some((
        text(&volume["metadata"]["name"]).unwrap(),
        text(&volume["spec"]["persistentVolumeReclaimPolicy"]).unwrap(),
        text(&volume["metadata"]["annotations"]["datamill.dev/reclaim-policy"]),
    ))
}

#[test]
fn the_volume_of_a_kept_claim_outlives_it_until_the_claim_is_wanted_again() {
    let (sandbox, context) = existing();
    let target = ["-k", "--context", &context, "-f", DEMO];
    let on =
        |first: &[&'static str]| -> Run { sandbox.datamill(first.iter().copied().chain(target)) };
    succeeds(&on(&["-i"]));
    let (name, before, remembered) = volume(&sandbox).unwrap();
    assert_eq!((before.as_str(), remembered), ("Delete", None));
    let kept = Some((name.clone(), "Retain".to_owned(), Some("Delete".to_owned())));

    let says = format!("its volume {name} will outlive it: reclaim policy Delete -> Retain");
    ends_with(&on(&["-u", "--yes"]), 0, &[&says]);
    assert_eq!(volume(&sandbox), kept);
    // It is said and done once.
    let again = on(&["-u", "--yes"]);
    ends_with(&again, 0, &["demo-store/claim/data"]);
    assert!(!again.stdout.contains("will outlive"), "{}", again.stdout);

    let says = format!("its volume {name} goes with it again: reclaim policy back to Delete");
    ends_with(&on(&["-i"]), 0, &[&says]);
    assert_eq!(volume(&sandbox), Some((name.clone(), "Delete".to_owned(), None)));
    ends_with(&on(&["-i"]), 0, &["nothing to do"]);

    succeeds(&on(&["-x", "--yes", "--confirm-project", "demo"]));
    assert_eq!(volume(&sandbox), kept);
    // With the data named, claim and volume go: only a volume of its old policy does.
    succeeds(&on(&["-x", "--yes", "--include-data", "--confirm-project", "demo"]));
    let claims = sandbox.kubectl(["get", "pvc", "-A", "-o", "name"]);
    assert!(!claims.contains("demo-store-data"), "{claims}");
    let start = std::time::Instant::now();
    while let Some(left) = volume(&sandbox) {
        assert_eq!((left.1.as_str(), &left.2), ("Delete", &None));
        assert!(start.elapsed() < std::time::Duration::from_mins(1), "{left:?} is still there");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", "host/flavours/host.yaml"]));
}
