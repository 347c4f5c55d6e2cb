//! What a component is and what it becomes: the catalogue reads `component.yaml` files (schema component/v1), binds what an
//! instance uses to what another provides, and expands instances to resources. Pure: it reads no file and knows no cluster
//! beyond the facts it is given.

mod capability;
mod component;
mod condition;
mod evaluate;
mod expand;
mod expansion;
mod expression;
mod fields;
#[cfg(test)]
mod fixture;
mod grant;
mod layer;
mod lookup;
mod param;
mod platform;
mod requirement;
mod rule;
mod schema;
mod scope;
mod step;
mod template;
mod wiring;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use capability::{Contract, ContractOutput, OutputType};
pub use component::{
    Component, Delete, Keeping, Legacy, LegacyMeaning, LegacyWhen, NamespaceRule, Provide,
    Requires, Status, Upgrade, Use, UseOf,
};
pub use expand::expand;
pub use expansion::Expansion;
pub use grant::ClaimContract;
pub use param::{Param, ParamType};
pub use platform::{Expose, External, Instance, Platform};
pub use requirement::Requirement;
pub use schema::schema;

use crate::yaml::{Located, Problem, Problems, Span};

/// The keys of a section that are not parameters of its component.
pub const RESERVED_KEYS: [&str; 12] = [
    "component",
    "release",
    "namespace",
    "version",
    "config_file",
    "values",
    "setup_timeout",
    "bind",
    "profiles",
    "expose",
    "moved",
    "ignore",
];

/// A component's folder, as found on disk or in the binary.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentFile {
    /// The folder on disk: charts and manifests lie there.
    pub folder: PathBuf,
    /// `component.yaml`.
    pub tree: Located,
    /// The other YAML files of the folder by file name: `config.yaml` and Helm values.
    pub settings: BTreeMap<String, Located>,
}

/// All components there are, and the contracts of what they provide.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalogue {
    components: BTreeMap<String, Component>,
    contracts: BTreeMap<String, Contract>,
}

impl Catalogue {
    /// Reads components and contracts. A component with errors is left out of the catalogue; all problems come at once.
    pub fn load(files: Vec<ComponentFile>, capabilities: Option<Located>) -> (Self, Problems) {
        let mut problems = Problems::default();
        let contracts =
            capabilities.map(|tree| capability::read(&tree, &mut problems)).unwrap_or_default();
        let mut catalogue = Self { components: BTreeMap::new(), contracts };
        for file in files {
            let mut found = Problems::default();
            let component = component::read(file, &mut found);
            if let Some(component) = component
                && !found.has_errors()
            {
                catalogue.add(component, &mut found);
            }
            problems.append(found);
        }
        catalogue.check_aliases(&mut problems);
        for component in catalogue.components.values() {
            capability::check(component, &catalogue.contracts, &mut problems);
            grant::check(component, &catalogue.contracts, &mut problems);
        }
        (catalogue, problems)
    }

    fn add(&mut self, component: Component, problems: &mut Problems) {
        if let Some(first) = self.components.get(component.name()) {
            let place = first.at().path().display();
            problems.push(
                Problem::error(
                    "duplicate-component",
                    format!("component `{}` is described twice", component.name()),
                )
                .at(component.at())
                .help(format!("the other one is {place}")),
            );
            return;
        }
        self.components.insert(component.name().to_owned(), component);
    }

    fn check_aliases(&self, problems: &mut Problems) {
        let mut owners: BTreeMap<&str, &str> =
            self.components.keys().map(|name| (name.as_str(), name.as_str())).collect();
        for component in self.components.values() {
            for alias in component.aliases() {
                if let Some(owner) = owners.insert(alias, component.name()) {
                    let message = format!(
                        "alias `{alias}` of `{}` already means `{owner}`",
                        component.name()
                    );
                    problems.push(Problem::error("duplicate-alias", message).at(component.at()));
                }
            }
        }
    }

    /// The component of a name or alias.
    pub fn component(&self, name_or_alias: &str) -> Option<&Component> {
        self.components.get(name_or_alias).or_else(|| {
            self.components.values().find(|c| c.aliases().iter().any(|a| a == name_or_alias))
        })
    }

    /// All components by name.
    pub fn components(&self) -> impl Iterator<Item = &Component> {
        self.components.values()
    }

    /// The contract of a capability.
    pub fn contract(&self, capability: &str) -> Option<&Contract> {
        self.contracts.get(capability)
    }

    /// The contract of a capability that is named at `at`; a problem with a suggestion where there is none.
    pub fn contract_named(
        &self,
        capability: &str,
        at: &Span,
        problems: &mut Problems,
    ) -> Option<&Contract> {
        capability::named(&self.contracts, capability, at, problems)
    }
}
