//! Taking a lock: free or ours is taken, held is refused, and a dead holder's is taken over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{Clock, Lease, Slot, Terms};
use crate::adapter::kube::KubeError;
use crate::model::Runner;

/// How often others may be faster before we give up.
const RACES: usize = 20;

/// Who wants a lock, and how.
pub struct Claim<'a> {
    /// Who.
    pub runner: &'a Runner,
    /// For how long at a time.
    pub terms: Terms,
    /// Our clock.
    pub clock: Clock,
    /// Whether a holder is dead beyond doubt: it ran on this machine, and what it held here is free.
    pub dead: &'a (dyn Fn(&Runner) -> bool + Sync),
    /// Is told why it takes a while.
    pub says: &'a (dyn Fn(String) + Sync),
    /// True when nobody wants the lock any more.
    pub give_up: watch::Receiver<bool>,
}

/// A lock that is ours now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// As it stands in its place.
    pub lease: Lease,
    /// When the request that took it was sent.
    pub at: Instant,
    /// Whose it was, when its holder was dead.
    pub from: Option<Lease>,
}

/// A lock was not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another run holds it.
    #[error("{}", .0.says())]
    Held(Box<Lease>),
    /// Nobody could tell.
    #[error(transparent)]
    Unknown(#[from] KubeError),
    /// Nobody wants it any more.
    #[error("interrupted")]
    GivenUp,
}

/// Takes a lock, or says who holds it. Waits only where a holder that seems dead must be watched first.
pub async fn take(slot: &Arc<dyn Slot>, mut claim: Claim<'_>) -> Result<Taken, Refused> {
    let mut last = None;
    for _ in 0..RACES {
        let Some(seen) = slot.read().await? else {
            match put(slot, &claim, None).await? {
                Some(taken) => return Ok(taken),
                None => continue,
            }
        };
        let free = match &seen.holder {
            None => true,
            Some(holder) => holder.run == claim.runner.run || (claim.dead)(holder),
        };
        if !free {
            let Some(patience) = patience(&seen, (claim.clock)()) else {
                return Err(Refused::Held(Box::new(seen)));
            };
            match watch(slot, &mut claim, &seen, patience).await? {
                Sight::Silent => {}
                Sight::Gone => continue,
                Sight::Alive(lease) => return Err(Refused::Held(lease)),
            }
        }
        if let Some(taken) = put(slot, &claim, Some(&seen)).await? {
            return Ok(taken);
        }
        last = Some(seen);
    }
    Err(match last {
        Some(seen) => Refused::Held(Box::new(seen)),
        None => {
            KubeError::Changed("the lock changes faster than it can be taken".to_owned()).into()
        }
    })
}

/// Writes our name; nothing when somebody was faster.
async fn put(
    slot: &Arc<dyn Slot>,
    claim: &Claim<'_>,
    over: Option<&Lease>,
) -> Result<Option<Taken>, KubeError> {
    let now = (claim.clock)();
    let at = Instant::now();
    let ours =
        over.and_then(|lease| lease.holder.as_ref()).is_some_and(|h| h.run == claim.runner.run);
    let lease = Lease {
        holder: Some(claim.runner.clone()),
        term: claim.terms.term,
        acquired: over.filter(|_| ours).and_then(|lease| lease.acquired).or(Some(now)),
        renewed: Some(now),
        transitions: over.map_or(0, |lease| lease.transitions + u64::from(!ours)),
        version: over.map(|lease| lease.version.clone()).unwrap_or_default(),
    };
    let written = match over {
        None => slot.create(&lease).await,
        Some(_) => slot.replace(&lease).await,
    };
    match written {
        Ok(lease) => {
            let from = over.filter(|over| !ours && over.holder.is_some()).cloned();
            Ok(Some(Taken { lease, at, from }))
        }
        Err(KubeError::AlreadyExists(_) | KubeError::Changed(_) | KubeError::NotFound(_)) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// How long a holder must be watched before it counts as dead; nothing when it looks alive. Its clock is a hint only: a
/// holder that lives renews while we watch.
fn patience(lease: &Lease, now: Duration) -> Option<Duration> {
    let term = lease.term;
    match lease.renewed {
        None => Some(term * 2),
        // Its clock is ahead of ours, so nobody can tell how old the sign is.
        Some(renewed) if renewed > now + term / 4 => Some(term * 2),
        Some(renewed) if now.saturating_sub(renewed) >= term * 2 => Some(term),
        Some(_) => None,
    }
}

/// What came of watching.
enum Sight {
    /// No sign of life.
    Silent,
    /// It let go.
    Gone,
    /// It lives, or another run has it by now.
    Alive(Box<Lease>),
}

async fn watch(
    slot: &Arc<dyn Slot>,
    claim: &mut Claim<'_>,
    seen: &Lease,
    patience: Duration,
) -> Result<Sight, Refused> {
    (claim.says)(format!(
        "another run seems dead: {}. Watching for {} s whether it still lives",
        seen.says(),
        patience.as_secs().max(1)
    ));
    let begun = Instant::now();
    let glance = Terms { term: seen.term }.glance();
    loop {
        let wanted = claim.give_up.wait_for(|give_up| *give_up);
        if let Ok(Ok(_)) = tokio::time::timeout(glance, wanted).await {
            return Err(Refused::GivenUp);
        }
        match slot.read().await? {
            None => return Ok(Sight::Gone),
            Some(now) if now.pulse() != seen.pulse() => {
                return Ok(match now.holder {
                    Some(_) => Sight::Alive(Box::new(now)),
                    None => Sight::Gone,
                });
            }
            Some(_) if begun.elapsed() >= patience => return Ok(Sight::Silent),
            Some(_) => {}
        }
    }
}
