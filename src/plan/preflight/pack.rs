//! Packs pods on nodes: first fit, the most demanding pod first. It may fail where a cleverer search would not; what it says
//! fits, fits.

use std::collections::{BTreeMap, BTreeSet};

use super::quantity::{Amounts, take};

/// Above this many pairs of pod and node only one order is tried.
const PAIRS: usize = 200_000;

/// A node as far as packing goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Room {
    /// What is free.
    pub(super) free: Amounts,
    /// The values of its topology keys, by key.
    pub(super) places: BTreeMap<String, String>,
}

/// A pod as far as packing goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    /// What it asks for.
    pub(super) wants: Amounts,
    /// On which nodes it may run, by their place in the list.
    pub(super) may: Vec<bool>,
    /// The group whose pods may not share a value of these topology keys.
    pub(super) apart: Option<(usize, Vec<String>)>,
}

/// Where each pod goes, in the order given; nothing for those that fit nowhere.
pub(super) fn pack(rooms: &[Room], asks: &[Ask]) -> Vec<Option<usize>> {
    let total = total(rooms);
    let mut best: Option<(usize, Vec<Option<usize>>)> = None;
    let measures: [fn(&Ask, &Amounts) -> i128; 3] =
        [dominant, |ask, _| of(ask, "memory"), |ask, _| of(ask, "cpu")];
    let tries = if rooms.len().saturating_mul(asks.len()) > PAIRS { 1 } else { measures.len() };
    for measure in measures.into_iter().take(tries) {
        let mut order: Vec<usize> = (0..asks.len()).collect();
        order.sort_by_key(|at| {
            let ask = asks.get(*at);
            let choices = ask.map_or(0, |ask| ask.may.iter().filter(|may| **may).count());
            let size = ask.map_or(0, |ask| measure(ask, &total));
            // Pods that must keep apart are the hardest to place of those with equal choice.
            (choices, std::cmp::Reverse(size), *at)
        });
        let found = first_fit(rooms, asks, &order);
        let left = found.iter().filter(|place| place.is_none()).count();
        if best.as_ref().is_none_or(|(fewest, _)| left < *fewest) {
            best = Some((left, found));
        }
        if left == 0 {
            break;
        }
    }
    best.map(|(_, found)| found).unwrap_or_default()
}

/// The nodes with all pods that were placed taken off what is free.
pub(super) fn filled(rooms: &[Room], asks: &[Ask], places: &[Option<usize>]) -> Vec<Room> {
    let mut rooms = rooms.to_vec();
    for (ask, place) in asks.iter().zip(places) {
        if let Some(room) = place.and_then(|at| rooms.get_mut(at)) {
            take(&mut room.free, &ask.wants);
        }
    }
    rooms
}

fn total(rooms: &[Room]) -> Amounts {
    let mut total = Amounts::new();
    for room in rooms {
        super::quantity::add(&mut total, &room.free);
    }
    total
}

fn of(ask: &Ask, resource: &str) -> i128 {
    ask.wants.get(resource).copied().unwrap_or_default()
}

/// The largest share of all there is, in millionths.
fn dominant(ask: &Ask, total: &Amounts) -> i128 {
    let share = |(name, amount): (&String, &i128)| {
        let there = total.get(name).copied().unwrap_or_default().max(1);
        amount.saturating_mul(1_000_000) / there
    };
    ask.wants.iter().map(share).max().unwrap_or_default()
}

fn first_fit(rooms: &[Room], asks: &[Ask], order: &[usize]) -> Vec<Option<usize>> {
    let mut rooms = rooms.to_vec();
    let mut taken: BTreeSet<(usize, String, String)> = BTreeSet::new();
    let mut places = vec![None; asks.len()];
    for at in order {
        let Some(ask) = asks.get(*at) else { continue };
        let fit = rooms.iter().enumerate().position(|(node, room)| {
            ask.may.get(node).copied().unwrap_or_default()
                && holds(&room.free, &ask.wants)
                && !spots(ask, room).any(|spot| taken.contains(&spot))
        });
        if let Some(room) = fit.and_then(|node| rooms.get_mut(node)) {
            taken.extend(spots(ask, room));
            take(&mut room.free, &ask.wants);
            if let Some(place) = places.get_mut(*at) {
                *place = fit;
            }
        }
    }
    places
}

/// What a pod that keeps apart occupies on a node.
fn spots<'a>(ask: &'a Ask, room: &'a Room) -> impl Iterator<Item = (usize, String, String)> {
    ask.apart.iter().flat_map(|(group, keys)| {
        keys.iter().filter_map(|key| Some((*group, key.clone(), room.places.get(key)?.clone())))
    })
}

