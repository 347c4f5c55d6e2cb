//! Conditions: what holds now. Where no container runs, what only a container could bring about is assumed and said so.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value as Json;

use super::readiness::{Surroundings, is_built_in, missing, readiness, together};
use super::session::Link;
use crate::adapter::kube::{Cluster, KubeError, Listing};
use crate::model::{
    Cause, Condition, ConditionTest, Digest, FieldTest, Health, JobReady, Object, ObjectRef,
    Progress, WaitSpec,
};

/// How a set of conditions stands: one of `fails` that holds ends it at once, else all of `until` must hold.
pub async fn health(link: &Link, spec: &WaitSpec) -> Result<Health, KubeError> {
    if let Some(failed) = failed(link, &spec.fails).await? {
        return Ok(failed);
    }
    let mut healths = Vec::new();
    for Condition { test: condition } in &spec.until {
        healths.push(test(link, condition).await?);
    }
    Ok(together(healths))
}

/// The failure that conditions stand for, when one of them holds.
pub(super) async fn failed(link: &Link, fails: &[Condition]) -> Result<Option<Health>, KubeError> {
    for condition in fails {
        if let Health::Ready = test(link, &condition.test).await? {
            let says = format!("this must not be so: {}", words(&condition.test));
            // The words name the object; the cause is the condition itself, whatever else is wrong with it.
            let cause = Cause { object: None, says };
            return Ok(Some(Health::Failed(vec![cause])));
        }
    }
    Ok(None)
}

/// How one condition stands.
pub(super) async fn test(link: &Link, test: &ConditionTest) -> Result<Health, KubeError> {
    match test {
        ConditionTest::Rollout(of) | ConditionTest::JobDone(of) => {
            of_object(link, of, JobReady::Complete).await
        }
        ConditionTest::Established(names) => {
            let mut healths = Vec::new();
            for name in names {
                healths.push(of_object(link, &crd(name), JobReady::Complete).await?);
            }
            Ok(together(healths))
        }
        ConditionTest::Condition { of, condition, status } => {
            let held = |object: &Object| condition_of(object, condition).map(Json::from);
            let is_met = |value: &Json| value.as_str() == Some(status);
            of_value(link, test, of, held, is_met).await
        }
        ConditionTest::Field { of, path, wanted } => {
            let held = |object: &Object| object.0.pointer(path).cloned();
            of_value(link, test, of, held, |value| is_wanted(wanted, value)).await
        }
        ConditionTest::Exists(of) => {
            let found = find(&link.cluster, of).await?;
            Ok(if found.is_empty() { absent(link, of, test) } else { Health::Ready })
        }
        ConditionTest::Gone(of) => {
            let found = find(&link.cluster, of).await?;
            Ok(if found.is_empty() { Health::Ready } else { unmet(test, "it is still there") })
        }
        ConditionTest::Http { .. } | ConditionTest::Tcp { .. } if link.simulated => {
            Ok(assumed(test))
        }
        ConditionTest::Http { service, port, path, expect } => {
            let answer = link.cluster.ask_service(service, *port, path).await;
            Ok(http(test, *expect, answer))
        }
        ConditionTest::Tcp { service, port } => {
            Ok(tcp(test, link.cluster.ask_service(service, *port, "/").await))
        }
    }
}

/// Whether a value is what is wanted. A pattern that is none matches nothing; where it is written, that is an error.
fn is_wanted(wanted: &FieldTest, value: &Json) -> bool {
    match (wanted, value) {
        (FieldTest::OneOf(accepted), _) => accepted.contains(value),
        (FieldTest::Matches(pattern), value) => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            !value.is_null() && Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(&text))
        }
    }
}

fn http(test: &ConditionTest, expect: u16, answer: Result<u16, KubeError>) -> Health {
    match answer {
        Ok(code) if code == expect => Health::Ready,
        Ok(code) => unmet(test, &format!("it answers {code}")),
        Err(error) => unmet(test, &error.to_string()),
    }
}

fn tcp(test: &ConditionTest, answer: Result<u16, KubeError>) -> Health {
    match answer {
        Ok(_) => Health::Ready,
        Err(error) if accepts(&error.to_string()) => Health::Ready,
        Err(error) => unmet(test, &error.to_string()),
    }
}

/// A value that all objects must hold. On a custom resource only its operator could set it.
async fn of_value(
    link: &Link,
    test: &ConditionTest,
    of: &ObjectRef,
    held: impl Fn(&Object) -> Option<Json>,
    is_met: impl Fn(&Json) -> bool,
) -> Result<Health, KubeError> {
    let objects = find(&link.cluster, of).await?;
    let values: Vec<Option<Json>> = objects.iter().map(held).collect();
    Ok(if objects.is_empty() {
        absent(link, of, test)
    } else if values.iter().all(|value| value.as_ref().is_some_and(&is_met)) {
        Health::Ready
    } else if link.simulated && !is_built_in(group(of)) {
        assumed(test)
    } else {
        let now = values.into_iter().flatten().find(|value| !is_met(value));
        unmet(test, &format!("it is {}", now.unwrap_or(Json::Null)))
    })
}

fn unmet(test: &ConditionTest, says: &str) -> Health {
    settling(&format!("{}: {says}", words(test)), says)
}

/// Whether the proxy's error shows that something accepted the connection and does not speak HTTP.
fn accepts(error: &str) -> bool {
    const CLOSED: [&str; 8] = [
        "refused",
        "no endpoints",
        "not found",
        "timeout",
        "did not answer",
        "no route",
        "cannot be reached",
        "unreachable",
    ];
    !CLOSED.iter().any(|word| error.contains(word))
}

