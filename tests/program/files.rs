//! Bad files: what, where, why, what to do; all of it at once, and nothing is touched.

use std::fmt::Write as _;

use super::*;
use crate::support::sandbox::repository;

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
fn faults_of_files_and_of_wiring_come_in_one_round() {
    let sandbox = project();
    sandbox.write(
        "components/user/component.yaml",
        "schema: component/v1\nname: user\nuses:\n  - {as: store, component: thing}\n\
         params: {secret: {type: string, required: true}}\nsteps: []\n",
    );
    sandbox.write(
        "flavours/one.yaml",
        "project:\n  name: one\n  wrongkey: 1\n  flavour: thing, user\n\
         local:\n  provider: kwuk\nthing:\n  count: many\n  bind: {zz: user}\n  profiles: [nosuch]\n\
         user:\n  bind: {store: nobody}\n",
    );
    let run = validate(&sandbox);
    let codes = [
        "error[unknown-key]",
        "error[unknown-profile]",
        "error[wrong-value]",
        "error[wrong-type]",
        "error[unknown-use]",
        "error[unknown-provider]",
        "6 errors in the files",
    ];
    ends_with(&run, 10, &codes);
    // What follows from a name that is wrong is no error of its own.
    sandbox.write(
        "flavours/one.yaml",
        "project: {name: one, flavour: [thng, user]}\nlocal: {provider: kwok}\nuser: {secret: x}\n",
    );
    let run = validate(&sandbox);
    ends_with(&run, 10, &["error[unknown-component]", "1 error in the files"]);
}

#[test]
fn a_step_of_an_unknown_kind_hides_nothing_else_in_its_file() {
    let sandbox = project();
    sandbox.write(
        "components/bad/component.yaml",
        "schema: component/v1\nname: bad\nsteps:\n  - {id: a, kind: hlem, chart: {path: chart, nme: x}, timeout: soon, wating: 1}\n\
         \x20 - {id: b, kind: stuff, objcts: [], objects: []}\n",
    );
    let words = [
        "cannot be `hlem`",
        "did you mean `helm`?",
        "`nme`",
        "`timeout`",
        "`wating`",
        "`stuff`",
        "`objcts`",
    ];
    ends_with(&validate(&sandbox), 10, &words);
}

#[test]
fn one_cause_is_one_error() {
    let sandbox = project();
    sandbox.write(
        "flavours/one.yaml",
        "project: {name: one, k8s_namespace: \"A b\", flavour: thing}\nlocal: {provider: kwok}\n",
    );
    ends_with(&validate(&sandbox), 10, &["`k8s_namespace`", "1 error in the files"]);
    sandbox.write(
        "flavours/one.yaml",
        "project: {name: one, flavour: thing}\nlocal: {provider: kwok}\n",
    );
    let run = sandbox.datamill(["plan", "-r", "-f", "flavours/one.yaml"]);
    ends_with(&run, 10, &["no section `remote:`", "1 error in the files"]);
}

#[test]
fn an_instance_that_is_named_twice_is_no_good_flavour() {
    let sandbox = project();
    sandbox.write(
        "flavours/one.yaml",
        "project: {name: one, flavour: \"thing, thing\"}\nlocal: {provider: kwok}\n",
    );
    ends_with(&validate(&sandbox), 10, &["error[duplicate-instance]", "`thing` is named twice"]);
}

#[test]
fn a_provider_that_is_not_built_is_said_by_validate_as_by_a_run() {
    let sandbox = project();
    let flavour = |more: &str| {
        format!("project: {{name: one, flavour: thing}}\nlocal: {{provider: minikube}}\n{more}")
    };
    sandbox.write("flavours/one.yaml", &flavour(""));
    let says = "provider `minikube` is not built into this version yet";
    ends_with(&validate(&sandbox), 8, &[says, "--provider kwok"]);
    ends_with(&sandbox.datamill(["-l", "-i", "-f", "flavours/one.yaml", "--yes"]), 8, &[says]);
    let with_it = sandbox.datamill(["validate", "-f", "flavours/one.yaml", "--provider", "kwok"]);
    ends_with(&with_it, 0, &["valid"]);
    // Beside other mistakes it is said as well.
    sandbox.write("flavours/one.yaml", &flavour("thing: {sise: 1}\n"));
    ends_with(&validate(&sandbox), 10, &[says, "`sise`"]);
}

