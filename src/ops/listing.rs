//! Commands that only read files: `validate`, `schema`, `components`, `flavours`, and Helm's post-renderer.

use crate::adapter::helm;
use crate::config::{self, SchemaKind};
use crate::model::{Failure, FailureKind};
use crate::ui::Screen;

use super::{Ended, Settings, load, target};

/// Checks all files and all wiring; reports every problem at once and touches nothing.
pub async fn validate(settings: &Settings, screen: &Screen) -> Result<Ended, Failure> {
    let project = load::load(settings, screen)?;
    let choice = target::choose(&project)?;
    let facts = target::declared(&choice.cluster);
    let installation = crate::model::ResourceId::target(
        crate::model::ResourceKind::Installation,
        project.name.clone(),
    );
    match project.expand(&facts, &choice.cluster.id, &installation) {
        Ok(expansion) => {
            screen.show_problems(&expansion.warnings);
            screen.show_valid(&project.name, &project.flavour, expansion.desired.resources.len());
            Ok(Ended::Well)
        }
        Err(problems) => {
            screen.show_problems(&problems);
            Err(load::refused(&problems))
        }
    }
}
