//! No secret in anything that datamill says, writes or starts (`peers.md` D.13 g): canaries in every place that a secret may come
//! from, then a search through every form of output, every error, plan files, journals, caches, the memory in the cluster, and
//! the arguments of every program that is run.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use data_encoding::BASE64;

use super::kit::*;
use super::*;
use crate::support::sandbox::finish;

const ENV: &str = "canary1-from-the-environment";
const FILE: &str = "canary2-from-a-file";
const CLUSTER: &str = "canary3-from-the-cluster";
const INLINE: &str = "canary4-plain-in-the-flavour";
const VALUES: &str = "canary5-in-helm-values";

const COMPONENT: &str = "params:
  env: {type: string, secret: true, required: true}
  file: {type: string, secret: true, required: true}
  cluster: {type: string, secret: true, required: true}
  inline: {type: string, secret: true, required: true}
secrets:
  - id: auth
    name: thing-auth
    keys:
      env: {param: env}
      file: {param: file}
      inline: {param: inline}
      cluster: {param: cluster}
      drawn: {generate: alnum, length: 24}
steps:
  - id: chart
    kind: helm
    release: \"${self.release}\"
    chart: {path: chart}
    exposesSecret: the chart of this test wants it so
    values:
      env: \"${secret.auth.env.value}\"
      file: \"${secret.auth.file.value}\"
      drawn: \"${secret.auth.drawn.value}\"
      cluster: \"${secret.auth.cluster.value}\"
  - id: objects
    kind: objects
    objects:
      - apiVersion: v1
        kind: Secret
        metadata: {name: thing-objects}
        stringData: {inline: \"${secret.auth.inline.value}\"}
";
const TEMPLATE: &str = "apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-chart}
stringData:
  all: {{ printf \"%s %s %s %s %s\" .Values.env .Values.file .Values.drawn .Values.cluster .Values.password | quote }}
data: {coded: {{ .Values.env | b64enc | quote }}}
";

fn project() -> Sandbox {
    let mut sandbox = Sandbox::with_tools();
    sandbox.set("TOKEN", ENV);
    sandbox.set("DATAMILL_LOG", "trace");
    component(&sandbox, "thing", COMPONENT);
    chart(
        &sandbox,
        "thing",
        "env: ''\nfile: ''\ndrawn: ''\ncluster: ''\npassword: ''\nbad: ''\n",
        &[TEMPLATE],
    );
    sandbox.write("flavours/token.txt", &format!("{FILE}\n"));
    let section = format!(
        "thing:\n  env: {{env: TOKEN}}\n  file: {{file: token.txt}}\n  cluster: {{secret: default/given, key: k}}\n  inline: {INLINE}\n  values: {{password: {VALUES}}}\n"
    );
    flavour(&sandbox, "thing", &section);
    sandbox
}

/// A secret as it may stand in a text: plain, and in base64 wherever in a longer text it stood.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    for before in ["", "x", "xy"] {
        let coded = BASE64.encode(format!("{before}{secret}").as_bytes());
        // What depends on the neighbours is left out at both ends.
        let start = if before.is_empty() { 0 } else { 4 };
        forms.push(coded[start..coded.len() - 4].to_owned());
    }
    forms
}

/// All that was said and written, by where.
#[derive(Default)]
struct Heard(BTreeMap<String, String>);

impl Heard {
    fn add(&mut self, place: &str, text: impl Into<String>) {
        self.0.entry(place.to_owned()).or_default().push_str(&text.into());
    }

    fn run(&mut self, sandbox: &Sandbox, words: &[&str]) -> Run {
        let run = on(sandbox, words);
        self.add(&words.join(" "), format!("{}\n{}\n", run.stdout, run.stderr));
        run
    }

    /// The same, with the arguments of every program that runs meanwhile.
    fn watched(&mut self, sandbox: &Sandbox, words: &[&str]) -> Run {
        let place = ["-l", "-f", FLAVOUR];
        let mut child = sandbox.start(words.iter().copied().chain(place));
        let mut lines = std::collections::BTreeSet::new();
        while child.try_wait().unwrap().is_none() {
            lines.extend(sandbox.processes());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let helm = lines.iter().any(|line| line.contains("helm") && line.contains("upgrade"));
        assert!(helm || words.contains(&"destroy"), "helm was seen: {lines:?}");
        self.add("arguments of programs", lines.into_iter().collect::<Vec<_>>().join("\n"));
        let run = finish(child);
        self.add(&words.join(" "), format!("{}\n{}\n", run.stdout, run.stderr));
        run
    }

    /// Files below a folder, packed ones opened; the cluster's own database holds its Secrets, as it should.
    fn files(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().unwrap().is_dir() {
                if !name.contains("etcd") {
                    self.files(&path);
                }
            } else if let Ok(bytes) = std::fs::read(&path) {
                self.add(&path.display().to_string(), opened(&bytes));
            }
        }
    }

    /// What datamill and the API server keep for everybody to read: maps, events, the memory of what was applied.
    fn cluster(&mut self, sandbox: &Sandbox) {
        for (kind, name) in [("configmaps", ""), ("events", ""), ("secrets", "datamill")] {
            let text = sandbox.kubectl(["get", kind, "-A", "-o", "json"]);
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            for object in json["items"].as_array().unwrap() {
                let place = format!("{kind} {}", object["metadata"]["name"].as_str().unwrap());
                if !place.contains(name) {
                    continue;
                }
                self.add(&place, object.to_string());
                for key in ["data", "binaryData"] {
                    let packed = object[key].as_object().into_iter().flatten();
                    for text in packed.filter_map(|(_, value)| value.as_str()) {
                        let bytes = BASE64.decode(text.as_bytes()).unwrap_or_default();
                        self.add(&place, opened(&bytes));
                    }
                }
            }
        }
    }

    fn holds_none(&self, secrets: &[String]) {
        for (place, text) in &self.0 {
            for secret in secrets {
                let found = forms(secret).into_iter().find(|form| text.contains(form.as_str()));
                let around = found.as_ref().and_then(|form| {
                    let at = text.find(form.as_str())?;
                    let start = text.floor_char_boundary(at.saturating_sub(200));
                    text.get(start..)?.get(..400)
                });
                assert!(found.is_none(), "{secret} stands in {place}: {around:?}");
            }
        }
    }
}

/// Bytes as text, gzip opened.
fn opened(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut text).ok();
    } else {
        text.extend_from_slice(bytes);
    }
    String::from_utf8_lossy(&text).into_owned() + "\n"
}

