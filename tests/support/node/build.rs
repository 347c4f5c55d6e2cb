//! What Go and Debian's packages give: programs, the image of a node, the tree of the demo's image. Made once, kept in the
//! user's cache under the digest of what it is made of.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use datamill::model::Digest;
use datamill::toolchain::{ETCD, KIND, KUBERNETES};

use tempfile::TempDir;

use super::engine::Engine;
use super::run::{Mark, said, text_of};
use crate::support::sandbox::{repository, tools};

const COREDNS: &str = "github.com/coredns/coredns@v1.15.0";
const LOCAL_PATH: &str = "github.com/rancher/local-path-provisioner@v0.0.30";
const MINIO: &str = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c";

/// Nobody reads a cached file that was not used for that long.
const FORGOTTEN: Duration = Duration::from_hours(7 * 24);

type Result<T> = std::result::Result<T, String>;

/// The folder of a source of this rig.
fn here(path: &str) -> PathBuf {
    repository().join("tests/support/node").join(path)
}

/// Runs `make` unless the cache has its result, one process at a time. `inputs` is what the result depends on.
fn cached<'a>(
    name: &str,
    inputs: impl IntoIterator<Item = &'a str>,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let digest = Digest::of_parts(inputs);
    let io = |error: std::io::Error| format!("the cache of the tests: {error}");
    let folder = cache()?;
    fs::create_dir_all(&folder).map_err(io)?;
    let lock = File::create(folder.join(format!("{name}.lock"))).map_err(io)?;
    lock.lock().map_err(io)?;
    let path = folder.join(format!("{name}-{}", digest.short(16)));
    if !path.exists() {
        let part = folder.join(format!("{name}.part"));
        make(&part)?;
        fs::rename(&part, &path).map_err(io)?;
    }
    // Its age is since its last use.
    File::options().append(true).open(&path).and_then(|f| f.set_modified(SystemTime::now())).ok();
    forget(&folder, name, &path);
    Ok(path)
}

/// Deletes earlier results of the same name that nobody used lately.
fn forget(folder: &Path, name: &str, keep: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let used = entry.metadata().and_then(|data| data.modified());
        let old = used.is_ok_and(|used| used.elapsed().is_ok_and(|age| age > FORGOTTEN));
        let same = entry.file_name().to_string_lossy().starts_with(&format!("{name}-"));
        if old && same && entry.path() != keep {
            fs::remove_file(entry.path()).ok();
        }
    }
}

fn cache() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    Ok(folder.ok_or("there is no HOME")?.join("datamill-tests"))
}

/// A folder for work, gone when it is dropped; below the folder of this run, so that a run that is killed leaves none.
fn workshop() -> Result<TempDir> {
    let folder = Mark::own().folder().join("work");
    let made = fs::create_dir_all(&folder).and_then(|()| TempDir::new_in(&folder));
    made.map_err(|error| format!("{}: {error}", folder.display()))
}

/// Something that builds: it works in such a folder, and it and all that it starts bear the name of the run.
fn builder(program: impl AsRef<OsStr>, work: &TempDir) -> Command {
    let mut command = Command::new(program);
    command.env("TMPDIR", work.path()).env("DATAMILL_NODE_RUN", Mark::own().name());
    command
}

/// The same with root's rights, and with mounts of its own: those that it leaves go with it.
fn builder_with_mounts(program: impl AsRef<OsStr>, work: &TempDir) -> Command {
    let mut command = builder("unshare", work);
    command.arg("--mount").arg(program.as_ref());
    command
}

fn go(args: &[&str], work: &TempDir) -> Command {
    let mut command = builder("go", work);
    command.args(args).current_dir(here("programs"));
    command.env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=readonly -buildvcs=false");
    command.env("GO111MODULE", "on").env("GOWORK", "off");
    command
}

/// The module of the `kind` that datamill gets; the files of a node's image come from there.
fn kind_module() -> String {
    format!("sigs.k8s.io/kind@v{KIND}")
}

/// A program of somebody's module.
fn install(package: &str, into: &Path) -> Result<()> {
    let folder = workshop()?;
    let bin = folder.path().join("bin");
    let mut call = go(&["install", "-trimpath", "-ldflags", "-s -w", package], &folder);
    // In no module: the package's own go.mod decides.
    said(call.current_dir(folder.path()).env("GOBIN", &bin))?;
    let entry = fs::read_dir(&bin).ok().and_then(|mut entries| entries.next());
    let built = entry.and_then(std::result::Result::ok).ok_or("Go left nothing")?.path();
    fs::copy(&built, into).map(drop).map_err(|error| format!("{}: {error}", into.display()))
}

