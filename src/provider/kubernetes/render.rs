//! What resources other than releases will be in their cluster: objects with our marks. Reads manifests; pure otherwise.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::compare::merge;
use crate::model::{
    ClaimSpec, Class, CrdsSpec, Digest, Failure, FailureKind, Identity, Ignored, JobSpec,
    KubernetesSpec, Leaf, Marks, NamespaceSpec, Object, ObjectsSpec, POLICY, RemovalSpec, Rendered,
    Rerun, Resource, ScaleTarget, SecretRef, SecretRule, SecretSpec, Value, annotation, ignore,
    is_cluster_wide, label_value,
};

/// Fills places: outputs that are known, the rest as shown.
pub(super) struct Fill<'a> {
    /// An output, when it is known.
    pub output: &'a dyn Fn(&crate::model::ResourceId, &str) -> Option<Json>,
    /// The value behind a key of a Secret, when it may be seen.
    pub secret: &'a dyn Fn(&SecretRef) -> Option<String>,
}

/// What rendering needs beside the resource.
pub(super) struct Drawing<'a> {
    /// Who acts.
    pub identity: &'a Identity,
    /// Fills places.
    pub fill: Fill<'a>,
    /// Manifests of the resource that are not written in it, as parsed.
    pub manifests: &'a [Json],
    /// Kinds that lie in no namespace beside those of Kubernetes itself, as `group/Kind`.
    pub cluster_wide: &'a BTreeSet<String>,
}

/// Draws a resource; nothing for releases and for what only looks.
pub(super) fn draw(
    resource: &Resource,
    drawing: &Drawing<'_>,
) -> Result<Option<Rendered>, Failure> {
    let mut pen = Pen { resource, drawing, unknown: BTreeSet::new() };
    let mut objects = match resource.kubernetes() {
        Some(KubernetesSpec::Installation) => vec![pen.installation()],
        Some(KubernetesSpec::Namespace(spec)) => vec![pen.namespace(spec)],
        Some(KubernetesSpec::Secret(spec)) => vec![pen.secret(spec)],
        Some(KubernetesSpec::Claim(spec)) => vec![pen.claim(spec)],
        Some(KubernetesSpec::Crds(spec)) => pen.crds(spec)?,
        Some(KubernetesSpec::Objects(spec)) => pen.objects(spec)?,
        Some(KubernetesSpec::Job(spec)) => vec![pen.job(spec)?],
        Some(KubernetesSpec::Removal(spec)) => vec![pen.removal(spec)?],
        Some(KubernetesSpec::Release(_) | KubernetesSpec::Wait(_)) | None => return Ok(None),
    };
    let ignored = leave_to_others(resource, &mut objects);
    let pictures = Json::Array(objects.iter().map(|object| object.0.clone()).collect());
    let inputs = Digest::of_json(&json!([pictures, pen.hidden_inputs()]));
    let objects = objects.into_iter().map(|object| with_hash(object, &inputs)).collect();
    Ok(Some(Rendered {
        objects,
        hooks: Vec::new(),
        ignored,
        inputs,
        unknown: pen.unknown,
        unstable: BTreeSet::new(),
        chart: None,
        findings: Vec::new(),
        warnings: Vec::new(),
    }))
}

/// Takes out of objects what is not ours to decide.
fn leave_to_others(resource: &Resource, objects: &mut [Object]) -> Vec<Ignored> {
    let scaled: Vec<_> = objects.iter().filter_map(|o| ScaleTarget::of(&o.0)).collect();
    let mut ignored = Vec::new();
    for object in objects {
        let Some(name) = object.reference() else { continue };
        let left = |path, wanted, reason| Ignored { object: name.clone(), path, wanted, reason };
        for rule in &resource.ignore {
            let why = rule.reason.as_ref().unwrap_or(&rule.path);
            let dropped = ignore::drop_at(&rule.path, &mut object.0);
            ignored.extend(dropped.into_iter().map(|(path, value)| left(path, value, why.clone())));
        }
        let dropped = ignore::drop_built_in(&mut object.0, &scaled);
        ignored.extend(dropped.into_iter().map(|(path, value, why)| left(path, value, why)));
    }
    ignored
}

