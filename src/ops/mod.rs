//! Use cases: load, look, plan, ask, execute. The only module that sees all below.

mod settings;

pub use settings::{
    Confirm, Credentials, Location, Manner, OutputFormat, Reach, SchemaFor, Settings,
};

use tokio::sync::watch;

use crate::engine::Cancel;
use crate::model::{Failure, FailureKind};
use crate::ui::Screen;

/// How a command ended when it did not fail: the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All is as wanted: 0.
    Well,
    /// `plan --detailed-exitcode` found changes: 2.
    Changes,
    /// Only drift was found (`--refresh-only`): 3.
    Drift,
}

fn not_wired() -> Result<Ended, Failure> {
    Err(Failure::new(FailureKind::Bug, "this command is not wired yet"))
}

/// Checks all files and wiring; reports every problem at once and touches nothing.
pub async fn validate(_settings: &Settings, _screen: &Screen) -> Result<Ended, Failure> {
    not_wired()
}

/// Shows what `apply` would change.
pub async fn plan(_settings: &Settings, _screen: &Screen) -> Result<Ended, Failure> {
    not_wired()
}

/// Makes everything as the files say.
pub async fn apply(
    _settings: &Settings,
    _screen: &Screen,
    _cancel: watch::Receiver<Cancel>,
) -> Result<Ended, Failure> {
    not_wired()
}

/// Takes instances away; data stays.
pub async fn uninstall(
    _settings: &Settings,
    _screen: &Screen,
    _cancel: watch::Receiver<Cancel>,
) -> Result<Ended, Failure> {
    not_wired()
}

/// Takes everything away.
pub async fn destroy(
    _settings: &Settings,
    _screen: &Screen,
    _cancel: watch::Receiver<Cancel>,
) -> Result<Ended, Failure> {
    not_wired()
}

/// Creates or starts the cluster.
pub async fn start(
    _settings: &Settings,
    _screen: &Screen,
    _cancel: watch::Receiver<Cancel>,
) -> Result<Ended, Failure> {
    not_wired()
}

/// Stops the cluster.
pub async fn stop(_settings: &Settings, _screen: &Screen) -> Result<Ended, Failure> {
    not_wired()
}

/// Shows how everything is.
pub async fn status(_settings: &Settings, _screen: &Screen) -> Result<Ended, Failure> {
    not_wired()
}

/// Lists the tools.
pub async fn tools(_settings: &Settings, _screen: &Screen) -> Result<Ended, Failure> {
    not_wired()
}

/// Gets every tool that is missing.
pub async fn tools_install(_settings: &Settings, _screen: &Screen) -> Result<Ended, Failure> {
    not_wired()
}

/// Prints a JSON Schema; all of them without a name.
pub async fn schema(
    _settings: &Settings,
    _screen: &Screen,
    _of: Option<SchemaFor>,
) -> Result<Ended, Failure> {
    not_wired()
}

/// Lists the components.
pub async fn components_list(_settings: &Settings, _screen: &Screen) -> Result<Ended, Failure> {
    not_wired()
}

/// Shows one component.
pub async fn components_show(
    _settings: &Settings,
    _screen: &Screen,
    _name: &str,
) -> Result<Ended, Failure> {
    not_wired()
}

/// Lists the flavours.
pub async fn flavours_list(_settings: &Settings, _screen: &Screen) -> Result<Ended, Failure> {
    not_wired()
}

/// Shows one flavour.
pub async fn flavours_show(
    _settings: &Settings,
    _screen: &Screen,
    _name: &str,
) -> Result<Ended, Failure> {
    not_wired()
}

/// Helm's post-renderer: manifests on standard input, the same with our marks on standard output.
pub async fn post_render(_settings: &Settings, _screen: &Screen) -> Result<Ended, Failure> {
    not_wired()
}
