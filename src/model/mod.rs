//! The nouns: ids, specs, what was seen, secrets. No I/O, no `async`, no clock; every other module may use them.

mod apart;
mod census;
mod cluster;
mod digest;
mod endpoint;
mod failure;
mod id;
mod identity;
pub mod ignore;
mod kubernetes;
mod mark;
mod object;
mod observed;
mod output;
mod protection;
mod removal;
mod resource;
mod run;
mod secret;
mod value;

pub use apart::{CLAIM, POLICY};
pub use census::Census;
pub use cluster::{
    ClusterFacts, ClusterSpec, KindNode, KindRole, KindSpec, Mount, NodeFound, NodeImage, NodeSpec,
    Port, StorageFound, Survey, Taint,
};
pub use digest::Digest;
pub use endpoint::{Connection, Credential, Endpoint, Login, LoginPart};
pub use failure::{Failure, FailureKind};
pub use id::{Family, Name, NameError, ResourceId, ResourceIdError, ResourceKind, Scope};
pub use identity::{Adopts, Identity, InstallationId, Renames, RunId};
pub use ignore::{Ignore, Ignored, ScaleTarget, pointer_to};
pub use kubernetes::{
    ChartSource, ClaimSpec, Condition, ConditionTest, CrdPolicy, CrdsSpec, FieldTest, HelmWait,
    JobReady, JobSpec, Manifests, NamespaceSpec, ObjectsSpec, ReleaseSpec, RemoteFile, Rerun,
    SecretKey, SecretPart, SecretRule, SecretSpec, WaitSpec,
};
pub use mark::{Marks, annotation, label, label_value};
pub use object::{Object, ObjectRef, is_cluster_wide};
pub use observed::{
    AfterApply, Applied, Cause, Discovery, Found, Health, LastApplied, ObjectFound, Observed,
    Owner, Power, Progress, ReleaseFound, ReleaseStatus, Snapshot, Version, Volume, Why, Writer,
    Written,
};
pub use output::{Known, OutputName, Outputs};
pub use protection::Protection;
pub use removal::{
    Gone, Guard, RemovalRules, RemovalSpec, Selected, VolumeRule, check_selector, selects,
};
pub use resource::{Class, CloudSpec, Desired, KubernetesSpec, Patience, Rendered, Resource, Spec};
pub use run::{Intent, JournalLine, RunEnd, RunRecord, RunResult, Runner};
pub use secret::{Redactor, Secret, SecretRef, stands_for_secret};
pub use value::{Leaf, Value};
