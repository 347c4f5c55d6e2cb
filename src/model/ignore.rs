//! Fields that are not ours to decide: those that a flavour or a component says so of, and those that something in the cluster
//! sets by design. Pure.

use serde_json::Value as Json;

use super::{Object, ObjectRef};

/// A rule of a flavour or a component: `Kind/name:/json/pointer`, with `*` for any kind, any name, or any one part of the
/// pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignore {
    /// Where.
    pub path: String,
    /// Why, for people.
    pub reason: Option<String>,
}

/// A field that was wanted and is left to others.
#[derive(Debug, Clone, PartialEq)]
pub struct Ignored {
    /// In which object.
    pub object: ObjectRef,
    /// Where: a JSON pointer.
    pub path: String,
    /// What the files say.
    pub wanted: Json,
    /// Why it is left.
    pub reason: String,
}

/// When a built-in rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Always.
    Always,
    /// An autoscaler of pods names the object as its target.
    Autoscaled,
    /// Something puts a bundle of certificates in: an annotation of cert-manager's says so, or what the files say is empty.
    Injected,
}

/// A built-in rule.
struct BuiltIn {
    /// Kinds, `*` for any.
    kinds: &'static [&'static str],
    /// A JSON pointer; `*` is any one part, a trailing `*` within a part any rest of it.
    path: &'static str,
    when: When,
    /// For people.
    reason: &'static str,
    /// Where that is written.
    #[expect(dead_code, reason = "for whoever reads or changes the table")]
    source: &'static str,
}

/// What others set by design. Values that the server fills in by itself are in no row: both sides of every comparison come from
/// the server, so that they are equal there.
const BUILT_IN: [BuiltIn; 7] = [
    BuiltIn {
        kinds: &["*"],
        path: "/spec/replicas",
        when: When::Autoscaled,
        reason: "an autoscaler sets it",
        source: "kubernetes.io, Horizontal Pod Autoscaling: Migrating Deployments and StatefulSets to horizontal autoscaling",
    },
    BuiltIn {
        kinds: &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
        path: "/webhooks/*/clientConfig/caBundle",
        when: When::Injected,
        reason: "certificates are injected",
        source: "cert-manager.io, Concepts: CA Injector",
    },
    BuiltIn {
        kinds: &["CustomResourceDefinition"],
        path: "/spec/conversion/webhook/clientConfig/caBundle",
        when: When::Injected,
        reason: "certificates are injected",
        source: "cert-manager.io, Concepts: CA Injector",
    },
    BuiltIn {
        kinds: &["APIService"],
        path: "/spec/caBundle",
        when: When::Injected,
        reason: "certificates are injected",
        source: "cert-manager.io, Concepts: CA Injector",
    },
    BuiltIn {
        kinds: &["PersistentVolumeClaim", "PersistentVolume"],
        path: "/metadata/annotations/pv.kubernetes.io~1*",
        when: When::Always,
        reason: "the volume controller sets it",
        source: "kubernetes.io, Well-Known Labels, Annotations and Taints",
    },
    BuiltIn {
        kinds: &["PersistentVolumeClaim", "PersistentVolume"],
        path: "/metadata/annotations/volume.kubernetes.io~1*",
        when: When::Always,
        reason: "the volume controller sets it",
        source: "kubernetes.io, Well-Known Labels, Annotations and Taints",
    },
    BuiltIn {
        kinds: &["Service", "Ingress"],
        path: "/metadata/annotations/cloud.google.com~1neg-status",
        when: When::Always,
        reason: "the load balancer's controller sets it",
        source: "cloud.google.com, GKE: Standalone network endpoint groups",
    },
];

/// Fields of a cloud's things that others set by design: kind, field, reason. The autoscaler of nodes moves the size between its
/// bounds (kubernetes/autoscaler, `cluster-autoscaler/FAQ.md`).
pub const CLOUD: [(&str, &str, &str); 1] =
    [("node-group", "/desired_size", "the autoscaler of nodes sets it")];

/// Annotations by which cert-manager is told to inject a bundle.
const INJECTS: [&str; 3] = [
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
];

/// What an autoscaler scales.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScaleTarget {
    /// The namespace, where it is known.
    pub namespace: Option<String>,
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
}

