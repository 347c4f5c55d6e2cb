//! Job steps: a whole Kubernetes Job, but for the hash in its name.

use indexmap::IndexMap;

use super::Site;
use crate::catalogue::step::{Job, Step};
use crate::catalogue::world::{list_in, plain};
use crate::model::{JobSpec, Value};
use crate::yaml::{Located, Problem, Span};

/// The longest name of a Job, with room for the hash.
const LONGEST: usize = 50;

impl Site<'_, '_, '_, '_> {
    pub(super) fn job(&mut self, step: &Step, job: &Job, namespace: &str) -> Option<JobSpec> {
        let name = match &job.name {
            Some(tree) => self.scope.text(tree, &mut self.yard.problems)?,
            None => match &self.scope.asking {
                Some(asking) => format!("{}-{}-{}", self.member.release, asking.id, step.id),
                None => format!("{}-{}", self.member.release, step.id),
            },
        };
        if name.len() > LONGEST {
            self.complain(
                "bad-name",
                format!("`{name}` is longer than {LONGEST} characters"),
                &step.at,
            );
        }
        let (mounts, volumes) = self.mounts(job.mounts.as_ref());
        let image = self.scope.text(&job.image, &mut self.yard.problems)?;
        if image.is_empty() {
            self.complain("wrong-value", "a job has an image".to_owned(), &job.image.span);
        }
        let container = map([
            ("name", Some(text(&step.id))),
            ("image", Some(text(&image))),
            ("command", self.command(job.command.as_ref())),
            ("args", self.command(job.args.as_ref())),
            ("env", self.env(job.env.as_ref())),
            ("envFrom", self.env_from(job.env_from.as_ref())),
            ("resources", self.maybe(job.resources.as_ref())),
            ("volumeMounts", mounts),
        ]);
        // Pods of a grant are nobody's pods: a Service of the provider must not choose them.
        let (app, instance) = match &self.scope.asking {
            Some(asking) => ("claim", format!("{}-{}", self.member.release, asking.id)),
            None => (self.member.component.name(), self.member.release.clone()),
        };
        let labels = map([
            ("app.kubernetes.io/name", Some(text(app))),
            ("app.kubernetes.io/instance", Some(text(&instance))),
            ("app.kubernetes.io/component", Some(text(&step.id))),
        ]);
        let pod = map([
            ("restartPolicy", Some(text("OnFailure"))),
            ("serviceAccountName", self.maybe(job.service_account.as_ref())),
            ("securityContext", self.maybe(job.security.as_ref())),
            ("containers", Some(Value::List(vec![container]))),
            ("volumes", volumes),
        ]);
        let template =
            map([("metadata", Some(map([("labels", Some(labels.clone()))]))), ("spec", Some(pod))]);
        let spec =
            map([("backoffLimit", self.maybe(job.backoff.as_ref())), ("template", Some(template))]);
        let metadata = map([
            ("name", Some(text(&name))),
            ("namespace", Some(text(namespace))),
            ("labels", Some(labels)),
        ]);
        let template = map([
            ("apiVersion", Some(text("batch/v1"))),
            ("kind", Some(text("Job"))),
            ("metadata", Some(metadata)),
            ("spec", Some(spec)),
        ]);
        Some(JobSpec {
            namespace: namespace.to_owned(),
            template,
            ready: job.ready,
            rerun: job.rerun,
        })
    }

    fn complain(&mut self, code: &'static str, message: String, at: &Span) {
        self.yard.problems.push(Problem::error(code, message).at(at));
    }

    fn maybe(&mut self, tree: Option<&Located>) -> Option<Value> {
        self.scope.value(tree?, &mut self.yard.problems).filter(|value| *value != Value::Null)
    }

    /// A list of texts, or a text that writes such a list: `[ "/download.sh" ]`.
    fn command(&mut self, tree: Option<&Located>) -> Option<Value> {
        let tree = tree?;
        let mut value = self.maybe(Some(tree))?;
        if let Value::Text(line) = &value
            && let Some(list) = list_in(line)
        {
            value = plain(&list);
        }
        if let Value::List(items) = value {
            return Some(Value::List(items.into_iter().map(as_text).collect()));
        }
        if let Value::Text(line) = &value
            && !line.contains(char::is_whitespace)
        {
            return Some(Value::List(vec![value]));
        }
        self.complain(
            "command",
            "a command is a list such as `[sh, -c, …]`".to_owned(),
            &tree.span,
        );
        None
    }

    /// A map of names, or a list as Kubernetes has it. A whole `….ref` is a reference to a key of a Secret.
    fn env(&mut self, tree: Option<&Located>) -> Option<Value> {
        let tree = tree?;
        let value = self.maybe(Some(tree))?;
        if let Value::Map(map) = value {
            let variables = map.into_iter();
            let variables = variables.filter_map(|(name, value)| self.variable(&name, value, tree));
            return Some(Value::List(variables.collect()));
        }
        if matches!(value, Value::List(_)) {
            return Some(value);
        }
        self.complain("env", "`env` is a map of names and values".to_owned(), &tree.span);
        None
    }

