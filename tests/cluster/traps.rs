//! What charts and definitions do to people who upgrade: said in the plan, refused until it is allowed, and never at the cost of
//! data.

use super::kit::*;
use super::*;

const PASSWORD: &str = "apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-auth}
data:
  password: {{ .Values.auth.password | default (randAlphaNum 12) | b64enc | quote }}
";
const AUTHORITY: &str = "{{- $ca := genCA \"kit\" 10 }}
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-ca}
data: {tls.crt: {{ $ca.Cert | b64enc | quote }}}
";
const LOOKING: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-seen}
data: {seen: {{ len (lookup \"v1\" \"ConfigMap\" .Release.Namespace \"\") | quote }}}
";

fn uid(sandbox: &Sandbox, kind: &str, name: &str) -> String {
    sandbox.kubectl(["get", kind, name, "-n", "kit", "-o", "jsonpath={.metadata.uid}"])
}

fn password(sandbox: &Sandbox) -> String {
    let words = ["get", "secret", "thing-auth", "-n", "kit", "-o", "jsonpath={.data.password}"];
    sandbox.kubectl(words)
}

#[test]
fn what_a_chart_draws_at_random_is_named_with_the_key_that_holds_it_still() {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", &helm_step("{}"));
    let values = "text: hello\nauth: {password: \"\", existingSecret: \"\"}\n";
    chart(&sandbox, "thing", values, &[MAP, PASSWORD, AUTHORITY, LOOKING]);
    flavour(&sandbox, "thing", "");
    let named = [
        "Secret thing-auth: /data/password is drawn anew by each upgrade; hold it still with the values key `auth.password`",
        "Secret thing-ca: /data/tls.crt is drawn anew by each upgrade; see templates/2.yaml",
    ];
    // Before there is a cluster, and again from what is remembered of the rendering.
    for _ in 0..2 {
        let plan = on(&sandbox, &["plan"]);
        ends_with(&plan, 0, &named);
        ends_with(&plan, 0, &["looks into the cluster (lookup), which is not there yet"]);
    }
    succeeds(&on(&sandbox, &["-i"]));
    let first = password(&sandbox);
    for _ in 0..2 {
        ends_with(&on(&sandbox, &["plan"]), 0, &["nothing to do"]);
        ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    }
    assert_eq!(password(&sandbox), first, "a plan without changes draws nothing anew");

    // An upgrade would draw it anew, and says so; with the key set it is what the file says.
    flavour(&sandbox, "thing", "thing: {values: {text: changed}}\n");
    ends_with(&on(&sandbox, &["plan"]), 0, &named);
    let pinned = "thing: {values: {text: changed, auth: {password: held}}}\n";
    flavour(&sandbox, "thing", pinned);
    let plan = on(&sandbox, &["plan"]);
    ends_with(&plan, 0, &named[1..]);
    assert!(!plan.stdout.contains("/data/password is drawn"), "{}", plan.stdout);
    succeeds(&on(&sandbox, &["-i"]));
    assert_eq!(password(&sandbox), data_encoding::BASE64.encode(b"held"));
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    destroy(&sandbox);
}

/// A definition with a version whose spec has these fields.
fn definition(scope: &str, versions: &[(&str, &str)]) -> String {
    let version = |(at, (name, fields)): (usize, &(&str, &str))| {
        format!(
            "    - name: {name}\n      served: true\n      storage: {}\n      schema:\n        openAPIV3Schema:\n          type: object\n          properties: {{spec: {{type: object, properties: {{{fields}}}}}}}\n",
            at == 0
        )
    };
    let versions: String = versions.iter().enumerate().map(version).collect();
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: widgets.example.org}}\nspec:\n  group: example.org\n  scope: {scope}\n  names: {{kind: Widget, plural: widgets, singular: widget}}\n  versions:\n{versions}"
    )
}

const FIELDS: &str = "size: {type: integer}, colour: {type: string}";
const ALLOWED: &str = "CustomResourceDefinition/widgets.example.org";

#[test]
fn a_definition_never_loses_what_its_objects_use_unasked() {
    let sandbox = Sandbox::with_tools();
    let steps = "steps:\n  - id: definitions\n    kind: crds\n    from: {files: [crd.yaml]}\n";
    component(&sandbox, "thing", steps);
    flavour(&sandbox, "thing", "");
    let define = |text: String| drop(sandbox.write("components/thing/crd.yaml", &text));
    define(definition("Namespaced", &[("v1", FIELDS)]));
    succeeds(&on(&sandbox, &["-i"]));
    let widget = r#"{"apiVersion":"example.org/v1","kind":"Widget","metadata":{"name":"mine","namespace":"default"},"spec":{"size":7}}"#;
    let file = sandbox.write("widget.json", widget);
    sandbox.kubectl(["apply", "-f", file.to_str().unwrap()]);
    let size = || sandbox.kubectl(["get", "widget", "mine", "-o", "jsonpath={.spec.size}"]);

    // A field that goes, and one that becomes another.
    define(definition("Namespaced", &[("v1", "colour: {type: integer}")]));
    let refused = ["field `spec.size` of v1 is gone", "from string to integer", "--allow", ALLOWED];
    ends_with(&on(&sandbox, &["plan"]), 9, &refused);
    ends_with(&on(&sandbox, &["-i"]), 9, &refused);
    assert_eq!(size(), "7");
    // What the server itself refuses: another scope, and a version in which objects are stored.
    define(definition("Cluster", &[("v1", FIELDS)]));
    ends_with(&on(&sandbox, &["-i", "--allow", ALLOWED]), 8, &["scope", "save its objects"]);
    define(definition("Namespaced", &[("v2", FIELDS)]));
    ends_with(
        &on(&sandbox, &["-i", "--allow", ALLOWED]),
        8,
        &["storedVersions", "write them anew"],
    );
    assert_eq!(size(), "7");
    // A version more is no loss, and one less is one.
    define(definition("Namespaced", &[("v1", FIELDS), ("v2", FIELDS)]));
    succeeds(&on(&sandbox, &["-i"]));
    define(definition("Namespaced", &[("v1", FIELDS)]));
    ends_with(&on(&sandbox, &["-i"]), 9, &["version v2 is gone"]);
    ends_with(&on(&sandbox, &["-i", "--allow", "Deployment/other"]), 9, &["version v2 is gone"]);
    succeeds(&on(&sandbox, &["-i", "--allow", ALLOWED]));
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    assert_eq!(size(), "7");
    sandbox.kubectl(["delete", "widget", "mine"]);
    destroy(&sandbox);
}

#[test]
fn the_definitions_of_a_chart_are_upgraded_with_the_same_care() {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", &helm_step("{}"));
    chart(&sandbox, "thing", "text: hello\n", &[MAP]);
    let define = |text: &str| drop(sandbox.write("components/thing/chart/crds/crd.yaml", text));
    define(&definition("Namespaced", &[("v1", "size: {type: integer}")]));
    flavour(&sandbox, "thing", "");
    succeeds(&on(&sandbox, &["-i"]));
    // Helm itself never upgrades what lies in `crds/`.
    define(&definition("Namespaced", &[("v1", FIELDS)]));
    succeeds(&on(&sandbox, &["-i"]));
    let schema = sandbox.kubectl(["get", "crd", "widgets.example.org", "-o", "json"]);
    assert!(schema.contains("colour"), "{schema}");
    define(&definition("Namespaced", &[("v1", "size: {type: integer}")]));
    ends_with(&on(&sandbox, &["-i"]), 9, &["field `spec.colour` of v1 is gone", ALLOWED]);
    succeeds(&on(&sandbox, &["-i", "--allow", ALLOWED]));
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    // What somebody added by hand may be in use: it stays, and stops nothing else.
    let more = r#"[{"op":"add","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/more","value":{"type":"string"}}]"#;
    sandbox.kubectl(["patch", "crd", "widgets.example.org", "--type=json", "-p", more]);
    let left = "left as somebody made it, since it would lose";
    ends_with(&on(&sandbox, &["plan"]), 0, &[left, "field `spec.more` of v1 is gone"]);
    succeeds(&on(&sandbox, &["-i"]));
    let schema = || sandbox.kubectl(["get", "crd", "widgets.example.org", "-o", "json"]);
    assert!(schema().contains("\"more\""));
    succeeds(&on(&sandbox, &["-i", "--allow", ALLOWED]));
    assert!(!schema().contains("\"more\""));
    destroy(&sandbox);
}

const WORKLOADS: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: server}
spec:
  selector: {matchLabels: {app: {{ .Values.app }}}}
  template:
    metadata: {labels: {app: {{ .Values.app }}}}
    spec: {containers: [{name: a, image: a}]}
