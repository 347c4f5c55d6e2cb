//! Errors of a cluster as failures of a step: which may go well on another try, and what the user can do.

use crate::adapter::kube::KubeError;
use crate::model::{Failure, FailureKind, ObjectRef, Redactor};
use crate::provider::ProviderError;

/// What went wrong while `what` was tried, as a failure.
pub fn failure(what: impl Into<String>, error: &KubeError, redactor: &Redactor) -> Failure {
    let kind = match error {
        KubeError::Kubeconfig(_) | KubeError::Invalid(_) => FailureKind::Usage,
        KubeError::Unreachable(_) | KubeError::Timeout { .. } | KubeError::Server(_) => {
            FailureKind::Partial
        }
        KubeError::NotFound(_)
        | KubeError::AlreadyExists(_)
        | KubeError::Changed(_)
        | KubeError::Conflict { .. } => FailureKind::Stale,
        KubeError::NoSuchKind { .. } | KubeError::Terminating(_) | KubeError::Forbidden(_) => {
            FailureKind::Preflight
        }
    };
    let failure = Failure::new(kind, what).because(redactor.redact(&error.to_string()));
    match error {
        KubeError::Conflict { .. } | KubeError::Changed(_) | KubeError::AlreadyExists(_) => {
            failure.hint("it changed since the plan was made; look again:\n\n    datamill plan")
        }
        KubeError::Terminating(name) => failure.hint(format!(
            "wait until it is gone, or see what keeps it:\n\n    kubectl get namespace {name} -o jsonpath='{{.status.conditions}}'"
        )),
        KubeError::Forbidden(_) => {
            failure.hint("use an account that may do this, or ask whoever runs the cluster")
        }
        KubeError::NoSuchKind { .. } => {
            failure.hint("install what defines this kind (an operator or its CRDs) first")
        }
        KubeError::Kubeconfig(_)
        | KubeError::Unreachable(_)
        | KubeError::Timeout { .. }
        | KubeError::NotFound(_)
        | KubeError::Invalid(_)
        | KubeError::Server(_) => failure,
    }
}

/// The same as an error of a provider: transient where another try may go well.
pub fn provider_error(
    what: impl Into<String>,
    error: &KubeError,
    redactor: &Redactor,
) -> ProviderError {
    let failure = failure(what, error, redactor);
    // A kind of a CRD made a moment ago appears in the server's list with a delay.
    if error.is_transient() || matches!(error, KubeError::NoSuchKind { .. }) {
        ProviderError::transient(failure)
    } else {
        ProviderError::permanent(failure)
    }
}

/// Something in the way is not ours.
pub fn foreign(object: &ObjectRef, whose: &str) -> ProviderError {
    ProviderError::permanent(
        Failure::new(FailureKind::Foreign, format!("{object} is not ours and is left as it is"))
            .because(format!("it belongs to {whose}"))
            .hint("rename one of the two, or remove the other by its own means"),
    )
}

/// What is there is not what the plan saw.
pub fn stale(what: impl Into<String>, why: impl Into<String>) -> ProviderError {
    ProviderError::permanent(
        Failure::new(FailureKind::Stale, what)
            .because(why)
            .hint("look again and decide anew:\n\n    datamill plan"),
    )
}
