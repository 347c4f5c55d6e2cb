//! Values that become known while the plan is carried out may change their own places only.

use super::kit::*;
use super::*;

#[test]
fn a_rendering_that_differs_beyond_what_was_open_stops_its_branch() {
    let sandbox = Sandbox::with_tools();
    let outputs =
        "outputs:\n  word: {field: {ref: \"v1/ConfigMap/${self.release}\", path: data.text}}\n";
    component(&sandbox, "giver", &format!("{}{outputs}", helm_step("{text: hello}")));
    chart(&sandbox, "giver", "text: none\n", &[MAP]);
    for name in ["taker", "careful"] {
        let uses = "uses:\n  - {as: giver, component: giver}\n";
        component(&sandbox, name, &format!("{uses}{}", helm_step("{text: \"${use.giver.word}\"}")));
    }
    chart(&sandbox, "careful", "text: none\n", &[MAP]);
    let more = "{{ if eq .Values.text \"hello\" }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\ndata: {a: b}\n{{ end }}\n";
    chart(&sandbox, "taker", "text: none\n", &[MAP, more]);
    flavour(&sandbox, "giver taker careful", "");

    let first = on(&sandbox, &["-i"]);
    ends_with(
        &first,
        4,
        &["`taker` is not what was approved", "more is new in it", "datamill plan"],
    );
    // Only that branch stopped, and nothing of it was made.
    let releases = sandbox.helm(["ls", "-A", "--short"]);
    assert_eq!(releases.lines().collect::<Vec<_>>(), ["careful", "giver"]);
    let text =
        sandbox.kubectl(["get", "cm", "careful", "-n", "kit", "-o", "jsonpath={.data.text}"]);
    assert_eq!(text, "hello");
    // Now the plan knows the value, and shows what comes of it.
    ends_with(&on(&sandbox, &["plan"]), 0, &["more"]);
    succeeds(&on(&sandbox, &["-i"]));
    sandbox.kubectl(["get", "cm", "more", "-n", "kit"]);
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    destroy(&sandbox);
}
