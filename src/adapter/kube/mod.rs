//! The door to a Kubernetes API server: objects as plain JSON in and out, foreign errors turned into ours. The only module
//! that names `kube`. Every call has a deadline, reads are tried again; no call is held back on our side.

mod error;
mod forward;
mod kind;
mod log;
mod request;
mod stream;

use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use kube::client::{Client, ClientBuilder};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::model::ObjectRef;

pub use error::KubeError;
pub use forward::Forward;
pub use kind::{Kinds, ServedKind};
pub use log::LogPart;
pub use request::{Listing, Only, Propagation, Write};
pub use stream::{Program, Ran, Text};

/// What audit logs know us by.
const AGENT: &str = concat!("datamill/", env!("CARGO_PKG_VERSION"));
/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long to wait for an answer.
const ANSWER: Duration = Duration::from_secs(30);
/// Kinds read longer ago are read again when one is missing.
const KINDS_FRESH: Duration = Duration::from_millis(500);
/// How often a read is tried in all.
const READS: u32 = 3;

/// What is served, and when it was read.
type KindsRead = (Instant, Arc<Kinds>);

/// A cluster that answers. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    config: Arc<Config>,
    /// The client for connections that may be silent, once one was needed.
    silent: Arc<OnceLock<Client>>,
    kinds: Arc<RwLock<Arc<OnceCell<KindsRead>>>>,
    uid: Arc<OnceCell<Option<String>>>,
}

impl Cluster {
    /// Opens a cluster by kubeconfig and context (the current one when absent). Nothing is asked of it yet.
    pub async fn connect(kubeconfig: &Path, context: Option<&str>) -> Result<Self, KubeError> {
        let unusable = |error: &dyn std::error::Error| KubeError::Kubeconfig(error::chain(error));
        let file = Kubeconfig::read_from(kubeconfig).map_err(|error| unusable(&error))?;
        let options =
            KubeConfigOptions { context: context.map(str::to_owned), ..Default::default() };
        let mut config = Config::from_custom_kubeconfig(file, &options)
            .await
            .map_err(|error| unusable(&error))?;
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(ANSWER);
        config.write_timeout = Some(ANSWER);
        config.reset_reader_on_write = true;
        // One retry policy, here, so that a deadline stays one.
        config.default_retry = false;
        config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
        let kept = Arc::new(config.clone());
        let client = ClientBuilder::try_from(config).map_err(error::from_client)?.build();
        Ok(Self {
            client,
            config: kept,
            silent: Arc::default(),
            kinds: Arc::default(),
            uid: Arc::default(),
        })
    }

    /// The server's version without `v`, such as `1.35.4`.
    pub async fn version(&self) -> Result<String, KubeError> {
        let info = self.read("its version", || self.client.apiserver_version()).await?;
        Ok(info.git_version.trim_start_matches('v').to_owned())
    }

    /// The uid of namespace `kube-system`, which a cluster keeps for life; nothing for those who may not read it. Asked once.
    pub async fn uid(&self) -> Result<Option<String>, KubeError> {
        let system = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: "kube-system".to_owned(),
        };
        let ask = || async {
            match self.get(&system).await {
                Ok(found) => Ok(found.and_then(|object| object.uid().map(str::to_owned))),
                Err(KubeError::Forbidden(_)) => Ok(None),
                Err(error) => Err(error),
            }
        };
        self.uid.get_or_try_init(ask).await.cloned()
    }

    /// What it serves; remembered until [`Cluster::refresh_kinds`].
    pub async fn kinds(&self) -> Result<Arc<Kinds>, KubeError> {
        Ok(self.kinds_read().await?.1)
    }

    /// Those who come at the same time wait for one answer.
    async fn kinds_read(&self) -> Result<KindsRead, KubeError> {
        let cell = Arc::clone(&self.kinds.read().unwrap_or_else(PoisonError::into_inner));
        let read = || async { Ok((Instant::now(), Arc::new(self.read_kinds().await?))) };
        cell.get_or_try_init(read).await.cloned()
    }

    /// Forgets what it serves: CRDs came or went.
    pub fn refresh_kinds(&self) {
        *self.kinds.write().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    /// A served kind; one that is missing is looked for again, since an operator may have brought it.
    pub async fn kind(&self, api_version: &str, kind: &str) -> Result<ServedKind, KubeError> {
        let (read, kinds) = self.kinds_read().await?;
        if let Some(found) = kinds.of(api_version, kind) {
            return Ok(found.clone());
        }
        if read.elapsed() > KINDS_FRESH {
            self.refresh_kinds();
        }
        self.kinds().await?.of(api_version, kind).cloned().ok_or_else(|| KubeError::NoSuchKind {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
        })
    }

    async fn read_kinds(&self) -> Result<Kinds, KubeError> {
        let (core, groups) = tokio::try_join!(
            self.read("the kinds of its core", || self.client.list_core_api_versions_aggregated()),
            self.read("the kinds it serves", || self.client.list_api_groups_aggregated()),
        )?;
        Ok(Kinds::read(&[core, groups]))
    }

    /// Asks and, when the cluster could not be reached or failed, asks again.
    async fn read<T, F>(&self, what: &str, ask: impl Fn() -> F) -> Result<T, KubeError>
    where
        F: Future<Output = Result<T, kube::Error>>,
    {
        let mut tried = 1;
        loop {
            match self.once(what, ask()).await {
                Err(KubeError::Unreachable(_) | KubeError::Server(_)) if tried < READS => {
                    tokio::time::sleep(Duration::from_millis(100) * 3_u32.pow(tried)).await;
                    tried += 1;
                }
                other => return other,
            }
        }
    }

    /// Asks once, with the deadline.
    async fn once<T>(
        &self,
        what: &str,
        ask: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, KubeError> {
        match tokio::time::timeout(ANSWER, ask).await {
            Ok(answer) => answer.map_err(error::from_client),
            Err(_) => Err(KubeError::Timeout { what: what.to_owned(), seconds: ANSWER.as_secs() }),
        }
    }
}
