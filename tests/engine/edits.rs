//! What people do to a flavour file between two runs.

use datamill::model::{Class, KubernetesSpec, Renames, ResourceId, Spec, Value};
use proptest::prelude::*;

use super::laws::{Flavour, flavours};
use crate::support::lab::{CLUSTER, INSTALLATION, Lab, NAMESPACE, id};

const CLAIMS: [&str; 3] = ["base/claim/data", "app/claim/data", "other/claim/data"];

/// A change of the file.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    /// Other parts, another value.
    Swap(Flavour),
    /// A claim leaves an instance that stays.
    DropClaim(usize),
    /// `base` is called `ground` from now on, and nothing says that it is the same.
    Rename,
    /// The same, with `moved:`.
    Moved,
    /// A claim is not said to be data any more.
    Reclass(usize),
    /// Somebody weakens the class written on a claim.
    Weaken(usize),
    /// A claim is wanted smaller, which the server refuses.
    Shrink(usize),
    /// A field of data changes that cannot change in place.
    Immutable,
    /// All instances are wanted in another namespace.
    Namespace,
    /// The cluster is called otherwise.
    Cluster,
}

pub(super) fn edits() -> impl Strategy<Value = Edit> {
    prop_oneof![
        flavours().prop_map(Edit::Swap),
        (0..CLAIMS.len()).prop_map(Edit::DropClaim),
        Just(Edit::Rename),
        Just(Edit::Moved),
        (0..CLAIMS.len()).prop_map(Edit::Reclass),
        (0..CLAIMS.len()).prop_map(Edit::Weaken),
        (0..CLAIMS.len()).prop_map(Edit::Shrink),
        Just(Edit::Immutable),
        Just(Edit::Namespace),
        Just(Edit::Cluster),
    ]
}

impl Edit {
    /// Whether things stay where they are: the fake world has no second place for what has one name.
    pub(super) fn stays_in_place(&self) -> bool {
        !matches!(self, Self::Namespace | Self::Cluster)
    }

    /// Wants what the edited file says.
    pub(super) fn ask(&self, flavour: &Flavour, lab: &mut Lab) {
        flavour.ask(lab);
        match self {
            Self::Swap(next) => next.ask(lab),
            Self::DropClaim(which) => drop_claim(lab, &id(CLAIMS[*which])),
            Self::Rename => flavour.ask_with_base(lab, "ground"),
            Self::Moved => {
                flavour.ask_with_base(lab, "ground");
                lab.renames = Renames::new([(Lab::name("base"), Lab::name("ground"))]);
            }
            Self::Reclass(which) => {
                if let Some(claim) = lab.desired.resources.get_mut(&id(CLAIMS[*which])) {
                    claim.class = Class::Stateless;
                }
            }
            Self::Weaken(which) => {
                if let Some(thing) = lab.world.state().things.get_mut(&id(CLAIMS[*which])) {
                    thing.class = Class::Stateless;
                }
            }
            Self::Shrink(which) => shrink(lab, CLAIMS[*which]),
            Self::Immutable => immutable(lab),
            Self::Namespace => rename(lab, NAMESPACE, "target/namespace/den"),
            Self::Cluster => rename(lab, CLUSTER, "target/cluster/den"),
        }
    }
}

fn drop_claim(lab: &mut Lab, claim: &ResourceId) {
    lab.desired.resources.remove(claim);
    for resource in lab.desired.resources.values_mut() {
        resource.needs.remove(claim);
    }
}

fn shrink(lab: &mut Lab, claim: &str) {
    let Some(wanted) = lab.desired.resources.get_mut(&id(claim)) else { return };
    if let Some(KubernetesSpec::Claim(spec)) = wanted.kubernetes() {
        let spec = datamill::model::ClaimSpec { size: "1Mi".to_owned(), ..spec.clone() };
        wanted.spec = Spec::kubernetes(KubernetesSpec::Claim(spec));
    }
    lab.world.rejects(
        claim,
        "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity",
    );
}

fn immutable(lab: &mut Lab) {
    let shared = lab.desired.resources.get_mut(&id("target/file-system/shared"));
    if let Some(Spec::Cloud(spec)) = shared.map(|shared| &mut shared.spec) {
        spec.fields.insert("region".to_owned(), Value::text("elsewhere"));
    }
}

/// What lived in one host is wanted in another.
fn rename(lab: &mut Lab, old: &str, new: &str) {
    let (old, new) = (id(old), id(new));
    assert_ne!(old, id(INSTALLATION));
    let all = std::mem::take(&mut lab.desired.resources);
    for (_, mut resource) in all {
        if resource.id == old {
            resource.id = new.clone();
        }
        if resource.needs.remove(&old) {
            resource.needs.insert(new.clone());
        }
        if resource.host.as_ref() == Some(&old) {
            resource.host = Some(new.clone());
        }
        lab.desired.insert(resource);
    }
}