/// Whether what is free suffices.
pub(super) fn holds(free: &Amounts, ask: &Amounts) -> bool {
    ask.iter().all(|(name, amount)| {
        *amount <= 0 || free.get(name).copied().unwrap_or_default() >= *amount
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn room(cpu: i128, memory: i128, zone: u8) -> Room {
        let places = BTreeMap::from([("zone".to_owned(), zone.to_string())]);
        Room { free: amounts(cpu, memory), places }
    }

    fn amounts(cpu: i128, memory: i128) -> Amounts {
        [("cpu", cpu), ("memory", memory)].map(|(name, n)| (name.to_owned(), n)).into()
    }

    /// Whether a placement breaks no rule, checked apart from the packing.
    fn is_sound(rooms: &[Room], asks: &[Ask], places: &[Option<usize>]) -> bool {
        let full = filled(rooms, asks, places);
        let settled: Vec<_> =
            asks.iter().zip(places).filter_map(|(ask, at)| Some((ask, (*at)?))).collect();
        let apart = |a: &(&Ask, usize), b: &(&Ask, usize)| match (&a.0.apart, &b.0.apart) {
            (Some((one, keys)), Some((two, _))) if one == two => {
                keys.iter().all(|key| rooms[a.1].places.get(key) != rooms[b.1].places.get(key))
            }
            _ => true,
        };
        full.iter().all(|room| room.free.values().all(|free| *free >= 0))
            && settled.iter().all(|(ask, at)| ask.may[*at])
            && settled.iter().enumerate().all(|(n, a)| settled[..n].iter().all(|b| apart(a, b)))
    }

    /// Every placement of all pods, one after the other.
    fn can_all_fit(rooms: &[Room], asks: &[Ask], places: &mut Vec<Option<usize>>) -> bool {
        if places.len() == asks.len() {
            return true;
        }
        (0..rooms.len()).any(|at| {
            places.push(Some(at));
            let sound = is_sound(rooms, &asks[..places.len()], places);
            let fits = sound && can_all_fit(rooms, asks, places);
            places.pop();
            fits
        })
    }

    fn worlds() -> impl Strategy<Value = (Vec<Room>, Vec<Ask>)> {
        let rooms = prop::collection::vec((0..6_i128, 0..6_i128, 0..2_u8), 1..4);
        rooms.prop_flat_map(|rooms| {
            let rooms: Vec<_> = rooms.into_iter().map(|(c, m, z)| room(c, m, z)).collect();
            let ask = (
                0..4_i128,
                0..4_i128,
                prop::collection::vec(prop::bool::weighted(0.8), rooms.len()),
                prop::option::weighted(0.3, 0..2_usize),
            );
            let ask = ask.prop_map(|(cpu, memory, may, group)| Ask {
                wants: amounts(cpu, memory),
                may,
                apart: group.map(|group| (group, vec!["zone".to_owned()])),
            });
            (Just(rooms), prop::collection::vec(ask, 0..6))
        })
    }

    proptest! {
        #[test]
        fn what_is_said_to_fit_fits((rooms, asks) in worlds()) {
            let places = pack(&rooms, &asks);
            prop_assert!(is_sound(&rooms, &asks, &places));
            if places.iter().all(Option::is_some) {
                prop_assert!(can_all_fit(&rooms, &asks, &mut Vec::new()));
            }
            prop_assert_eq!(&places, &pack(&rooms, &asks));
        }

        #[test]
        fn a_pod_that_is_left_out_fits_nowhere_in_what_is_left((rooms, asks) in worlds()) {
            let places = pack(&rooms, &asks);
            let full = filled(&rooms, &asks, &places);
            for (at, place) in places.iter().enumerate().filter(|(_, place)| place.is_none()) {
                let alone = Ask { apart: None, ..asks[at].clone() };
                let room = pack(&full, std::slice::from_ref(&alone));
                prop_assert!(asks[at].apart.is_some() || room == [None], "{place:?}");
            }
        }
    }

    #[test]
    fn the_largest_goes_first() {
        let ask = |cpu| Ask { wants: amounts(cpu, 0), may: vec![true; 2], apart: None };
        let places = pack(&[room(4, 0, 0), room(3, 0, 1)], &[ask(1), ask(3), ask(3)]);
        assert_eq!(places.iter().filter(|place| place.is_none()).count(), 0, "{places:?}");
    }
}
