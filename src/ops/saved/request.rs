//! What was asked on the command line when a plan was made, so that its apply asks the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Failure, FailureKind, Redactor};
use crate::ops::{Confirm, LoadRequest, Location, Reach, Settings};

/// What was asked.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SavedRequest {
    /// The flavour file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flavour: Option<String>,
    /// `local`, `remote` or `hybrid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The target file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The kubeconfig; `apply` may name another one, since the cluster is known by its fingerprint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<String>,
    /// The context; as with `kubeconfig`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The components it is about; all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// Profiles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
    /// Settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<SavedSetting>,
    /// Values files, by instance.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<(String, String)>,
    /// Whether warnings about values keys are errors.
    pub strict: bool,
    /// Whether the needs of components are installed.
    pub with_needs: bool,
    /// Whether what needs a deleted instance goes with it.
    pub cascade: bool,
    /// Whether the other flavours go as well.
    pub all_flavours: bool,
    /// Whether data may go.
    pub include_data: bool,
    /// Whether what somebody changed on data is overwritten.
    #[serde(default)]
    pub overwrite_data: bool,
    /// Objects whose risky change is allowed, as `Kind/name`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub allowed: BTreeSet<String>,
    /// Objects that go without what handles their finalizers, as `Kind/namespace/name`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub strip_finalizers: BTreeSet<String>,
    /// The only things that may go, by id or instance; all where none is named.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub deletes: BTreeSet<String>,
    /// The project, where its files cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The flavour's name, where its file cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flavour_name: Option<String>,
}

