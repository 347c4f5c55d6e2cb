//! Reads `component.yaml`, strictly: what nobody asked for is a problem.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{
    Component, Legacy, LegacyMeaning, LegacyWhen, NamespaceRule, Overlay, Profile, Provide,
    Requires, Status, Upgrade, Use, UseOf, end,
};
use crate::catalogue::fields::{Fields, always, text_of};
use crate::catalogue::{ComponentFile, expression, grant, param, requirement, rule, step};
use crate::yaml::{Located, Problem, Problems, Span};

/// Reads a component; problems are collected, and with errors among them the result is of no use.
pub(in crate::catalogue) fn read(
    file: ComponentFile,
    problems: &mut Problems,
) -> Option<Component> {
    let ComponentFile { folder, tree, settings } = file;
    let mut fields = Fields::of(&tree, "a component", problems)?;
    fields.need("schema", problems);
    fields.word("schema", &[("component/v1", ())], problems);
    let name = fields.need_text("name", problems)?;
    check_name(&name, &folder, fields.raw("name").unwrap_or(&tree), problems);
    let component = Component {
        title: fields.text("title", problems).unwrap_or_else(|| name.clone()),
        summary: fields.text("summary", problems).unwrap_or_default(),
        categories: fields.texts("categories", problems),
        home: fields.text("home", problems).unwrap_or_default(),
        license: fields.text("license", problems).unwrap_or_default(),
        status: status(&mut fields, problems),
        replaced_by: fields.texts("replacedBy", problems),
        once_per_cluster: once_per_cluster(&mut fields, problems),
        conflicts: fields.texts("conflicts", problems),
        namespace: namespace(&mut fields, problems),
        requires: requires(&mut fields, problems),
        aliases: fields.texts("aliases", problems),
        in_all: fields.bool("all", problems).unwrap_or(true),
        legacy: each(fields.list("legacy", problems), problems, legacy),
        uses: each(fields.list("uses", problems), problems, uses),
        provides: each(fields.list("provides", problems), problems, provides),
        params: each(fields.map("params", problems), problems, param::read),
        profiles: profiles(&mut fields, problems),
        secrets: each(fields.list("secrets", problems), problems, rule::secret),
        claims: each(fields.list("claims", problems), problems, rule::claim),
        grants: each(fields.map("grants", problems), problems, grant::grants).into_iter().collect(),
        steps: each(fields.list("steps", problems), problems, step::read),
        outputs: each(fields.map("outputs", problems), problems, rule::output),
        endpoints: each(fields.list("endpoints", problems), problems, rule::endpoint),
        health: fields.list("health", problems).to_vec(),
        fails: fields.list("fails", problems).to_vec(),
        overlays: overlays(&mut fields, problems),
        upgrade: upgrade(&mut fields, problems),
        delete: end::delete(&mut fields, problems),
        notes: fields.value("notes").cloned(),
        images: fields.value("images").cloned(),
        runs: fields.map("runs", problems).to_vec(),
        verify: fields.list("verify", problems).to_vec(),
        connect: fields.map("connect", problems).to_vec(),
        idle: idle(&tree),
        at: fields.raw("name").map_or_else(|| tree.span.clone(), |name| name.span.clone()),
        name,
        folder,
        settings,
    };
    fields.raw("source");
    fields.finish(problems);
    check_ids(&component, problems);
    check_later(&component, problems);
    Some(component)
}

fn each<'a, I, T>(
    items: &'a [I],
    problems: &mut Problems,
    read: impl Fn(&'a I, &mut Problems) -> Option<T>,
) -> Vec<T> {
    items.iter().filter_map(|item| read(item, problems)).collect()
}

fn check_name(name: &str, folder: &Path, at: &Located, problems: &mut Problems) {
    let folder = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if let Err(why) = name.parse::<crate::model::Name>() {
        problems.push(Problem::error("component-name", why.to_string()).at(&at.span));
    } else if folder != name {
        let message = format!("component `{name}` lies in a folder called `{folder}`");
        problems.push(
            Problem::error("component-name", message)
                .at(&at.span)
                .help("folder and component bear the same name"),
        );
    }
}

