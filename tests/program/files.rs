//! Bad files: what, where, why, what to do; all of it at once, and nothing is touched.

use std::fmt::Write as _;

use super::*;

fn validate(sandbox: &Sandbox) -> Run {
    sandbox.datamill(["validate", "-f", "flavours/one.yaml"])
}

#[test]
fn a_good_project_is_valid() {
    ends_with(&validate(&project()), 0, &["one"]);
}

#[test]
fn every_problem_of_every_file_is_reported_at_once() {
    let sandbox = project();
    sandbox.write(
        "flavours/one.yaml",
        "project:\n  name: one\n  k8s_namespce: one\n  flavour: thing, thingy\nlocal:\n  provider: kwuk\nthing:\n  sise: 2Gi\n  count: many\n",
    );
    let run = validate(&sandbox);
    ends_with(
        &run,
        10,
        &[
            "k8s_namespce",
            "k8s_namespace",
            "thingy",
            "kwuk",
            "kwok",
            "sise",
            "size",
            "count",
            "one.yaml",
        ],
    );
}

#[test]
fn problems_are_json_when_asked() {
    let sandbox = project();
    sandbox.write(
        "flavours/one.yaml",
        "project: {name: one, flavour: thing, wrong: 1}\nlocal: {provider: kwok}\n",
    );
    let run = sandbox.datamill(["validate", "-f", "flavours/one.yaml", "--output", "json"]);
    assert_eq!(run.code, Some(10));
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let problem = &json["problems"][0];
    assert_eq!(problem["line"], 1, "{json}");
    assert_eq!(problem["severity"], "error", "{json}");
    assert!(problem["file"].as_str().unwrap().ends_with("one.yaml"), "{json}");
}

#[test]
fn texts_that_are_no_yaml_are_answered_with_their_place() {
    let cases = [
        ("project:\n\tname: one\n", "tab"),
        ("project: {name: one}\nproject: {name: two}\n", "twice"),
        ("", "empty"),
        ("- a\n- b\n", "map"),
        ("project: [\n", "one.yaml"),
    ];
    for (text, word) in cases {
        let sandbox = project();
        sandbox.write("flavours/one.yaml", text);
        ends_with(&validate(&sandbox), 10, &[word]);
    }
    let sandbox = project();
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{below}]").unwrap();
    }
    sandbox.write("flavours/one.yaml", &bomb);
    ends_with(&validate(&sandbox), 10, &["aliases"]);
}

#[test]
fn a_folder_or_nothing_in_place_of_a_file_is_named() {
    let sandbox = project();
    ends_with(&sandbox.datamill(["validate", "-f", "flavours"]), 10, &["flavours"]);
    ends_with(&sandbox.datamill(["validate", "-f", "flavours/two.yaml"]), 10, &["two.yaml", "one"]);
    let empty = Sandbox::bare();
    ends_with(&empty.datamill(["plan"]), 10, &["flavours/"]);
}

#[test]
fn a_values_file_that_is_no_map_is_named() {
    let sandbox = project();
    sandbox.write("flavours/list.yaml", "- a\n");
    sandbox.write(
        "flavours/one.yaml",
        "project: {name: one, flavour: thing}\nlocal: {provider: kwok}\nthing: {config_file: list.yaml}\n",
    );
    ends_with(&validate(&sandbox), 10, &["list.yaml", "map"]);
}

#[test]
fn a_component_with_a_script_and_no_description_says_what_to_write() {
    let sandbox = project();
    sandbox.write("components/old/setup.sh", "#!/bin/sh\n");
    sandbox.write(
        "flavours/one.yaml",
        "project: {name: one, flavour: old}\nlocal: {provider: kwok}\n",
    );
    ends_with(&validate(&sandbox), 10, &["setup.sh", "component.yaml"]);
}

#[test]
fn the_flavours_that_are_shipped_are_valid_from_an_empty_folder() {
    let sandbox = Sandbox::bare();
    ends_with(&sandbox.datamill(["validate", "-f", "flavours/demo.yaml"]), 0, &["demo"]);
}

#[test]
fn the_seeds_values_file_works_as_it_stands() {
    let sandbox = Sandbox::bare();
    let seed = crate::support::sandbox::repository().join("tests/fixtures/seed/my-values.yaml");
    sandbox.write("flavours/my-values.yaml", &std::fs::read_to_string(seed).unwrap());
    sandbox.write(
        "flavours/ingest.yaml",
        "project: {name: ingest, flavour: [efs, dataloader]}\nlocal: {provider: kwok}\n\
         efs: {config_file: my-values.yaml}\ndataloader: {config_file: my-values.yaml}\n",
    );
    let run = sandbox.datamill(["validate", "-f", "flavours/ingest.yaml"]);
    ends_with(&run, 0, &[]);
    // Nothing but the login in plain text is worth a word.
    assert_eq!(run.stderr.matches("warning[").count(), 2, "{}", run.stderr);
    assert_eq!(run.stderr.matches("warning[plain-secret]").count(), 2, "{}", run.stderr);
}

#[test]
fn a_very_long_line_is_named_and_not_printed() {
    let sandbox = project();
    sandbox.write("flavours/one.yaml", &"[".repeat(40_000));
    let run = validate(&sandbox);
    ends_with(&run, 10, &["one.yaml:1:"]);
    assert!(run.stderr.len() < 2_000, "{} bytes", run.stderr.len());
}

#[test]
fn a_negative_size_is_no_quantity() {
    let sandbox = project();
    let text = "project: {name: one, flavour: thing}\nlocal: {provider: kwok}\nthing: {size: -5}\n";
    sandbox.write("flavours/one.yaml", text);
    ends_with(&validate(&sandbox), 10, &["size", "quantity"]);
}
