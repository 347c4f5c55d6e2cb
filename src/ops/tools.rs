//! The programs datamill drives, and the settings that providers are made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::adapter::download::Downloads;
use crate::adapter::helm::HelmSettings;
use crate::adapter::process;
use crate::config::Project;
use crate::model::{Failure, FailureKind, Redactor, RemoteFile};
use crate::provider::kubernetes::KubernetesSettings;
use crate::provider::local::{LocalSettings, usual_kubeconfig};
use crate::toolchain::{self, How, Tool, ToolSettings, ToolState, Toolchain};
use crate::ui::{Screen, ToolEvent, ToolRow, duration};

use super::lock::Lock;
use super::{Ended, Settings, load};

/// Lists the tools: wanted, found, where, and how each would be got.
pub async fn tools(settings: &Settings, screen: &Screen) -> Result<Ended, Failure> {
    let toolchain = toolchain(settings, &Redactor::default());
    screen.show_tools(&rows(&toolchain.states().await));
    Ok(Ended::Well)
}

/// Gets every tool that is missing.
pub async fn tools_install(settings: &Settings, screen: &Screen) -> Result<Ended, Failure> {
    load::usable_cache(settings)?;
    let toolchain = toolchain(settings, &Redactor::default());
    toolchain.ensure(&Tool::ALL, &|event| tell(screen, event)).await?;
    screen.show_tools(&rows(&toolchain.states().await));
    Ok(Ended::Well)
}

fn rows(states: &[ToolState]) -> Vec<ToolRow> {
    states
        .iter()
        .map(|state| ToolRow {
            name: state.tool.name().to_owned(),
            wanted: state.wanted.to_string(),
            found: state.found.as_ref().map(ToString::to_string),
            location: state.location.as_ref().map(|path| path.display().to_string()),
            how: how(state.how).to_owned(),
            pinned: state.pinned,
            takes: (!state.takes.is_zero()).then_some(state.takes),
            build_takes: state.build_takes,
            passed_over: state.passed_over.clone(),
        })
        .collect()
}

/// How a tool is had, or would be got, in few words.
fn how(how: How) -> &'static str {
    match how {
        How::Download => "download",
        How::Build => "build by Go",
        How::Path | How::Downloaded | How::Built | How::Nowhere => how.words(),
    }
}

/// Shows what happens while a tool is got.
fn tell(screen: &Screen, event: toolchain::ToolEvent) {
    use toolchain::ToolEvent as Event;
    let building =
        |tool: Tool, says: String| ToolEvent::Building { tool: tool.name().to_owned(), says };
    screen.tool_event(&match event {
        Event::Started { tool, how, takes } => {
            let doing = if how == How::Download { "downloading" } else { "Go builds it" };
            building(tool, format!("{doing}, about {}", duration(takes)))
        }
        Event::Bytes { tool, done, total } => {
            ToolEvent::Downloading { tool: tool.name().to_owned(), done, total }
        }
        Event::Packages { tool, done, last } => building(tool, format!("{done} packages, {last}")),
        Event::Waiting { tool, what } => {
            ToolEvent::Waiting { tool: tool.name().to_owned(), says: format!("waiting for {what}") }
        }
        Event::Failed { tool, how, because } => {
            let what = if how == How::Download { "the download" } else { "the build" };
            let says = format!("{what} failed: {because}");
            ToolEvent::Failed { tool: tool.name().to_owned(), says }
        }
        // The screen says how long it took.
        Event::Done { tool, how, .. } => {
            ToolEvent::Ready { tool: tool.name().to_owned(), says: how.words().to_owned() }
        }
    });
}

/// The toolchain of the settings.
pub(super) fn toolchain(settings: &Settings, redactor: &Redactor) -> Arc<Toolchain> {
    let environment = settings.files.environment.clone();
    Arc::new(Toolchain::new(ToolSettings::new(
        settings.files.cache.clone(),
        environment,
        redactor.clone(),
    )))
}

/// What the provider of local and existing clusters is made from.
pub(super) fn local_settings(
    settings: &Settings,
    screen: &Screen,
    toolchain: &Arc<Toolchain>,
    redactor: &Redactor,
) -> LocalSettings {
    let user_kubeconfig = settings
        .files
        .kubeconfig
        .clone()
        .unwrap_or_else(|| usual_kubeconfig(&settings.files.environment, &settings.files.home));
    let screen = screen.clone();
    LocalSettings {
        toolchain: Arc::clone(toolchain),
        clusters: settings.data.join("clusters"),
        locks: settings.files.cache.join("locks"),
        user_kubeconfig,
        use_context: settings.manner.use_context,
        home: settings.files.home.clone(),
        environment: settings.files.environment.clone(),
        redactor: redactor.clone(),
        on_tool: Arc::new(move |event| tell(&screen, event)),
    }
}

/// Helm, got if need be, with a home of its own.
pub(super) async fn helm(
    settings: &Settings,
    screen: &Screen,
    toolchain: &Arc<Toolchain>,
    project: &Project,
    lock: &Lock,
    redactor: &Redactor,
) -> Result<HelmSettings, Failure> {
    let tools = toolchain.ensure(&[Tool::Helm], &|event| tell(screen, event)).await?;
    let program = tools.path(Tool::Helm);
    let mut helm = HelmSettings::new(program, settings.program.clone(), &settings.files.cache);
    let files = &settings.files;
    helm.registry_config =
        Some(HelmSettings::usual_registry_config(&files.environment, &files.home));
    helm.mirrors.clone_from(&project.mirrors);
    helm.pins.clone_from(lock.digests());
    helm.host = process::host();
    helm.redactor = redactor.clone();
    Ok(helm)
}

/// The versions of the programs that decide what is rendered.
pub(super) async fn versions(toolchain: &Toolchain) -> BTreeMap<String, String> {
    let helm = toolchain.version_of(Tool::Helm).await;
    helm.map(|version| (Tool::Helm.name().to_owned(), version.to_string())).into_iter().collect()
}

/// What the provider of everything in a cluster is made from.
pub(super) fn kubernetes_settings(
    helm: HelmSettings,
    redactor: &Redactor,
    settings: &Settings,
) -> KubernetesSettings {
    let mirrors = helm.clone();
    KubernetesSettings {
        helm,
        redactor: redactor.clone(),
        strip: Arc::new(settings.strip_finalizers.clone()),
        fetch: Arc::new(move |file: RemoteFile| {
            let url = mirrors.mirrored(&file.url);
            Box::pin(async move {
                Downloads::new().text(&url).await.map_err(|error| {
                    Failure::new(FailureKind::Preflight, format!("cannot fetch `{url}`"))
                        .caused_by(&error)
                })
            })
        }),
    }
}
