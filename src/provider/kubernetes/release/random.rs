//! Charts that draw values at random: a second rendering shows which fields differ, and renderings with one values key set show
//! which key holds a field still. All of it is found out once per chart and values.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use serde_json::Value as Json;

use super::render::{Manner, Subject, run_helm};
use super::{RenderContext, cache};
use crate::adapter::helm::chart::{pins, with_key};
use crate::model::{Failure, pointer_to};
use crate::yaml;

/// Stands in a field whose values key was set; long enough for charts that ask for long passwords.
const PIN: &str = "pinpinpinpinpinpinpinpinpinpinpin";
/// Fields of an object that a line names.
const NAMED: usize = 4;

/// A document of a rendering with the template that it comes from, below the chart's folder.
type Documents = Vec<(String, Json)>;

/// A field that differs from rendering to rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    /// Which document.
    index: usize,
    /// `Secret thing`.
    object: String,
    /// A JSON pointer.
    path: String,
    template: String,
}

/// A line for each object with fields that `first`, a rendering, and another one like it differ in.
pub(super) async fn drawn_anew(
    context: &RenderContext<'_>,
    of: &Subject<'_>,
    manner: &Manner<'_>,
    first: &str,
) -> Result<Vec<String>, Failure> {
    let helm = context.helm;
    // The lines hold no values, so that they may be kept where the drawing may not.
    let hashed = of.filled.hashed.to_string();
    let with = if context.session.is_some() { "server" } else { "client" };
    let parts =
        ["drawn anew", of.chart.digest.as_str(), &hashed, &of.spec.release, &of.spec.namespace];
    let key = cache::key(parts.into_iter().chain([context.facts.version.as_str(), with]));
    if let Some(lines) = cache::load_lines(helm, &key) {
        return Ok(lines);
    }
    let Some(lines) = find_out(context, of, manner, first).await? else { return Ok(Vec::new()) };
    cache::save_lines(helm, &key, &lines);
    Ok(lines)
}

/// Renders again and again; nothing when not even the second rendering went well.
async fn find_out(
    context: &RenderContext<'_>,
    of: &Subject<'_>,
    manner: &Manner<'_>,
    first: &str,
) -> Result<Option<Vec<String>>, Failure> {
    let again = |values: Json| async move {
        let text = run_helm(context, of, manner, &values).await.ok()?;
        Some(documents(&text))
    };
    let values = &of.filled.json;
    let Some(second) = again(values.clone()).await else { return Ok(None) };
    let mut fields: Vec<(usize, Field)> =
        differing(&documents(first), &second).into_iter().enumerate().collect();
    let files: BTreeSet<&str> = fields.iter().map(|(_, field)| field.template.as_str()).collect();
    let files: Vec<&str> = files.into_iter().collect();
    if files.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let mut keys: BTreeMap<usize, String> = BTreeMap::new();
    let mut pinned = values.clone();
    for key in pins(&*of.chart.content().await?, values, &files) {
        let Some(then) = again(with_key(values, &key, PIN)).await else { continue };
        let holds =
            |(at, field): &&(usize, Field)| !keys.contains_key(at) && holds_pin(&then, field);
        let still: Vec<usize> = fields.iter().filter(holds).map(|(at, _)| *at).collect();
        if !still.is_empty() {
            pinned = with_key(&pinned, &key, PIN);
            keys.extend(still.into_iter().map(|at| (at, key.clone())));
        }
    }
    if !keys.is_empty()
        && let (Some(one), Some(two)) = (again(pinned.clone()).await, again(pinned).await)
    {
        // What stays the same by now only followed from what is held still: checksums of it.
        let moves: BTreeSet<(String, String)> =
            differing(&one, &two).into_iter().map(|field| (field.object, field.path)).collect();
        fields.retain(|(at, field)| {
            keys.contains_key(at) || moves.contains(&(field.object.clone(), field.path.clone()))
        });
    }
    Ok(Some(lines(&fields, &keys)))
}

/// The lines for people: fields of one object that one key holds still together.
fn lines(fields: &[(usize, Field)], keys: &BTreeMap<usize, String>) -> Vec<String> {
    let mut groups: BTreeMap<(usize, Option<&String>), Vec<&Field>> = BTreeMap::new();
    for (at, field) in fields {
        groups.entry((field.index, keys.get(at))).or_default().push(field);
    }
    let line = |((_, key), fields): ((usize, Option<&String>), Vec<&Field>)| {
        let first = fields.first()?;
        let mut places: Vec<String> =
            fields.iter().take(NAMED).map(|field| field.path.clone()).collect();
        if fields.len() > NAMED {
            places.push(format!("{} more", fields.len() - NAMED));
        }
        let is = if fields.len() == 1 { "is" } else { "are" };
        let remedy = match key {
            Some(key) => format!("hold it still with the values key `{key}`"),
            None => format!("see {}", first.template),
        };
        let places = places.join(", ");
        Some(format!("{}: {places} {is} drawn anew by each upgrade; {remedy}", first.object))
    };
    groups.into_iter().filter_map(line).collect()
}

