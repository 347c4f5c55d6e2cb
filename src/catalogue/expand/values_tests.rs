//! Substitution, helpers and layers of values, as tables.

use serde_json::json;

use crate::catalogue::fixture::{
    MINIO, MLFLOW, chart, component, errors, expanded, messages, platform, release, resource,
    values, values_of, well,
};

const PARAMS: &str = "params:
  n: {type: int, default: 3}
  text: {type: string, default: t}
  none: {type: string, default: null}
  users: {type: list, default: [ada, bob]}
  images:
    type: map
    default:
      py: {image: scipy, title: Python}
      sp: {image: spark}";

#[test]
fn a_path_gives_what_stands_there() {
    let table = [
        ("\"${param.n}\"", json!(3)),
        ("\"n=${param.n}\"", json!("n=3")),
        ("\"${param.users}\"", json!(["ada", "bob"])),
        ("\"${param.images.py.title}\"", json!("Python")),
        ("\"$${param.n}\"", json!("${param.n}")),
        ("\"${project.name}/${project.namespace}\"", json!("demo/data-mill")),
        ("\"${cluster.simulated}\"", json!(true)),
        (
            "\"${cluster.provider}-${cluster.location}-${cluster.version}\"",
            json!("kwok-local-1.35.4"),
        ),
        (
            "\"${self.release} ${self.namespace} ${self.name} ${self.instance}\"",
            json!("x data-mill x x"),
        ),
        ("[\"${param.none}\", a]", json!(["a"])),
        ("{a: null, b: \"${param.none}\", c: \"${project.domain?}\"}", json!({"a": null})),
        ("{\"k-${param.text}\": 1, $$ref: 2}", json!({"k-t": 1, "$ref": 2})),
    ];
    for (written, wanted) in table {
        assert_eq!(values_of(PARAMS, "{}", &format!("{{v: {written}}}"))["v"], wanted, "{written}");
    }
}

#[test]
fn helpers_repeat_choose_and_merge() {
    let table = [
        (
            "{$forEach: \"${param.users}\", $item: \"${item.index}-${item}\"}",
            json!(["0-ada", "1-bob"]),
        ),
        (
            "{$forEach: \"${param.images}\", $item: {name: \"${item.key}\", image: \"${item.image}\"}}",
            json!([{"name": "py", "image": "scipy"}, {"name": "sp", "image": "spark"}]),
        ),
        (
            "{$forEach: \"${param.users}\", $as: map, $key: \"u-${item}\", $item: {n: \"${item.index}\"}}",
            json!({"u-ada": {"n": 0}, "u-bob": {"n": 1}}),
        ),
        (
            "{$forEach: \"${param.images}\", $as: map, $item: \"${item.image}\"}",
            json!({"py": "scipy", "sp": "spark"}),
        ),
        (
            "[first, {$forEach: \"${param.users}\", $item: \"${item}\"}]",
            json!(["first", "ada", "bob"]),
        ),
        ("[{$when: param.n > 1, $item: a}]", json!(null)),
        ("[{$when: param.n == 3, $item: a}, {$when: param.n == 4, $item: b}]", json!(["a"])),
        ("{a: {x: 1, y: 2}, $merge: {a: {y: 3}}}", json!({"a": {"x": 1, "y": 3}})),
        ("{$merge: [{a: 1}, \"${param.images.sp}\"]}", json!({"a": 1, "image": "spark"})),
    ];
    for (written, wanted) in table {
        if wanted.is_null() {
            let text = chart("x", PARAMS, &format!("{{v: {written}}}"));
            let found = errors(&[&text], &["x"]);
            assert!(found[0].starts_with("`param.n > 1` is no condition"), "{found:?}");
            continue;
        }
        assert_eq!(values_of(PARAMS, "{}", &format!("{{v: {written}}}"))["v"], wanted, "{written}");
    }
}

