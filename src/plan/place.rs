//! What was seen, seen from one resource: whether it is there, what it lives in, whether this run is about it.

use super::decision::is_data;
use super::{Block, Request, Selection};
use crate::model::{
    Family, Found, Name, Observed, Owner, Power, Protection, Resource, ResourceId, ResourceKind,
    Scope, label_value,
};

/// What became of the host of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// It stays, or there is none.
    Here,
    /// It is made anew: nothing is in it.
    Anew {
        /// The host.
        host: ResourceId,
    },
    /// It is stopped.
    Off {
        /// The one that will be started.
        host: ResourceId,
    },
    /// It is blocked itself.
    Blocked {
        /// Why.
        by: Block,
    },
}

/// The request, with answers to the questions that planning asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct World<'a> {
    /// What was asked.
    pub(super) request: &'a Request<'a>,
    only_cluster: Option<&'a ResourceId>,
}

/// Hosts nest a few levels at most; more is a circle.
pub(super) const DEEPEST: usize = 8;

impl<'a> World<'a> {
    /// Looks for the only cluster there is.
    pub(super) fn new(request: &'a Request<'a>) -> Self {
        let wanted = request.desired.resources.keys();
        let found = request.snapshot.discovered.found.keys();
        let mut clusters: Vec<_> =
            wanted.chain(found).filter(|id| id.kind == ResourceKind::Cluster).collect();
        clusters.sort();
        clusters.dedup();
        let only_cluster = match clusters.as_slice() {
            [one] => Some(*one),
            _ => None,
        };
        Self { request, only_cluster }
    }

    /// A wanted resource.
    pub(super) fn desired(&self, id: &ResourceId) -> Option<&'a Resource> {
        self.request.desired.get(id)
    }

    /// What was seen of a wanted resource.
    pub(super) fn observed(&self, id: &ResourceId) -> Option<&'a Observed> {
        self.request.snapshot.observed.get(id)
    }

    /// What was found, wanted or not.
    pub(super) fn found(&self, id: &ResourceId) -> Option<&'a Found> {
        match self.observed(id) {
            Some(Observed::Present(found)) => Some(found),
            Some(Observed::Absent) => None,
            Some(Observed::Unreachable { .. }) | None => self.discovered(id),
        }
    }

    /// What bears our marks.
    pub(super) fn discovered(&self, id: &ResourceId) -> Option<&'a Found> {
        self.request.snapshot.discovered.found.get(id)
    }

    /// The other flavour that holds an instance or a part of it.
    pub(super) fn other_holder(&self, id: &ResourceId) -> Option<&'a str> {
        id.instance_name()?;
        let discovered = &self.request.snapshot.discovered.found;
        discovered
            .iter()
            .filter(|(other, found)| other.scope == id.scope && found.owner == Owner::Ours)
            .filter_map(|(_, found)| found.flavour.as_deref())
            .find(|flavour| self.is_another(flavour))
    }

    /// Whether a mark names another flavour than this run's. Marks hold names in the shape of label values.
    pub(super) fn is_another(&self, flavour: &str) -> bool {
        let ours = self.request.permits.flavour.as_deref();
        let taken = self.request.permits.takes_from.as_deref();
        let is = |name: &str| name == flavour || label_value(name) == flavour;
        ours.is_some_and(|ours| !is(ours)) && !taken.is_some_and(is)
    }

    /// Whether something is there that a need can mean. What only looks stands for its instance.
    pub(super) fn is_there(&self, id: &ResourceId) -> bool {
        let discovered = &self.request.snapshot.discovered.found;
        self.found(id).is_some()
            || id.kind.only_looks() && discovered.keys().any(|other| other.scope == id.scope)
    }

    /// Whether the run is about it. What belongs to the target counts as selected only when everything is.
    pub(super) fn is_selected(&self, id: &ResourceId) -> bool {
        match (self.request.selection, &id.scope) {
            (Selection::All, _) => true,
            (Selection::Instances(names), Scope::Instance(name)) => names.contains(name),
            (Selection::Instances(_), Scope::Target) => false,
        }
    }

    /// What a resource lives inside.
    pub(super) fn host(&self, id: &ResourceId) -> Option<&'a ResourceId> {
        let wanted = self.desired(id).and_then(|resource| resource.host.as_ref());
        let found = || self.discovered(id).and_then(|found| found.host.as_ref());
        let cluster =
            || if id.kind.family() == Family::Kubernetes { self.only_cluster } else { None };
        wanted.or_else(found).or_else(cluster)
    }

    /// All that a resource lives inside, from the nearest to the farthest.
    pub(super) fn hosts(&self, id: &ResourceId) -> Vec<&'a ResourceId> {
        let mut hosts: Vec<&ResourceId> = Vec::new();
        let mut next = self.host(id);
        while let Some(host) = next {
            if hosts.len() >= DEEPEST || hosts.contains(&host) {
                break;
            }
            hosts.push(host);
            next = self.host(host);
        }
        hosts
    }

    /// Whether it lives where no data is.
    pub(super) fn lives_simulated(&self, id: &ResourceId) -> bool {
        self.hosts(id).iter().any(|host| self.request.permits.holds_no_data.contains(*host))
    }

    /// What is there, holds data, and lives inside a host, unless nothing in it counts.
    pub(super) fn data_inside(&self, host: &ResourceId) -> Vec<&'a ResourceId> {
        let there = self.request.snapshot.observed.iter().filter(|(_, o)| o.found().is_some());
        let mut ids: Vec<_> = there
            .map(|(id, _)| id)
            .chain(self.request.snapshot.discovered.found.keys())
            .filter(|id| is_data(self.desired(id), self.found(id)))
            .filter(|id| self.hosts(id).contains(&host) && !self.lives_simulated(id))
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// What a person protected of a thing and of all that lives in it.
    pub(super) fn protected_at(
        &self,
        host: &ResourceId,
    ) -> Option<(&'a ResourceId, &'a Protection)> {
        let discovered = self.request.snapshot.discovered.found.iter();
        let said = |found: &'a Found| found.protection.as_ref().filter(|said| said.on);
        let inside = discovered.filter(|(id, _)| *id == host || self.hosts(id).contains(&host));
        let mut all = inside.filter_map(|(id, found)| Some((id, said(found)?)));
        all.next()
    }

    /// Whether one thing needs something of an instance.
    pub(super) fn needs_instance(&self, id: &ResourceId, name: &Name) -> bool {
        self.effective_needs(id).any(|need| need.instance_name() == Some(name))
    }

    /// The needs that count after this run: those in the files where it is wanted, else those written on it.
    pub(super) fn effective_needs(&self, id: &ResourceId) -> impl Iterator<Item = &'a ResourceId> {
        let wanted = self.desired(id);
        let found = if wanted.is_none() { self.found(id) } else { None };
        let found = found.into_iter().flat_map(|found| &found.needs);
        wanted.into_iter().flat_map(|wanted| &wanted.needs).chain(found)
    }

    /// The needs in the files and those written on the thing.
    pub(super) fn needs(&self, id: &ResourceId) -> impl Iterator<Item = &'a ResourceId> {
        let wanted = self.desired(id).into_iter().flat_map(|resource| &resource.needs);
        let found = self.found(id).into_iter().flat_map(|found| &found.needs);
        wanted.chain(found)
    }

    /// Whether a host is stopped.
    pub(super) fn is_off(&self, id: &ResourceId) -> bool {
        self.found(id).is_some_and(|found| found.power == Power::Off)
    }
}
