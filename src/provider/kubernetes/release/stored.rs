//! Helm's storage in a cluster: a Secret per revision, labelled with status and our marks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::super::session::Session;
use super::HASH_LENGTH;
use crate::adapter::helm::{StorageError, StoredRelease, status_from_word};
use crate::adapter::kube::{KubeError, Listing};
use crate::model::{Applied, Digest, Object, ObjectRef, ReleaseStatus, RunId, label, label_value};

/// The newest revision of a release, as its labels tell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    /// The Secret, without its data.
    pub(super) secret: Object,
    /// The release's namespace.
    pub(super) namespace: String,
    /// The release's name.
    pub(super) name: String,
    /// The revision.
    pub(super) revision: u64,
    /// Its status.
    pub(super) status: ReleaseStatus,
}

impl Head {
    /// Reads what a Secret's labels tell; nothing for one that is no revision.
    pub(super) fn read(secret: Object) -> Option<Self> {
        Some(Self {
            namespace: secret.reference()?.namespace?,
            name: secret.label("name")?.to_owned(),
            revision: secret.label("version")?.parse().ok()?,
            status: status_from_word(secret.label("status")?),
            secret,
        })
    }

    /// What was written when the revision was made; nothing when the marks are those of an earlier revision, since labels
    /// survive upgrades and rollbacks by hand.
    pub(super) fn applied(&self) -> Option<Applied> {
        let (revision, hash) = self.secret.label(label::SPEC_HASH)?.split_once('-')?;
        (revision.parse() == Ok(self.revision)).then(|| Applied {
            inputs: Digest::recorded(hash),
            run: self.secret.label(label::RUN).map(|run| RunId(run.to_owned())),
        })
    }

    /// The revision that our mark names: the last one that we made. Labels survive upgrades and rollbacks by hand.
    pub(super) fn made_by_us(&self) -> Option<u64> {
        self.secret.label(label::SPEC_HASH)?.split_once('-')?.0.parse().ok()
    }

    /// Whether its hooks run.
    pub(super) fn runs_hooks(&self) -> bool {
        self.secret.label(label::HOOKS) != Some("none")
    }

    /// When the revision was last written, since 1970.
    pub(super) fn written(&self) -> Option<Duration> {
        let label = self.secret.label("modifiedAt").or(self.secret.label("createdAt"))?;
        label.parse().ok().map(Duration::from_secs)
    }

    fn reference(&self) -> Option<ObjectRef> {
        self.secret.reference()
    }

    /// Reads the revision whole.
    pub(super) async fn payload(&self, session: &Session) -> Result<StoredRelease, PayloadError> {
        let name = self.reference().ok_or(PayloadError::Gone)?;
        let secret = session.cluster.get(&name).await?.ok_or(PayloadError::Gone)?;
        Ok(StoredRelease::decode(&secret)?)
    }

    /// Reads an earlier revision whole; nothing when Helm keeps it no longer.
    pub(super) async fn earlier(
        &self,
        session: &Session,
        revision: u64,
    ) -> Result<Option<StoredRelease>, PayloadError> {
        let Some(own) = self.reference() else { return Ok(None) };
        let name =
            ObjectRef { name: format!("sh.helm.release.v1.{}.v{revision}", self.name), ..own };
        let secret = session.cluster.get(&name).await?;
        Ok(secret.as_ref().map(StoredRelease::decode).transpose()?)
    }

    /// Writes that the revision failed, in payload and label, so that an upgrade may follow. Refused when somebody wrote it
    /// meanwhile.
    pub(super) async fn set_failed(
        &self,
        session: &Session,
        because: &str,
        manager: &str,
    ) -> Result<(), PayloadError> {
        let name = self.reference().ok_or(PayloadError::Gone)?;
        let secret = session.cluster.get(&name).await?.ok_or(PayloadError::Gone)?;
        let mut release = StoredRelease::decode(&secret)?;
        release.set_failed(because);
        let patch = json!({
            "metadata": {
                "resourceVersion": secret.0.pointer("/metadata/resourceVersion"),
                "labels": {"status": "failed"},
            },
            "data": {"release": release.encode()?},
        });
        session.cluster.merge(&name, &patch, manager).await?;
        Ok(())
    }
}

/// A stored revision could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PayloadError {
    /// It went away.
    #[error("the stored revision is gone")]
    Gone,
    /// The cluster did not answer as it should.
    #[error(transparent)]
    Cluster(#[from] KubeError),
    /// It is damaged.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The newest revisions of releases by namespace and name.
pub(super) type Heads = BTreeMap<(String, String), Head>;

/// The newest revision of each release that a label selector takes, in one namespace or in all.
pub(super) async fn heads(
    session: &Session,
    namespace: Option<&str>,
    selector: &str,
) -> Result<Heads, KubeError> {
    let listing = Listing {
        namespace: namespace.map(str::to_owned),
        ..Listing::of("v1", "Secret").labels(selector).metadata_only()
    };
    let mut heads = Heads::new();
    for head in session.cluster.list(&listing).await?.into_iter().filter_map(Head::read) {
        let key = (head.namespace.clone(), head.name.clone());
        match heads.get(&key) {
            Some(known) if known.revision >= head.revision => {}
            Some(_) | None => {
                heads.insert(key, head);
            }
        }
    }
    Ok(heads)
}

/// The newest revision of a release, if there is one.
pub(super) async fn head(
    session: &Session,
    namespace: &str,
    release: &str,
) -> Result<Option<Head>, KubeError> {
    let selector = format!("owner=helm,name={release}");
    let heads = heads(session, Some(namespace), &selector).await?;
    Ok(heads.into_values().next())
}

/// The label that records what a revision was made from.
pub(super) fn spec_hash(revision: u64, inputs: &Digest) -> String {
    format!("{revision}-{}", inputs.short(HASH_LENGTH))
}

/// Whether the run that wrote a revision ran on a machine of this name.
pub(super) fn ran_here(head: &Head, host: &str) -> bool {
    let host = label_value(host);
    match head.secret.label(label::RUN) {
        Some(run) => {
            host.is_empty()
                || run == host
                || run.strip_prefix(&host).is_some_and(|rest| rest.starts_with(['-', '.', '_']))
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_of(labels: &serde_json::Value) -> Head {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {
            "name": "sh.helm.release.v1.r.v3", "namespace": "n", "labels": labels}});
        Head::read(Object(secret)).unwrap()
    }

    #[test]
    fn a_hash_counts_for_its_own_revision_only() {
        let inputs = Digest::of("x");
        let labels = |hash: String| json!({"name": "r", "version": "3", "status": "deployed", label::SPEC_HASH: hash, label::RUN: "host-1-a"});
        let head = head_of(&labels(spec_hash(3, &inputs)));
        assert!(inputs.as_str().starts_with(head.applied().unwrap().inputs.as_str()));
        assert_eq!(head_of(&labels(spec_hash(2, &inputs))).applied(), None);
        assert!(spec_hash(u64::MAX, &inputs).len() <= 63);
        assert!(ran_here(&head, "host") && !ran_here(&head, "hos") && !ran_here(&head, "other"));
    }

    #[test]
    fn helm_s_words_for_a_status_are_understood() {
        let status = |word: &str| {
            head_of(&json!({"name": "r", "version": "3", "status": word, "modifiedAt": "17"}))
                .status
        };
        assert_eq!(status("pending-rollback"), ReleaseStatus::Pending);
        assert_eq!(status("deployed"), ReleaseStatus::Deployed);
        assert_eq!(status("failed"), ReleaseStatus::Failed);
        assert_eq!(status("uninstalling"), ReleaseStatus::Uninstalling);
    }
}
