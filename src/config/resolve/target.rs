//! The sections `local:`, `remote:` and `hybrid:`: which one is meant, where it is taken from, and what it says.

use std::path::{Path, PathBuf};

use super::{local, remote};
use crate::adapter::files;
use crate::config::overlay::{Overlay, normal};
use crate::config::reader::Reader;
use crate::config::request::{LoadRequest, Location};
use crate::config::target::{HybridSettings, LocalProvider, RemoteProvider, Target};
use crate::config::variables::substitute;
use crate::yaml::{Located, Node, Problem, Problems, Span, parse};

/// What a target is resolved from.
pub(super) struct Input<'a> {
    pub(super) request: &'a LoadRequest,
    pub(super) overlay: &'a Overlay<'a>,
    /// The flavour, merged.
    pub(super) flavour: &'a Located,
    /// `project.k8s_default_config`.
    pub(super) default_config: Option<(String, Span)>,
    /// Whether this machine is a Mac.
    pub(super) macos: bool,
}

/// A resolved target.
pub(super) struct Resolved {
    pub(super) target: Target,
    /// Why there is none, when nothing names one; an error only for commands that need a cluster.
    pub(super) missing: Option<Problem>,
    /// Components that the target asks for, and where it does.
    pub(super) adds: Vec<(&'static str, Span)>,
}

/// Takes the section from `-t`, else the flavour, else `k8s/configs/<k8s_default_config>`, and reads it.
pub(super) fn resolve(input: &Input<'_>, problems: &mut Problems) -> Resolved {
    let provider = provider_flag(input.request, problems);
    let wanted = input.request.location.or(provider.map(Provider::location));
    let mut sources = Vec::new();
    if let Some(named) = &input.request.target {
        sources.extend(named_file(input, named, problems));
    }
    sources.push(input.flavour.clone());
    let mut missing = None;
    let enough = match wanted {
        Some(location) => sources.iter().any(|tree| has(tree, location)),
        None => sources.iter().any(|tree| !present(tree).is_empty()),
    };
    if !enough && let Some((name, span)) = &input.default_config {
        match default_file(input, name, span, problems) {
            Ok(tree) => sources.extend(tree),
            Err(problem) if wanted.is_some() => problems.push(problem),
            Err(problem) => missing = Some(problem),
        }
    }
    let location = wanted.unwrap_or_else(|| only_location(&sources));
    let nothing = wanted.is_none() && sources.iter().all(|tree| present(tree).is_empty());
    if nothing && missing.is_none() {
        missing = Some(
            Problem::error("no-target", "no target is named: neither a section `local:`, `remote:` or `hybrid:`, nor `k8s_default_config`")
                .at(&input.flavour.span)
                .help("say where the cluster is: `-l`, `-r` or `-k`, or a file with `-t FILE`"),
        );
    }
    warn_of_fallback(input, &sources, location, problems);
    let chosen = sources.iter().find(|tree| has(tree, location));
    check_others(input, &sources, location, chosen, problems);
    let nothing_there = Located { node: Node::Null, span: input.flavour.span.clone() };
    let section = chosen.and_then(|tree| tree.get(location.word())).unwrap_or(&nothing_there);
    let is_nowhere = chosen.is_none() && location == Location::Remote && provider.is_none();
    if is_nowhere {
        problems.push(
            Problem::error("no-target", "there is no section `remote:` anywhere")
                .at(&input.flavour.span)
                .help("add `remote: {provider: aws, cluster_name: …, region: …}` to the flavour, or name a file with `-t FILE`"),
        );
    }
    // What a section lacks that is not there follows from that.
    let mut follows = Problems::default();
    let told = if is_nowhere { &mut follows } else { problems };
    let (target, adds) = section_target(input, location, section, provider, told);
    Resolved { target: with_flags(target, input.request), missing, adds }
}

/// A provider of either kind, as `--provider` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Provider {
    Local(LocalProvider),
    Remote(RemoteProvider),
    Existing,
}

impl Provider {
    fn location(self) -> Location {
        match self {
            Self::Local(_) => Location::Local,
            Self::Remote(_) => Location::Remote,
            Self::Existing => Location::Hybrid,
        }
    }
}