#[test]
fn a_wrong_path_names_the_place_and_what_could_stand_there() {
    let table = [
        ("\"${parm.n}\"", "`parm.n` begins with no known root | did you mean `param`?"),
        ("\"${param.m}\"", "there is no parameter `m` | did you mean `n`?"),
        ("\"${param.images.py.titel}\"", "`param.images` has no `titel` | did you mean `title`?"),
        ("\"${self.relase}\"", "`self` has no `relase` | did you mean `release`?"),
        (
            "\"${project.domain}\"",
            "`project.domain` is not there: the flavour sets no `project.domain` | `${project.domain?}` leaves the key out then",
        ),
        ("\"${secret.a.name}\"", "there is no secret `a`"),
        ("\"${claim.a.name}\"", "there is no claim `a`"),
        ("\"${use.a.url}\"", "there is no use `a`"),
        ("\"${out.a}\"", "`x` has no output `a`"),
        ("\"${item}\"", "`item` means something inside of `$forEach` only"),
        (
            "\"${env.HOME}\"",
            "`env.HOME` begins with no known root | known here: claim, cluster, item, out, param, project, secret, self, use",
        ),
        ("\"${param.n\"", "`${` is not closed by `}`"),
        (
            "\"a ${param.users}\"",
            "`param.users` is a list or a map, which cannot stand inside of text",
        ),
        ("{$foreach: [], $item: 1}", "there is no helper `$foreach` | did you mean `$forEach`?"),
        ("{$forEach: \"${param.n}\", $item: 1}", "`$forEach` goes over a list or a map"),
        (
            "{$when: param.xyz == 1, a: 1}",
            "there is no parameter `xyz` | known here: images, n, none, text, users",
        ),
    ];
    for (written, message) in table {
        let text = chart("x", PARAMS, &format!("{{v: {written}}}"));
        assert_eq!(errors(&[&text], &["x"]), [message], "{written}");
    }
}

#[test]
fn secrets_travel_by_reference_and_their_values_only_with_a_reason() {
    let head = "secrets: [{id: a, name: n, keys: {user: {value: me}, 'tls.key': {generate: hex}, uri: {template: 'x://${secret.a.user.value}@h'}}}]";
    let by_reference =
        "{n: '${secret.a.name}', k: '${secret.a.user.ref.key}', r: '${secret.a.tls.key.ref}'}";
    let text = chart("x", head, by_reference);
    assert_eq!(
        values(&well(&[&text], &["x"]), "x/release/server"),
        json!({"n": "n", "k": "user", "r": {"name": "n", "key": "tls.key"}})
    );
    let exposed = chart("x", head, "{p: 'pw=${secret.a.user.value}'}");
    assert_eq!(
        errors(&[&exposed], &["x"]),
        [
            "the value of a secret would be written into a Helm release | pass it by reference (`.ref.name`, `.ref.key`), or write `exposesSecret: REASON` at the step"
        ]
    );
    let said =
        exposed.replace("kind: helm", "kind: helm, exposesSecret: the chart takes no reference");
    assert_eq!(values(&well(&[&said], &["x"]), "x/release/server"), json!({"p": "pw=(secret)"}));
    let table = [
        (
            "{p: '${secret.a.user}'}",
            "secret `a` has no `user` | known here: name, namespace, tls.key.ref, tls.key.value, uri.ref, uri.value, user.ref, user.value",
        ),
        (
            "{p: '${secret.a.pass.ref}'}",
            "secret `a` has no key `pass` | known here: tls.key, uri, user",
        ),
        (
            "{p: 'x${secret.a.user.ref}'}",
            "`secret.a.user.ref` is a reference, which cannot stand inside of text | write `${secret.a.user.ref.name}` or `${secret.a.user.ref.key}`",
        ),
    ];
    for (written, message) in table {
        assert_eq!(errors(&[&chart("x", head, written)], &["x"]), [message]);
    }
    let notes = component("x", &format!("{head}\nnotes: 'pw ${{secret.a.user.value}}'"));
    assert!(
        errors(&[&notes], &["x"])[0]
            .starts_with("notes show no secret value | write how to read it: kubectl")
    );
}

#[test]
fn a_secret_parameter_never_stands_in_values() {
    let head = "params: {key: {type: string, secret: true, required: true}}\nsecrets: [{id: a, keys: {k: {param: key}}}]";
    let text = chart("x", head, "{k: '${secret.a.k.ref}'}");
    let expansion = well(&[&text], &["x {key: hunter2}"]);
    assert!(!format!("{expansion:?}").contains("hunter2"));
    assert!(format!("{:?}", resource(&expansion, "x/secret/a")).contains("Param((secret))"));
    let kept = well(&[&text], &["x {key: {secret: vault/keys, key: k}}"]);
    assert!(
        format!("{:?}", resource(&kept, "x/secret/a"))
            .contains("Copy(SecretRef { namespace: \"vault\"")
    );
    assert_eq!(errors(&[&text], &["x"]), ["`x` needs a value for `key`"]);
    let shown = chart("x", head, "{k: '${param.key}'}");
    assert!(
        errors(&[&shown], &["x {key: hunter2}"])[0]
            .starts_with("`key` is a secret: a key of `secrets`")
    );
}

