//! What an instance makes and gets, as paths see it: its secrets and claims, its outputs, what others give it.

use super::capability::Contract;
use super::rule::{
    AddressFormat, ClaimKind, ClaimWish, OutputOrigin, OutputRule, SecretWish, ServiceOutput,
};
use super::scope::{Found, Miss, Scope, text_found};
use super::wiring::Binding;
use super::world::{kept_secret, plain};
use super::{External, OutputType};
use crate::model::{ResourceId, ResourceKind, SecretRef, Value};
use crate::yaml::{Located, Problems};

/// How a path wants a key of a Secret.
#[derive(Clone, Copy)]
enum Take {
    Ref,
    RefName,
    RefKey,
    Value,
}

/// Splits `key.ref.name` and its like; a key may hold dots.
fn taken(rest: &str) -> Option<(&str, Take)> {
    let endings = [
        (".ref.name", Take::RefName),
        (".ref.key", Take::RefKey),
        (".ref", Take::Ref),
        (".value", Take::Value),
    ];
    endings.into_iter().find_map(|(ending, take)| {
        rest.strip_suffix(ending).filter(|key| !key.is_empty()).map(|key| (key, take))
    })
}

fn take_ref(at: SecretRef, take: Take) -> Result<Found, Miss> {
    match take {
        Take::Ref => Ok(Found::Ref(at)),
        Take::RefName => text_found(at.name),
        Take::RefKey => text_found(at.key),
        Take::Value => Ok(Found::Value(Value::Secret(at))),
    }
}

