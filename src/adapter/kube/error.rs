//! What can go wrong between us and an API server, in our words.

use kube::core::Status;

/// A request to a cluster did not go well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KubeError {
    /// The kubeconfig cannot be used.
    #[error("cannot use the kubeconfig: {0}")]
    Kubeconfig(String),
    /// No answer, or none that makes sense.
    #[error("the cluster cannot be reached: {0}")]
    Unreachable(String),
    /// The answer did not come in time.
    #[error("the cluster did not answer within {seconds} s ({what})")]
    Timeout {
        /// What was asked.
        what: String,
        /// How long we waited.
        seconds: u64,
    },
    /// The object, or the namespace it would lie in, is not there.
    #[error("{0}")]
    NotFound(String),
    /// The cluster does not serve the kind.
    #[error("the cluster does not know `{kind}` of `{api_version}`")]
    NoSuchKind {
        /// `group/version`.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// Something of that name is there already.
    #[error("{0}")]
    AlreadyExists(String),
    /// Other managers hold fields of the object.
    #[error("fields are held by {}: {}", managers.join(", "), fields.join(", "))]
    Conflict {
        /// The fields, as the server names them.
        fields: Vec<String>,
        /// Who holds them.
        managers: Vec<String>,
    },
    /// The object is not the one that was seen: another uid or version.
    #[error("{0}")]
    Changed(String),
    /// We may not.
    #[error("{0}")]
    Forbidden(String),
    /// The server refuses what was sent.
    #[error("{0}")]
    Invalid(String),
    /// The namespace is on its way out and takes nothing new.
    #[error("namespace `{0}` is being deleted")]
    Terminating(String),
    /// The server failed at it; another try may go well.
    #[error("{0}")]
    Server(String),
}

impl KubeError {
    /// Whether another try may go well.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Timeout { .. } | Self::Server(_) => true,
            Self::Kubeconfig(_)
            | Self::NotFound(_)
            | Self::NoSuchKind { .. }
            | Self::AlreadyExists(_)
            | Self::Conflict { .. }
            | Self::Changed(_)
            | Self::Forbidden(_)
            | Self::Invalid(_)
            | Self::Terminating(_) => false,
        }
    }

    /// Whether it says that the thing, its namespace or its kind is not there.
    pub fn means_absent(&self) -> bool {
        matches!(self, Self::NotFound(_) | Self::NoSuchKind { .. })
    }
}

/// The words of a foreign error with all its sources; a source that only repeats is left out.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let words = source.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = source.source();
    }
    text
}

pub(super) fn from_client(error: kube::Error) -> KubeError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the client's other errors all say that no answer came"
    )]
    match error {
        kube::Error::Api(status) => from_status(&status),
        kube::Error::InferKubeconfig(error) => KubeError::Kubeconfig(chain(&error)),
        kube::Error::InferConfig(error) => KubeError::Kubeconfig(chain(&error)),
        kube::Error::Auth(error) => KubeError::Forbidden(chain(&error)),
        other => KubeError::Unreachable(plain(&chain(&other))),
    }
}

/// Takes the client's type names out of its words.
fn plain(text: &str) -> String {
    text.replace("ServiceError: ", "").replace("HyperError: ", "")
}

fn from_status(status: &Status) -> KubeError {
    // After the first line the server prints both objects, values included.
    let says = status.message.lines().next().unwrap_or_default().to_owned();
    let causes = status.details.as_ref().map(|d| d.causes.as_slice()).unwrap_or_default();
    let named = status.details.as_ref().is_some_and(|details| !details.name.is_empty());
    if let Some(cause) = causes.iter().find(|cause| cause.reason == "NamespaceTerminating") {
        let name = cause.message.split_whitespace().nth(1).unwrap_or(&cause.message);
        return KubeError::Terminating(name.to_owned());
    }
    match (status.code, status.reason.as_str()) {
        (404, _) if named => KubeError::NotFound(says),
        // The path itself is not served: a CRD went since its kind was looked up.
        (404, _) => KubeError::NotFound(format!("the cluster does not serve this ({says})")),
        (409, "AlreadyExists") => KubeError::AlreadyExists(says),
        (409, _) if causes.iter().any(|cause| cause.reason == "FieldManagerConflict") => {
            KubeError::Conflict {
                fields: causes.iter().map(|cause| cause.field.clone()).collect(),
                managers: managers(causes.iter().map(|cause| cause.message.as_str())),
            }
        }
        (409, _) => KubeError::Changed(says),
        (401 | 403, _) => KubeError::Forbidden(says),
        // Server-side apply answers an object that does not fit its schema with 500, though no other try will go well.
        (500, _) if says.contains("failed to create typed patch object") => {
            KubeError::Invalid(says)
        }
        (429 | 500..=599, _) => KubeError::Server(says),
        _ => KubeError::Invalid(says),
    }
}

/// The names in texts such as `conflict with "kubectl-edit" using apps/v1`.
fn managers<'a>(messages: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> =
        messages.filter_map(|text| text.split('"').nth(1)).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(status: serde_json::Value) -> KubeError {
        from_status(&serde_json::from_value(status).unwrap())
    }

    #[test]
    fn each_answer_of_the_server_has_a_word_of_ours() {
        let conflict = read(
            json!({"code": 409, "reason": "Conflict", "message": "Apply failed", "details": {"causes": [
                {"reason": "FieldManagerConflict", "field": ".spec.replicas", "message": "conflict with \"kubectl\" with subresource \"scale\" using apps/v1"}
            ]}}),
        );
        assert_eq!(
            conflict,
            KubeError::Conflict {
                fields: vec![".spec.replicas".to_owned()],
                managers: vec!["kubectl".to_owned()]
            }
        );
        let terminating = read(
            json!({"code": 403, "reason": "Forbidden", "message": "no", "details": {"name": "x", "causes": [
                {"reason": "NamespaceTerminating", "message": "namespace t1 is being terminated", "field": "metadata.namespace"}
            ]}}),
        );
        assert_eq!(terminating, KubeError::Terminating("t1".to_owned()));
        let absent = read(
            json!({"code": 404, "reason": "NotFound", "message": "namespaces \"x\" not found", "details": {"name": "x"}}),
        );
        assert!(absent.means_absent() && !absent.is_transient());
        assert!(read(json!({"code": 503, "message": "later"})).is_transient());
        let says = "failed to create typed patch object (a/b; x/v1, Kind=C): .spec.d: field not declared in schema";
        assert_eq!(
            read(json!({"code": 500, "message": says})),
            KubeError::Invalid(says.to_owned())
        );
        assert!(matches!(
            read(json!({"code": 422, "reason": "Invalid", "message": "field is immutable"})),
            KubeError::Invalid(_)
        ));
    }
}