";
const STATEFUL: &str = "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec: {containers: [{name: a, image: a, volumeMounts: [{name: data, mountPath: /data}]}]}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: {{ .Values.size }}}}}
";
const OTHERS: &str = "apiVersion: v1
kind: Service
metadata: {name: door}
spec: {clusterIP: {{ .Values.address | quote }}, ports: [{port: 80}], selector: {app: store}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: kit-fast}
provisioner: example.org/none
parameters: {type: {{ .Values.type | quote }}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: a, image: {{ .Values.image }}}]}
";
const VOLUME: &str = "apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: files}
spec: {accessModes: [{{ .Values.access }}], resources: {requests: {storage: 1Gi}}}
";

#[test]
fn what_cannot_change_in_place_is_made_anew_alone_and_only_when_it_is_named() {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", &helm_step("{}"));
    let values = "text: hello\napp: one\nsize: 1Gi\naddress: \"\"\ntype: a\nimage: a\naccess: ReadWriteOnce\n";
    chart(&sandbox, "thing", values, &[MAP, WORKLOADS, STATEFUL, OTHERS, VOLUME]);
    flavour(&sandbox, "thing", "");
    succeeds(&on(&sandbox, &["-i"]));
    let set =
        |values: &str| flavour(&sandbox, "thing", &format!("thing: {{values: {{{values}}}}}\n"));
    let claim = uid(&sandbox, "pvc", "data-store-0");
    let before = |kind: &str, name: &str| (uid(&sandbox, kind, name), uid(&sandbox, "cm", "thing"));

    let mut values = String::new();
    for (change, kind, name) in [
        ("app: two", "Deployment", "server"),
        ("size: 2Gi", "StatefulSet", "store"),
        ("address: None", "Service", "door"),
        ("type: b", "StorageClass", "kit-fast"),
        ("image: b", "Job", "once"),
    ] {
        let (old, map) = before(kind, name);
        values = if values.is_empty() { change.to_owned() } else { format!("{values}, {change}") };
        set(&values);
        let allowed = format!("{kind}/{name}");
        let refused = ["cannot change in place", name, "--allow", &allowed];
        ends_with(&on(&sandbox, &["plan"]), 9, &refused);
        ends_with(&on(&sandbox, &["-i"]), 9, &refused);
        assert_eq!(before(kind, name), (old.clone(), map.clone()), "nothing was changed");
        ends_with(&on(&sandbox, &["plan", "--allow", &allowed]), 0, &["made anew", name]);
        succeeds(&on(&sandbox, &["-i", "--allow", &allowed]));
        let (new, same) = before(kind, name);
        assert_ne!(new, old, "{kind} is another one");
        assert_eq!(same, map, "what need not go stays");
        ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    }
    assert_eq!(uid(&sandbox, "pvc", "data-store-0"), claim, "volumes stay");
    // Data is never made anew.
    let files = uid(&sandbox, "pvc", "files");
    set(&format!("{values}, access: ReadWriteMany"));
    let allow = ["-i", "--allow", "PersistentVolumeClaim/files"];
    ends_with(&on(&sandbox, &allow), 8, &["files", "cannot be changed in place"]);
    assert_eq!(uid(&sandbox, "pvc", "files"), files);
    destroy(&sandbox);
}

