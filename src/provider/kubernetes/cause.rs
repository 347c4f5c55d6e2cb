//! Why something does not become ready: the chain release ← Deployment ← ReplicaSet ← Pod ← claim ← storage class, from statuses
//! and warnings. Pure.

use serde_json::Value as Json;

use crate::model::{Cause, Digest, Object, ObjectRef};

/// What was gathered around something that does not become ready.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Evidence {
    /// `ReplicaSet`s, pods, Jobs and claims of the namespace.
    pub objects: Vec<Object>,
    /// Events of type Warning of the namespace.
    pub warnings: Vec<Object>,
    /// Names of the storage classes there are; nothing when they could not be listed.
    pub classes: Option<Vec<String>>,
}

/// The chain of causes below an object, from the nearest to the farthest; the object itself is not in it.
pub(super) fn chain(of: &Object, evidence: &Evidence) -> Vec<Cause> {
    let mut causes = Vec::new();
    match of.kind() {
        "PersistentVolumeClaim" => claim(of, evidence, &mut causes),
        "Pod" => pod(of, evidence, &mut causes),
        _ => owner(of, evidence, &mut causes, 4),
    }
    causes
}

fn text<'a>(object: &'a Object, pointer: &str) -> &'a str {
    object.0.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

fn cause(object: &Object, says: impl Into<String>) -> Cause {
    Cause { object: object.reference(), says: says.into() }
}

impl Evidence {
    fn children<'a>(&'a self, of: &'a Object) -> impl Iterator<Item = &'a Object> {
        let uid = of.uid().unwrap_or_default();
        self.objects.iter().filter(move |object| {
            let owners = object.0.pointer("/metadata/ownerReferences").and_then(Json::as_array);
            owners.into_iter().flatten().any(|owner| {
                owner.get("uid").and_then(Json::as_str).is_some_and(|found| found == uid)
            })
        })
    }

    /// The newest warning about an object with one of some reasons; any reason when none is given.
    fn warning(&self, about: &Object, reasons: &[&str]) -> Option<&str> {
        let name = about.reference()?;
        let matching = self.warnings.iter().filter(|event| {
            text(event, "/involvedObject/kind") == name.kind
                && text(event, "/involvedObject/name") == name.name
                && (reasons.is_empty() || reasons.contains(&text(event, "/reason")))
        });
        let newest = matching.max_by_key(|event| {
            let last = text(event, "/lastTimestamp");
            if last.is_empty() { text(event, "/eventTime") } else { last }
        })?;
        Some(text(newest, "/message"))
    }

    fn find(&self, kind: &str, name: &str) -> Option<&Object> {
        self.objects.iter().find(|object| {
            object.kind() == kind && object.reference().is_some_and(|found| found.name == name)
        })
    }
}

/// What owns pods: looks at what stops it from making them, then at the worst of its children.
fn owner(of: &Object, evidence: &Evidence, causes: &mut Vec<Cause>, depth: usize) {
    let newest = evidence
        .children(of)
        .filter(|child| child.kind() != "ReplicaSet" || wants_pods(child))
        .max_by_key(|child| (is_in_trouble(child), text(child, "/metadata/creationTimestamp")));
    match newest {
        Some(child) if child.kind() == "Pod" => {
            if is_in_trouble(child) {
                pod(child, evidence, causes);
            }
        }
        Some(child) if depth > 0 => {
            let before = causes.len();
            owner(child, evidence, causes, depth - 1);
            if causes.len() > before {
                causes.insert(before, cause(child, counts(child)));
            }
        }
        Some(_) | None => {
            if let Some(says) = evidence.warning(of, &["FailedCreate", "ReplicaSetCreateError"]) {
                causes.push(cause(of, refused(says)));
            }
        }
    }
}

fn wants_pods(set: &Object) -> bool {
    set.0.pointer("/spec/replicas").and_then(Json::as_u64) != Some(0)
}

fn counts(object: &Object) -> String {
    let number = |pointer: &str| object.0.pointer(pointer).and_then(Json::as_u64).unwrap_or(0);
    format!("{} of {} ready", number("/status/readyReplicas"), number("/spec/replicas"))
}

/// What the API server said when a pod was to be made, with what can be done.
fn refused(says: &str) -> String {
    let remedy = if says.contains("exceeded quota") {
        "raise the ResourceQuota of the namespace or ask for less"
    } else if says.contains("violates PodSecurity") {
        "give the namespace the label pod-security.kubernetes.io/enforce that this pod needs"
    } else if says.contains("failed calling webhook") {
        "the webhook's own pods do not answer: mend or remove them first"
    } else if says.contains("serviceaccount") && says.contains("not found") {
        "the ServiceAccount is missing"
    } else if says.contains("admission webhook") {
        "a policy of this cluster refuses it: ask whoever runs the cluster"
    } else {
        return format!("its pods cannot be made: {says}");
    };
    format!("its pods cannot be made: {says} ({remedy})")
}

