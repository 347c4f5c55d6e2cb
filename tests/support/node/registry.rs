//! A registry that a node pulls from: on the gateway of the engine's network, plain HTTP, as slow or as closed as it is told.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use datamill::model::Digest;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use super::run::said;
use super::{Cluster, Image};

/// How a repository answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serve {
    /// At once.
    Whole,
    /// Layers come in ten parts with a pause before each.
    Slowly(Duration),
    /// It asks for a login that nobody has.
    Unauthorised,
}

/// Serves what it is given until the test process ends.
pub(crate) struct Registry {
    address: SocketAddr,
    shelf: Shelf,
}

type Shelf = Arc<Mutex<Shelves>>;
type Body = BoxBody<Bytes, Infallible>;

#[derive(Default)]
struct Shelves {
    repositories: BTreeMap<String, (Serve, Image)>,
    asked: Vec<String>,
}

impl Registry {
    /// Starts an empty registry, and tells the node that it speaks plain HTTP.
    pub(crate) fn start(cluster: &'static Cluster) -> Self {
        let gateway = gateway(cluster).unwrap();
        let shelf = Shelf::default();
        let (says, said) = mpsc::channel();
        let served = Arc::clone(&shelf);
        std::thread::spawn(move || {
            cluster.engine().enter();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::bind((gateway, 0)).await.unwrap();
                says.send(listener.local_addr().unwrap()).unwrap();
                listen(listener, served).await;
            });
        });
        let address = said.recv().unwrap();
        let folder = format!("/etc/containerd/certs.d/{address}");
        let hosts = format!("server = \"http://{address}\"\n[host.\"http://{address}\"]\n");
        let write = format!("mkdir -p '{folder}' && echo '{hosts}' > '{folder}/hosts.toml'");
        cluster.on_node(&["sh", "-c", &write]).unwrap();
        Self { address, shelf }
    }

    /// Serves an image; what comes back is the name to pull it by. Whatever is not served is missing.
    pub(crate) fn serve(&self, repository: &str, image: Image, serve: Serve) -> String {
        // A kubelet that pulled an image asks anew, under whatever name, before another pod may use what has its id: one that was
        // loaded into the node would then be pulled, from nowhere. So what is served is the same as nothing that is loaded.
        let image = image.known_as(&self.name(repository));
        let mut shelves = self.shelf.lock().unwrap();
        shelves.repositories.insert(repository.to_owned(), (serve, image));
        self.name(repository)
    }

    /// The name under which a repository would be pulled.
    pub(crate) fn name(&self, repository: &str) -> String {
        format!("{}/{repository}:1", self.address)
    }

    /// The requests so far: method and path.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shelf.lock().unwrap().asked.clone()
    }
}

/// The machine's own address in the network of the nodes.
fn gateway(cluster: &Cluster) -> Result<IpAddr, String> {
    let format = "{{range .IPAM.Config}}{{.Gateway}} {{end}}";
    let text =
        said(cluster.engine().docker().args(["network", "inspect", "kind", "--format", format]))?;
    let parsed = text.split_whitespace().filter_map(|word| word.parse::<IpAddr>().ok());
    parsed.into_iter().find(IpAddr::is_ipv4).ok_or(format!("no gateway in `{text}`"))
}

async fn listen(listener: tokio::net::TcpListener, shelf: Shelf) {
    while let Ok((stream, _)) = listener.accept().await {
        let shelf = Arc::clone(&shelf);
        let service = service_fn(move |request| {
            let answer = answer(&request, &shelf);
            async move { Ok::<_, Infallible>(answer) }
        });
        let server = hyper::server::conn::http1::Builder::new();
        tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
    }
}

fn answer(request: &Request<Incoming>, shelf: &Shelf) -> Response<Body> {
    let path = request.uri().path();
    let mut shelf = shelf.lock().unwrap();
    shelf.asked.push(format!("{} {path}", request.method()));
    if path == "/v2/" {
        return whole(StatusCode::OK, "application/json", b"{}");
    }
    let missing = || whole(StatusCode::NOT_FOUND, "application/json", b"{}");
    let place = |middle: &str| {
        let (repository, last) = path.strip_prefix("/v2/")?.split_once(middle)?;
        Some((shelf.repositories.get(repository)?, last))
    };
    let manifest = place("/manifests/");
    let blob = place("/blobs/");
    let Some(((serve, image), last)) = manifest.or(blob) else { return missing() };
    if *serve == Serve::Unauthorised {
        let mut answer = whole(StatusCode::UNAUTHORIZED, "application/json", b"{}");
        let ask = "Basic realm=\"tests\"".parse().unwrap();
        answer.headers_mut().insert("www-authenticate", ask);
        return answer;
    }
    let digest = |bytes: &[u8]| format!("sha256:{}", Digest::of(bytes));
    let kind = "application/vnd.docker.distribution.manifest.v2+json";
    let mut answer = if manifest.is_some() {
        let text = image.manifest();
        if last != "1" && last != digest(&text) {
            return missing();
        }
        let mut answer = whole(StatusCode::OK, kind, &text);
        answer.headers_mut().insert("docker-content-digest", digest(&text).parse().unwrap());
        answer
    } else if last == digest(&image.config_bytes()) {
        whole(StatusCode::OK, "application/octet-stream", &image.config_bytes())
    } else if last == digest(image.layer()) {
        layer(image.layer(), *serve)
    } else {
        return missing();
    };
    if request.method() == Method::HEAD {
        *answer.body_mut() = Full::default().boxed();
    }
    answer
}

fn whole(status: StatusCode, kind: &str, bytes: &[u8]) -> Response<Body> {
    let response = Response::builder().status(status).header("content-type", kind);
    let response = response.header("content-length", bytes.len());
    response.body(Full::new(Bytes::copy_from_slice(bytes)).boxed()).unwrap()
}

fn layer(bytes: &[u8], serve: Serve) -> Response<Body> {
    let pause = match serve {
        Serve::Slowly(pause) => pause,
        Serve::Whole | Serve::Unauthorised => Duration::ZERO,
    };
    let parts: Vec<_> =
        bytes.chunks(bytes.len().div_ceil(10).max(1)).map(Bytes::copy_from_slice).collect();
    let parts = futures::stream::unfold(parts.into_iter(), move |mut parts| async move {
        tokio::time::sleep(pause).await;
        Some((Ok::<_, Infallible>(Frame::data(parts.next()?)), parts))
    });
    let response = Response::builder().header("content-length", bytes.len());
    response.body(BodyExt::boxed(StreamBody::new(parts))).unwrap()
}
