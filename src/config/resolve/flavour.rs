//! The flavour file: read with what it extends, and its `project:` section.

use std::path::{Path, PathBuf};

use crate::catalogue::Expose;
use crate::config::overlay::{Overlay, inside};
use crate::config::reader::{Reader, text_of, words_of};
use crate::config::request::LoadRequest;
use crate::config::variables::substitute;
use crate::model::Name;
use crate::yaml::{Entry, Located, Node, Problem, Problems, Span, layer, parse};

/// The namespace of components that name none.
const NAMESPACE: &str = "data-mill";
/// The port on which `proxy` listens.
const PROXY_PORT: u16 = 8088;
/// A component's settings file.
const COMPONENT_CONFIG: &str = "config.yaml";
/// `datamill-<project>` is the name of a cluster, at most 63 characters.
const LONGEST_NAME: usize = 54;

/// What a platform is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Environment {
    /// `environment: production`: stricter protection.
    Production,
    /// Any other word; empty when none is given.
    Other(String),
}

/// The section `project:`, resolved.
#[derive(Debug, Clone)]
pub(crate) struct ProjectSection {
    pub(crate) name: Name,
    pub(crate) namespace: String,
    pub(crate) proxy_port: u16,
    /// The names under `flavour`, and where they stand; `all` is not among them.
    pub(crate) names: Vec<(String, Span)>,
    /// Whether `all` components are meant.
    pub(crate) all: bool,
    pub(crate) default_config: Option<(String, Span)>,
    pub(crate) component_config: String,
    pub(crate) data_folder: PathBuf,
    pub(crate) config_folder: Option<PathBuf>,
    pub(crate) environment: Environment,
    pub(crate) profiles: Vec<(String, Span)>,
    pub(crate) domain: Option<String>,
    pub(crate) expose: Expose,
    pub(crate) expose_at: Option<Span>,
}

/// Reads a flavour file and lays it over what it extends. `null` removes a section of what is extended.
pub(super) fn read(
    overlay: &Overlay<'_>,
    path: &Path,
    request: &LoadRequest,
    problems: &mut Problems,
) -> Option<Located> {
    let mut chain = Vec::new();
    read_chain(overlay, path, request, &mut chain, problems)
}

fn read_chain(
    overlay: &Overlay<'_>,
    path: &Path,
    request: &LoadRequest,
    chain: &mut Vec<PathBuf>,
    problems: &mut Problems,
) -> Option<Located> {
    chain.push(path.to_owned());
    let tree = match overlay.read(path).and_then(|source| parse(&source)) {
        Ok(tree) => tree,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    if !is_flavour(&tree, &overlay.shown(path), problems) {
        return None;
    }
    let extends = tree.get("project").and_then(|project| project.get("extends"));
    let Some(extends) = extends.filter(|value| !value.is_null()) else { return Some(tree) };
    let Some(named) = text_of(&substitute(extends, &request.environment, problems)) else {
        let message = "`project.extends` is the path of a flavour file";
        problems.push(Problem::error("wrong-type", message).at(&extends.span));
        return Some(tree);
    };
    let below = overlay.beside(&extends.span.source, &named, &request.home);
    if let Some(first) = chain.iter().position(|known| *known == below) {
        let circle = chain.iter().skip(first).chain([&below]);
        let circle: Vec<_> =
            circle.map(|path| format!("`{}`", overlay.shown(path).display())).collect();
        let message = format!("these flavours extend one another: {}", circle.join(" → "));
        problems.push(Problem::error("extends-cycle", message).at(&extends.span));
        return Some(tree);
    }
    let Some(below) = extended(overlay, &below, &extends.span, problems) else { return Some(tree) };
    let Some(base) = read_chain(overlay, &below, request, chain, problems) else {
        return Some(tree);
    };
    Some(over(base, tree))
}

/// The file that is extended: on disk, else the built-in one of the same path.
fn extended(
    overlay: &Overlay<'_>,
    path: &Path,
    at: &Span,
    problems: &mut Problems,
) -> Option<PathBuf> {
    if overlay.is_file(path) {
        return Some(path.to_owned());
    }
    let relative =
        inside(path).or_else(|| path.strip_prefix(&overlay.root).ok().map(Path::to_owned));
    let found = relative.and_then(|relative| overlay.find(&relative));
    let shown = overlay.shown(path);
    let shown = shown.display();
    if let Some(found) = &found {
        let found = found.display();
        let message = format!("there is no `{shown}`; `{found}` is extended");
        problems.push(Problem::warning("built-in-flavour", message).at(at));
    } else {
        let known = overlay.yaml_files_in("flavours");
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
        problems.push(
            Problem::error("no-flavour", format!("there is no `{shown}` to extend"))
                .at(at)
                .suggest(&name.unwrap_or_default(), known.keys().map(String::as_str)),
        );
    }
    found
}

fn is_flavour(tree: &Located, shown: &Path, problems: &mut Problems) -> bool {
    let shown = shown.display();
    match &tree.node {
        Node::Map(_) => return true,
        Node::Null => problems.push(
            Problem::error("empty-file", format!("the flavour `{shown}` is empty"))
                .at(&tree.span)
                .help("write at least `project: {flavour: NAME}`"),
        ),
        Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
            let message =
                format!("the flavour `{shown}` is {}, not a map of sections", tree.kind());
            problems.push(Problem::error("not-a-map", message).at(&tree.span));
        }
    }
    false
}