fn status(fields: &mut Fields<'_>, problems: &mut Problems) -> Status {
    let words = [
        ("active", Status::Active),
        ("frozen", Status::Frozen),
        ("deprecated", Status::Deprecated),
        ("retired", Status::Retired),
        ("experimental", Status::Experimental),
    ];
    fields.word("status", &words, problems).unwrap_or(Status::Active)
}

fn once_per_cluster(fields: &mut Fields<'_>, problems: &mut Problems) -> bool {
    fields.word("scope", &[("namespace", false), ("cluster", true)], problems).unwrap_or(false)
}

/// `namespace: name`, or a map with labels and annotations.
fn namespace(fields: &mut Fields<'_>, problems: &mut Problems) -> NamespaceRule {
    let Some(tree) = fields.value("namespace") else { return NamespaceRule::default() };
    if tree.as_text().is_some() {
        return NamespaceRule { name: Some(tree.clone()), ..NamespaceRule::default() };
    }
    let Some(mut inner) = Fields::of(tree, "a namespace", problems) else {
        return NamespaceRule::default();
    };
    let rule = NamespaceRule {
        name: inner.value("name").cloned(),
        labels: inner.value("labels").cloned(),
        annotations: inner.value("annotations").cloned(),
    };
    inner.finish(problems);
    rule
}

fn requires(fields: &mut Fields<'_>, problems: &mut Problems) -> Requires {
    let Some(tree) = fields.value("requires") else { return Requires::default() };
    let Some(mut inner) = Fields::of(tree, "`requires`", problems) else {
        return Requires::default();
    };
    let kubernetes = inner.value("kubernetes").and_then(|value| {
        let range = text_of(value, "kubernetes", problems)?;
        if let Err(error) = semver::VersionReq::parse(&range) {
            let message = format!("`{range}` is no range of versions: {error}");
            problems.push(Problem::error("version-range", message).at(&value.span));
            return None;
        }
        Some((range, value.span.clone()))
    });
    let helm = inner.value("helm").and_then(|value| requirement::helm(value, problems));
    let requires = Requires {
        kubernetes,
        helm,
        nodes: inner.value("nodes").cloned(),
        storage: inner.value("storage").cloned(),
    };
    inner.finish(problems);
    requires
}

fn legacy(tree: &Located, problems: &mut Problems) -> Option<Legacy> {
    let mut fields = Fields::of(tree, "an old key", problems)?;
    let key = fields.need_text("key", problems);
    let to = fields.text("to", problems);
    let drop = fields.text("drop", problems);
    let quiet = fields.texts("quiet", problems);
    let when = fields.value("when").and_then(|when| legacy_when(when, problems));
    fields.finish(problems);
    let meaning = match (to, drop) {
        (Some(to), None) => LegacyMeaning::MovedTo(to),
        (None, Some(why)) => LegacyMeaning::Dropped(why),
        (Some(_), Some(_)) | (None, None) => {
            let message = "an old key has either `to` or `drop`";
            problems.push(Problem::error("legacy", message).at(&tree.span));
            return None;
        }
    };
    Some(Legacy { key: key?, meaning, quiet, when })
}

fn legacy_when(tree: &Located, problems: &mut Problems) -> Option<LegacyWhen> {
    let mut fields = Fields::of(tree, "a condition of an old key", problems)?;
    let key = fields.need_text("key", problems);
    let is = fields.texts("is", problems);
    let is_not = fields.texts("is_not", problems);
    fields.finish(problems);
    if is.is_empty() == is_not.is_empty() {
        let message = "a condition of an old key has either `is` or `is_not`";
        problems.push(Problem::error("legacy", message).at(&tree.span));
        return None;
    }
    let (words, is) = if is.is_empty() { (is_not, false) } else { (is, true) };
    Some(LegacyWhen { key: key?, words, is })
}

/// The keys of a contract that have variants.
const VARIANTS: [&str; 2] = ["auth", "dialect"];