fn is_in_trouble(pod: &Object) -> bool {
    if pod.kind() != "Pod" {
        return true;
    }
    let conditions = pod.0.pointer("/status/conditions").and_then(Json::as_array);
    let ready = conditions.into_iter().flatten().any(|one| {
        one.get("type").and_then(Json::as_str) == Some("Ready")
            && one.get("status").and_then(Json::as_str) == Some("True")
    });
    !ready && text(pod, "/status/phase") != "Succeeded"
}

fn pod(pod: &Object, evidence: &Evidence, causes: &mut Vec<Cause>) {
    if let Some(says) = unschedulable(pod) {
        causes.push(cause(pod, says.clone()));
        if ["persistentvolumeclaim", "persistent volume"]
            .iter()
            .any(|w| says.to_lowercase().contains(w))
        {
            let volumes = pod.0.pointer("/spec/volumes").and_then(Json::as_array);
            for volume in volumes.into_iter().flatten() {
                let name = volume.pointer("/persistentVolumeClaim/claimName");
                let Some(name) = name.and_then(Json::as_str) else { continue };
                match evidence.find("PersistentVolumeClaim", name) {
                    Some(found) => claim(found, evidence, causes),
                    None => causes.push(Cause {
                        object: Some(ObjectRef {
                            api_version: "v1".to_owned(),
                            kind: "PersistentVolumeClaim".to_owned(),
                            namespace: pod.reference().and_then(|name| name.namespace),
                            name: name.to_owned(),
                        }),
                        says: "it is not there".to_owned(),
                    }),
                }
            }
        }
        return;
    }
    if let Some(says) = container_trouble(pod) {
        causes.push(cause(pod, says));
    } else if let Some(says) = evidence.warning(pod, &["FailedMount", "FailedAttachVolume"]) {
        causes.push(cause(pod, format!("a volume cannot be mounted: {says}")));
    } else if let Some(says) = evidence.warning(pod, &["Unhealthy"]) {
        causes.push(cause(pod, format!("it runs but is not ready: {says}")));
    } else if let Some(says) = evidence.warning(pod, &[]) {
        causes.push(cause(pod, says.to_owned()));
    } else {
        let phase = text(pod, "/status/phase");
        causes.push(cause(pod, format!("it is {} and not ready", phase.to_lowercase())));
    }
}

fn unschedulable(pod: &Object) -> Option<String> {
    let conditions = pod.0.pointer("/status/conditions")?.as_array()?;
    let condition = conditions.iter().find(|one| {
        one.get("type").and_then(Json::as_str) == Some("PodScheduled")
            && one.get("status").and_then(Json::as_str) == Some("False")
    })?;
    let says = condition.get("message").and_then(Json::as_str).unwrap_or("no node takes it");
    let remedy = if says.contains("Insufficient") {
        " (ask for less, or give the cluster more or larger nodes)"
    } else if says.contains("untolerated taint") {
        " (give the pod a toleration, or take the taint off a node)"
    } else if says.contains("node affinity/selector") || says.contains("node selector") {
        " (no node has the labels it asks for)"
    } else {
        ""
    };
    Some(format!("no node takes it: {says}{remedy}"))
}

fn container_trouble(pod: &Object) -> Option<String> {
    let list = |key: &str| {
        let statuses = pod.0.pointer(&format!("/status/{key}")).and_then(Json::as_array);
        statuses.into_iter().flatten()
    };
    let mut all = list("initContainerStatuses").chain(list("containerStatuses"));
    all.find_map(|container| {
        let field = |pointer: &str| container.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
        let name = field("/name");
        let image = field("/image");
        let message = field("/state/waiting/message");
        match field("/state/waiting/reason") {
            "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" => Some(format!(
                "image {image} cannot be pulled: {message} (check its name, the registry and its login)"
            )),
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                Some(format!("container {name} cannot start: {message}"))
            }
            "CrashLoopBackOff" => {
                let code = container.pointer("/lastState/terminated/exitCode");
                let code = code.map_or_else(String::new, |code| format!(" with exit code {code}"));
                let why = field("/lastState/terminated/reason");
                let memory = if why == "OOMKilled" { " (it needs more memory)" } else { "" };
                Some(format!("container {name} ends again and again{code}: {why}{memory}"))
            }
            _ => {
                let code = container.pointer("/state/terminated/exitCode")?.as_u64()?;
                let why = field("/state/terminated/reason");
                (code != 0).then(|| format!("container {name} ended with exit code {code}: {why}"))
            }
        }
    })
}

fn claim(claim: &Object, evidence: &Evidence, causes: &mut Vec<Cause>) {
    if text(claim, "/status/phase") == "Bound" {
        return;
    }
    let class = text(claim, "/spec/storageClassName");
    let warning = evidence.warning(claim, &["ProvisioningFailed", "FailedBinding"]);
    let says = warning.map_or_else(|| "no volume yet".to_owned(), str::to_owned);
    causes.push(cause(claim, says));
    let Some(classes) = &evidence.classes else { return };
    if !class.is_empty() && !classes.iter().any(|known| known == class) {
        let known = if classes.is_empty() { "none".to_owned() } else { classes.join(", ") };
        causes.push(Cause {
            object: Some(ObjectRef {
                api_version: "storage.k8s.io/v1".to_owned(),
                kind: "StorageClass".to_owned(),
                namespace: None,
                name: class.to_owned(),
            }),
            says: format!("it is not there; this cluster has {known}"),
        });
    }
}