fn provider_flag(request: &LoadRequest, problems: &mut Problems) -> Option<Provider> {
    let word = request.provider.as_deref()?;
    let local = LocalProvider::WORDS.map(|(word, provider)| (word, Provider::Local(provider)));
    let remote = RemoteProvider::WORDS.map(|(word, provider)| (word, Provider::Remote(provider)));
    let mut all: Vec<_> = local.into_iter().chain(remote).collect();
    all.push(("existing", Provider::Existing));
    let Some((_, provider)) = all.iter().find(|(known, _)| *known == word) else {
        problems.push(
            Problem::error("unknown-provider", format!("`--provider {word}` is no provider"))
                .suggest(word, all.iter().map(|(word, _)| *word)),
        );
        return None;
    };
    if let Some(location) = request.location
        && location != provider.location()
    {
        let message = format!(
            "`--provider {word}` belongs to `{}`, and `{}` was given",
            provider.location().flag(),
            location.flag()
        );
        problems.push(Problem::error("provider-and-location", message));
        return None;
    }
    Some(*provider)
}

fn has(tree: &Located, location: Location) -> bool {
    tree.get(location.word()).is_some()
}

fn present(tree: &Located) -> Vec<Location> {
    Location::ALL.into_iter().filter(|location| has(tree, *location)).collect()
}

/// Without a location: the only section there is, else local.
fn only_location(sources: &[Located]) -> Location {
    let there = sources.iter().map(present).find(|sections| !sections.is_empty());
    match there.as_deref() {
        Some([only]) => *only,
        Some(_) | None => Location::Local,
    }
}

/// The file of `-t`: a path, else a name in `k8s/configs/`.
fn named_file(input: &Input<'_>, named: &str, problems: &mut Problems) -> Option<Located> {
    let path = normal(&input.request.folder.join(named));
    let found = if files::is_file(&path) || files::is_folder(&path) {
        Some(path)
    } else {
        in_configs(input.overlay, named)
    };
    let Some(path) = found else {
        problems.push(not_found(input, named, "-t"));
        return None;
    };
    read(input.overlay, &path, None, problems)
}

fn in_configs(overlay: &Overlay<'_>, named: &str) -> Option<PathBuf> {
    let folder = Path::new("k8s/configs");
    overlay
        .find(&normal(&folder.join(named)))
        .or_else(|| overlay.find(&normal(&folder.join(format!("{named}.yaml")))))
}

fn not_found(input: &Input<'_>, named: &str, key: &str) -> Problem {
    let known = input.overlay.yaml_files_in("k8s/configs");
    let message = format!("`{key}` names `{named}`, which is neither a file nor in `k8s/configs`");
    Problem::error("no-target-file", message).suggest(named, known.keys().map(String::as_str))
}

fn default_file(
    input: &Input<'_>,
    name: &str,
    span: &Span,
    problems: &mut Problems,
) -> Result<Option<Located>, Problem> {
    let path = in_configs(input.overlay, name)
        .ok_or_else(|| not_found(input, name, "project.k8s_default_config").at(span))?;
    Ok(read(input.overlay, &path, Some(span), problems))
}

fn read(
    overlay: &Overlay<'_>,
    path: &Path,
    named: Option<&Span>,
    problems: &mut Problems,
) -> Option<Located> {
    let tree = match overlay.read(path).and_then(|source| parse(&source)) {
        Ok(tree) => tree,
        Err(problem) => {
            problems.push(problem.or_at(named));
            return None;
        }
    };
    let name = overlay.shown(path);
    let name = name.display();
    match &tree.node {
        Node::Map(entries) => {
            let known = ["local", "remote", "hybrid", "version"];
            for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
                let problem = if entry.key == "project" {
                    Problem::warning(
                        "unused-section",
                        "a target file has no `project`; the flavour's counts",
                    )
                } else {
                    Problem::error(
                        "unknown-key",
                        format!("a target file has no section `{}`", entry.key),
                    )
                    .suggest(&entry.key, known)
                };
                problems.push(problem.at_key(entry, []));
            }
            Some(tree)
        }
        Node::Null => {
            problems.push(
                Problem::error("empty-file", format!("the target file `{name}` is empty"))
                    .at(&tree.span)
                    .help("write a section `local:`, `remote:` or `hybrid:`"),
            );
            None
        }
        Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
            let message =
                format!("the target file `{name}` is {}, not a map of sections", tree.kind());
            problems.push(Problem::error("not-a-map", message).at(&tree.span));
            None
        }
    }
}

