//! What is there and wanted no more: what goes, what stays and why. Data stays, and so does what it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::decide::whole;
use super::decision::{Decision, Entries, Entry};
use super::place::World;
use super::{Action, Block, Change, Effect, Origin, Precondition, Selection, Shown};
use crate::model::{
    Class, Family, Found, Name, ObjectFound, Owner, ResourceId, ResourceKind, Scope,
};

/// What pruning adds to a plan.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    /// Decided resources.
    pub(super) entries: Entries,
    /// For a person.
    pub(super) notes: Vec<String>,
}

/// The instances that go because they need one that goes, when that is permitted.
pub(super) fn taken_along(world: &World<'_>) -> BTreeSet<Name> {
    let mut taken = BTreeSet::new();
    if !world.request.permits.cascade {
        return taken;
    }
    loop {
        let leaving: BTreeSet<_> = candidates(world, &taken)
            .into_iter()
            .filter_map(|id| id.instance_name().cloned())
            .filter(|name| taken.contains(name) || !has_wanted(world, name))
            .collect();
        let next =
            everything(world).into_iter().filter(|id| !is_of_others(world, id)).find_map(|id| {
                let name = id.instance_name()?;
                let fresh = !taken.contains(name) && !leaving.contains(name);
                (fresh && leaving.iter().any(|gone| world.needs_instance(id, gone))).then_some(name)
            });
        match next {
            Some(name) => taken.insert(name.clone()),
            None => return taken,
        };
    }
}

/// Whether anything of an instance is wanted.
fn has_wanted(world: &World<'_>, name: &Name) -> bool {
    world.request.desired.resources.keys().any(|id| id.instance_name() == Some(name))
}

/// All ids, wanted or found.
fn everything<'a>(world: &World<'a>) -> BTreeSet<&'a ResourceId> {
    let request = world.request;
    request.desired.resources.keys().chain(request.snapshot.discovered.found.keys()).collect()
}

/// Whether another flavour holds it.
fn is_of_others(world: &World<'_>, id: &ResourceId) -> bool {
    let theirs = world.discovered(id).and_then(|found| found.flavour.as_deref());
    theirs.is_some_and(|theirs| world.is_another(theirs))
}

/// Whether it was installed by name outside the flavour, and is not meant by this run.
fn is_extra(world: &World<'_>, id: &ResourceId) -> bool {
    let meant = match world.request.selection {
        Selection::All => world.request.desired.resources.is_empty(),
        Selection::Instances(_) => true,
    };
    !meant && world.discovered(id).is_some_and(|found| found.extra)
}

/// Whether it is a claim that a workload of a wanted instance made for itself: no file names it, and it is in use.
fn is_in_use(world: &World<'_>, id: &ResourceId, found: &Found) -> bool {
    let made_by_a_workload = id.kind == ResourceKind::Claim && found.applied.is_none();
    made_by_a_workload && id.instance_name().is_some_and(|name| has_wanted(world, name))
}

/// What is ours, found, within this run and wanted no more.
fn candidates<'a>(world: &World<'a>, taken: &BTreeSet<Name>) -> BTreeSet<&'a ResourceId> {
    let discovered = &world.request.snapshot.discovered.found;
    discovered
        .iter()
        .filter(|(id, found)| {
            let along = id.instance_name().is_some_and(|name| taken.contains(name));
            found.owner == Owner::Ours
                && !id.kind.only_looks()
                && (along || world.desired(id).is_none() && world.is_selected(id))
                && !is_of_others(world, id)
                && !is_extra(world, id)
                && (along || !is_in_use(world, id, found))
        })
        .map(|(id, _)| id)
        .collect()
}

