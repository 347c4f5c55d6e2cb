//! What of an instance is reached from outside: an Ingress below the project's domain.

use std::collections::BTreeMap;

use serde_json::json;

use super::Site;
use super::job::map;
use crate::catalogue::platform::Expose;
use crate::catalogue::rule::EndpointRule;
use crate::catalogue::scope::{Found, Scope};
use crate::catalogue::world::{Member, World};
use crate::model::{
    Endpoint, KubernetesSpec, LoginPart, Manifests, ObjectsSpec, ResourceId, ResourceKind, Value,
};
use crate::yaml::{Problem, Problems, Span};

/// Who puts Ingresses into effect.
struct Controller {
    /// The name of its `IngressClass`.
    class: Value,
    /// Its health, where it is part of the platform.
    ready: Option<ResourceId>,
}

impl Site<'_, '_, '_, '_> {
    /// The address outside of the cluster of an endpoint, where the flavour wants one by Ingress.
    pub(super) fn outside(&self, rule: &EndpointRule) -> Option<String> {
        let platform = self.scope.world.platform;
        if !rule.expose || self.member.expose(platform) != Expose::Ingress {
            return None;
        }
        let scheme = if self.issuer().is_some() { "https" } else { "http" };
        let path =
            rule.path.as_ref().and_then(|tree| self.scope.text(tree, &mut Problems::default()));
        Some(format!("{scheme}://{}{}", self.host(&rule.id)?, path.unwrap_or_default()))
    }

    /// The name under the project's domain: that of the instance for its first address, with the address's own for the others.
    fn host(&self, id: &str) -> Option<String> {
        let domain = self.scope.world.platform.domain.as_ref()?;
        let mut exposed = self.member.component.endpoints.iter().filter(|rule| rule.expose);
        let name = self.member.name();
        Some(match exposed.next() {
            Some(first) if first.id == id => format!("{name}.{domain}"),
            _ => format!("{name}-{id}.{domain}"),
        })
    }

    /// Makes the Ingress of what the flavour exposes. It is no part of the instance's health: who puts it into effect may need
    /// the instance.
    pub(super) fn expose(&mut self, endpoints: &[Endpoint]) {
        let platform = self.scope.world.platform;
        if self.member.expose(platform) != Expose::Ingress {
            return;
        }
        let rules = self.member.component.endpoints.iter().filter(|rule| rule.expose);
        let exposed: Vec<&Endpoint> = rules
            .filter_map(|rule| endpoints.iter().find(|endpoint| endpoint.id == rule.id))
            .collect();
        if exposed.is_empty() {
            return;
        }
        let said = self.member.instance.expose.as_ref().map(|(_, at)| at);
        let at = said.or(platform.expose_at.as_ref()).unwrap_or(self.member.at()).clone();
        if platform.domain.is_none() {
            let message =
                format!("`{}` is exposed by Ingress, and there is no domain", self.member.name());
            let help = "set `project.domain`, such as `data.example.org`";
            self.yard.problems.push(Problem::error("no-domain", message).at(&at).help(help));
            return;
        }
        let Some(controller) = self.controller(&at) else { return };
        let mut objects = Vec::new();
        for endpoint in exposed {
            if let Some(LoginPart::Text(_)) =
                endpoint.login.as_ref().and_then(|login| login.password.as_ref())
            {
                let message = format!(
                    "`{}/{}` would be open to everybody who knows its usual password",
                    endpoint.instance, endpoint.id
                );
                let help = "write `expose: none` in its section";
                self.yard
                    .problems
                    .push(Problem::error("default-login", message).at(&at).help(help));
                continue;
            }
            if endpoint.tls || !["ui", "api"].contains(&endpoint.kind.as_str()) {
                let message = format!(
                    "`{}/{}` is not reached by Ingress: it does not speak plain HTTP",
                    endpoint.instance, endpoint.id
                );
                let help =
                    "write `expose: none` in its section, or `loadbalancer` where it knows that";
                self.yard.problems.push(Problem::error("not-http", message).at(&at).help(help));
                continue;
            }
            objects.extend(self.ingress(endpoint, &controller));
        }
        if objects.is_empty() {
            return;
        }
        let namespace = self.member.namespace.clone();
        let spec = ObjectsSpec {
            namespace: namespace.clone(),
            from: Manifests::Inline(objects),
            labels: BTreeMap::new(),
        };
        let mut resource =
            self.resource(ResourceKind::Objects, "ingress", KubernetesSpec::Objects(spec));
        resource.needs.insert(self.scope.health_id());
        resource.needs.extend(controller.ready);
        self.yard.desired.insert(resource);
    }

