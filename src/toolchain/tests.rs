//! Getting tools, with a fake Go, a fake Helm and a server on the loopback.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex as StdMutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::model::Digest;

type Answers = BTreeMap<String, Vec<u8>>;

struct Stage {
    folder: tempfile::TempDir,
    events: Arc<StdMutex<Vec<ToolEvent>>>,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        files::create_folder(&folder.path().join("bin")).unwrap();
        Self { folder, events: Arc::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, script: &str) {
        files::write_executable(&self.path("bin").join(name), format!("#!/bin/sh\n{script}\n"))
            .unwrap();
    }

    /// A Go that notes each build, takes a moment, and writes the program where the real one would.
    fn go(&self) {
        let log = self.path("go.log");
        self.program(
            "go",
            &format!(
                "echo \"$GOFLAGS|$CGO_ENABLED|$*\" >> {0}\n/usr/bin/env > {0}.env\n/bin/sleep 0.3\nout=$GOBIN/helm\n\
                 while [ $# -gt 0 ]; do [ \"$1\" = -o ] && out=$2; shift; done\n\
                 echo some/package >&2\necho built > \"$out\"",
                log.display()
            ),
        );
    }

    fn builds(&self) -> Vec<String> {
        let log = files::read(&self.path("go.log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    fn toolchain(&self, host: &str) -> Toolchain {
        let settings = ToolSettings {
            cache: self.path("cache"),
            path: self.path("bin").into(),
            environment: BTreeMap::from([(
                "HOME".to_owned(),
                self.path("home").to_string_lossy().into_owned(),
            )]),
            redactor: Redactor::default(),
            sources: Sources {
                helm: format!("{host}/helm"),
                kubernetes: format!("{host}/k8s"),
                github: format!("{host}/github"),
                github_api: format!("{host}/api"),
            },
        };
        let limits = Downloads::with_limits(Duration::from_secs(1), Duration::from_secs(1));
        Toolchain::with_downloads(settings, limits)
    }

    async fn ensure(&self, toolchain: &Toolchain, tools: &[Tool]) -> Result<ToolSet, Failure> {
        let events = Arc::clone(&self.events);
        toolchain.ensure(tools, &move |event| events.lock().unwrap().push(event)).await
    }

    fn waited(&self) -> bool {
        self.events.lock().unwrap().iter().any(|e| matches!(e, ToolEvent::Waiting { .. }))
    }
}

/// A server that knows some paths, and answers 404 to the rest.
async fn serve(answers: Answers) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap_or_default();
            let text = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = text.split_whitespace().nth(1).unwrap_or_default();
            let (status, body) = match answers.get(path) {
                Some(body) => ("200 OK", body.clone()),
                None => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await.ok();
            stream.write_all(&body).await.ok();
        }
    });
    format!("http://{address}")
}

async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn kubectl_at(platform: Platform) -> String {
    format!("/k8s/release/v{KUBERNETES}/bin/{}/{}/kubectl", platform.os(), platform.arch())
}

fn kubectl_answers(program: &[u8], checksum: &str) -> Answers {
    let at = kubectl_at(Platform::current().unwrap());
    BTreeMap::from([(format!("{at}.sha256"), checksum.as_bytes().to_vec()), (at, program.to_vec())])
}

fn leftovers(folder: &Path) -> usize {
    files::list(folder)
        .unwrap_or_default()
        .iter()
        .filter(|path| path.to_string_lossy().contains(PARTIAL))
        .count()
}

#[tokio::test]
async fn a_suitable_program_on_the_path_is_used() {
    let stage = Stage::new();
    stage.program("helm", "echo v4.0.2+gabc");
    let toolchain = stage.toolchain(&nobody().await);
    let tools = stage.ensure(&toolchain, &[Tool::Helm]).await.unwrap();
    assert_eq!(tools.path(Tool::Helm), stage.path("bin/helm"));
    assert!(stage.events.lock().unwrap().is_empty());
    let helm = toolchain.states().await.into_iter().find(|s| s.tool == Tool::Helm).unwrap();
    assert_eq!((helm.how, helm.found), (How::Path, Some(Version::parse("4.0.2+gabc").unwrap())));
}

#[tokio::test]
async fn a_download_with_the_right_checksum_is_used_and_stays() {
    let stage = Stage::new();
    let program = b"#!/bin/sh\n".to_vec();
    let host = serve(kubectl_answers(&program, Digest::of(&program).as_str())).await;
    let tools = stage.ensure(&stage.toolchain(&host), &[Tool::Kubectl]).await.unwrap();
    let path = tools.path(Tool::Kubectl);
    assert_eq!(files::read_bytes(&path).unwrap(), program);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    let offline = stage.toolchain(&nobody().await);
    assert_eq!(stage.ensure(&offline, &[Tool::Kubectl]).await.unwrap().path(Tool::Kubectl), path);
    let states = offline.states().await;
    let kubectl = states.iter().find(|state| state.tool == Tool::Kubectl).unwrap();
    assert_eq!((kubectl.how, kubectl.pinned), (How::Downloaded, Some(false)));
}

