//! The settings file of a component.

use std::path::Path;

use super::Input;
use crate::catalogue::Component;
use crate::config::overlay::normal;
use crate::yaml::{Located, Node, Problem, Problems, parse};

/// A component's settings file: named like the flavour, else as the flavour says, else `config.yaml`.
pub(super) fn config_file(
    input: &Input<'_>,
    component: &Component,
    problems: &mut Problems,
) -> Option<Located> {
    let folder = Path::new("components").join(component.name());
    let names = [input.flavour_name.as_str(), input.component_config.as_str(), "config.yaml"];
    let path = names.iter().find_map(|name| input.overlay.find(&normal(&folder.join(name))))?;
    let tree = match input.overlay.read(&path).and_then(|source| parse(&source)) {
        Ok(tree) => tree,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let shown = input.overlay.shown(&path);
    let shown = shown.display();
    match &tree.node {
        Node::Map(_) => {}
        Node::Null => {
            let message = format!("`{shown}` is empty and sets nothing");
            problems.push(Problem::warning("empty-file", message).at(&tree.span));
            return None;
        }
        Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
            let message = format!("`{shown}` is {}, not a map", tree.kind());
            problems.push(Problem::error("not-a-map", message).at(&tree.span));
            return None;
        }
    }
    for entry in tree.entries() {
        let meant = input.names.instance(&entry.key).map(|(_, meant)| meant.name().to_owned());
        if meant.as_deref() != Some(component.name()) {
            let known = component.aliases().iter().map(String::as_str).chain([component.name()]);
            problems.push(
                Problem::error(
                    "unknown-key",
                    format!(
                        "`{shown}` holds the settings of `{}`, not of `{}`",
                        component.name(),
                        entry.key
                    ),
                )
                .at_key(entry, [])
                .suggest(&entry.key, known),
            );
        }
    }
    Some(tree)
}
