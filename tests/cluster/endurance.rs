//! What takes too long for every run of the tests: `kill -9` at many random moments. `just endurance` runs it; the seed it prints
//! replays it.
#![expect(clippy::print_stderr, reason = "who waits so long reads what was found")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::kit::*;
use super::*;
use crate::support::sandbox::finish;

/// A number from the environment.
fn given(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Random numbers that a seed repeats (splitmix64).
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed = given("DATAMILL_TEST_SEED", since.as_secs());
        eprintln!("replay with DATAMILL_TEST_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}

/// Two instances: a Secret that is drawn, a volume, a release with a hook; and one that uses it.
fn project() -> Sandbox {
    let sandbox = Sandbox::with_tools();
    let rest = "secrets:\n  - id: auth\n    name: \"${self.release}-auth\"\n    keep: true\n    keys: {password: {generate: alnum, length: 24}}\nclaims:\n  - {id: data, kind: volume, name: \"${self.release}-data\", size: 1Gi, accessMode: ReadWriteOnce}\nparams:\n  text: {type: string, default: hello}\n";
    let values = "{text: \"${param.text}\"}";
    let kept = "delete: {secrets: keep, claims: keep}\n";
    component(&sandbox, "store", &format!("{rest}{}{kept}", helm_step(values)));
    let hook = quick_job(
        "{{ .Release.Name }}-hook",
        "helm.sh/hook: \"post-install,post-upgrade\", helm.sh/hook-delete-policy: before-hook-creation",
    );
    chart(&sandbox, "store", "text: none\n", &[MAP, &hook]);
    let uses = "uses:\n  - {as: store, component: store}\nparams:\n  text: {type: string, default: hello}\n";
    component(&sandbox, "page", &format!("{uses}{}", helm_step(values)));
    chart(&sandbox, "page", "text: none\n", &[MAP]);
    sandbox
}

fn want(sandbox: &Sandbox, names: &str, text: u64) {
    let sections = names.split(' ').map(|name| format!("{name}: {{text: \"{text}\"}}\n"));
    flavour(sandbox, names, &sections.collect::<String>());
}

/// Starts a command and kills it after a while; how far it came.
fn killed(sandbox: &Sandbox, words: &[&str], after: Duration) -> Run {
    let child = sandbox.start(words.iter().copied());
    std::thread::sleep(after);
    signal(&child, Signal::SIGKILL);
    finish(child)
}

fn took(sandbox: &Sandbox, words: &[&str]) -> Duration {
    let start = Instant::now();
    succeeds(&sandbox.datamill(words.iter().copied()));
    start.elapsed()
}

/// What must never be made anew: the drawn Secret and the volume.
fn precious(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (kind, at) in [("secret", ".data.password"), ("pvc", ".metadata.uid")] {
        let name = if kind == "secret" { "store-auth" } else { "store-data" };
        let path = format!("jsonpath={{{at}}}");
        let words = ["get", kind, name, "-n", "kit", "--ignore-not-found", "-o", &path];
        let value = sandbox.kubectl(words);
        if !value.is_empty() {
            found.insert(kind.to_owned(), value);
        }
    }
    found
}

/// Releases as Helm lists them, all deployed.
fn releases(sandbox: &Sandbox) -> Vec<String> {
    let text = sandbox.helm(["ls", "-A", "-o", "json"]);
    let listed: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let mut names = Vec::new();
    for release in listed {
        assert_eq!(release["status"], "deployed", "{text}");
        names.push(release["name"].as_str().unwrap().to_owned());
    }
    names.sort();
    names
}

/// How runs that were cut short ended, counted.
#[derive(Debug, Default)]
struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    fn note(&mut self, run: &Run) {
        let what = match run.code {
            None if run.stderr.is_empty() && run.stdout.is_empty() => {
                "killed before it said a word"
            }
            None => "killed at work",
            Some(0) => "had ended by then",
            Some(_) => "had failed by then",
        };
        *self.0.entry(what).or_default() += 1;
    }

    /// What a destroy that was cut short left.
    fn left(&mut self, sandbox: &Sandbox) {
        let releases = sandbox.helm(["ls", "-A", "--short"]);
        let memory = ["get", "cm,lease", "-n", "kube-system", "-o", "name"];
        let what = match releases.lines().count() {
            0 if sandbox.kubectl(memory).contains("datamill-kit") => {
                "no release, but memory or lock"
            }
            0 => "nothing to do any more",
            1 => "one release of two",
            _ => "both releases",
        };
        *self.0.entry(what).or_default() += 1;
    }
}

#[test]
#[ignore = "takes long: just endurance"]
fn an_apply_killed_at_many_random_moments_always_converges() {
    let sandbox = project();
    let mut dice = Dice::new();
    let mut tally = Tally::default();
    let apply = ["-l", "-i", "-f", FLAVOUR];
    want(&sandbox, "store page", 0);
    let from_nothing = took(&sandbox, &apply);
    want(&sandbox, "store page", 1);
    let change = took(&sandbox, &apply);
    eprintln!("an apply takes {from_nothing:?} from nothing and {change:?} with a change");
    for kill in 0..given("DATAMILL_TEST_KILLS", 50) {
        let anew = kill % 10 == 9;
        if anew {
            succeeds(&sandbox.datamill(["destroy", "-l", "-f", FLAVOUR]));
        }
        let before = if anew { BTreeMap::new() } else { precious(&sandbox) };
        // Each instance may come, go or change.
        let names = ["store page", "store page", "store"][usize::try_from(dice.below(3)).unwrap()];
        want(&sandbox, names, kill + 2);
        let whole = if anew { from_nothing } else { change };
        let after = Duration::from_millis(dice.below(u64::try_from(whole.as_millis()).unwrap()));
        let words = ["apply", "-l", "-f", FLAVOUR, "--yes"];
        tally.note(&killed(&sandbox, &words, after));
        succeeds(&sandbox.datamill(words));
        ends_with(&sandbox.datamill(apply), 0, &["nothing to do"]);
        let mut expected: Vec<_> = names.split(' ').map(str::to_owned).collect();
        expected.sort();
        assert_eq!(releases(&sandbox), expected, "kill {kill} after {after:?}");
        let now = precious(&sandbox);
        assert_eq!(now.len(), 2, "{now:?}");
        for (kind, value) in &before {
            assert_eq!(now.get(kind), Some(value), "{kind} at kill {kill} after {after:?}");
        }
    }
    eprintln!("{:?}", tally.0);
    destroy(&sandbox);
}

#[test]
#[ignore = "takes long: just endurance"]
fn a_destroy_killed_at_many_random_moments_always_converges_and_keeps_data() {
    let sandbox = project();
    let context = host(&sandbox);
    let mut dice = Dice::new();
    let mut tally = Tally::default();
    let text = "project: {name: kit, k8s_namespace: kit, flavour: 'store page'}\nhybrid: {}\n";
    sandbox.write(FLAVOUR, text);
    let on = |first: &[&str]| -> Vec<String> {
        let target = ["-k", "--context", &context, "-f", FLAVOUR];
        first.iter().copied().chain(target).map(str::to_owned).collect()
    };
    let (install, destroy) = (on(&["-i"]), on(&["-x", "--yes", "--confirm-project", "kit"]));
    let install: Vec<&str> = install.iter().map(String::as_str).collect();
    let destroy: Vec<&str> = destroy.iter().map(String::as_str).collect();
    succeeds(&sandbox.datamill(install.iter().copied()));
    let whole = took(&sandbox, &destroy);
    eprintln!("a destroy takes {whole:?}");
    for kill in 0..given("DATAMILL_TEST_KILLS", 50) {
        succeeds(&sandbox.datamill(install.iter().copied()));
        let before = precious(&sandbox);
        assert_eq!(before.len(), 2, "{before:?}");
        let after = Duration::from_millis(dice.below(u64::try_from(whole.as_millis()).unwrap()));
        drop(killed(&sandbox, &destroy, after));
        tally.left(&sandbox);
        succeeds(&sandbox.datamill(destroy.iter().copied()));
        assert_eq!(releases(&sandbox), Vec::<String>::new(), "kill {kill} after {after:?}");
        let kept = precious(&sandbox);
        for (kind, value) in &kept {
            assert_eq!(before.get(kind), Some(value), "{kind} at kill {kill} after {after:?}");
        }
        assert!(kept.contains_key("pvc"), "the volume stays: {kept:?}");
        ends_with(&sandbox.datamill(destroy.iter().copied()), 0, &["0 steps"]);
    }
    eprintln!("{:?}", tally.0);
    end_host(&sandbox);
}