/// The kinds that scale others, and where they name what they scale: with their API versions, for lists.
pub const AUTOSCALERS: [(&str, &str); 2] =
    [("autoscaling/v2", "HorizontalPodAutoscaler"), ("keda.sh/v1alpha1", "ScaledObject")];

impl ScaleTarget {
    /// What an object scales, if it is an autoscaler.
    pub fn of(object: &Json) -> Option<Self> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Json::as_str);
        let kind = text("/kind")?;
        AUTOSCALERS.iter().find(|(_, scaler)| *scaler == kind)?;
        Some(Self {
            namespace: text("/metadata/namespace").map(str::to_owned),
            // KEDA takes a Deployment where no kind is named.
            kind: text("/spec/scaleTargetRef/kind").unwrap_or("Deployment").to_owned(),
            name: text("/spec/scaleTargetRef/name")?.to_owned(),
        })
    }

    fn is(&self, object: &Json) -> bool {
        let text = |pointer: &str| object.pointer(pointer).and_then(Json::as_str);
        let namespace = text("/metadata/namespace");
        text("/kind") == Some(self.kind.as_str())
            && text("/metadata/name") == Some(self.name.as_str())
            && self.namespace.as_deref().is_none_or(|own| namespace.is_none_or(|it| it == own))
    }
}

/// Why a field of an object is left to others by itself; nothing where it is not.
pub fn built_in(
    object: &Json,
    path: &str,
    wanted: Option<&Json>,
    scaled: &[ScaleTarget],
) -> Option<&'static str> {
    let kind = object.get("kind").and_then(Json::as_str).unwrap_or_default();
    let rule = BUILT_IN.iter().find(|rule| {
        (rule.kinds.contains(&kind) || rule.kinds.contains(&"*"))
            && covers(rule.path, path)
            && match rule.when {
                When::Always => true,
                When::Autoscaled => scaled.iter().any(|target| target.is(object)),
                When::Injected => is_injected(object) || is_placeholder(wanted),
            }
    });
    rule.map(|rule| rule.reason)
}

fn is_injected(object: &Json) -> bool {
    let annotations = object.pointer("/metadata/annotations");
    annotations.is_some_and(|map| INJECTS.iter().any(|key| map.get(key).is_some()))
}

/// Whether a bundle holds nothing: charts write a line end in base 64 where an operator puts its own in.
fn is_placeholder(bundle: Option<&Json>) -> bool {
    match bundle {
        None | Some(Json::Null) => true,
        Some(Json::String(text)) => matches!(text.as_str(), "" | "Cg=="),
        Some(Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_)) => false,
    }
}

/// Takes out of an object what others set by design.
pub fn drop_built_in(object: &mut Json, scaled: &[ScaleTarget]) -> Vec<(String, Json, String)> {
    let mut dropped = Vec::new();
    for rule in BUILT_IN.iter().filter(|rule| rule.when != When::Always) {
        let whole = object.clone();
        let reason = |path: &str, value: &Json| built_in(&whole, path, Some(value), scaled);
        let mut taken = Vec::new();
        take(object, "", &parts_of(rule.path), &reason, &mut taken);
        dropped.extend(taken);
    }
    dropped
}

/// Takes out of an object what a rule names; each place with what stood there.
pub fn drop_at(rule: &str, object: &mut Json) -> Vec<(String, Json)> {
    let Some((pattern, pointer)) = rule.split_once(":/") else { return Vec::new() };
    if !names(pattern, object) {
        return Vec::new();
    }
    let mut taken = Vec::new();
    take(object, "", &parts_of(&format!("/{pointer}")), &|_, _| Some(""), &mut taken);
    taken.into_iter().map(|(path, value, _)| (path, value)).collect()
}

/// Whether `Kind/name` means the object.
pub fn names(pattern: &str, object: &Json) -> bool {
    let (wanted_kind, wanted_name) = pattern.split_once('/').unwrap_or((pattern, "*"));
    let text = |pointer: &str| object.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
    (wanted_kind == "*" || wanted_kind == text("/kind"))
        && (wanted_name == "*" || wanted_name == text("/metadata/name"))
}

