//! What a path in `${…}` or `when` means for one instance: the fixed roots `project`, `cluster`, `self`, `param`, `secret`,
//! `claim`, `out`, `use`, `item`.

use std::rc::Rc;

use indexmap::IndexMap;

use super::expression::{Expression, Operand, Tree};
use super::grant::Asking;
use super::wiring::Binding;
use super::world::{Member, ParamValue, World};
use crate::model::{SecretRef, Value};
use crate::yaml::{Problem, Problems, Span};

/// The roots of paths of an instance.
const ROOTS: [&str; 9] =
    ["project", "cluster", "self", "param", "secret", "claim", "out", "use", "item"];

/// The roots of a grant; where a component grants by itself, its own `self`, `param` and `out` besides.
const ROOTS_OF_A_GRANT: [&str; 6] = ["project", "cluster", "asked", "from", "secret", "item"];

/// What is in sight of one instance.
#[derive(Debug, Clone)]
pub(super) struct Scope<'w, 'a> {
    pub(super) world: &'w World<'a>,
    pub(super) member: &'w Member<'a>,
    pub(super) item: Option<Item>,
    /// The claim that is being granted, and then `member` is who grants it by itself.
    pub(super) asking: Option<Rc<Asking<'w, 'a>>>,
    /// What is being looked up, so that what refers to itself is found.
    pub(super) trail: Vec<String>,
}

/// What `$forEach` is at.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) key: Option<String>,
    pub(super) index: usize,
    pub(super) value: Value,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    /// A value, perhaps known later.
    Value(Value),
    /// A key of a Secret, by reference.
    Ref(SecretRef),
}

/// Why nothing stands at a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Miss {
    /// The path leads nowhere.
    Unknown { message: String, word: String, candidates: Vec<String> },
    /// The path is right, and there is nothing this time.
    Absent { why: String },
    /// It leads back to itself.
    Circle { chain: String },
    /// It was reported already.
    Reported,
}

impl Miss {
    /// A wrong word in a path, with what could stand in its place.
    pub(super) fn unknown(
        message: String,
        word: &str,
        candidates: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let candidates = candidates.into_iter().map(Into::into).collect();
        Self::Unknown { message, word: word.to_owned(), candidates }
    }

    fn absent(why: impl Into<String>) -> Self {
        Self::Absent { why: why.into() }
    }

    /// The problem at a place.
    pub(super) fn report(self, path: &str, at: &Span, problems: &mut Problems) {
        match self {
            Self::Unknown { message, word, candidates } => problems.push(
                Problem::error("unknown-path", message)
                    .at(at)
                    .label(format!("`{path}`"))
                    .suggest(&word, candidates.iter().map(String::as_str)),
            ),
            Self::Absent { why } => problems.push(
                Problem::error("absent-path", format!("`{path}` is not there: {why}"))
                    .at(at)
                    .help(format!("`${{{path}?}}` leaves the key out then")),
            ),
            Self::Circle { chain } => problems.push(
                Problem::error("circle", format!("`{path}` leads back to itself: {chain}")).at(at),
            ),
            Self::Reported => {}
        }
    }
}

/// A text value.
#[expect(clippy::unnecessary_wraps, reason = "an arm of the look-ups that can fail")]
pub(super) fn text_found(text: impl Into<String>) -> Result<Found, Miss> {
    Ok(Found::Value(Value::Text(text.into())))
}

impl<'w, 'a> Scope<'w, 'a> {
    /// The scope of an instance.
    pub(super) fn new(world: &'w World<'a>, member: &'w Member<'a>) -> Self {
        Self { world, member, item: None, asking: None, trail: Vec::new() }
    }

    /// The same scope with an item of `$forEach`.
    pub(super) fn with_item(&self, item: Item) -> Self {
        Self { item: Some(item), ..self.clone() }
    }

    /// The scope in which something of an instance is looked up on the way; nothing may lead back to itself.
    pub(super) fn follow(&self, member: &'w Member<'a>, what: &str) -> Result<Self, Miss> {
        let step = format!("{}:{what}", member.name());
        let mut trail = self.trail.clone();
        if trail.contains(&step) {
            trail.push(step);
            return Err(Miss::Circle { chain: trail.join(" → ") });
        }
        trail.push(step);
        Ok(Self { world: self.world, member, item: None, asking: None, trail })
    }

    /// The scope in which something is looked up that is written beside what mentions it.
    pub(super) fn deeper(&self, what: &str) -> Result<Self, Miss> {
        let asking = self.asking.clone();
        let what = match &asking {
            Some(asking) => format!("{}.{}:{what}", asking.by.name(), asking.id),
            None => what.to_owned(),
        };
        Ok(Self { asking, ..self.follow(self.member, &what)? })
    }