#[test]
fn what_a_chart_keeps_is_listed_stays_and_is_taken_in_again() {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", &helm_step("{}"));
    let kept = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: kept\n  annotations: {helm.sh/resource-policy: keep}\ndata: {a: {{ .Values.text | quote }}}\n";
    chart(&sandbox, "thing", "text: hello\n", &[MAP, kept]);
    flavour(&sandbox, "thing", "");
    succeeds(&on(&sandbox, &["-i"]));
    let first = uid(&sandbox, "cm", "kept");
    ends_with(&on(&sandbox, &["plan", "--uninstall"]), 0, &["ConfigMap kit/kept is kept"]);
    succeeds(&on(&sandbox, &["-u", "--yes"]));
    assert_eq!(uid(&sandbox, "cm", "kept"), first);
    assert_eq!(sandbox.helm(["ls", "-A", "--short"]).trim(), "");
    ends_with(&on(&sandbox, &["-u", "--yes"]), 0, &["nothing to do"]);
    // The next installation takes it in, and a change reaches it.
    flavour(&sandbox, "thing", "thing: {values: {text: again}}\n");
    succeeds(&on(&sandbox, &["-i"]));
    assert_eq!(uid(&sandbox, "cm", "kept"), first);
    assert_eq!(
        sandbox.kubectl(["get", "cm", "kept", "-n", "kit", "-o", "jsonpath={.data.a}"]),
        "again"
    );
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    destroy(&sandbox);
}