fn uses(tree: &Located, problems: &mut Problems) -> Option<Use> {
    let mut fields = Fields::of(tree, "a use", problems)?;
    let alias = fields.text("as", problems);
    let capability = fields.text("capability", problems);
    let component = fields.text("component", problems);
    let optional = fields.flag("optional", problems);
    let soft = fields.flag("soft", problems);
    let default = fields.text("default", problems);
    let variants = VARIANTS
        .iter()
        .map(|key| ((*key).to_owned(), fields.texts(key, problems)))
        .filter(|(_, words)| !words.is_empty())
        .collect();
    let when = rule::when(&mut fields, problems);
    fields.raw("doc");
    fields.finish(problems);
    let of = match (capability, component) {
        (Some(capability), None) => UseOf::Capability(capability),
        (None, Some(component)) => UseOf::Component(component),
        (Some(_), Some(_)) | (None, None) => {
            let message = "a use names either a `capability` or a `component`";
            problems.push(Problem::error("use", message).at(&tree.span));
            return None;
        }
    };
    let alias = alias.unwrap_or_else(|| match &of {
        UseOf::Capability(name) | UseOf::Component(name) => name.clone(),
    });
    Some(Use { alias, of, optional, soft, default, variants, when, at: tree.span.clone() })
}

fn provides(tree: &Located, problems: &mut Problems) -> Option<Provide> {
    let mut fields = Fields::of(tree, "a provided capability", problems)?;
    let capability = fields.need_text("capability", problems);
    let map = fields
        .map("map", problems)
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), text_of(&entry.value, &entry.key, problems)?)))
        .collect();
    let variants = VARIANTS
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), fields.text(key, problems)?)))
        .collect();
    let when = rule::when(&mut fields, problems);
    fields.finish(problems);
    Some(Provide { capability: capability?, map, variants, when, at: tree.span.clone() })
}

fn profiles(fields: &mut Fields<'_>, problems: &mut Problems) -> BTreeMap<String, Profile> {
    let mut found = BTreeMap::new();
    for entry in fields.map("profiles", problems) {
        let Some(mut inner) = Fields::of(&entry.value, "a profile", problems) else { continue };
        let params = inner.map("params", problems).to_vec();
        let values = inner.map("values", problems).to_vec();
        inner.finish(problems);
        found.insert(entry.key.clone(), Profile { params, values });
    }
    found
}

