//! Whether the tier can run here, and in which engine.

use std::process::{Command, Stdio};

/// Says whether the tier is wanted: `0` never, `1` also with a dockerd that the tests start, `required` the same, and a skip is
/// a failure. Without it, only in an engine that runs.
const WISH: &str = "DATAMILL_NODE_TESTS";

/// What `DATAMILL_NODE_TESTS` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Never,
    Running,
    Own,
    Required,
}

/// Where the cluster lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In an engine that runs and that the user may use.
    Running,
    /// In a dockerd that the tests start.
    Own,
}

/// What the decision rests on.
#[derive(Debug, Clone)]
struct Facts {
    wish: Wish,
    linux: bool,
    /// Why no engine answers; nothing when one does.
    engine: Option<String>,
    root: bool,
    missing: Vec<&'static str>,
    /// Why the kernel gives no namespaces; nothing when it does.
    namespaces: Option<String>,
}

/// What a dockerd of the tests' own needs, and the image of a node.
const PROGRAMS: [&str; 11] = [
    "dockerd",
    "containerd",
    "runc",
    "docker",
    "iptables",
    "ip",
    "unshare",
    "nsenter",
    "debootstrap",
    "jq",
    "go",
];

pub(super) fn wish() -> Wish {
    match std::env::var(WISH).as_deref() {
        Ok("0") => Wish::Never,
        Ok("1") => Wish::Own,
        Ok("required") => Wish::Required,
        Ok(_) | Err(_) => Wish::Running,
    }
}

/// Where the tier runs, or why nowhere.
pub(super) fn find() -> Result<Place, String> {
    let wish = wish();
    let own = matches!(wish, Wish::Own | Wish::Required);
    decide(&Facts {
        wish,
        linux: cfg!(target_os = "linux"),
        engine: if wish == Wish::Never { None } else { refusal("docker", &["info"]) },
        root: nix::unistd::geteuid().is_root(),
        missing: PROGRAMS.into_iter().filter(|name| which::which(name).is_err()).collect(),
        namespaces: own
            .then(|| {
                let args = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "true"];
                refusal("unshare", &args)
            })
            .flatten(),
    })
}

fn decide(facts: &Facts) -> Result<Place, String> {
    if facts.wish == Wish::Never {
        return Err(format!("{WISH}=0"));
    }
    if !facts.linux {
        return Err("only on Linux".to_owned());
    }
    let Some(engine) = &facts.engine else {
        return if facts.missing.contains(&"go") {
            Err("Go is not installed".to_owned())
        } else {
            Ok(Place::Running)
        };
    };
    let mut why = vec![format!("no container engine answers ({engine})")];
    if facts.wish == Wish::Running {
        why.push(format!("and the tests may not start one: as root, {WISH}=1 lets them"));
        return Err(why.join(", "));
    }
    if !facts.root {
        why.push("only root may start one".to_owned());
    }
    if !facts.missing.is_empty() {
        why.push(format!("not installed: {}", facts.missing.join(" ")));
    }
    if let Some(namespaces) = &facts.namespaces {
        why.push(format!("the kernel gives no namespaces ({namespaces})"));
    }
    if why.len() > 1 { Err(why.join(", ")) } else { Ok(Place::Own) }
}

/// Why a call fails, in a line; nothing when it does not.
fn refusal(program: &str, args: &[&str]) -> Option<String> {
    let output = match Command::new(program).args(args).stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => return Some(format!("{program}: {error}")),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it ended badly");
    // `docker info` of some versions ends well without a server.
    let failed = !output.status.success() || line.contains("Cannot connect");
    failed.then(|| line.trim().to_owned())
}

mod tests {
    use super::*;

    fn facts(wish: Wish) -> Facts {
        Facts {
            wish,
            linux: true,
            engine: Some("no socket".to_owned()),
            root: true,
            missing: Vec::new(),
            namespaces: None,
        }
    }

    #[test]
    fn an_engine_that_runs_needs_no_flag() {
        let running = |wish| decide(&Facts { engine: None, root: false, ..facts(wish) });
        assert_eq!(running(Wish::Running), Ok(Place::Running));
        assert_eq!(running(Wish::Required), Ok(Place::Running));
        assert!(running(Wish::Never).is_err());
    }

    #[test]
    fn an_engine_is_started_only_when_told_to() {
        assert_eq!(decide(&facts(Wish::Own)), Ok(Place::Own));
        let why = decide(&facts(Wish::Running)).unwrap_err();
        assert!(why.contains("no socket") && why.contains("DATAMILL_NODE_TESTS=1"), "{why}");
    }

    #[test]
    fn a_skip_names_all_that_is_missing() {
        let lacking = Facts {
            root: false,
            missing: vec!["dockerd", "jq"],
            namespaces: Some("not permitted".to_owned()),
            ..facts(Wish::Own)
        };
        let why = decide(&lacking).unwrap_err();
        for word in ["no socket", "only root", "dockerd jq", "not permitted"] {
            assert!(why.contains(word), "{why}");
        }
    }
}
