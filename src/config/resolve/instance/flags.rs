//! What the command line sets for instances.

use std::path::PathBuf;

use super::Input;
use crate::config::overlay::normal;
use crate::config::resolve::select::Selected;
use crate::config::set::{self, Setting};
use crate::yaml::{Problem, Problems};

/// The `--set` flags; one for a component that is not installed is a warning.
pub(super) fn settings(
    input: &Input<'_>,
    selected: &[Selected],
    problems: &mut Problems,
) -> Vec<Setting> {
    let mut found = Vec::new();
    for (path, value) in &input.request.set {
        match set::read(path, value) {
            Ok(setting) => {
                let flag = format!("--set {path}");
                let target = meant(input, selected, &setting.target, &flag, problems);
                found.extend(target.map(|target| Setting { target, ..setting }));
            }
            Err(problem) => problems.push(problem),
        }
    }
    found
}

/// The `--values` files by instance.
pub(super) fn overrides(
    input: &Input<'_>,
    selected: &[Selected],
    problems: &mut Problems,
) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for (name, path) in &input.request.values {
        let flag = format!("--values {name}");
        let target = meant(input, selected, name, &flag, problems);
        let path = normal(&input.request.folder.join(path));
        found.extend(target.map(|target| (target, path)));
    }
    found
}

/// The instance that a flag means.
fn meant(
    input: &Input<'_>,
    selected: &[Selected],
    word: &str,
    flag: &str,
    problems: &mut Problems,
) -> Option<String> {
    let Some((instance, _)) = input.names.instance(word) else {
        problems.push(
            Problem::error(
                "unknown-component",
                format!("`{flag}`: there is no component `{word}`"),
            )
            .suggest(word, input.names.words()),
        );
        return None;
    };
    if !selected.iter().any(|chosen| chosen.name.as_str() == instance) {
        let message = format!("`{flag}`: `{instance}` is not in the flavour, so this does nothing");
        problems.push(Problem::warning("unused-flag", message));
        return None;
    }
    Some(instance)
}
