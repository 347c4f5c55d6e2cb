//! What is shipped beside the program: components, charts, flavours and targets are whole and well-formed.

use std::fs;
use std::path::{Path, PathBuf};

use datamill::yaml::{self, Located, Source};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> Located {
    let text = fs::read_to_string(path).unwrap();
    match yaml::parse(&Source::new(path, text)) {
        Ok(tree) => tree,
        Err(problem) => panic!("{}: {problem:?}", path.display()),
    }
}

/// The files of a folder and those below it that end in one of some ways; templates of charts are no YAML.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "templates" {
                folders.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn components() -> Vec<PathBuf> {
    files("components", &["component.yaml"])
}

#[test]
fn every_yaml_and_json_file_can_be_read() {
    for folder in ["components", "flavours", "k8s"] {
        for path in files(folder, &[".yaml"]) {
            read(&path);
        }
        for path in files(folder, &[".json"]) {
            let text = fs::read_to_string(&path).unwrap();
            let json: Result<serde_json::Value, _> = serde_json::from_str(&text);
            assert!(json.is_ok(), "{}: {json:?}", path.display());
        }
    }
}

#[test]
fn a_component_is_called_like_its_folder() {
    for path in components() {
        let folder = path.parent().unwrap().file_name().unwrap().to_string_lossy();
        assert_eq!(read(&path).get("name").and_then(Located::as_text), Some(folder.as_ref()));
    }
}

#[test]
fn every_chart_that_a_step_names_is_shipped_whole() {
    for path in components() {
        let folder = path.parent().unwrap();
        let tree = read(&path);
        for step in tree.get("steps").unwrap().items() {
            let Some(chart) = step.get("chart").and_then(|chart| chart.get("path")) else {
                continue;
            };
            let chart = folder.join(chart.as_text().unwrap());
            for file in ["Chart.yaml", "values.yaml", "values.schema.json", "templates"] {
                assert!(chart.join(file).exists(), "{} lacks {file}", chart.display());
            }
            let about = read(&chart.join("Chart.yaml"));
            assert_eq!(about.get("apiVersion").and_then(Located::as_text), Some("v2"));
            assert_eq!(
                about.get("name").and_then(Located::as_text),
                Some(folder.file_name().unwrap().to_string_lossy().as_ref())
            );
        }
    }
}

#[test]
fn a_config_file_that_a_component_names_lies_beside_it() {
    for path in components() {
        let folder = path.parent().unwrap();
        let settings = folder.join("config.yaml");
        if !settings.exists() {
            continue;
        }
        for section in read(&settings).entries() {
            if let Some(file) = section.value.get("config_file").and_then(Located::as_text) {
                assert!(folder.join(file).exists(), "{} names {file}", settings.display());
            }
        }
    }
}

#[test]
fn no_secret_is_written_in_a_form_that_the_server_rewrites() {
    for path in files("components", &[".yaml"]) {
        let Some(templates) = path.parent().map(|chart| chart.join("templates")) else { continue };
        if !path.ends_with("Chart.yaml") {
            continue;
        }
        for entry in fs::read_dir(templates).unwrap() {
            let template = entry.unwrap().path();
            let text = fs::read_to_string(&template).unwrap();
            assert!(!text.contains("stringData"), "{}", template.display());
        }
    }
}

/// The tests that a text names: `folder::file::name`.
fn named_tests(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let tiers = ["cluster::", "engine::", "node::", "program::"];
    quoted.filter(|word| tiers.iter().any(|tier| word.starts_with(tier))).collect()
}

#[test]
fn every_test_that_the_guarantees_name_exists() {
    let guarantees = fs::read_to_string(root().join("docs/guarantees.md")).unwrap();
    let mut missing = Vec::new();
    for line in guarantees.lines().filter(|line| line.starts_with("| ") && line.contains(". |")) {
        let named = named_tests(line);
        assert!(!named.is_empty(), "a promise without a test: {line}");
        for name in named {
            let (place, function) = name.rsplit_once("::").unwrap();
            let path = root().join("tests").join(place.replace("::", "/")).with_extension("rs");
            let code = fs::read_to_string(&path).unwrap_or_default();
            if !code.contains(&format!("fn {function}(")) {
                missing.push(name);
            }
        }
    }
    assert_eq!(missing, Vec::<&str>::new());
}
