//! What this account must be allowed to do for a plan, what it may not, and the role that would allow it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::wish::{Fate, Served, ServedKinds, Wishes};
use super::{Check, Facts, Finding, Severity};
use crate::model::{Digest, ObjectRef, ResourceId};

/// One thing that is done to one kind of object in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// In which namespace; none for what is cluster-wide.
    pub namespace: Option<String>,
    /// The API group; empty for the core.
    pub group: String,
    /// `deployments`.
    pub resource: String,
    /// The only object it is about.
    pub name: Option<String>,
    /// `create`.
    pub verb: &'static str,
}

/// What an account may do in a namespace, as the cluster lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// Verbs; `*` for all.
    pub verbs: BTreeSet<String>,
    /// API groups; `*` for all.
    pub groups: BTreeSet<String>,
    /// Resources; `*` for all.
    pub resources: BTreeSet<String>,
    /// Names; empty for all.
    pub names: BTreeSet<String>,
}

/// What an account that may not do everything was denied, of all that a plan needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// As whom the cluster knows it.
    pub user: Option<String>,
    /// What it may not do.
    pub denied: BTreeSet<Access>,
}

impl Rule {
    /// Whether it allows an access.
    pub fn allows(&self, access: &Access) -> bool {
        let takes = |set: &BTreeSet<String>, one: &str| set.contains("*") || set.contains(one);
        takes(&self.verbs, access.verb)
            && takes(&self.groups, &access.group)
            && takes(&self.resources, &access.resource)
            && (self.names.is_empty()
                || access.name.as_ref().is_some_and(|name| self.names.contains(name)))
    }
}

/// Reading and server-side apply: a dry run asks for the same rights as the write.
const CREATES: [&str; 4] = ["create", "get", "list", "patch"];
const CHANGES: [&str; 3] = ["get", "list", "patch"];
/// A hook is made, watched to its end, and removed.
const HOOKS: [&str; 6] = ["create", "delete", "get", "list", "patch", "watch"];
/// Helm keeps its releases in Secrets.
const STORAGE: [&str; 5] = ["create", "delete", "get", "list", "update"];

/// All that a plan needs, with the steps that need it.
pub fn needed(wishes: &Wishes<'_>, served: &ServedKinds) -> BTreeMap<Access, BTreeSet<ResourceId>> {
    let mut all = Needs { kinds: wishes.defined(), all: BTreeMap::new() };
    all.kinds.extend(served.iter().map(|(key, served)| (key.clone(), served.clone())));
    for written in &wishes.written {
        let verbs: &[&'static str] = match (written.hook, written.fate) {
            (true, _) => &HOOKS,
            (false, Fate::Comes) => &CREATES,
            (false, Fate::Changes | Fate::Stays) => &CHANGES,
        };
        all.add(written.step, &written.name, verbs);
    }
    for gone in &wishes.gone {
        all.add(gone.step, &gone.name, &["delete", "get"]);
    }
    for step in wishes.kept_unseen() {
        for kind in served.values().filter(|kind| kind.sought) {
            all.insert(&step.id, None, &kind.group, &kind.plural, &["list"]);
        }
    }
    for (step, namespace) in wishes.releases.iter().chain(&wishes.leaving) {
        all.insert(step, Some(namespace), "", "secrets", &STORAGE);
    }
    for step in wishes.plan.steps.iter().filter(|step| step.action.changes_something()) {
        // Every run that writes holds the lock of the target and writes down what it does.
        let (system, group) = (Some("kube-system"), "coordination.k8s.io");
        all.insert(&step.id, system, group, "leases", &["create", "delete", "get", "patch"]);
        all.insert(&step.id, system, "", "configmaps", &["create", "get", "patch"]);
    }
    all.all
}

struct Needs {
    kinds: ServedKinds,
    all: BTreeMap<Access, BTreeSet<ResourceId>>,
}

