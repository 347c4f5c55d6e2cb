//! Folds what was typed into one request: a command, data-mill's flags, and options before and after the command's name.

use std::path::PathBuf;

use crate::model::{Failure, FailureKind};
use crate::ops::SchemaOf;
use crate::ui::Asked;

use super::args::{ActionFlags, Cli};
use super::options::{Group, Options, OutputArg};
use super::split::split;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// `validate`
    Validate,
    /// `plan`
    Plan,
    /// `apply`; `-i` goes ahead with what creates or updates.
    Apply {
        /// Given as data-mill's `-i`.
        as_flag: bool,
    },
    /// `apply PLAN`
    ApplySaved(PathBuf),
    /// `uninstall`
    Uninstall,
    /// `destroy`
    Destroy,
    /// `start`
    Start,
    /// `stop`
    Stop,
    /// `unlock [--run ID]`
    Unlock(Option<String>),
    /// `adopt NAME --from FLAVOUR`
    Adopt {
        /// What.
        what: String,
        /// From which flavour.
        from: Option<String>,
    },
    /// `orphan NAME…`
    Orphan(Vec<String>),
    /// `protect on|off NODE`
    Protect {
        /// Whether it must stay.
        on: bool,
        /// What.
        what: String,
    },
    /// `status`
    Status,
    /// `connect [CLIENT] [--reveal]`
    Connect {
        /// The client.
        client: Option<String>,
        /// Whether secrets are shown.
        reveal: bool,
    },
    /// `forward`
    Forward,
    /// `credentials [--reveal]`
    Credentials {
        /// Whether values are shown.
        reveal: bool,
    },
    /// `tools`
    Tools,
    /// `tools install`
    ToolsInstall,
    /// `schema`
    Schema(Option<SchemaOf>),
    /// `lock`
    Lock(Pins),
    /// `components` and `flavours`
    List(Listing),
    /// `helm-post-render`
    PostRender,
}

/// What is listed or shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// `components list`
    Components,
    /// `components show`
    Component(String),
    /// `flavours list`
    Flavours,
    /// `flavours show`
    Flavour(String),
}

/// What is done with pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pins {
    /// `lock`
    Show,
    /// `lock update`
    Update(Option<String>),
}

/// A command with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is to be done.
    pub action: Action,
    /// Its options.
    pub options: Options,
    /// How results are written.
    pub output: OutputArg,
}

