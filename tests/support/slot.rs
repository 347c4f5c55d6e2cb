//! A lock's place that behaves as an API server does: slow, versioned, sometimes out of reach for one of those who ask.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datamill::adapter::kube::KubeError;
use datamill::provider::kubernetes::lease::{Lease, Slot};
use futures::future::BoxFuture;

/// What all who ask share.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<(Option<Lease>, u64)>);

impl Shelf {
    pub(crate) fn lease(&self) -> Option<Lease> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    pub(crate) fn put(&self, lease: Option<Lease>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.1 += 1;
        let version = ("uid".to_owned(), held.1.to_string());
        held.0 = lease.map(|lease| Lease { version, ..lease });
    }
}

/// The shelf as one of them reaches it.
pub(crate) struct Reach {
    pub(crate) shelf: Arc<Shelf>,
    /// How long each way takes.
    pub(crate) way: Duration,
    pub(crate) cut: AtomicBool,
}

impl Reach {
    pub(crate) fn new(shelf: &Arc<Shelf>, way: Duration) -> Arc<Self> {
        Arc::new(Self { shelf: Arc::clone(shelf), way, cut: AtomicBool::new(false) })
    }

    async fn there_and_back<T>(
        &self,
        act: impl FnOnce(&Shelf) -> Result<T, KubeError>,
    ) -> Result<T, KubeError> {
        let reach = || {
            let cut = self.cut.load(Ordering::SeqCst);
            if cut { Err(KubeError::Unreachable("no route".to_owned())) } else { Ok(()) }
        };
        tokio::time::sleep(self.way).await;
        reach()?;
        let done = act(&self.shelf);
        tokio::time::sleep(self.way).await;
        // The answer may be lost though the deed was done.
        reach()?;
        done
    }
}

impl Slot for Reach {
    fn read(&self) -> BoxFuture<'_, Result<Option<Lease>, KubeError>> {
        Box::pin(self.there_and_back(|shelf| Ok(shelf.lease())))
    }

    fn create<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<Lease, KubeError>> {
        Box::pin(self.there_and_back(|shelf| {
            if shelf.lease().is_some() {
                return Err(KubeError::AlreadyExists("it is there".to_owned()));
            }
            shelf.put(Some(lease.clone()));
            Ok(shelf.lease().unwrap())
        }))
    }

    fn replace<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<Lease, KubeError>> {
        Box::pin(self.there_and_back(|shelf| match shelf.lease() {
            None => Err(KubeError::NotFound("it is gone".to_owned())),
            Some(now) if now.version != lease.version => {
                Err(KubeError::Changed("it changed".to_owned()))
            }
            Some(_) => {
                shelf.put(Some(lease.clone()));
                Ok(shelf.lease().unwrap())
            }
        }))
    }

    fn remove<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), KubeError>> {
        Box::pin(self.there_and_back(|shelf| match shelf.lease() {
            None => Ok(()),
            Some(now) if now.version != lease.version => {
                Err(KubeError::Changed("it changed".to_owned()))
            }
            Some(_) => {
                shelf.put(None);
                Ok(())
            }
        }))
    }
}