#[test]
fn values_that_a_chart_refuses_by_its_schema_are_found_without_helm() {
    let sandbox = project();
    sandbox.copy("components/demo-ui");
    sandbox.copy("components/demo-api");
    sandbox.copy("components/demo-store");
    let contracts = std::fs::read_to_string(repository().join("components/capabilities.yaml"));
    sandbox.write("components/capabilities.yaml", &contracts.unwrap());
    let flavour = |values: &str| {
        format!(
            "project: {{name: one, flavour: [demo-ui, demo-api, demo-store]}}\nlocal: {{provider: kwok}}\n\
             demo-ui:\n  values:\n{values}"
        )
    };
    sandbox.write("flavours/one.yaml", &flavour("    page: {titel: x}\n    replicas: many\n"));
    ends_with(
        &validate(&sandbox),
        10,
        &["`page.titel`", "did you mean `title`?", "`replicas`", "one.yaml:5", "2 errors"],
    );
    sandbox.write("flavours/one.yaml", &flavour("    page: {title: x}\n    replicas: 2\n"));
    ends_with(&validate(&sandbox), 0, &["valid"]);
    // A default of the chart is as good as a value, until it is taken away.
    let schema = r#"{"properties": {"page": {"required": ["title"]}}}"#;
    sandbox.write("components/demo-ui/chart/values.schema.json", schema);
    sandbox.write("flavours/one.yaml", &flavour("    page: {}\n"));
    ends_with(&validate(&sandbox), 0, &["valid"]);
    sandbox.write("flavours/one.yaml", &flavour("    replicas: 1\n    page: {title: null}\n"));
    ends_with(&validate(&sandbox), 10, &["`page.title`: the chart needs", "one.yaml:6", "1 error"]);
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
fn a_folder_or_no_text_where_a_word_names_a_file_says_where_and_what_to_name() {
    let sandbox = project();
    sandbox.write("flavours/mine/b.yaml", "x: 1\n");
    sandbox.write("flavours/mine/a.yaml", "x: 1\n");
    std::fs::create_dir_all(sandbox.project().join("empty")).unwrap();
    let flavour = |target: &str, file: &str| {
        let text = format!(
            "project: {{name: one, flavour: thing}}\n{target}\nthing:\n  config_file: {file}\n"
        );
        sandbox.write("flavours/one.yaml", &text);
    };
    let local = "local: {provider: kwok}";
    flavour(local, "mine");
    let words = ["`flavours/mine` is a folder", "one.yaml:4", "name a file in it: a.yaml, b.yaml"];
    ends_with(&validate(&sandbox), 10, &words);
    let bytes = sandbox.write("flavours/latin.yaml", "");
    std::fs::write(&bytes, b"name: caf\xe9\n").unwrap();
    flavour(local, "latin.yaml");
    let words = ["`flavours/latin.yaml` is no text in UTF-8", "one.yaml:4", "save it as UTF-8"];
    ends_with(&validate(&sandbox), 10, &words);

    // A flag has no place in a file.
    sandbox.write("flavours/one.yaml", "project: {name: one, flavour: thing}\n");
    let on = |file: &str| sandbox.datamill(["validate", "-f", "flavours/one.yaml", "-t", file]);
    let words = ["`flavours/mine` is a folder", "name a file in it: a.yaml, b.yaml"];
    ends_with(&on("flavours/mine"), 10, &words);
    ends_with(&on("empty"), 10, &["`empty` is a folder", "name a YAML file"]);
    ends_with(&on("flavours/latin.yaml"), 10, &["`flavours/latin.yaml` is no text in UTF-8"]);
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
    let seed = repository().join("tests/fixtures/seed/my-values.yaml");
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

#[test]
fn a_chart_that_is_not_there_is_found_with_the_charts_there_are() {
    let sandbox = project();
    let component = |path: &str| {
        let text = format!(
            "schema: component/v1\nname: thing\nsteps:\n  - {{id: main, kind: helm, chart: {{path: {path}}}}}\n"
        );
        sandbox.write("components/thing/component.yaml", &text);
    };
    let flavour = "project: {name: one, flavour: thing}\nlocal: {provider: kwok}\n";
    sandbox.write("flavours/one.yaml", flavour);
    sandbox.write("components/thing/chart/Chart.yaml", "name: thing\nversion: 1.0.0\n");
    component("chrt");
    ends_with(
        &validate(&sandbox),
        10,
        &["error[no-chart]", "`chrt`", "components/thing/chrt/Chart.yaml", "did you mean `chart`?"],
    );
    component("./chart");
    ends_with(&validate(&sandbox), 0, &[]);
    // A chart inside the binary counts as well.
    let embedded = Sandbox::bare();
    embedded.write(
        "flavours/one.yaml",
        "project: {name: one, flavour: demo-store}\nlocal: {provider: kwok}\n",
    );
    ends_with(&validate(&embedded), 0, &[]);
}

#[test]
fn what_is_read_and_has_no_effect_is_said() {
    let sandbox = project();
    sandbox.write(
        "components/thing/component.yaml",
        "schema: component/v1\nname: thing\ngpu: {resource: x.com/gpu, runtimeClass: x}\n\
         upgrade: {crdsFirst: false, maxMinorStep: 1, notes: careful}\n\
         endpoints: [{id: ui, kind: ui, service: thing, port: 80}]\n\
         steps:\n  - {id: map, kind: objects, timeout: 1m, ceiling: 2m, objects: []}\n  \
         - {id: crds, kind: crds, serverSide: false, from: {files: crds.yaml}}\n",
    );
    sandbox.write("components/thing/crds.yaml", "");
    sandbox.write(
        "flavours/one.yaml",
        "project: {name: one, flavour: thing, expose: ingress}\nlocal: {provider: kwok}\n\
         storage: {lake: {kind: bucket}}\nimages: {mine: {context: images/mine}}\n",
    );
    let run = validate(&sandbox);
    let words = [
        "`gpu.resource` has no effect",
        "`gpu.runtimeClass` has no effect",
        "`upgrade.maxMinorStep` has no effect",
        "`upgrade.notes` has no effect",
        "`crdsFirst: false` has no effect",
        "`serverSide: false` has no effect",
        "`timeout` and `ceiling` are the same",
        "nothing in the flavour has an address for the outside",
        "`storage.lake` has no effect",
        "`images.mine` has no effect",
    ];
    ends_with(&run, 0, &words);
    assert_eq!(run.stderr.matches("warning[").count(), words.len(), "{}", run.stderr);
    sandbox.write(
        "flavours/one.yaml",
        "project: {name: one, flavour: thing}\nlocal: {provider: kwok}\nimages: {mine: {contxt: x}}\n",
    );
    ends_with(&validate(&sandbox), 10, &["contxt", "did you mean `context`?"]);
}

#[test]
fn what_the_provider_that_auto_chose_drops_is_said_beside_the_choice() {
    let mut sandbox = project();
    sandbox.set("PATH", "/nowhere");
    let flavour = |local: &str| {
        // The fault of wiring ends the run before it needs a tool.
        let text = format!(
            "project: {{name: one, flavour: thing}}\nlocal: {local}\nthing: {{bind: {{zz: thing}}}}\n"
        );
        sandbox.write("flavours/one.yaml", &text);
        sandbox.datamill(["plan", "-l", "-f", "flavours/one.yaml"])
    };
    let run = flavour("{provider: auto, ports: ['1:2'], gpu_support: auto}");
    let words =
        ["chose kwok", "`local.ports` is for kind; on kwok it does nothing", "warning[no-gpu]"];
    ends_with(&run, 10, &words);
    let run = flavour("{provider: auto, cpus: 2}");
    ends_with(&run, 10, &["chose kwok"]);
    assert!(!run.stderr.contains("warning["), "{}", run.stderr);
}