/// Whether a rule means a place of an object, or what lies around it.
pub fn means(rule: &str, object: &Json, path: &str) -> bool {
    rule.split_once(":/").is_some_and(|(pattern, pointer)| {
        names(pattern, object) && covers(&format!("/{pointer}"), path)
    })
}

/// Whether a pointer with `*` in it covers a place: the place is it, or lies below it.
fn covers(pattern: &str, path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    pattern.split('/').skip(1).all(|wanted| {
        parts.next().is_some_and(|part| match wanted.strip_suffix('*') {
            Some(head) => part.starts_with(head),
            None => part == wanted,
        })
    })
}

fn parts_of(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

/// The JSON pointer to a key below another one.
pub fn pointer_to(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Says why a value is taken out of a place; nothing where it stays.
type Reason<'a> = dyn Fn(&str, &Json) -> Option<&'static str> + 'a;
/// Places with what stood there, and why it went.
type Taken = Vec<(String, Json, String)>;

fn take(value: &mut Json, at: &str, parts: &[String], why: &Reason<'_>, taken: &mut Taken) {
    let Some((first, rest)) = parts.split_first() else { return };
    let keys: Vec<String> = match value {
        Json::Object(map) if first == "*" => map.keys().cloned().collect(),
        // From the end, so that places keep their numbers.
        Json::Array(items) if first == "*" => {
            (0..items.len()).rev().map(|at| at.to_string()).collect()
        }
        Json::Object(_) | Json::Array(_) => vec![first.clone()],
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => return,
    };
    for key in keys {
        let place = pointer_to(at, &key);
        if !rest.is_empty() {
            if let Some(inner) = child(value, &key) {
                take(inner, &place, rest, why, taken);
            }
            continue;
        }
        let reason = child(value, &key).and_then(|inner| why(&place, inner));
        if let Some(reason) = reason
            && let Some(gone) = remove(value, &key)
        {
            taken.push((place, gone, reason.to_owned()));
        }
    }
}

fn child<'v>(value: &'v mut Json, key: &str) -> Option<&'v mut Json> {
    match value {
        Json::Object(map) => map.get_mut(key),
        Json::Array(items) => items.get_mut(key.parse::<usize>().ok()?),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
    }
}

fn remove(value: &mut Json, key: &str) -> Option<Json> {
    match value {
        Json::Object(map) => map.remove(key),
        Json::Array(items) => {
            let at = key.parse::<usize>().ok().filter(|at| *at < items.len())?;
            Some(items.remove(at))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
    }
}

/// The object without some places.
pub fn without<'p>(object: &Object, places: impl IntoIterator<Item = &'p str>) -> Object {
    places.into_iter().fold(object.clone(), |object, place| with(&object, place, None))
}

/// The object with the live values in some places: what others set stays as they set it.
pub fn with_live<'p>(
    object: &Object,
    live: &Object,
    places: impl IntoIterator<Item = &'p str>,
) -> Object {
    places
        .into_iter()
        .fold(object.clone(), |object, place| with(&object, place, live.0.pointer(place)))
}