/// `--set PATH=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedSetting {
    /// What is set.
    pub path: String,
    /// To what; nothing for a secret, which `apply` must be given again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl SavedRequest {
    /// What settings ask; values that hold a secret are left out.
    pub(super) fn of(settings: &Settings, redactor: &Redactor) -> Self {
        // Every setting is named: a new one is saved, or somebody says here why not.
        let Settings {
            files,
            strict,
            include_data,
            overwrite_data,
            allowed,
            deletes,
            strip_finalizers,
            reach: Reach { cascade, with_needs, all_flavours },
            project,
            flavour_name,
            // The plan is bound to its cluster by a fingerprint.
            new_target: _,
            // How a run goes about it, and who is asked: it widens nothing that a plan shows.
            command: _,
            data: _,
            program: _,
            skip_preflight: _,
            confirm: _,
            confirm_project: _,
            manner: _,
            planned: _,
            output: _,
            interactive: _,
        } = settings;
        let set = files.set.iter().map(|(path, value)| SavedSetting {
            path: path.clone(),
            value: (redactor.redact(value) == *value).then(|| value.clone()),
        });
        let shown =
            |path: &Path| path.strip_prefix(&files.folder).unwrap_or(path).display().to_string();
        Self {
            flavour: files.flavour.as_deref().map(shown),
            location: files.location.map(|location| location.word().to_owned()),
            target: files.target.clone(),
            provider: files.provider.clone(),
            kubeconfig: files.kubeconfig.as_deref().map(shown),
            context: files.context.clone(),
            components: files.components.clone(),
            profiles: files.profiles.clone(),
            set: set.collect(),
            values: files.values.iter().map(|(name, file)| (name.clone(), shown(file))).collect(),
            strict: *strict,
            with_needs: *with_needs,
            cascade: *cascade,
            all_flavours: *all_flavours,
            include_data: *include_data,
            overwrite_data: *overwrite_data,
            allowed: allowed.clone(),
            strip_finalizers: strip_finalizers.iter().cloned().collect(),
            deletes: deletes.clone(),
            project: project.clone(),
            flavour_name: flavour_name.clone(),
        }
    }

    /// The settings of an apply: those of the plan. What is typed may only name the same things again, or the place where they
    /// are on this machine.
    pub(super) fn settings(&self, typed: &Settings) -> Result<Settings, Failure> {
        self.refuse_more(typed)?;
        let files = &typed.files;
        Ok(Settings {
            files: LoadRequest {
                flavour: files.flavour.clone().or(self.flavour.clone().map(PathBuf::from)),
                location: files.location.or(self.location.as_deref().and_then(location)),
                target: files.target.clone().or(self.target.clone()),
                provider: files.provider.clone().or(self.provider.clone()),
                kubeconfig: files
                    .kubeconfig
                    .clone()
                    .or(self.kubeconfig.as_ref().map(|file| files.folder.join(file))),
                context: files.context.clone().or(self.context.clone()),
                components: self.components.clone(),
                profiles: self.profiles.clone(),
                set: self.set(&files.set)?,
                values: self.values.iter().map(|(n, file)| (n.clone(), file.into())).collect(),
                folder: files.folder.clone(),
                home: files.home.clone(),
                environment: files.environment.clone(),
                cache: files.cache.clone(),
            },
            strict: self.strict,
            confirm: Confirm::Nothing,
            include_data: self.include_data,
            overwrite_data: self.overwrite_data,
            allowed: self.allowed.clone(),
            strip_finalizers: self.strip_finalizers.iter().cloned().collect(),
            deletes: self.deletes.clone(),
            reach: Reach {
                cascade: self.cascade,
                with_needs: self.with_needs,
                all_flavours: self.all_flavours,
            },
            project: self.project.clone(),
            flavour_name: self.flavour_name.clone(),
            // Nothing is taken over whole: what is typed must be refused, the plan's, or no matter of what is done.
            new_target: typed.new_target,
            command: typed.command.clone(),
            data: typed.data.clone(),
            program: typed.program.clone(),
            skip_preflight: typed.skip_preflight.clone(),
            confirm_project: typed.confirm_project.clone(),
            manner: typed.manner,
            planned: typed.planned.clone(),
            output: typed.output,
            interactive: typed.interactive,
        })
    }

    /// The options that say where, as they are typed again.
    pub(super) fn place(&self) -> Vec<String> {
        let location = match self.location.as_deref().and_then(location) {
            Some(location) => vec![location.flag().to_owned()],
            None => Vec::new(),
        };
        let places = [
            ("-f", &self.flavour),
            ("-t", &self.target),
            ("--provider", &self.provider),
            ("--kubeconfig", &self.kubeconfig),
            ("--context", &self.context),
        ];
        let places = places.into_iter().filter_map(|(flag, value)| Some((flag, value.as_ref()?)));
        location.into_iter().chain(places.map(|(flag, value)| option(flag, value))).collect()
    }

    /// The options that say which components, and how they are set. A secret is given again.
    pub(super) fn parts(&self) -> Vec<String> {
        let mut words: Vec<String> = self.components.iter().map(|c| option("-c", c)).collect();
        words.extend(self.profiles.iter().map(|profile| option("--profile", profile)));
        words.extend(self.set.iter().map(|one| {
            let value = one.value.as_deref().unwrap_or("VALUE");
            option("--set", &format!("{}={value}", one.path))
        }));
        let values = self.values.iter();
        words.extend(values.map(|(name, file)| option("--values", &format!("{name}={file}"))));
        let flags = [
            (self.strict, "--strict"),
            (self.with_needs, "--with-needs"),
            (self.cascade, "--cascade"),
        ];
        words.extend(flags.iter().filter(|(on, _)| *on).map(|(_, flag)| (*flag).to_owned()));
        words
    }

    /// The options that allow more than the ordinary, and those of a destroy.
    pub(super) fn permits(&self) -> Vec<String> {
        let flags = [
            (self.include_data, "--include-data"),
            (self.overwrite_data, "--overwrite-data"),
            (self.all_flavours, "--all-flavours"),
        ];
        let lists = [
            ("--allow", &self.allowed),
            ("--delete", &self.deletes),
            ("--strip-finalizers", &self.strip_finalizers),
        ];
        let names = [("--project", &self.project), ("--flavour-name", &self.flavour_name)];
        let flags = flags.iter().filter(|(on, _)| *on).map(|(_, flag)| (*flag).to_owned());
        let lists = lists
            .into_iter()
            .flat_map(|(flag, values)| values.iter().map(move |value| option(flag, value)));
        let names = names.into_iter().filter_map(|(flag, value)| Some((flag, value.as_ref()?)));
        flags.chain(lists).chain(names.map(|(flag, value)| option(flag, value))).collect()
    }

    /// An approved plan is not to be widened, nor to be bent.
    fn refuse_more(&self, typed: &Settings) -> Result<(), Failure> {
        let files = &typed.files;
        let given = [
            (!files.components.is_empty(), "-c"),
            (!files.profiles.is_empty(), "--profile"),
            (!files.values.is_empty(), "--values"),
            (typed.strict, "--strict"),
            (typed.reach.with_needs, "--with-needs"),
            (typed.manner.wait_jobs, "--wait-jobs"),
            (typed.include_data && !self.include_data, "--include-data"),
            (typed.overwrite_data && !self.overwrite_data, "--overwrite-data"),
            (!typed.allowed.is_subset(&self.allowed), "--allow"),
            (
                !typed.strip_finalizers.iter().all(|object| self.strip_finalizers.contains(object)),
                "--strip-finalizers",
            ),
            (!typed.deletes.is_empty() && typed.deletes != self.deletes, "--delete"),
        ];
        let more = given.into_iter().find(|(is_given, _)| *is_given).map(|(_, option)| option);
        match more {
            None => Ok(()),
            Some(option) => Err(Failure::new(
                FailureKind::Usage,
                format!("a saved plan does not take `{option}`"),
            )
            .because("what it does was settled when it was made")
            .hint("make a plan with it:\n    datamill plan --out FILE")),
        }
    }

    /// The plan's settings; secret ones as they are typed again.
    fn set(&self, typed: &[(String, String)]) -> Result<Vec<(String, String)>, Failure> {
        let usage = |what: String| Failure::new(FailureKind::Usage, what);
        let known = |path: &String| self.set.iter().any(|saved| saved.path == *path);
        if let Some((path, _)) = typed.iter().find(|(path, _)| !known(path)) {
            return Err(usage(format!("the plan was made without `--set {path}`")));
        }
        let again = |saved: &SavedSetting| {
            let given = typed.iter().find(|(path, _)| *path == saved.path);
            let value = saved.value.clone().or(given.map(|(_, value)| value.clone()));
            value.map(|value| (saved.path.clone(), value)).ok_or_else(|| {
                usage(format!("the plan was made with a secret in `--set {}`", saved.path))
                    .because("secrets are not written into a plan")
                    .hint(format!("give it again:\n    --set {}=VALUE", saved.path))
            })
        };
        self.set.iter().map(again).collect()
    }
}

