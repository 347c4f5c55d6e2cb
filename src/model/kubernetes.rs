//! What is wanted inside a cluster, one spec per kind of resource.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Leaf, Object, ObjectRef, SecretRef, Value};

/// A namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct NamespaceSpec {
    /// Its name.
    pub name: String,
    /// Labels, such as those of pod security.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// A Secret: rules, not values. A diff sees missing keys only; values are drawn once and never drawn anew.
#[derive(Debug, Clone, PartialEq)]
pub struct SecretSpec {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `Opaque` unless told otherwise.
    pub secret_type: String,
    /// The keys and where their values come from.
    pub keys: BTreeMap<String, SecretKey>,
    /// Whether it stays when its instance goes.
    pub keep: bool,
}

/// One key of a Secret.
#[derive(Debug, Clone, PartialEq)]
pub struct SecretKey {
    /// Where its value comes from.
    pub rule: SecretRule,
}

/// Where the value of a key comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum SecretRule {
    /// Drawn when absent: `length` characters of letters and digits.
    Alnum {
        /// Characters.
        length: usize,
    },
    /// Drawn when absent: `length` random bytes in hexadecimal.
    Hex {
        /// Bytes.
        length: usize,
    },
    /// Drawn when absent: `length` random bytes in base64.
    Base64 {
        /// Bytes.
        length: usize,
    },
    /// Drawn when absent: a random UUID (version 4).
    Uuid,
    /// Drawn when absent: a private RSA key (PKCS#8 in PEM).
    Rsa {
        /// Its length: 2048, 3072 or 4096.
        bits: usize,
    },
    /// Drawn when absent: a certificate of an authority made for it alone.
    Tls {
        /// The names and addresses it is for; the first is its common name.
        names: Vec<String>,
        /// How long it is valid.
        days: u32,
    },
    /// Comes with another key of the same Secret.
    Part {
        /// That key.
        of: String,
        /// What it is of it.
        part: SecretPart,
    },
    /// A line of a password file (bcrypt), made anew only when the password behind it is another one.
    Htpasswd {
        /// The user's name.
        user: String,
        /// The key of the same Secret that holds the password.
        password: String,
    },
    /// Given; follows the file when it changes.
    Given(Value),
    /// Given by the user as a secret, so never shown; follows the file when it changes.
    Param(super::Secret),
    /// A copy of a key of another Secret; follows it when it changes.
    Copy(SecretRef),
}

impl SecretRule {
    /// The keys of other Secrets that it reads.
    pub fn sources(&self) -> Vec<SecretRef> {
        match self {
            Self::Copy(at) => vec![at.clone()],
            Self::Given(value) => value
                .leaves()
                .into_iter()
                .filter_map(|leaf| match leaf {
                    Leaf::Secret(at) => Some(at),
                    Leaf::Output(..) => None,
                })
                .collect(),
            Self::Alnum { .. }
            | Self::Hex { .. }
            | Self::Base64 { .. }
            | Self::Uuid
            | Self::Rsa { .. }
            | Self::Tls { .. }
            | Self::Part { .. }
            | Self::Htpasswd { .. }
            | Self::Param(_) => Vec::new(),
        }
    }
}

/// What comes with a key that is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretPart {
    /// The public half of an RSA key, in PEM.
    RsaPublic,
    /// The private key of a certificate.
    TlsKey,
    /// The certificate of the authority that signed it.
    TlsAuthority,
}

/// A volume claim of ours. Class *data*: it outlives its instance.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimSpec {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// A Kubernetes quantity.
    pub size: String,
    /// The storage class; absent for the cluster's default.
    pub storage_class: Option<String>,
    /// `ReadWriteOnce` and so on.
    pub access_modes: Vec<String>,
    /// Further labels.
    pub labels: BTreeMap<String, String>,
}

/// Where a chart comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChartSource {
    /// A chart repository over HTTP.
    Repository {
        /// The repository's address.
        url: String,
        /// The chart's name in its index.
        name: String,
        /// The version, as the component pins it.
        version: Option<String>,
    },
    /// An OCI registry.
    Oci {
        /// `oci://…`.
        url: String,
        /// The version.
        version: Option<String>,
    },
    /// An archive with a checksum.
    Archive {
        /// Its address.
        url: String,
        /// SHA-256 in hexadecimal; absent when the lock file holds it (`sha256: lock`).
        sha256: Option<String>,
        /// Where the same archive is as well, in the order they are tried: addresses, or files on this machine.
        mirrors: Vec<String>,
    },
    /// A folder on this machine.
    Folder(PathBuf),
}

/// What Helm does with the `crds/` folder of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrdPolicy {
    /// Left to a step of its own.
    Skip,
    /// datamill applies them before the release, upgrades included.
    Chart,
}

