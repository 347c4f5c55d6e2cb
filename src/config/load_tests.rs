//! What loading a project promises, on whole projects.

use std::path::Path;

use serde_json::json;

use super::fixture::{Fixture, instance, names, warnings};
use super::request::Location;
use super::target::{LocalProvider, RemoteProvider, Target};
use super::{Environment, Project};
use crate::adapter::files;
use crate::model::{ClusterFacts, Secret};
use crate::yaml::{Problem, Span, masked};

const SIZED: &str = "params: {size: {type: quantity, default: 1Gi}, replicas: {type: int, default: 1}, \
    list: {type: list}, more: {type: map}}\n";

fn has(lines: &[String], part: &str) -> bool {
    lines.iter().any(|line| line.contains(part))
}

fn provider(project: &Project) -> &'static str {
    project.target.provider()
}

#[test]
fn settings_are_layered_and_null_reaches_the_component() {
    let fixture =
        Fixture::new("project: {flavour: store}\nstore: {replicas: 3, more: {b: 2, c: null}}\n")
            .component("store", SIZED)
            .with(
                "components/store/config.yaml",
                "store: {size: 2Gi, replicas: 2, more: {a: 1, c: 9}}\n",
            );
    assert_eq!(
        instance(&fixture.project(), "store").params.to_json(),
        json!({"size": "2Gi", "replicas": 3, "more": {"a": 1, "c": null, "b": 2}})
    );
    let fixture = fixture.asking(|r| {
        r.set = vec![
            ("store.replicas".to_owned(), "5".to_owned()),
            ("store.more.d".to_owned(), "x".to_owned()),
            ("store.size".to_owned(), "null".to_owned()),
        ];
    });
    let project = fixture.project();
    let params = &instance(&project, "store").params;
    assert_eq!(params.get("replicas").unwrap().to_json(), json!(5));
    assert_eq!(params.get("replicas").unwrap().span.path(), Path::new("--set"));
    assert!(params.get("size").unwrap().is_null());
}

#[test]
fn a_component_file_named_like_the_flavour_wins_over_the_default_one() {
    let project = Fixture::new("project: {flavour: store}\n")
        .component("store", SIZED)
        .with("components/store/config.yaml", "store: {size: 2Gi}\n")
        .with("components/store/lab.yaml", "store: {size: 7Gi}\n")
        .project();
    assert_eq!(instance(&project, "store").params.to_json(), json!({"size": "7Gi"}));
}

#[test]
fn values_are_layered_and_files_found_in_three_modes() {
    let fixture = Fixture::new(
        "project: {flavour: store, config_folder: ../configs}\nstore: {config_file: v.yaml, values: {a: 1, b: 1, c: 1}}\n",
    )
    .component("store", "")
    .with("components/store/v.yaml", "from: component\n")
    .asking(|r| {
        r.values = vec![("store".to_owned(), "over.yaml".into())];
        r.set = vec![("store.values.c".to_owned(), "3".to_owned())];
    })
    .with("over.yaml", "b: 2\nc: 2\n");
    let values_file = |fixture: &Fixture| {
        instance(&fixture.project(), "store").values_file.as_ref().unwrap().to_json()["from"]
            .clone()
    };
    let values = instance(&fixture.project(), "store").values.as_ref().unwrap().to_json();
    assert_eq!(values, json!({"a": 1, "b": 2, "c": 3}));
    assert_eq!(values_file(&fixture), "component");
    let fixture = fixture.with("configs/v.yaml", "from: configs\n");
    assert_eq!(values_file(&fixture), "configs");
    let fixture = fixture.with("flavours/v.yaml", "from: flavour\n");
    assert_eq!(values_file(&fixture), "flavour");
    let named_there = Fixture::new("project: {flavour: store, config_folder: ../configs}\n")
        .component("store", "")
        .with("components/store/config.yaml", "store: {config_file: v.yaml}\n")
        .with("components/store/v.yaml", "from: component\n");
    assert_eq!(values_file(&named_there), "component");
    assert_eq!(values_file(&named_there.with("configs/v.yaml", "from: configs\n")), "configs");
}

