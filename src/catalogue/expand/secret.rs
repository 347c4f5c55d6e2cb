//! Secrets of an instance.

use std::collections::BTreeMap;

use super::Site;
use crate::catalogue::component::Keeping;
use crate::catalogue::rule::{Generate, Generator, KeyOrigin, KeyWish, SecretWish};
use crate::catalogue::template::mentions;
use crate::catalogue::world::ParamValue;
use crate::model::{
    KubernetesSpec, Resource, ResourceId, ResourceKind, SecretKey, SecretRef, SecretRule,
    SecretSpec, Value,
};
use crate::yaml::{Located, Problem};

/// How many days a certificate is valid: it is drawn once and kept, and internal clients know its authority by hand.
const TEN_YEARS: u32 = 3650;

impl Site<'_, '_, '_, '_> {
    pub(super) fn secret(&mut self, wish: &SecretWish) {
        if !self.scope.holds(wish.when.as_ref(), &mut self.yard.problems) {
            return;
        }
        let place = self.scope.secret_place(wish, &mut self.yard.problems);
        let Some((namespace, name)) = place else { return };
        let mut keys = BTreeMap::new();
        let mut sources = Vec::new();
        for key in &wish.keys {
            if let Some(rule) = self.key(key) {
                sources.extend(rule.sources());
                keys.insert(key.key.clone(), SecretKey { rule });
            }
        }
        // What opens something granted stays as long as that.
        let by_component = self.scope.asking.is_some()
            || self.member.component.delete.secrets == Some(Keeping::Keep);
        let keep = wish.keep.unwrap_or(by_component);
        let secret_type = wish.secret_type.clone().unwrap_or_else(|| "Opaque".to_owned());
        let host = self.yard.namespace(&namespace);
        let spec = SecretSpec { namespace, name, secret_type, keys, keep };
        let mut resource =
            self.resource(ResourceKind::Secret, &wish.id, KubernetesSpec::Secret(spec));
        resource.host = Some(host.clone());
        resource.needs = [host].into();
        resource.keep = keep;
        resource.needs.extend(self.own_secrets(&sources, &wish.id));
        if wish.keys.iter().any(|key| self.uses_a_provider(key)) {
            resource.needs.extend(self.providers.iter().cloned());
        }
        self.ground.insert(resource.id.clone());
        self.add(resource);
    }

    /// The secrets of the instance that hold some sources, but the one of an id.
    fn own_secrets(&mut self, sources: &[SecretRef], but: &str) -> Vec<ResourceId> {
        let mut found = Vec::new();
        for wish in self.scope.secrets().iter().filter(|wish| wish.id != but) {
            if sources.is_empty() || !self.scope.holds(wish.when.as_ref(), &mut self.yard.problems)
            {
                continue;
            }
            let place = self.scope.secret_place(wish, &mut self.yard.problems);
            let is_source = place.is_some_and(|(namespace, name)| {
                sources.iter().any(|at| at.namespace == namespace && at.name == name)
            });
            if is_source {
                found.push(self.id(ResourceKind::Secret, &wish.id));
            }
        }
        found.extend(self.granted_secrets(sources));
        found
    }

    fn key(&mut self, wish: &KeyWish) -> Option<SecretRule> {
        let problems = &mut self.yard.problems;
        if !self.scope.holds(wish.when.as_ref(), problems) {
            return None;
        }
        match &wish.origin {
            KeyOrigin::Generate(generate) => self.generated(generate),
            KeyOrigin::Part { of, part } => Some(SecretRule::Part { of: of.clone(), part: *part }),
            KeyOrigin::Copy(tree) => self.scope.reference(tree, problems).map(SecretRule::Copy),
            KeyOrigin::Value(tree) | KeyOrigin::Template(tree) => self.given(tree),
            KeyOrigin::Param(name) => self.param_key(name, wish),
        }
    }

