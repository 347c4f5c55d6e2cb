//! What a component says of secrets, claims, outputs and endpoints: typed, but not yet substituted.

use super::expression::{self, Expression};
use super::fields::{Fields, text_of};
use crate::model::SecretPart;
use crate::yaml::{Entry, Located, Problem, Problems, Span};

/// A Secret that a component wants.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SecretWish {
    pub(super) id: String,
    pub(super) at: Span,
    pub(super) when: Option<Expression>,
    pub(super) name: Option<Located>,
    pub(super) namespace: Option<Located>,
    pub(super) secret_type: Option<String>,
    pub(super) keep: Option<bool>,
    pub(super) keys: Vec<KeyWish>,
}

/// A key of a wanted Secret.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeyWish {
    pub(super) key: String,
    pub(super) at: Span,
    pub(super) when: Option<Expression>,
    pub(super) origin: KeyOrigin,
}

/// Where the value of a key comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum KeyOrigin {
    Generate(Generate),
    /// Comes with the key that it is named after.
    Part {
        of: String,
        part: SecretPart,
    },
    Value(Located),
    Param(String),
    Template(Located),
    Copy(Located),
}

/// How a value is drawn, and from what.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Generate {
    pub(super) how: Generator,
    pub(super) length: Option<usize>,
    /// Of a certificate: names and addresses.
    pub(super) names: Vec<Located>,
    /// Of a certificate.
    pub(super) days: Option<u32>,
    /// Of a line of a password file.
    pub(super) user: Option<Located>,
    /// Of a line of a password file: another key of the Secret.
    pub(super) password: Option<String>,
}

/// How a value is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generator {
    Alnum,
    Hex,
    Base64,
    Uuid,
    Rsa,
    Tls,
    Htpasswd,
}

const GENERATORS: [(&str, Generator); 7] = [
    ("alnum", Generator::Alnum),
    ("hex", Generator::Hex),
    ("base64", Generator::Base64),
    ("uuid", Generator::Uuid),
    ("rsa", Generator::Rsa),
    ("tls", Generator::Tls),
    ("htpasswd", Generator::Htpasswd),
];

/// Something a component asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClaimWish {
    pub(super) id: String,
    pub(super) at: Span,
    pub(super) when: Option<Expression>,
    pub(super) name: Option<Located>,
    pub(super) namespace: Option<Located>,
    pub(super) want: ClaimKind,
}

impl ClaimWish {
    /// Whether a provider grants it.
    pub(super) fn is_granted(&self) -> bool {
        matches!(self.want, ClaimKind::Granted { .. })
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ClaimKind {
    Volume {
        size: Option<Located>,
        storage_class: Option<Located>,
        access_modes: Vec<Located>,
        labels: Option<Located>,
    },
    /// A bucket, database, user or topic of a provider, which is named as it is used.
    Granted { kind: &'static str, from: Located, options: Vec<Entry> },
}

/// An output of a component.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OutputRule {
    pub(super) name: String,
    pub(super) at: Span,
    pub(super) when: Option<Expression>,
    pub(super) origin: OutputOrigin,
}

/// Where an output comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum OutputOrigin {
    SecretKey { name: Located, key: Located, namespace: Option<Located> },
    Service(ServiceOutput),
    Field { of: Located, path: String },
    Value(Located),
}

/// An output made of a Service's address.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ServiceOutput {
    pub(super) name: Located,
    pub(super) namespace: Option<Located>,
    pub(super) port: Located,
    pub(super) format: AddressFormat,
    pub(super) scheme: Option<Located>,
    pub(super) path: Option<Located>,
}

/// How an address is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddressFormat {
    HostPort,
    Url,
    Host,
    Port,
}

/// An address that people and tools may use.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EndpointRule {
    pub(super) id: String,
    pub(super) at: Span,
    pub(super) when: Option<Expression>,
    pub(super) kind: &'static str,
    pub(super) service: Located,
    pub(super) namespace: Option<Located>,
    pub(super) port: Located,
    pub(super) path: Option<Located>,
    pub(super) tls: Option<Located>,
    pub(super) forward: Option<Located>,
    pub(super) expose: bool,
    pub(super) user: Option<Located>,
    pub(super) password: Option<Located>,
}

