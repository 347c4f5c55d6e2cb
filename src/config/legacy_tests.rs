//! data-mill's keys and shapes: what each means now. One test per row of the table of old keys.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::fixture::{Fixture, instance, names, warnings};
use super::request::Location;
use super::target::{Gpu, LocalProvider, LocalSettings, RemoteProvider, RemoteSettings, Target};
use super::{HybridSettings, Project};

fn two(flavour: &str) -> Fixture {
    Fixture::new(flavour).component("minio", "").component("spark", "")
}

fn local(project: &Project) -> (LocalProvider, &LocalSettings) {
    match &project.target {
        Target::Local { provider, settings, .. } => (*provider, settings),
        other @ (Target::Remote { .. } | Target::Hybrid { .. }) => panic!("{other:?}"),
    }
}

fn remote(project: &Project) -> (RemoteProvider, &RemoteSettings) {
    match &project.target {
        Target::Remote { provider, settings } => (*provider, settings),
        other @ (Target::Local { .. } | Target::Hybrid { .. }) => panic!("{other:?}"),
    }
}

/// A flavour of `minio` with further sections.
fn minio(sections: &str) -> Fixture {
    two(&format!("project: {{flavour: minio}}\n{sections}"))
}

fn has(lines: &[String], part: &str) -> bool {
    lines.iter().any(|line| line.contains(part))
}

#[test]
fn project_flavour_is_split_on_commas_and_blanks() {
    for text in ["minio, spark", "minio spark", "minio,spark", "[minio, spark]", "all"] {
        let project =
            two(&format!("project: {{flavour: '{text}'}}").replace("'[", "[").replace("]'", "]"))
                .project();
        assert_eq!(names(&project), ["minio", "spark"], "{text}");
        assert!(!has(&warnings(&project), "empty-flavour"));
    }
    for text in ["project: {}", "project:\n  flavour:\n"] {
        let project = two(text).project();
        assert_eq!(names(&project), ["minio", "spark"], "{text}");
        assert!(has(&warnings(&project), "write `flavour: all`"));
    }
}

#[test]
fn an_absent_k8s_default_config_matters_only_when_a_target_is_needed() {
    let project = minio("").project();
    assert_eq!(project.target_missing.as_ref().unwrap().code, "no-target");
    let project = minio("").asking(|r| r.location = Some(Location::Local)).project();
    assert!(project.target_missing.is_none());
    let project = minio("local: {provider: kwok}").project();
    assert!(project.target_missing.is_none());
}

#[test]
fn project_keys_mean_what_they_meant() {
    let fixture = Fixture::new(
        "project:\n  k8s_namespace: lake\n  proxy_port: 8090\n  flavour: minio\n  component_default_config: prod.yaml\n  \
         data_folder: stuff\n  config_folder: ../configs\n",
    )
    .component("minio", "params: {size: {type: quantity}}\n")
    .with("components/minio/prod.yaml", "minio: {size: 5Gi, config_file: v.yaml}\n")
    .with("components/minio/config.yaml", "minio: {size: 1Gi}\n")
    .with("configs/v.yaml", "a: 1\n");
    let project = fixture.project();
    assert_eq!((project.namespace.as_str(), project.proxy_port), ("lake", 8090));
    assert_eq!(project.data_folder, fixture.root().join("stuff"));
    let minio = instance(&project, "minio");
    assert_eq!(minio.params.to_json(), json!({"size": "5Gi"}));
    assert_eq!(minio.values_file.as_ref().unwrap().to_json(), json!({"a": 1}));
}

#[test]
fn remote_provider_gke_is_gcp() {
    let project = minio("remote: {provider: gke, region: us-east1}").project();
    assert_eq!(remote(&project).0, RemoteProvider::Gcp);
    let project = minio("remote: {provider: aws}").project();
    assert_eq!(remote(&project).0, RemoteProvider::Aws);
}

#[test]
fn a_region_of_google_on_aws_is_an_error_with_the_right_one_and_a_warning_when_not_selected() {
    let text = "remote: {provider: aws, region: us-east1, zones: us-east1a}";
    let errors = minio(text).errors();
    assert!(
        has(&errors, "region: `us-east1` is no region of aws (did you mean `us-east-1`?)"),
        "{errors:?}"
    );
    assert!(has(&errors, "zone: `us-east1a` is no zone of aws (did you mean `us-east-1a`?)"));
    let project = minio(text).asking(|r| r.location = Some(Location::Local)).project();
    assert!(has(&warnings(&project), "did you mean `us-east-1`?"));
    assert!(has(&warnings(&project), "did you mean `us-east-1a`?"));
}

