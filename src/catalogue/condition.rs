//! Conditions: `{rollout: …}`, `{condition: {…}}` and their like, and references to objects.

use serde_json::Value as Json;

use super::expression;
use super::fields::Fields;
use super::scope::Scope;
use crate::model::{Condition, ConditionTest, FieldTest, ObjectRef, is_cluster_wide};
use crate::yaml::{Located, Problem, Problems};

/// Kinds that have a short name.
const SHORT: [(&str, &str, &str); 9] = [
    ("deployment", "apps/v1", "Deployment"),
    ("statefulset", "apps/v1", "StatefulSet"),
    ("daemonset", "apps/v1", "DaemonSet"),
    ("job", "batch/v1", "Job"),
    ("pod", "v1", "Pod"),
    ("service", "v1", "Service"),
    ("secret", "v1", "Secret"),
    ("configmap", "v1", "ConfigMap"),
    ("pvc", "v1", "PersistentVolumeClaim"),
];

/// Reads `group/version/Kind[/namespace]/name` or `deployment/[namespace/]name`; without a namespace the given one holds.
pub(super) fn reference(text: &str, namespace: &str) -> Option<ObjectRef> {
    let parts: Vec<&str> = text.split('/').collect();
    let (api_version, kind, place) = match parts.as_slice() {
        [short, place @ ..] if SHORT.iter().any(|(word, ..)| word == short) => {
            let (_, api_version, kind) = SHORT.iter().find(|(word, ..)| word == short)?;
            ((*api_version).to_owned(), *kind, place)
        }
        [version, kind, place @ ..] if is_version(version) => ((*version).to_owned(), *kind, place),
        [group, version, kind, place @ ..] if is_version(version) => {
            (format!("{group}/{version}"), *kind, place)
        }
        _ => return None,
    };
    if !kind.starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    let (namespace, name) = match place {
        [name] if is_cluster_wide(kind) => (None, *name),
        [name] => (Some(namespace.to_owned()), *name),
        ["", name] => (None, *name),
        [namespace, name] => (Some((*namespace).to_owned()), *name),
        _ => return None,
    };
    if name.is_empty() {
        return None;
    }
    Some(ObjectRef { api_version, kind: kind.to_owned(), namespace, name: name.to_owned() })
}

