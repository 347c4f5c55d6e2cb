//! A component as `components show` shows it.

use serde_json::{Value as Json, json};

use crate::catalogue::{Component, Param, Status};
use crate::ui::Screen;

/// The status in a word.
pub(super) fn status_word(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Frozen => "frozen",
        Status::Deprecated => "deprecated",
        Status::Retired => "retired",
        Status::Experimental => "experimental",
    }
}

/// A component as JSON.
pub(super) fn document(component: &Component) -> Json {
    let params: Vec<_> = component
        .params()
        .iter()
        .map(|param| {
            json!({
                "name": param.name, "type": param.kind.word(), "default": default(param),
                "required": param.required, "secret": param.secret, "doc": param.doc,
            })
        })
        .collect();
    json!({
        "name": component.name(), "title": component.title(), "summary": component.summary(),
        "status": status_word(component.status()), "license": component.license(),
        "version": component.pinned_version(), "home": component.home(), "aliases": component.aliases(), "replacedBy": component.replaced_by(),
        "profiles": component.profiles().collect::<Vec<_>>(),
        "uses": uses(component), "provides": provides(component), "params": params,
    })
}

/// A component as text.
pub(super) fn text(component: &Component, screen: &Screen) -> String {
    let mut lines = vec![format!("{}: {}", component.name(), component.title())];
    if !component.summary().is_empty() {
        lines.push(format!("  {}", component.summary()));
    }
    let licence = match component.license() {
        "" => "its file names no licence".to_owned(),
        licence => format!("licence {licence}"),
    };
    let version = component.pinned_version().map(|version| format!(", version {version}"));
    let version = version.unwrap_or_default();
    lines.push(format!("  {}{version}, {licence}", status_word(component.status())));
    let mut fact = |label: &str, words: Vec<String>| {
        if !words.is_empty() {
            lines.push(format!("  {label}: {}", words.join(", ")));
        }
    };
    fact(
        "home",
        Some(component.home().to_owned()).filter(|home| !home.is_empty()).into_iter().collect(),
    );
    fact("also called", component.aliases().to_vec());
    fact("use instead", component.replaced_by().to_vec());
    fact("profiles", component.profiles().map(str::to_owned).collect());
    fact("provides", provides(component));
    fact("uses", uses(component));
    let rows: Vec<Vec<String>> = component
        .params()
        .iter()
        .map(|param| {
            let default = match default(param) {
                Json::Null if param.required => "(required)".to_owned(),
                Json::Null => "-".to_owned(),
                Json::String(text) => text,
                other @ (Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_)) => {
                    other.to_string()
                }
            };
            vec![param.name.clone(), param.kind.word().to_owned(), default, param.doc.clone()]
        })
        .collect();
    if rows.is_empty() {
        lines.push("\nno parameters".to_owned());
    } else {
        let headings = ["parameter", "type", "default", "what it does"];
        lines.push(format!("\n{}", screen.table(&headings, &rows).trim_end()));
    }
    lines.join("\n") + "\n"
}

/// The default of a parameter; that of a secret one is not shown.
fn default(param: &Param) -> Json {
    match &param.default {
        Some(_) if param.secret => json!("(secret)"),
        Some(default) => default.to_json(),
        None => Json::Null,
    }
}

/// What it does not go without.
pub(super) fn needs(component: &Component) -> Vec<String> {
    let needed = component.uses().iter().filter(|used| !used.optional);
    needed.map(|used| used.of.word().to_owned()).collect()
}

/// What it uses, in words.
pub(super) fn uses(component: &Component) -> Vec<String> {
    component
        .uses()
        .iter()
        .map(|used| {
            let what = used.of.word();
            if used.optional { format!("{what} (optional)") } else { what.to_owned() }
        })
        .collect()
}

/// The capabilities it provides.
pub(super) fn provides(component: &Component) -> Vec<String> {
    component.provides().iter().map(|provided| provided.capability.clone()).collect()
}