#[test]
fn remote_sizes_and_names_are_the_first_node_group() {
    let project = minio(
        "remote: {provider: aws, cluster_name: lake, region: eu-west-1, zones: \"eu-west-1a, eu-west-1b\", no_nodes: 2, node_size: m6i.large}",
    )
    .project();
    let (_, settings) = remote(&project);
    assert_eq!(settings.zones, ["eu-west-1a", "eu-west-1b"]);
    assert_eq!((settings.no_nodes, settings.node_size.as_deref()), (Some(2), Some("m6i.large")));
    assert_eq!(project.cluster_name(), "lake");
    let one = minio("remote: {provider: aws, region: eu-west-1, zones: eu-west-1a}").project();
    assert_eq!(remote(&one).1.zones, ["eu-west-1a"]);
}

#[test]
fn remote_bucket_name_is_the_lake_bucket() {
    let project = minio("remote: {provider: aws, bucket_name: my-kops-state}").project();
    assert_eq!(remote(&project).1.bucket_name.as_deref(), Some("my-kops-state"));
}

#[test]
fn local_sizes_are_those_of_the_cluster() {
    let project =
        minio("local: {provider: minikube, cpus: 8, memory: 16288, storage: 60G}").project();
    let (provider, settings) = local(&project);
    assert_eq!(provider, LocalProvider::Minikube);
    assert_eq!(settings.cpus, Some(8));
    assert_eq!(settings.memory_mib, Some(16288));
    assert_eq!(settings.storage_mib, Some(60 * 1024));
}

#[test]
fn local_gpu_support_true_is_auto_with_a_warning() {
    let gpu = |word: &str| {
        let project =
            minio(&format!("local: {{provider: minikube, gpu_support: {word}}}")).project();
        (local(&project).1.gpu, has(&warnings(&project), "gpu-support"))
    };
    assert_eq!(gpu("true"), (Gpu::Auto, true));
    assert_eq!(gpu("auto"), (Gpu::Auto, false));
    assert_eq!(gpu("required"), (Gpu::Required, false));
    assert_eq!(gpu("false"), (Gpu::Off, false));
}

#[test]
fn hybrid_gpu_support_adds_the_component_and_false_adds_nothing() {
    let with = minio("hybrid: {gpu_support: true}").component("gpu", "").project();
    assert_eq!(names(&with), ["minio", "gpu"]);
    let without = minio("hybrid: {gpu_support: false}").component("gpu", "").project();
    assert_eq!(names(&without), ["minio"]);
    let lacking = minio("hybrid: {gpu_support: true}").project();
    assert_eq!(lacking.left_out[0].name, "gpu");
    assert!(has(&warnings(&lacking), "the component `gpu`"));
}

#[test]
fn local_use_overlay_is_for_minikube_and_dropped_with_a_warning_elsewhere() {
    let minikube = minio("local: {provider: minikube, use_overlay: true}").project();
    assert!(local(&minikube).1.use_overlay);
    let kind = minio("local: {provider: kind, use_overlay: true}").project();
    assert!(!local(&kind).1.use_overlay);
    assert!(has(&warnings(&kind), "`local.use_overlay` is for minikube"));
}

#[test]
fn local_istio_support_adds_the_component() {
    let project =
        minio("local: {istio_support: true}").component("istio", "all: false\n").project();
    assert_eq!(names(&project), ["minio", "istio"]);
    let project = minio("local: {istio_support: false}").component("istio", "").project();
    assert_eq!(names(&project), ["minio"]);
}

#[test]
fn local_vm_driver_is_minikubes() {
    let project = minio("local: {provider: minikube, vm_driver: kvm2}").project();
    assert_eq!(local(&project).1.vm_driver.as_deref(), Some("kvm2"));
}

#[test]
fn local_use_multipass_is_recorded() {
    // That `false` is an error on a Mac is tested beside the rule, for which the machine is an input.
    let project = minio("local: {provider: microk8s, use_multipass: false}").load();
    let project = if cfg!(target_os = "macos") { return } else { project.unwrap() };
    assert_eq!(local(&project), (LocalProvider::Microk8s, local(&project).1));
    assert_eq!(local(&project).1.use_multipass, Some(false));
}

