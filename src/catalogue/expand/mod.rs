//! Instances to resources: names, namespaces, secrets, claims, steps, health; addresses and notes beside them.

mod claim;
mod endpoint;
mod expose;
#[cfg(test)]
mod expose_tests;
#[cfg(test)]
mod grant_tests;
mod job;
mod release;
mod removal;
mod secret;
mod step;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod values_tests;

use std::collections::{BTreeMap, BTreeSet};

use super::component::Keeping;
use super::requirement;
use super::scope::Scope;
use super::step::Work;
use super::wiring;
use super::world::{Member, World};
use super::{Catalogue, Expansion, Platform};
use crate::model::{
    Class, ClusterFacts, Desired, KubernetesSpec, NamespaceSpec, Resource, ResourceId,
    ResourceKind, Spec, WaitSpec,
};
use crate::yaml::{Located, Node, Problem, Problems, Span};

/// Expands a platform to resources; all problems come at once. `cluster` is the host, `installation` what everything needs.
pub fn expand(
    catalogue: &Catalogue,
    platform: &Platform,
    facts: &ClusterFacts,
    cluster: &ResourceId,
    installation: &ResourceId,
) -> Result<Expansion, Problems> {
    let mut problems = Problems::default();
    let mut world = World::new(catalogue, platform, facts, &mut problems);
    world.bindings = Some(wiring::bind(&world, &mut problems));
    wiring::check_cycles(&world, &mut problems);
    wiring::check_conflicts(&world, &mut problems);
    let granted = BTreeMap::new();
    let mut yard = Yard { cluster, installation, desired: Desired::default(), problems, granted };
    let tree = platform.claims.as_ref();
    let claims = tree.map(|tree| claim::of_flavour(tree, &mut yard.problems)).unwrap_or_default();
    wiring::check_unused(&world, &mut yard.problems);
    expose::check(&world, &mut yard.problems);
    let mut expansion = Expansion::default();
    let mut shared = Vec::new();
    for member in &world.members {
        yard.check_requirements(&world, member);
        let (scope, requires) = (Scope::new(&world, member), member.component.requires());
        let wanted = requirement::read(&scope, requires, member.name(), &mut yard.problems);
        expansion.requirements.push(wanted);
        let mut site = Site::new(&world, member, &mut yard);
        site.build();
        let (endpoints, note) = (site.endpoints(), site.note());
        site.expose(&endpoints);
        shared.extend(site.shared_file());
        expansion.credentials.extend(site.credentials(&endpoints));
        expansion.connections.extend(site.connections());
        expansion.endpoints.extend(endpoints);
        expansion.notes.extend(note.map(|note| (member.name().clone(), note)));
    }
    expansion.credentials.extend(claim::grant_to_flavour(&world, &claims, &mut yard));
    release::share(&mut yard.desired, &shared);
    yard.check_names();
    let Yard { desired, problems, .. } = yard;
    problems.finish(|| desired).map(|(desired, warnings)| Expansion {
        desired,
        warnings,
        ..expansion
    })
}

/// Reports what can be written and is done by nobody yet.
pub(super) fn not_built(what: &str, at: &Span, problems: &mut Problems) {
    problems.push(Problem::error("not-built", format!("not built yet: {what}")).at(at));
}

/// Where resources are put together.
struct Yard<'y> {
    cluster: &'y ResourceId,
    installation: &'y ResourceId,
    desired: Desired,
    problems: Problems,
    /// What was granted to one claim alone, by provider, kind and name.
    granted: BTreeMap<(String, &'static str, String), String>,
}

