//! From an empty machine to a platform and back.

use super::*;

#[test]
fn the_newcomers_day() {
    let sandbox = with_demo();
    let first = sandbox.datamill(["-l", "-i", "-f", DEMO]);
    succeeds(&first);
    let said = format!("{}{}", first.stdout, first.stderr);
    for word in ["demo-store", "demo-api", "demo-ui", "no container runs"] {
        assert!(said.contains(word), "`{word}` is not in:\n{said}");
    }

    // A second run finds nothing to do, and so does a plan.
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
    succeeds(&sandbox.datamill(["plan", "-l", "-f", DEMO, "--detailed-exitcode"]));

    // An edit of one value is a change that names the value.
    let flavour = std::fs::read_to_string(sandbox.project().join(DEMO)).unwrap();
    sandbox.write(DEMO, &flavour.replace("Hello from the demo", "Good morning"));
    let edited = sandbox.datamill(["plan", "-l", "-f", DEMO, "--detailed-exitcode"]);
    ends_with(&edited, 2, &["demo-api/release/server", "Good morning"]);
    sandbox.write(DEMO, &flavour);

    helm_knows_the_releases_and_no_secret(&sandbox);
    nothing_listens_beyond_loopback(&sandbox);
    removal_respects_needs_and_data(&sandbox);
    destroy_leaves_nothing(&sandbox);
}

fn helm_knows_the_releases_and_no_secret(sandbox: &Sandbox) {
    let listed = sandbox.helm(["ls", "-A", "--short"]);
    for release in ["demo-store", "demo-api", "demo-ui"] {
        assert!(listed.lines().any(|line| line == release), "{listed}");
    }
    let secrets = sandbox.kubectl(["get", "secrets", "-A", "-o", "json"]);
    let secrets: serde_json::Value = serde_json::from_str(&secrets).unwrap();
    let generated: Vec<String> = secrets["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|secret| secret["type"] == "Opaque")
        .flat_map(|secret| secret["data"].as_object().cloned().unwrap_or_default())
        .map(|(_, value)| value.as_str().unwrap().to_owned())
        .collect();
    assert!(!generated.is_empty());
    for release in ["demo-store", "demo-api", "demo-ui"] {
        let values = sandbox.helm(["get", "all", release, "-n", "data-mill"]);
        for secret in &generated {
            let plain = data_encoding::BASE64.decode(secret.as_bytes()).unwrap();
            let plain = String::from_utf8(plain).unwrap();
            assert!(
                !values.contains(secret) && !values.contains(&plain),
                "{release} shows a secret"
            );
        }
    }
}

/// Reads the kernel's table of listening sockets for the cluster's processes.
fn nothing_listens_beyond_loopback(sandbox: &Sandbox) {
    let mut inodes = Vec::new();
    for process in sandbox.processes() {
        let pid = process.split(' ').next().unwrap().to_owned();
        for link in std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            let target = std::fs::read_link(link.path()).unwrap_or_default();
            let target = target.to_string_lossy().into_owned();
            if let Some(inode) = target.strip_prefix("socket:[") {
                inodes.push(inode.trim_end_matches(']').to_owned());
            }
        }
    }
    assert!(!inodes.is_empty(), "the cluster has no sockets: {:?}", sandbox.processes());
    let mut listening = 0;
    for (table, loopback) in
        [("/proc/net/tcp", "0100007F:"), ("/proc/net/tcp6", "00000000000000000000000001000000:")]
    {
        for line in std::fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let columns: Vec<_> = line.split_whitespace().collect();
            if columns[3] == "0A" && inodes.iter().any(|inode| inode == columns[9]) {
                listening += 1;
                assert!(columns[1].starts_with(loopback), "listens beyond loopback: {line}");
            }
        }
    }
    assert!(listening >= 4, "etcd, API server and others listen: {listening}");
}

fn removal_respects_needs_and_data(sandbox: &Sandbox) {
    let refused = sandbox.datamill(["-l", "-u", "-c", "demo-store", "-f", DEMO, "--yes"]);
    ends_with(
        &refused,
        9,
        &["demo-api", "datamill uninstall -c demo-store --cascade -l -f flavours/demo.yaml\n"],
    );
    let cascade = ["uninstall", "-l", "-c", "demo-store", "-f", DEMO, "--cascade"];
    let shown = sandbox.datamill(cascade);
    // Without a terminal the question has no answer.
    ends_with(&shown, 10, &["demo-api", "demo-ui", "--yes"]);
    a_cascade_takes_the_users_too(sandbox);
    let uninstalled = sandbox.datamill(["-l", "-u", "-f", DEMO, "--yes"]);
    ends_with(&uninstalled, 0, &["demo-store/claim/data", "2Gi"]);
    let claims = sandbox.kubectl(["get", "pvc", "-A", "-o", "name"]);
    assert!(claims.contains("persistentvolumeclaim/demo-store-data"), "{claims}");
    let releases = sandbox.helm(["ls", "-A", "--short"]);
    assert_eq!(releases.trim(), "");
    // Installed again it finds its data and its password.
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
}

fn a_cascade_takes_the_users_too(sandbox: &Sandbox) {
    let claims =
        || sandbox.kubectl(["get", "pvc", "-A", "-o", "jsonpath={.items[*].metadata.uid}"]);
    let before = claims();
    let cascade = ["uninstall", "-l", "-c", "demo-store", "-f", DEMO, "--cascade", "--yes"];
    ends_with(&sandbox.datamill(cascade), 0, &["demo-store/claim/data", "it holds data"]);
    assert_eq!(sandbox.helm(["ls", "-A", "--short"]).trim(), "");
    assert!(!before.is_empty());
    assert_eq!(claims(), before, "the volume stays what it was");
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    assert_eq!(claims(), before);
}

fn destroy_leaves_nothing(sandbox: &Sandbox) {
    let destroyed = sandbox.datamill(["-l", "-x", "-f", DEMO]);
    ends_with(&destroyed, 0, &["demo-store", "demo-store/claim/data"]);
    assert_eq!(sandbox.processes(), Vec::<String>::new());
    let kubeconfig =
        std::fs::read_to_string(sandbox.home().join(".kube/config")).unwrap_or_default();
    assert!(!kubeconfig.contains("datamill-"), "{kubeconfig}");
    let mut left = Vec::new();
    files(&sandbox.home(), &mut left);
    left.retain(|path| !path.contains("/.cache/datamill/") && !path.ends_with("/.kube/config"));
    assert_eq!(left, Vec::<String>::new());
    assert!(sandbox.project().join("datamill.lock").exists());
    ends_with(&sandbox.datamill(["-l", "-x", "-f", DEMO]), 0, &["nothing to destroy"]);
    ends_with(&sandbox.datamill(["-l", "-u", "-f", DEMO]), 0, &["nothing to uninstall"]);
}

fn files(folder: &std::path::Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            files(&entry.path(), into);
        } else {
            into.push(entry.path().to_string_lossy().into_owned());
        }
    }
}

#[test]
fn stopping_and_starting_keeps_everything() {
    let sandbox = installed();
    succeeds(&sandbox.datamill(["-l", "-a", "-f", DEMO]));
    let status = sandbox.datamill(["status", "-l", "-f", DEMO]);
    ends_with(&status, 0, &["stopped"]);
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}
