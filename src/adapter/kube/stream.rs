//! What runs over a connection of its own: a program in a container. Such a connection may be silent for long, so no deadline
//! of a request applies to it.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::{Api, AttachParams};
use kube::client::{Client, ClientBuilder, UpgradeConnectionError};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{Cluster, KubeError, error};
use crate::model::ObjectRef;

/// What a program in a container gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: Text,
    /// What it wrote to standard error.
    pub stderr: Text,
}

/// What a program wrote, up to a bound.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// The first bytes.
    pub bytes: Vec<u8>,
    /// Whether there were more.
    pub cut: bool,
}

impl Text {
    /// For people; what is no text is shown as such.
    pub fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Reads all there is, and keeps what fits.
    async fn read(source: Option<impl AsyncRead + Unpin>, most: usize) -> Self {
        let mut text = Self::default();
        let Some(mut source) = source else { return text };
        let mut part = [0; 4096];
        // A broken connection ends it as well; the missing status tells the two apart.
        while let Ok(count @ 1..) = source.read(&mut part).await {
            let room = most.saturating_sub(text.bytes.len());
            text.bytes.extend(part.iter().take(count.min(room)));
            text.cut |= count > room;
        }
        text
    }
}

/// A program to run in a container.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// The pod.
    pub pod: &'a ObjectRef,
    /// The container; the pod's first one when absent.
    pub container: Option<&'a str>,
    /// The program and its arguments.
    pub args: &'a [&'a str],
    /// How many bytes of each stream are kept.
    pub most: usize,
    /// How long it may take.
    pub deadline: Duration,
}

impl Cluster {
    /// Runs a program in a container, without input. At the deadline the connection is dropped, and the program may go on.
    pub async fn exec(&self, program: &Program<'_>) -> Result<Ran, KubeError> {
        let Ok(ran) = tokio::time::timeout(program.deadline, self.run(program)).await else {
            let what = format!("`{}` in {}", program.args.join(" "), program.pod);
            return Err(KubeError::Timeout { what, seconds: program.deadline.as_secs() });
        };
        ran
    }

    async fn run(&self, program: &Program<'_>) -> Result<Ran, KubeError> {
        let pods = self.pods(program.pod)?;
        let mut params = AttachParams::default().stdin(false).stdout(true).stderr(true);
        params.container = program.container.map(str::to_owned);
        let args = program.args.iter().copied();
        let mut process = match pods.exec(&program.pod.name, args, &params).await {
            Ok(process) => process,
            Err(error) => return Err(self.refused(program.pod, "exec", error).await),
        };
        let (stdout, stderr) = (process.stdout(), process.stderr());
        let status = process.take_status();
        let (stdout, stderr) =
            tokio::join!(Text::read(stdout, program.most), Text::read(stderr, program.most));
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        Ok(Ran { code: code(program.pod, status.as_ref())?, stdout, stderr })
    }

    /// The pods of a namespace over connections that may be silent.
    pub(super) fn pods(&self, pod: &ObjectRef) -> Result<Api<Pod>, KubeError> {
        Ok(Api::namespaced(self.silent()?, pod.namespace.as_deref().unwrap_or("default")))
    }

    /// The client without deadlines.
    fn silent(&self) -> Result<Client, KubeError> {
        if let Some(client) = self.silent.get() {
            return Ok(client.clone());
        }
        let mut config = (*self.config).clone();
        (config.read_timeout, config.write_timeout) = (None, None);
        let client = ClientBuilder::try_from(config).map_err(error::from_client)?.build();
        Ok(self.silent.get_or_init(|| client).clone())
    }

    /// Why a connection was refused. The client drops the server's words, so the same is asked once more as a plain request, which
    /// starts nothing.
    pub(super) async fn refused(
        &self,
        pod: &ObjectRef,
        part: &str,
        error: kube::Error,
    ) -> KubeError {
        let kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(code)) = &error
        else {
            return error::from_client(error);
        };
        let code = code.as_u16();
        let namespace = pod.namespace.as_deref().unwrap_or("default");
        let path = format!("/api/v1/namespaces/{namespace}/pods/{}/{part}", pod.name);
        let words = match http::Request::get(path).body(Vec::new()) {
            Ok(request) => self.once(part, self.client.request_text(request)).await,
            Err(error) => return KubeError::Invalid(error.to_string()),
        };
        match words {
            // What it answers to a plain request where nothing else is wrong.
            Err(words) if !words.to_string().contains("pgrade request required") => words,
            Ok(_) | Err(_) => {
                let says = format!("{pod} refuses `{part}` with {code}");
                if code >= 500 { KubeError::Server(says) } else { KubeError::Invalid(says) }
            }
        }
    }
}

/// The exit code that the last message tells.
fn code(pod: &ObjectRef, status: Option<&Status>) -> Result<i32, KubeError> {
    let Some(status) = status else {
        let says = format!("the connection to {pod} broke off before the program ended");
        return Err(KubeError::Unreachable(says));
    };
    if status.status.as_deref() == Some("Success") {
        return Ok(0);
    }
    let causes = status.details.as_ref().and_then(|details| details.causes.as_ref());
    let cause = causes
        .into_iter()
        .flatten()
        .find(|cause| cause.reason.as_deref() == Some("ExitCode"))
        .and_then(|cause| cause.message.as_deref()?.parse().ok());
    // Another failure: the program could not be started.
    cause.ok_or_else(|| KubeError::Invalid(status.message.clone().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod() -> ObjectRef {
        ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: Some("n".to_owned()),
            name: "p".to_owned(),
        }
    }

    fn read(status: serde_json::Value) -> Result<i32, KubeError> {
        code(&pod(), Some(&serde_json::from_value(status).unwrap()))
    }

    #[test]
    fn the_last_message_tells_how_a_program_ended() {
        assert_eq!(read(json!({"status": "Success"})), Ok(0));
        let causes = json!([{"reason": "ExitCode", "message": "7"}]);
        let failed = json!({"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}});
        assert_eq!(read(failed), Ok(7));
        let no_start = json!({"status": "Failure", "message": "no such program"});
        assert_eq!(read(no_start), Err(KubeError::Invalid("no such program".to_owned())));
        assert!(matches!(code(&pod(), None), Err(KubeError::Unreachable(_))));
    }

    #[tokio::test]
    async fn a_text_is_read_to_its_end_and_kept_to_its_bound() {
        let long = vec![b'a'; 10_000];
        let text = Text::read(Some(long.as_slice()), 5_000).await;
        assert_eq!((text.bytes.len(), text.cut), (5_000, true));
        let text = Text::read(Some(long.as_slice()), 10_000).await;
        assert_eq!((text.bytes.len(), text.cut), (10_000, false));
        assert_eq!(text.lossy().len(), 10_000);
    }
}