/// A file given with `-t` that lacks the section is laid over the flavour, as data-mill does; that is said.
fn warn_of_fallback(
    input: &Input<'_>,
    sources: &[Located],
    location: Location,
    problems: &mut Problems,
) {
    if let (Some(named), [first, others @ ..]) = (&input.request.target, sources)
        && sources.len() > 1
        && !has(first, location)
        && let Some(other) = others.iter().find(|tree| has(tree, location))
    {
        let message = format!(
            "`{named}` has no section `{}:`; the one of `{}` is used",
            location.word(),
            other.span.path().display()
        );
        problems.push(Problem::warning("target-fallback", message).at(&first.span));
    }
}

/// Checks the sections that are not meant; what is wrong there is a warning.
fn check_others(
    input: &Input<'_>,
    sources: &[Located],
    location: Location,
    chosen: Option<&Located>,
    problems: &mut Problems,
) {
    for tree in sources {
        for other in present(tree) {
            let is_chosen = other == location && chosen.is_some_and(|c| c.span == tree.span);
            if let Some(section) = tree.get(other.word())
                && !is_chosen
            {
                let mut found = Problems::default();
                drop(section_target(input, other, section, None, &mut found));
                problems.append(found.as_warnings());
            }
        }
    }
}

fn section_target(
    input: &Input<'_>,
    location: Location,
    section: &Located,
    flag: Option<Provider>,
    problems: &mut Problems,
) -> (Target, Vec<(&'static str, Span)>) {
    let section = substitute(section, &input.request.environment, problems);
    match location {
        Location::Local => {
            let flag = match flag {
                Some(Provider::Local(provider)) => Some(provider),
                Some(Provider::Remote(_) | Provider::Existing) | None => None,
            };
            let beside =
                |at: &Span, path: &str| input.overlay.beside(&at.source, path, &input.request.home);
            local::read(&section, flag, input.macos, &beside, problems)
        }
        Location::Remote => {
            let flag = match flag {
                Some(Provider::Remote(provider)) => Some(provider),
                Some(Provider::Local(_) | Provider::Existing) | None => None,
            };
            (remote::read(&section, flag, problems), Vec::new())
        }
        Location::Hybrid => hybrid(input, &section, problems),
    }
}

fn hybrid(
    input: &Input<'_>,
    section: &Located,
    problems: &mut Problems,
) -> (Target, Vec<(&'static str, Span)>) {
    let nothing =
        Target::Hybrid { kubeconfig: None, context: None, settings: HybridSettings::default() };
    let Some(mut reader) = Reader::of(section, "hybrid", problems) else {
        return (nothing, Vec::new());
    };
    let kubeconfig = reader.text("config", problems).map(|path| {
        let source = section.get("config").map_or(&section.span, |value| &value.span);
        input.overlay.beside(&source.source, &path, &input.request.home)
    });
    let context = reader.text("context", problems);
    let gpu_support = reader.flag("gpu_support", problems).unwrap_or(false);
    reader.finish(problems);
    let adds =
        section.get("gpu_support").filter(|_| gpu_support).map(|value| ("gpu", value.span.clone()));
    let settings = HybridSettings { gpu_support };
    (Target::Hybrid { kubeconfig, context, settings }, adds.into_iter().collect())
}

/// `--kubeconfig` and `--context` decide for an existing cluster.
fn with_flags(target: Target, request: &LoadRequest) -> Target {
    match target {
        Target::Hybrid { kubeconfig, context, settings } => Target::Hybrid {
            kubeconfig: request
                .kubeconfig
                .as_ref()
                .map(|path| request.folder.join(path))
                .or(kubeconfig),
            context: request.context.clone().or(context),
            settings,
        },
        other @ (Target::Local { .. } | Target::Remote { .. }) => other,
    }
}