/// Reads an optional `when`.
pub(super) fn when(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Expression> {
    expression::read(fields.value("when")?, problems)
}

/// Reads an entry of `secrets`.
pub(super) fn secret(tree: &Located, problems: &mut Problems) -> Option<SecretWish> {
    let mut fields = Fields::of(tree, "a secret", problems)?;
    let id = fields.need_text("id", problems);
    let when = when(&mut fields, problems);
    let name = fields.value("name").cloned();
    let namespace = fields.value("namespace").cloned();
    let secret_type = fields.text("type", problems);
    let keep = fields.bool("keep", problems);
    let mut keys: Vec<KeyWish> = Vec::new();
    for entry in fields.map("keys", problems) {
        keys.extend(key(entry, problems));
    }
    check_keys(&keys, problems);
    fields.need("keys", problems);
    fields.finish(problems);
    let at = tree.span.clone();
    Some(SecretWish { id: id?, at, when, name, namespace, secret_type, keep, keys })
}

/// Two keys of a Secret are not called alike, and a line of a password file has a password.
fn check_keys(keys: &[KeyWish], problems: &mut Problems) {
    for (at, wish) in keys.iter().enumerate() {
        if keys.iter().take(at).any(|other| other.key == wish.key) {
            let message = format!("this secret has the key `{}` already", wish.key);
            problems.push(Problem::error("duplicate-key", message).at(&wish.at));
        }
        if let KeyOrigin::Generate(Generate { how: Generator::Htpasswd, password, .. }) =
            &wish.origin
        {
            let password = password.as_deref().unwrap_or("password");
            let known = || keys.iter().map(|key| key.key.as_str()).filter(|key| *key != wish.key);
            if !known().any(|key| key == password) {
                let message = format!("there is no key `{password}` to take the password from");
                problems.push(
                    Problem::error("unknown-key", message)
                        .at(&wish.at)
                        .suggest(password, known())
                        .help("add it: password: {generate: alnum}"),
                );
            }
        }
    }
}

/// A key, and those that are drawn together with it.
fn key(entry: &Entry, problems: &mut Problems) -> Vec<KeyWish> {
    let Some(wish) = lone_key(entry, problems) else { return Vec::new() };
    let KeyOrigin::Generate(generate) = &wish.origin else { return vec![wish] };
    let parts = match generate.how {
        Generator::Rsa => {
            let stem = wish.key.trim_end_matches(".pem").trim_end_matches(".key");
            vec![(format!("{stem}.pub"), SecretPart::RsaPublic)]
        }
        Generator::Tls => {
            let stem = wish.key.trim_end_matches(".crt");
            let authority =
                if stem == "tls" { "ca.crt".to_owned() } else { format!("{stem}-ca.crt") };
            vec![(format!("{stem}.key"), SecretPart::TlsKey), (authority, SecretPart::TlsAuthority)]
        }
        Generator::Alnum
        | Generator::Hex
        | Generator::Base64
        | Generator::Uuid
        | Generator::Htpasswd => Vec::new(),
    };
    let main = if generate.how == Generator::Tls {
        format!("{}.crt", wish.key.trim_end_matches(".crt"))
    } else {
        wish.key.clone()
    };
    let parts = parts.into_iter().map(|(key, part)| KeyWish {
        key,
        origin: KeyOrigin::Part { of: main.clone(), part },
        ..wish.clone()
    });
    let parts: Vec<KeyWish> = parts.collect();
    [vec![KeyWish { key: main, ..wish }], parts].concat()
}

fn generate(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Generate> {
    let how = fields.word("generate", &GENERATORS, problems)?;
    let length = fields.value("length").and_then(|value| length(value, problems));
    if let (Generator::Rsa, Some(bits), Some(value)) = (how, length, fields.value("length"))
        && ![2048, 3072, 4096].contains(&bits)
    {
        super::fields::wrong(value, "length", "2048, 3072 or 4096 for an RSA key", problems);
    }
    let (mut names, mut days, mut user, mut password) = (Vec::new(), None, None, None);
    if how == Generator::Tls {
        names = fields.list("names", problems).to_vec();
        days = fields.value("days").and_then(|value| {
            let days = text_of(value, "days", problems)?.parse().ok();
            let days = days.filter(|days| (1..=36_500).contains(days));
            if days.is_none() {
                super::fields::wrong(value, "days", "a number from 1 to 36500", problems);
            }
            days
        });
    } else if how == Generator::Htpasswd {
        user = fields.value("user").cloned();
        password = fields.text("password", problems);
    }
    Some(Generate { how, length, names, days, user, password })
}

fn lone_key(entry: &Entry, problems: &mut Problems) -> Option<KeyWish> {
    let mut fields = Fields::of(&entry.value, "a key of a secret", problems)?;
    let when = when(&mut fields, problems);
    let mut origins = Vec::new();
    origins.extend(generate(&mut fields, problems).map(KeyOrigin::Generate));
    origins.extend(fields.raw("value").cloned().map(KeyOrigin::Value));
    origins.extend(fields.text("param", problems).map(KeyOrigin::Param));
    origins.extend(fields.value("template").cloned().map(KeyOrigin::Template));
    origins.extend(fields.value("copy").cloned().map(KeyOrigin::Copy));
    let written = ["generate", "value", "param", "template", "copy"]
        .iter()
        .filter(|key| entry.value.get(key).is_some())
        .count();
    fields.finish(problems);
    if written != 1 {
        let message =
            format!("key `{}` says {written} times where its value comes from", entry.key);
        problems.push(
            Problem::error("secret-key-origin", message)
                .at(&entry.value.span)
                .help("write exactly one of: generate, value, param, template, copy"),
        );
        return None;
    }
    let origin = origins.pop()?;
    Some(KeyWish { key: entry.key.clone(), at: entry.key_span.clone(), when, origin })
}

fn length(value: &Located, problems: &mut Problems) -> Option<usize> {
    let length =
        text_of(value, "length", problems)?.parse().ok().filter(|n| (1..=4096).contains(n));
    if length.is_none() {
        super::fields::wrong(value, "length", "a number from 1 to 4096", problems);
    }
    length
}

/// What is claimed of a provider.
pub(super) const GRANTED_KINDS: [&str; 4] = ["bucket", "database", "user", "topic"];

/// What claims may say besides their names; which of it has a meaning, a contract says.
pub(super) const CLAIM_OPTIONS: [&str; 7] =
    ["owner", "seed", "keys", "versioning", "partitions", "replicas", "config"];

#[derive(Clone, Copy)]
enum ClaimWord {
    Volume,
    Granted(&'static str),
}

/// Reads an entry of `claims`.
pub(super) fn claim(tree: &Located, problems: &mut Problems) -> Option<ClaimWish> {
    let words = [
        ("volume", ClaimWord::Volume),
        ("bucket", ClaimWord::Granted("bucket")),
        ("database", ClaimWord::Granted("database")),
        ("user", ClaimWord::Granted("user")),
        ("topic", ClaimWord::Granted("topic")),
    ];
    let mut fields = Fields::of(tree, "a claim", problems)?;
    let id = fields.need_text("id", problems);
    fields.need("kind", problems);
    let word = fields.word("kind", &words, problems);
    let when = when(&mut fields, problems);
    let name = fields.value("name").cloned();
    let namespace = fields.value("namespace").cloned();
    let want = match word? {
        ClaimWord::Volume => ClaimKind::Volume {
            size: fields.need("size", problems).cloned(),
            storage_class: fields.value("storageClass").cloned(),
            access_modes: access_modes(&mut fields, problems),
            labels: fields.value("labels").cloned(),
        },
        ClaimWord::Granted(word) => {
            let from = fields.need("from", problems).cloned();
            for key in CLAIM_OPTIONS {
                fields.raw(key);
            }
            let said = tree.entries().iter();
            let options = said.filter(|entry| CLAIM_OPTIONS.contains(&entry.key.as_str()));
            ClaimKind::Granted { kind: word, from: from?, options: options.cloned().collect() }
        }
    };
    fields.finish(problems);
    Some(ClaimWish { id: id?, at: tree.span.clone(), when, name, namespace, want })
}

fn access_modes(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<Located> {
    let one = fields.value("accessMode").cloned();
    let many = fields.list("accessModes", problems);
    one.into_iter().chain(many.iter().cloned()).collect()
}

/// Reads an entry of `outputs`.
pub(super) fn output(entry: &Entry, problems: &mut Problems) -> Option<OutputRule> {
    let mut fields = Fields::of(&entry.value, "an output", problems)?;
    let when = when(&mut fields, problems);
    fields.raw("doc");
    let mut origins = Vec::new();
    if let Some(tree) = fields.value("secretKey") {
        origins.push(secret_key(tree, problems));
    }
    if let Some(tree) = fields.value("service") {
        origins.push(service(tree, problems));
    }
    if let Some(tree) = fields.value("field") {
        origins.push(field(tree, problems));
    }
    if let Some(value) = fields.raw("value") {
        origins.push(Some(OutputOrigin::Value(value.clone())));
    }
    fields.finish(problems);
    if origins.len() != 1 {
        let message = format!("output `{}` says {} times what it is", entry.key, origins.len());
        problems.push(
            Problem::error("output-origin", message)
                .at(&entry.value.span)
                .help("write exactly one of: secretKey, service, field, value"),
        );
        return None;
    }
    let origin = origins.pop()??;
    Some(OutputRule { name: entry.key.clone(), at: entry.key_span.clone(), when, origin })
}

fn secret_key(tree: &Located, problems: &mut Problems) -> Option<OutputOrigin> {
    let mut fields = Fields::of(tree, "a secretKey", problems)?;
    let name = fields.need("name", problems).cloned();
    let key = fields.need("key", problems).cloned();
    let namespace = fields.value("namespace").cloned();
    fields.finish(problems);
    Some(OutputOrigin::SecretKey { name: name?, key: key?, namespace })
}

fn service(tree: &Located, problems: &mut Problems) -> Option<OutputOrigin> {
    let formats = [
        ("hostPort", AddressFormat::HostPort),
        ("url", AddressFormat::Url),
        ("host", AddressFormat::Host),
        ("port", AddressFormat::Port),
    ];
    let mut fields = Fields::of(tree, "a service output", problems)?;
    let name = fields.need("name", problems).cloned();
    let namespace = fields.value("namespace").cloned();
    let port = fields.need("port", problems).cloned();
    let format = fields.word("format", &formats, problems).unwrap_or(AddressFormat::HostPort);
    let scheme = fields.value("scheme").cloned();
    let path = fields.value("path").cloned();
    fields.finish(problems);
    Some(OutputOrigin::Service(ServiceOutput {
        name: name?,
        namespace,
        port: port?,
        format,
        scheme,
        path,
    }))
}

fn field(tree: &Located, problems: &mut Problems) -> Option<OutputOrigin> {
    let mut fields = Fields::of(tree, "a field output", problems)?;
    let of = fields.need("ref", problems).cloned();
    let path = fields.need_text("path", problems);
    fields.finish(problems);
    Some(OutputOrigin::Field { of: of?, path: path? })
}

/// Reads an entry of `endpoints`.
pub(super) fn endpoint(tree: &Located, problems: &mut Problems) -> Option<EndpointRule> {
    let kinds = ["ui", "api", "grpc", "tcp", "metrics"].map(|word| (word, word));
    let mut fields = Fields::of(tree, "an endpoint", problems)?;
    let id = fields.need_text("id", problems);
    let when = when(&mut fields, problems);
    fields.need("kind", problems);
    let kind = fields.word("kind", &kinds, problems);
    let service = fields.need("service", problems).cloned();
    let namespace = fields.value("namespace").cloned();
    let port = fields.need("port", problems).cloned();
    let path = fields.value("path").cloned();
    let tls = fields.value("tls").cloned();
    let forward = fields.value("forward").cloned();
    let expose = fields.flag("expose", problems);
    let (mut user, mut password) = (None, None);
    if let Some(tree) = fields.value("login")
        && let Some(mut login) = Fields::of(tree, "a login", problems)
    {
        user = login.value("user").cloned();
        password = login.value("password").cloned();
        login.finish(problems);
    }
    fields.finish(problems);
    Some(EndpointRule {
        id: id?,
        at: tree.span.clone(),
        when,
        kind: kind?,
        service: service?,
        namespace,
        port: port?,
        path,
        tls,
        forward,
        expose,
        user,
        password,
    })
}
