//! The post-renderer plugin: a folder with one file that makes Helm 4 call datamill.

use std::ffi::OsString;
use std::path::PathBuf;

use super::HelmSettings;
use crate::adapter::files::{self, FileError};

/// The plugin's name, for `--post-renderer`.
pub(super) const NAME: &str = "datamill-marks";
/// The variable that holds datamill's own path, which may have blanks that Helm would split at.
const SELF_VARIABLE: &str = "DATAMILL_POST_RENDER_PROGRAM";
/// datamill's hidden subcommand.
const SUBCOMMAND: &str = "helm-post-render";

impl HelmSettings {
    pub(super) fn plugins(&self) -> PathBuf {
        self.home.join("plugins")
    }

    /// Writes the plugin, unless it lies there as it should.
    pub(super) fn ensure_plugin(&self) -> Result<(), FileError> {
        let path = self.plugins().join(NAME).join("plugin.yaml");
        let wanted = format!(
            "name: {NAME}\nversion: 1.0.0\ntype: postrenderer/v1\napiVersion: v1\nruntime: subprocess\nruntimeConfig:\n  \
             platformCommand:\n    - command: \"${{{SELF_VARIABLE}}}\"\n      args: [\"{SUBCOMMAND}\"]\n"
        );
        match files::read(&path) {
            Ok(found) if found == wanted => Ok(()),
            Ok(_) | Err(_) => files::write(&path, wanted),
        }
    }

    pub(super) fn plugin_variable(&self) -> (String, OsString) {
        (SELF_VARIABLE.to_owned(), self.self_exe.clone().into_os_string())
    }
}