/// Decides all that is wanted no more.
pub(super) fn prune(world: &World<'_>, taken: &BTreeSet<Name>, staying: &Entries) -> Pruned {
    let candidates = candidates(world, taken);
    let mut pruned = Pruned { notes: notes(world), ..Pruned::default() };
    let unlisted = &world.request.snapshot.discovered.unlisted;
    let mut fates = Pruner { world, taken, staying, going: BTreeMap::new() };
    for id in candidates {
        let fate = match unlisted.first() {
            Some(what) => Fate::Stays(format!("not everything could be listed: {what}")),
            None => fates.own(id),
        };
        fates.going.insert(id, fate);
    }
    if unlisted.is_empty() {
        fates.settle();
        fates.refuse_needed();
    }
    for (id, fate) in &fates.going {
        if let Some(found) = world.discovered(id) {
            pruned.entries.insert((*id).clone(), entry(world, id, found, fate));
        }
    }
    pruned
}

/// What a person should know about things that this run leaves alone.
fn notes(world: &World<'_>) -> Vec<String> {
    let discovered = &world.request.snapshot.discovered;
    let mut notes: Vec<_> = discovered
        .unlisted
        .iter()
        .map(|what| format!("could not list {what}: nothing is removed in this run"))
        .collect();
    let extras: BTreeSet<_> = discovered
        .found
        .keys()
        .filter(|id| is_extra(world, id) && world.desired(id).is_none() && !is_of_others(world, id))
        .filter_map(ResourceId::instance_name)
        .collect();
    notes.extend(extras.into_iter().map(|name| {
        format!("`{name}` was installed outside the flavour and is left alone; -u -c {name} takes it away")
    }));
    notes
}

/// What becomes of a thing that is wanted no more.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Goes,
    GoesWith(ResourceId),
    Stays(String),
    Refused(Block),
}

impl Fate {
    fn is_gone(&self) -> bool {
        matches!(self, Self::Goes | Self::GoesWith(_))
    }
}

struct Pruner<'w, 'a> {
    world: &'w World<'a>,
    taken: &'w BTreeSet<Name>,
    staying: &'w Entries,
    going: BTreeMap<&'a ResourceId, Fate>,
}