fn with_hash(mut object: Object, inputs: &Digest) -> Object {
    // The record of installations is shared between projects and bears nobody's marks.
    if object.annotation(annotation::NODE).is_some() {
        merge(
            &mut object.0,
            &json!({"metadata": {"annotations": {annotation::SPEC_HASH: inputs.as_str()}}}),
        );
    }
    object
}

/// The Secrets that must be read before a resource can be drawn for a write.
pub(super) fn secrets_in(resource: &Resource) -> BTreeSet<SecretRef> {
    values_of(resource)
        .into_iter()
        .flat_map(Value::leaves)
        .filter_map(|leaf| match leaf {
            Leaf::Secret(at) => Some(at),
            Leaf::Output(..) => None,
        })
        .collect()
}

/// The values of a resource that may hold places.
pub(super) fn values_of(resource: &Resource) -> Vec<&Value> {
    use crate::model::Manifests;
    match resource.kubernetes() {
        Some(
            KubernetesSpec::Objects(ObjectsSpec { from: Manifests::Inline(list), .. })
            | KubernetesSpec::Crds(CrdsSpec { from: Manifests::Inline(list), .. }),
        ) => list.iter().collect(),
        Some(KubernetesSpec::Job(spec)) => vec![&spec.template],
        Some(KubernetesSpec::Secret(spec)) => spec
            .keys
            .values()
            .filter_map(|key| match &key.rule {
                SecretRule::Given(value) => Some(value),
                SecretRule::Alnum { .. }
                | SecretRule::Hex { .. }
                | SecretRule::Base64 { .. }
                | SecretRule::Uuid
                | SecretRule::Rsa { .. }
                | SecretRule::Tls { .. }
                | SecretRule::Part { .. }
                | SecretRule::Htpasswd { .. }
                | SecretRule::Param(_)
                | SecretRule::Copy(_) => None,
            })
            .collect(),
        Some(
            KubernetesSpec::Installation
            | KubernetesSpec::Namespace(_)
            | KubernetesSpec::Objects(_)
            | KubernetesSpec::Crds(_)
            | KubernetesSpec::Claim(_)
            | KubernetesSpec::Release(_)
            | KubernetesSpec::Removal(_)
            | KubernetesSpec::Wait(_),
        )
        | None => Vec::new(),
    }
}

struct Pen<'a> {
    resource: &'a Resource,
    drawing: &'a Drawing<'a>,
    unknown: BTreeSet<Leaf>,
}