#[test]
fn hybrid_config_is_relative_to_its_file_and_may_be_nothing() {
    let hybrid = |text: &str| match minio(text).project().target {
        Target::Hybrid { kubeconfig, context, settings } => (kubeconfig, context, settings),
        other @ (Target::Local { .. } | Target::Remote { .. }) => panic!("{other:?}"),
    };
    assert_eq!(hybrid("hybrid:\n"), (None, None, HybridSettings { gpu_support: false }));
    assert_eq!(hybrid("hybrid: {config: null}").0, None);
    assert_eq!(
        hybrid("hybrid: {config: ~/.kube/config}").0.unwrap(),
        Path::new("/home/ada/.kube/config")
    );
    let fixture = minio("hybrid: {config: kube/config, context: lab}");
    match fixture.project().target {
        Target::Hybrid { kubeconfig, context, .. } => {
            assert_eq!(kubeconfig.unwrap(), fixture.root().join("flavours/kube/config"));
            assert_eq!(context.as_deref(), Some("lab"));
        }
        other @ (Target::Local { .. } | Target::Remote { .. }) => panic!("{other:?}"),
    }
}

#[test]
fn old_roots_are_aliases() {
    let table = [
        ("jhub", "jupyterhub"),
        ("elastic", "elasticsearch"),
        ("monitoring", "monitoring-stack"),
        ("nginx_ingress", "nginx-ingress"),
        ("seldon_crd", "seldon"),
    ];
    for (alias, component) in table {
        let more = format!("aliases: [{alias}]\nparams: {{size: {{type: int}}}}\n");
        let fixture = Fixture::new(&format!(
            "project: {{flavour: {component}}}\n{alias}: {{release: mine, size: 3}}\n"
        ))
        .component(component, &more)
        .with(
            &format!("components/{component}/config.yaml"),
            &format!("{alias}: {{release: theirs, size: 1}}\n"),
        );
        let project = fixture.project();
        let found = instance(&project, component);
        assert_eq!(found.release.as_deref(), Some("mine"));
        assert_eq!(found.params.to_json(), json!({"size": 3}));
        let by_alias =
            fixture.with("flavours/lab.yaml", &format!("project: {{flavour: {alias}}}\n"));
        assert_eq!(names(&by_alias.project()), [component]);
    }
    let both = Fixture::new("project: {flavour: seldon}\n")
        .component("seldon", "aliases: [seldon_crd]\n")
        .with(
            "components/seldon/config.yaml",
            "seldon: {release: core}\nseldon_crd: {release: crd}\n",
        );
    assert_eq!(instance(&both.project(), "seldon").release.as_deref(), Some("core"));
    let both = both.with(
        "flavours/lab.yaml",
        "project: {flavour: seldon}\nseldon: {release: a}\nseldon_crd: {release: b}\n",
    );
    let project = both.project();
    assert_eq!(instance(&project, "seldon").release.as_deref(), Some("a"));
    assert!(has(&warnings(&project), "lab.yaml:3 second-section"));
}

#[test]
fn a_component_may_have_no_config_yaml() {
    let project = Fixture::new("project: {flavour: kubebox}").component("kubebox", "").project();
    assert_eq!(instance(&project, "kubebox").params.to_json(), json!({}));
}

#[test]
fn release_names_the_release() {
    let project = minio("minio: {release: minio-datalake}").project();
    assert_eq!(instance(&project, "minio").release.as_deref(), Some("minio-datalake"));
    let errors = minio("minio: {release: argo_events}").errors();
    assert!(has(&errors, "did you mean `argo-events`?"), "{errors:?}");
}

#[test]
fn a_version_below_the_minimum_is_a_warning_and_the_pin_is_used() {
    let project = minio("minio: {version: 0.8-de79a04}").project();
    assert_eq!(instance(&project, "minio").version, None);
    assert!(has(&warnings(&project), "`4.2.0` is used"));
    let project = minio("minio: {version: 5.1.0}").project();
    assert_eq!(instance(&project, "minio").version.as_deref(), Some("5.1.0"));
}

#[test]
fn setup_timeout_is_a_ceiling_in_seconds_and_zero_the_default() {
    let ceiling = |text: &str| instance(&minio(text).project(), "minio").ceiling;
    assert_eq!(ceiling("minio: {setup_timeout: 7200}"), Some(Duration::from_hours(2)));
    assert_eq!(ceiling("minio: {setup_timeout: 0}"), None);
    assert_eq!(ceiling("minio: {}"), None);
    assert!(has(&minio("minio: {setup_timeout: soon}").errors(), "wrong-type"));
}

#[test]
fn a_config_file_that_is_not_there_is_a_warning() {
    let project = minio("minio: {config_file: nifi_config.yaml}").project();
    assert_eq!(instance(&project, "minio").values_file, None);
    assert!(has(
        &warnings(&project),
        "no-values-file: the values file `nifi_config.yaml` is not there"
    ));
    let storageos = Fixture::new("project: {flavour: storageos}\nstorageos: {config: x.yaml}\n")
        .component("storageos", "legacy: [{key: config, to: config_file}]\n")
        .project();
    assert!(has(&warnings(&storageos), "write `storageos.config_file` instead"));
    assert!(has(&warnings(&storageos), "the values file `x.yaml` is not there"));
}

