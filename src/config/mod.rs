//! Files on disk to the model: finds flavour, target and component files, reads them into located trees, lays their layers on
//! one another and checks every value. All problems of all files come at once. Nothing here acts.

mod discover;
#[cfg(test)]
mod fixture;
mod inputs;
#[cfg(test)]
mod legacy_tests;
mod list;
mod load;
#[cfg(test)]
mod load_tests;
mod overlay;
mod project;
mod reader;
mod request;
mod resolve;
mod schema;
#[cfg(test)]
mod schema_tests;
mod set;
mod size;
mod target;
mod variables;

pub use inputs::Inputs;
pub use list::{ComponentEntry, FlavourEntry, list_components, list_flavours};
pub use load::load;
pub use project::Project;
pub use request::{LoadRequest, Location};
pub use resolve::{Environment, LeftOut, version_of_image};
pub use schema::{SchemaKind, schema};
pub use target::{
    Gpu, HybridSettings, KindSettings, LocalProvider, LocalSettings, RemoteProvider,
    RemoteSettings, Target,
};