#[test]
fn a_shared_values_file_says_so() {
    let project = Fixture::new(
        "project: {flavour: 'efs dataloader other'}\nefs: {config_file: my-values.yaml}\ndataloader: {config_file: my-values.yaml}\n",
    )
    .component("efs", "")
    .component("dataloader", "")
    .component("other", "")
    .with("flavours/my-values.yaml", "global: {}\nstorage: {}\ndataLoader: {}\n")
    .project();
    assert!(instance(&project, "efs").values_file_shared);
    assert!(instance(&project, "dataloader").values_file_shared);
    assert!(!instance(&project, "other").values_file_shared);
    assert!(warnings(&project).iter().all(|line| line.contains("no-target")));
}

#[test]
fn a_secret_in_a_values_file_becomes_its_parameter_and_leaves_the_file_of_all() {
    let params =
        "params: {p: {type: string, secret: true, fromValues: a.login}, q: {type: string}}\n";
    let fixture = |section: &str| {
        Fixture::new(&format!(
            "project: {{flavour: 'one two'}}\none: {{config_file: v.yaml{section}}}\ntwo: {{config_file: v.yaml}}\n"
        ))
        .component("one", params)
        .component("two", "")
        .with("flavours/v.yaml", "a: {login: hunter2, other: 1}\n")
        .env("PASS", "sesame")
    };
    let project = fixture("").project();
    let one = instance(&project, "one");
    assert_eq!(one.secrets.get("p").map(Secret::reveal), Some("hunter2"));
    for name in ["one", "two"] {
        let file = instance(&project, name).values_file.as_ref().unwrap().to_json();
        assert_eq!(file, json!({"a": {"other": 1}}), "{name}");
    }
    let said = warnings(&project);
    assert!(has(&said, "`a.login` is a secret") && !has(&said, "hunter2"), "{said:?}");
    // What the section says wins.
    let project = fixture(", p: {env: PASS}").project();
    assert_eq!(instance(&project, "one").secrets["p"].reveal(), "sesame");
    let reference = fixture(", values: {a: {login: {secret: ns/name, key: k}}}").project();
    let one = instance(&reference, "one");
    assert_eq!(one.params.to_json(), json!({"p": {"secret": "ns/name", "key": "k"}}));
    assert!(one.secrets.is_empty());
}

#[test]
fn instances_have_sections_of_their_own() {
    let project = Fixture::new(
        "project: {flavour: 'dataloader, flowers'}\ndataloader: {size: 2Gi}\nflowers: {component: dataloader, replicas: 4}\n",
    )
    .component("dataloader", SIZED)
    .with("components/dataloader/config.yaml", "dataloader: {release: loader, list: [a]}\n")
    .project();
    assert_eq!(names(&project), ["dataloader", "flowers"]);
    assert_eq!(instance(&project, "dataloader").release.as_deref(), Some("loader"));
    let flowers = instance(&project, "flowers");
    assert_eq!((flowers.component.as_str(), flowers.release.as_deref()), ("dataloader", None));
    assert_eq!(flowers.params.to_json(), json!({"list": ["a"], "replicas": 4}));
}

#[test]
fn every_problem_of_every_file_comes_at_once() {
    let errors = Fixture::new(
        "project: {flavour: 'store, stroe', proxy_prt: 1}\nlocal: {provider: kwik}\nstore:\n  replicas: many\n  szie: 3\nnonsense: {}\n",
    )
    .component("store", SIZED)
    .with("components/store/config.yaml", "store: {size: much}\nother: {}\n")
    .errors();
    let wanted = [
        "components/store/config.yaml:1 wrong-type: `size` is a quantity",
        "components/store/config.yaml:2 unknown-key",
        "flavours/lab.yaml:1 unknown-component: there is no component `stroe` (did you mean `store`?)",
        "flavours/lab.yaml:1 unknown-key: `project` has no key `proxy_prt` (did you mean `proxy_port`?)",
        "flavours/lab.yaml:2 wrong-value: `local.provider` cannot be `kwik` (did you mean `kwok`?)",
        "flavours/lab.yaml:4 wrong-type: `replicas` is a whole number",
        "flavours/lab.yaml:5 unknown-key: `store` has no setting `szie` (did you mean `size`?)",
        "flavours/lab.yaml:6 unknown-key: `nonsense`",
    ];
    for part in wanted {
        assert!(has(&errors, part), "{part}\n{errors:#?}");
    }
    assert_eq!(errors.len(), wanted.len(), "{errors:#?}");
}

