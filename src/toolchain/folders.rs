//! Where Go reads its settings and keeps its files: the user's own places where there are some, else folders of ours, so that
//! a build leaves nothing in HOME.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Platform;
use crate::adapter::files;

/// The variables that say so, and whether downloaded modules lie in a folder of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GoFolders {
    pub(super) env: BTreeMap<String, OsString>,
    pub(super) own_modules: bool,
}

/// Decides for a user's environment; `own` is our folder for Go. Only looks, never writes.
pub(super) fn go_folders(environment: &BTreeMap<String, String>, own: &Path) -> GoFolders {
    let user = User::new(environment);
    let mut env = BTreeMap::new();
    let mut set = |key: &str, value: PathBuf| env.insert(key.to_owned(), value.into_os_string());
    // Go counts its own calls below the user's configuration folder.
    set("XDG_CONFIG_HOME", own.join("config"));
    // The same on systems where that folder follows from HOME alone; Go's own tests use it.
    set("TEST_TELEMETRY_DIR", own.join("config/go/telemetry"));
    if let Some(settings) = &user.settings {
        set("GOENV", settings.clone());
    }
    if !user.has("GOCACHE") && !exists(user.builds.as_deref()) {
        set("GOCACHE", own.join("build"));
    }
    let usual = user.home.as_ref().map(|home| home.join("go/pkg/mod"));
    let without_path = !user.has("GOPATH") && !exists(usual.as_deref());
    if without_path {
        // What Go remembers of the checksum database lies here, whatever GOMODCACHE is.
        set("GOPATH", own.to_owned());
    }
    let own_modules = without_path && !user.has("GOMODCACHE");
    if own_modules {
        set("GOMODCACHE", own.join("mod"));
    }
    GoFolders { env, own_modules }
}

/// What a user set, by variables or by `go env -w`, and where Go would keep things.
struct User<'a> {
    environment: &'a BTreeMap<String, String>,
    home: Option<PathBuf>,
    settings: Option<PathBuf>,
    written: String,
    builds: Option<PathBuf>,
}

impl<'a> User<'a> {
    fn new(environment: &'a BTreeMap<String, String>) -> Self {
        let get = |key: &str| environment.get(key).filter(|text| !text.is_empty());
        let home = get("HOME").map(PathBuf::from);
        let below = |variable: &str, usual: &str, on_mac: &str| {
            let mac = Platform::current().is_some_and(|platform| !platform.is_linux());
            let set = get(variable).filter(|_| !mac).map(PathBuf::from);
            set.or_else(|| Some(home.as_ref()?.join(if mac { on_mac } else { usual })))
        };
        let config = below("XDG_CONFIG_HOME", ".config", "Library/Application Support");
        let settings = get("GOENV").map(PathBuf::from);
        let settings = settings.or_else(|| Some(config?.join("go/env")));
        let written = settings.as_deref().and_then(|path| files::read(path).ok());
        let caches = below("XDG_CACHE_HOME", ".cache", "Library/Caches");
        Self {
            environment,
            settings,
            written: written.unwrap_or_default(),
            builds: caches.map(|folder| folder.join("go-build")),
            home,
        }
    }

    fn has(&self, key: &str) -> bool {
        let written = |line: &str| {
            line.strip_prefix(key)
                .and_then(|rest| rest.strip_prefix('='))
                .is_some_and(|value| !value.trim().is_empty())
        };
        self.environment.get(key).is_some_and(|value| !value.is_empty())
            || self.written.lines().any(written)
    }
}

fn exists(path: Option<&Path>) -> bool {
    path.is_some_and(Path::exists)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A HOME with some files, and the variables for Go that follow.
    fn with(paths: &[(&str, &str)], variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        let home = tempfile::tempdir().unwrap();
        for (path, text) in paths {
            files::write(&home.path().join(path), *text).unwrap();
        }
        let home_text = home.path().to_string_lossy().into_owned();
        let mut environment = BTreeMap::from([("HOME".to_owned(), home_text.clone())]);
        for (key, value) in variables {
            environment.insert((*key).to_owned(), (*value).to_owned());
        }
        let found = go_folders(&environment, Path::new("/own"));
        assert_eq!(found.own_modules, found.env.contains_key("GOMODCACHE"));
        let shown = |value: OsString| value.to_string_lossy().replace(&home_text, "~");
        found.env.into_iter().map(|(key, value)| (key, shown(value))).collect()
    }

    fn keys(found: &BTreeMap<String, String>) -> Vec<&str> {
        let always = ["GOENV", "TEST_TELEMETRY_DIR", "XDG_CONFIG_HOME"];
        found.keys().map(String::as_str).filter(|key| !always.contains(key)).collect()
    }

    #[test]
    fn an_empty_home_stays_empty() {
        let found = with(&[], &[]);
        assert_eq!(keys(&found), ["GOCACHE", "GOMODCACHE", "GOPATH"]);
        let ours = found.iter().filter(|(key, _)| *key != "GOENV");
        assert!(ours.clone().all(|(_, path)| path.starts_with("/own")), "{found:?}");
    }

    #[test]
    fn what_a_user_set_or_already_has_is_used() {
        let variables = [("GOMODCACHE", "/m"), ("GOCACHE", "/c")];
        assert_eq!(keys(&with(&[], &variables)), ["GOPATH"]);
        assert_eq!(keys(&with(&[], &[("GOPATH", "/go")])), ["GOCACHE"]);
        assert_eq!(keys(&with(&[("go/pkg/mod/x", "")], &[])), ["GOCACHE"]);
        assert_eq!(
            keys(&with(&[], &[("GOPATH", ""), ("GOCACHE", "off")])),
            ["GOMODCACHE", "GOPATH"]
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn settings_written_by_go_itself_count_and_stay() {
        let found = with(&[(".config/go/env", "GOPROXY=x\nGOPATH=/go\nGOCACHE=\n")], &[]);
        assert_eq!(keys(&found), ["GOCACHE"]);
        assert_eq!(found["GOENV"], "~/.config/go/env");
        let found = with(&[("x/go/env", "GOCACHE=/c\n")], &[("GOENV", "off")]);
        assert_eq!((found["GOENV"].as_str(), keys(&found).len()), ("off", 3));
        assert_eq!(keys(&with(&[(".cache/go-build/x", "")], &[])), ["GOMODCACHE", "GOPATH"]);
    }
}