impl<'a> Pruner<'_, 'a> {
    /// What its own marks say.
    fn own(&self, id: &ResourceId) -> Fate {
        let permits = self.world.request.permits;
        let Some(found) = self.world.discovered(id) else { return Fate::Goes };
        let data = found.class == Class::Data;
        let kept = data && !permits.include_data
            || found.keep && (!permits.include_data || id.kind == ResourceKind::Crds);
        if let Some(block) = refused(id, found) {
            return Fate::Refused(block);
        }
        if self.world.lives_simulated(id) || permits.holds_no_data.contains(id) {
            // Whether it goes with its host is seen once the host is decided.
            if kept { Fate::Stays(kept_because(found)) } else { Fate::Goes }
        } else if kept {
            Fate::Stays(kept_because(found))
        } else if permits.production && found.class != Class::Stateless {
            let word = found.class.word();
            let why = format!("the environment is production, and its class is {word}");
            Fate::Refused(Block::Protected { why })
        } else {
            Fate::Goes
        }
    }

    /// Lets what stays keep what it lives in and what it needs, and lets hosts take along what is in them.
    fn settle(&mut self) {
        let clusters: Vec<_> =
            self.going.keys().copied().filter(|id| id.kind == ResourceKind::Cluster).collect();
        for cluster in clusters {
            self.decide_cluster(cluster);
        }
        while let Some((id, why)) = self.held_back() {
            self.going.insert(id, Fate::Stays(why));
        }
    }

    /// A cluster goes unless data or another flavour lives in it; then what is in it goes with it or before it.
    fn decide_cluster(&mut self, cluster: &'a ResourceId) {
        let permits = self.world.request.permits;
        if self.going.get(cluster) != Some(&Fate::Goes) {
            return;
        }
        let simulated = permits.holds_no_data.contains(cluster);
        let fate = if let Some(why) = self.lived_in(cluster) {
            Fate::Stays(why)
        } else if simulated {
            Fate::Goes
        } else if self.world.is_off(cluster) && !permits.include_data {
            let why = "it is stopped, and what it holds is not known; start it first".to_owned();
            Fate::Refused(Block::Protected { why })
        } else if let Some(why) = self.holds_data(cluster) {
            Fate::Stays(why)
        } else {
            Fate::Goes
        };
        if fate == Fate::Goes {
            for (id, inner) in &mut self.going {
                let inside = self.world.hosts(id).contains(&cluster);
                // Rules for what goes one by one say nothing of a cluster that goes as a whole.
                let ruled = id.kind == ResourceKind::Removal && matches!(inner, Fate::Refused(_));
                if inside && (simulated || ruled || matches!(inner, Fate::Stays(_))) {
                    *inner = Fate::GoesWith(cluster.clone());
                }
            }
        }
        self.going.insert(cluster, fate);
    }

    /// Why a host stays: something lives in it that this run does not take away.
    fn lived_in(&self, host: &ResourceId) -> Option<String> {
        let inside = |id: &ResourceId| self.world.hosts(id).contains(&host);
        let discovered = self.world.request.snapshot.discovered.found.iter();
        let flavours: BTreeSet<_> = discovered
            .clone()
            .filter(|(id, _)| inside(id) && is_of_others(self.world, id))
            .filter_map(|(_, found)| found.flavour.as_deref())
            .collect();
        if !flavours.is_empty() {
            let names: Vec<_> = flavours.into_iter().collect();
            return Some(format!("flavour {} lives in it", names.join(", ")));
        }
        let wanted = self.staying.keys().find(|id| inside(id));
        let left = || {
            let stays = |id: &&ResourceId| !self.going.contains_key(*id) && !id.kind.only_looks();
            discovered.map(|(id, _)| id).filter(|id| inside(id)).find(stays)
        };
        wanted.or_else(left).map(|id| format!("`{id}` lives in it"))
    }

    /// Why a host stays: data in it does.
    fn holds_data(&self, host: &ResourceId) -> Option<String> {
        let names: Vec<_> = self
            .going
            .iter()
            .filter(|(id, fate)| {
                !fate.is_gone()
                    && self.world.hosts(id).contains(&host)
                    && self.world.discovered(id).is_some_and(|found| found.class == Class::Data)
            })
            .map(|(id, _)| format!("`{id}`"))
            .collect();
        (!names.is_empty()).then(|| format!("{} in it is kept", names.join(", "))).or_else(|| {
            let mut remains = self.remains_of_releases();
            let inside = |id: &ResourceId| self.world.hosts(id).contains(&host);
            let (_, object) = remains.find(|(id, object)| {
                inside(id)
                    && (object.class == Class::Data
                        || object.object.kind.starts_with("PersistentVolume"))
            })?;
            Some(format!("{} in it is kept", object.object))
        })
    }

    /// The next thing that was to go and has to stay, and why.
    fn held_back(&self) -> Option<(&'a ResourceId, String)> {
        let held = Held::by(self.world, &self.going);
        let going = self.going.iter().filter(|(_, fate)| **fate == Fate::Goes);
        going.map(|(id, _)| *id).find_map(|id| Some((id, self.holds_back(id, &held)?)))
    }

    fn holds_back(&self, id: &ResourceId, held: &Held<'_>) -> Option<String> {
        if id.kind == ResourceKind::Cluster {
            let simulated = self.world.request.permits.holds_no_data.contains(id);
            return if simulated { None } else { self.holds_data(id) };
        }
        if let Some(other) = held.by_what(id) {
            return Some(format!("`{other}` needs it"));
        }
        match id.kind {
            ResourceKind::Namespace => self.lived_in(id).or_else(|| self.shelters(id)),
            ResourceKind::Installation => {
                let cluster = self.world.host(id)?;
                let inside = |other: &ResourceId| {
                    other.kind.family() == Family::Kubernetes
                        && self.world.hosts(other).contains(&cluster)
                };
                let kept = self.going.iter().find(|(other, fate)| !fate.is_gone() && inside(other));
                let remains = self.remains_of_releases().find(|(other, _)| inside(other));
                let kept = kept.map(|(other, _)| *other).or(remains.map(|(other, _)| other));
                let bystander = self.lived_in(cluster);
                kept.map(|other| format!("it says whose `{other}` is")).or(bystander)
            }
            ResourceKind::Cluster
            | ResourceKind::Network
            | ResourceKind::FileSystem
            | ResourceKind::MountTarget
            | ResourceKind::Bucket
            | ResourceKind::Crds
            | ResourceKind::Secret
            | ResourceKind::Claim
            | ResourceKind::Release
            | ResourceKind::Objects
            | ResourceKind::Job
            | ResourceKind::Removal
            | ResourceKind::Wait
            | ResourceKind::Health => None,
        }
    }

    /// What releases that go leave behind.
    fn remains_of_releases(&self) -> impl Iterator<Item = (&'a ResourceId, &'a ObjectFound)> {
        let going = self.going.iter().filter(|(_, fate)| **fate == Fate::Goes);
        going.flat_map(|(id, _)| {
            let found = self.world.discovered(id);
            let left = found.map(|found| left_behind(self.world, id, found)).unwrap_or_default();
            left.into_iter().map(|object| (*id, object))
        })
    }

    /// Why a namespace stays: something in it is kept, or is not ours.
    fn shelters(&self, namespace: &ResourceId) -> Option<String> {
        let kept = self
            .going
            .iter()
            .find(|(id, fate)| !fate.is_gone() && self.world.hosts(id).contains(&namespace));
        let foreign = || {
            let found = self.world.discovered(namespace)?;
            let names: Vec<_> = found.foreign.iter().take(3).map(ToString::to_string).collect();
            let more = found.foreign.len().saturating_sub(names.len());
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            (!names.is_empty()).then(|| format!("not ours in it: {}{more}", names.join(", ")))
        };
        let inside = |object: &ObjectFound| {
            object.object.namespace.as_deref() == Some(namespace.name.as_str())
        };
        let remains = self.remains_of_releases().find(|(_, object)| inside(object));
        kept.map(|(id, _)| format!("`{id}` in it is kept"))
            .or_else(|| remains.map(|(_, object)| format!("{} in it is kept", object.object)))
            .or_else(foreign)
    }

    /// An instance that a remaining one needs does not go.
    fn refuse_needed(&mut self) {
        let leaving: BTreeSet<_> = self
            .going
            .iter()
            .filter(|(_, fate)| **fate == Fate::Goes)
            .filter_map(|(id, _)| id.instance_name().cloned())
            .collect();
        let mut users: BTreeMap<&Name, BTreeSet<ResourceId>> = BTreeMap::new();
        for id in everything(self.world).into_iter().filter(|id| self.remains(id)) {
            let needed = self.world.effective_needs(id).filter_map(ResourceId::instance_name);
            for name in needed.filter(|name| id.instance_name() != Some(name)) {
                users.entry(name).or_default().insert(id.clone());
            }
        }
        for (id, fate) in self.going.iter_mut().filter(|(_, fate)| **fate == Fate::Goes) {
            let by = id.instance_name().filter(|name| leaving.contains(*name));
            if let Some(by) = by.and_then(|name| users.get(name)) {
                *fate = Fate::Refused(Block::Needed { by: by.clone() });
            }
        }
    }

    /// Whether something of an instance is still there, or will be, after this run.
    fn remains(&self, id: &ResourceId) -> bool {
        let Scope::Instance(name) = &id.scope else { return false };
        let gone = match self.going.get(id) {
            Some(fate) => fate.is_gone(),
            None => self.taken.contains(name),
        };
        // A thing that was never made and is not part of this run needs nothing.
        let real = self.staying.contains_key(id) || self.world.found(id).is_some();
        !gone && real
    }
}