#[tokio::test]
async fn a_wrong_checksum_is_refused_and_leaves_nothing() {
    let stage = Stage::new();
    stage.program("go", "echo 'no proxy answers' >&2; exit 1");
    let host = serve(kubectl_answers(b"bad", Digest::of("good").as_str())).await;
    let toolchain = stage.toolchain(&host);
    let failure = stage.ensure(&toolchain, &[Tool::Kubectl]).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Preflight);
    assert!(failure.what.contains("`kubectl` 1.35.4"), "{failure:?}");
    assert!(failure.causes.iter().any(|c| c.contains("publisher says")), "{failure:?}");
    assert!(failure.causes.iter().any(|c| c.contains("no proxy answers")), "{failure:?}");
    assert!(failure.hints.iter().any(|h| h.contains("install Go")), "{failure:?}");
    assert!(toolchain.in_cache(Tool::Kubectl).is_none());
    assert_eq!(leftovers(&toolchain.home(Tool::Kubectl)), 0);
}

#[tokio::test]
async fn go_builds_what_cannot_be_downloaded_and_old_programs_are_passed_over() {
    let stage = Stage::new();
    stage.go();
    stage.program("helm", "echo v3.19.4");
    let toolchain = stage.toolchain(&nobody().await);
    let tools = stage.ensure(&toolchain, &[Tool::Helm, Tool::Etcd]).await.unwrap();
    assert_eq!(files::read(&tools.path(Tool::Helm)).unwrap(), "built\n");
    assert_eq!(files::read(&tools.path(Tool::Etcd)).unwrap(), "built\n");
    let builds = stage.builds();
    assert_eq!(builds.len(), 2);
    assert!(
        builds.iter().all(|line| line.starts_with("-mod=readonly -buildvcs=false -modcacherw|0|"))
    );
    assert!(builds.iter().any(|line| line.ends_with("helm.sh/helm/v4/cmd/helm@v4.3.1")));
    assert!(stage.waited(), "two builds never run at once");
    let states = toolchain.states().await;
    let helm = states.iter().find(|state| state.tool == Tool::Helm).unwrap();
    assert_eq!((helm.how, helm.pinned), (How::Built, Some(true)));
    assert!(helm.passed_over.iter().any(|line| line.contains("3.19.4")));
}

#[tokio::test]
async fn go_keeps_its_files_in_the_cache() {
    let stage = Stage::new();
    stage.go();
    let toolchain = stage.toolchain(&nobody().await);
    stage.ensure(&toolchain, &[Tool::Helm]).await.unwrap();
    let said = files::read(&stage.path("go.log.env")).unwrap();
    let own = stage.path("cache/go").display().to_string();
    for (key, folder) in [
        ("XDG_CONFIG_HOME", "/config"),
        ("GOCACHE", "/build"),
        ("GOMODCACHE", "/mod"),
        ("GOPATH", ""),
    ] {
        let line = format!("{key}={own}{folder}");
        assert!(said.lines().any(|said| said == line), "no {line} in {said}");
    }
    let settings = format!("GOENV={}/", stage.path("home").display());
    assert!(said.lines().any(|line| line.starts_with(&settings)), "{said}");
    assert!(!stage.path("home").exists());
}

#[tokio::test]
async fn a_kubectl_that_is_too_old_for_the_server_is_passed_over_and_the_list_says_why() {
    let stage = Stage::new();
    stage
        .program("kubectl", "echo '{\"clientVersion\": {\"gitVersion\": \"v1.33.4-dispatcher\"}}'");
    let states = stage.toolchain(&nobody().await).states().await;
    let kubectl = states.iter().find(|state| state.tool == Tool::Kubectl).unwrap();
    assert_eq!((kubectl.how, kubectl.found.as_ref()), (How::Download, None));
    let [why] = kubectl.passed_over.as_slice() else { panic!("{kubectl:?}") };
    assert!(why.ends_with("is version 1.33.4-dispatcher, and 1.34 to 1.36 is needed"), "{why}");
}

#[tokio::test]
async fn two_runs_at_once_build_once() {
    let stage = Stage::new();
    stage.go();
    let host = nobody().await;
    let (one, two) = (stage.toolchain(&host), stage.toolchain(&host));
    let (first, second) =
        tokio::join!(stage.ensure(&one, &[Tool::Helm]), stage.ensure(&two, &[Tool::Helm]));
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(stage.builds().len(), 1);
    assert!(stage.waited());
}

#[tokio::test]
async fn what_a_killed_run_left_is_neither_used_nor_kept() {
    let stage = Stage::new();
    stage.go();
    let toolchain = stage.toolchain(&nobody().await);
    let half = toolchain.home(Tool::Helm).join(format!("{PARTIAL}dead/helm"));
    files::write_executable(&half, "half").unwrap();
    let tools = stage.ensure(&toolchain, &[Tool::Helm]).await.unwrap();
    assert_eq!(files::read(&tools.path(Tool::Helm)).unwrap(), "built\n");
    assert_eq!(leftovers(&toolchain.home(Tool::Helm)), 0);
}

#[tokio::test]
async fn a_failed_build_says_what_go_said_and_a_full_disk_what_to_do() {
    let stage = Stage::new();
    stage.program("go", "echo 'write x: no space left on device' >&2; exit 1");
    let toolchain = stage.toolchain(&nobody().await);
    let failure = stage.ensure(&toolchain, &[Tool::Helm, Tool::Etcd]).await.unwrap_err();
    assert!(failure.what.contains("`helm` 4.3.1, `etcd` 3.6.5"), "{failure:?}");
    assert!(failure.causes.iter().any(|c| c.contains("no space left")), "{failure:?}");
    assert!(failure.hints.iter().all(|hint| hint.contains("free some space")), "{failure:?}");
}
