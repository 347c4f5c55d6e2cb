//! A loopback chart repository: index, archives, digests, and faults.

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

type Served = Arc<Mutex<BTreeMap<String, Answer>>>;

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
        let mut entries: BTreeMap<&str, Vec<serde_json::Value>> = BTreeMap::new();
        for chart in charts {
            let archive = chart.archive();
            let file = format!("{}-{}.tgz", chart.name, chart.version);
            entries.entry(&chart.name).or_default().push(serde_json::json!({
                "apiVersion": "v2", "name": chart.name, "version": chart.version,
                "digest": Digest::of(&archive).to_string(), "urls": [file],
            }));
            self.put(&file, Answer::Bytes(archive));
        }
        let index = serde_json::json!({"apiVersion": "v1", "entries": entries});
        self.put("index.yaml", Answer::Bytes(index.to_string().into_bytes()));
    }

    /// Serves other bytes than the index says.
    pub(crate) fn tamper(&self, file: &str) {
        self.put(file, Answer::Bytes(Chart::new("other", "9.9.9").archive()));
    }

    /// Ends an answer in the middle.
    pub(crate) fn truncate(&self, file: &str) {
        let bytes = match self.served.lock().unwrap().get(&format!("/{file}")) {
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
        self.served.lock().unwrap().insert(format!("/{file}"), answer);
    }
}

/// Answers one request: enough of HTTP for GET.
fn answer(mut stream: std::net::TcpStream, served: &Served) {
    use std::io::{BufRead as _, BufReader};
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
    let found = served.lock().unwrap().get(&path).cloned().unwrap_or(Answer::Status(404));
    let (status, length, body) = match found {
        Answer::Bytes(bytes) => (200, bytes.len(), bytes),
        Answer::Truncated(bytes) => (200, bytes.len() * 2, bytes),
        Answer::Status(status) => (status, 0, Vec::new()),
    };
    let head =
        format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok();
    stream.write_all(&body).ok();
}