/// What stays, by what it holds back: what it needs and lives in, and the whole instance behind a need that only looks.
struct Held<'a> {
    ids: BTreeMap<&'a ResourceId, &'a ResourceId>,
    instances: BTreeMap<&'a Scope, &'a ResourceId>,
}

impl<'a> Held<'a> {
    fn by(world: &World<'a>, going: &BTreeMap<&'a ResourceId, Fate>) -> Self {
        let mut held = Self { ids: BTreeMap::new(), instances: BTreeMap::new() };
        for (id, _) in going.iter().filter(|(_, fate)| matches!(fate, Fate::Stays(_))) {
            let Some(found) = world.discovered(id) else { continue };
            for need in found.needs.iter().chain(&found.host) {
                if need.kind.only_looks() && need.scope != Scope::Target {
                    held.instances.entry(&need.scope).or_insert(id);
                }
                held.ids.entry(need).or_insert(id);
            }
        }
        held
    }

    fn by_what(&self, id: &ResourceId) -> Option<&'a ResourceId> {
        self.ids.get(id).or_else(|| self.instances.get(&id.scope)).copied()
    }
}

/// Why the rules written beside an instance do not let it go.
fn refused(id: &ResourceId, found: &Found) -> Option<Block> {
    if id.kind != ResourceKind::Removal {
        return None;
    }
    if let Some(why) = &found.refuses {
        return Some(Block::Preflight { why: why.clone() });
    }
    let names: Vec<String> = found.foreign.iter().map(ToString::to_string).collect();
    (!names.is_empty()).then(|| Block::Foreign {
        object: names.join(", "),
        owner: "somebody else, and what handles it would go".to_owned(),
    })
}