    fn variable(&mut self, name: &str, value: Value, tree: &Located) -> Option<Value> {
        let (key, value) = match value {
            Value::Null => return None,
            Value::Map(of) if of.contains_key("valueFrom") => {
                ("valueFrom", of.get("valueFrom").cloned()?)
            }
            Value::Map(of)
                if of.len() == 2 && of.contains_key("name") && of.contains_key("key") =>
            {
                ("valueFrom", map([("secretKeyRef", Some(Value::Map(of)))]))
            }
            Value::Secret(at) => {
                self.complain(
                    "exposed-secret",
                    format!("`{name}` would write the value of a secret into the Job"),
                    &tree.span,
                );
                let of = map([("name", Some(text(&at.name))), ("key", Some(text(&at.key)))]);
                ("valueFrom", map([("secretKeyRef", Some(of))]))
            }
            Value::List(_) | Value::Map(_) => {
                let message = format!(
                    "`{name}` is text, or a reference such as `${{secret.login.password.ref}}`"
                );
                self.complain("env", message, &tree.span);
                return None;
            }
            value @ (Value::Bool(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::Join(_)
            | Value::Output { .. }) => ("value", as_text(value)),
        };
        Some(map([("name", Some(text(name))), (key, Some(value))]))
    }

    /// A list of names of Secrets, of `{secret: name}`, `{configMap: name}`, or as Kubernetes has it.
    fn env_from(&mut self, tree: Option<&Located>) -> Option<Value> {
        let tree = tree?;
        let Value::List(items) = self.maybe(Some(tree))? else {
            self.complain("env", "`envFrom` is a list".to_owned(), &tree.span);
            return None;
        };
        let reference = |kind: &str, name: Value| map([(kind, Some(map([("name", Some(name))])))]);
        Some(Value::List(
            items
                .into_iter()
                .map(|item| {
                    let Value::Map(of) = item else { return reference("secretRef", item) };
                    match (of.get("secret"), of.get("configMap")) {
                        (Some(name), _) => reference("secretRef", name.clone()),
                        (None, Some(name)) => reference("configMapRef", name.clone()),
                        (None, None) => Value::Map(of),
                    }
                })
                .collect(),
        ))
    }

    /// `mounts: [{path, claim | secret | configMap | emptyDir, readOnly, subPath}]` as mounts and volumes.
    fn mounts(&mut self, tree: Option<&Located>) -> (Option<Value>, Option<Value>) {
        let Some(tree) = tree else { return (None, None) };
        let Some(Value::List(items)) = self.maybe(Some(tree)) else {
            self.complain("mounts", "`mounts` is a list".to_owned(), &tree.span);
            return (None, None);
        };
        let (mut mounts, mut volumes) = (Vec::new(), Vec::new());
        for (index, item) in items.into_iter().enumerate() {
            let Value::Map(mut mount) = item else {
                self.complain("mounts", "a mount is a map".to_owned(), &tree.span);
                continue;
            };
            let name = text(&format!("volume-{index}"));
            let sources = [
                ("claim", "persistentVolumeClaim", Some("claimName")),
                ("secret", "secret", Some("secretName")),
                ("configMap", "configMap", Some("name")),
                ("emptyDir", "emptyDir", None),
            ];
            let source = sources.into_iter().find_map(|(word, kind, key)| {
                let value = mount.shift_remove(word)?;
                let of = match (key, value) {
                    (Some(key), value) => map([(key, Some(value))]),
                    (None, of @ Value::Map(_)) => of,
                    (None, _) => Value::Map(IndexMap::new()),
                };
                Some((kind, of))
            });
            let path = mount.shift_remove("path");
            let (Some((kind, of)), Some(path)) = (source, path) else {
                let message = "a mount has a `path` and one of: claim, secret, configMap, emptyDir";
                self.complain("mounts", message.to_owned(), &tree.span);
                continue;
            };
            volumes.push(map([("name", Some(name.clone())), (kind, Some(of))]));
            let read_only = mount.shift_remove("readOnly");
            let sub_path = mount.shift_remove("subPath");
            if let Some(key) = mount.keys().next() {
                self.complain("unknown-key", format!("a mount has no key `{key}`"), &tree.span);
            }
            mounts.push(map([
                ("name", Some(name)),
                ("mountPath", Some(path)),
                ("readOnly", read_only),
                ("subPath", sub_path),
            ]));
        }
        (Some(Value::List(mounts)), Some(Value::List(volumes)))
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Kubernetes wants text in commands and environments.
fn as_text(value: Value) -> Value {
    if let Value::Number(number) = value {
        Value::Text(number.to_string())
    } else if let Value::Bool(flag) = value {
        Value::Text(flag.to_string())
    } else {
        value
    }
}

/// A map of what is there.
pub(super) fn map<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    Value::Map(
        entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect(),
    )
}