    fn generated(&mut self, generate: &Generate) -> Option<SecretRule> {
        let length = generate.length;
        let problems = &mut self.yard.problems;
        Some(match generate.how {
            Generator::Alnum => SecretRule::Alnum { length: length.unwrap_or(32) },
            Generator::Hex => SecretRule::Hex { length: length.unwrap_or(16) },
            Generator::Base64 => SecretRule::Base64 { length: length.unwrap_or(32) },
            Generator::Uuid => SecretRule::Uuid,
            Generator::Rsa => SecretRule::Rsa { bits: length.unwrap_or(2048) },
            Generator::Tls => {
                let names = generate.names.iter();
                let mut names: Vec<String> =
                    names.filter_map(|tree| self.scope.text(tree, problems)).collect();
                if names.is_empty() {
                    let (service, namespace) = (&self.member.release, &self.member.namespace);
                    names = vec![
                        service.clone(),
                        format!("{service}.{namespace}"),
                        format!("{service}.{namespace}.svc"),
                        format!("{service}.{namespace}.svc.cluster.local"),
                        "localhost".to_owned(),
                    ];
                }
                SecretRule::Tls { names, days: generate.days.unwrap_or(TEN_YEARS) }
            }
            Generator::Htpasswd => SecretRule::Htpasswd {
                user: match &generate.user {
                    Some(tree) => self.scope.text(tree, problems)?,
                    None => "admin".to_owned(),
                },
                password: generate.password.clone().unwrap_or_else(|| "password".to_owned()),
            },
        })
    }

    fn given(&mut self, tree: &Located) -> Option<SecretRule> {
        match self.scope.value(tree, &mut self.yard.problems)? {
            Value::Null => None,
            Value::Number(number) => Some(SecretRule::Given(Value::Text(number.to_string()))),
            Value::Bool(flag) => Some(SecretRule::Given(Value::Text(flag.to_string()))),
            value @ (Value::Text(_) | Value::Join(_) | Value::Output { .. } | Value::Secret(_)) => {
                Some(SecretRule::Given(value))
            }
            Value::List(_) | Value::Map(_) => {
                let problem = Problem::error("wrong-value", "the value of a secret's key is text");
                self.yard.problems.push(problem.at(&tree.span));
                None
            }
        }
    }

    fn param_key(&mut self, name: &str, wish: &KeyWish) -> Option<SecretRule> {
        match self.member.params.get(name) {
            Some(ParamValue::Secret(secret)) => Some(SecretRule::Param(secret.clone())),
            Some(ParamValue::Kept(at)) => Some(SecretRule::Copy(at.clone())),
            Some(ParamValue::Plain(Value::Text(text))) => {
                Some(SecretRule::Given(Value::Text(text.clone())))
            }
            Some(ParamValue::Plain(value)) => {
                let text = value.shown().to_string();
                Some(SecretRule::Given(Value::Text(text)))
            }
            Some(ParamValue::Unset) => None,
            None => {
                let known = self.member.component.params().iter().map(|param| param.name.as_str());
                self.yard.problems.push(
                    Problem::error("unknown-parameter", format!("there is no parameter `{name}`"))
                        .at(&wish.at)
                        .suggest(name, known),
                );
                None
            }
        }
    }

    /// The secrets of what was granted so far that hold some sources.
    fn granted_secrets(&self, sources: &[SecretRef]) -> Vec<ResourceId> {
        let holds =
            |id: &&ResourceId| match self.yard.desired.get(id).and_then(Resource::kubernetes) {
                Some(KubernetesSpec::Secret(spec)) => {
                    sources.iter().any(|at| at.namespace == spec.namespace && at.name == spec.name)
                }
                _ => false,
            };
        self.ground.iter().filter(holds).cloned().collect()
    }

    /// Whether a key comes from whom the instance uses: directly, or by what that granted.
    fn uses_a_provider(&self, key: &KeyWish) -> bool {
        let granted = |path: &str| {
            let id = path.strip_prefix("claim.").and_then(|rest| rest.split('.').next());
            let claims = &self.member.component.claims;
            claims.iter().any(|claim| Some(claim.id.as_str()) == id && claim.is_granted())
        };
        match &key.origin {
            KeyOrigin::Value(tree) | KeyOrigin::Template(tree) | KeyOrigin::Copy(tree) => {
                mentions(tree, &|path| {
                    path.starts_with("use.") || path.starts_with("from.") || granted(path)
                })
            }
            KeyOrigin::Generate(_) | KeyOrigin::Part { .. } | KeyOrigin::Param(_) => false,
        }
    }
}
