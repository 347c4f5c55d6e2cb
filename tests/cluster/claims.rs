//! Volumes that should hold more, or less.

use super::*;

fn set_size(sandbox: &Sandbox, size: &str) {
    let text = std::fs::read_to_string(repository().join(DEMO)).unwrap();
    assert!(text.contains("2Gi"), "{text}");
    sandbox.write(DEMO, &text.replace("2Gi", size));
}

fn claim(sandbox: &Sandbox) -> serde_json::Value {
    let text = sandbox.kubectl(["get", "pvc", "demo-store-data", "-n", "data-mill", "-o", "json"]);
    serde_json::from_str(&text).unwrap()
}

fn asked(sandbox: &Sandbox) -> String {
    claim(sandbox)["spec"]["resources"]["requests"]["storage"].as_str().unwrap().to_owned()
}

#[test]
fn a_volume_grows_in_place_and_never_shrinks() {
    let sandbox = installed();
    let before = claim(&sandbox)["metadata"]["uid"].clone();
    set_size(&sandbox, "4Gi");
    let plan = sandbox.datamill(["plan", "-l", "-f", DEMO]);
    ends_with(&plan, 0, &["demo-store/claim/data", "2Gi -> 4Gi", "1 to change"]);
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    assert_eq!(asked(&sandbox), "4Gi");
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);

    // Less is refused before anything is done.
    set_size(&sandbox, "1Gi");
    let words = ["demo-store/claim/data", "holds 4Gi and cannot shrink to 1Gi"];
    ends_with(&sandbox.datamill(["plan", "-l", "-f", DEMO]), 8, &words);
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 8, &words);
    assert_eq!(asked(&sandbox), "4Gi");

    // More is refused where the class cannot give more.
    let classes = sandbox.kubectl(["get", "storageclass", "-o", "name"]);
    for class in classes.lines() {
        let patch = r#"{"allowVolumeExpansion":false}"#;
        sandbox.kubectl(["patch", class, "--type=merge", "-p", patch]);
    }
    set_size(&sandbox, "8Gi");
    let words = ["demo-store/claim/data", "cannot grow from 4Gi to 8Gi", "storage class"];
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 8, &words);
    assert_eq!(asked(&sandbox), "4Gi");
    assert_eq!(claim(&sandbox)["metadata"]["uid"], before);
    set_size(&sandbox, "4Gi");
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
}
