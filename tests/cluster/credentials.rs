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