impl Needs {
    fn add(&mut self, step: &ResourceId, name: &ObjectRef, verbs: &[&'static str]) {
        let key = (name.api_version.clone(), name.kind.clone());
        // A kind that nobody knows yet is no matter of rights.
        let Some(Served { group, plural, namespaced, sought: _ }) = self.kinds.get(&key).cloned()
        else {
            return;
        };
        let namespace = name.namespace.as_deref().filter(|_| namespaced);
        // Each namespace is asked for on its own; the API server takes its name for the place.
        self.insert(step, namespace, &group, &plural, verbs);
    }

    fn insert(
        &mut self,
        step: &ResourceId,
        namespace: Option<&str>,
        group: &str,
        resource: &str,
        verbs: &[&'static str],
    ) {
        for verb in verbs {
            let access = Access {
                namespace: namespace.map(str::to_owned),
                group: group.to_owned(),
                resource: resource.to_owned(),
                name: None,
                verb,
            };
            self.all.entry(access).or_default().insert(step.clone());
        }
    }
}

/// What is denied, each with a table and the role that would do: what the plan does, and what looking for more would take.
pub(super) fn findings(wishes: &Wishes<'_>, facts: &Facts) -> Vec<Finding> {
    let Some(grants) = facts.grants.as_ref().filter(|grants| !grants.denied.is_empty()) else {
        return Vec::new();
    };
    let needed = facts.served.as_ref().map(|served| needed(wishes, served)).unwrap_or_default();
    let kept: BTreeSet<&ResourceId> = wishes.kept_unseen().map(|step| &step.id).collect();
    let looks = |access: &&Access| {
        needed.get(*access).is_some_and(|steps| steps.iter().all(|step| kept.contains(step)))
    };
    let (looking, doing): (BTreeSet<_>, BTreeSet<_>) = grants.denied.iter().partition(looks);
    let who = grants.user.as_deref().unwrap_or("this account");
    let finding = |severity, denied: BTreeSet<&Access>, what: String| {
        let steps = denied.iter().filter_map(|access| needed.get(*access)).flatten();
        let mut finding = Finding::new(Check::Permissions, severity, what).about(steps);
        let denied = denied.into_iter().cloned().collect();
        finding.why = table(&denied);
        finding.todo(role(&Grants { user: grants.user.clone(), denied }))
    };
    let mut findings = Vec::new();
    if !doing.is_empty() {
        let what = format!("{who} may not do all that this plan does");
        findings.push(finding(Severity::Blocking, doing, what));
    }
    if !looking.is_empty() {
        let what = format!("{who} may not list all that could be ours, so nothing is removed");
        findings.push(finding(Severity::Warning, looking, what));
    }
    findings
}

type Rows<'a> = BTreeMap<(Option<&'a str>, String), BTreeSet<&'static str>>;

fn rows(denied: &BTreeSet<Access>) -> Rows<'_> {
    let mut rows = Rows::new();
    for access in denied {
        let resource = match access.group.as_str() {
            "" => access.resource.clone(),
            group => format!("{}.{group}", access.resource),
        };
        rows.entry((access.namespace.as_deref(), resource)).or_default().insert(access.verb);
    }
    rows
}

/// One line for each place and kind, in columns.
fn table(denied: &BTreeSet<Access>) -> Vec<String> {
    let rows = rows(denied);
    let place = |namespace: Option<&str>| namespace.unwrap_or("(cluster)").to_owned();
    let first = rows.keys().map(|(namespace, _)| place(*namespace).len()).max().unwrap_or(0);
    let second = rows.keys().map(|(_, resource)| resource.len()).max().unwrap_or(0);
    rows.iter()
        .map(|((namespace, resource), verbs)| {
            let verbs: Vec<_> = verbs.iter().copied().collect();
            format!("{:first$}  {resource:second$}  {}", place(*namespace), verbs.join(", "))
        })
        .collect()
}

/// Resources by group and verbs.
type RoleRules<'a> = BTreeMap<(&'a str, BTreeSet<&'a str>), Vec<&'a str>>;

/// Roles and bindings that allow what is denied, ready to be applied by somebody who may.
fn role(grants: &Grants) -> String {
    // Named by what it allows: one that was made for another plan stays as it is.
    let rights = grants.denied.iter().map(|access| format!("{access:?}"));
    let digest = Digest::of(rights.collect::<String>());
    let called = format!("datamill-{}", digest.short(6));
    // By place, then by group and verbs: kinds that need the same stand in one rule.
    let mut kinds: BTreeMap<(Option<&str>, &str, &str), BTreeSet<&str>> = BTreeMap::new();
    for access in &grants.denied {
        let key = (access.namespace.as_deref(), access.group.as_str(), access.resource.as_str());
        kinds.entry(key).or_default().insert(access.verb);
    }
    let mut places: BTreeMap<Option<&str>, RoleRules<'_>> = BTreeMap::new();
    for ((namespace, group, resource), verbs) in kinds {
        places.entry(namespace).or_default().entry((group, verbs)).or_default().push(resource);
    }
    let mut text = "let somebody who may apply this:\n".to_owned();
    for (namespace, rules) in &places {
        let (kind, scope) = match namespace {
            Some(namespace) => ("Role", format!("\n      namespace: {namespace}")),
            None => ("ClusterRole", String::new()),
        };
        // Writing to a text cannot fail.
        write!(text, "\n    ---\n    apiVersion: rbac.authorization.k8s.io/v1\n    kind: {kind}\n    metadata:\n      name: {called}{scope}\n    rules:").ok();
        for ((group, verbs), resources) in rules {
            let verbs: Vec<_> = verbs.iter().copied().collect();
            write!(
                text,
                "\n    - apiGroups: [\"{group}\"]\n      resources: [{}]\n      verbs: [{}]",
                resources.join(", "),
                verbs.join(", ")
            )
            .ok();
        }
        if let Some(subject) = grants.user.as_deref().map(subject) {
            write!(text, "\n    ---\n    apiVersion: rbac.authorization.k8s.io/v1\n    kind: {kind}Binding\n    metadata:\n      name: {called}{scope}\n    roleRef:\n      apiGroup: rbac.authorization.k8s.io\n      kind: {kind}\n      name: {called}\n    subjects:\n    - {subject}").ok();
        }
    }
    text
}