impl Pen<'_> {
    fn fill(&mut self, value: &Value) -> Json {
        let fill = &self.drawing.fill;
        let unknown = &mut self.unknown;
        value.to_json(&mut |leaf| {
            let known = match leaf {
                Leaf::Output(of, name) => (fill.output)(of, name),
                Leaf::Secret(at) => (fill.secret)(at).map(Json::String),
            };
            known.unwrap_or_else(|| {
                // A secret that is not shown is known all the same.
                if matches!(leaf, Leaf::Output(..)) {
                    unknown.insert(leaf.clone());
                }
                Json::String(leaf.shown())
            })
        })
    }

    fn mark(&self, mut object: Json, class: Class) -> Object {
        let mut marks = Marks::of(self.drawing.identity, self.resource);
        marks.labels.insert(crate::model::label::CLASS.to_owned(), class.word().to_owned());
        let mut annotations: BTreeMap<_, _> = marks.annotations;
        if self.resource.keep {
            annotations.insert(POLICY.to_owned(), "keep".to_owned());
        }
        merge(
            &mut object,
            &json!({"metadata": {"labels": marks.labels, "annotations": annotations}}),
        );
        Object(object)
    }

    fn installation(&self) -> Object {
        let Identity { project, owner, target, .. } = self.drawing.identity;
        let record = json!({"owner": owner.0, "target": target}).to_string();
        Object(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": super::installation::NAME, "namespace": super::installation::NAMESPACE},
            "data": {label_value(project): record},
        }))
    }

    fn namespace(&self, spec: &NamespaceSpec) -> Object {
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": spec.name, "labels": spec.labels, "annotations": spec.annotations},
        });
        self.mark(object, self.resource.class)
    }

    fn secret(&self, spec: &SecretSpec) -> Object {
        let hidden: Map<String, Json> =
            spec.keys.keys().map(|key| (key.clone(), super::secret::HIDDEN.into())).collect();
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": spec.secret_type,
            "metadata": {"name": spec.name, "namespace": spec.namespace}, "data": hidden,
        });
        let mut object = self.mark(object, self.resource.class);
        if spec.keep {
            merge(&mut object.0, &json!({"metadata": {"annotations": {POLICY: "keep"}}}));
        }
        object
    }

    /// What decides what is written and is not in the picture: the rules of a Secret, given values as keyed hashes.
    fn hidden_inputs(&self) -> Vec<String> {
        let Some(KubernetesSpec::Secret(spec)) = self.resource.kubernetes() else {
            return Vec::new();
        };
        let keyed = |kind: &str, value: &str| {
            let owner = self.drawing.identity.owner.0.as_str();
            Digest::of_parts([owner, kind, value]).short(16).to_owned()
        };
        let rule = |rule: &SecretRule| match rule {
            SecretRule::Alnum { .. }
            | SecretRule::Hex { .. }
            | SecretRule::Base64 { .. }
            | SecretRule::Uuid
            | SecretRule::Rsa { .. }
            | SecretRule::Tls { .. }
            | SecretRule::Part { .. }
            | SecretRule::Htpasswd { .. } => "drawn".to_owned(),
            SecretRule::Param(secret) => keyed("param", secret.reveal()),
            SecretRule::Copy(at) => keyed("copy", &at.to_string()),
            SecretRule::Given(value) => keyed("given", &value.shown().to_string()),
        };
        spec.keys.values().map(|key| rule(&key.rule)).collect()
    }

    /// Rules lie in an annotation, so that a list without contents tells them.
    fn removal(&self, spec: &RemovalSpec) -> Result<Object, Failure> {
        let rules = serde_json::to_string(&spec.rules).map_err(|error| {
            let what = format!("the rules of `{}` cannot be written down", self.resource.id);
            Failure::new(FailureKind::Bug, what).caused_by(&error)
        })?;
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": spec.name, "namespace": spec.namespace,
                "annotations": {annotation::REMOVAL: rules},
            },
        });
        Ok(self.mark(object, self.resource.class))
    }

    fn claim(&self, spec: &ClaimSpec) -> Object {
        let mut object = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": spec.name, "namespace": spec.namespace, "labels": spec.labels},
            "spec": {
                "accessModes": spec.access_modes,
                "resources": {"requests": {"storage": spec.size}},
            },
        });
        if let Some(class) = &spec.storage_class {
            merge(&mut object, &json!({"spec": {"storageClassName": class}}));
        }
        self.mark(object, Class::Data)
    }

    fn crds(&mut self, spec: &CrdsSpec) -> Result<Vec<Object>, Failure> {
        let objects = self.manifests(&spec.from)?;
        let wanted = |object: &Json| {
            object.get("kind").and_then(Json::as_str) == Some("CustomResourceDefinition")
        };
        Ok(objects
            .into_iter()
            .filter(wanted)
            .map(|object| self.mark(object, self.resource.class))
            .collect())
    }

    fn objects(&mut self, spec: &ObjectsSpec) -> Result<Vec<Object>, Failure> {
        let objects = self.manifests(&spec.from)?;
        Ok(objects
            .into_iter()
            .map(|mut object| {
                if !spec.labels.is_empty() {
                    merge(&mut object, &json!({"metadata": {"labels": spec.labels}}));
                }
                self.mark_with_class(self.in_namespace(object, &spec.namespace))
            })
            .collect())
    }

    fn mark_with_class(&self, object: Json) -> Object {
        let object = Object(object);
        let class = match object.kind() {
            "PersistentVolumeClaim" | "PersistentVolume" => Class::Data,
            _ => object
                .label(crate::model::label::CLASS)
                .and_then(Class::from_word)
                .unwrap_or(self.resource.class),
        };
        self.mark(object.0, class)
    }

    fn manifests(&mut self, from: &crate::model::Manifests) -> Result<Vec<Json>, Failure> {
        use crate::model::Manifests;
        let list = match from {
            Manifests::Inline(values) => values.iter().map(|value| self.fill(value)).collect(),
            Manifests::Files(_)
            | Manifests::Remote(_)
            | Manifests::Chart(_)
            | Manifests::ChartFolder(..) => self.drawing.manifests.to_vec(),
        };
        let list: Vec<Json> = list.into_iter().flat_map(unfold).collect();
        for object in &list {
            if Object(object.clone()).reference().is_none() {
                let what = format!(
                    "`{}` has an object without apiVersion, kind or name",
                    self.resource.id
                );
                return Err(Failure::new(FailureKind::Usage, what));
            }
        }
        Ok(list)
    }

    fn in_namespace(&self, mut object: Json, namespace: &str) -> Json {
        if self.is_cluster_wide(&object) {
            if let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut) {
                metadata.remove("namespace");
            }
        } else if object.pointer("/metadata/namespace").is_none_or(Json::is_null) {
            merge(&mut object, &json!({"metadata": {"namespace": namespace}}));
        }
        object
    }

    fn is_cluster_wide(&self, object: &Json) -> bool {
        let text = |key: &str| object.get(key).and_then(Json::as_str).unwrap_or_default();
        let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
        let named = format!("{group}/{}", text("kind"));
        (super::readiness::is_built_in(group) && is_cluster_wide(text("kind")))
            || self.drawing.cluster_wide.contains(&named)
    }

    fn job(&mut self, spec: &JobSpec) -> Result<Object, Failure> {
        let mut template = self.fill(&spec.template);
        // What the name hashes is the template without secret values: those are not inputs that make a new run.
        let hashed = spec.template.to_json(&mut |leaf| match leaf {
            Leaf::Output(of, name) => {
                (self.drawing.fill.output)(of, name).unwrap_or_else(|| Json::String(leaf.shown()))
            }
            Leaf::Secret(at) => Json::String(at.to_string()),
        });
        let name = template.pointer("/metadata/name").and_then(Json::as_str).unwrap_or_default();
        if name.is_empty() {
            let what = format!("`{}` is a Job without a name", self.resource.id);
            return Err(Failure::new(FailureKind::Usage, what));
        }
        let head: String = name.chars().take(50).collect();
        let head = head.trim_end_matches('-');
        let name = match spec.rerun {
            Rerun::OnChange => format!("{head}-{}", Digest::of_json(&hashed).short(10)),
            Rerun::Once => head.to_owned(),
        };
        merge(
            &mut template,
            &json!({
                "apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": name, "namespace": spec.namespace},
            }),
        );
        if let Some(spec) = template.get_mut("spec").and_then(Json::as_object_mut) {
            // A finished Job that cleans itself up would be run again.
            spec.remove("ttlSecondsAfterFinished");
        }
        Ok(self.mark(template, self.resource.class))
    }
}

/// The objects in a `List`, or the object itself; empty documents are nothing.
fn unfold(object: Json) -> Vec<Json> {
    let is_list = object.get("kind").and_then(Json::as_str).is_some_and(|k| k.ends_with("List"));
    match object {
        Json::Null => Vec::new(),
        Json::Object(mut map) if is_list && map.contains_key("items") => {
            match map.remove("items") {
                Some(Json::Array(items)) => items.into_iter().flat_map(unfold).collect(),
                _ => Vec::new(),
            }
        }
        Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => {
            vec![object]
        }
    }
}