/// Lays a flavour over the one it extends. Inside sections a `null` stays: it may remove a component's default.
fn over(base: Located, tree: Located) -> Located {
    let removed: Vec<String> = tree
        .entries()
        .iter()
        .filter(|entry| entry.value.is_null() && base.get(&entry.key).is_some())
        .map(|entry| entry.key.clone())
        .collect();
    let merged = layer(base, tree);
    let Node::Map(entries) = merged.node else { return merged };
    let kept: Vec<Entry> =
        entries.into_iter().filter(|entry| !removed.contains(&entry.key)).collect();
    Located { node: Node::Map(kept), span: merged.span }
}

/// What the resolution of `project:` needs beside the section.
pub(super) struct ProjectInput<'a> {
    pub(super) overlay: &'a Overlay<'a>,
    pub(super) request: &'a LoadRequest,
    /// The name of the folder above `flavours/`, else the file's stem.
    pub(super) default_name: String,
}

/// Resolves `project:`.
pub(super) fn project(
    flavour: &Located,
    input: &ProjectInput<'_>,
    problems: &mut Problems,
) -> Option<ProjectSection> {
    let nothing = Located { node: Node::Null, span: flavour.span.clone() };
    let section = flavour.get("project").unwrap_or(&nothing);
    let section = substitute(section, &input.request.environment, problems);
    let mut reader = Reader::of(&section, "project", problems)?;
    let (names, all) = names(&mut reader, &section, problems);
    let path = |value: Option<&Located>, problems: &mut Problems| {
        let value = value?;
        let text = text_of(value);
        if text.is_none() {
            let message = format!("a path is text, and here stands {}", value.kind());
            problems.push(Problem::error("wrong-type", message).at(&value.span));
        }
        text.map(|text| (text, value.span.clone()))
    };
    let name = project_name(&mut reader, &input.default_name, problems);
    let mut namespace = reader.text("k8s_namespace", problems);
    if let Some(text) = &namespace
        && let Err(wrong) = text.parse::<Name>()
    {
        let at = section.get("k8s_namespace").map_or(&section.span, |value| &value.span);
        let message = format!("`k8s_namespace` is no name of a namespace: {wrong}");
        problems.push(Problem::error("wrong-value", message).at(at));
        // It is reported; what lies in it is checked in the usual one.
        namespace = None;
    }
    let proxy_port = reader.whole("proxy_port", 1, 65535, problems);
    let default_config = path(reader.value("k8s_default_config"), problems);
    let component_config = reader.text("component_default_config", problems);
    let data_folder = path(reader.value("data_folder"), problems);
    let config_folder = path(reader.value("config_folder"), problems);
    let environment = match reader.text("environment", problems).as_deref() {
        Some("production") => Environment::Production,
        word => Environment::Other(word.unwrap_or_default().to_owned()),
    };
    let profiles = reader.texts("profiles", problems);
    let domain = reader.text("domain", problems);
    let expose_at = reader.value("expose").map(|value| value.span.clone());
    let expose = reader.word("expose", &Expose::WORDS, problems);
    drop(reader.text("extends", problems));
    reader.finish(problems);
    let home = &input.request.home;
    let root = &input.overlay.root;
    Some(ProjectSection {
        name: name?,
        namespace: namespace.unwrap_or_else(|| NAMESPACE.to_owned()),
        proxy_port: proxy_port.and_then(|port| u16::try_from(port).ok()).unwrap_or(PROXY_PORT),
        names,
        all,
        default_config,
        component_config: component_config.unwrap_or_else(|| COMPONENT_CONFIG.to_owned()),
        data_folder: data_folder.map_or_else(
            || root.join("data"),
            |(text, _)| match text.strip_prefix("~/") {
                Some(rest) => home.join(rest),
                None => crate::config::overlay::normal(&root.join(text)),
            },
        ),
        config_folder: config_folder
            .map(|(text, at)| input.overlay.beside(&at.source, &text, home)),
        environment,
        profiles,
        domain,
        expose: expose.unwrap_or_default(),
        expose_at,
    })
}