#[test]
fn a_component_with_errors_is_not_said_to_be_unknown() {
    let errors =
        Fixture::new("project: {flavour: 'a, x', name: A b}\nx: {size: 3}\nlocal: {cpus: no}\n")
            .component("a", "")
            .component("x", "titel: X\n")
            .errors();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(has(&errors, "did you mean `title`?") && has(&errors, "`project.name`"));
}

#[test]
fn a_section_outside_of_the_flavour_is_a_warning_and_so_are_its_errors() {
    let project = Fixture::new("project: {flavour: a}\nb: {size: much}\n")
        .component("a", "")
        .component("b", SIZED)
        .project();
    assert!(has(&warnings(&project), "`b` is not in the flavour"));
    assert!(has(&warnings(&project), "wrong-type"));
}

#[test]
fn a_retired_component_is_left_out_with_a_warning_and_refused_with_c() {
    let retired = "status: retired\nreplacedBy: [kserve]\n";
    let fixture = Fixture::new("project: {flavour: 'a, old'}\nold: {}\n")
        .component("a", "")
        .component("old", retired);
    let project = fixture.project();
    assert_eq!(names(&project), ["a"]);
    assert_eq!(project.left_out[0].why, "it is retired: take `kserve` in its place");
    assert!(has(&warnings(&project), "retired-component: `old` is retired"));
    let asked = fixture.asking(|r| r.components = vec!["old".to_owned()]);
    assert!(has(&asked.errors(), "take `kserve` in its place"));
}

#[test]
fn all_leaves_out_with_reasons_and_takes_defaults() {
    let project = Fixture::new("project: {flavour: all}\nsecond: {component: sample}\n")
        .component("active", "uses: [{as: store, capability: s3, default: minio}]\n")
        .component("old", "status: retired\n")
        .component("older", "status: deprecated\n")
        .component("paid", "params: {licence: {type: string, secret: true, required: true}}\n")
        .component("sample", "all: false\n")
        .component("minio", "provides: [{capability: s3}]\noutputs: {endpoint: {value: x}}\n")
        .component("garage", "provides: [{capability: s3}]\noutputs: {endpoint: {value: x}}\n")
        .component("north", "conflicts: [south]\n")
        .component("south", "")
        .with(
            "components/capabilities.yaml",
            "schema: capabilities/v1\ncapabilities: {s3: {outputs: {endpoint: {type: string}}}}\n",
        )
        .project();
    assert_eq!(names(&project), ["active", "minio", "north", "second"]);
    let left: Vec<_> = project.left_out.iter().map(|l| (l.name.as_str(), l.why.as_str())).collect();
    assert_eq!(
        left,
        [
            ("garage", "`minio` gives `s3` by default"),
            ("old", "it is retired: nothing replaces it"),
            ("older", "it is deprecated: look for another one"),
            ("paid", "it needs a licence, set as `paid.licence`"),
            ("sample", "it is not part of `all`; name it to install it"),
            ("south", "it conflicts with `north`"),
        ]
    );
}

#[test]
fn c_works_regardless_of_the_flavour_and_marks_extras() {
    let fixture = Fixture::new("project: {flavour: a}\n")
        .component("a", "")
        .component("b", "aliases: [bee]\n");
    let project =
        fixture.asking(|r| r.components = vec!["bee".to_owned(), "a".to_owned()]).project();
    assert_eq!(names(&project), ["a", "b"]);
    assert!(instance(&project, "b").extra);
    assert!(!instance(&project, "a").extra);
    let unknown = Fixture::new("project: {flavour: a}\n").component("a", "");
    let unknown = unknown.asking(|r| r.components = vec!["c".to_owned()]);
    assert!(has(&unknown.errors(), "`-c c` names no component"));
}

