//! What opens what was installed.

use super::*;

#[test]
fn logins_are_listed_by_where_they_are_kept_and_shown_when_it_is_asked_for() {
    let sandbox = installed();
    let encoded = sandbox.kubectl([
        "get",
        "secret",
        "demo-store-auth",
        "-n",
        "data-mill",
        "-o",
        "jsonpath={.data.password}",
    ]);
    let password = data_encoding::BASE64.decode(encoded.trim().as_bytes()).unwrap();
    let password = String::from_utf8(password).unwrap();
    assert_eq!(password.len(), 24);
    let on = |more: &[&'static str]| {
        sandbox.datamill(["credentials", "-l", "-f", DEMO].into_iter().chain(more.iter().copied()))
    };

    let listed = on(&[]);
    ends_with(
        &listed,
        0,
        &["demo-store", "redis", "key password of Secret data-mill/demo-store-auth"],
    );
    let document = on(&["--output", "json"]);
    succeeds(&document);
    for run in [&listed, &document] {
        assert!(!format!("{}{}", run.stdout, run.stderr).contains(&password), "{run:?}");
    }

    let shown = on(&["--reveal"]);
    ends_with(&shown, 0, &["demo-store", &password]);
    assert!(!shown.stderr.contains(&password), "{}", shown.stderr);
    let document: serde_json::Value =
        serde_json::from_str(&on(&["--reveal", "-o", "json"]).stdout).unwrap();
    assert_eq!(document["credentials"][0]["secret"]["value"], serde_json::json!(password));

    // Only what is named; and nothing can be shown of a cluster that does not run.
    let other = on(&["-c", "demo-ui"]);
    ends_with(&other, 0, &["nothing that was installed asks for a login"]);
    succeeds(&sandbox.datamill(["stop", "-l", "-f", DEMO]));
    ends_with(&on(&["--reveal"]), 8, &["the cluster does not run", "datamill start"]);
    ends_with(&on(&[]), 0, &["demo-store"]);
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
}

#[test]
fn a_client_is_set_up_without_its_secrets_on_the_screen() {
    let sandbox = with_demo();
    // On a simulated cluster nothing answers.
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    let none = sandbox.datamill(["connect", "-l", "-f", DEMO]);
    ends_with(&none, 8, &["no container runs", "--provider kind"]);
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));

    let context = kit::host(&sandbox);
    let file = sandbox.project().join("components/demo-store/component.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let client = "connect:\n  valkey: \"valkey-cli -h demo-store.${self.namespace} -a ${out.password.value}\"\n";
    std::fs::write(&file, format!("{text}{client}")).unwrap();
    let flavour = "project: {name: kit, k8s_namespace: kit, flavour: demo-store}\nhybrid: {}\n";
    sandbox.write("flavours/kit.yaml", flavour);
    let on = |words: &[&str]| {
        let target = ["-k", "--context", &context, "-f", "flavours/kit.yaml"];
        sandbox.datamill(words.iter().copied().chain(target))
    };
    succeeds(&on(&["-i"]));
    let encoded = sandbox.kubectl([
        "get",
        "secret",
        "demo-store-auth",
        "-n",
        "kit",
        "-o",
        "jsonpath={.data.password}",
    ]);
    let password = data_encoding::BASE64.decode(encoded.trim().as_bytes()).unwrap();
    let password = String::from_utf8(password).unwrap();
    let shown = on(&["connect"]);
    ends_with(
        &shown,
        0,
        &["valkey-cli -h demo-store.kit -a $(kubectl --context", "get secret demo-store-auth"],
    );
    assert!(!shown.stdout.contains(&password), "{}", shown.stdout);
    let revealed = on(&["connect", "valkey", "--reveal"]);
    succeeds(&revealed);
    assert_eq!(revealed.stdout.trim(), format!("valkey-cli -h demo-store.kit -a {password}"));
    ends_with(&on(&["connect", "valky"]), 10, &["known here: valkey", "did you mean `valkey`?"]);
    succeeds(&on(&["destroy", "--yes", "--include-data", "--confirm-project", "kit"]));
    kit::end_host(&sandbox);
}