fn is_version(text: &str) -> bool {
    text.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// A path such as `.status.phase` as a JSON pointer; a pointer stays as it is.
pub(super) fn pointer(path: &str) -> String {
    if path.starts_with('/') || path.is_empty() {
        return path.to_owned();
    }
    let keys = path.trim_start_matches("$.").trim_start_matches('.').replace(['[', ']'], ".");
    keys.split('.').filter(|key| !key.is_empty()).flat_map(|key| ["/", key]).collect()
}

impl Scope<'_, '_> {
    /// Reads a list of conditions; those whose `when` does not hold are left out.
    pub(super) fn conditions(&self, trees: &[Located], problems: &mut Problems) -> Vec<Condition> {
        trees.iter().filter_map(|tree| self.condition(tree, problems)).collect()
    }

    fn condition(&self, tree: &Located, problems: &mut Problems) -> Option<Condition> {
        let mut fields = Fields::of(tree, "a condition", problems)?;
        let when = fields.value("when").and_then(|value| expression::read(value, problems));
        if !self.holds(when.as_ref(), problems) {
            return None;
        }
        let namespace = fields.value("namespace");
        let namespace = namespace.and_then(|tree| self.text(tree, problems));
        let mut tests = Vec::new();
        for key in [
            "rollout",
            "condition",
            "field",
            "exists",
            "gone",
            "established",
            "jobDone",
            "http",
            "tcp",
        ] {
            if let Some(value) = fields.value(key) {
                tests.push((key, value));
            }
        }
        fields.finish(problems);
        let [(key, value)] = tests.as_slice() else {
            let message = format!("a condition tests one thing, and this one {}", tests.len());
            problems.push(Problem::error("condition", message).at(&tree.span).help(
                "write one of: rollout, condition, field, exists, gone, established, jobDone, http, tcp",
            ));
            return None;
        };
        let test = self.test(key, value, namespace.as_deref(), problems)?;
        Some(Condition { test })
    }

    fn test(
        &self,
        key: &str,
        value: &Located,
        namespace: Option<&str>,
        problems: &mut Problems,
    ) -> Option<ConditionTest> {
        match key {
            "rollout" => Some(ConditionTest::Rollout(self.object(value, namespace, problems)?)),
            "exists" => Some(ConditionTest::Exists(self.object(value, namespace, problems)?)),
            "gone" => Some(ConditionTest::Gone(self.object(value, namespace, problems)?)),
            "jobDone" => {
                let name = self.text(value, problems)?;
                let text = if name.contains('/') { name } else { format!("job/{name}") };
                let of = self.object_text(&text, namespace, value, problems)?;
                Some(ConditionTest::JobDone(of))
            }
            "established" => {
                let several = std::slice::from_ref(value);
                let trees = if value.items().is_empty() { several } else { value.items() };
                let names = trees.iter().filter_map(|name| self.text(name, problems)).collect();
                Some(ConditionTest::Established(names))
            }
            "condition" => self.status_condition(value, namespace, problems),
            "field" => self.field_test(value, namespace, problems),
            _ => self.address_test(key, value, namespace, problems),
        }
    }

    fn status_condition(
        &self,
        tree: &Located,
        namespace: Option<&str>,
        problems: &mut Problems,
    ) -> Option<ConditionTest> {
        let mut fields = Fields::of(tree, "a status condition", problems)?;
        let of = fields.need("ref", problems);
        let condition = fields.need_text("type", problems);
        let status = fields.text("status", problems).unwrap_or_else(|| "True".to_owned());
        fields.finish(problems);
        let of = self.object(of?, namespace, problems)?;
        // YAML writes `True` without quotes as a flag.
        let status = match status.as_str() {
            "true" => "True".to_owned(),
            "false" => "False".to_owned(),
            _ => status,
        };
        Some(ConditionTest::Condition { of, condition: condition?, status })
    }

    fn field_test(
        &self,
        tree: &Located,
        namespace: Option<&str>,
        problems: &mut Problems,
    ) -> Option<ConditionTest> {
        let mut fields = Fields::of(tree, "a field condition", problems)?;
        let of = fields.need("ref", problems);
        let path = fields.need_text("path", problems);
        let equals = fields.value("equals");
        let one_of = fields.list("oneOf", problems);
        let matches = fields.value("matches");
        fields.finish(problems);
        if let (Some(matches), None, []) = (matches, equals, one_of) {
            let wanted = FieldTest::Matches(self.pattern(matches, problems)?);
            let of = self.object(of?, namespace, problems)?;
            return Some(ConditionTest::Field { of, path: pointer(&path?), wanted });
        }
        if let Some(matches) = matches {
            let message = "`matches` stands alone, without `equals` and `oneOf`";
            problems.push(Problem::error("condition", message).at(&matches.span));
            return None;
        }
        let wanted = equals.into_iter().chain(one_of);
        let one_of: Vec<Json> = wanted
            .filter_map(|value| self.value(value, problems))
            .map(|value| value.shown())
            .collect();
        if one_of.is_empty() {
            let message = "a field condition lacks `equals`, `oneOf` or `matches`";
            problems.push(Problem::error("missing-key", message).at(&tree.span));
            return None;
        }
        let of = self.object(of?, namespace, problems)?;
        let wanted = FieldTest::OneOf(one_of);
        Some(ConditionTest::Field { of, path: pointer(&path?), wanted })
    }

    /// A regular expression, known to be one.
    fn pattern(&self, tree: &Located, problems: &mut Problems) -> Option<String> {
        let text = self.text(tree, problems)?;
        if let Err(error) = regex::Regex::new(&text) {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let message = format!("`{text}` is no regular expression: {why}");
            problems.push(Problem::error("pattern", message).at(&tree.span));
            return None;
        }
        Some(text)
    }

    fn address_test(
        &self,
        key: &str,
        tree: &Located,
        namespace: Option<&str>,
        problems: &mut Problems,
    ) -> Option<ConditionTest> {
        let mut fields = Fields::of(tree, "an address condition", problems)?;
        let service = fields.need("service", problems);
        let port = fields.need("port", problems);
        let own = fields.value("namespace").and_then(|tree| self.text(tree, problems));
        let http = key == "http";
        let path = if http { fields.value("path") } else { None };
        let expect = if http { fields.value("expect") } else { None };
        fields.finish(problems);
        let name = self.text(service?, problems)?;
        let port = self.port(port?, problems)?;
        let namespace = own.as_deref().or(namespace).unwrap_or(&self.member.namespace);
        let service = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Service".to_owned(),
            namespace: Some(namespace.to_owned()),
            name,
        };
        if !http {
            return Some(ConditionTest::Tcp { service, port });
        }
        let path = match path {
            Some(path) => self.text(path, problems)?,
            None => "/".to_owned(),
        };
        let expect = match expect {
            Some(expect) => self.port(expect, problems)?,
            None => 200,
        };
        Some(ConditionTest::Http { service, port, path, expect })
    }

    /// An object that a condition names: a text, or a map with `ref`.
    pub(super) fn object(
        &self,
        tree: &Located,
        namespace: Option<&str>,
        problems: &mut Problems,
    ) -> Option<ObjectRef> {
        let of = tree.get("ref").unwrap_or(tree);
        let text = self.text(of, problems)?;
        self.object_text(&text, namespace, of, problems)
    }

    fn object_text(
        &self,
        text: &str,
        namespace: Option<&str>,
        at: &Located,
        problems: &mut Problems,
    ) -> Option<ObjectRef> {
        let found = reference(text, namespace.unwrap_or(&self.member.namespace));
        if found.is_none() {
            problems.push(bad_reference(text).at(&at.span));
        }
        found
    }

    /// An object that an output names.
    pub(super) fn object_ref(
        &self,
        text: &str,
        at: &crate::yaml::Span,
        problems: &mut Problems,
    ) -> Option<ObjectRef> {
        let found = reference(text, &self.member.namespace);
        if found.is_none() {
            problems.push(bad_reference(text).at(at));
        }
        found
    }
}

