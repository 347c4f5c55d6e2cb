//! Manifests read and printed.

use serde_json::json;

use super::*;

#[test]
fn documents_are_read_as_helm_reads_them() {
    let text = "---\n# nothing\n---\na: yes\nb: 'yes'\nc: 0644\nd: 1.0\ne: 012x\nf: !!str 5\n---\na: 1\na: 2\n";
    assert_eq!(
        manifests(text).unwrap(),
        [json!({"a": true, "b": "yes", "c": 420, "d": 1, "e": "012x", "f": "5"}), json!({"a": 2})]
    );
}

#[test]
fn anchors_and_merge_keys_are_written_out() {
    let text = "base: &b {x: 1, z: 2}\nd: {<<: *b, z: 3}\nl: [*b]\n";
    let read = manifests(text).unwrap();
    assert_eq!(read[0]["d"], json!({"x": 1, "z": 3}));
    assert_eq!(read[0]["l"], json!([{"x": 1, "z": 2}]));
}

#[test]
fn texts_that_look_like_something_else_stay_texts() {
    let words = vec![
        "yes",
        "no",
        "on",
        "y",
        "n",
        "null",
        "~",
        "",
        "true",
        "0644",
        "0x1F",
        "1_000",
        "1e3",
        "1.0",
        ".5",
        "-1",
        "+1",
        "0b11",
        "0o7",
        ".inf",
        "2001-01-01",
        "12:30:45",
        "<<",
        "=",
        "- a",
        "a: b",
        "#c",
        "a\nb\n",
        " lead",
        "trail ",
        "é",
        "\t",
        "@x",
        "*x",
        "&x",
        "!x",
    ];
    let document = json!({"words": words, "map": words.iter().map(|w| (format!("k{w}"), *w)).collect::<BTreeMap<_, _>>(), "n": 5, "f": 1.5, "big": u64::MAX});
    let printed = print_manifests([&document]);
    assert!(!printed.contains("---\n{"), "{printed}");
    assert_eq!(manifests(&printed).unwrap(), [document], "{printed}");
}

#[test]
fn documents_print_as_people_write_them() {
    let document = json!({"kind": "Job", "spec": {"list": [{"a": "x", "b": {"c": [1, [2]]}}, "no", []], "empty": {}, "text": "a: b\n\n  c\n"}});
    let text = "---\nkind: Job\nspec:\n  empty: {}\n  list:\n  - a: x\n    b:\n      c:\n      - 1\n      -\n        - 2\n  - \"no\"\n  - []\n  \
                text: |\n    a: b\n\n      c\n";
    assert_eq!(print_manifests([&document]), text);
    assert_eq!(manifests(text).unwrap(), [document]);
}

#[test]
fn an_error_names_the_line() {
    let error = manifests("a: 1\nb: [1\nc: 2\n").unwrap_err();
    assert!(error.line >= 2, "{error}");
}
