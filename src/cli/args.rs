//! The command line's types: what was typed, nothing else. data-mill's flags fold into the same types in `fold`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{
    ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
};

use super::mark::{AdoptArgs, OrphanArgs, ProtectCommand};
use super::options::{
    CascadeArgs, ConsentArgs, DeferredArgs, DestroyArgs, DrawnArgs, ExitArgs, NeedsArgs, Options,
    OutputArg, PartArgs, PlaceArgs, PreflightArgs, RunArgs,
};

const TOP_AFTER: &str = "\
data-mill's flags work without a command, alone or mixed with the options above:
  -l -r -k        the section local:, remote: or hybrid: (data-mill's -h is -k;
                  here -h is help)
  -s              the same as `start`
  -i              the same as `apply`, but asks only before something goes
  -u              the same as `uninstall`
  -a              the same as `stop`
  -x              the same as `destroy`
  -f FILE  -t FILE  -c NAME
                  flavour, target and component

Examples:
  datamill -l -i -f flavours/demo.yaml    create the cluster and install the demo
  datamill plan -l -f flavours/demo.yaml  show what that would change
  datamill -l -x -f flavours/demo.yaml    take it all away

Environment:
  DATAMILL_CACHE  folder for tools and charts [default: ~/.cache/datamill]
  DATAMILL_LOG    log what happens inside, such as debug
  CI, NO_COLOR    no bars, no questions; no colour

Exit codes:
  0 well   1 a fault in datamill   2 changes (plan --detailed-exitcode)   3 drift
  (plan --refresh-only)   4 plan out of date   5 locked   6 partly done   7 not
  ready in time   8 something is missing   9 protected   10 files or usage   11 not
  ours   130 interrupted";

/// Stand up a data and machine-learning platform on Kubernetes from one file
#[derive(Debug, Parser)]
#[command(
    name = "datamill",
    version,
    max_term_width = 80,
    after_long_help = TOP_AFTER,
    after_help = "data-mill's flags -l -r -k -s -i -u -a -x -f -t -c work, too; its -h is -k. See --help.",
    disable_help_flag = true,
    subcommand_value_name = "COMMAND",
    subcommand_help_heading = "Commands",
    infer_subcommands = false
)]
pub struct Cli {
    /// How results are written: first, so that no heading of a group stands above it.
    #[command(flatten)]
    pub format: Format,
    /// data-mill's actions.
    #[command(flatten)]
    pub actions: ActionFlags,
    /// Options of a command that is given as a flag, or before its name.
    #[command(flatten)]
    pub options: Options,
    /// The command.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The command line, as clap knows it. In the short help of the whole program only frequent options are listed.
pub fn command_line() -> clap::Command {
    const FREQUENT: [&str; 9] =
        ["local", "remote", "hybrid", "flavour", "target", "components", "yes", "output", "help"];
    Cli::command().mut_args(|arg| {
        let is_frequent = FREQUENT.contains(&arg.get_id().as_str());
        arg.hide_short_help(!is_frequent)
    })
}

/// Reads the arguments, the program's name first.
pub fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = command_line();
    let matches = command.try_get_matches_from_mut(args)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Options of every command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Format {
    /// Write results as text, JSON or YAML
    #[arg(
        short,
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true
    )]
    pub output: OutputArg,
    /// Print help (data-mill's -h is -k here)
    #[arg(short, long, global = true, action = ArgAction::Help)]
    pub help: Option<bool>,
}

/// data-mill's actions: hidden in lists, since the text below the help explains them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of data-mill's, folded at once")]
pub struct ActionFlags {
    /// Start the cluster
    #[arg(short, global = true, hide = true)]
    pub start: bool,
    /// Install
    #[arg(short, global = true, hide = true)]
    pub install: bool,
    /// Uninstall
    #[arg(short, global = true, hide = true)]
    pub uninstall: bool,
    /// Stop the cluster
    #[arg(short = 'a', global = true, hide = true)]
    pub stop: bool,
    /// Destroy
    #[arg(short = 'x', global = true, hide = true)]
    pub destroy: bool,
    /// Open a proxy
    #[arg(short, global = true, hide = true)]
    pub proxy: bool,
    /// Debug
    #[arg(short, global = true, hide = true, num_args = 0..=1, value_name = "WHAT")]
    pub debug: Option<Option<DebugArg>>,
}