fn overlays(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<Overlay> {
    let mut found = Vec::new();
    for (word, what) in [("gpu", "`gpu`"), ("metrics", "`metrics`")] {
        let Some(tree) = fields.value(word) else { continue };
        let Some(mut inner) = Fields::of(tree, what, problems) else { continue };
        let when = rule::when(&mut inner, problems);
        let values = inner.map("values", problems).to_vec();
        if word == "gpu" {
            inner.raw("resource");
            inner.raw("runtimeClass");
        }
        inner.finish(problems);
        found.push(Overlay { word, when, values });
    }
    found
}

fn upgrade(fields: &mut Fields<'_>, problems: &mut Problems) -> Upgrade {
    let Some(tree) = fields.value("upgrade") else { return Upgrade::default() };
    let Some(mut inner) = Fields::of(tree, "`upgrade`", problems) else {
        return Upgrade::default();
    };
    let immutable = inner.texts("immutable", problems);
    let upgrade = Upgrade {
        immutable: immutable
            .iter()
            .map(|path| path.strip_prefix("param.").unwrap_or(path).to_owned())
            .collect(),
        max_minor_step: inner.text("maxMinorStep", problems),
        notes: inner.text("notes", problems),
    };
    always(&mut inner, "crdsFirst", "CRDs come before their release", problems);
    inner.finish(problems);
    upgrade
}

/// What a component may say and nobody heeds yet.
fn idle(tree: &Located) -> Vec<(&'static str, Span, &'static str)> {
    let keys = [
        (["gpu", "resource"], "`gpu.resource`", "write the resource into `gpu.values`"),
        (["gpu", "runtimeClass"], "`gpu.runtimeClass`", "write the class into `gpu.values`"),
        (["upgrade", "maxMinorStep"], "`upgrade.maxMinorStep`", "any version may follow any other"),
        (
            ["upgrade", "notes"],
            "`upgrade.notes`",
            "say it in `notes`, which is shown after each run",
        ),
    ];
    keys.into_iter()
        .filter_map(|([part, key], what, meanwhile)| {
            let value = tree.get(part)?.get(key).filter(|value| !value.is_null())?;
            Some((what, value.span.clone(), meanwhile))
        })
        .collect()
}

/// Ids are unique within their list, and what is named exists.
fn check_ids(component: &Component, problems: &mut Problems) {
    let mut unique = |what: &str, ids: Vec<(&str, &Span)>| {
        let mut seen = BTreeSet::new();
        for (id, at) in ids {
            if id.parse::<crate::model::Name>().is_err() && what != "use" {
                let message = format!(
                    "the id `{id}` of a {what} is no name of small letters, digits and `-`"
                );
                problems.push(Problem::error("bad-id", message).at(at));
            }
            if !seen.insert(id) {
                let message = format!("two entries of this list are called `{id}`");
                problems.push(Problem::error("duplicate-id", message).at(at));
            }
        }
    };
    unique("secret", component.secrets.iter().map(|s| (s.id.as_str(), &s.at)).collect());
    unique("claim", component.claims.iter().map(|c| (c.id.as_str(), &c.at)).collect());
    unique("step", component.steps.iter().map(|s| (s.id.as_str(), &s.at)).collect());
    unique("endpoint", component.endpoints.iter().map(|e| (e.id.as_str(), &e.at)).collect());
    unique("use", component.uses.iter().map(|u| (u.alias.as_str(), &u.at)).collect());
    end::check(component, problems);
    let steps: Vec<&str> = component.helm_steps().collect();
    let overlays = component.overlays.iter().flat_map(|overlay| &overlay.values);
    let profiles = component.profiles.values().flat_map(|profile| &profile.values);
    for entry in overlays.chain(profiles) {
        if !steps.contains(&entry.key.as_str()) {
            let message = format!("`{}` is no Helm step of this component", entry.key);
            problems.push(
                Problem::error("unknown-step", message)
                    .at(&entry.key_span)
                    .suggest(&entry.key, steps.iter().copied()),
            );
        }
    }
    check_params(component, problems);
}

fn check_params(component: &Component, problems: &mut Problems) {
    let known: Vec<&str> = component.params.iter().map(|p| p.name.as_str()).collect();
    let unknown = |name: &str, at: &Span| {
        Problem::error("unknown-parameter", format!("there is no parameter `{name}`"))
            .at(at)
            .suggest(name, known.iter().copied())
    };
    for entry in component.profiles.values().flat_map(|profile| &profile.params) {
        match component.param(&entry.key) {
            Some(param) => {
                param.check(&entry.value, problems);
            }
            None => problems.push(unknown(&entry.key, &entry.key_span)),
        }
    }
    for name in &component.upgrade.immutable {
        if component.param(name).is_none() {
            problems.push(unknown(name, component.at()));
        }
    }
}

/// Reads what later issues run, so that a slip in it is found today.
fn check_later(component: &Component, problems: &mut Problems) {
    for entry in &component.runs {
        let Some(mut fields) = Fields::of(&entry.value, "a run", problems) else { continue };
        for key in ["job", "objects", "done", "fails", "logs", "doc", "params"] {
            fields.raw(key);
        }
        fields.finish(problems);
        if ["data", "pachyderm"].contains(&entry.key.as_str()) {
            let message = format!("`{}` is a reserved name of a run", entry.key);
            problems.push(Problem::error("reserved-run", message).at(&entry.key_span));
        }
    }
    for check in &component.verify {
        let Some(mut fields) = Fields::of(check, "a check", problems) else { continue };
        for key in ["id", "job", "http", "call", "expect", "doc"] {
            fields.raw(key);
        }
        fields.value("when").and_then(|value| expression::read(value, problems));
        fields.finish(problems);
    }
    for entry in &component.connect {
        text_of(&entry.value, &entry.key, problems);
    }
    let images = component.images.as_ref().map(Located::entries).unwrap_or_default();
    for entry in images {
        let Some(mut fields) = Fields::of(&entry.value, "an image", problems) else { continue };
        for key in ["context", "file", "args", "when"] {
            fields.raw(key);
        }
        fields.finish(problems);
    }
}
