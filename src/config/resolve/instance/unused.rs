//! Sections of a flavour that nothing reads.

use super::Input;
use crate::catalogue::Status;
use crate::config::resolve::external::TOP_LEVEL;
use crate::config::resolve::section::{Layers, Reading};
use crate::config::resolve::select::Selected;
use crate::config::variables::substitute;
use crate::yaml::{Problem, Problems};

/// Looks at the sections that no instance uses: of a component that is not installed a warning, else an error.
pub(in crate::config::resolve) fn check_unused(
    input: &Input<'_>,
    selected: &[Selected],
    problems: &mut Problems,
) {
    for entry in input.flavour.entries() {
        if TOP_LEVEL.contains(&entry.key.as_str()) {
            continue;
        }
        let Some((instance, component)) = input.names.instance(&entry.key) else {
            // A section whose `component:` is wrong was reported where that stands.
            if entry.value.get("component").is_none() && !input.names.is_broken(&entry.key) {
                let known = input.names.words().into_iter().chain(TOP_LEVEL);
                problems.push(
                    Problem::error(
                        "unknown-key",
                        format!(
                            "`{}` is neither a section of a flavour nor a component",
                            entry.key
                        ),
                    )
                    .at_key(entry, [])
                    .label("unknown section")
                    .suggest(&entry.key, known),
                );
            }
            continue;
        };
        if selected.iter().any(|chosen| chosen.name.as_str() == instance) {
            continue;
        }
        problems.push(
            Problem::warning(
                "unused-section",
                format!("`{instance}` is not in the flavour, so this section does nothing"),
            )
            .at(&entry.key_span)
            .help(format!("add `{instance}` to `project.flavour`, or remove the section")),
        );
        if component.status() == Status::Retired {
            continue;
        }
        let reading = Reading { component, overlay: input.overlay, request: input.request };
        let mut found = Problems::default();
        let section = substitute(&entry.value, &input.request.environment, &mut found);
        Layers::new(&entry.key_span).add(&section, &entry.key, &reading, &mut found);
        problems.append(found.as_warnings());
    }
}