async fn of_object(link: &Link, of: &ObjectRef, jobs: JobReady) -> Result<Health, KubeError> {
    let objects = find(&link.cluster, of).await?;
    if objects.is_empty() {
        return Ok(missing(of));
    }
    let around = Surroundings { simulated: link.simulated, ..Surroundings::default() };
    Ok(together(objects.iter().map(|object| readiness(object, &around, jobs))))
}

/// The object, or all of its kind in its namespace when its name is `*`. A kind that is not served has none.
async fn find(cluster: &Cluster, of: &ObjectRef) -> Result<Vec<Object>, KubeError> {
    let found = if of.name == "*" {
        let listing =
            Listing { namespace: of.namespace.clone(), ..Listing::of(&of.api_version, &of.kind) };
        cluster.list(&listing).await
    } else {
        cluster.get(of).await.map(|object| object.into_iter().collect())
    };
    super::compare::absent_is(found, Vec::new())
}

fn condition_of<'a>(object: &'a Object, kind: &str) -> Option<&'a str> {
    let conditions = object.0.pointer("/status/conditions")?.as_array()?;
    let found =
        conditions.iter().find(|one| one.get("type").and_then(Json::as_str) == Some(kind))?;
    found.get("status")?.as_str()
}

fn group(of: &ObjectRef) -> &str {
    of.api_version.split_once('/').map_or("", |(group, _)| group)
}

/// What only a container could make is assumed where none runs; everything else is waited for.
fn absent(link: &Link, of: &ObjectRef, test: &ConditionTest) -> Health {
    const MADE_BY_CONTROLLERS: [&str; 5] =
        ["Pod", "ReplicaSet", "PersistentVolume", "Job", "EndpointSlice"];
    if link.simulated && !MADE_BY_CONTROLLERS.contains(&of.kind.as_str()) {
        assumed(test)
    } else {
        missing(of)
    }
}

fn assumed(test: &ConditionTest) -> Health {
    Health::Assumed(vec![format!("{} (no container runs here)", words(test))])
}

fn settling(waits_for: &str, mark: &str) -> Health {
    Health::Settling(Progress { waits_for: waits_for.to_owned(), mark: Digest::of(mark) })
}

fn crd(name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "apiextensions.k8s.io/v1".to_owned(),
        kind: "CustomResourceDefinition".to_owned(),
        namespace: None,
        name: name.to_owned(),
    }
}

/// The object that a condition is about.
pub(super) fn about(test: &ConditionTest) -> Option<ObjectRef> {
    match test {
        ConditionTest::Rollout(of)
        | ConditionTest::Exists(of)
        | ConditionTest::Gone(of)
        | ConditionTest::JobDone(of)
        | ConditionTest::Condition { of, .. }
        | ConditionTest::Field { of, .. } => Some(of.clone()),
        ConditionTest::Http { service, .. } | ConditionTest::Tcp { service, .. } => {
            Some(service.clone())
        }
        ConditionTest::Established(_) => None,
    }
}

/// A condition as a sentence.
pub fn words(test: &ConditionTest) -> String {
    match test {
        ConditionTest::Rollout(of) => format!("{of} has rolled out"),
        ConditionTest::Condition { of, condition, status } => {
            format!("{of} has the condition {condition}={status}")
        }
        ConditionTest::Field { of, path, wanted: FieldTest::OneOf(accepted) } => {
            let values: Vec<String> = accepted.iter().map(ToString::to_string).collect();
            format!("{path} of {of} is {}", values.join(" or "))
        }
        ConditionTest::Field { of, path, wanted: FieldTest::Matches(pattern) } => {
            format!("{path} of {of} matches `{pattern}`")
        }
        ConditionTest::Exists(of) => format!("{of} exists"),
        ConditionTest::Gone(of) => format!("{of} is gone"),
        ConditionTest::Established(names) => format!("{} are established", names.join(", ")),
        ConditionTest::JobDone(of) => format!("{of} is complete"),
        ConditionTest::Http { service, port, path, expect } => {
            format!("{service} answers {expect} on port {port} at {path}")
        }
        ConditionTest::Tcp { service, port } => format!("{service} accepts on port {port}"),
    }
}

/// The healths of several sets of conditions.
pub(super) async fn healths<'a, K: Ord>(
    link: &Link,
    specs: impl IntoIterator<Item = (K, &'a WaitSpec)>,
) -> Result<BTreeMap<K, Health>, KubeError> {
    let asked = specs.into_iter().map(async |(key, spec)| Ok((key, health(link, spec).await?)));
    Ok(futures::future::try_join_all(asked).await?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_port_that_speaks_no_http_accepts_all_the_same() {
        assert!(accepts("error trying to reach service: EOF"));
        assert!(accepts("malformed HTTP response \"x\""));
        assert!(!accepts("dial tcp 10.0.0.1:5432: connect: connection refused"));
        assert!(!accepts("no endpoints available for service \"x\""));
    }

    #[test]
    fn a_pattern_is_looked_for_in_what_a_field_holds() {
        let table = [
            ("^Run", json!("Running"), true),
            ("^Run", json!("NotRunning"), false),
            ("^[1-9]", json!(30), true),
            ("^[1-9]", json!(0), false),
            ("true", json!(true), true),
            (".*", json!(null), false),
        ];
        for (pattern, value, holds) in table {
            let wanted = FieldTest::Matches(pattern.to_owned());
            assert_eq!(is_wanted(&wanted, &value), holds, "{pattern} in {value}");
        }
    }

    #[test]
    fn a_condition_is_read_by_its_type() {
        let object = Object(
            json!({"status": {"conditions": [{"type": "A", "status": "False"}, {"type": "B", "status": "True"}]}}),
        );
        assert_eq!(condition_of(&object, "B"), Some("True"));
        assert_eq!(condition_of(&object, "C"), None);
    }
}