/// Expects that the canaries are where they were meant to be; the value that was drawn.
fn arrived(sandbox: &Sandbox) -> String {
    let drawn = sandbox.kubectl([
        "get",
        "secret",
        "thing-auth",
        "-n",
        "kit",
        "-o",
        "jsonpath={.data.drawn}",
    ]);
    let drawn = String::from_utf8(BASE64.decode(drawn.as_bytes()).unwrap()).unwrap();
    assert_eq!(drawn.len(), 24);
    let all = sandbox.kubectl([
        "get",
        "secret",
        "thing-chart",
        "-n",
        "kit",
        "-o",
        "jsonpath={.data.all}",
    ]);
    let all = String::from_utf8(BASE64.decode(all.as_bytes()).unwrap()).unwrap();
    assert_eq!(all, format!("{ENV} {FILE} {drawn} {CLUSTER} {VALUES}"), "the canaries arrive");
    drawn
}

/// Marks that change hands, and what goes.
fn marked_and_gone(heard: &mut Heard, sandbox: &Sandbox) {
    succeeds(&heard.run(sandbox, &["-i"]));
    for words in [
        &["protect", "on", "thing/release/chart", "--yes"][..],
        &["protect", "off", "thing/release/chart", "--yes"],
        &["orphan", "thing", "--yes"],
        &["adopt", "thing", "--yes"],
        &["-i"],
    ] {
        succeeds(&heard.run(sandbox, words));
    }
    heard.cluster(sandbox);
    succeeds(&heard.run(sandbox, &["plan", "--uninstall", "--out", "c.plan"]));
    succeeds(&heard.run(sandbox, &["uninstall", "--yes"]));
    heard.cluster(sandbox);
}