#[test]
fn a_config_file_of_old_goes_to_the_chart_as_it_is() {
    let project = minio("minio: {config_file: minio_config.yaml}")
        .with("components/minio/minio_config.yaml", "accessKey: old\npersistence: {size: 10Gi}\n")
        .project();
    let values = instance(&project, "minio").values_file.as_ref().unwrap().to_json();
    assert_eq!(values, json!({"accessKey": "old", "persistence": {"size": "10Gi"}}));
}

#[test]
fn storage_class_is_the_parameter_of_that_name() {
    for name in ["minio", "elasticsearch"] {
        let project = Fixture::new(&format!(
            "project: {{flavour: {name}}}\n{name}: {{storage_class: microk8s-hostpath}}\n"
        ))
        .component(name, "params: {storage_class: {type: string, default: \"\"}}\n")
        .project();
        // Whether the cluster has the class is found when it is looked at.
        assert_eq!(
            instance(&project, name).params.to_json(),
            json!({"storage_class": "microk8s-hostpath"})
        );
    }
}

#[test]
fn manifests_named_by_settings_are_looked_up_in_the_three_modes() {
    for (name, key) in [("kafka", "deployment_file"), ("arangodb", "mode")] {
        let fixture = Fixture::new(&format!(
            "project: {{flavour: {name}, config_folder: ../configs}}\n{name}: {{{key}: persistent.yaml}}\n"
        ))
        .component(name, &format!("params: {{{key}: {{type: string}}}}\n"))
        .with("configs/other.yaml", "{}");
        let project = fixture.project();
        let found = instance(&project, name);
        assert_eq!(found.params.to_json(), json!({key: "persistent.yaml"}));
        assert_eq!(
            found.file_dirs,
            [fixture.root().join("flavours"), fixture.root().join("configs")]
        );
    }
}

#[test]
fn nested_sections_of_argo_and_kubedb_are_settings_and_ci_is_dropped() {
    let argo = Fixture::new(
        "project: {flavour: argo}\nargo: {events: {enable: true, config_file: e.yaml}, ci: {enable: true}, cd: {enable: false}}\n",
    )
    .component(
        "argo",
        "params: {events: {type: bool, default: false}, cd: {type: bool, default: false}, events_values: {type: string}}\n\
         legacy:\n  - {key: events.enable, to: events}\n  - {key: events.config_file, to: events_values}\n  - {key: cd.enable, to: cd}\n  \
         - {key: ci, drop: Argo CI is gone}\n",
    )
    .project();
    assert_eq!(
        instance(&argo, "argo").params.to_json(),
        json!({"events": true, "cd": false, "events_values": "e.yaml"})
    );
    assert!(has(
        &warnings(&argo),
        "`argo.ci` is an old key (it is not used: Argo CI is gone; remove it)"
    ));
    let kubedb = Fixture::new(
        "project: {flavour: kubedb}\nkubedb: {operator: {release: a}, catalog: {release: b}}\n",
    )
    .component("kubedb", "params: {operator: {type: map}, catalog: {type: map}}\n")
    .project();
    assert_eq!(
        instance(&kubedb, "kubedb").params.to_json(),
        json!({"operator": {"release": "a"}, "catalog": {"release": "b"}})
    );
}

#[test]
fn a_namespace_of_kubernetes_is_honoured_with_a_warning() {
    let project = minio("minio: {namespace: kube-system}").project();
    assert_eq!(instance(&project, "minio").namespace.as_deref(), Some("kube-system"));
    assert!(has(&warnings(&project), "kubernetes-namespace"));
}

#[test]
fn elastic_use_version_is_official_and_the_others_warn() {
    let load = |word: &str| {
        Fixture::new(&format!("project: {{flavour: elasticsearch}}\nelastic: {{use_version: {word}}}\n"))
            .component(
                "elasticsearch",
                "aliases: [elastic]\nlegacy: [{key: use_version, drop: the official chart is the only one, quiet: official}]\n",
            )
            .project()
    };
    assert!(warnings(&load("official")).is_empty());
    for other in ["community", "kubedb"] {
        assert!(has(&warnings(&load(other)), "the official chart is the only one"), "{other}");
    }
}