/// The names under `flavour`: split at commas and blanks, or a list; nothing means `all`.
fn names(
    reader: &mut Reader<'_>,
    section: &Located,
    problems: &mut Problems,
) -> (Vec<(String, Span)>, bool) {
    let value = reader.value("flavour");
    let (mut names, complete) = value.map_or((Vec::new(), true), words_of);
    if let Some(value) = value
        && !complete
    {
        reader.wrong("flavour", value, "a list of components, or `all`", problems);
        return (names, false);
    }
    if names.is_empty() {
        let at = value.or_else(|| section.get("flavour")).map_or(&section.span, |v| &v.span);
        problems.push(
            Problem::warning(
                "empty-flavour",
                "no component is named under `flavour`: that means `all`",
            )
            .at(at)
            .help("write `flavour: all`, or name the components"),
        );
        return (names, true);
    }
    let before = names.len();
    names.retain(|(name, _)| name != "all");
    let all = names.len() < before;
    (names, all)
}

fn project_name(reader: &mut Reader<'_>, default: &str, problems: &mut Problems) -> Option<Name> {
    let value = reader.value("name");
    let Some(text) = reader.text("name", problems) else {
        let name = as_name(default);
        if name.is_none() && value.is_none() {
            let message = format!("no name for the project can be made from `{default}`");
            let problem = Problem::error("missing-key", message).at(reader.at());
            problems.push(problem.help("write `project: {name: NAME}`"));
        }
        // What follows is checked all the same.
        return name.or_else(|| as_name("project"));
    };
    let at = value.map_or(reader.at(), |value| &value.span);
    let wrong = match text.parse::<Name>() {
        Ok(name) if text.len() <= LONGEST_NAME => return Some(name),
        Ok(_) => format!("`{text}` is longer than {LONGEST_NAME} characters"),
        Err(wrong) => wrong.to_string(),
    };
    let problem = Problem::error("wrong-value", format!("`project.name`: {wrong}")).at(at);
    problems.push(match as_name(&text) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    });
    // What follows is checked all the same.
    as_name(&text).or_else(|| as_name("project"))
}

/// A text turned into a name: what does not belong into one becomes `-`; none when nothing is left.
fn as_name(text: &str) -> Option<Name> {
    let plain: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(LONGEST_NAME)
        .collect();
    plain.trim_matches('-').parse().ok()
}