/// A program of the module in `programs/`.
fn build(package: &str, flags: &str, into: &Path) -> Result<()> {
    let work = workshop()?;
    let mut call = go(&["build", "-trimpath", "-ldflags", flags, "-o"], &work);
    said(call.arg(into).arg(package)).map(drop)
}

fn ours(name: &str) -> Result<PathBuf> {
    let source = text_of(&here(&format!("programs/{name}/main.go")));
    cached(name, [&*source], |into| build(&format!("./{name}"), "-s -w", into))
}

/// The runtime for machines without `CAP_SYS_RESOURCE`.
pub(super) fn runtime() -> Result<PathBuf> {
    ours("runtime")
}

/// The web server that can be told to misbehave.
pub(super) fn answer() -> Result<PathBuf> {
    ours("answer")
}

/// The MinIO server; minutes on a machine that never built it.
pub(super) fn minio() -> Result<PathBuf> {
    cached("minio", [MINIO], |into| install(MINIO, into))
}

/// The tree of the demo's image, as an archive.
pub(super) fn demo() -> Result<PathBuf> {
    let script = text_of(&here("image/demo"));
    cached("demo", [&*script], |into| {
        said(builder_with_mounts(here("image/demo"), &workshop()?).arg(into)).map(drop)
    })
}

/// What takes a compiler minutes on a machine that never built it, before any test waits for something that needs the cores.
pub(super) fn warm_up(engine: &Engine) -> Result<()> {
    minio()?;
    if engine.is_own() {
        demo()?;
    }
    Ok(())
}

/// The image of a node, in an engine under the name that comes back.
pub(super) fn node(engine: &Engine) -> Result<String> {
    let files =
        ["image/root", "image/node", "image/busybox", "image/storage.yaml", "programs/go.sum"];
    let mut inputs: Vec<String> = files.iter().map(|file| text_of(&here(file))).collect();
    inputs.extend([KUBERNETES.to_string(), ETCD.to_string()]);
    inputs.extend([&*kind_module(), COREDNS, LOCAL_PATH].map(str::to_owned));
    let name = "datamill.test/node:1";
    let archive = cached("node", inputs.iter().map(String::as_str), |into| {
        make_node(engine, name)?;
        said(engine.docker().args(["save", "-o"]).arg(into).arg(name)).map(drop)
    })?;
    if said(engine.docker().args(["image", "inspect", name])).is_err() {
        said(engine.docker().arg("load").arg("-i").arg(&archive))?;
    }
    Ok(name.to_owned())
}

fn make_node(engine: &Engine, name: &str) -> Result<()> {
    let io = |error: std::io::Error| error.to_string();
    let work = workshop()?;
    let programs = work.path().join("programs");
    fs::create_dir(&programs).map_err(io)?;
    let version = "k8s.io/component-base/version";
    let (major, minor) = (KUBERNETES.major, KUBERNETES.minor);
    let stamp = format!(
        "-s -w -X {version}.gitVersion=v{KUBERNETES} -X {version}.gitMajor={major} -X {version}.gitMinor={minor}"
    );
    for program in ["kubelet", "kubeadm", "kube-proxy"] {
        build(&format!("k8s.io/kubernetes/cmd/{program}"), &stamp, &programs.join(program))?;
    }
    install(COREDNS, &programs.join("coredns"))?;
    install(LOCAL_PATH, &programs.join("local-path-provisioner"))?;
    for program in
        ["kubectl", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]
    {
        std::os::unix::fs::symlink(tools().join(program), programs.join(program)).map_err(io)?;
    }
    let module = said(&mut go(&["mod", "download", "-json", &kind_module()], &work))?;
    let module: serde_json::Value =
        serde_json::from_str(&module).map_err(|error| error.to_string())?;
    let tree = work.path().join("tree");
    let root = here("image/root");
    said(
        builder_with_mounts(root, &work).arg(&tree).arg(module["Dir"].as_str().unwrap_or_default()),
    )?;
    let mut call = builder_with_mounts(here("image/node"), &work);
    call.arg(&tree).arg(&programs).arg(name);
    if let Some(host) = engine.host() {
        call.env("DOCKER_HOST", host);
    }
    said(&mut call).map(drop)
}
