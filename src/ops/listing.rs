//! Commands that only read files: `schema`, `components`, `flavours`, and Helm's post-renderer.

use std::io::Read as _;

use serde_json::json;

use crate::adapter::helm;
use crate::config::{self, SchemaKind};
use crate::model::{Failure, FailureKind};
use crate::ui::Screen;
use crate::yaml::nearest;

use super::{Ended, Settings, describe, load};

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaOf {
    /// A kind of file that a user writes.
    File(SchemaKind),
    /// A saved plan.
    Plan,
}

/// Prints a JSON Schema; all of them without a name.
pub async fn schema(
    _settings: &Settings,
    screen: &Screen,
    of: Option<SchemaOf>,
) -> Result<Ended, Failure> {
    let document = match of {
        Some(SchemaOf::File(of)) => config::schema(of),
        Some(SchemaOf::Plan) => super::saved::schema(),
        None => json!({
            "flavour": config::schema(SchemaKind::Flavour),
            "target": config::schema(SchemaKind::Target),
            "settings": config::schema(SchemaKind::Settings),
            "component": config::schema(SchemaKind::Component),
            "plan": super::saved::schema(),
        }),
    };
    screen.print_verbatim(&document);
    Ok(Ended::Well)
}

/// Lists the components there are.
pub async fn components_list(settings: &Settings, screen: &Screen) -> Result<Ended, Failure> {
    let (catalogue, entries, warnings) = catalogue(settings, screen)?;
    screen.show_problems(&warnings);
    let mut rows = Vec::new();
    let mut listed = Vec::new();
    for entry in &entries {
        let Some(component) = catalogue.component(&entry.name) else { continue };
        let from = if entry.built_in { "datamill" } else { "project" };
        let status = describe::status_word(component.status());
        rows.push(vec![
            entry.name.clone(),
            status.to_owned(),
            component.pinned_version().unwrap_or("-").to_owned(),
            describe::needs(component).join(", "),
            component.summary().to_owned(),
        ]);
        listed.push(json!({
            "name": entry.name, "title": component.title(), "summary": component.summary(),
            "status": status, "version": component.pinned_version(),
            "uses": describe::uses(component), "provides": describe::provides(component),
            "license": component.license(), "replacedBy": component.replaced_by(), "from": from,
        }));
    }
    let headings = ["component", "status", "version", "needs", "what it is"];
    let text = screen.table(&headings, &rows);
    screen.print_document("components", &json!({ "components": listed }), &text);
    Ok(Ended::Well)
}

/// Shows one component: what it is, its parameters, what it uses and provides.
pub async fn components_show(
    settings: &Settings,
    screen: &Screen,
    name: &str,
) -> Result<Ended, Failure> {
    let (catalogue, entries, _) = catalogue(settings, screen)?;
    let Some(component) = catalogue.component(name) else {
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        return Err(unknown("component", name, &names));
    };
    let text = describe::text(component, screen);
    screen.print_document("component", &describe::document(component), &text);
    Ok(Ended::Well)
}

fn catalogue(
    settings: &Settings,
    screen: &Screen,
) -> Result<
    (crate::catalogue::Catalogue, Vec<config::ComponentEntry>, crate::yaml::Problems),
    Failure,
> {
    config::list_components(&settings.files).map_err(|problems| {
        screen.show_problems(&problems);
        load::refused(&problems)
    })
}

/// Lists the flavours of the project and of the binary.
pub async fn flavours_list(settings: &Settings, screen: &Screen) -> Result<Ended, Failure> {
    let entries = config::list_flavours(&settings.files);
    let from = |built_in: bool| if built_in { "datamill" } else { "project" };
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            vec![
                entry.name.clone(),
                entry.file.display().to_string(),
                from(entry.built_in).to_owned(),
                entry.components.join(", "),
            ]
        })
        .collect();
    let listed: Vec<_> = entries
        .iter()
        .map(|entry| {
            json!({
                "name": entry.name, "file": entry.file, "from": from(entry.built_in),
                "summary": entry.summary, "components": entry.components,
            })
        })
        .collect();
    let text = screen.table(&["flavour", "file", "from", "components"], &rows);
    screen.print_document("flavours", &json!({ "flavours": listed }), &text);
    Ok(Ended::Well)
}

/// Shows one flavour: its file as it stands.
pub async fn flavours_show(
    settings: &Settings,
    screen: &Screen,
    name: &str,
) -> Result<Ended, Failure> {
    let entries = config::list_flavours(&settings.files);
    let Some(entry) = entries.iter().find(|entry| entry.name == name) else {
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        return Err(unknown("flavour", name, &names));
    };
    let document = json!({ "name": entry.name, "file": entry.file, "text": entry.text });
    screen.print_document("flavour", &document, &entry.text);
    Ok(Ended::Well)
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Failure {
    let failure = Failure::new(FailureKind::Usage, format!("there is no {what} `{name}`"))
        .because(format!("known here: {}", known.join(", ")));
    match nearest(name, known.iter().copied()) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure,
    }
}

/// Helm's post-renderer: manifests on standard input, the same with our marks on standard output.
pub async fn post_render(settings: &Settings, screen: &Screen) -> Result<Ended, Failure> {
    let broken = |because: String| {
        Failure::new(FailureKind::Bug, "cannot mark what Helm rendered").because(because)
    };
    let rules = settings.files.environment.get(helm::RULES_VARIABLE).ok_or_else(|| {
        broken(format!("`{}` is not set: only Helm calls this command", helm::RULES_VARIABLE))
    })?;
    let mut manifests = String::new();
    std::io::stdin().read_to_string(&mut manifests).map_err(|error| broken(error.to_string()))?;
    screen.answer(&helm::post_render_by_variable(rules, &manifests)?);
    Ok(Ended::Well)
}