#[test]
fn a_release_that_is_wanted_elsewhere_gets_no_double() {
    let sandbox = Sandbox::with_tools();
    let claim =
        "claims:\n  - {id: data, kind: volume, name: kept, size: 1Gi, accessMode: ReadWriteOnce}\n";
    let secret = |keys: &str| {
        format!("secrets:\n  - {{id: auth, name: thing-auth, keep: true, keys: {{{keys}}}}}\n")
    };
    let password = "password: {generate: alnum, length: 24}";
    let plain = "  - {id: plain, name: thing-plain, keys: {token: {generate: alnum, length: 8}}}\n";
    component(&sandbox, "thing", &(helm_step("{}") + claim + &secret(password) + plain));
    chart(&sandbox, "thing", "text: hello\n", &[MAP]);
    flavour(&sandbox, "thing", "");
    succeeds(&on(&sandbox, &["-i"]));
    let text = std::fs::read_to_string(sandbox.project().join(FLAVOUR)).unwrap();
    sandbox.write(FLAVOUR, &text.replace("k8s_namespace: kit", "k8s_namespace: other"));
    let refused = [
        "it is installed as release `thing` in namespace `kit`",
        "write `release: thing` and `namespace: kit`",
        "--allow Release/thing",
    ];
    ends_with(&on(&sandbox, &["plan"]), 9, &refused);
    ends_with(&on(&sandbox, &["-i"]), 9, &refused);
    let listed = || -> Vec<String> {
        let json: serde_json::Value =
            serde_json::from_str(&sandbox.helm(["ls", "-A", "-o", "json"])).unwrap();
        let place = |release: &serde_json::Value| {
            format!(
                "{}/{}",
                release["namespace"].as_str().unwrap(),
                release["name"].as_str().unwrap()
            )
        };
        json.as_array().unwrap().iter().map(place).collect()
    };
    assert_eq!(listed(), ["kit/thing"]);
    succeeds(&on(&sandbox, &["apply", "--yes", "--allow", "Release/thing"]));
    assert_eq!(listed(), ["other/thing"]);
    assert_eq!(list(&sandbox, "persistentvolumeclaims", "kit").len(), 1);
    // What nothing is kept for went in the same run.
    let secrets = list(&sandbox, "secrets", "kit");
    assert_eq!(secrets.len(), 1, "{secrets:?}");
    assert_eq!(secrets[0]["metadata"]["name"], "thing-auth");
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    // The password of the volume that stayed behind stays with it, also when the Secret of that name is written again.
    let user = format!("{password}, user: {{generate: alnum, length: 8}}");
    component(&sandbox, "thing", &(helm_step("{}") + claim + &secret(&user) + plain));
    succeeds(&on(&sandbox, &["-i"]));
    for namespace in ["kit", "other"] {
        sandbox.kubectl(["get", "secret", "thing-auth", "-n", namespace]);
    }
    destroy(&sandbox);
}