    /// What stands at a path.
    pub(super) fn path(&self, path: &str, problems: &mut Problems) -> Result<Found, Miss> {
        let (root, rest) = path.split_once('.').unwrap_or((path, ""));
        let by_itself = self.asking.as_ref().map(|asking| asking.by_itself);
        let in_sight = match (by_itself, root) {
            (None, _) | (Some(true), "self" | "param" | "out") => true,
            (Some(_), root) => ROOTS_OF_A_GRANT.contains(&root),
        };
        if !in_sight {
            let message = format!("`{path}` is not in sight of a grant");
            return Err(Miss::unknown(message, root, ROOTS_OF_A_GRANT));
        }
        match root {
            "asked" => self.asked(rest),
            "from" => self.from(rest, problems),
            "project" => self.project(rest),
            "cluster" => self.cluster(rest),
            "self" => self.itself(rest),
            "param" => self.param(rest),
            "secret" => self.secret(rest, problems),
            "claim" => self.claim(rest, problems),
            "out" => self.own_output(rest, problems),
            "use" => self.used(rest, problems),
            "item" => self.item(rest),
            _ => Err(Miss::unknown(format!("`{path}` begins with no known root"), root, ROOTS)),
        }
    }

    fn project(&self, rest: &str) -> Result<Found, Miss> {
        let platform = self.world.platform;
        match rest {
            "name" => text_found(&platform.project),
            "namespace" => text_found(&platform.namespace),
            "domain" => match &platform.domain {
                Some(domain) => text_found(domain),
                None => Err(Miss::absent("the flavour sets no `project.domain`")),
            },
            "expose" => text_found(platform.expose.word()),
            _ => Err(Miss::unknown(
                format!("`project` has no `{rest}`"),
                rest,
                ["name", "namespace", "domain", "expose"],
            )),
        }
    }

    fn cluster(&self, rest: &str) -> Result<Found, Miss> {
        let facts = self.world.facts;
        match rest {
            "provider" => text_found(&facts.provider),
            "location" => text_found(&facts.location),
            "version" => text_found(&facts.version),
            "simulated" => Ok(Found::Value(Value::Bool(facts.simulated))),
            _ => Err(Miss::unknown(
                format!("`cluster` has no `{rest}`"),
                rest,
                ["provider", "location", "version", "simulated"],
            )),
        }
    }

    fn itself(&self, rest: &str) -> Result<Found, Miss> {
        let member = self.member;
        match rest {
            "release" => text_found(&member.release),
            "namespace" => text_found(&member.namespace),
            "name" => text_found(member.component.name()),
            "instance" => text_found(member.name().as_str()),
            "expose" => text_found(member.expose(self.world.platform).word()),
            _ => Err(Miss::unknown(
                format!("`self` has no `{rest}`"),
                rest,
                ["release", "namespace", "name", "instance", "expose"],
            )),
        }
    }

    fn param(&self, rest: &str) -> Result<Found, Miss> {
        let (name, below) = rest.split_once('.').unwrap_or((rest, ""));
        let Some(value) = self.member.params.get(name) else {
            // Defaults are set one after the other, so a later one is not in sight of an earlier one.
            let known: Vec<_> =
                self.member.component.params().iter().map(|p| p.name.clone()).collect();
            if known.iter().any(|known| known == name) {
                let why = format!("parameter `{name}` is declared below the one that mentions it");
                return Err(Miss::absent(why));
            }
            return Err(Miss::unknown(format!("there is no parameter `{name}`"), name, known));
        };
        match value {
            ParamValue::Unset => Err(Miss::absent(format!("parameter `{name}` is not set"))),
            ParamValue::Plain(value) => within(value, below, &format!("param.{name}")),
            ParamValue::Secret(_) | ParamValue::Kept(_) => Err(Miss::unknown(
                format!(
                    "`{name}` is a secret: a key of `secrets` with `param: {name}` takes it, and `${{secret.…}}` refers to that"
                ),
                name,
                Vec::<String>::new(),
            )),
        }
    }

    fn item(&self, rest: &str) -> Result<Found, Miss> {
        let Some(item) = &self.item else {
            let message = "`item` means something inside of `$forEach` only".to_owned();
            return Err(Miss::unknown(message, "item", Vec::<String>::new()));
        };
        let has = |key: &str| matches!(&item.value, Value::Map(map) if map.contains_key(key));
        match rest {
            "" => Ok(Found::Value(item.value.clone())),
            "index" => Ok(Found::Value(Value::Number(item.index.into()))),
            "key" if !has("key") => match &item.key {
                Some(key) => text_found(key),
                None => Err(Miss::absent("a list has no keys; `item.index` counts from 0")),
            },
            "value" if !has("value") => Ok(Found::Value(item.value.clone())),
            _ => within(&item.value, rest, "item"),
        }
    }