#[test]
fn the_users_values_win_but_where_a_value_is_wired() {
    let lines = [
        "minio",
        "mlflow {file: {replicaCount: 5, extra: '${not.substituted}', artifacts: {endpoint: mine, more: 1}}, values: {replicaCount: 7, gone: null}}",
    ];
    let expansion = well(&[MINIO, MLFLOW], &lines);
    assert_eq!(
        values(&expansion, "mlflow/release/server"),
        json!({
            "replicaCount": 7, "extra": "${not.substituted}", "gone": null,
            "artifacts": {"endpoint": "http://minio.data-mill.svc:9000", "secret": "mlflow-s3", "more": 1}
        })
    );
    let warned = messages(&expansion.warnings);
    assert_eq!(
        warned,
        [
            "`artifacts.endpoint` of `mlflow` is wired by its component, so the value here is not taken | components/mlflow/component.yaml:22 sets it; `bind:` or a parameter changes what it is wired to"
        ]
    );
    assert_eq!(expansion.warnings.sorted()[0].at.as_ref().unwrap().line(), 1);
}

#[test]
fn a_whole_wired_map_or_list_stays_too() {
    let text = chart(
        "x",
        "secrets: [{id: a, name: n, keys: {k: {value: v}}}]",
        "{m: {deep: '${secret.a.name}'}, l: [a, '${secret.a.name}'], free: [a]}",
    );
    let expansion = well(&[&text], &["x {values: {m: null, l: [b], free: [b]}}"]);
    assert_eq!(
        values(&expansion, "x/release/server"),
        json!({"m": {"deep": "n"}, "l": ["a", "n"], "free": ["b"]})
    );
    assert_eq!(expansion.warnings.sorted().len(), 2);
}

#[test]
fn overlays_of_gpu_and_profiles_name_their_step_and_append() {
    let text = component(
        "x",
        "uses: [{as: gpu, capability: s3, optional: true}]
steps:
  - {id: first, kind: helm, chart: {path: a}, release: a, values: {list: [one], n: 1}}
  - {id: last, kind: helm, chart: {path: b}, release: b, values: {n: 1}}
profiles: {big: {values: {last: {n: 2}}}}
gpu:
  when: has(use.gpu)
  values: {first: {list: {$append: [two]}, more: {$append: [x]}}}",
    );
    let expansion = well(&[&text, MINIO], &["x {profiles: [big], values: {user: 1}}", "minio"]);
    assert_eq!(
        values(&expansion, "x/release/first"),
        json!({"list": ["one", "two"], "n": 1, "more": ["x"]})
    );
    assert_eq!(values(&expansion, "x/release/last"), json!({"n": 2, "user": 1}));
    let shared = well(&[&text], &["x {values: {first: {n: 5}, last: {n: 6}}}"]);
    assert_eq!(values(&shared, "x/release/first"), json!({"list": ["one"], "n": 5}));
    assert_eq!(values(&shared, "x/release/last"), json!({"n": 6}));
}

#[test]
fn values_that_are_no_map_and_charts_without_version_are_refused() {
    let text = chart("x", "", "{}");
    assert_eq!(
        errors(&[&text], &["x {values: [a]}"]),
        ["values are a map, and here stands a list"]
    );
    let text = component("x", "steps: [{id: a, kind: helm, chart: {oci: 'oci://r/c'}}]");
    assert_eq!(
        errors(&[&text], &["x"]),
        ["a chart from a repository has a version | add to the step: version: 1.2.3"]
    );
    let fixed = chart("x", "", "{}");
    let found = expanded(&[&fixed], &platform(&["x {version: 2.0.0}"])).unwrap();
    assert_eq!(
        messages(&found.warnings),
        ["`version: 2.0.0` has no effect: the chart of `x` is a fixed one"]
    );
}

#[test]
fn who_shares_a_values_file_knows_the_charts_of_the_others() {
    let (one, two) = (chart("x", "", "{}"), chart("y", "", "{}"));
    let mut wanted = platform(&["x {file: {mine: 1, yours: 2}}", "y {file: {mine: 1, yours: 2}}"]);
    let shared = |wanted: &_| {
        let expansion = expanded(&[&one, &two], wanted).unwrap();
        release(&expansion, "x/release/server").shared_with.clone()
    };
    assert_eq!(shared(&wanted), []);
    for instance in &mut wanted.instances {
        instance.values_file_shared = true;
    }
    let expansion = expanded(&[&one, &two], &wanted).unwrap();
    assert_eq!(shared(&wanted), [release(&expansion, "y/release/server").chart.clone()]);
}