#[test]
fn the_target_comes_from_t_then_the_flavour_then_the_default_file() {
    let fixture = || {
        Fixture::new(
            "project: {flavour: a, k8s_default_config: default_uc.yaml}\nremote: {provider: aws}\n",
        )
        .component("a", "")
        .with(
            "k8s/configs/default_uc.yaml",
            "local: {provider: microk8s}\nremote: {provider: gcp}\n",
        )
        .with("mine.yaml", "local: {provider: minikube}\n")
    };
    assert_eq!(provider(&fixture().project()), "aws");
    let local = fixture().asking(|r| r.location = Some(Location::Local));
    assert_eq!(provider(&local.project()), "microk8s");
    let named = fixture().asking(|r| r.target = Some("mine.yaml".to_owned()));
    assert_eq!(provider(&named.project()), "minikube");
    let by_name = fixture().asking(|r| {
        r.target = Some("default_uc".to_owned());
        r.location = Some(Location::Remote);
    });
    assert_eq!(provider(&by_name.project()), "gcp");
    let falls = fixture().asking(|r| {
        r.target = Some("mine.yaml".to_owned());
        r.location = Some(Location::Remote);
    });
    assert!(has(&warnings(&falls.project()), "`mine.yaml` has no section `remote:`"));
    let folder = fixture().asking(|r| r.target = Some("k8s".to_owned()));
    assert!(has(&folder.errors(), "`k8s` is a folder, not a file"));
    let lost = fixture().asking(|r| r.target = Some("defualt_uc.yaml".to_owned()));
    assert!(has(&lost.errors(), "did you mean `default_uc.yaml`?"));
}

#[test]
fn without_a_location_the_only_section_counts_else_local() {
    let with = |text: &str| {
        Fixture::new(&format!("project: {{flavour: a}}\n{text}\n")).component("a", "").project()
    };
    assert_eq!(with("hybrid:").target.location(), Location::Hybrid);
    assert_eq!(with("remote: {provider: aws}\nhybrid:").target.location(), Location::Local);
    assert_eq!(with("remote: {provider: aws}\nlocal: {provider: kind}").target.provider(), "kind");
}

#[test]
fn provider_decides_by_hand_and_must_fit_the_location() {
    let fixture = |provider: &str, location: Option<Location>| {
        let provider = provider.to_owned();
        Fixture::new("project: {flavour: a}\nlocal: {provider: minikube}\n")
            .component("a", "")
            .asking(|r| {
                r.provider = Some(provider);
                r.location = location;
            })
    };
    let kwok = fixture("kwok", None).project();
    assert!(matches!(kwok.target, Target::Local { provider: LocalProvider::Kwok, .. }));
    let gke = fixture("gke", None).project();
    assert!(matches!(gke.target, Target::Remote { provider: RemoteProvider::Gcp, .. }));
    assert_eq!(fixture("existing", None).project().target.location(), Location::Hybrid);
    assert!(has(
        &fixture("aws", Some(Location::Local)).errors(),
        "`--provider aws` belongs to `-r`"
    ));
    assert!(has(&fixture("kwokk", None).errors(), "did you mean `kwok`?"));
}

#[test]
fn sections_that_are_not_selected_are_warnings_only() {
    let project = Fixture::new("project: {flavour: a}\nlocal: {provider: kwok}\nremote: {provider: azure, region: '${env.NOPE}'}\n")
        .component("a", "")
        .project();
    let warnings = warnings(&project);
    assert!(has(&warnings, "`remote.provider` cannot be `azure`"), "{warnings:?}");
    assert!(has(&warnings, "`NOPE` is not set"));
}