    fn ingress(&self, endpoint: &Endpoint, controller: &Controller) -> Option<Value> {
        let host = self.host(&endpoint.id)?;
        let name = format!("{}-{}", self.member.release, endpoint.id);
        let path = json!({
            "path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": endpoint.service, "port": {"number": endpoint.port}}},
        });
        let issuer = self.issuer();
        let annotations = issuer.as_ref().map(|by| json!({"cert-manager.io/cluster-issuer": by}));
        let tls = issuer.map(|_| json!([{"hosts": [host], "secretName": format!("{name}-tls")}]));
        let rules = json!([{"host": host, "http": {"paths": [path]}}]);
        let metadata = [
            ("name", Some(json!(name))),
            ("namespace", Some(json!(endpoint.namespace))),
            ("annotations", annotations),
        ];
        let spec = [
            ("ingressClassName", Some(controller.class.clone())),
            ("rules", Some(Value::from_json(&rules))),
            ("tls", tls.as_ref().map(Value::from_json)),
        ];
        let metadata = metadata.map(|(key, value)| (key, value.as_ref().map(Value::from_json)));
        Some(map([
            ("apiVersion", Some(Value::text("networking.k8s.io/v1"))),
            ("kind", Some(Value::text("Ingress"))),
            ("metadata", Some(map(metadata))),
            ("spec", Some(map(spec))),
        ]))
    }

    /// The one provider of `ingress`.
    fn controller(&mut self, at: &Span) -> Option<Controller> {
        let mut found = self.providers_of("ingress");
        let outside = self.scope.world.platform.external.iter();
        let outside = outside.filter(|(_, external)| external.capability == "ingress");
        let external: Vec<_> = outside
            .filter_map(|(_, external)| external.outputs.get("class")?.as_text())
            .map(|class| Controller { class: Value::Text(class.to_owned()), ready: None })
            .collect();
        let (count, name) = (found.len() + external.len(), self.member.name());
        if count != 1 {
            let message =
                format!("`{name}` is exposed by Ingress, and {count} in the flavour provide it");
            let known = self.scope.world.catalogue.components();
            let known =
                known.filter(|one| one.provides().iter().any(|p| p.capability == "ingress"));
            let known: Vec<_> = known.map(|one| one.name().to_owned()).collect();
            let help = match known.as_slice() {
                [] => "describe yours under `external:` with its `class`".to_owned(),
                known => format!(
                    "add one of: {}; or describe yours under `external:` with its `class`",
                    known.join(", ")
                ),
            };
            self.yard.problems.push(Problem::error("no-ingress", message).at(at).help(help));
            return None;
        }
        let Some(provider) = found.pop() else { return external.into_iter().next() };
        let scope = Scope::new(self.scope.world, provider);
        let class = provided(&scope, provider, "ingress", "class")?;
        // What puts its own Ingress into effect waits for itself anyway.
        let ready = (provider.name() != name).then(|| scope.health_id());
        Some(Controller { class, ready })
    }

    /// The issuer that signs certificates for addresses, where the platform has one.
    fn issuer(&self) -> Option<String> {
        let providers = self.providers_of("certificates");
        let Some(provider) = providers.first() else {
            let mut outside = self.scope.world.platform.external.values();
            let outside = outside.find(|external| external.capability == "certificates")?;
            return outside.outputs.get("issuer")?.as_text().map(str::to_owned);
        };
        let scope = Scope::new(self.scope.world, provider);
        let issuer = provided(&scope, provider, "certificates", "issuer")?.shown();
        issuer.as_str().filter(|issuer| !issuer.is_empty()).map(str::to_owned)
    }

    fn providers_of(&self, capability: &str) -> Vec<&Member<'_>> {
        let members = self.scope.world.members.iter();
        let provides = |member: &&Member<'_>| {
            let scope = Scope::new(self.scope.world, member);
            let mut provides = member.component.provides().iter();
            provides.any(|provide| {
                provide.capability == capability
                    && scope.holds(provide.when.as_ref(), &mut Problems::default())
            })
        };
        members.filter(provides).collect()
    }
}

/// Says where something is to be exposed and has no address for the outside.
pub(super) fn check(world: &World<'_>, problems: &mut Problems) {
    let platform = world.platform;
    let has_one = |member: &Member<'_>| member.component.endpoints.iter().any(|rule| rule.expose);
    for member in &world.members {
        if let Some((expose, at)) = &member.instance.expose
            && *expose == Expose::Ingress
            && !has_one(member)
        {
            let message = format!("`{}` has no address for the outside", member.name());
            let help = "it is reached from inside of the cluster, or by `datamill forward`";
            problems.push(Problem::warning("nothing-exposed", message).at(at).help(help));
        }
    }
    if let (Expose::Ingress, Some(at)) = (platform.expose, &platform.expose_at)
        && !world.members.iter().any(has_one)
    {
        let message = "nothing in the flavour has an address for the outside";
        problems.push(Problem::warning("nothing-exposed", message).at(at));
    }
}

/// What a provider gives by a contract; what is wrong with it is said where the contract is checked.
fn provided(
    scope: &Scope<'_, '_>,
    member: &Member<'_>,
    capability: &str,
    name: &str,
) -> Option<Value> {
    let provide = member.component.provides().iter().find(|p| p.capability == capability)?;
    let own = provide.map.get(name).map_or(name, String::as_str);
    match scope.own_output(own, &mut Problems::default()) {
        Ok(Found::Value(value)) => Some(value),
        Ok(Found::Ref(_)) | Err(_) => None,
    }
}
