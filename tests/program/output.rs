//! `--output json` and `--output yaml`: one document on standard output, however a command ends (`docs/output.md`).

use serde_json::Value as Json;

use super::*;
use crate::support::sandbox::BINARY;

/// The one document on standard output, and the events on standard error.
fn document(run: &Run) -> Json {
    for line in run.stderr.lines() {
        let event: Json = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(event["event"].is_string() && event["version"] == 1, "{line}");
    }
    let document: Json = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"));
    assert_eq!(document["version"], 1, "{document}");
    assert!(document["document"].is_string() && document["problems"].is_array(), "{document}");
    let exit = document["error"]["exit"].as_i64();
    assert_eq!(exit.unwrap_or_default(), i64::from(run.code.unwrap()), "{document}");
    document
}

fn bad() -> Sandbox {
    let sandbox = project();
    sandbox.write(
        "flavours/one.yaml",
        "project: {name: one, flavour: thing, wrong: 1}\nlocal: {provider: kwok}\n",
    );
    sandbox
}

#[test]
fn bad_files_are_a_document_for_every_command() {
    let sandbox = bad();
    for command in ["validate", "plan", "apply", "uninstall", "destroy", "start", "stop", "status"]
    {
        let run = sandbox.datamill([command, "-l", "-f", "flavours/one.yaml", "-o", "json"]);
        let document = document(&run);
        let name = if command == "validate" { "validation" } else { "error" };
        assert_eq!(document["document"], name, "{command}");
        assert_eq!(document["problems"][0]["code"], "unknown-key", "{command}");
        assert_eq!(document["error"]["kind"], "usage", "{command}");
        assert_eq!(document["error"]["exit"], 10, "{command}");
        assert!(document["error"]["message"].as_str().unwrap().contains("1 error"), "{document}");
    }
}

#[test]
fn what_is_typed_wrong_is_a_document_too() {
    let sandbox = Sandbox::bare();
    let table: [(&[&str], &str); 5] = [
        (&["plna", "-o", "json"], "plna"),
        (&["plan", "--flavor", "x", "--output=json"], "--flavor"),
        (&["-l", "-i", "-x", "-ojson"], "two actions"),
        (&["components", "show", "demo-stor", "-o", "json"], "demo-stor"),
        (&["-l", "-o", "json"], "not what to do"),
    ];
    for (args, word) in table {
        let document = document(&sandbox.datamill(args.iter().copied()));
        assert_eq!(document["document"], "error");
        assert!(document["error"]["message"].as_str().unwrap().contains(word), "{document}");
    }
}

#[test]
fn a_plan_that_cannot_be_carried_out_is_the_document_and_names_what_is_in_the_way() {
    let sandbox = Sandbox::with_tools();
    for command in ["plan", "apply"] {
        let flags = ["-l", "-f", "flavours/demo.yaml", "-c", "demo-api", "-o", "json"];
        let document = document(&sandbox.datamill([command].into_iter().chain(flags)));
        assert_eq!(document["document"], "plan", "{document}");
        let blocked = document["blocked"].as_array().unwrap();
        assert!(blocked.iter().any(|one| one["id"] == "demo-api/release/server"), "{document}");
        let hints = document["error"]["hints"].to_string();
        let pastes = "datamill apply --with-needs -l -f flavours/demo.yaml -c demo-api";
        assert!(hints.contains(pastes), "{hints}");
    }
}

#[test]
fn what_ends_well_is_a_document_without_error() {
    let sandbox = project();
    let table: [(&[&str], &str); 7] = [
        (&["validate", "-f", "flavours/one.yaml"], "validation"),
        (&["tools"], "tools"),
        (&["components"], "components"),
        (&["components", "show", "demo-store"], "component"),
        (&["flavours"], "flavours"),
        (&["flavours", "show", "one"], "flavour"),
        (&["flavours", "show", "demo"], "flavour"),
    ];
    for (args, name) in table {
        let run = sandbox.datamill(args.iter().copied().chain(["-o", "json"]));
        let document = document(&run);
        assert_eq!(document["document"], name);
        assert!(document["error"].is_null(), "{document}");
    }
}

#[test]
fn yaml_carries_the_same_document() {
    let sandbox = bad();
    for command in ["validate", "plan"] {
        let run = |form| sandbox.datamill([command, "-l", "-f", "flavours/one.yaml", "-o", form]);
        let (json, yaml) = (run("json"), run("yaml"));
        assert_eq!(yaml.code, Some(10));
        let source = datamill::yaml::Source::new("stdout", yaml.stdout.as_str());
        let parsed = datamill::yaml::parse(&source).unwrap().to_json();
        assert_eq!(parsed, document(&json), "{}", yaml.stdout);
    }
    let run = sandbox.datamill(["plna", "-o", "yaml"]);
    assert!(
        run.stdout.contains("\nerror:\n  causes:") && run.stdout.contains("kind: usage"),
        "{run:?}"
    );
}

#[test]
fn a_schema_is_itself_and_nothing_more() {
    let run = Sandbox::bare().datamill(["schema", "flavour", "-o", "yaml"]);
    assert!(run.stdout.contains("$schema:") && !run.stdout.contains("error: null"), "{run:?}");
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure_and_a_reader_that_went_away_is_none() {
    let sandbox = project();
    let run = |command: &str, into: &str| {
        let script = format!("{BINARY} {command} -f flavours/one.yaml -l -o json {into}");
        sandbox.run("bash", ["-c", &script])
    };
    if std::path::Path::new("/dev/full").exists() {
        ends_with(&run("validate", "> /dev/full"), 8, &["cannot write the answer"]);
    }
    let read = run("validate", "| head -c 1; exit ${PIPESTATUS[0]}");
    assert_eq!((read.code, read.stdout.as_str()), (Some(0), "{"), "{read:?}");
}