impl Action {
    /// The command's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Plan => "plan",
            Self::Apply { .. } | Self::ApplySaved(_) => "apply",
            Self::Lock(_) => "lock",
            Self::Uninstall => "uninstall",
            Self::Destroy => "destroy",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Unlock(_) => "unlock",
            Self::Adopt { .. } => "adopt",
            Self::Orphan(_) => "orphan",
            Self::Protect { .. } => "protect",
            Self::Status => "status",
            Self::Connect { .. } => "connect",
            Self::Forward => "forward",
            Self::Credentials { .. } => "credentials",
            Self::Tools | Self::ToolsInstall => "tools",
            Self::Schema(_) => "schema",
            Self::List(Listing::Components | Listing::Component(_)) => "components",
            Self::List(Listing::Flavours | Listing::Flavour(_)) => "flavours",
            Self::PostRender => "helm-post-render",
        }
    }

    /// What belongs on standard output.
    pub fn asks_for(&self) -> Asked {
        match self {
            Self::Plan => Asked::Plan,
            Self::Validate => Asked::Problems,
            Self::Apply { .. }
            | Self::ApplySaved(_)
            | Self::Uninstall
            | Self::Destroy
            | Self::Adopt { .. }
            | Self::Orphan(_)
            | Self::Protect { .. }
            | Self::Start
            | Self::Stop => Asked::Report,
            Self::Unlock(_)
            | Self::Status
            | Self::Connect { .. }
            | Self::Forward
            | Self::Credentials { .. }
            | Self::Tools
            | Self::ToolsInstall
            | Self::Schema(_)
            | Self::Lock(_)
            | Self::List(_)
            | Self::PostRender => Asked::Document,
        }
    }

    /// The groups of options it takes.
    pub(super) fn takes(&self) -> &'static [Group] {
        match self {
            Self::Validate
            | Self::Status
            | Self::Connect { .. }
            | Self::Forward
            | Self::Credentials { .. } => &[Group::Place, Group::Parts],
            Self::Plan => &[
                Group::Place,
                Group::Parts,
                Group::Needs,
                Group::Consent,
                Group::Preflight,
                Group::Exit,
                Group::Drawn,
                Group::Cascade,
                Group::Destroy,
            ],
            Self::ApplySaved(_) => &[
                Group::Place,
                Group::Parts,
                Group::Needs,
                Group::Consent,
                Group::Preflight,
                Group::Run,
                Group::Deferred,
            ],
            Self::Apply { .. } => &[
                Group::Place,
                Group::Parts,
                Group::Needs,
                Group::Consent,
                Group::Preflight,
                Group::Run,
            ],
            Self::Uninstall => &[
                Group::Place,
                Group::Parts,
                Group::Cascade,
                Group::Consent,
                Group::Preflight,
                Group::Run,
            ],
            Self::Destroy => {
                &[Group::Place, Group::Destroy, Group::Consent, Group::Preflight, Group::Run]
            }
            Self::Start => &[Group::Place, Group::Run],
            Self::Stop | Self::List(_) | Self::Lock(_) => &[Group::Place],
            Self::Unlock(_) | Self::Adopt { .. } | Self::Orphan(_) | Self::Protect { .. } => {
                &[Group::Place, Group::Consent]
            }
            Self::Tools | Self::ToolsInstall | Self::Schema(_) | Self::PostRender => &[],
        }
    }
}

/// Folds; nothing when no action was given at all.
pub fn fold(cli: Cli) -> Result<Option<Request>, Failure> {
    refuse_later(&cli.actions)?;
    let mut actions = flagged(&cli.actions);
    let mut options = cli.options;
    if let Some(command) = cli.command {
        let (action, own) = split(command);
        options = own.over(options);
        actions.push((action.name(), action));
    }
    one_location(&options)?;
    of_plans_only(cli.format.output, &actions)?;
    let Some(action) = one_action(actions)? else {
        return no_action(&options).map(|()| None);
    };
    fits(&action, &options)?;
    planned_together(&action, &options)?;
    Ok(Some(Request { action, options, output: cli.format.output }))
}

/// The actions given as flags, with the flag.
fn flagged(flags: &ActionFlags) -> Vec<(&'static str, Action)> {
    let all = [
        (flags.start, "-s", Action::Start),
        (flags.install, "-i", Action::Apply { as_flag: true }),
        (flags.uninstall, "-u", Action::Uninstall),
        (flags.stop, "-a", Action::Stop),
        (flags.destroy, "-x", Action::Destroy),
    ];
    all.into_iter().filter(|(given, _, _)| *given).map(|(_, flag, act)| (flag, act)).collect()
}

fn refuse_later(flags: &ActionFlags) -> Result<(), Failure> {
    let later = match (flags.proxy, flags.debug.is_some()) {
        (true, _) => "-p",
        (false, true) => "-d",
        (false, false) => return Ok(()),
    };
    Err(usage(format!("`{later}` comes with a later version"))
        .hint("until then, kubectl reaches the cluster under the context that `status` names"))
}

fn usage(what: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Usage, what)
}

/// Two sections before and after the command's name: clap sees only one of them at a time.
fn one_location(options: &Options) -> Result<(), Failure> {
    let at = &options.place.location;
    let given: Vec<_> = [(at.local, "`-l`"), (at.remote, "`-r`"), (at.hybrid, "`-k`")]
        .into_iter()
        .filter_map(|(given, flag)| given.then_some(flag))
        .collect();
    if given.len() < 2 {
        return Ok(());
    }
    Err(usage(format!("{} say different things about where the cluster is", given.join(" and ")))
        .hint("give one of them"))
}

