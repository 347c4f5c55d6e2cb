//! The programs datamill drives, and the settings that providers are made from.

use std::ffi::OsString;
use std::sync::Arc;

use crate::adapter::helm::HelmSettings;
use crate::model::{Failure, Redactor};
use crate::provider::kubernetes::KubernetesSettings;
use crate::provider::local::LocalSettings;
use crate::toolchain::{Tool, ToolSettings, Toolchain};
use crate::ui::Screen;

use super::lock::Lock;
use super::{Ended, Settings};

/// Lists the tools: wanted, found, where, and how each would be got.
pub async fn tools(settings: &Settings, screen: &Screen) -> Result<Ended, Failure> {
    let toolchain = toolchain(settings, &Redactor::default());
    screen.show_tools(&toolchain.states().await);
    Ok(Ended::Well)
}

/// Gets every tool that is missing.
pub async fn tools_install(settings: &Settings, screen: &Screen) -> Result<Ended, Failure> {
    let toolchain = toolchain(settings, &Redactor::default());
    toolchain.ensure(&Tool::ALL, &|event| screen.tool_event(&event)).await?;
    screen.show_tools(&toolchain.states().await);
    Ok(Ended::Well)
}

/// The toolchain of the settings.
pub(super) fn toolchain(settings: &Settings, redactor: &Redactor) -> Arc<Toolchain> {
    let path = settings.environment.get("PATH").map(OsString::from).unwrap_or_default();
    Arc::new(Toolchain::new(ToolSettings {
        cache: settings.cache.clone(),
        path,
        environment: settings.environment.clone(),
        redactor: redactor.clone(),
    }))
}

/// What the provider of local and existing clusters is made from.
pub(super) fn local_settings(
    settings: &Settings,
    screen: &Screen,
    toolchain: &Arc<Toolchain>,
    redactor: &Redactor,
) -> LocalSettings {
    let usual = settings.home.join(".kube/config");
    let user_kubeconfig = settings.kubeconfig.clone().unwrap_or_else(|| {
        let first = settings.environment.get("KUBECONFIG").and_then(|list| {
            list.split(':').find(|path| !path.is_empty()).map(std::path::PathBuf::from)
        });
        first.unwrap_or(usual)
    });
    let screen = screen.clone();
    LocalSettings {
        toolchain: Arc::clone(toolchain),
        clusters: settings.data.join("clusters"),
        user_kubeconfig,
        use_context: settings.use_context,
        home: settings.home.clone(),
        environment: settings.environment.clone(),
        redactor: redactor.clone(),
        on_tool: Arc::new(move |event| screen.tool_event(&event)),
    }
}

/// Helm, got if need be, with a home of its own.
pub(super) async fn helm(
    settings: &Settings,
    screen: &Screen,
    toolchain: &Arc<Toolchain>,
    lock: &Lock,
    redactor: &Redactor,
) -> Result<HelmSettings, Failure> {
    let tools = toolchain.ensure(&[Tool::Helm], &|event| screen.tool_event(&event)).await?;
    Ok(HelmSettings {
        program: tools.path(Tool::Helm),
        self_exe: settings.program.clone(),
        cache: settings.cache.clone(),
        home: settings.home.clone(),
        environment: settings.environment.clone(),
        pinned: lock.digests().clone(),
        redactor: redactor.clone(),
    })
}

/// What the provider of everything in a cluster is made from.
pub(super) fn kubernetes_settings(
    settings: &Settings,
    helm: HelmSettings,
    redactor: &Redactor,
) -> KubernetesSettings {
    KubernetesSettings { helm, cache: settings.cache.clone(), redactor: redactor.clone() }
}
