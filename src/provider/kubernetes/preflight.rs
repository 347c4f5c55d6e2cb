//! The facts that preflight is judged by: read in parallel, nothing written, nothing that the plan does not need.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::namespace;
use super::session::Link;
use super::several::several;
use super::{AT_A_TIME, Kubernetes};
use crate::adapter::kube::{Cluster, KubeError, Listing, ServedKind};
use crate::model::{Known, Object, ObjectRef};
use crate::plan::Plan;
use crate::plan::preflight::{
    Access, Backend, Check, Facts, Grants, Rule, Served, ServedKinds, Wishes, backend, concerns,
    needed, services,
};

/// Objects named of a namespace that is on its way out.
const NAMED: usize = 10;
const AUTHORIZATION: &str = "authorization.k8s.io/v1";
const ADMISSION: &str = "admissionregistration.k8s.io/v1";

impl Kubernetes {
    /// Gathers what preflight needs for a plan. What cannot be asked is noted, never taken for absent.
    pub async fn preflight(&self, plan: &Plan, skip: &BTreeSet<Check>, known: &Known) -> Facts {
        if !concerns(plan) {
            return Facts::default();
        }
        let Ok(Some(link)) = self.open(known, None).await else { return Facts::default() };
        let wishes = Wishes::of(plan);
        let mut facts = Facts { version: link.version.clone(), ..Facts::default() };
        match link.cluster.kinds().await {
            Ok(kinds) => facts.served = Some(kinds.all().map(served).collect()),
            Err(error) => {
                facts
                    .unasked
                    .insert(Check::Apis, self.settings.redactor.redact(&error.to_string()));
            }
        }
        let look = Look { link: &link, wishes: &wishes, skip };
        Box::pin(look.gather(&mut facts)).await;
        facts
    }
}

fn served(kind: &ServedKind) -> ((String, String), Served) {
    let served = Served {
        group: kind.group().to_owned(),
        plural: kind.plural.clone(),
        namespaced: kind.namespaced,
        sought: super::discover::can_bear_marks(kind),
    };
    ((kind.api_version.clone(), kind.kind.clone()), served)
}

/// What is looked at, and for what.
struct Look<'a> {
    link: &'a Link,
    wishes: &'a Wishes<'a>,
    skip: &'a BTreeSet<Check>,
}

/// What a list gave; nothing when it was not asked for.
type Listed = Option<Result<Vec<Object>, KubeError>>;