fn location(word: &str) -> Option<Location> {
    Location::ALL.into_iter().find(|location| location.word() == word)
}

/// An option with its value, quoted for a shell.
fn option(flag: &str, value: &str) -> String {
    format!("{flag} {}", shlex::try_quote(value).unwrap_or(value.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn request(set: &[(&str, &str)]) -> SavedRequest {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("hunter2hunter2"));
        let set = set.iter().map(|(path, value)| SavedSetting {
            path: (*path).to_owned(),
            value: (redactor.redact(value) == *value).then(|| (*value).to_owned()),
        });
        SavedRequest { set: set.collect(), ..SavedRequest::default() }
    }

    #[test]
    fn a_secret_setting_is_not_saved_and_must_be_given_again() {
        let saved = request(&[("a.password", "hunter2hunter2"), ("a.replicas", "3")]);
        assert_eq!(saved.set[0].value, None);
        let pair = |path: &str, value: &str| (path.to_owned(), value.to_owned());
        let failure = saved.set(&[]).unwrap_err();
        assert!(failure.hints[0].contains("--set a.password=VALUE"), "{failure:?}");
        let again = saved.set(&[pair("a.password", "x")]).unwrap();
        assert_eq!(again, [pair("a.password", "x"), pair("a.replicas", "3")]);
        assert!(saved.set(&[pair("b", "1")]).unwrap_err().what.contains("`--set b`"));
    }
}
