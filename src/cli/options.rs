//! Options as they are typed, in groups; each command takes some of the groups. What was typed, nothing else.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::ops::Check;

/// Which section of the flavour says where the cluster is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[group(id = "location", multiple = false)]
pub struct WhereArgs {
    /// Use the section `local:` (a cluster on this machine)
    #[arg(short, long)]
    pub local: bool,
    /// Use the section `remote:` (a cluster in a cloud)
    #[arg(short, long)]
    pub remote: bool,
    /// Use the section `hybrid:` (an existing cluster; data-mill's -h)
    #[arg(short = 'k', long)]
    pub hybrid: bool,
}

/// What a command is about: the flavour, the target, the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Flavour and target")]
pub struct PlaceArgs {
    /// Where the cluster is.
    #[command(flatten)]
    pub location: WhereArgs,
    /// Read this flavour file [default: the only one in flavours/, else default.yaml]
    #[arg(short, long, value_name = "FILE")]
    pub flavour: Option<PathBuf>,
    /// Take the target section from this file: a path, or a name in k8s/configs/
    #[arg(short, long, value_name = "FILE")]
    pub target: Option<String>,
    /// Decide for a provider of the section, such as kwok
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// With -k read this kubeconfig; else write the cluster's context to it
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// With -k use this context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// With -k let the flavour have a cluster that it was not applied to before
    #[arg(long)]
    pub new_target: bool,
}

/// Which components, and their settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Components and settings")]
pub struct PartArgs {
    /// Only this component or instance; may be repeated
    #[arg(short, long = "component", value_name = "NAME")]
    pub components: Vec<String>,
    /// Activate a profile; may be repeated
    #[arg(long = "profile", value_name = "NAME")]
    pub profiles: Vec<String>,
    /// Set one setting or Helm value, such as kafka.replicas=1; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Lay a file of Helm values over those of an instance; may be repeated
    #[arg(long, value_name = "NAME=FILE", value_parser = pair)]
    pub values: Vec<(String, String)>,
    /// Take warnings about values keys for errors
    #[arg(long)]
    pub strict: bool,
}

/// `--with-needs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Components and settings")]
pub struct NeedsArgs {
    /// With -c, install what the component needs, too
    #[arg(long)]
    pub with_needs: bool,
}

/// `--cascade`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Components and settings")]
pub struct CascadeArgs {
    /// Take along what needs a component that goes
    #[arg(long)]
    pub cascade: bool,
}

/// Answers to questions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Answers")]
pub struct ConsentArgs {
    /// Answer every question with yes, but for the loss of data
    #[arg(short, long)]
    pub yes: bool,
    /// Let data go, too; needs --confirm-project where nobody can be asked
    #[arg(long)]
    pub include_data: bool,
    /// Write over what somebody changed on data
    #[arg(long)]
    pub overwrite_data: bool,
    /// Allow a risky change of one object: it is made anew, or a definition loses fields or versions; may be repeated
    #[arg(long, value_name = "KIND/NAME", value_parser = object)]
    pub allow: Vec<String>,
    /// Of all deletions do only those of this node, or of this instance; a host stands for all in it; may be repeated
    #[arg(long, value_name = "NODE")]
    pub delete: Vec<String>,
    /// Let this object go without what handles its finalizers, as Kind/namespace/name; may be repeated
    #[arg(long, value_name = "OBJECT")]
    pub strip_finalizers: Vec<String>,
    /// Confirm the loss with the project's name
    #[arg(long, value_name = "NAME")]
    pub confirm_project: Option<String>,
}

/// How a run goes about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "How it runs")]
pub struct RunArgs {
    /// Run this many Helm calls at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub parallel: Option<u8>,
    /// Run this many other steps at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub parallel_others: Option<u8>,
    /// Start nothing new once a step has failed
    #[arg(long)]
    pub fail_fast: bool,
    /// Wait for jobs that only need to be started
    #[arg(long)]
    pub wait_jobs: bool,
    /// Make the cluster's context the current one of the kubeconfig
    #[arg(long)]
    pub use_context: bool,
}

/// `--skip-preflight`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Answers")]
pub struct PreflightArgs {
    /// Leave out checks of the cluster: all, or some of permissions, webhooks, api-services, namespaces, storage, capacity, apis,
    /// quotas, requirements
    #[arg(long, value_name = "CHECK", value_delimiter = ',', value_parser = check)]
    pub skip_preflight: Vec<Checks>,
}