    /// Whether a condition holds; without one it does.
    pub(super) fn holds(&self, when: Option<&Expression>, problems: &mut Problems) -> bool {
        when.is_none_or(|when| {
            self.truth(&when.tree, problems).unwrap_or_else(|(path, miss)| {
                miss.report(&path, &when.at, problems);
                false
            })
        })
    }

    fn truth(&self, tree: &Tree, problems: &mut Problems) -> Result<bool, (String, Miss)> {
        Ok(match tree {
            Tree::Or(left, right) => self.truth(left, problems)? || self.truth(right, problems)?,
            Tree::And(left, right) => self.truth(left, problems)? && self.truth(right, problems)?,
            Tree::Not(inner) => !self.truth(inner, problems)?,
            Tree::Equal(left, right) => {
                same(&self.operand(left, problems)?, &self.operand(right, problems)?)
            }
            Tree::In(left, right) => {
                among(&self.operand(left, problems)?, &self.operand(right, problems)?)
            }
            Tree::Truth(operand) => is_true(&self.operand(operand, problems)?),
            Tree::Has(path) => self.has(path, problems)?,
            Tree::Api(api) => self.world.facts.apis.contains(api),
        })
    }

    /// Absent things are nothing in a condition.
    fn operand(&self, operand: &Operand, problems: &mut Problems) -> Result<Value, (String, Miss)> {
        match operand {
            Operand::Literal(json) => Ok(Value::from_json(json)),
            Operand::List(items) => items
                .iter()
                .map(|item| self.operand(item, problems))
                .collect::<Result<_, _>>()
                .map(Value::List),
            Operand::Path(path) => match self.path(path, problems) {
                Ok(Found::Value(value)) => Ok(value),
                Ok(Found::Ref(at)) => Ok(Value::Secret(at)),
                Err(Miss::Absent { .. }) => Ok(Value::Null),
                Err(miss) => Err((path.clone(), miss)),
            },
        }
    }

    /// `has(use.x)` tells whether something is bound, any other path whether it is there and not empty.
    fn has(&self, path: &str, problems: &mut Problems) -> Result<bool, (String, Miss)> {
        if let Some(alias) = path.strip_prefix("use.")
            && !alias.contains('.')
        {
            return match self.binding(alias) {
                Ok(binding) => Ok(!matches!(binding, Binding::Nothing { .. })),
                Err(miss) => Err((path.to_owned(), miss)),
            };
        }
        match self.path(path, problems) {
            Ok(Found::Value(value)) => Ok(!matches!(value, Value::Null)),
            Ok(Found::Ref(_)) => Ok(true),
            Err(Miss::Absent { .. }) => Ok(false),
            Err(miss) => Err((path.to_owned(), miss)),
        }
    }
}

/// What stands below a value.
pub(super) fn within(value: &Value, below: &str, above: &str) -> Result<Found, Miss> {
    let mut here = value;
    let mut rest = below;
    while !rest.is_empty() {
        let Value::Map(map) = here else {
            let message = format!("`{above}` is no map, so it has no `{rest}`");
            return Err(Miss::unknown(message, rest, Vec::<String>::new()));
        };
        let (key, after) = longest_key(map, rest);
        here = map.get(key).ok_or_else(|| {
            Miss::unknown(format!("`{above}` has no `{key}`"), key, map.keys().cloned())
        })?;
        rest = after;
    }
    Ok(Found::Value(here.clone()))
}

/// The longest key of a map that the path begins with, so that keys may hold dots.
fn longest_key<'p>(map: &IndexMap<String, Value>, path: &'p str) -> (&'p str, &'p str) {
    let mut ends: Vec<usize> = path.match_indices('.').map(|(at, _)| at).collect();
    ends.push(path.len());
    for end in ends.iter().rev() {
        let (key, after) = path.split_at(*end);
        if map.contains_key(key) {
            return (key, after.trim_start_matches('.'));
        }
    }
    path.split_once('.').unwrap_or((path, ""))
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Text(text) => !text.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
        Value::Join(_) | Value::Output { .. } | Value::Secret(_) => true,
    }
}

fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => left == right,
    }
}

fn among(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (_, Value::List(items)) => items.iter().any(|item| same(left, item)),
        (Value::Text(key), Value::Map(map)) => map.contains_key(key),
        (Value::Text(part), Value::Text(whole)) => whole.contains(part.as_str()),
        _ => false,
    }
}