#[test]
fn extends_is_merged_below_and_cycles_are_found() {
    let fixture = Fixture::new("project: {extends: base.yaml, profiles: [gpu]}\nstore: {replicas: 2}\nlocal: null\n")
        .component("store", SIZED)
        .with("flavours/base.yaml", "project: {name: base, flavour: store}\nstore: {size: 3Gi, replicas: 1}\nlocal: {provider: kind}\nhybrid:\n");
    let project = fixture.project();
    assert_eq!(project.name, "base");
    assert_eq!(instance(&project, "store").params.to_json(), json!({"size": "3Gi", "replicas": 2}));
    assert_eq!(project.target.location(), Location::Hybrid);
    assert_eq!(project.platform.profiles, ["gpu"]);
    let cycle = fixture.with("flavours/base.yaml", "project: {extends: lab.yaml}\n");
    assert!(has(
        &cycle.errors(),
        "`flavours/lab.yaml` → `flavours/base.yaml` → `flavours/lab.yaml`"
    ));
    let lost =
        cycle.with("flavours/base.yaml", "project: {extends: nowhere.yaml, flavour: store}\n");
    assert!(has(&lost.errors(), "there is no `flavours/nowhere.yaml` to extend"));
}

#[test]
fn profiles_come_from_target_project_and_command_line() {
    let project = Fixture::new("project: {flavour: a, profiles: [gpu, minimal]}\nlocal: {provider: kwok}\na: {profiles: own}\n")
        .component("a", "")
        .asking(|r| r.profiles = vec!["gpu".to_owned()])
        .project();
    assert_eq!(project.platform.profiles, ["local", "minimal", "gpu"]);
    assert!(has(
        &warnings(&project),
        "1 unknown-profile: no component of the flavour has a profile `minimal`"
    ));
    assert_eq!(instance(&project, "a").profiles, ["own"]);
}

#[test]
fn secrets_come_from_the_environment_a_file_or_a_reference() {
    let secret = "params: {p: {type: string, secret: true}}\n";
    let fixture = |setting: &str| {
        Fixture::new(&format!("project: {{flavour: a}}\na:\n  p: {setting}\n"))
            .component("a", secret)
            .env("PASS", "sesame")
            .with("flavours/pass.txt", "open\n")
    };
    let value = |setting: &str| {
        let project = fixture(setting).project();
        let found = instance(&project, "a");
        (
            found.secrets.get("p").map(|s| s.reveal().to_owned()),
            found.params.to_json(),
            warnings(&project),
        )
    };
    for (setting, wanted) in
        [("{env: PASS}", "sesame"), ("{file: pass.txt}", "open"), ("${env.PASS}", "sesame")]
    {
        let (secret, params, warnings) = value(setting);
        assert_eq!(secret.as_deref(), Some(wanted), "{setting}");
        assert_eq!(params, json!({}));
        assert!(!has(&warnings, "plain-secret"), "{setting}");
    }
    let (secret, params, _) = value("{secret: ns/name, key: k}");
    assert_eq!((secret, params), (None, json!({"p": {"secret": "ns/name", "key": "k"}})));
    let (secret, _, found) = value("hunter2");
    assert_eq!(secret.as_deref(), Some("hunter2"));
    assert!(has(&found, "plain-secret") && !has(&found, "hunter2"));
    assert!(has(&fixture("{env: NONE}").errors(), "`NONE` is not set"));
    assert!(has(&fixture("{file: none.txt}").errors(), "none.txt"));
    assert!(has(&fixture("{secret: name}").errors(), "does not say where the secret is"));
    let later =
        fixture("{env: PASS}").with("components/a/config.yaml", "a: {p: {file: pass.txt}}\n");
    let project = later.with("components/a/pass.txt", "x").project();
    assert_eq!(instance(&project, "a").secrets["p"].reveal(), "sesame");
}

#[test]
fn bindings_name_instances_aliases_or_releases() {
    let project = Fixture::new("project: {flavour: 'user, store'}\nstore: {release: lake}\nuser: {bind: {one: lake, two: st, three: store, four: else}}\n")
        .component("user", "")
        .component("store", "aliases: [st]\n")
        .project();
    let bind = &instance(&project, "user").bind;
    let names: Vec<_> =
        bind.iter().map(|(alias, (name, _))| (alias.as_str(), name.as_str())).collect();
    assert_eq!(names, [("four", "else"), ("one", "store"), ("three", "store"), ("two", "store")]);
}