impl Look<'_> {
    fn cluster(&self) -> &Cluster {
        &self.link.cluster
    }

    /// Whether at least one of some checks is made.
    fn wants(&self, checks: &[Check]) -> bool {
        checks.iter().any(|check| !self.skip.contains(check))
    }

    async fn list(&self, listing: Listing, wanted: bool) -> Listed {
        if wanted { Some(self.cluster().list(&listing).await) } else { None }
    }

    async fn gather(&self, facts: &mut Facts) {
        let runs = self.wishes.runs_pods();
        let capacity = runs && self.wants(&[Check::Capacity]);
        let nodes = capacity || self.wants(&[Check::Requirements]);
        let storage = self.wishes.claims_volumes() && self.wants(&[Check::Storage]);
        // A simulated cluster calls no webhook, and its API groups are its own.
        let admission = !self.link.embedded && self.wants(&[Check::Webhooks]);
        let groups = !self.link.embedded && self.wants(&[Check::ApiServices]);
        let spaces = self.wants(&[Check::Namespaces]) || admission;
        let quotas = self.wants(&[Check::Quotas]);
        let over = "status.phase!=Succeeded,status.phase!=Failed";
        let empty = ServedKinds::new();
        let served = facts.served.clone().unwrap_or(empty);
        let (
            (grants, node_list, pods, spaces, classes),
            (mutating, validating, groups, quota_list, ranges),
            (runtimes, autoscaler),
        ) = futures::join!(
            async {
                futures::join!(
                    self.grants(&served),
                    self.list(Listing::of("v1", "Node"), nodes),
                    self.list(Listing::of("v1", "Pod").fields(over), capacity),
                    self.list(Listing::of("v1", "Namespace"), spaces),
                    self.list(Listing::of("storage.k8s.io/v1", "StorageClass"), storage),
                )
            },
            async {
                futures::join!(
                    self.list(Listing::of(ADMISSION, "MutatingWebhookConfiguration"), admission),
                    self.list(Listing::of(ADMISSION, "ValidatingWebhookConfiguration"), admission),
                    self.list(Listing::of("apiregistration.k8s.io/v1", "APIService"), groups),
                    self.inside("ResourceQuota", quotas),
                    self.inside("LimitRange", quotas || capacity),
                )
            },
            async {
                let runtimes = capacity && self.wishes.names_runtime_class();
                futures::join!(
                    self.list(Listing::of("node.k8s.io/v1", "RuntimeClass"), runtimes),
                    self.autoscaler(nodes),
                )
            },
        );
        facts.autoscaler = autoscaler;
        facts.grants = self.settle(grants, Check::Permissions, facts).flatten();
        facts.nodes = self.settle(node_list, Check::Capacity, facts);
        facts.pods = self.settle(pods, Check::Capacity, facts);
        facts.namespaces = self.settle(spaces, Check::Namespaces, facts);
        facts.storage_classes = self.settle(classes, Check::Storage, facts);
        let both = mutating.zip(validating).map(|(one, two)| {
            let (mut one, two) = (one?, two?);
            one.extend(two);
            Ok(one)
        });
        facts.webhooks = self.settle(both, Check::Webhooks, facts);
        facts.api_services = self.settle(groups, Check::ApiServices, facts);
        facts.quotas = self.settle(quota_list, Check::Quotas, facts);
        facts.limit_ranges = self.settle(ranges, Check::Quotas, facts);
        facts.runtime_classes = runtimes.and_then(Result::ok).unwrap_or_default();
        self.look_behind(facts).await;
    }

    /// The second look, at what the first one found: Services behind webhooks, and namespaces on their way out.
    async fn look_behind(&self, facts: &mut Facts) {
        let relied: Vec<&Object> =
            facts.webhooks.iter().chain(&facts.api_services).flatten().collect();
        let wanted = services(relied.into_iter());
        let backends: Vec<_> = wanted.iter().map(|service| self.backend(service)).collect();
        let going: Vec<String> = facts
            .namespaces
            .iter()
            .flatten()
            .filter(|namespace| namespace::terminating(namespace).is_some())
            .filter_map(|namespace| Some(namespace.reference()?.name))
            .filter(|name| self.wishes.namespaces().contains(name))
            .collect();
        let held: Vec<_> = going.iter().map(|name| self.held(name)).collect();
        let (backends, held) =
            futures::join!(several(backends, AT_A_TIME), several(held, AT_A_TIME));
        // A Service that cannot be looked at is no Service without an answer.
        let known = wanted.into_iter().zip(backends);
        facts.backends = known.filter_map(|(service, state)| Some((service, state?))).collect();
        facts.held = going.into_iter().zip(held).collect();
    }

    /// Takes an answer, or notes why there is none.
    fn settle<T>(
        &self,
        answer: Option<Result<T, KubeError>>,
        check: Check,
        facts: &mut Facts,
    ) -> Option<T> {
        match answer? {
            Ok(found) => Some(found),
            Err(KubeError::NoSuchKind { .. }) => None,
            Err(error) => {
                let why = self.link.redactor.redact(&error.to_string());
                facts.unasked.entry(check).or_insert(why);
                None
            }
        }
    }

    /// Objects of a kind in the namespaces of the plan: one list where that is allowed, else one for each.
    async fn inside(&self, kind: &str, wanted: bool) -> Listed {
        if !wanted {
            return None;
        }
        match self.cluster().list(&Listing::of("v1", kind)).await {
            Err(KubeError::Forbidden(_)) => {}
            answer => return Some(answer),
        }
        let list = |name: String| async move {
            self.cluster().list(&Listing::of("v1", kind).namespace(name)).await
        };
        let names = self.wishes.namespaces();
        let lists = several(names.into_iter().map(list).collect(), AT_A_TIME).await;
        Some(lists.into_iter().collect::<Result<Vec<_>, _>>().map(|lists| lists.concat()))
    }

    /// Whether nodes come by themselves: the cluster autoscaler tells of itself, Karpenter has kinds of its own.
    async fn autoscaler(&self, wanted: bool) -> bool {
        if !wanted {
            return false;
        }
        let status = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: Some("kube-system".to_owned()),
            name: "cluster-autoscaler-status".to_owned(),
        };
        let (told, kinds) = futures::join!(self.cluster().get(&status), self.cluster().kinds());
        let karpenter = kinds.is_ok_and(|kinds| kinds.all().any(|k| k.group() == "karpenter.sh"));
        karpenter || told.is_ok_and(|told| told.is_some())
    }

    /// Whether something answers for a Service; nothing when that could not be found out.
    async fn backend(&self, service: &(String, String)) -> Option<Backend> {
        let name = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Service".to_owned(),
            namespace: Some(service.0.clone()),
            name: service.1.clone(),
        };
        let slices = Listing::of("discovery.k8s.io/v1", "EndpointSlice")
            .namespace(&service.0)
            .labels(format!("kubernetes.io/service-name={}", service.1));
        let (found, slices) =
            futures::join!(self.cluster().get(&name), self.cluster().list(&slices));
        Some(backend(found.ok()?.is_some(), &slices.ok()?, service))
    }

    /// What is left in a namespace that is on its way out, and the finalizers that hold it.
    async fn held(&self, name: &str) -> Vec<String> {
        let Ok(kinds) = self.cluster().kinds().await else { return Vec::new() };
        let listable =
            kinds.preferred().iter().filter(|k| k.namespaced && k.can("list") && k.can("delete"));
        let list = |kind: &ServedKind| {
            let listing =
                Listing::of(&kind.api_version, &kind.kind).namespace(name).metadata_only();
            async move { self.cluster().list(&listing).await.unwrap_or_default() }
        };
        let lists = several(listable.map(list).collect(), AT_A_TIME).await;
        let held = lists.iter().flatten().filter_map(|object| {
            let finalizers = super::discover::texts(object, "/metadata/finalizers");
            let what = object.reference()?;
            (!finalizers.is_empty())
                .then(|| format!("{what} is held by finalizer {}", finalizers.join(", ")))
        });
        held.take(NAMED).collect()
    }

    /// What this account may not do of all that the plan needs; nothing inside when it may do everything.
    async fn grants(&self, served: &ServedKinds) -> Option<Result<Option<Grants>, KubeError>> {
        if !self.wants(&[Check::Permissions]) {
            return None;
        }
        Some(self.ask_grants(served).await)
    }

    async fn ask_grants(&self, served: &ServedKinds) -> Result<Option<Grants>, KubeError> {
        let everything = json!({"verb": "*", "group": "*", "resource": "*"});
        if self.may(&everything).await? {
            return Ok(None);
        }
        let needed: BTreeSet<Access> = needed(self.wishes, served).into_keys().collect();
        let places: BTreeSet<String> =
            needed.iter().filter_map(|access| access.namespace.clone()).collect();
        let rules: Vec<_> = places.iter().map(|namespace| self.rules(namespace)).collect();
        let rules = several(rules, AT_A_TIME).await;
        let rules: BTreeMap<String, Vec<Rule>> = places
            .into_iter()
            .zip(rules)
            .map(|(place, rules)| Ok((place, rules?)))
            .collect::<Result<_, KubeError>>()?;
        // What rules do not show may still be allowed by other means: each is asked for on its own.
        let unclear: Vec<Access> = needed
            .into_iter()
            .filter(|access| {
                let here = access.namespace.as_ref().and_then(|place| rules.get(place));
                !here.is_some_and(|rules| rules.iter().any(|rule| rule.allows(access)))
            })
            .collect();
        let asked: Vec<_> = unclear
            .iter()
            .map(|access| async move { self.may(&attributes(access)).await })
            .collect();
        let answers = several(asked, AT_A_TIME).await;
        let mut denied = BTreeSet::new();
        for (access, answer) in unclear.into_iter().zip(answers) {
            if !answer? {
                denied.insert(access);
            }
        }
        let user = if denied.is_empty() { None } else { self.user().await };
        Ok(Some(Grants { user, denied }))
    }

    async fn may(&self, attributes: &Json) -> Result<bool, KubeError> {
        let spec = json!({"resourceAttributes": attributes});
        let answer = self.cluster().review(AUTHORIZATION, "SelfSubjectAccessReview", &spec).await?;
        Ok(answer.pointer("/status/allowed") == Some(&Json::Bool(true)))
    }

    async fn rules(&self, namespace: &str) -> Result<Vec<Rule>, KubeError> {
        let spec = json!({"namespace": namespace});
        let answer = self.cluster().review(AUTHORIZATION, "SelfSubjectRulesReview", &spec).await?;
        let rules = answer.pointer("/status/resourceRules").and_then(Json::as_array);
        Ok(rules.into_iter().flatten().map(rule).collect())
    }

    async fn user(&self) -> Option<String> {
        let answer = self
            .cluster()
            .review("authentication.k8s.io/v1", "SelfSubjectReview", &json!({}))
            .await;
        Some(answer.ok()?.pointer("/status/userInfo/username")?.as_str()?.to_owned())
    }
}