/// The documents of a rendering, each with the template that Helm names above it.
fn documents(text: &str) -> Documents {
    let mut documents = Vec::new();
    for part in format!("\n{text}").split("\n---") {
        let source = part.lines().find_map(|line| line.strip_prefix("# Source: "));
        // The first part is the chart's name.
        let template = source.and_then(|path| path.trim().split_once('/')).map_or("", |(_, p)| p);
        let read = yaml::manifests(part).unwrap_or_default();
        documents.extend(read.into_iter().map(|json| (template.to_owned(), json)));
    }
    documents
}

/// The fields in which two renderings of the same differ.
fn differing(first: &Documents, second: &Documents) -> Vec<Field> {
    let mut fields = Vec::new();
    for (index, ((template, one), (_, two))) in first.iter().zip(second).enumerate() {
        let mut places = Vec::new();
        places_of(one, two, "", &mut places);
        let text = |at: &str| one.pointer(at).and_then(Json::as_str).unwrap_or_default();
        let object = format!("{} {}", text("/kind"), text("/metadata/name"));
        let field =
            |path| Field { index, object: object.clone(), path, template: template.clone() };
        fields.extend(places.into_iter().map(field));
    }
    fields
}

fn places_of(one: &Json, two: &Json, at: &str, places: &mut Vec<String>) {
    match (one, two) {
        (Json::Object(one), Json::Object(two)) if one.keys().eq(two.keys()) => {
            for (key, value) in one {
                if let Some(other) = two.get(key) {
                    places_of(value, other, &pointer_to(at, key), places);
                }
            }
        }
        (Json::Array(one), Json::Array(two)) if one.len() == two.len() => {
            for (index, (value, other)) in one.iter().zip(two).enumerate() {
                places_of(value, other, &format!("{at}/{index}"), places);
            }
        }
        (one, two) if one == two => {}
        (_, _) => places.push(at.to_owned()),
    }
}

/// Whether a field holds what was set in its place, plain or in base64.
fn holds_pin(rendering: &Documents, field: &Field) -> bool {
    let Some((_, document)) = rendering.get(field.index) else { return false };
    let Some(text) = document.pointer(&field.path).and_then(Json::as_str) else { return false };
    let decoded = || BASE64.decode(text.as_bytes()).ok();
    text.contains(PIN)
        || decoded().is_some_and(|bytes| String::from_utf8_lossy(&bytes).contains(PIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "---\n# Source: c/templates/a.yaml\nkind: Secret\nmetadata: {name: s}\ndata: {p: aaaa, q/r: bbbb, s: same}\n---\n# Source: c/templates/b.yaml\nkind: Pod\nmetadata: {name: p, annotations: {sum: x1}}\nspec: {args: [a, b]}\n";

    #[test]
    fn differing_fields_are_named_with_object_and_template() {
        let second = FIRST.replace("aaaa", "cccc").replace("bbbb", "dddd").replace("x1", "x2");
        let fields = differing(&documents(FIRST), &documents(&second));
        let places: Vec<_> = fields.iter().map(|f| (f.object.as_str(), f.path.as_str())).collect();
        let expected = [
            ("Secret s", "/data/p"),
            ("Secret s", "/data/q~1r"),
            ("Pod p", "/metadata/annotations/sum"),
        ];
        assert_eq!(places, expected);
        assert_eq!(fields[2].template, "templates/b.yaml");
        assert!(differing(&documents(FIRST), &documents(FIRST)).is_empty());
    }

    #[test]
    fn a_line_names_the_key_that_holds_a_field_still_or_else_the_template() {
        let second = FIRST.replace("aaaa", "cccc").replace("bbbb", "dddd");
        let fields = differing(&documents(FIRST), &documents(&second));
        let fields: Vec<_> = fields.into_iter().enumerate().collect();
        let keys = [(0, "auth.password".to_owned())].into();
        assert_eq!(
            lines(&fields, &keys),
            [
                "Secret s: /data/q~1r is drawn anew by each upgrade; see templates/a.yaml",
                "Secret s: /data/p is drawn anew by each upgrade; hold it still with the values key `auth.password`",
            ]
        );
    }

    #[test]
    fn what_was_set_is_seen_plain_and_in_base64() {
        let coded = BASE64.encode(PIN.as_bytes());
        let fields = differing(&documents(FIRST), &documents(&FIRST.replace("aaaa", "x")));
        for text in [PIN, coded.as_str()] {
            assert!(holds_pin(&documents(&FIRST.replace("aaaa", text)), &fields[0]), "{text}");
        }
        assert!(!holds_pin(&documents(FIRST), &fields[0]));
    }
}
