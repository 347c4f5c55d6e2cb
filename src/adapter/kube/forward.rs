//! A port of this machine that leads to a port of a pod.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::{Cluster, KubeError};
use crate::model::ObjectRef;

/// How long a pod may be silent towards somebody who has nothing more to say: the two ends cannot be closed one by one.
const SILENCE: Duration = Duration::from_secs(10);
/// How long to wait when the machine has no room for one more connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Leads connections to a pod until it is dropped. When the pod goes, connections are refused one by one, and [`Forward::problem`]
/// says why.
pub struct Forward {
    address: SocketAddr,
    task: AbortHandle,
    problem: Arc<Mutex<Option<String>>>,
}

impl Forward {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Why the last connection that went wrong did so.
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Cluster {
    /// Opens a port on the loopback that leads to a port of a pod; with 0, any that is free.
    pub async fn forward(
        &self,
        pod: &ObjectRef,
        port: u16,
        local: u16,
    ) -> Result<Forward, KubeError> {
        // What is wrong with the pod is said now rather than with the first connection.
        if self.get(pod).await?.is_none() {
            return Err(KubeError::NotFound(format!("{pod} is not there")));
        }
        let taken = |error: std::io::Error| {
            KubeError::Invalid(format!("cannot listen on 127.0.0.1:{local}: {error}"))
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, local)).await.map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let problem: Arc<Mutex<Option<String>>> = Arc::default();
        let lead = lead(self.clone(), pod.clone(), port, listener, Arc::clone(&problem));
        let task = tokio::spawn(lead).abort_handle();
        Ok(Forward { address, task, problem })
    }
}

/// Takes connections; they end with this task.
async fn lead(
    cluster: Cluster,
    pod: ObjectRef,
    port: u16,
    listener: TcpListener,
    problem: Arc<Mutex<Option<String>>>,
) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (cluster, pod, problem) = (cluster.clone(), pod.clone(), Arc::clone(&problem));
        connections.spawn(async move {
            if let Err(error) = join(&cluster, &pod, port, stream).await {
                tracing::debug!("forward to port {port} of {pod}: {error}");
                *problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            }
        });
    }
}

/// Carries one connection, over one of its own to the server.
async fn join(
    cluster: &Cluster,
    pod: &ObjectRef,
    port: u16,
    mut local: TcpStream,
) -> Result<(), KubeError> {
    let mut carrier = match cluster.pods(pod)?.portforward(&pod.name, &[port]).await {
        Ok(carrier) => carrier,
        Err(error) => return Err(cluster.refused(pod, "portforward", error).await),
    };
    let ends = carrier.take_stream(port).zip(carrier.take_error(port));
    let Some((remote, trouble)) = ends else {
        return Err(KubeError::Unreachable(format!("the connection to {pod} broke off")));
    };
    let done = tokio::select! {
        // What went wrong comes first: the connection ends with it.
        biased;
        Some(says) = trouble => Err(KubeError::Invalid(says.trim().to_owned())),
        () = carry(&mut local, remote) => Ok(()),
    };
    carrier.abort();
    done
}

/// Carries bytes both ways until the pod has said all, or this end has and the pod is silent.
async fn carry(local: &mut TcpStream, remote: DuplexStream) {
    let (mut from_local, mut to_local) = local.split();
    let (mut from_pod, mut to_pod) = tokio::io::split(remote);
    let heard = AtomicU64::new(0);
    let down = async {
        let mut part = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from_pod.read(&mut part).await {
            heard.fetch_add(1, Ordering::Relaxed);
            if to_local.write_all(part.get(..count).unwrap_or_default()).await.is_err() {
                break;
            }
        }
    };
    tokio::pin!(down);
    tokio::select! {
        () = &mut down => return,
        said = tokio::io::copy(&mut from_local, &mut to_pod) => if said.is_err() { return },
    }
    loop {
        let before = heard.load(Ordering::Relaxed);
        let silent = tokio::time::timeout(SILENCE, &mut down).await.is_err();
        if !silent || heard.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pair of connected sockets, the far one first.
    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap());
        let (far, near) = tokio::join!(far, listener.accept());
        (far.unwrap(), near.unwrap().0)
    }

    #[tokio::test]
    async fn whoever_has_said_all_still_hears_the_answer() {
        let (mut far, mut near) = pair().await;
        let (remote, mut pod) = tokio::io::duplex(1024);
        let carrying = tokio::spawn(async move { carry(&mut near, remote).await });
        far.write_all(b"question").await.unwrap();
        far.shutdown().await.unwrap();
        let mut asked = [0; 8];
        pod.read_exact(&mut asked).await.unwrap();
        pod.write_all(b"answer").await.unwrap();
        drop(pod);
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).await.unwrap();
        assert_eq!((&asked, heard.as_slice()), (b"question", b"answer".as_slice()));
        carrying.await.unwrap();
    }

    #[tokio::test]
    async fn one_direction_never_waits_for_the_other() {
        const MANY: usize = 1 << 20;
        let (far, mut near) = pair().await;
        let (remote, pod) = tokio::io::duplex(1024);
        let carrying = tokio::spawn(async move { carry(&mut near, remote).await });
        let (mut from_far, mut to_far) = far.into_split();
        let (mut from_pod, mut to_pod) = tokio::io::split(pod);
        let bytes = vec![7; MANY];
        // The pod reads nothing before it was heard to the end.
        let heard = async {
            let mut all = vec![0; MANY];
            from_far.read_exact(&mut all).await.unwrap();
            let mut asked = vec![0; MANY];
            from_pod.read_exact(&mut asked).await.unwrap();
            (all, asked)
        };
        let (up, down, (heard, asked)) =
            tokio::join!(to_far.write_all(&bytes), to_pod.write_all(&bytes), heard);
        up.and(down).unwrap();
        assert!(heard == bytes && asked == bytes);
        drop((from_pod, to_pod));
        carrying.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_that_is_silent_towards_nobody_is_left() {
        let (far, mut near) = pair().await;
        let (remote, _pod) = tokio::io::duplex(1024);
        drop(far);
        carry(&mut near, remote).await;
    }
}