#[test]
fn flink_type_is_a_setting() {
    let load = |word: &str| {
        Fixture::new(&format!("project: {{flavour: flink}}\nflink: {{type: {word}}}\n"))
            .component("flink", "params: {type: {type: enum, enum: [session, job], default: session}, jar: {type: string}}\n")
    };
    assert_eq!(instance(&load("job").project(), "flink").params.to_json(), json!({"type": "job"}));
    assert_eq!(load("batch").errors().len(), 1);
}

const LAKE: &str = "uses: [{as: store, capability: s3}]\nparams: {bucket: {type: string}}\nlegacy:\n  \
    - {key: KEY.type, drop: bindings say it, quiet: [minio, s3]}\n  \
    - {key: KEY.bucket, to: bucket}\n  \
    - {key: KEY.minio_release, to: bind.store, when: {key: KEY.type, is: minio}}\n  \
    - {key: KEY.endpoint, to: external.store.endpoint, when: {key: KEY.type, is_not: minio}}\n  \
    - {key: KEY.access_key, to: external.store.accessKey, when: {key: KEY.type, is_not: minio}}\n  \
    - {key: KEY.secret_key, to: external.store.secretKey, when: {key: KEY.type, is_not: minio}}\n";

const CAPABILITIES: &str = "schema: capabilities/v1\ncapabilities:\n  s3:\n    outputs:\n      endpoint: {type: string}\n      \
    accessKey: {type: secret}\n      secretKey: {type: secret}\n";

#[test]
fn datalake_keys_become_a_binding_or_something_outside() {
    for (name, key) in [("pachyderm", "datalake"), ("mlflow", "artifact_store")] {
        let load = |section: &str| {
            Fixture::new(&format!("project: {{flavour: 'minio {name}'}}\nminio: {{release: minio-datalake}}\n{name}: {{{key}: {{{section}}}}}\n"))
                .component("minio", "")
                .component(name, &LAKE.replace("KEY", key))
                .with("components/capabilities.yaml", CAPABILITIES)
                .project()
        };
        let minio = load("type: minio, bucket: lake, minio_release: minio-datalake");
        let found = instance(&minio, name);
        assert_eq!(found.bind["store"].0, "minio");
        assert_eq!(found.params.to_json(), json!({"bucket": "lake"}));
        assert!(has(&warnings(&minio), &format!("write `{name}.bind.store` instead")));
        assert!(minio.platform.external.is_empty());

        let other = load(
            "type: s3, endpoint: 's3.example.org:443', access_key: open, secret_key: sesame, minio_release: x",
        );
        let found = instance(&other, name);
        let outside = &other.platform.external[&found.bind["store"].0];
        assert_eq!(outside.capability, "s3");
        assert_eq!(outside.outputs["endpoint"].as_text(), Some("s3.example.org:443"));
        let warnings = warnings(&other);
        assert!(has(&warnings, "plain-secret"), "{warnings:?}");
        assert!(has(&warnings, &format!("it is not used with this `{name}.{key}.type`")));
        assert!(!has(&warnings, "sesame"));
    }
}

#[test]
fn jhub_ds_image_is_the_notebook_environment() {
    let project = Fixture::new(
        "project: {flavour: jupyterhub}\njhub: {ds_image: {use_local_image: false, name: datamillcloud/pyspark_env, tag: 1.10}}\n\
         images: {pyspark: {context: images/pyspark}}\n",
    )
    .component(
        "jupyterhub",
        "aliases: [jhub]\nparams: {image: {type: string}, image_tag: {type: string}}\nlegacy:\n  - {key: ds_image.name, to: image}\n  \
         - {key: ds_image.tag, to: image_tag}\n  - {key: ds_image.use_local_image, drop: \"a local image is one of `images:`\", quiet: 'false'}\n",
    )
    .project();
    let found = instance(&project, "jupyterhub");
    assert_eq!(
        found.params.to_json(),
        json!({"image": "datamillcloud/pyspark_env", "image_tag": "1.10"})
    );
    assert!(project.images.is_some());
}

#[test]
fn a_setup_sh_without_component_yaml_says_what_to_write() {
    let fixture = minio("").with("components/mine/setup.sh", "#!/bin/sh\n");
    let errors = fixture.errors();
    assert!(has(&errors, "no-component-file: `components/mine` has a `setup.sh`"), "{errors:?}");
    assert!(has(&errors, "schema: component/v1"));
    let described = fixture.component("mine", "");
    assert!(described.errors().is_empty());
    let embedded = minio("").with("components/their/setup.sh", "#!/bin/sh\n").embedding(&[(
        "components/their/component.yaml",
        "schema: component/v1\nname: their\nsteps: [{id: m, kind: helm, chart: {path: chart}}]\n",
    )]);
    assert!(embedded.errors().is_empty(), "{:?}", embedded.errors());
}
