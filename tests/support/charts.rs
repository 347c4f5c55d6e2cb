//! A loopback chart repository and OCI registry: index, archives, manifests, digests, logins, and faults.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use datamill::model::Digest;

/// A repository that serves what it is given on a free loopback port until it is dropped.
pub(crate) struct Repository {
    address: SocketAddr,
    served: Served,
}

type Served = Arc<Mutex<Shelf>>;

/// What is served, and to whom.
#[derive(Default)]
struct Shelf {
    answers: BTreeMap<String, Answer>,
    /// The value of the header that every request must have.
    login: Option<String>,
}

/// What a path answers.
#[derive(Clone)]
enum Answer {
    Bytes(Vec<u8>),
    /// Promises more than it sends.
    Truncated(Vec<u8>),
    Status(u16),
}

/// A chart in the making.
pub(crate) struct Chart {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) files: Vec<(String, String)>,
}

impl Chart {
    /// A chart with `Chart.yaml` and nothing else.
    pub(crate) fn new(name: &str, version: &str) -> Self {
        let about = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            files: vec![("Chart.yaml".to_owned(), about)],
        }
    }

    /// Adds a file.
    pub(crate) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    /// The archive as Helm packages it.
    pub(crate) fn archive(&self) -> Vec<u8> {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        for (path, text) in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_size(u64::try_from(text.len()).unwrap());
            header.set_mode(0o644);
            let path = format!("{}/{path}", self.name);
            tar.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }
}

impl Repository {
    /// Starts an empty repository.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = Served::default();
        let answers = Arc::clone(&served);
        // The thread ends with the test process; a listener costs nothing until then.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                std::thread::spawn(move || answer(stream, &answers));
            }
        });
        Self { address, served }
    }

    /// The address of the repository.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves charts with a right index.
    pub(crate) fn serve(&self, charts: &[Chart]) {
        self.serve_in("", "", charts);
    }

    /// Serves charts in a folder, with an index that names their addresses on the host that it stands for.
    pub(crate) fn serve_as(&self, folder: &str, stands_for: &str, charts: &[Chart]) {
        self.serve_in(&format!("{folder}/"), &format!("{stands_for}/"), charts);
    }

    fn serve_in(&self, folder: &str, base: &str, charts: &[Chart]) {
        let mut entries: BTreeMap<&str, Vec<serde_json::Value>> = BTreeMap::new();
        for chart in charts {
            let archive = chart.archive();
            let file = format!("{}-{}.tgz", chart.name, chart.version);
            entries.entry(&chart.name).or_default().push(serde_json::json!({
                "apiVersion": "v2", "name": chart.name, "version": chart.version,
                "digest": Digest::of(&archive).to_string(), "urls": [format!("{base}{file}")],
            }));
            self.put(&format!("{folder}{file}"), Answer::Bytes(archive));
        }
        let index = serde_json::json!({"apiVersion": "v1", "entries": entries});
        self.put(&format!("{folder}index.yaml"), Answer::Bytes(index.to_string().into_bytes()));
    }

    /// The address of the repository as a registry.
    pub(crate) fn oci(&self) -> String {
        format!("oci://{}", self.address)
    }

    /// Serves a chart as an OCI registry does: a manifest under its version and its digest, and two blobs.
    pub(crate) fn serve_oci(&self, name: &str, chart: &Chart) {
        let config =
            serde_json::json!({"name": chart.name, "version": chart.version, "apiVersion": "v2"});
        let blob = |kind: &str, bytes: Vec<u8>| {
            let digest = format!("sha256:{}", Digest::of(&bytes));
            let size = bytes.len();
            self.put(&format!("v2/{name}/blobs/{digest}"), Answer::Bytes(bytes));
            serde_json::json!({"mediaType": kind, "digest": digest, "size": size})
        };
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": blob("application/vnd.cncf.helm.config.v1+json", config.to_string().into_bytes()),
            "layers": [blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", chart.archive())],
        });
        let bytes = manifest.to_string().into_bytes();
        for reference in [chart.version.clone(), format!("sha256:{}", Digest::of(&bytes))] {
            self.put(&format!("v2/{name}/manifests/{reference}"), Answer::Bytes(bytes.clone()));
        }
    }

    /// Answers only those who log in.
    pub(crate) fn wants_login(&self, user: &str, password: &str) {
        let login = data_encoding::BASE64.encode(format!("{user}:{password}").as_bytes());
        self.served.lock().unwrap().login = Some(format!("Basic {login}"));
    }

    /// Serves other bytes than the index says.
    pub(crate) fn tamper(&self, file: &str) {
        self.put(file, Answer::Bytes(Chart::new("other", "9.9.9").archive()));
    }

    /// Ends an answer in the middle.
    pub(crate) fn truncate(&self, file: &str) {
        let bytes = match self.served.lock().unwrap().answers.get(&format!("/{file}")) {
            Some(Answer::Bytes(bytes)) => bytes[..bytes.len() / 2].to_vec(),
            _ => Vec::new(),
        };
        self.put(file, Answer::Truncated(bytes));
    }

    /// Answers with a status and nothing else.
    pub(crate) fn fail(&self, file: &str, status: u16) {
        self.put(file, Answer::Status(status));
    }

    fn put(&self, file: &str, answer: Answer) {
        self.served.lock().unwrap().answers.insert(format!("/{file}"), answer);
    }
}

/// The kind of an OCI manifest.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Answers one request: enough of HTTP for GET and HEAD.
fn answer(mut stream: std::net::TcpStream, served: &Served) {
    use std::io::{BufRead as _, BufReader};
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let mut login = None;
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some((key, value)) = line.split_once(':')
            && key.eq_ignore_ascii_case("authorization")
        {
            login = Some(value.trim().to_owned());
        }
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
    let found = {
        let shelf = served.lock().unwrap();
        if shelf.login.is_some() && shelf.login != login {
            Answer::Status(401)
        } else {
            shelf.answers.get(&path).cloned().unwrap_or(Answer::Status(404))
        }
    };
    let (status, length, body) = match found {
        Answer::Bytes(bytes) => (200, bytes.len(), bytes),
        Answer::Truncated(bytes) => (200, bytes.len() * 2, bytes),
        Answer::Status(status) => (status, 0, Vec::new()),
    };
    let mut head =
        format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n");
    if status == 401 {
        head.push_str("WWW-Authenticate: Basic realm=\"charts\"\r\n");
    }
    if status == 200 && path.starts_with("/v2/") {
        let kind = if path.contains("/manifests/") { MANIFEST } else { "application/octet-stream" };
        let lines = [
            format!("Content-Type: {kind}\r\n"),
            format!("Docker-Content-Digest: sha256:{}\r\n", Digest::of(&body)),
        ];
        head.extend(lines);
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok();
    if !first.starts_with("HEAD ") {
        stream.write_all(&body).ok();
    }
}