/// Changes whenever the pods of a namespace get anywhere; a container that ends again and again gets nowhere.
pub(super) fn progress(evidence: &Evidence) -> Digest {
    let conditions = |pod: &Object| -> Vec<String> {
        let list =
            |pointer: &str| pod.0.pointer(pointer).and_then(Json::as_array).into_iter().flatten();
        let met = list("/status/conditions").map(|one| format!("{}{}", one["type"], one["status"]));
        let ready = list("/status/containerStatuses").map(|one| one["ready"].to_string());
        met.chain(ready).collect()
    };
    let parts: Vec<String> = evidence
        .objects
        .iter()
        .filter_map(|object| {
            let name = object.reference()?.to_string();
            Some(format!("{name} {} {:?}", text(object, "/status/phase"), conditions(object)))
        })
        .collect();
    Digest::of_parts(parts.iter().map(String::as_str))
}

/// A chain in one line, as it follows what is waited for.
pub(super) fn in_words(causes: &[Cause]) -> String {
    let link = |cause: &Cause| match &cause.object {
        Some(object) => format!("{object}: {}", cause.says),
        None => cause.says.clone(),
    };
    let links: Vec<String> = causes.iter().map(link).collect();
    if links.is_empty() { String::new() } else { format!(" ← {}", links.join(" ← ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(kind: &str, name: &str, owner: &str, extra: &Json) -> Object {
        let mut json = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "n", "uid": name}});
        if !owner.is_empty() {
            super::super::compare::merge(
                &mut json,
                &json!({"metadata": {"ownerReferences": [{"uid": owner}]}}),
            );
        }
        super::super::compare::merge(&mut json, extra);
        Object(json)
    }

    fn names(causes: &[Cause]) -> Vec<String> {
        causes.iter().map(|c| c.object.as_ref().unwrap().name.clone()).collect()
    }

    #[test]
    fn the_chain_leads_from_the_deployment_to_the_missing_storage_class() {
        let deployment = object("Deployment", "d", "", &json!({}));
        let evidence = Evidence {
            objects: vec![
                object("ReplicaSet", "rs", "d", &json!({"spec": {"replicas": 1}})),
                object("ReplicaSet", "old", "d", &json!({"spec": {"replicas": 0}})),
                object(
                    "Pod",
                    "p",
                    "rs",
                    &json!({
                    "spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "c"}}]},
                    "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
                        "message": "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims"}]}}),
                ),
                object(
                    "PersistentVolumeClaim",
                    "c",
                    "",
                    &json!({"spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}}),
                ),
            ],
            warnings: vec![object(
                "Event",
                "e",
                "",
                &json!({"reason": "ProvisioningFailed", "message": "storageclass \"fast\" not found",
                "involvedObject": {"kind": "PersistentVolumeClaim", "name": "c"}}),
            )],
            classes: Some(vec!["standard".to_owned()]),
        };
        let causes = chain(&deployment, &evidence);
        assert_eq!(names(&causes), ["rs", "p", "c", "fast"]);
        assert!(in_words(&causes).contains("this cluster has standard"), "{causes:?}");
    }

    #[test]
    fn a_pod_that_is_not_there_is_explained_by_what_should_make_it() {
        let set = object("StatefulSet", "s", "", &json!({}));
        let quota = object(
            "Event",
            "e",
            "",
            &json!({"reason": "FailedCreate", "message": "pods \"s-0\" is forbidden: exceeded quota: q",
            "involvedObject": {"kind": "StatefulSet", "name": "s"}}),
        );
        let evidence = Evidence { warnings: vec![quota], ..Evidence::default() };
        let causes = chain(&set, &evidence);
        assert!(
            causes.len() == 1 && causes[0].says.contains("raise the ResourceQuota"),
            "{causes:?}"
        );
    }

    #[test]
    fn containers_tell_why_they_do_not_run() {
        let waiting = |reason: &str, message: &str| {
            json!({"status": {"phase": "Pending", "containerStatuses": [{"name": "c", "image": "x:1",
                "state": {"waiting": {"reason": reason, "message": message}}, "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}})
        };
        let table = [
            ("ImagePullBackOff", "image x:1 cannot be pulled"),
            ("CreateContainerConfigError", "container c cannot start"),
            ("CrashLoopBackOff", "it needs more memory"),
        ];
        for (reason, wanted) in table {
            let causes =
                chain(&object("Pod", "p", "", &waiting(reason, "m")), &Evidence::default());
            assert!(causes[0].says.contains(wanted), "{causes:?}");
        }
        let taint = json!({"status": {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes: 1 node(s) had untolerated taint {gpu: }"}]}});
        assert!(
            chain(&object("Pod", "p", "", &taint), &Evidence::default())[0]
                .says
                .contains("toleration")
        );
    }
}