/// What data-mill's `-d` looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DebugArg {
    /// The network
    Net,
    /// An application
    App,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Check all files and report every problem at once
    #[command(after_help = "Example:\n  datamill validate -f flavours/demo.yaml")]
    Validate(ReadArgs),
    /// Show what `apply` would change
    #[command(
        after_help = "Examples:\n  datamill plan -l -f flavours/demo.yaml\n  datamill plan -l --detailed-exitcode    ends with 2 when there is something to do\n  datamill plan -l --output json | jq .counts\n  datamill plan -l --out demo.plan         saves it for: datamill apply demo.plan"
    )]
    Plan(PlanArgs),
    /// Make everything as the files say
    #[command(
        after_help = "Examples:\n  datamill apply -l -f flavours/demo.yaml\n  datamill apply -l -c demo-store --with-needs    one component and what it needs\n  datamill apply -k --yes                    on an existing cluster, without questions\n  datamill apply demo.plan                   what `plan --out demo.plan` showed"
    )]
    Apply(ApplyArgs),
    /// Take components away; the cluster and all data stay
    #[command(
        after_help = "Examples:\n  datamill uninstall -l -f flavours/demo.yaml\n  datamill uninstall -l -c demo-store --cascade    with everything that needs demo-store"
    )]
    Uninstall(UninstallArgs),
    /// Take everything away; data stays unless it is named
    #[command(
        after_help = "Examples:\n  datamill destroy -l -f flavours/demo.yaml\n  datamill destroy -k --yes --include-data --confirm-project demo\n  datamill destroy -l --project demo --flavour-name demo    without readable files"
    )]
    Destroy(DestroyCommand),
    /// Create or start the cluster
    #[command(after_help = "Example:\n  datamill start -l -f flavours/demo.yaml")]
    Start(StartArgs),
    /// Stop the local cluster; nothing in it is lost
    #[command(after_help = "Example:\n  datamill stop -l -f flavours/demo.yaml")]
    Stop(PlaceOnly),
    /// Remove the lock of a run that is dead
    #[command(
        after_help = "Example:\n  datamill unlock -l -f flavours/demo.yaml --run laptop.4711.1770000000.x2bq"
    )]
    Unlock(UnlockArgs),
    /// Take over what stands in the place of something the flavour wants
    #[command(
        after_help = "Examples:\n  datamill adopt demo-store -l -f flavours/demo.yaml   all that bears no mark\n  datamill adopt demo-store/release/server -l          one node\n  datamill adopt demo-store --from small -l            what another flavour has"
    )]
    Adopt(AdoptArgs),
    /// Stop managing instances or nodes, and keep all of them
    #[command(
        after_help = "Examples:\n  datamill orphan demo-ui -l -f flavours/demo.yaml\n  datamill orphan demo-ui demo-api -l -f flavours/demo.yaml    what needs it as well"
    )]
    Orphan(OrphanArgs),
    /// Say whether something may go: on the live object, in a run of its own
    #[command(
        after_help = "Example:\n  datamill protect on demo-store/claim/data -l -f flavours/demo.yaml"
    )]
    Protect {
        /// What is said.
        #[command(subcommand)]
        action: ProtectCommand,
    },
    /// Show how everything is
    #[command(after_help = "Example:\n  datamill status -l -f flavours/demo.yaml")]
    Status(ReadArgs),
    /// Show how a client connects to what was installed
    #[command(
        after_help = "Examples:\n  datamill connect -k -f flavours/demo.yaml         all that there are\n  datamill connect psql -c postgres --reveal    one, with its secrets"
    )]
    Connect(ConnectArgs),
    /// Bring addresses of what was installed to ports of this machine, until Ctrl-C
    #[command(
        after_help = "Examples:\n  datamill forward -k -f flavours/demo.yaml    all of them\n  datamill forward -c demo-ui                  those of one component"
    )]
    Forward(ReadArgs),
    /// List logins and keys of what was installed, and where they are kept
    #[command(
        after_help = "Examples:\n  datamill credentials -l -f flavours/demo.yaml\n  datamill credentials -c demo-store --reveal    with the values"
    )]
    Credentials(CredentialArgs),
    /// List the programs that datamill drives, or get them
    #[command(after_help = "Examples:\n  datamill tools\n  datamill tools install")]
    Tools {
        /// What to do with them.
        #[command(subcommand)]
        action: Option<ToolsCommand>,
    },
    /// Print the JSON Schema of a kind of file
    #[command(after_help = "Example:\n  datamill schema flavour > flavour.schema.json")]
    Schema {
        /// The kind of file; all of them when it is not given
        kind: Option<SchemaArg>,
    },
    /// Show which charts are pinned in datamill.lock, or move the pins
    #[command(
        after_help = "Examples:\n  datamill lock -f flavours/demo.yaml\n  datamill lock update demo-store"
    )]
    Lock {
        /// What to do with the pins.
        #[command(subcommand)]
        action: Option<LockCommand>,
        /// Whose pins.
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// List components, or show one
    #[command(
        after_help = "Examples:\n  datamill components list\n  datamill components show demo-store"
    )]
    Components {
        /// What to do.
        #[command(subcommand)]
        action: Option<ListCommand>,
    },
    /// List flavours, or show one
    #[command(after_help = "Examples:\n  datamill flavours list\n  datamill flavours show demo")]
    Flavours {
        /// What to do.
        #[command(subcommand)]
        action: Option<ListCommand>,
    },
    /// Add datamill's marks to manifests on standard input (Helm calls this)
    #[command(hide = true)]
    HelmPostRender,
}