#[test]
fn no_secret_is_said_written_or_passed_on() {
    let sandbox = project();
    let mut heard = Heard::default();
    let flavour_file = std::fs::read_to_string(sandbox.project().join(FLAVOUR)).unwrap();
    // Before there is a cluster: only what the cluster itself must give is missing.
    succeeds(&heard.run(&sandbox, &["-s"]));
    let given = format!("--from-literal=k={CLUSTER}");
    sandbox.kubectl(["create", "secret", "generic", "given", "-n", "default", &given]);
    for output in ["text", "json", "yaml", "markdown", "svg"] {
        succeeds(&heard.run(&sandbox, &["plan", "--output", output]));
    }
    succeeds(&heard.run(&sandbox, &["validate", "--output", "json"]));
    succeeds(&heard.run(&sandbox, &["plan", "--out", "a.plan"]));
    succeeds(&heard.watched(&sandbox, &["-i"]));
    let drawn = arrived(&sandbox);

    // Drift on what holds them, and what would be accepted.
    let patch = r#"{"stringData":{"all":"theirs","more":"x"}}"#;
    sandbox.kubectl(["patch", "secret", "thing-chart", "-n", "kit", "--type=merge", "-p", patch]);
    let patch = r#"{"stringData":{"inline":"theirs"}}"#;
    sandbox.kubectl(["patch", "secret", "thing-objects", "-n", "kit", "--type=merge", "-p", patch]);
    for output in ["text", "json", "yaml", "markdown", "svg"] {
        succeeds(&heard.run(&sandbox, &["plan", "--output", output]));
        succeeds(&heard.run(&sandbox, &["plan", "--destroy", "--output", output]));
    }
    let drift = heard.run(&sandbox, &["plan", "--refresh-only"]);
    assert_eq!(drift.code, Some(3), "{drift:?}");
    drop(heard.run(&sandbox, &["plan", "--refresh-only", "--accept"]));
    for output in ["text", "json", "yaml"] {
        succeeds(&heard.run(&sandbox, &["status", "--output", output]));
    }
    succeeds(&heard.run(&sandbox, &["plan", "--out", "b.plan"]));
    succeeds(&heard.run(&sandbox, &["apply", "b.plan"]));

    // Charts that say what they were given: one that does not render, one that the server refuses, one that Helm fails at.
    let bad = [
        "{{ if .Values.env }}{{ fail (printf \"I do not like %s and %s\" .Values.env .Values.drawn) }}{{ end }}",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"BAD {{ .Values.env }} {{ .Values.file }}\"}\n",
        "apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 1, name: \"BAD {{ .Values.drawn }}\"}]}\n",
        "apiVersion: {{ .Values.env }}/v1\nkind: Nothing\nmetadata: {name: bad}\n",
        "a: b: {{ .Values.file }}\n",
    ];
    for template in bad {
        sandbox.write("components/thing/chart/templates/bad.yaml", template);
        drop(heard.run(&sandbox, &["plan"]));
        let run = heard.run(&sandbox, &["-i"]);
        assert_ne!(run.code, Some(0), "{template}: {run:?}");
        let run = heard.run(&sandbox, &["apply", "--yes", "--output", "json"]);
        assert_ne!(run.code, Some(0), "{template}: {run:?}");
    }
    std::fs::remove_file(sandbox.project().join("components/thing/chart/templates/bad.yaml"))
        .unwrap();

    marked_and_gone(&mut heard, &sandbox);
    heard.files(&sandbox.home());
    // The files in which the user wrote them are the user's.
    std::fs::remove_file(sandbox.project().join(FLAVOUR)).unwrap();
    std::fs::remove_file(sandbox.project().join("flavours/token.txt")).unwrap();
    heard.files(&sandbox.project());
    sandbox.write(FLAVOUR, &flavour_file);
    sandbox.write("flavours/token.txt", FILE);
    succeeds(&heard.watched(&sandbox, &["destroy"]));

    let secrets: Vec<String> =
        [ENV, FILE, CLUSTER, INLINE].map(str::to_owned).into_iter().chain([drawn]).collect();
    heard.holds_none(&secrets);
    // What is given as an ordinary value is masked where it ends up in a Secret; renderings kept in the cache are private.
    heard.0.retain(|place, _| !place.contains("/.cache/"));
    heard.holds_none(&[VALUES.to_owned()]);
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}

const BY_VALUE: &str = "params:
  tok: {type: string, secret: true, required: true}
secrets:
  - id: t
    name: thing-t
    keys: {tok: {param: tok}}
steps:
  - id: chart
    kind: helm
    release: \"${self.release}\"
    chart: {path: chart}
    exposesSecret: the chart of this test wants it so
    values: {v: \"${secret.t.tok.value}\"}
  - id: objects
    kind: objects
    objects:
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: thing-objects}, data: {v: \"${secret.t.tok.value}\"}}
";

#[test]
fn a_secret_that_changes_is_shown_neither_as_it_was_nor_as_it_will_be() {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", BY_VALUE);
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: thing-chart}\ndata: {v: {{ .Values.v | quote }}}\n";
    chart(&sandbox, "thing", "v: ''\n", &[template]);
    let (old, new) = ("rotA77777\nsecondA777", "rotB88888\nsecondB888");
    sandbox.write("flavours/tok", old);
    flavour(&sandbox, "thing", "thing:\n  tok: {file: tok}\n");
    succeeds(&on(&sandbox, &["-i"]));
    sandbox.write("flavours/tok", new);
    let mut heard = Heard::default();
    let first = heard.run(&sandbox, &["plan"]);
    let told = first.stdout.contains("holds the old value until the next");
    assert!(told, "{first:?}");
    succeeds(&heard.run(&sandbox, &["-i"]));
    for output in ["text", "json", "markdown"] {
        let run = heard.run(&sandbox, &["plan", "--output", output]);
        assert!(run.stdout.contains("thing-chart") && run.stdout.contains("secret"), "{run:?}");
    }
    succeeds(&heard.run(&sandbox, &["-i"]));
    for name in ["thing-chart", "thing-objects"] {
        let path = "jsonpath={.data.v}";
        assert_eq!(sandbox.kubectl(["get", "cm", name, "-n", "kit", "-o", path]), new);
    }
    let bad = "{{ fail (printf \"bad %s\" .Values.v) }}";
    sandbox.write("components/thing/chart/templates/bad.yaml", bad);
    let run = heard.run(&sandbox, &["plan"]);
    assert_ne!(run.code, Some(0), "{run:?}");
    std::fs::remove_file(sandbox.project().join("components/thing/chart/templates/bad.yaml"))
        .unwrap();
    let parts = ["rotA77777", "secondA777", "rotB88888", "secondB888"].map(str::to_owned);
    heard.holds_none(&parts);
    destroy(&sandbox);
}
