//! What is shipped beside the program: every flavour, and every component by itself, is free of mistakes.

use super::ends_with;
use crate::support::sandbox::{Sandbox, repository};

fn names(folder: &str, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(repository().join(folder)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(ending).map(str::to_owned))
        .collect();
    names.sort();
    names
}

#[test]
fn every_flavour_is_valid() {
    let sandbox = Sandbox::bare();
    for folder in ["flavours", "components", "k8s"] {
        sandbox.copy(folder);
    }
    let flavours = names("flavours", ".yaml");
    assert!(flavours.contains(&"datawarehouse".to_owned()), "{flavours:?}");
    for flavour in flavours {
        let file = format!("flavours/{flavour}.yaml");
        let run = sandbox.datamill(["validate", "-l", "--provider", "kwok", "-f", &file]);
        ends_with(&run, 0, &["valid: project"]);
    }
}

#[test]
fn every_component_is_listed_with_its_status_and_can_be_shown() {
    let sandbox = Sandbox::bare();
    sandbox.copy("components");
    let run = sandbox.datamill(["components", "list", "--output", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let listed = listed["components"].as_array().unwrap();
    let components = names("components", "");
    let folders = components.iter().filter(|name| !name.contains('.'));
    for name in folders {
        let one = listed.iter().find(|one| one["name"] == **name);
        let one = one.unwrap_or_else(|| panic!("{name} is not listed"));
        // What is retired says what to take in its place; what is not says what it brings.
        if one["status"] == "retired" {
            assert_ne!(one["replacedBy"], serde_json::json!([]), "{name}");
        }
        ends_with(&sandbox.datamill(["components", "show", name]), 0, &[name.as_str()]);
    }
    let kafka = sandbox.datamill(["components", "show", "kafka"]);
    ends_with(&kafka, 0, &["1.2.0", "replicas", "min_in_sync", "storage_class"]);
}