fn rule(json: &Json) -> Rule {
    let words = |key: &str| {
        let list = json.get(key).and_then(Json::as_array).into_iter().flatten();
        list.filter_map(Json::as_str).map(str::to_owned).collect()
    };
    Rule {
        verbs: words("verbs"),
        groups: words("apiGroups"),
        resources: words("resources"),
        names: words("resourceNames"),
    }
}

fn attributes(access: &Access) -> Json {
    let mut attributes = json!({
        "verb": access.verb, "group": access.group, "resource": access.resource,
    });
    for (key, value) in [("namespace", &access.namespace), ("name", &access.name)] {
        if let (Some(value), Json::Object(map)) = (value, &mut attributes) {
            map.insert(key.to_owned(), json!(value));
        }
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_attributes_speak_the_servers_language() {
        let access = Access {
            namespace: Some("a".to_owned()),
            group: "apps".to_owned(),
            resource: "deployments".to_owned(),
            name: None,
            verb: "create",
        };
        assert_eq!(
            attributes(&access),
            json!({"verb": "create", "group": "apps", "resource": "deployments", "namespace": "a"})
        );
        let rule = rule(&json!({"verbs": ["create"], "apiGroups": ["apps"], "resources": ["*"]}));
        assert!(rule.allows(&access));
    }
}