fn bad_reference(text: &str) -> Problem {
    Problem::error("object-reference", format!("`{text}` names no object")).help(
        "write deployment/name, or group/version/Kind/name, or group/version/Kind/namespace/name",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_says_which_object() {
        let table = [
            ("deployment/web", Some("apps/v1 Deployment ns/web")),
            ("deployment/other/web", Some("apps/v1 Deployment other/web")),
            ("v1/Secret/x", Some("v1 Secret ns/x")),
            ("v1/Namespace/x", Some("v1 Namespace x")),
            ("kafka.strimzi.io/v1/Kafka/k", Some("kafka.strimzi.io/v1 Kafka ns/k")),
            ("kafka.strimzi.io/v1/KafkaTopic/*", Some("kafka.strimzi.io/v1 KafkaTopic ns/*")),
            ("kafka.strimzi.io/v1/Kafka/a/k", Some("kafka.strimzi.io/v1 Kafka a/k")),
            ("example.org/v1beta1/Policy//p", Some("example.org/v1beta1 Policy p")),
            ("web", None),
            ("apps/Deployment/web", None),
            ("apps/v1/deployment/web", None),
            ("v1/Secret/", None),
            ("v1/Secret/a/b/c", None),
        ];
        for (text, wanted) in table {
            let found = reference(text, "ns").map(|of| format!("{} {of}", of.api_version));
            assert_eq!(found.as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn a_dotted_path_is_a_pointer() {
        assert_eq!(pointer(".status.phase"), "/status/phase");
        assert_eq!(pointer("status.hosts[0].ip"), "/status/hosts/0/ip");
        assert_eq!(pointer("/status/phase"), "/status/phase");
    }
}
