//! What a command was asked to do: arguments, environment and defaults, resolved once by the command line.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::draw::Goal;
use crate::config::LoadRequest;
use crate::plan::preflight::Check;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// For people.
    Text,
    /// One JSON document for what was asked for; one JSON event per fact on standard error.
    Json,
    /// The same as YAML.
    Yaml,
    /// A plan for a pull request.
    Markdown,
    /// A plan as a picture.
    Svg,
}

/// What needs the user's word before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// Every change (`apply`).
    Changes,
    /// Destructive lines only (data-mill's `-i`).
    Destructive,
    /// Nothing but the loss of data (`--yes`).
    Nothing,
}

/// How far a command reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    /// `--cascade`: what needs a deleted instance goes with it.
    pub cascade: bool,
    /// `--with-needs`: `-c` installs what its component needs, too.
    pub with_needs: bool,
    /// `--all-flavours`: `destroy` takes the other flavours of the project along.
    pub all_flavours: bool,
}

/// How a run goes about it.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// `--wait-jobs`: wait for jobs that only need to be started.
    pub wait_jobs: bool,
    /// `--use-context`: make the cluster's context the current one.
    pub use_context: bool,
    /// `--detailed-exitcode`: a plan with changes ends with 2.
    pub detailed_exit_code: bool,
    /// `--parallel N`: Helm calls at a time.
    pub parallel: Option<usize>,
    /// `--parallel-others N`: other steps at a time.
    pub parallel_others: Option<usize>,
    /// `--fail-fast`: nothing new is started after a failure.
    pub fail_fast: bool,
    /// `--approve-deferred`: what a saved plan allows for what it could not decide.
    pub deferral: Deferral,
}

/// What may happen to a resource that a saved plan could not decide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Deferral {
    /// It may be created; anything else stops its branch.
    #[default]
    CreateOnly,
    /// The user is asked.
    Ask,
    /// Whatever it turns out to be.
    Any,
}

/// What `plan` draws, and where it leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planned {
    /// `--uninstall`, `--destroy`; what `apply` would do without.
    pub goal: Goal,
    /// `--out FILE`: the plan is saved.
    pub out: Option<PathBuf>,
    /// `--refresh-only`: only drift is shown.
    pub refresh_only: bool,
    /// `--accept`: says what to write into the flavour to accept what somebody changed.
    pub accept: bool,
}

/// The resolved settings of a command.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The command's name, for the lock and the journal.
    pub command: String,
    /// What names and changes the files; `kubeconfig` is also the one that a local cluster's context is written to.
    pub files: LoadRequest,
    /// The folder for local clusters' own files, gone after `destroy`.
    pub data: PathBuf,
    /// This program's own file: Helm's post-renderer plugin calls it.
    pub program: PathBuf,
    /// `--strict`: warnings about values keys are errors.
    pub strict: bool,
    /// `--skip-preflight`: checks that are left out.
    pub skip_preflight: Vec<Check>,
    /// `--new-target`: an existing cluster may be another one than before.
    pub new_target: bool,
    /// What needs the user's word.
    pub confirm: Confirm,
    /// `--include-data`: data may go.
    pub include_data: bool,
    /// `--overwrite-data`: what somebody changed on data may be overwritten.
    pub overwrite_data: bool,
    /// `--allow KIND/NAME`: objects whose risky change is allowed.
    pub allowed: BTreeSet<String>,
    /// `--delete NODE`: the only things that may go; all where none is named.
    pub deletes: BTreeSet<String>,
    /// `--strip-finalizers OBJECT`: what goes without what handles its finalizers.
    pub strip_finalizers: Vec<String>,
    /// `--confirm-project NAME`.
    pub confirm_project: Option<String>,
    /// How far the command reaches.
    pub reach: Reach,
    /// How the run goes about it.
    pub manner: Manner,
    /// What `plan` draws.
    pub planned: Planned,
    /// `destroy --project NAME`: works without readable files, together with `flavour_name`.
    pub project: Option<String>,
    /// `destroy --flavour-name NAME`.
    pub flavour_name: Option<String>,
    /// How results are written.
    pub output: OutputFormat,
    /// Whether a question can be answered: a terminal, no `CI`, text output.
    pub interactive: bool,
}
