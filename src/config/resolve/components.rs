//! The folders below `components/`: each `component.yaml` there is, and what a folder without one lacks.

use std::path::Path;

use crate::catalogue::{Catalogue, ComponentFile};
use crate::config::overlay::Overlay;
use crate::yaml::{Problem, Problems, parse};

/// Reads all components of the project and the binary.
pub(crate) fn load(overlay: &Overlay<'_>, cache: &Path, problems: &mut Problems) -> Catalogue {
    let mut files = Vec::new();
    for name in overlay.folders_in("components") {
        files.extend(component(overlay, &name, cache, problems));
    }
    let capabilities = overlay.find(Path::new("components/capabilities.yaml"));
    let capabilities = capabilities.and_then(|path| {
        let tree = overlay.read(&path).and_then(|source| parse(&source));
        tree.map_err(|problem| problems.push(problem)).ok()
    });
    let (catalogue, found) = Catalogue::load(files, capabilities);
    problems.append(found);
    catalogue
}

fn component(
    overlay: &Overlay<'_>,
    name: &str,
    cache: &Path,
    problems: &mut Problems,
) -> Option<ComponentFile> {
    let relative = Path::new("components").join(name);
    let Some(path) = overlay.find(&relative.join("component.yaml")) else {
        without_description(overlay, name, &relative, problems);
        return None;
    };
    let tree = match overlay.read(&path).and_then(|source| parse(&source)) {
        Ok(tree) => tree,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let folder = match overlay.component_path(name, cache) {
        Ok(folder) => folder,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    Some(ComponentFile { folder, tree, settings: std::collections::BTreeMap::new() })
}

/// A folder of data-mill's own kind is an error that says what to write; another one is said to be ignored.
fn without_description(
    overlay: &Overlay<'_>,
    name: &str,
    relative: &Path,
    problems: &mut Problems,
) {
    let shown = relative.display();
    if overlay.find(&relative.join("setup.sh")).is_none() {
        if overlay.find(&relative.join("config.yaml")).is_some() {
            let message = format!("`{shown}` has no `component.yaml` and is no component");
            problems.push(Problem::warning("no-component-file", message));
        }
        return;
    }
    let message =
        format!("`{shown}` has a `setup.sh` and no `component.yaml`; scripts are not run");
    let help =
        format!("write `{shown}/component.yaml`, for a Helm chart:\n\n{}", minimal_component(name));
    problems.push(Problem::error("no-component-file", message).help(help));
}

/// The shortest description of a component that installs a chart.
pub(crate) fn minimal_component(name: &str) -> String {
    format!(
        "    schema: component/v1\n    name: {name}\n    title: {name}\n    steps:\n      - id: {name}\n        kind: helm\n        \
         chart: {{repo: \"https://charts.example.org\", name: {name}}}\n        version: 1.2.3\n"
    )
}
