//! What containers wrote.

use kube::api::LogParams;
use kube::core::Request;

use super::{Cluster, KubeError};
use crate::model::ObjectRef;

/// No more is read of a log, however long its lines are.
const MOST_BYTES: i64 = 64 * 1024;

/// What a kubelet answers, as if it were the log, when a container was taken away meanwhile.
const TAKEN_AWAY: &str = "unable to retrieve container logs for ";

/// Which part of a container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPart {
    /// The container's name.
    pub container: String,
    /// Of the container before this one, which ended.
    pub previous: bool,
    /// That many lines from its end.
    pub last_lines: u16,
}

impl Cluster {
    /// The end of a container's log. Nothing when there is no such log: its container never ran, or it was taken away.
    pub async fn log(&self, pod: &ObjectRef, part: &LogPart) -> Result<Option<String>, KubeError> {
        let kind = self.kind("v1", "Pod").await?;
        let path = Request::new(kind.path(pod.namespace.as_deref()));
        let params = LogParams {
            container: Some(part.container.clone()),
            previous: part.previous,
            tail_lines: Some(i64::from(part.last_lines)),
            limit_bytes: Some(MOST_BYTES),
            ..LogParams::default()
        };
        let ask = || {
            let request = path.logs(&pod.name, &params);
            async { self.client.request_text(request.map_err(kube::Error::BuildRequest)?).await }
        };
        match self.read(&format!("the log of {pod}"), ask).await {
            Ok(text) if text.starts_with(TAKEN_AWAY) => Ok(None),
            Ok(text) => Ok(Some(text)),
            // The server calls a wrong request what is only not there: a container that waits, or a previous one that never was.
            Err(KubeError::NotFound(_) | KubeError::Invalid(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