impl<'w> Scope<'w, '_> {
    /// `name`, `namespace`, `<key>.ref…`, `<key>.value` of a secret of the instance.
    pub(super) fn secret(&self, rest: &str, problems: &mut Problems) -> Result<Found, Miss> {
        let (id, below) = rest.split_once('.').unwrap_or((rest, ""));
        let secrets = self.secrets();
        let Some(wish) = secrets.iter().find(|wish| wish.id == id) else {
            let known = secrets.iter().map(|wish| wish.id.clone());
            return Err(Miss::unknown(format!("there is no secret `{id}`"), id, known));
        };
        let inner = self.deeper(&format!("secret.{id}"))?;
        if !inner.holds(wish.when.as_ref(), problems) {
            return Err(Miss::Absent { why: format!("the `when` of secret `{id}` does not hold") });
        }
        let (namespace, name) = inner.secret_place(wish, problems).ok_or(Miss::Reported)?;
        match below {
            "name" => return text_found(name),
            "namespace" => return text_found(namespace),
            _ => {}
        }
        let known = || wish.keys.iter().map(|key| key.key.clone());
        let Some((key, take)) = taken(below) else {
            let words = ["name".to_owned(), "namespace".to_owned()].into_iter();
            let keys = known().flat_map(|key| [format!("{key}.ref"), format!("{key}.value")]);
            let message = format!("secret `{id}` has no `{below}`");
            return Err(Miss::unknown(message, below, words.chain(keys)));
        };
        match wish.keys.iter().find(|wish| wish.key == key) {
            None => Err(Miss::unknown(format!("secret `{id}` has no key `{key}`"), key, known())),
            Some(wish) if !inner.holds(wish.when.as_ref(), problems) => {
                Err(Miss::Absent { why: format!("the `when` of key `{key}` does not hold") })
            }
            Some(_) => take_ref(SecretRef { namespace, name, key: key.to_owned() }, take),
        }
    }

    /// Namespace and name of a secret of the instance.
    pub(super) fn secret_place(
        &self,
        wish: &SecretWish,
        problems: &mut Problems,
    ) -> Option<(String, String)> {
        let usual = match &self.asking {
            Some(asking) => format!("{}-{}-{}", asking.by.release, asking.id, wish.id),
            None => format!("{}-{}", self.member.release, wish.id),
        };
        self.place(wish.namespace.as_ref(), wish.name.as_ref(), usual, problems)
    }

    /// The secrets that are in sight: those of a grant, else those of the instance.
    pub(super) fn secrets(&self) -> &'w [SecretWish] {
        match &self.asking {
            Some(asking) => &asking.grant.secrets,
            None => &self.member.component.secrets,
        }
    }

    /// The namespace of what names none: that of the instance, of the one that asks inside of a grant.
    fn home(&self) -> String {
        let member = self.asking.as_ref().map_or(self.member, |asking| asking.by);
        member.namespace.clone()
    }

    /// Namespace and name of a claim of the instance.
    pub(super) fn claim_place(
        &self,
        wish: &ClaimWish,
        problems: &mut Problems,
    ) -> Option<(String, String)> {
        let usual = format!("{}-{}", self.member.release, wish.id);
        self.place(wish.namespace.as_ref(), wish.name.as_ref(), usual, problems)
    }

    fn place(
        &self,
        namespace: Option<&Located>,
        name: Option<&Located>,
        usual: String,
        problems: &mut Problems,
    ) -> Option<(String, String)> {
        let namespace = match namespace {
            Some(tree) => self.text(tree, problems)?,
            None => self.home(),
        };
        let name = match name {
            Some(tree) => self.text(tree, problems)?,
            None => usual,
        };
        Some((namespace, name))
    }

    /// `name`, `namespace`, `size` of a claim of the instance.
    pub(super) fn claim(&self, rest: &str, problems: &mut Problems) -> Result<Found, Miss> {
        let (id, below) = rest.split_once('.').unwrap_or((rest, ""));
        let claims = &self.member.component.claims;
        let Some(wish) = claims.iter().find(|wish| wish.id == id) else {
            let known = claims.iter().map(|wish| wish.id.clone());
            return Err(Miss::unknown(format!("there is no claim `{id}`"), id, known));
        };
        let inner = self.follow(self.member, &format!("claim.{id}"))?;
        if !inner.holds(wish.when.as_ref(), problems) {
            return Err(Miss::Absent { why: format!("the `when` of claim `{id}` does not hold") });
        }
        let ClaimKind::Volume { size, .. } = &wish.want else {
            let (name, take) =
                taken(below).map_or((below, None), |(name, take)| (name, Some(take)));
            let granted = inner.granted(wish, problems)?;
            let found = granted.granted_output(name, problems)?;
            return finish(found, take, &format!("claim.{id}.{name}"));
        };
        let (namespace, name) = inner.claim_place(wish, problems).ok_or(Miss::Reported)?;
        match (below, size) {
            ("name", _) => text_found(name),
            ("namespace", _) => text_found(namespace),
            ("size", Some(size)) => text_found(inner.text(size, problems).ok_or(Miss::Reported)?),
            _ => {
                let message = format!("a volume claim has no `{below}`");
                Err(Miss::unknown(message, below, ["name", "namespace", "size"]))
            }
        }
    }

    /// An output of the instance itself.
    pub(super) fn own_output(&self, rest: &str, problems: &mut Problems) -> Result<Found, Miss> {
        let (name, take) = taken(rest).map_or((rest, None), |(name, take)| (name, Some(take)));
        let found = self.output(name, problems)?;
        finish(found, take, &format!("out.{name}"))
    }

    /// An output by name, before a path takes its reference or value.
    fn output(&self, name: &str, problems: &mut Problems) -> Result<Found, Miss> {
        let outputs = &self.member.component.outputs;
        let Some(rule) = outputs.iter().find(|rule| rule.name == name) else {
            let message = format!("`{}` has no output `{name}`", self.member.component.name());
            return Err(Miss::unknown(message, name, self.member.component.outputs()));
        };
        let inner = self.follow(self.member, &format!("out.{name}"))?;
        if !inner.holds(rule.when.as_ref(), problems) {
            return Err(Miss::Absent {
                why: format!("the `when` of output `{name}` does not hold"),
            });
        }
        inner.output_value(rule, problems)
    }

    pub(super) fn output_value(
        &self,
        rule: &OutputRule,
        problems: &mut Problems,
    ) -> Result<Found, Miss> {
        match &rule.origin {
            OutputOrigin::SecretKey { name, key, namespace } => {
                let name = self.text(name, problems).ok_or(Miss::Reported)?;
                let key = self.text(key, problems).ok_or(Miss::Reported)?;
                let namespace = match namespace {
                    Some(tree) => self.text(tree, problems).ok_or(Miss::Reported)?,
                    None => self.home(),
                };
                Ok(Found::Ref(SecretRef { namespace, name, key }))
            }
            OutputOrigin::Service(service) => self.address(service, problems),
            OutputOrigin::Field { of, path } => {
                let reference = self.text(of, problems).ok_or(Miss::Reported)?;
                let of = self.object_ref(&reference, &rule.at, problems).ok_or(Miss::Reported)?;
                let namespace = of.namespace.unwrap_or_default();
                let pointer = super::condition::pointer(path);
                let name = format!(
                    "field:{}/{}/{namespace}/{}:{pointer}",
                    of.api_version, of.kind, of.name
                );
                Ok(Found::Value(Value::Output { of: self.health_id(), name }))
            }
            OutputOrigin::Value(tree) => {
                let mut own = Problems::default();
                let value = self.value(tree, &mut own);
                let reported = own.has_errors();
                problems.append(own);
                match value {
                    Some(value) => Ok(Found::Value(value)),
                    None if reported => Err(Miss::Reported),
                    None => Err(Miss::Absent { why: "it has no value".to_owned() }),
                }
            }
        }
    }

    /// The node that stands for the instance being installed.
    pub(super) fn health_id(&self) -> ResourceId {
        ResourceId::instance(self.member.name(), ResourceKind::Health, "installed")
    }

    fn address(&self, service: &ServiceOutput, problems: &mut Problems) -> Result<Found, Miss> {
        let name = self.text(&service.name, problems).ok_or(Miss::Reported)?;
        let namespace = match &service.namespace {
            Some(tree) => self.text(tree, problems).ok_or(Miss::Reported)?,
            None => self.home(),
        };
        let port = self.port(&service.port, problems).ok_or(Miss::Reported)?;
        // Without the cluster's domain, which is not the same everywhere: the resolver adds it.
        let host = format!("{name}.{namespace}.svc");
        let path = match &service.path {
            Some(tree) => self.text(tree, problems).ok_or(Miss::Reported)?,
            None => String::new(),
        };
        match service.format {
            AddressFormat::Host => text_found(host),
            AddressFormat::Port => Ok(Found::Value(Value::Number(port.into()))),
            AddressFormat::HostPort => text_found(format!("{host}:{port}")),
            AddressFormat::Url => {
                let scheme = match &service.scheme {
                    Some(tree) => self.text(tree, problems).ok_or(Miss::Reported)?,
                    None => "http".to_owned(),
                };
                let usual = matches!((scheme.as_str(), port), ("http", 80) | ("https", 443));
                let port = if usual { String::new() } else { format!(":{port}") };
                text_found(format!("{scheme}://{host}{port}{path}"))
            }
        }
    }

    /// What a use is bound to.
    pub(super) fn binding(&self, alias: &str) -> Result<&'w Binding, Miss> {
        let key = (self.member.name().clone(), alias.to_owned());
        let Some(bindings) = &self.world.bindings else {
            let message = format!(
                "`use.{alias}` cannot stand here: parameters, namespaces and conditions of uses are settled before uses are bound"
            );
            return Err(Miss::unknown(message, alias, Vec::<String>::new()));
        };
        bindings.get(&key).ok_or_else(|| {
            let uses = self.member.component.uses();
            if uses.iter().any(|used| used.alias == alias) {
                return Miss::Reported;
            }
            let known = uses.iter().map(|used| used.alias.clone());
            Miss::unknown(format!("there is no use `{alias}`"), alias, known)
        })
    }

    /// An output of what the instance uses.
    pub(super) fn used(&self, rest: &str, problems: &mut Problems) -> Result<Found, Miss> {
        let (alias, below) = rest.split_once('.').unwrap_or((rest, ""));
        let binding = self.binding(alias)?;
        if let Binding::Nothing { .. } = binding {
            let name = taken(below).map_or(below, |(name, _)| name);
            self.check_output_exists(alias, name)?;
        }
        self.given(binding, below, &format!("use.{alias}"), problems)
    }

    /// An output of whoever is bound.
    pub(super) fn given(
        &self,
        binding: &Binding,
        below: &str,
        path: &str,
        problems: &mut Problems,
    ) -> Result<Found, Miss> {
        let (name, take) = taken(below).map_or((below, None), |(name, take)| (name, Some(take)));
        let found = match binding {
            Binding::Nothing { why } => return Err(Miss::Absent { why: why.clone() }),
            Binding::External { name: external } => self.external(external, name)?,
            Binding::Instance { name: provider, provide } => {
                let member = self.world.find(provider.as_str()).ok_or(Miss::Reported)?;
                let provide = provide.and_then(|at| member.component.provides.get(at));
                let own = match provide {
                    None => name,
                    Some(provide) => {
                        let contract = self.world.catalogue.contract(&provide.capability);
                        if let Some(contract) = contract {
                            known_output(contract, name)?;
                        }
                        provide.map.get(name).map_or(name, String::as_str)
                    }
                };
                let inner = Scope { trail: self.trail.clone(), ..Scope::new(self.world, member) };
                let written = member.component.outputs.iter().any(|output| output.name == own);
                match own {
                    "namespace" if !written => Found::Value(Value::Text(member.namespace.clone())),
                    _ if !written && provide.is_some() => {
                        let why = format!("`{provider}` does not give it");
                        return Err(Miss::Absent { why });
                    }
                    _ => inner.output(own, problems)?,
                }
            }
        };
        finish(found, take, &format!("{path}.{name}"))
    }

    /// A wrong output is an error also where nothing is bound.
    fn check_output_exists(&self, alias: &str, output: &str) -> Result<(), Miss> {
        let used = self.member.component.uses().iter().find(|used| used.alias == alias);
        match used.map(|used| &used.of) {
            Some(super::UseOf::Capability(capability)) => {
                match self.world.catalogue.contract(capability) {
                    Some(contract) => known_output(contract, output),
                    None => Ok(()),
                }
            }
            Some(super::UseOf::Component(_)) | None => Ok(()),
        }
    }

    fn external(&self, external: &str, output: &str) -> Result<Found, Miss> {
        let platform = self.world.platform;
        let given = platform.external.get(external).ok_or(Miss::Reported)?;
        if let Some(contract) = self.world.catalogue.contract(&given.capability) {
            known_output(contract, output)?;
        }
        if let Some(value) = given.outputs.get(output) {
            return Ok(match kept_secret(value, &platform.namespace) {
                Some(at) => Found::Ref(at),
                None => Found::Value(plain(value)),
            });
        }
        if self.is_ref(given, output)
            && let Some(secret) = &given.secret_from
        {
            let (namespace, name) = secret.split_once('/').unwrap_or((&platform.namespace, secret));
            return Ok(Found::Ref(SecretRef {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                key: output.to_owned(),
            }));
        }
        match output {
            "namespace" => text_found(&platform.namespace),
            _ => {
                Err(Miss::Absent { why: format!("`external.{external}.outputs` does not give it") })
            }
        }
    }

    fn is_ref(&self, given: &External, output: &str) -> bool {
        let contract = self.world.catalogue.contract(&given.capability);
        contract
            .and_then(|contract| contract.outputs.get(output))
            .is_some_and(|output| output.kind == OutputType::Ref)
    }
}

fn known_output(contract: &Contract, output: &str) -> Result<(), Miss> {
    if contract.outputs.contains_key(output) {
        return Ok(());
    }
    let message = format!("`{}` has no output `{output}`", contract.name);
    Err(Miss::unknown(message, output, contract.outputs.keys().cloned()))
}

/// A reference is taken as the path says; a plain value has no reference.
fn finish(found: Found, take: Option<Take>, path: &str) -> Result<Found, Miss> {
    match (found, take) {
        (Found::Ref(at), Some(take)) => take_ref(at, take),
        (Found::Ref(_), None) => Err(Miss::unknown(
            format!("`{path}` is a secret: write how it is meant"),
            path,
            [".ref", ".ref.name", ".ref.key", ".value"].map(|end| format!("{path}{end}")),
        )),
        (Found::Value(value), None | Some(Take::Value)) => Ok(Found::Value(value)),
        (Found::Value(_), Some(Take::Ref | Take::RefName | Take::RefKey)) => Err(Miss::unknown(
            format!("`{path}` is a plain value and no reference to a secret"),
            path,
            [path.to_owned()],
        )),
    }
}
