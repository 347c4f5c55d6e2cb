//! Where an instance is reached, what opens it, and what it says of itself.

use super::Site;
use crate::catalogue::rule::{EndpointRule, OutputOrigin, OutputRule};
use crate::catalogue::scope::{Found, Scope};
use crate::catalogue::template::{self, Part};
use crate::model::{Connection, Credential, Endpoint, Leaf, Login, LoginPart};
use crate::yaml::{Located, Problem, Problems};

impl Site<'_, '_, '_, '_> {
    /// Where the instance is reached.
    pub(super) fn endpoints(&mut self) -> Vec<Endpoint> {
        let rules = &self.member.component.endpoints;
        rules.iter().filter_map(|rule| self.endpoint(rule)).collect()
    }

    fn endpoint(&mut self, rule: &EndpointRule) -> Option<Endpoint> {
        let problems = &mut self.yard.problems;
        if !self.scope.holds(rule.when.as_ref(), problems) {
            return None;
        }
        let namespace = match &rule.namespace {
            Some(tree) => self.scope.text(tree, problems)?,
            None => self.member.namespace.clone(),
        };
        let path = rule.path.as_ref().and_then(|tree| self.scope.text(tree, problems));
        let tls = self.scope.flag(rule.tls.as_ref(), problems);
        let forward = rule.forward.as_ref().and_then(|tree| self.scope.port(tree, problems));
        let user = rule.user.as_ref().and_then(|tree| login_part(&self.scope, tree, problems));
        let password =
            rule.password.as_ref().and_then(|tree| login_part(&self.scope, tree, problems));
        let login = (user.is_some() || password.is_some()).then_some(Login { user, password });
        Some(Endpoint {
            instance: self.member.name().clone(),
            id: rule.id.clone(),
            kind: rule.kind.to_owned(),
            service: self.scope.text(&rule.service, problems)?,
            namespace,
            port: self.scope.port(&rule.port, problems)?,
            path: path.unwrap_or_default(),
            tls,
            forward,
            outside: self.outside(rule),
            login,
        })
    }

    /// What opens the instance: logins of its addresses, then its outputs that are kept in Secrets and that no login names.
    pub(super) fn credentials(&mut self, endpoints: &[Endpoint]) -> Vec<Credential> {
        let instance = self.member.name();
        let logins = endpoints.iter().filter_map(|endpoint| {
            let Login { user, password } = endpoint.login.clone()?;
            let (instance, name) = (instance.clone(), endpoint.id.clone());
            Some(Credential { instance, name, user, secret: password? })
        });
        let mut found: Vec<Credential> = logins.collect();
        let is_secret = |rule: &&OutputRule| matches!(rule.origin, OutputOrigin::SecretKey { .. });
        for rule in self.member.component.outputs.iter().filter(is_secret) {
            // What is wrong with an output is said where it is used; one that is not given this time opens nothing.
            let at = self.scope.own_output(&format!("{}.ref", rule.name), &mut Problems::default());
            let Ok(Found::Ref(at)) = at else { continue };
            let secret = LoginPart::Secret(at);
            let is_named =
                |known: &Credential| known.secret == secret || known.user.as_ref() == Some(&secret);
            if !found.iter().any(is_named) {
                let (instance, name) = (instance.clone(), rule.name.clone());
                found.push(Credential { instance, name, user: None, secret });
            }
        }
        found
    }

    /// How its clients are set up.
    pub(super) fn connections(&mut self) -> Vec<Connection> {
        let problems = &mut self.yard.problems;
        let clients = self.member.component.connect.iter();
        clients
            .filter_map(|entry| {
                let settings = self.scope.value(&entry.value, problems)?;
                let (instance, client) = (self.member.name().clone(), entry.key.clone());
                Some(Connection { instance, client, settings })
            })
            .collect()
    }

    /// What it has to say after its installation.
    pub(super) fn note(&mut self) -> Option<String> {
        let tree = self.member.component.notes.as_ref()?;
        let problems = &mut self.yard.problems;
        let value = self.scope.value(tree, problems)?;
        if let Some(Leaf::Secret(at)) =
            value.leaves().into_iter().find(|leaf| matches!(leaf, Leaf::Secret(_)))
        {
            problems.push(
                Problem::error("secret-in-notes", "notes show no secret value")
                    .at(&tree.span)
                    .help(format!(
                        "write how to read it: kubectl -n {} get secret {} -o jsonpath='{{.data.{}}}'",
                        at.namespace, at.name, at.key
                    )),
            );
            return None;
        }
        value.shown().as_str().map(str::to_owned)
    }
}

/// A login is a text, or a reference to a key of a secret.
fn login_part(scope: &Scope<'_, '_>, tree: &Located, problems: &mut Problems) -> Option<LoginPart> {
    let text = tree.as_text().unwrap_or_default();
    if let Ok(parts) = template::parse(text)
        && let [Part::Path { path, .. }] = parts.as_slice()
        && let Ok(Found::Ref(at)) = scope.path(path, &mut Problems::default())
    {
        return Some(LoginPart::Secret(at));
    }
    scope.text(tree, problems).map(LoginPart::Text)
}