#[test]
fn the_project_has_a_name_and_an_environment() {
    let project = Fixture::new(
        "project: {flavour: a, name: lake, environment: production}\nlocal: {provider: kwok}\n",
    )
    .component("a", "")
    .project();
    assert_eq!((project.name.as_str(), project.flavour.as_str()), ("lake", "lab"));
    assert_eq!(project.environment, Environment::Production);
    assert_eq!(project.cluster_id().to_string(), "target/cluster/datamill-lake");
    assert_eq!(project.installation_id().to_string(), "target/installation/lake");
    let unnamed = Fixture::new("project: {flavour: a}\n").component("a", "").project();
    assert!(unnamed.name.starts_with("proj"), "{}", unnamed.name);
    let wrong = Fixture::new("project: {flavour: a, name: My Lake}\n").component("a", "");
    assert!(has(&wrong.errors(), "did you mean `my-lake`?"));
    let alone = Fixture::empty().component("a", "").with("alone.yaml", "project: {flavour: a}\n");
    let alone = alone.asking(|r| r.flavour = Some("alone.yaml".into()));
    assert_eq!(alone.project().name, "alone");
}

#[test]
fn bad_files_are_clear_errors() {
    let table = [
        ("", "empty-file: the flavour `flavours/lab.yaml` is empty"),
        ("- a\n", "not-a-map"),
        ("project:\n\tname: a\n", "lab.yaml:2 tab"),
        ("project: {}\nproject: {}\n", "lab.yaml:2 duplicate-key"),
        ("project: {flavour: a}\nlocal: minikube\n", "not-a-map: `local` is a map of settings"),
        ("project: {flavour: a}\na: 3\n", "not-a-map: `a` is a map of settings"),
        (
            "project: {flavour: a}\na: {config_file: v.yaml}\n",
            "not-a-map: the values file `flavours/v.yaml` is a list",
        ),
        ("project: {flavour: a}\na: {values: [x]}\n", "`a.values` is a map of Helm values"),
        ("project: {flavour: {a: b}}\n", "`project.flavour` is a list of components"),
        (
            "project: {flavour: a}\nx: {component: nope}\n",
            "unknown-component: there is no component `nope`",
        ),
        ("project: {flavour: a}\nversion: 2\n", "version: 1"),
    ];
    for (text, wanted) in table {
        let errors =
            Fixture::new(text).component("a", "").with("flavours/v.yaml", "- x\n").errors();
        assert!(has(&errors, wanted), "{text}\n{errors:?}");
    }
}

#[test]
fn numbers_from_the_environment_are_numbers() {
    let project = Fixture::new("project: {flavour: a}\nlocal:\n  provider: kwok\n  cpus: ${env.CPUS}\na:\n  replicas: ${env.CPUS}\n  size: ${env.SIZE:-4Gi}\n")
        .component("a", SIZED)
        .env("CPUS", "3")
        .project();
    assert_eq!(instance(&project, "a").params.to_json(), json!({"replicas": 3, "size": "4Gi"}));
    match &project.target {
        Target::Local { settings, nodes, .. } => {
            assert_eq!(settings.cpus, Some(3));
            assert_eq!(nodes[0].capacity["cpu"], "3");
        }
        other @ (Target::Remote { .. } | Target::Hybrid { .. }) => panic!("{other:?}"),
    }
}