fn one_action(actions: Vec<(&'static str, Action)>) -> Result<Option<Action>, Failure> {
    let mut actions = actions.into_iter();
    let Some((first_typed, first)) = actions.next() else { return Ok(None) };
    for (typed, action) in actions {
        if action.name() != first.name() {
            let named = |typed: &str, action: &Action| match typed.strip_prefix('-') {
                Some(_) => format!("`{typed}` ({})", action.name()),
                None => format!("`{typed}`"),
            };
            let (first, second) = (named(first_typed, &first), named(typed, &action));
            return Err(usage(format!("two actions at once: {first} and {second}"))
                .hint("run one after the other"));
        }
    }
    Ok(Some(first))
}

fn no_action(options: &Options) -> Result<(), Failure> {
    let given = options.given();
    let Some((_, option)) = given.first() else { return Ok(()) };
    Err(usage(format!("`{option}` is given, but not what to do"))
        .hint("name a command, or one of data-mill's actions -s -i -u -a -x:\n    datamill plan"))
}

/// Pictures and pull-request comments are made of plans only.
fn of_plans_only(output: OutputArg, actions: &[(&str, Action)]) -> Result<(), Failure> {
    let is_plan = actions.iter().any(|(_, action)| *action == Action::Plan);
    match output {
        OutputArg::Markdown | OutputArg::Svg if !is_plan => {
            Err(usage("only `plan` is written as markdown or svg")
                .hint("for scripts there is:\n    --output json"))
        }
        OutputArg::Text
        | OutputArg::Json
        | OutputArg::Yaml
        | OutputArg::Markdown
        | OutputArg::Svg => Ok(()),
    }
}

/// What `plan` takes of other commands belongs to the one whose plan it is.
fn planned_together(action: &Action, options: &Options) -> Result<(), Failure> {
    if *action != Action::Plan {
        return Ok(());
    }
    let (drawn, goes) = (&options.drawn, &options.destroy);
    let all = goes.all_flavours || goes.project.is_some() || goes.flavour_name.is_some();
    let parts = !options.parts.components.is_empty();
    let needs = options.needs.with_needs;
    let (wrong, belongs) = match (drawn.destroy, drawn.uninstall) {
        (true, _) if parts => (
            "`plan --destroy` takes everything away and does not take `-c`",
            "datamill plan --uninstall -c NAME",
        ),
        (true, _) if needs || options.cascade.cascade => (
            "`plan --destroy` takes everything away; `--with-needs` and `--cascade` add nothing",
            "datamill plan --destroy",
        ),
        (_, true) if needs => (
            "`plan --uninstall` does not take `--with-needs`",
            "datamill plan --with-needs -c NAME",
        ),
        (false, _) if all => (
            "without `--destroy`, `plan` does not take `--all-flavours`, `--project` and `--flavour-name`",
            "datamill plan --destroy --all-flavours",
        ),
        (false, false) if options.cascade.cascade => {
            ("`plan` does not take `--cascade`", "datamill plan --uninstall --cascade")
        }
        (_, _) => return Ok(()),
    };
    Err(usage(wrong).hint(format!("there is:\n    {belongs}")))
}

/// An option that the command does not read is an error: nothing is skipped in silence.
fn fits(action: &Action, options: &Options) -> Result<(), Failure> {
    let takes = action.takes();
    // A flavour and a location are often typed before every command; where they mean nothing they do no harm.
    let harmless =
        |option: &str| takes.is_empty() && matches!(option, "-l" | "-r" | "-k" | "-f" | "-t");
    let given = options.given();
    let Some((_, option)) =
        given.iter().find(|(group, option)| !takes.contains(group) && !harmless(option))
    else {
        return Ok(());
    };
    let failure = usage(format!("`{}` does not take `{option}`", action.name()));
    Err(match (*option, action) {
        ("-c", Action::Destroy) => failure.hint(
            "`destroy` takes everything away; to take one component away, run:\n    datamill uninstall -c NAME",
        ),
        (_, _) => failure.hint(format!("what it takes is listed by:\n    datamill {} --help", action.name())),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::ops::SchemaKind;

    fn request(line: &str) -> Result<Option<Request>, Failure> {
        let args = std::iter::once("datamill").chain(line.split_whitespace());
        fold(Cli::try_parse_from(args).unwrap_or_else(|error| panic!("{line}: {error}")))
    }

    fn good(line: &str) -> Request {
        request(line).unwrap_or_else(|failure| panic!("{line}: {failure}")).unwrap()
    }

    #[test]
    fn each_old_flag_means_its_command() {
        let table = [
            ("-s", Action::Start),
            ("-i", Action::Apply { as_flag: true }),
            ("-u", Action::Uninstall),
            ("-a", Action::Stop),
            ("-x", Action::Destroy),
            ("-l -i -f flavours/demo.yaml", Action::Apply { as_flag: true }),
            ("-lif flavours/demo.yaml", Action::Apply { as_flag: true }),
            ("-i apply", Action::Apply { as_flag: true }),
            ("apply -i", Action::Apply { as_flag: true }),
            ("apply", Action::Apply { as_flag: false }),
            ("-k -x --yes --include-data --confirm-project demo", Action::Destroy),
            ("-u -c kafka --cascade", Action::Uninstall),
            ("schema flavour", Action::Schema(Some(SchemaOf::File(SchemaKind::Flavour)))),
            ("-l tools", Action::Tools),
            ("tools install", Action::ToolsInstall),
            ("components", Action::List(Listing::Components)),
            ("components show kafka", Action::List(Listing::Component("kafka".to_owned()))),
            ("flavours list -f x.yaml", Action::List(Listing::Flavours)),
            ("helm-post-render", Action::PostRender),
        ];
        for (line, wanted) in table {
            assert_eq!(good(line).action, wanted, "{line}");
        }
    }

    #[test]
    fn options_count_before_and_after_the_name() {
        for line in [
            "-l -f a.yaml -c x plan -c y",
            "-l plan -f a.yaml -c x -c y",
            "plan -lf a.yaml -c x -c y",
        ] {
            let request = good(line);
            assert!(request.options.place.location.local, "{line}");
            assert_eq!(request.options.place.flavour, Some(PathBuf::from("a.yaml")), "{line}");
            assert_eq!(request.options.parts.components, ["x", "y"], "{line}");
        }
        assert_eq!(good("plan --output json").output, OutputArg::Json);
        assert_eq!(good("--output json plan").output, OutputArg::Json);
    }

    #[test]
    fn contradictions_are_named() {
        let table = [
            ("-i -u", "two actions at once: `-i` (apply) and `-u` (uninstall)"),
            ("-x plan", "two actions at once: `-x` (destroy) and `plan`"),
            ("plan -s", "two actions at once: `-s` (start) and `plan`"),
            ("-l plan -k", "`-l` and `-k` say different things about where the cluster is"),
            ("-p", "`-p` comes with a later version"),
            ("-d", "`-d` comes with a later version"),
            ("-d net", "`-d` comes with a later version"),
            ("-l -d app -f x", "`-d` comes with a later version"),
            ("-l", "`-l` is given, but not what to do"),
            ("-c kafka", "`-c` is given, but not what to do"),
            ("-x -c kafka", "`destroy` does not take `-c`"),
            ("--cascade plan", "`plan` does not take `--cascade`"),
            ("--yes schema", "`schema` does not take `--yes`"),
        ];
        for (line, wanted) in table {
            let failure = request(line).unwrap_err();
            assert_eq!(failure.what, wanted, "{line}");
            assert_eq!(failure.kind.exit_code(), 10, "{line}");
            assert!(!failure.hints.is_empty(), "{line}");
        }
    }

    #[test]
    fn nothing_at_all_is_no_request() {
        assert_eq!(request("").unwrap(), None);
    }
}