impl Yard<'_> {
    fn check_requirements(&mut self, world: &World<'_>, member: &Member<'_>) {
        let Some((range, _)) = &member.component.requires.kubernetes else { return };
        let (Ok(wanted), Ok(found)) =
            (semver::VersionReq::parse(range), semver::Version::parse(&world.facts.version))
        else {
            return;
        };
        // A suffix of a provider, such as `-eks-1234`, is no pre-release.
        let found = semver::Version::new(found.major, found.minor, found.patch);
        if !wanted.matches(&found) {
            let message = format!(
                "`{}` needs Kubernetes {range}, and the cluster runs {found}",
                member.component.name()
            );
            self.problems.push(Problem::error("kubernetes-version", message).at(member.at()));
        }
    }

    /// The id of a namespace, which is made if it is not wanted yet.
    fn namespace(&mut self, name: &str) -> ResourceId {
        let id = ResourceId::target(ResourceKind::Namespace, name);
        if self.desired.get(&id).is_none() {
            let spec = NamespaceSpec {
                name: name.to_owned(),
                labels: BTreeMap::new(),
                annotations: BTreeMap::new(),
            };
            let mut resource =
                Resource::new(id.clone(), Spec::kubernetes(KubernetesSpec::Namespace(spec)));
            resource.host = Some(self.cluster.clone());
            resource.needs = BTreeSet::from([self.cluster.clone(), self.installation.clone()]);
            self.desired.insert(resource);
        }
        id
    }

    /// Adds what a component wants of its namespace; two that want different things are told.
    fn describe_namespace(
        &mut self,
        name: &str,
        labels: BTreeMap<String, String>,
        annotations: BTreeMap<String, String>,
        keep: bool,
        member: &Member<'_>,
    ) {
        let id = self.namespace(name);
        let Some(resource) = self.desired.resources.get_mut(&id) else { return };
        resource.keep |= keep;
        let Spec::Kubernetes(spec) = &mut resource.spec else { return };
        let KubernetesSpec::Namespace(spec) = spec.as_mut() else { return };
        for (known, wanted) in [(&mut spec.labels, labels), (&mut spec.annotations, annotations)] {
            for (key, value) in wanted {
                match known.get(&key) {
                    Some(other) if *other != value => {
                        let message = format!(
                            "`{}` wants `{key}: {value}` on namespace `{name}`, and another instance wants `{other}`",
                            member.name()
                        );
                        self.problems.push(
                            Problem::error("namespace-label", message)
                                .at(member.at())
                                .help("give one of the two a `namespace:` of its own"),
                        );
                    }
                    _ => {
                        known.insert(key, value);
                    }
                }
            }
        }
    }

    /// Two resources must not be the same thing in the cluster.
    fn check_names(&mut self) {
        let mut seen: BTreeMap<(&str, &str, &str), &ResourceId> = BTreeMap::new();
        for (id, resource) in &self.desired.resources {
            let place = match resource.kubernetes() {
                Some(KubernetesSpec::Secret(s)) => {
                    ("Secret", s.namespace.as_str(), s.name.as_str())
                }
                Some(KubernetesSpec::Claim(c)) => ("claim", c.namespace.as_str(), c.name.as_str()),
                Some(KubernetesSpec::Release(r)) => {
                    ("release", r.namespace.as_str(), r.release.as_str())
                }
                _ => continue,
            };
            if let Some(other) = seen.insert(place, id) {
                let (what, namespace, name) = place;
                let message = format!(
                    "`{other}` and `{id}` are the same {what} `{name}` in namespace `{namespace}`"
                );
                self.problems.push(
                    Problem::error("same-name", message)
                        .help("give one of the two instances a `release:` of its own"),
                );
            }
        }
    }
}

/// Where one instance is built.
struct Site<'s, 'y, 'w, 'a> {
    scope: Scope<'w, 'a>,
    member: &'w Member<'a>,
    yard: &'s mut Yard<'y>,
    /// The instance's namespace.
    home: ResourceId,
    /// The health nodes of what the instance uses.
    providers: BTreeSet<ResourceId>,
    /// Secrets and claims.
    ground: BTreeSet<ResourceId>,
    /// The step before, and where that only looks, what stands behind it.
    previous: BTreeSet<ResourceId>,
    /// All that was made for the instance.
    own: BTreeSet<ResourceId>,
}

impl<'s, 'y, 'w, 'a> Site<'s, 'y, 'w, 'a> {
    fn new(world: &'w World<'a>, member: &'w Member<'a>, yard: &'s mut Yard<'y>) -> Self {
        let home = yard.namespace(&member.namespace);
        let providers = wiring::before(world, member)
            .iter()
            .map(|name| ResourceId::instance(name, ResourceKind::Health, "installed"))
            .collect();
        Self {
            scope: Scope::new(world, member),
            member,
            yard,
            home,
            providers,
            ground: BTreeSet::new(),
            previous: BTreeSet::new(),
            own: BTreeSet::new(),
        }
    }