/// What must be ready after Helm is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelmWait {
    /// Every object of the release.
    Ready,
    /// Hooks only.
    Hooks,
    /// Nothing.
    Nothing,
}

/// A Helm release.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleaseSpec {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub release: String,
    /// The chart.
    pub chart: ChartSource,
    /// What is done with CRDs of the chart.
    pub crds: CrdPolicy,
    /// The values, merged from all layers.
    pub values: Value,
    /// What must be ready afterwards.
    pub wait: HelmWait,
    /// Whether its hooks run when it is written.
    pub hooks: bool,
    /// The charts that get the same values file: a top-level key that one of them knows is no finding.
    pub shared_with: Vec<ChartSource>,
    /// Why secret values may stand in the values, when they may.
    pub exposes_secret: Option<String>,
}

/// A file fetched over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its address.
    pub url: String,
    /// SHA-256 in hexadecimal; absent when the lock file holds it.
    pub sha256: Option<String>,
}

/// Where manifests come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Manifests {
    /// Written in the component.
    Inline(Vec<Value>),
    /// Files on this machine.
    Files(Vec<PathBuf>),
    /// Fetched.
    Remote(RemoteFile),
    /// The `crds/` folder, and CRD templates, of a chart.
    Chart(ChartSource),
    /// The CRDs in a folder of a chart that is not called `crds`.
    ChartFolder(ChartSource, String),
}

/// Custom resource definitions. Applied server-side on every change, never deleted unless the component says so.
#[derive(Debug, Clone, PartialEq)]
pub struct CrdsSpec {
    /// Where they come from.
    pub from: Manifests,
    /// The names that must be established; empty for all of `from`.
    pub names: Vec<String>,
}

/// Objects of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectsSpec {
    /// The namespace of those that name none.
    pub namespace: String,
    /// Where they come from.
    pub from: Manifests,
    /// Labels that each of them gets beside its own.
    pub labels: BTreeMap<String, String>,
}

/// When a Job counts as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobReady {
    /// When its pod runs: for work that takes days. Status follows it.
    Started,
    /// When it is complete.
    Complete,
}

/// When a Job runs again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rerun {
    /// When its inputs change: its name carries a hash of them, so that a changed one is a new one.
    OnChange,
    /// Never while it is there, whatever its inputs are: its name carries no hash.
    Once,
}

/// A Job of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSpec {
    /// Its namespace.
    pub namespace: String,
    /// The Job as it will be, but for the hash in its name.
    pub template: Value,
    /// When it runs again.
    pub rerun: Rerun,
    /// When it counts as ready.
    pub ready: JobReady,
}

/// What a condition tests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ConditionTest {
    /// A Deployment, StatefulSet or DaemonSet has rolled out.
    Rollout(ObjectRef),
    /// A condition in `status.conditions`.
    Condition {
        /// Of which object; the name may be `*`.
        of: ObjectRef,
        /// The condition's type.
        condition: String,
        /// The wanted status: `True`, `False` or `Unknown`.
        status: String,
    },
    /// A field is as wanted.
    Field {
        /// Of which object.
        of: ObjectRef,
        /// Where: a JSON pointer.
        path: String,
        /// What its value must be.
        wanted: FieldTest,
    },
    /// An object is there.
    Exists(ObjectRef),
    /// An object is not there.
    Gone(ObjectRef),
    /// CRDs are established.
    Established(Vec<String>),
    /// A Job is complete.
    JobDone(ObjectRef),
    /// An address inside the cluster answers.
    Http {
        /// The Service.
        service: ObjectRef,
        /// Its port.
        port: u16,
        /// The path.
        path: String,
        /// The wanted status code.
        expect: u16,
    },
    /// A port inside the cluster accepts.
    Tcp {
        /// The Service.
        service: ObjectRef,
        /// Its port.
        port: u16,
    },
}

/// What the value of a field must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FieldTest {
    /// One of these.
    OneOf(Vec<serde_json::Value>),
    /// A text, or a number or flag as it is written, in which this regular expression finds something.
    Matches(String),
}

/// A condition, and whether it stands for failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What it tests.
    pub test: ConditionTest,
}

/// Conditions to wait for.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitSpec {
    /// All must hold.
    pub until: Vec<Condition>,
    /// One that holds ends the wait at once.
    pub fails: Vec<Condition>,
}

/// How long without progress counts as stalled, unless a component says otherwise.
pub(super) const STALL: Duration = Duration::from_mins(5);

/// Makes objects of a fixed shape readable in tests and errors.
impl From<&Object> for Value {
    fn from(object: &Object) -> Self {
        Self::from_json(&object.0)
    }
}