/// The subject of a binding.
fn subject(user: &str) -> String {
    let account = user.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    match account {
        Some((namespace, name)) => {
            format!("{{kind: ServiceAccount, namespace: {namespace}, name: {name}}}")
        }
        None => format!("{{kind: User, apiGroup: rbac.authorization.k8s.io, name: {user:?}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(namespace: Option<&str>, group: &str, resource: &str, verb: &'static str) -> Access {
        Access {
            namespace: namespace.map(str::to_owned),
            group: group.to_owned(),
            resource: resource.to_owned(),
            name: None,
            verb,
        }
    }

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_rule_allows_what_it_names_and_no_more() {
        let rule = Rule {
            verbs: set(&["get", "list"]),
            groups: set(&["apps"]),
            resources: set(&["*"]),
            names: BTreeSet::new(),
        };
        assert!(rule.allows(&access(Some("a"), "apps", "deployments", "get")));
        assert!(!rule.allows(&access(Some("a"), "apps", "deployments", "create")));
        assert!(!rule.allows(&access(Some("a"), "", "pods", "get")));
        let named = Rule { names: set(&["x"]), ..rule };
        assert!(!named.allows(&access(Some("a"), "apps", "deployments", "get")));
        let only =
            Access { name: Some("x".to_owned()), ..access(None, "apps", "deployments", "get") };
        assert!(named.allows(&only));
    }

    #[test]
    fn what_is_missing_is_a_table_and_a_role() {
        let denied = BTreeSet::from([
            access(Some("team"), "apps", "deployments", "create"),
            access(Some("team"), "apps", "deployments", "patch"),
            access(Some("team"), "apps", "statefulsets", "create"),
            access(Some("team"), "apps", "statefulsets", "patch"),
            access(None, "", "namespaces", "create"),
        ]);
        assert_eq!(
            table(&denied),
            [
                "(cluster)  namespaces         create",
                "team       deployments.apps   create, patch",
                "team       statefulsets.apps  create, patch",
            ]
        );
        let user = Some("system:serviceaccount:team:robot".to_owned());
        let text = role(&Grants { user, denied });
        insta::assert_snapshot!(text, @r#"
        let somebody who may apply this:

            ---
            apiVersion: rbac.authorization.k8s.io/v1
            kind: ClusterRole
            metadata:
              name: datamill-b22c54
            rules:
            - apiGroups: [""]
              resources: [namespaces]
              verbs: [create]
            ---
            apiVersion: rbac.authorization.k8s.io/v1
            kind: ClusterRoleBinding
            metadata:
              name: datamill-b22c54
            roleRef:
              apiGroup: rbac.authorization.k8s.io
              kind: ClusterRole
              name: datamill-b22c54
            subjects:
            - {kind: ServiceAccount, namespace: team, name: robot}
            ---
            apiVersion: rbac.authorization.k8s.io/v1
            kind: Role
            metadata:
              name: datamill-b22c54
              namespace: team
            rules:
            - apiGroups: ["apps"]
              resources: [deployments, statefulsets]
              verbs: [create, patch]
            ---
            apiVersion: rbac.authorization.k8s.io/v1
            kind: RoleBinding
            metadata:
              name: datamill-b22c54
              namespace: team
            roleRef:
              apiGroup: rbac.authorization.k8s.io
              kind: Role
              name: datamill-b22c54
            subjects:
            - {kind: ServiceAccount, namespace: team, name: robot}
        "#);
        let user = subject("jane@example.org");
        assert_eq!(
            user,
            "{kind: User, apiGroup: rbac.authorization.k8s.io, name: \"jane@example.org\"}"
        );
    }
}