fn kept_because(found: &Found) -> String {
    match (found.class, &found.size) {
        (Class::Data, Some(size)) => format!("it holds data ({size})"),
        (Class::Data, None) => "it holds data".to_owned(),
        (Class::Stateful | Class::Stateless, _) => "it is marked to be kept".to_owned(),
    }
}

/// What stays of a release that goes: Helm keeps volumes, claims, definitions and namespaces, and data is kept in any case
/// unless the run includes it.
fn left_behind<'f>(world: &World<'_>, id: &ResourceId, found: &'f Found) -> Vec<&'f ObjectFound> {
    let include_data = world.request.permits.include_data;
    let stays = |object: &&ObjectFound| match object.object.kind.as_str() {
        "CustomResourceDefinition" | "Namespace" => true,
        "PersistentVolumeClaim" | "PersistentVolume" => !include_data,
        _ => object.class == Class::Data && !include_data,
    };
    let of_release = found.objects.iter().filter(|_| id.kind == ResourceKind::Release);
    of_release.filter(|object| object.live.is_some()).filter(stays).collect()
}

fn entry(world: &World<'_>, id: &ResourceId, found: &Found, fate: &Fate) -> Entry {
    let mut decision = match fate {
        Fate::Goes => Decision::plain(Action::Delete),
        Fate::GoesWith(host) => Decision::plain(Action::GoesWith { host: host.clone() }),
        Fate::Stays(why) => Decision::plain(Action::Retain { why: why.clone() }),
        Fate::Refused(by) => Decision::blocked(by.clone()),
    };
    if *fate == Fate::Goes {
        decision.precondition = Precondition::of(found);
        let kept = left_behind(world, id, found);
        decision.changes = removed(found, &kept);
        decision.notes.extend(kept.iter().map(|object| format!("{} is kept", object.object)));
    }
    if fate.is_gone() && id.kind == ResourceKind::Cluster && !found.foreign.is_empty() {
        let names: Vec<_> = found.foreign.iter().map(ToString::to_string).collect();
        decision.notes.push(format!("not ours, and goes with it: {}", names.join(", ")));
    }
    Entry { decision, wanted: None, found: Some(Arc::new(found.clone())) }
}

/// All that goes, object by object.
fn removed(found: &Found, kept: &[&ObjectFound]) -> Vec<Change> {
    let effect = |class| if class == Class::Data { Effect::LosesData } else { Effect::InPlace };
    let mut changes: Vec<_> = found
        .objects
        .iter()
        .filter(|object| object.live.is_some() && !kept.contains(object))
        .map(|object| {
            let class = if found.class == Class::Data { found.class } else { object.class };
            let from = Shown::Text("present".to_owned());
            whole(object.object.clone(), (from, Shown::Absent), effect(class), Origin::You)
        })
        .collect();
    if changes.is_empty() {
        changes.push(Change {
            object: None,
            path: String::new(),
            from: Shown::Text(found.size.clone().unwrap_or_else(|| "present".to_owned())),
            to: Shown::Absent,
            effect: effect(found.class),
            origin: Origin::You,
        });
    }
    changes
}
