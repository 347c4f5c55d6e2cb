//! Tools: found, or told how to get; nothing half written is ever used.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::*;
use crate::support::sandbox::finish;

#[test]
fn tools_lists_what_is_wanted_and_how_it_would_be_got() {
    let sandbox = Sandbox::bare();
    let run = sandbox.datamill(["tools", "--output", "json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let listed: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let names: Vec<_> = listed["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    for name in ["helm", "kwokctl", "kwok", "kubectl", "etcd", "kube-apiserver", "kind"] {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[test]
fn without_network_and_go_the_error_names_the_tool_and_the_remedy() {
    let mut sandbox = project();
    // A proxy on a port where nobody listens: no download goes through.
    for key in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
        sandbox.set(key, "http://127.0.0.1:9");
    }
    sandbox.set("PATH", "/nowhere");
    let run = sandbox.datamill(["-l", "-i", "-f", "flavours/one.yaml"]);
    ends_with(&run, 8, &["helm", "go"]);
    let mut left = Vec::new();
    files(&sandbox.home(), &mut left);
    left.retain(|path| !path.ends_with("lock"));
    assert_eq!(left.iter().filter(|path| path.contains("/tools/")).count(), 0, "{left:?}");
}

#[test]
fn a_fault_in_the_wiring_is_told_before_a_tool_is_got() {
    let mut sandbox = project();
    for key in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
        sandbox.set(key, "http://127.0.0.1:9");
    }
    sandbox.set("PATH", "/nowhere");
    sandbox.write(
        "flavours/one.yaml",
        "project: {name: one, flavour: thing}\nlocal: {provider: kwok}\nthing: {bind: {zz: thing}}\n",
    );
    for words in [["plan", "-l", "--yes"], ["apply", "-l", "--yes"]] {
        let run = sandbox.datamill(words.into_iter().chain(["-f", "flavours/one.yaml"]));
        ends_with(&run, 10, &["error[unknown-use]", "`zz`", "nothing was touched"]);
        assert!(!run.stderr.contains("helm"), "{}", run.stderr);
    }
}

/// A sandbox without a network, in which Go builds every tool as a file of 64 KiB, and notes each build.
fn with_fake_go() -> (Sandbox, PathBuf) {
    let mut sandbox = Sandbox::bare();
    for key in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
        sandbox.set(key, "http://127.0.0.1:9");
    }
    let log = sandbox.project().join("go.log");
    let go = sandbox.write(
        "bin/go",
        &format!(
            "#!/bin/sh\necho \"$*\" >> {}\nfor word; do last=$word; done\nout=$GOBIN/$(/usr/bin/basename ${{last%@*}})\n\
             while [ $# -gt 0 ]; do [ \"$1\" = -o ] && out=$2; shift; done\n/bin/sleep 0.2\n\
             /bin/dd if=/dev/zero of=\"$out\" bs=64k count=1 2>/dev/null || {{ echo \"write $out: no space left on device\" >&2; exit 1; }}\n",
            log.display()
        ),
    );
    std::fs::set_permissions(&go, std::fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.set("PATH", go.parent().unwrap());
    (sandbox, log)
}

/// What of a cache is half written.
fn half_written(cache: &Path) -> Vec<String> {
    let mut all = Vec::new();
    files(cache, &mut all);
    all.retain(|path| path.contains(".partial-"));
    all
}

#[test]
fn two_installs_at_once_get_each_tool_once() {
    let (sandbox, log) = with_fake_go();
    let first = sandbox.start(["tools", "install"]);
    let begun = Instant::now();
    while !log.exists() {
        assert!(begun.elapsed() < Duration::from_mins(1), "the first run builds nothing");
        std::thread::sleep(Duration::from_millis(20));
    }
    let second = sandbox.datamill(["tools", "install"]);
    ends_with(&finish(first), 0, &["built by Go"]);
    ends_with(&second, 0, &["built by Go", "waiting for another run"]);
    let builds = std::fs::read_to_string(&log).unwrap();
    assert_eq!(builds.lines().count(), 9, "{builds}");
    assert_eq!(half_written(&sandbox.home()), Vec::<String>::new());
}

/// A file system of its own, as small as wanted; taken away at the end.
struct Disk(PathBuf);

impl Disk {
    fn new(folder: PathBuf, size: &str) -> Result<Self, String> {
        std::fs::create_dir_all(&folder).unwrap();
        Self::mount(&folder, size).map(|()| Self(folder))
    }

    fn mount(folder: &Path, options: &str) -> Result<(), String> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder);
        let output = mount.output().map_err(|error| error.to_string())?;
        let says = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(says) }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).status().ok();
    }
}

#[test]
fn a_full_disk_leaves_nothing_half_written_and_the_next_run_goes_on() {
    let (mut sandbox, _) = with_fake_go();
    let cache = sandbox.home().join("cache");
    let disk = match Disk::new(cache.clone(), "size=256k") {
        Ok(disk) => disk,
        Err(why) => {
            // Only root may make a file system.
            use std::io::Write as _;
            writeln!(std::io::stderr(), "skipped, no small disk can be made: {why}").unwrap();
            return;
        }
    };
    sandbox.set("DATAMILL_CACHE", &cache);
    let run = sandbox.datamill(["tools", "install"]);
    ends_with(&run, 8, &["no space left on device", "free some space for", "cache`"]);
    assert_eq!(half_written(&cache), Vec::<String>::new());
    Disk::mount(&disk.0, "remount,size=16m").unwrap();
    ends_with(&sandbox.datamill(["tools", "install"]), 0, &["built by Go"]);
}

fn files(folder: &Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            files(&entry.path(), into);
        } else {
            into.push(entry.path().to_string_lossy().into_owned());
        }
    }
}