fn object(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(text.to_owned())
        }
        Some(_) | None => Err("an object is `KIND/NAME`, like `Deployment/server`".to_owned()),
    }
}

/// One word of `--skip-preflight`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks(pub Vec<Check>);

fn check(text: &str) -> Result<Checks, String> {
    let found = Check::from_word(text.trim());
    found.map(|checks| Checks(checks.into_iter().collect())).ok_or_else(|| {
        let words: Vec<_> = Check::ALL.into_iter().map(Check::word).collect();
        format!("the checks are all, {}", words.join(", "))
    })
}

/// What `destroy` reaches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "What goes")]
pub struct DestroyArgs {
    /// Take along what else lives in the cluster: other flavours, other projects
    #[arg(long)]
    pub all_flavours: bool,
    /// Name the project where its files cannot be read
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// Name the flavour where its file cannot be read
    #[arg(long, value_name = "NAME")]
    pub flavour_name: Option<String>,
}

/// `--detailed-exitcode`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Exit code")]
pub struct ExitArgs {
    /// End with 2 when there is something to do
    #[arg(long = "detailed-exitcode")]
    pub detailed_exit_code: bool,
}

/// What `plan` draws, and where it leaves it.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "What is planned")]
pub struct DrawnArgs {
    /// Save the plan: `apply FILE` carries out exactly that, for 24 hours
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Show only what somebody changed in the cluster; ends with 3 if there is any
    #[arg(long, conflicts_with_all = ["out", "plan_uninstall", "plan_destroy"])]
    pub refresh_only: bool,
    /// Print what to write into the flavour to accept what somebody changed
    #[arg(long, conflicts_with_all = ["plan_uninstall", "plan_destroy"])]
    pub accept: bool,
    /// Plan what `uninstall` would do
    #[arg(long = "uninstall", id = "plan_uninstall", conflicts_with = "plan_destroy")]
    pub uninstall: bool,
    /// Plan what `destroy` would do
    #[arg(long = "destroy", id = "plan_destroy")]
    pub destroy: bool,
}

/// What a saved plan could not decide.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Saved plans")]
pub struct DeferredArgs {
    /// What may happen to what a saved plan could not decide [default: create-only]
    #[arg(long, value_name = "WHAT")]
    pub approve_deferred: Option<DeferralArg>,
}

/// What may happen to what a saved plan could not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeferralArg {
    /// It may be created
    CreateOnly,
    /// Ask
    Ask,
    /// Anything
    Any,
}

/// How results are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputArg {
    /// For people
    #[default]
    Text,
    /// One JSON document; events as JSON lines on standard error
    Json,
    /// One YAML document; events as JSON lines on standard error
    Yaml,
    /// A plan for a pull request
    Markdown,
    /// A plan as a picture
    Svg,
}

/// All options of all groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Options {
    /// What it is about.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Which components.
    #[command(flatten)]
    pub parts: PartArgs,
    /// Their needs.
    #[command(flatten)]
    pub needs: NeedsArgs,
    /// Those that need them.
    #[command(flatten)]
    pub cascade: CascadeArgs,
    /// Answers.
    #[command(flatten)]
    pub consent: ConsentArgs,
    /// Checks that are left out.
    #[command(flatten)]
    pub preflight: PreflightArgs,
    /// How it runs.
    #[command(flatten)]
    pub run: RunArgs,
    /// What goes.
    #[command(flatten)]
    pub destroy: DestroyArgs,
    /// The exit code.
    #[command(flatten)]
    pub exit: ExitArgs,
    /// What is planned.
    #[command(flatten)]
    pub drawn: DrawnArgs,
    /// What a saved plan could not decide.
    #[command(flatten)]
    pub deferred: DeferredArgs,
}

/// A group of options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// [`PlaceArgs`]
    Place,
    /// [`PartArgs`]
    Parts,
    /// [`NeedsArgs`]
    Needs,
    /// [`CascadeArgs`]
    Cascade,
    /// [`ConsentArgs`]
    Consent,
    /// [`PreflightArgs`]
    Preflight,
    /// [`RunArgs`]
    Run,
    /// [`DestroyArgs`]
    Destroy,
    /// [`ExitArgs`]
    Exit,
    /// [`DrawnArgs`]
    Drawn,
    /// [`DeferredArgs`]
    Deferred,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("it has the form NAME=VALUE".to_owned()),
    }
}

