//! What a flavour asks of the catalogue: instances with their settings, and what exists outside.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::{Ignore, Name, Secret};
use crate::yaml::{Located, Span};

/// All that a flavour asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Platform {
    /// The project's name.
    pub project: String,
    /// The namespace of instances that name none.
    pub namespace: String,
    /// `project.domain`.
    pub domain: Option<String>,
    /// `project.expose`: how addresses for the outside are reached, unless an instance says otherwise.
    pub expose: Expose,
    /// Where that is written.
    pub expose_at: Option<Span>,
    /// What is to be installed; the names differ.
    pub instances: Vec<Instance>,
    /// What exists outside of the platform and stands in for a provider, by name.
    pub external: BTreeMap<String, External>,
    /// Claims that the flavour itself makes (`claims:`), as written.
    pub claims: Option<Located>,
    /// Profiles of the target and of the project, later wins; a component that lacks one passes over it.
    pub profiles: Vec<String>,
}

/// How an address for the outside is reached there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expose {
    /// Not at all: from inside of the cluster, or by a forward.
    #[default]
    No,
    /// By a Service of type `LoadBalancer`, which the component makes.
    LoadBalancer,
    /// By an Ingress below the project's domain.
    Ingress,
}

impl Expose {
    /// The words of `expose`.
    pub const WORDS: [(&str, Self); 3] =
        [("none", Self::No), ("loadbalancer", Self::LoadBalancer), ("ingress", Self::Ingress)];

    /// The word of `expose`.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, known)| *known == self).map_or("none", |(word, _)| word)
    }
}

/// One installation of a component under a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Its name: the component's, or that of its section.
    pub name: Name,
    /// The component, by name or alias.
    pub component: String,
    /// Its section, for messages.
    pub section: Option<Span>,
    /// The settings of all layers that are parameters, merged. For secret parameters `{secret: ns/name, key: k}` may stand here.
    pub params: Located,
    /// Values of secret parameters that came from the environment, a file or the text of a file; they win over `params`.
    pub secrets: BTreeMap<String, Secret>,
    /// Its own profiles, after those of the platform.
    pub profiles: Vec<String>,
    /// Which instance or external gives what it uses, by alias of `uses`.
    pub bind: BTreeMap<String, (String, Span)>,
    /// The name of its release; its own name without.
    pub release: Option<String>,
    /// Its namespace; the component's, else the project's without.
    pub namespace: Option<String>,
    /// The version of its chart; the component's without.
    pub version: Option<String>,
    /// The parsed file that `config_file` names.
    pub values_file: Option<Located>,
    /// Whether other instances name the same values file: then a top-level key that only they know is no finding.
    pub values_file_shared: bool,
    /// `values:` of the section, with `--values` and `--set` merged over it.
    pub values: Option<Located>,
    /// How its addresses for the outside are reached; as the project says without.
    pub expose: Option<(Expose, Span)>,
    /// No step may take longer; the component's own ceilings without.
    pub ceiling: Option<Duration>,
    /// Whether it was asked for by `-c` only and is not in the flavour.
    pub extra: bool,
    /// Paths that are not compared or written (`Kind/name:/json/pointer`).
    pub ignore: Vec<Ignore>,
    /// Where manifests named by parameters are looked up, first match wins; the component's folder comes after them.
    pub file_dirs: Vec<PathBuf>,
    /// What it was called before, and where that is written.
    pub moved: Option<(Name, Span)>,
}

impl Instance {
    /// An instance with no settings of its own.
    pub fn new(name: Name, component: impl Into<String>, params: Located) -> Self {
        Self {
            name,
            component: component.into(),
            section: None,
            params,
            secrets: BTreeMap::new(),
            profiles: Vec::new(),
            bind: BTreeMap::new(),
            release: None,
            namespace: None,
            version: None,
            values_file: None,
            values_file_shared: false,
            values: None,
            expose: None,
            ceiling: None,
            extra: false,
            ignore: Vec::new(),
            file_dirs: Vec::new(),
            moved: None,
        }
    }

    /// Where the user's files or flags set a Helm value, by its dotted path; what counts first.
    pub fn value_at(&self, path: &str) -> Option<&Span> {
        let trees = [&self.values, &self.values_file].into_iter().flatten();
        trees
            .filter_map(|tree| path.split('.').try_fold(tree, |tree, key| tree.get(key)))
            .map(|tree| &tree.span)
            .next()
    }
}

/// Something outside of the platform that gives a capability.
#[derive(Debug, Clone, PartialEq)]
pub struct External {
    /// The capability.
    pub capability: String,
    /// Its outputs by the names of the contract: plain values, or `{secret: ns/name, key: k}`.
    pub outputs: BTreeMap<String, Located>,
    /// The Secret (`name` in the project's namespace, or `ns/name`) whose keys are the contract's secret outputs.
    pub secret_from: Option<String>,
    /// Variants of the contract that hold, such as `auth: keys`; the contract's first without.
    pub variants: BTreeMap<String, String>,
    /// Where it is written.
    pub at: Span,
}
