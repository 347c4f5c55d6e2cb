//! Keeping a lock: it is renewed in time, its loss is told at once, and it is given back at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Clock, Lease, Slot, Taken, Terms};
use crate::adapter::kube::KubeError;

/// How long giving a lock back may take; after that it runs out by itself.
const RELEASE: Duration = Duration::from_secs(5);

/// A lock that is held. It is renewed until it is given back or this is dropped.
pub struct Keeper {
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

struct Inner {
    slot: Arc<dyn Slot>,
    terms: Terms,
    clock: Clock,
    held: Mutex<Held>,
    lost: watch::Sender<Option<String>>,
}

struct Held {
    lease: Lease,
    /// When the last renewal that went well was sent, by two clocks: one of them stands still while the machine sleeps.
    renewed: Instant,
    renewed_at: Duration,
}

impl Keeper {
    /// Renews a lock from now on; `lost` is told why, once it is lost.
    pub fn start(
        slot: Arc<dyn Slot>,
        taken: Taken,
        terms: Terms,
        clock: Clock,
        lost: watch::Sender<Option<String>>,
    ) -> Self {
        let renewed_at = taken.lease.renewed.unwrap_or_else(|| clock());
        let held = Mutex::new(Held { lease: taken.lease, renewed: taken.at, renewed_at });
        let inner = Arc::new(Inner { slot, terms, clock, held, lost });
        let keeping = Arc::clone(&inner);
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(keeping.terms.renewal()).await;
                if keeping.renew().await.is_err() {
                    return;
                }
            }
        });
        Self { inner, task }
    }

    /// Whether the lock is ours still: directly before a call that writes. After the machine slept it is renewed first.
    pub async fn confirm(&self) -> Result<(), String> {
        if let Some(why) = &*self.inner.lost.borrow() {
            return Err(why.clone());
        }
        if self.inner.held.lock().await.is_fresh(&self.inner) {
            return Ok(());
        }
        self.inner.renew().await
    }

    /// Stops renewing without giving it back: what it is kept in goes away.
    pub fn let_go(self) {
        self.task.abort();
    }

    /// Gives it back. One that is lost, or cannot be reached, is left: it runs out by itself.
    pub async fn release(self) -> Result<(), KubeError> {
        // A renewal under way comes to its end first.
        let held = self.inner.held.lock().await;
        self.task.abort();
        if self.inner.lost.borrow().is_some() {
            return Ok(());
        }
        let removed = tokio::time::timeout(RELEASE, self.inner.remove(&held.lease)).await;
        let seconds = RELEASE.as_secs();
        removed
            .unwrap_or(Err(KubeError::Timeout { what: "giving back the lock".to_owned(), seconds }))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Held {
    fn is_fresh(&self, inner: &Inner) -> bool {
        // Of a clock that was set back nothing follows.
        let by_clock = (inner.clock)().saturating_sub(self.renewed_at);
        self.renewed.elapsed().max(by_clock) < inner.terms.deadline()
    }
}

impl Inner {
    /// Renews, trying again until the deadline; an error says that the lock is lost, and `lost` was told.
    async fn renew(&self) -> Result<(), String> {
        let mut held = self.held.lock().await;
        if let Some(why) = &*self.lost.borrow() {
            return Err(why.clone());
        }
        // After a sleep the deadline has passed; the first try is made all the same.
        let late = held.renewed + self.terms.deadline();
        let until = late.max(Instant::now() + self.terms.retry() * 5);
        loop {
            let (sent, sent_at) = (Instant::now(), (self.clock)());
            let wanted = Lease { renewed: Some(sent_at), ..held.lease.clone() };
            let tried = tokio::time::timeout_at(until, self.write(&wanted)).await;
            let error = match tried {
                Ok(Ok(Some(lease))) => {
                    *held = Held { lease, renewed: sent, renewed_at: sent_at };
                    return Ok(());
                }
                Ok(Ok(None)) => return Err(self.lose("the lock was removed".to_owned())),
                Ok(Err(Fate::Taken(lease))) => {
                    return Err(self.lose(format!("another run has it: {}", lease.says())));
                }
                Ok(Err(Fate::Unknown(error))) => error.to_string(),
                Err(_) => "the cluster does not answer".to_owned(),
            };
            if Instant::now() + self.terms.retry() >= until {
                let seconds = held.renewed.elapsed().as_secs();
                return Err(self.lose(format!("it was not renewed for {seconds} s: {error}")));
            }
            tokio::time::sleep(self.terms.retry()).await;
        }
    }

    /// One try. What somebody else changed about our lock is taken over; nothing when it is not there any more.
    async fn write(&self, wanted: &Lease) -> Result<Option<Lease>, Fate> {
        match self.slot.replace(wanted).await {
            Ok(lease) => return Ok(Some(lease)),
            Err(KubeError::NotFound(_)) => return Ok(None),
            // Somebody wrote to it, or it was made anew.
            Err(KubeError::Changed(_) | KubeError::Invalid(_)) => {}
            Err(error) => return Err(Fate::Unknown(error)),
        }
        let Some(now) = self.slot.read().await.map_err(Fate::Unknown)? else { return Ok(None) };
        if now.holder != wanted.holder {
            return Err(Fate::Taken(Box::new(now)));
        }
        let again = Lease { version: now.version, ..wanted.clone() };
        match self.slot.replace(&again).await {
            Ok(lease) => Ok(Some(lease)),
            Err(KubeError::NotFound(_)) => Ok(None),
            Err(error) => Err(Fate::Unknown(error)),
        }
    }

    /// Removes our lock, also when somebody changed it meanwhile; never another's.
    async fn remove(&self, lease: &Lease) -> Result<(), KubeError> {
        match self.slot.remove(lease).await {
            Err(KubeError::Changed(_)) => {}
            other => return other,
        }
        match self.slot.read().await? {
            Some(now) if now.holder == lease.holder => self.slot.remove(&now).await,
            Some(_) | None => Ok(()),
        }
    }

    fn lose(&self, why: String) -> String {
        self.lost.send_replace(Some(why.clone()));
        why
    }
}

/// Why a renewal did not go well.
enum Fate {
    /// Another run has the lock.
    Taken(Box<Lease>),
    /// Nobody can tell.
    Unknown(KubeError),
}