impl Options {
    /// These options over others; what may be repeated is kept from both.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        let (place, parts, destroy) = (self.place, self.parts, self.destroy);
        let location = below.place.location;
        Self {
            place: PlaceArgs {
                location: WhereArgs {
                    local: place.location.local || location.local,
                    remote: place.location.remote || location.remote,
                    hybrid: place.location.hybrid || location.hybrid,
                },
                flavour: place.flavour.or(below.place.flavour),
                target: place.target.or(below.place.target),
                provider: place.provider.or(below.place.provider),
                kubeconfig: place.kubeconfig.or(below.place.kubeconfig),
                context: place.context.or(below.place.context),
                new_target: place.new_target || below.place.new_target,
            },
            parts: PartArgs {
                components: joined(below.parts.components, parts.components),
                profiles: joined(below.parts.profiles, parts.profiles),
                set: joined(below.parts.set, parts.set),
                values: joined(below.parts.values, parts.values),
                strict: parts.strict || below.parts.strict,
            },
            needs: NeedsArgs { with_needs: self.needs.with_needs || below.needs.with_needs },
            cascade: CascadeArgs { cascade: self.cascade.cascade || below.cascade.cascade },
            consent: ConsentArgs {
                yes: self.consent.yes || below.consent.yes,
                include_data: self.consent.include_data || below.consent.include_data,
                overwrite_data: self.consent.overwrite_data || below.consent.overwrite_data,
                allow: joined(below.consent.allow, self.consent.allow),
                delete: joined(below.consent.delete, self.consent.delete),
                strip_finalizers: joined(
                    below.consent.strip_finalizers,
                    self.consent.strip_finalizers,
                ),
                confirm_project: self.consent.confirm_project.or(below.consent.confirm_project),
            },
            preflight: PreflightArgs {
                skip_preflight: joined(
                    below.preflight.skip_preflight,
                    self.preflight.skip_preflight,
                ),
            },
            run: RunArgs {
                parallel: self.run.parallel.or(below.run.parallel),
                parallel_others: self.run.parallel_others.or(below.run.parallel_others),
                fail_fast: self.run.fail_fast || below.run.fail_fast,
                wait_jobs: self.run.wait_jobs || below.run.wait_jobs,
                use_context: self.run.use_context || below.run.use_context,
            },
            destroy: DestroyArgs {
                all_flavours: destroy.all_flavours || below.destroy.all_flavours,
                project: destroy.project.or(below.destroy.project),
                flavour_name: destroy.flavour_name.or(below.destroy.flavour_name),
            },
            exit: ExitArgs {
                detailed_exit_code: self.exit.detailed_exit_code || below.exit.detailed_exit_code,
            },
            drawn: DrawnArgs {
                out: self.drawn.out.or(below.drawn.out),
                refresh_only: self.drawn.refresh_only || below.drawn.refresh_only,
                accept: self.drawn.accept || below.drawn.accept,
                uninstall: self.drawn.uninstall || below.drawn.uninstall,
                destroy: self.drawn.destroy || below.drawn.destroy,
            },
            deferred: DeferredArgs {
                approve_deferred: self
                    .deferred
                    .approve_deferred
                    .or(below.deferred.approve_deferred),
            },
        }
    }

    /// What was given here about place and parts and is not said there, as words for a shell, with their groups.
    pub(super) fn missing_in(&self, said: &Self) -> Vec<(Group, String)> {
        let (mine, other) = (&self.place, &said.place);
        let mut missing = Vec::new();
        if other.location == WhereArgs::default() {
            let at = &mine.location;
            let all = [("-l", at.local), ("-r", at.remote), ("-k", at.hybrid)];
            let given = all.into_iter().filter(|(_, given)| *given);
            missing.extend(given.map(|(flag, _)| (Group::Place, flag.to_owned())));
        }
        // A command about another place is not about the cluster of this one.
        let is_elsewhere =
            other.location != WhereArgs::default() && other.location != mine.location;
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let places = [
            ("-f", path(&mine.flavour), other.flavour.is_some()),
            ("-t", mine.target.clone(), is_elsewhere || other.target.is_some()),
            ("--provider", mine.provider.clone(), is_elsewhere || other.provider.is_some()),
            ("--kubeconfig", path(&mine.kubeconfig), is_elsewhere || other.kubeconfig.is_some()),
            ("--context", mine.context.clone(), is_elsewhere || other.context.is_some()),
        ];
        for (flag, value, is_said) in places {
            let value = value.filter(|_| !is_said);
            missing.extend(value.map(|value| (Group::Place, option(flag, &value))));
        }
        let pairs = |pairs: &[(String, String)]| {
            pairs.iter().map(|(key, value)| format!("{key}={value}")).collect()
        };
        let (mine, other) = (&self.parts, &said.parts);
        let parts: [(_, Vec<String>, _); 4] = [
            ("-c", mine.components.clone(), !other.components.is_empty()),
            ("--profile", mine.profiles.clone(), !other.profiles.is_empty()),
            ("--set", pairs(&mine.set), !other.set.is_empty()),
            ("--values", pairs(&mine.values), !other.values.is_empty()),
        ];
        for (flag, values, is_said) in parts {
            let values = values.iter().filter(|_| !is_said);
            missing.extend(values.map(|value| (Group::Parts, option(flag, value))));
        }
        if mine.strict && !other.strict {
            missing.push((Group::Parts, "--strict".to_owned()));
        }
        missing
    }

    /// The options that were given, with their groups.
    pub fn given(&self) -> Vec<(Group, &'static str)> {
        let (place, parts, destroy) = (&self.place, &self.parts, &self.destroy);
        let all = [
            (Group::Place, "-l", place.location.local),
            (Group::Place, "-r", place.location.remote),
            (Group::Place, "-k", place.location.hybrid),
            (Group::Place, "-f", place.flavour.is_some()),
            (Group::Place, "-t", place.target.is_some()),
            (Group::Place, "--provider", place.provider.is_some()),
            (Group::Place, "--kubeconfig", place.kubeconfig.is_some()),
            (Group::Place, "--context", place.context.is_some()),
            (Group::Place, "--new-target", place.new_target),
            (Group::Parts, "-c", !parts.components.is_empty()),
            (Group::Parts, "--profile", !parts.profiles.is_empty()),
            (Group::Parts, "--set", !parts.set.is_empty()),
            (Group::Parts, "--values", !parts.values.is_empty()),
            (Group::Parts, "--strict", parts.strict),
            (Group::Needs, "--with-needs", self.needs.with_needs),
            (Group::Cascade, "--cascade", self.cascade.cascade),
            (Group::Consent, "--yes", self.consent.yes),
            (Group::Consent, "--include-data", self.consent.include_data),
            (Group::Consent, "--overwrite-data", self.consent.overwrite_data),
            (Group::Consent, "--allow", !self.consent.allow.is_empty()),
            (Group::Consent, "--delete", !self.consent.delete.is_empty()),
            (Group::Consent, "--strip-finalizers", !self.consent.strip_finalizers.is_empty()),
            (Group::Consent, "--confirm-project", self.consent.confirm_project.is_some()),
            (Group::Preflight, "--skip-preflight", !self.preflight.skip_preflight.is_empty()),
            (Group::Run, "--parallel", self.run.parallel.is_some()),
            (Group::Run, "--parallel-others", self.run.parallel_others.is_some()),
            (Group::Run, "--fail-fast", self.run.fail_fast),
            (Group::Run, "--wait-jobs", self.run.wait_jobs),
            (Group::Run, "--use-context", self.run.use_context),
            (Group::Destroy, "--all-flavours", destroy.all_flavours),
            (Group::Destroy, "--project", destroy.project.is_some()),
            (Group::Destroy, "--flavour-name", destroy.flavour_name.is_some()),
            (Group::Exit, "--detailed-exitcode", self.exit.detailed_exit_code),
            (Group::Drawn, "--out", self.drawn.out.is_some()),
            (Group::Drawn, "--refresh-only", self.drawn.refresh_only),
            (Group::Drawn, "--accept", self.drawn.accept),
            (Group::Drawn, "--uninstall", self.drawn.uninstall),
            (Group::Drawn, "--destroy", self.drawn.destroy),
            (Group::Deferred, "--approve-deferred", self.deferred.approve_deferred.is_some()),
        ];
        all.into_iter().filter(|(_, _, is_given)| *is_given).map(|(g, name, _)| (g, name)).collect()
    }
}

/// An option with its value, quoted for a shell. A value that no shell takes, with a zero byte in it, was not typed.
fn option(flag: &str, value: &str) -> String {
    format!("{flag} {}", shlex::try_quote(value).unwrap_or(value.into()))
}

fn joined<T>(mut below: Vec<T>, over: Vec<T>) -> Vec<T> {
    below.extend(over);
    below
}