#[test]
fn an_embedded_flavour_works_from_an_empty_folder() {
    let fixture = Fixture::empty()
        .embedding(&[
            ("flavours/demo.yaml", "project: {name: demo, flavour: store, k8s_default_config: kwok.yaml}\nstore: {config_file: v.yaml}\n"),
            ("components/store/component.yaml", "schema: component/v1\nname: store\nsteps: [{id: m, kind: helm, chart: {path: chart}}]\n"),
            ("components/store/chart/Chart.yaml", "name: store\n"),
            ("components/store/v.yaml", "a: 1\n"),
            ("k8s/configs/kwok.yaml", "local: {provider: kwok, nodes: 2}\n"),
        ])
        .asking(|r| r.flavour = Some("flavours/demo.yaml".into()));
    let project = fixture.project();
    assert!(has(&warnings(&project), "built-in-flavour"));
    assert_eq!((project.name.as_str(), project.root.as_path()), ("demo", fixture.root()));
    assert_eq!(
        instance(&project, "store").values_file.as_ref().unwrap().to_json(),
        json!({"a": 1})
    );
    let folder = project.catalogue.component("store").unwrap().folder();
    assert!(folder.starts_with(fixture.cache()) && folder.join("chart/Chart.yaml").is_file());
    assert!(matches!(&project.target, Target::Local { nodes, .. } if nodes.len() == 2));
    assert!(files::list(fixture.root()).unwrap().is_empty());
}

#[test]
fn set_and_values_for_what_is_not_there_are_named() {
    let fixture = Fixture::new("project: {flavour: a}\n")
        .component("a", SIZED)
        .component("b", "")
        .asking(|r| {
            r.set = vec![
                ("b.x".to_owned(), "1".to_owned()),
                ("c.x".to_owned(), "1".to_owned()),
                ("a.szie".to_owned(), "1".to_owned()),
            ];
            r.values = vec![("a".to_owned(), "none.yaml".into())];
        });
    let errors = fixture.errors();
    assert!(has(&errors, "`--set c.x`: there is no component `c`"), "{errors:?}");
    assert!(has(&errors, "`a` has no setting `szie` (did you mean `size`?)"));
    assert!(has(&errors, "none.yaml"));
    assert_eq!(errors.len(), 3);
}

fn facts() -> ClusterFacts {
    ClusterFacts {
        provider: "kwok".to_owned(),
        location: "local".to_owned(),
        version: "1.35.4".to_owned(),
        apis: std::collections::BTreeSet::new(),
        simulated: true,
    }
}

#[test]
fn shipped_flavours_load_from_an_empty_folder_and_expand() {
    for entry in super::list_flavours(&Fixture::empty().request) {
        let fixture = Fixture::empty().shipped().asking(|r| r.flavour = Some(entry.file.clone()));
        let project = fixture.project();
        assert!(!has(&warnings(&project), "no-values-file"), "{:?}", warnings(&project));
        let expansion = project.expand(&facts()).unwrap();
        assert!(!expansion.desired.resources.is_empty(), "{}", entry.name);
    }
}

#[test]
fn the_seeds_values_file_works_as_it_stands() {
    let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/seed/seed.yaml");
    let fixture = Fixture::empty().shipped().asking(|r| r.flavour = Some(seed));
    let project = fixture.project();
    assert_eq!(names(&project), ["efs", "dataloader"]);
    // Nothing but the login in plain text is worth a word.
    let said = warnings(&project);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|line| line.contains(" plain-secret: ")), "{said:?}");
    assert!(project.platform.instances.iter().all(|instance| instance.values_file_shared));
    project.expand(&facts()).unwrap();
}

#[test]
fn what_has_no_effect_yet_says_so_where_it_is_written() {
    let section = "project: {flavour: store}\nimages: {tools: {context: .}}\n";
    let project = Fixture::new(section).component("store", SIZED).project();
    let found = warnings(&project);
    assert!(has(&found, "has no effect"), "{found:?}");
    let quiet = "project: {flavour: store}\nstore: {expose: none}\n";
    let project = Fixture::new(quiet).component("store", SIZED).project();
    assert_eq!(warnings(&project), Vec::<String>::new());
}

#[test]
fn a_renamed_instance_keeps_the_release_of_its_old_name() {
    let flavour = "project: {flavour: queue}\nqueue: {component: store, moved: store}\n";
    let project = Fixture::new(flavour).component("store", SIZED).project();
    let instance = &project.platform.instances[0];
    assert_eq!(instance.release.as_deref(), Some("store"));
    assert_eq!(project.renames().now("store"), "queue");
    let named = "project: {flavour: queue}\nqueue: {component: store, moved: store, release: x}\n";
    let project = Fixture::new(named).component("store", SIZED).project();
    assert_eq!(project.platform.instances[0].release.as_deref(), Some("x"));
}

