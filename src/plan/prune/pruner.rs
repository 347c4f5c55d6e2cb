//! What goes and what stays of the things that are wanted no more, each in the light of the others.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Fate, KEPT_BY_YOU, kept_because, left_behind};
use super::held::Held;
use super::{everything, is_of_others};
use crate::model::{Class, Family, Found, Name, ObjectFound, ResourceId, ResourceKind, Scope};
use crate::plan::Block;
use crate::plan::decision::Entries;
use crate::plan::place::{DEEPEST, World};

pub(super) struct Pruner<'w, 'a> {
    pub(super) world: &'w World<'a>,
    pub(super) taken: &'w BTreeSet<Name>,
    pub(super) staying: &'w Entries,
    pub(super) going: BTreeMap<&'a ResourceId, Fate>,
}

impl<'a> Pruner<'_, 'a> {
    /// What its own marks say.
    pub(super) fn own(&self, id: &ResourceId) -> Fate {
        let permits = self.world.request.permits;
        let Some(found) = self.world.discovered(id) else { return Fate::Goes };
        let data = found.class == Class::Data;
        // Of a release that is gone, what the chart keeps is all there is.
        let remains = id.kind == ResourceKind::Release
            && found.release.is_none()
            && !found.objects.is_empty()
            && left_behind(self.world, id, found).len() == found.objects.len();
        let kept = data && !permits.include_data
            || found.keep && (!permits.include_data || id.kind == ResourceKind::Crds)
            || remains;
        if self.is_spared(id) {
            let why = if kept { kept_because(found) } else { KEPT_BY_YOU.to_owned() };
            return Fate::Stays(why);
        }
        if let Some(block) = refused(id, found) {
            return Fate::Refused(block);
        }
        let said = found.protection.as_ref();
        let fate = if kept {
            // Whether it goes with its host all the same is seen once the host is decided.
            Fate::Stays(kept_because(found))
        } else if self.world.lives_simulated(id) || permits.holds_no_data.contains(id) {
            Fate::Goes
        } else if permits.production && found.class != Class::Stateless && said.is_none() {
            let word = found.class.word();
            let why =
                format!("the environment is production, which protects what is of class {word}");
            Fate::Refused(Block::Protected { why })
        } else {
            Fate::Goes
        };
        match said.filter(|said| said.on) {
            Some(said) if fate == Fate::Goes => {
                let why = format!("it was protected by {}", said.says());
                Fate::Refused(Block::Protected { why })
            }
            Some(_) | None => fate,
        }
    }

    /// Whether the user keeps it.
    fn is_spared(&self, id: &ResourceId) -> bool {
        self.world.request.permits.spares(id, &self.world.hosts(id))
    }

    /// Lets what stays keep what it lives in and what it needs, and lets hosts take along what is in them.
    pub(super) fn settle(&mut self) {
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
        let fate = if let Some((what, said)) = self.world.protected_at(cluster) {
            let why = format!("`{what}` in it was protected by {}", said.says());
            Fate::Refused(Block::Protected { why })
        } else if let Some(why) = self.why_it_shelters(cluster, simulated) {
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
            let foreign = self.with_foreign(cluster);
            for (id, inner) in &mut self.going {
                let inside = self.world.hosts(id).contains(&cluster);
                // What holds for what goes one by one says nothing of a cluster that goes as a whole.
                let ruled = foreign.contains(id)
                    || id.kind == ResourceKind::Removal && matches!(inner, Fate::Refused(_));
                if inside && (simulated || ruled || matches!(inner, Fate::Stays(_))) {
                    *inner = Fate::GoesWith(cluster.clone());
                }
            }
        }
        self.going.insert(cluster, fate);
    }

    /// What in a host is refused since something of it is somebody else's, with all that it needs and lives in: whole, it goes
    /// with the host.
    fn with_foreign(&self, host: &ResourceId) -> BTreeSet<&'a ResourceId> {
        let inside = |id: &ResourceId| self.world.hosts(id).contains(&host);
        let refused = self.going.iter().filter(|(id, fate)| {
            inside(id) && matches!(fate, Fate::Refused(Block::Foreign { .. }))
        });
        let mut all: BTreeSet<&ResourceId> = refused.map(|(id, _)| *id).collect();
        let mut next: Vec<&ResourceId> = all.iter().copied().collect();
        while let Some(found) = next.pop().map(|id| self.world.discovered(id)) {
            for need in found.into_iter().flat_map(|found| found.needs.iter().chain(&found.host)) {
                let going = self.going.get(need) == Some(&Fate::Goes);
                if going && inside(need) && all.insert(need) {
                    next.push(need);
                }
            }
        }
        all
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

    /// Why a cluster stays, whatever is said of itself.
    fn why_it_shelters(&self, cluster: &'a ResourceId, simulated: bool) -> Option<String> {
        let left = || self.left_in(cluster).filter(|_| !simulated);
        self.lived_in(cluster)
            .or_else(|| self.shelters_neighbours())
            .or_else(|| self.shelters_spared(cluster))
            .or_else(|| left().map(|id| format!("`{id}` in it is kept")))
    }

    /// Why a cluster stays: other projects live in it, and the run is not about all there is.
    fn shelters_neighbours(&self) -> Option<String> {
        let request = self.world.request;
        let neighbours = &request.snapshot.discovered.neighbours;
        let live = request.permits.flavour.is_some() && !neighbours.is_empty();
        live.then(|| {
            format!("{} lives in it; `--all-flavours` takes all", neighbours.join(" and "))
        })
    }

    /// What would be kept and lies in a host that goes, though it, or what it lives in, is wanted in another one.
    fn left_in(&self, host: &ResourceId) -> Option<&'a ResourceId> {
        let discovered = &self.world.request.snapshot.discovered.found;
        let inside = |found: &'a Found| {
            let chain = std::iter::successors(found.host.as_ref(), |at| {
                discovered.get(*at).and_then(|found| found.host.as_ref())
            });
            chain.take(DEEPEST).any(|at| at == host)
        };
        let left = |id: &ResourceId, found: &'a Found| match self.going.get(id) {
            None => found.class == Class::Data || found.keep,
            // Of what goes itself, only what hides behind a host that is wanted elsewhere is not seen from here.
            Some(fate) => {
                let hidden = !self.world.hosts(id).contains(&host);
                found.class == Class::Data && !fate.is_gone() && hidden
            }
        };
        let mut left = discovered.iter().filter(|(id, found)| left(id, found));
        left.find(|(_, found)| inside(found)).map(|(id, _)| id)
    }

    /// Why a host stays: the user keeps something in it.
    fn shelters_spared(&self, host: &ResourceId) -> Option<String> {
        let mut going = self.going.keys();
        let kept = going.find(|id| self.world.hosts(id).contains(&host) && self.is_spared(id))?;
        Some(format!("`{kept}` in it is {KEPT_BY_YOU}"))
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
            ResourceKind::Removal => {
                let needs = &self.world.discovered(id)?.needs;
                let kept = needs.iter().find(|need| {
                    matches!(self.going.get(need), Some(Fate::Stays(_))) && self.is_spared(need)
                })?;
                Some(format!("it says how `{kept}` goes"))
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
        // What is wanted in another namespace now and would be kept, was it wanted no more.
        let mut discovered = self.world.request.snapshot.discovered.found.iter();
        let moved = discovered.find(|(id, found)| {
            let stays = |object: &ObjectFound| {
                found.class == Class::Data || found.keep || object.class == Class::Data
            };
            let there = found.objects.iter().any(|object| inside(object) && stays(object));
            there && !self.going.contains_key(id)
        });
        kept.map(|(id, _)| *id)
            .or(moved.map(|(id, _)| id))
            .or_else(|| self.left_in(namespace))
            .map(|id| format!("`{id}` in it is kept"))
            .or_else(|| remains.map(|(_, object)| format!("{} in it is kept", object.object)))
            .or_else(foreign)
    }

    /// An instance that a remaining one needs does not go. Of one that stays, the others need what they name.
    pub(super) fn refuse_needed(&mut self) {
        let mut users: BTreeMap<&Name, BTreeSet<ResourceId>> = BTreeMap::new();
        let mut users_of_one: BTreeMap<&ResourceId, BTreeSet<ResourceId>> = BTreeMap::new();
        for id in everything(self.world).into_iter().filter(|id| self.remains(id)) {
            for need in self.world.effective_needs(id).filter(|need| need.scope != id.scope) {
                users_of_one.entry(need).or_default().insert(id.clone());
                if let Some(name) = need.instance_name() {
                    users.entry(name).or_default().insert(id.clone());
                }
            }
        }
        let (desired, taken) = (&self.world.request.desired, self.taken);
        for (id, fate) in self.going.iter_mut().filter(|(_, fate)| **fate == Fate::Goes) {
            let Some(name) = id.instance_name() else { continue };
            let stays = desired.has(name) && !taken.contains(name);
            let by = if stays { users_of_one.get(*id) } else { users.get(name) };
            if let Some(by) = by {
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

/// Why something does not go: the rules written beside an instance do not let it, or something of it is somebody else's.
fn refused(id: &ResourceId, found: &Found) -> Option<Block> {
    let owner = match id.kind {
        ResourceKind::Removal => "somebody else, and what handles it would go",
        ResourceKind::Release | ResourceKind::Objects => "another owner, by the mark on it",
        ResourceKind::Network
        | ResourceKind::FileSystem
        | ResourceKind::MountTarget
        | ResourceKind::Bucket
        | ResourceKind::Installation
        | ResourceKind::Crds
        | ResourceKind::Secret
        | ResourceKind::Claim
        | ResourceKind::Cluster
        | ResourceKind::Namespace
        | ResourceKind::Job
        | ResourceKind::Wait
        | ResourceKind::Health => return None,
    };
    if let Some(why) = &found.refuses {
        return Some(Block::Preflight { why: why.clone() });
    }
    let names: Vec<String> = found.foreign.iter().map(ToString::to_string).collect();
    let object = names.join(", ");
    (!names.is_empty()).then(|| Block::Foreign { object, owner: owner.to_owned() })
}
