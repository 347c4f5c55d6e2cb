//! What a flavour exposes becomes Ingresses, and what would be open to everybody does not.

use serde_json::json;

use crate::catalogue::Expose;
use crate::catalogue::fixture::{
    component, expanded, external, messages, name, needs, platform, resource, well,
};
use crate::catalogue::{Expansion, Platform};
use crate::model::{KubernetesSpec, Manifests};

const TRAEFIK: &str = "
schema: component/v1
name: traefik
provides: [{capability: ingress}]
outputs: {class: {value: traefik}}
";

const ISSUER: &str = "
schema: component/v1
name: cert-manager
provides: [{capability: certificates}]
outputs: {issuer: {value: public}}
";

fn hub() -> String {
    component(
        "hub",
        "endpoints:\n- {id: ui, kind: ui, service: proxy, port: 80, path: /hub, expose: true}\n- {id: api, kind: api, service: hub, port: 8081, expose: true}\n- {id: metrics, kind: metrics, service: hub, port: 9090}",
    )
}

fn exposed(lines: &[&str]) -> Platform {
    Platform {
        expose: Expose::Ingress,
        domain: Some("data.example.org".to_owned()),
        ..platform(lines)
    }
}

fn refused(components: &[&str], platform: &Platform) -> Vec<String> {
    messages(&expanded(components, platform).unwrap_err())
}

fn objects(expansion: &Expansion) -> Vec<serde_json::Value> {
    let Some(KubernetesSpec::Objects(spec)) =
        resource(expansion, "hub/objects/ingress").kubernetes()
    else {
        panic!()
    };
    let Manifests::Inline(objects) = &spec.from else { panic!() };
    objects.iter().map(crate::model::Value::shown).collect()
}

#[test]
fn what_is_for_the_outside_gets_an_ingress_below_the_domain() {
    let expansion = expanded(&[TRAEFIK, &hub()], &exposed(&["traefik", "hub"])).unwrap();
    let objects = objects(&expansion);
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0]["metadata"], json!({"name": "hub-ui", "namespace": "data-mill"}));
    assert_eq!(
        objects[0]["spec"],
        json!({
            "ingressClassName": "traefik",
            "rules": [{"host": "hub.data.example.org", "http": {"paths": [{
                "path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": "proxy", "port": {"number": 80}}},
            }]}}],
        })
    );
    assert_eq!(objects[1]["spec"]["rules"][0]["host"], json!("hub-api.data.example.org"));
    let outside: Vec<_> = expansion.endpoints.iter().map(|e| e.outside.as_deref()).collect();
    assert_eq!(
        outside,
        [Some("http://hub.data.example.org/hub"), Some("http://hub-api.data.example.org"), None]
    );
    // Nothing of the platform waits for it.
    assert_eq!(
        needs(&expansion, "hub/objects/ingress"),
        ["hub/health/installed", "traefik/health/installed"]
    );
    assert!(!needs(&expansion, "hub/health/installed").contains(&"hub/objects/ingress".to_owned()));
}

#[test]
fn with_an_issuer_it_speaks_tls() {
    let all = [TRAEFIK, ISSUER, &hub()];
    let expansion = expanded(&all, &exposed(&["traefik", "cert-manager", "hub"])).unwrap();
    let objects = objects(&expansion);
    assert_eq!(
        objects[0]["metadata"]["annotations"],
        json!({"cert-manager.io/cluster-issuer": "public"})
    );
    assert_eq!(
        objects[0]["spec"]["tls"],
        json!([{"hosts": ["hub.data.example.org"], "secretName": "hub-ui-tls"}])
    );
    assert_eq!(expansion.endpoints[0].outside.as_deref(), Some("https://hub.data.example.org/hub"));
}

#[test]
fn an_ingress_class_from_outside_serves_as_well() {
    let mut platform = exposed(&["hub"]);
    platform.external.insert("ours".to_owned(), external("ingress", "{class: alb}", None));
    let expansion = expanded(&[&hub()], &platform).unwrap();
    assert_eq!(objects(&expansion)[0]["spec"]["ingressClassName"], json!("alb"));
}

#[test]
fn an_instance_may_say_otherwise() {
    let mut platform = exposed(&["traefik", "hub"]);
    let at = platform.instances[1].section.clone().unwrap();
    platform.instances[1].expose = Some((Expose::No, at));
    let expansion = expanded(&[TRAEFIK, &hub()], &platform).unwrap();
    assert!(!expansion.desired.resources.keys().any(|id| id.to_string() == "hub/objects/ingress"));
    assert!(expansion.endpoints.iter().all(|endpoint| endpoint.outside.is_none()));
    assert!(!well(&[&hub()], &["hub"]).desired.has(&name("ingress")));
}

#[test]
fn without_domain_or_provider_it_says_what_to_do() {
    let no_domain = Platform { domain: None, ..exposed(&["traefik", "hub"]) };
    assert_eq!(
        refused(&[TRAEFIK, &hub()], &no_domain),
        [
            "`hub` is exposed by Ingress, and there is no domain | set `project.domain`, such as `data.example.org`"
        ]
    );
    assert_eq!(
        refused(&[TRAEFIK, &hub()], &exposed(&["hub"])),
        [
            "`hub` is exposed by Ingress, and 0 in the flavour provide it | add one of: traefik; or describe yours under `external:` with its `class`"
        ]
    );
}

#[test]
fn a_usual_password_is_not_exposed() {
    let open = component(
        "hub",
        "endpoints: [{id: ui, kind: ui, service: proxy, port: 80, expose: true, login: {user: admin, password: admin}}]",
    );
    assert_eq!(
        refused(&[TRAEFIK, &open], &exposed(&["traefik", "hub"])),
        [
            "`hub/ui` would be open to everybody who knows its usual password | write `expose: none` in its section"
        ]
    );
}