    fn build(&mut self) {
        self.namespace();
        self.refuse_what_is_not_built();
        // What is granted comes first: secrets of the instance may copy from it.
        let claims = || self.member.component.claims.iter();
        for wish in claims().filter(|wish| wish.is_granted()) {
            self.grant(wish);
        }
        for wish in &self.member.component.secrets {
            self.secret(wish);
        }
        for wish in claims().filter(|wish| !wish.is_granted()) {
            self.volume(wish);
        }
        self.manner();
        for step in &self.member.component.steps {
            self.step(step);
            let is_crds = matches!(step.work, Work::Crds { .. });
            self.gone_before(&step.id, is_crds);
        }
        self.guard();
        self.health();
    }

    fn namespace(&mut self) {
        let component = self.member.component;
        let labels = self.labels(component.namespace.labels.as_ref());
        let annotations = self.labels(component.namespace.annotations.as_ref());
        let keep = component.delete.namespace == Some(Keeping::Keep);
        let name = self.member.namespace.clone();
        self.yard.describe_namespace(&name, labels, annotations, keep, self.member);
    }

    fn refuse_what_is_not_built(&mut self) {
        let component = self.member.component;
        for (what, at) in &component.delete.later {
            not_built(what, at, &mut self.yard.problems);
        }
        for (what, at, meanwhile) in &component.idle {
            let message = format!("not built yet: {what} has no effect");
            self.yard.problems.push(Problem::warning("not-built", message).at(at).help(*meanwhile));
        }
        if let Some(images) = &component.images
            && !images.entries().is_empty()
        {
            not_built("`images` of a component", &images.span, &mut self.yard.problems);
        }
    }

    /// A map of texts, substituted.
    fn labels(&mut self, tree: Option<&Located>) -> BTreeMap<String, String> {
        let Some(tree) = tree else { return BTreeMap::new() };
        if !matches!(tree.node, Node::Map(_)) {
            let message = format!("labels are a map, and here stands {}", tree.kind());
            self.yard.problems.push(Problem::error("wrong-type", message).at(&tree.span));
        }
        tree.entries()
            .iter()
            .filter_map(|entry| {
                let value = self.scope.text(&entry.value, &mut self.yard.problems)?;
                Some((entry.key.clone(), value))
            })
            .collect()
    }

    /// A resource of the instance in a namespace; it needs its host, what is wanted of it besides is added.
    fn resource(&mut self, kind: ResourceKind, name: &str, spec: KubernetesSpec) -> Resource {
        let id = self.id(kind, name);
        let mut resource = Resource::new(id, Spec::kubernetes(spec));
        resource.host = Some(self.home.clone());
        resource.needs.insert(self.home.clone());
        resource.extra = self.member.instance.extra;
        resource.ignore.clone_from(&self.member.instance.ignore);
        resource
    }

    /// The id of a part of the instance; what grants a claim bears the claim's name before its own.
    fn id(&self, kind: ResourceKind, name: &str) -> ResourceId {
        match &self.scope.asking {
            Some(asking) => {
                ResourceId::instance(self.member.name(), kind, format!("{}-{name}", asking.id))
            }
            None => ResourceId::instance(self.member.name(), kind, name),
        }
    }

    fn add(&mut self, resource: Resource) {
        if self.yard.desired.get(&resource.id).is_some() {
            let message =
                format!("two parts of `{}` are called `{}`", self.member.name(), resource.id);
            let help =
                "a claim's parts bear its id before their own: give one of the two another id";
            self.yard
                .problems
                .push(Problem::error("same-id", message).at(self.member.at()).help(help));
        }
        self.own.insert(resource.id.clone());
        self.yard.desired.insert(resource);
    }

    /// The node that stands for the instance being installed.
    fn health(&mut self) {
        let component = self.member.component;
        let spec = WaitSpec {
            until: self.scope.conditions(&component.health, &mut self.yard.problems),
            fails: self.scope.conditions(&component.fails, &mut self.yard.problems),
        };
        let mut health =
            self.resource(ResourceKind::Health, "installed", KubernetesSpec::Wait(spec));
        health.needs.extend(std::mem::take(&mut self.own));
        health.needs.extend(self.providers.iter().cloned());
        if let Some(ceiling) = self.member.instance.ceiling {
            health.patience.ceiling = Some(ceiling);
        }
        self.yard.desired.insert(health);
    }

    /// What is kept when the instance goes, by the component's word.
    fn claim_class(&self) -> Class {
        match self.member.component.delete.claims {
            Some(Keeping::Remove) => Class::Stateful,
            Some(Keeping::Keep) | None => Class::Data,
        }
    }
}