#[test]
fn wrong_chained_and_circular_old_names_are_errors_where_they_stand() {
    let two = |first: &str, second: &str| {
        format!(
            "project: {{flavour: [one, two]}}\none: {{component: store, {first}}}\ntwo: {{component: store, {second}}}\n"
        )
    };
    let table = [
        (two("moved: one", "size: 1Gi"), "`one` cannot be its own old name", 2),
        (two("moved: two", "size: 1Gi"), "`two` is still in the flavour", 2),
        (two("moved: old", "moved: old"), "`one` was `old` already", 3),
        (two("moved: two", "moved: zero"), "names move one step at a time", 2),
        (two("moved: two", "moved: one"), "move in a circle", 2),
        (two("moved: Not_A_Name", "size: 1Gi"), "may hold lower-case letters", 2),
    ];
    for (flavour, says, line) in table {
        let errors = Fixture::new(&flavour).component("store", SIZED).errors();
        let found = errors.iter().find(|error| error.contains(says));
        let found = found.unwrap_or_else(|| panic!("{says}: {errors:?}"));
        assert!(found.contains(&format!("lab.yaml:{line} ")), "{found}");
    }
}

#[test]
fn what_lies_outside_is_held_against_the_contract_of_its_capability() {
    let contracts = "schema: capabilities/v1\ncapabilities: {s3: {outputs: {endpoint: {type: string}, accessKey: {type: secret}}}}\n";
    let table = [
        ("s3", "endpoint: {env: E}", "`external.lake.outputs.endpoint` cannot be `{env: …}`"),
        ("s3", "accessKey: {file: f}", "`external.lake.outputs.accessKey` cannot be `{env: …}`"),
        ("s3", "endpoit: x", "`s3` has no output `endpoit`"),
        ("s33", "endpoint: x", "no contract describes the capability `s33`"),
    ];
    for (capability, output, says) in table {
        let flavour = format!(
            "project: {{flavour: store}}\nexternal:\n  lake: {{capability: {capability}, outputs: {{{output}}}}}\n"
        );
        let fixture = Fixture::new(&flavour).component("store", SIZED);
        let errors = fixture.with("components/capabilities.yaml", contracts).errors();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains(says) && errors[0].contains("lab.yaml:3 "), "{errors:?}");
    }
}

#[test]
fn all_of_nothing_says_why() {
    let fixture = Fixture::new("project: {flavour: all}\n").component("store", "all: false\n");
    let found = warnings(&fixture.project());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("`all` chooses nothing"), "{found:?}");
}

#[test]
fn the_value_of_a_misspelt_secret_is_hidden() {
    let params = "params: {imagenet_login: {type: string, secret: true}, size: {type: string}}\n";
    let sections = "one: {imagenet_logn: plain1, zsie: seen2}\nonne: {api_key: plain3, size: seen4, more: [{token: plain5}]}\n";
    let flavour = format!("project: {{flavour: one, proxy_pasword: plain6}}\n{sections}");
    let fixture = Fixture::new(&flavour).component("one", params).asking(|request| {
        request.set = vec![("one.imagenet_logi".to_owned(), "plain7".to_owned())];
    });
    let problems = fixture.load().unwrap_err();
    let sorted = problems.sorted();
    let hidden: Vec<Span> = sorted.iter().copied().flat_map(Problem::hidden).cloned().collect();
    let shown: String = sorted
        .iter()
        .filter_map(|problem| problem.at.as_ref())
        .map(|at| masked(&at.source, &hidden))
        .collect();
    assert!(!shown.contains("plain"), "{shown}");
    assert!(shown.contains("seen2") && shown.contains("seen4"), "{shown}");
    assert!(shown.contains("one.imagenet_logi=******"), "{shown}");
    let bad = fixture.asking(|request| request.set = vec![("key".to_owned(), "plain8".to_owned())]);
    assert!(has(&bad.errors(), "`--set key=…` names no setting"));
    assert!(!has(&bad.errors(), "plain8"));
}