/// The object with a value in a place, or without any there. Maps on the way are made; a list must be there.
pub fn with(object: &Object, place: &str, value: Option<&Json>) -> Object {
    let mut object = object.clone();
    let parts = parts_of(place);
    let Some((last, way)) = parts.split_last() else { return object };
    let mut here = &mut object.0;
    for part in way {
        if let (Json::Object(map), Some(_)) = (&mut *here, value) {
            map.entry(part.clone()).or_insert_with(|| Json::Object(serde_json::Map::new()));
        }
        match child(here, part) {
            Some(next) => here = next,
            None => return object,
        }
    }
    match (here, value) {
        (Json::Object(map), Some(value)) => {
            map.insert(last.clone(), value.clone());
        }
        (here @ Json::Array(_), Some(value)) => {
            if let Some(slot) = child(here, last) {
                *slot = value.clone();
            }
        }
        (here, None) => {
            remove(here, last);
        }
        (Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_), Some(_)) => {}
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn replicas_are_left_to_an_autoscaler_and_to_nobody_else() {
        let of = |kind: &str, name: &str| json!({"kind": kind, "metadata": {"name": name, "namespace": "n"}, "spec": {"replicas": 2}});
        let scaler = |target: Json| {
            json!({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "x", "namespace": "n"},
                "spec": {"scaleTargetRef": target}})
        };
        let targets = vec![
            ScaleTarget::of(&scaler(json!({"kind": "StatefulSet", "name": "a"}))).unwrap(),
            ScaleTarget::of(&json!({"kind": "ScaledObject", "metadata": {"name": "x"},
                "spec": {"scaleTargetRef": {"name": "b"}}}))
            .unwrap(),
        ];
        let table =
            [("StatefulSet", "a", true), ("Deployment", "a", false), ("Deployment", "b", true)];
        for (kind, name, left) in table {
            let mut object = of(kind, name);
            assert_eq!(
                drop_built_in(&mut object, &targets).len(),
                usize::from(left),
                "{kind} {name}"
            );
            assert_eq!(object["spec"].get("replicas").is_none(), left);
        }
        let elsewhere = json!({"kind": "StatefulSet", "metadata": {"name": "a", "namespace": "m"}});
        assert_eq!(built_in(&elsewhere, "/spec/replicas", None, &targets), None);
        assert_eq!(ScaleTarget::of(&of("Deployment", "a")), None);
    }

    #[test]
    fn an_injected_bundle_is_left_and_one_of_the_charts_own_is_not() {
        let of = |annotations: Json, bundle: Json| {
            json!({"kind": "MutatingWebhookConfiguration", "metadata": {"annotations": annotations},
                "webhooks": [{"clientConfig": {"caBundle": bundle}}, {"clientConfig": {"url": "x"}}]})
        };
        let path = "/webhooks/0/clientConfig/caBundle";
        let table = [
            (json!({}), json!(""), true),
            (json!({}), json!("Cg=="), true),
            (json!({}), json!("QUJD"), false),
            (json!({"cert-manager.io/inject-ca-from": "n/c"}), json!("QUJD"), true),
        ];
        for (annotations, bundle, left) in table {
            let mut object = of(annotations, bundle.clone());
            assert_eq!(built_in(&object, path, Some(&bundle), &[]).is_some(), left, "{bundle}");
            let dropped = drop_built_in(&mut object, &[]);
            assert_eq!(dropped.first().map(|(path, ..)| path.as_str()), left.then_some(path));
        }
    }

    #[test]
    fn a_rule_means_its_place_and_what_lies_below() {
        let object = json!({"kind": "Service", "metadata": {"name": "s"}});
        assert!(means("Service/s:/spec/ports", &object, "/spec/ports/0/nodePort"));
        assert!(means("*/*:/spec/*/0", &object, "/spec/ports/0"));
        for rule in ["Service/t:/spec/ports", "Service/s:/spec/port", "nonsense"] {
            assert!(!means(rule, &object, "/spec/ports/0"), "{rule}");
        }
        let claim = json!({"kind": "PersistentVolumeClaim"});
        let path = "/metadata/annotations/pv.kubernetes.io~1bind-completed";
        assert!(built_in(&claim, path, None, &[]).is_some());
    }

    #[test]
    fn what_is_taken_out_of_lists_keeps_its_numbers() {
        let mut object = json!({"kind": "X", "c": [{"x": 1}, {"y": 2}, {"x": 3}], "d": [1, 2]});
        let taken = drop_at("X/*:/c/*/x", &mut object);
        let places: Vec<_> = taken.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(places, ["/c/2/x", "/c/0/x"]);
        drop_at("X/*:/d/*", &mut object);
        assert_eq!(object, json!({"kind": "X", "c": [{}, {"y": 2}, {}], "d": []}));
    }

    #[test]
    fn live_values_take_their_places() {
        let object = Object(json!({"kind": "X", "spec": {"replicas": 1, "list": [{"a": 1}]}}));
        let live = Object(json!({"spec": {"replicas": 3, "list": [{"a": 2}], "deep": {"x": 1}}}));
        let all = ["/spec/replicas", "/spec/list/0/a", "/spec/deep/x", "/spec/none"];
        let merged = with_live(&object, &live, all);
        assert_eq!(merged.0["spec"], json!({"replicas": 3, "list": [{"a": 2}], "deep": {"x": 1}}));
        assert_eq!(without(&object, ["/spec/replicas", "/spec/list"]).0["spec"], json!({}));
    }
}
