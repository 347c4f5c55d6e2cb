//! `moved: OLD` of a section: names move one step at a time, and nobody takes a name that is still in use.

use crate::catalogue::Instance;
use crate::model::Name;
use crate::yaml::{Problem, Problems};

/// Checks the old names of instances against each other and against the names there are.
pub(in crate::config::resolve) fn check_moved(instances: &[Instance], problems: &mut Problems) {
    let find = |name: &Name| instances.iter().find(|other| other.name == *name);
    for (place, instance) in instances.iter().enumerate() {
        let Some((old, at)) = &instance.moved else { continue };
        let name = &instance.name;
        let before = instances.iter().take(place);
        let twice =
            before.clone().find(|other| other.moved.as_ref().is_some_and(|(o, _)| o == old));
        let wrong = if old == name {
            Some(format!("`{name}` cannot be its own old name"))
        } else if let Some(other) = twice {
            Some(format!("`{}` was `{old}` already: one name cannot become two", other.name))
        } else {
            find(old).map(|other| match &other.moved {
                Some((older, _)) if ends_at(name, older, instances) => {
                    format!("the names `{name}` and `{old}` move in a circle")
                }
                Some((older, _)) => {
                    format!("`{name}` was `{old}`, and `{old}` was `{older}`: names move one step at a time")
                }
                None => format!("`{old}` is still in the flavour, so `{name}` cannot have been it"),
            })
        };
        let Some(wrong) = wrong else { continue };
        problems.push(Problem::error("wrong-move", wrong).at(at).label("the old name").help(
            "`moved` names what the instance was called at the last apply; apply one rename, then write the next",
        ));
    }
}

/// Whether going from old name to old name comes back to where it began.
fn ends_at(begin: &Name, from: &Name, instances: &[Instance]) -> bool {
    let mut at = from;
    for _ in instances {
        if at == begin {
            return true;
        }
        let Some(instance) = instances.iter().find(|other| other.name == *at) else { return false };
        let Some((old, _)) = &instance.moved else { return false };
        at = old;
    }
    false
}