/// Commands that read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ReadArgs {
    /// What it is about.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Which components.
    #[command(flatten)]
    pub parts: PartArgs,
}

/// `connect`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ConnectArgs {
    /// The client, such as psql or s3
    pub client: Option<String>,
    /// What it is about.
    #[command(flatten)]
    pub read: ReadArgs,
    /// Show secrets, in place of commands that read them
    #[arg(long)]
    pub reveal: bool,
}

/// `credentials`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct CredentialArgs {
    /// What it is about.
    #[command(flatten)]
    pub read: ReadArgs,
    /// Show the values, which are secret
    #[arg(long)]
    pub reveal: bool,
}

/// Commands about the cluster alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct PlaceOnly {
    /// What it is about.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `plan`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct PlanArgs {
    /// What it is about.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Which components.
    #[command(flatten)]
    pub parts: PartArgs,
    /// Their needs.
    #[command(flatten)]
    pub needs: NeedsArgs,
    /// Answers that widen the plan.
    #[command(flatten)]
    pub consent: ConsentArgs,
    /// Checks that are left out.
    #[command(flatten)]
    pub preflight: PreflightArgs,
    /// The exit code.
    #[command(flatten)]
    pub exit: ExitArgs,
    /// What is drawn, and where it is left.
    #[command(flatten)]
    pub drawn: DrawnArgs,
    /// With `--uninstall`: those that need them.
    #[command(flatten)]
    pub cascade: CascadeArgs,
    /// With `--destroy`: what goes.
    #[command(flatten)]
    pub destroy: DestroyArgs,
}

/// `apply`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ApplyArgs {
    /// Carry out this saved plan (plan --out), and nothing else
    #[arg(value_name = "PLAN")]
    pub plan: Option<PathBuf>,
    /// What a saved plan could not decide.
    #[command(flatten)]
    pub deferred: DeferredArgs,
    /// What it is about.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Which components.
    #[command(flatten)]
    pub parts: PartArgs,
    /// Their needs.
    #[command(flatten)]
    pub needs: NeedsArgs,
    /// Answers.
    #[command(flatten)]
    pub consent: ConsentArgs,
    /// Checks that are left out.
    #[command(flatten)]
    pub preflight: PreflightArgs,
    /// How it runs.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `uninstall`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct UninstallArgs {
    /// What it is about.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Which components.
    #[command(flatten)]
    pub parts: PartArgs,
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
}

/// `destroy`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct DestroyCommand {
    /// What it is about.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// What goes.
    #[command(flatten)]
    pub destroy: DestroyArgs,
    /// Answers.
    #[command(flatten)]
    pub consent: ConsentArgs,
    /// Checks that are left out.
    #[command(flatten)]
    pub preflight: PreflightArgs,
    /// How it runs.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `start`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct StartArgs {
    /// What it is about.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// How it runs.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `unlock`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct UnlockArgs {
    /// What it is about.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Only if this run holds it; without it the run that does is named
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
    /// Do not ask
    #[arg(short, long, help_heading = "Answers")]
    pub yes: bool,
}

/// What to do with tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ToolsCommand {
    /// Get every tool that is missing
    #[command(after_help = "Example:\n  datamill tools install")]
    Install,
}

/// What to do with pins.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum LockCommand {
    /// Move pins to what the catalogue and the files say; no cluster is changed
    #[command(after_help = "Examples:\n  datamill lock update\n  datamill lock update demo-store")]
    Update {
        /// Only those of this instance
        name: Option<String>,
        /// Whose pins.
        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// List things, or show one.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ListCommand {
    /// List them
    #[command(after_help = "Example:\n  datamill components list --output json")]
    List(PlaceOnly),
    /// Show one
    #[command(
        after_help = "Examples:\n  datamill components show demo-store\n  datamill flavours show demo"
    )]
    Show {
        /// Its name
        name: String,
        /// Where to look.
        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// A kind of file with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaArg {
    /// Flavour files
    Flavour,
    /// Target files
    Target,
    /// Settings of components (config.yaml)
    Settings,
    /// component.yaml
    Component,
    /// Saved plans (plan --out)
    Plan,
}
