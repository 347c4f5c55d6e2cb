//! Arguments, environment and defaults become one resolved struct. The one place that reads the environment.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use crate::model::{Failure, FailureKind};
use crate::ops::{
    Confirm, Deferral, Goal, LoadRequest, Location, Manner, OutputFormat, Planned, Reach, Settings,
};
use crate::ui::{Look, Mode, terminal_width};

use super::fold::{Action, Request};
use super::options::{DeferralArg, Options, OutputArg, WhereArgs};

/// Narrower than this nothing reads well; wider than this lines are hard to follow.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=120;

/// The width where there is no terminal.
const WIDTH: usize = 80;

/// What surrounds the program, read once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The folder the user stands in.
    pub folder: PathBuf,
    /// This program's own file.
    pub program: PathBuf,
    /// The environment; what is no UTF-8 is left out.
    pub environment: BTreeMap<String, String>,
    /// Which streams are terminals.
    pub terminals: Terminals,
    /// The terminal's width in characters.
    pub width: Option<usize>,
}

/// Which streams are terminals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terminals {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
}

impl Surroundings {
    /// Reads them.
    pub fn read() -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let terminals = Terminals {
            stdin: std::io::stdin().is_terminal(),
            stdout: std::io::stdout().is_terminal(),
            stderr: std::io::stderr().is_terminal(),
        };
        Self {
            folder: std::env::current_dir().unwrap_or_default(),
            program: std::env::current_exe().unwrap_or_default(),
            environment,
            terminals,
            width: terminal_width(terminals.stderr),
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.environment.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn folder(&self, key: &str) -> Option<PathBuf> {
        // The XDG rules say that a path which is not absolute is to be ignored.
        self.text(key).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    /// Whether this is a run of continuous integration: no bars, no colour, nobody to ask.
    fn is_ci(&self) -> bool {
        self.text("CI").is_some_and(|ci| !matches!(ci, "false" | "0"))
    }

    fn takes_colour(&self) -> bool {
        self.text("NO_COLOR").is_none() && self.text("TERM") != Some("dumb") && !self.is_ci()
    }

    fn is_interactive(&self, output: OutputArg) -> bool {
        self.terminals.stdin && self.terminals.stderr && !self.is_ci() && output == OutputArg::Text
    }

    /// How the screen looks.
    pub fn look(&self, output: OutputArg) -> Look {
        let mode = match output {
            OutputArg::Json => Mode::Json,
            OutputArg::Yaml => Mode::Yaml,
            OutputArg::Markdown => Mode::Markdown,
            OutputArg::Svg => Mode::Svg,
            OutputArg::Text
                if self.terminals.stderr && !self.is_ci() && self.text("TERM") != Some("dumb") =>
            {
                Mode::Terminal
            }
            OutputArg::Text => Mode::Plain,
        };
        let colour = self.takes_colour() && output == OutputArg::Text;
        let width = self.width.unwrap_or(WIDTH).clamp(*WIDTHS.start(), *WIDTHS.end());
        Look {
            width,
            colour_out: colour && self.terminals.stdout,
            colour_err: colour && self.terminals.stderr,
            interactive: self.is_interactive(output),
            ..Look::new(mode)
        }
    }

    fn home(&self, action: &Action) -> Result<PathBuf, Failure> {
        match self.folder("HOME") {
            Some(home) => Ok(home),
            // Helm calls it with an environment of its own, and it reads and writes streams only.
            None if *action == Action::PostRender => Ok(PathBuf::from("/")),
            None => Err(Failure::new(FailureKind::Usage, "`HOME` is not set to an absolute path")
                .because("datamill keeps its tools and local clusters below it")
                .hint("set it to a folder of yours:\n    export HOME=/path/to/a/folder")),
        }
    }

    fn cache(&self, home: &Path) -> PathBuf {
        match self.text("DATAMILL_CACHE") {
            Some(cache) => self.folder.join(cache),
            None => self.folder("XDG_CACHE_HOME").unwrap_or(home.join(".cache")).join("datamill"),
        }
    }

    fn data(&self, home: &Path) -> PathBuf {
        self.folder("XDG_DATA_HOME").unwrap_or(home.join(".local/share")).join("datamill")
    }
}

/// Resolves a request.
pub fn resolve(request: &Request, around: &Surroundings) -> Result<Settings, Failure> {
    let home = around.home(&request.action)?;
    if around.folder.as_os_str().is_empty() {
        return Err(Failure::new(FailureKind::Usage, "the folder you stand in does not exist")
            .hint("change to a folder that does:\n    cd"));
    }
    let Options {
        place,
        parts,
        needs,
        cascade,
        consent,
        preflight,
        run,
        destroy,
        exit,
        drawn,
        deferred,
    } = request.options.clone();
    Ok(Settings {
        command: request.action.name().to_owned(),
        data: around.data(&home),
        program: around.program.clone(),
        files: LoadRequest {
            cache: around.cache(&home),
            home,
            folder: around.folder.clone(),
            environment: around.environment.clone(),
            flavour: place.flavour,
            target: place.target,
            location: location(&place.location),
            provider: place.provider,
            kubeconfig: place.kubeconfig,
            context: place.context,
            components: parts.components,
            profiles: parts.profiles,
            set: parts.set,
            values: parts.values.into_iter().map(|(name, file)| (name, file.into())).collect(),
        },
        strict: parts.strict,
        new_target: place.new_target,
        skip_preflight: preflight.skip_preflight.into_iter().flat_map(|checks| checks.0).collect(),
        confirm: confirm(&request.action, consent.yes),
        include_data: consent.include_data,
        overwrite_data: consent.overwrite_data,
        allowed: consent.allow.into_iter().collect(),
        deletes: consent.delete.into_iter().collect(),
        strip_finalizers: consent.strip_finalizers,
        confirm_project: consent.confirm_project,
        reach: Reach {
            cascade: cascade.cascade,
            with_needs: needs.with_needs,
            all_flavours: destroy.all_flavours,
        },
        manner: Manner {
            wait_jobs: run.wait_jobs,
            use_context: run.use_context,
            detailed_exit_code: exit.detailed_exit_code,
            parallel: run.parallel.map(usize::from),
            parallel_others: run.parallel_others.map(usize::from),
            fail_fast: run.fail_fast,
            deferral: deferral(deferred.approve_deferred),
        },
        planned: Planned {
            goal: match (drawn.uninstall, drawn.destroy) {
                (_, true) => Goal::Destroy,
                (true, false) => Goal::Uninstall,
                (false, false) => Goal::Install,
            },
            out: drawn.out,
            refresh_only: drawn.refresh_only,
            accept: drawn.accept,
        },
        project: destroy.project,
        flavour_name: destroy.flavour_name,
        output: format(request.output),
        interactive: around.is_interactive(request.output),
    })
}

fn format(typed: OutputArg) -> OutputFormat {
    match typed {
        OutputArg::Text => OutputFormat::Text,
        OutputArg::Json => OutputFormat::Json,
        OutputArg::Yaml => OutputFormat::Yaml,
        OutputArg::Markdown => OutputFormat::Markdown,
        OutputArg::Svg => OutputFormat::Svg,
    }
}

fn location(typed: &WhereArgs) -> Option<Location> {
    match (typed.local, typed.remote, typed.hybrid) {
        (true, _, _) => Some(Location::Local),
        (false, true, _) => Some(Location::Remote),
        (false, false, true) => Some(Location::Hybrid),
        (false, false, false) => None,
    }
}

fn deferral(typed: Option<DeferralArg>) -> Deferral {
    match typed {
        None | Some(DeferralArg::CreateOnly) => Deferral::CreateOnly,
        Some(DeferralArg::Ask) => Deferral::Ask,
        Some(DeferralArg::Any) => Deferral::Any,
    }
}

fn confirm(action: &Action, yes: bool) -> Confirm {
    match (yes, action) {
        (true, _) => Confirm::Nothing,
        (false, Action::Apply { as_flag: true }) => Confirm::Destructive,
        (false, _) => Confirm::Changes,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::args::Cli;
    use super::super::fold::fold;
    use super::*;

    fn around(environment: &[(&str, &str)]) -> Surroundings {
        Surroundings {
            folder: "/work".into(),
            program: "/bin/datamill".into(),
            environment: environment
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            terminals: Terminals { stdin: true, stdout: true, stderr: true },
            width: Some(100),
        }
    }

    fn settings(line: &str, around: &Surroundings) -> Result<Settings, Failure> {
        let args = std::iter::once("datamill").chain(line.split_whitespace());
        let request = fold(Cli::try_parse_from(args).unwrap()).unwrap().unwrap();
        resolve(&request, around)
    }

    #[test]
    fn folders_follow_the_environment() {
        let table = [
            (vec![("HOME", "/h")], "/h/.cache/datamill", "/h/.local/share/datamill"),
            (
                vec![("HOME", "/h"), ("XDG_CACHE_HOME", "/c"), ("XDG_DATA_HOME", "/d")],
                "/c/datamill",
                "/d/datamill",
            ),
            (
                vec![("HOME", "/h"), ("XDG_CACHE_HOME", "relative"), ("XDG_DATA_HOME", "")],
                "/h/.cache/datamill",
                "/h/.local/share/datamill",
            ),
            (vec![("HOME", "/h"), ("DATAMILL_CACHE", "c")], "/work/c", "/h/.local/share/datamill"),
        ];
        for (environment, cache, data) in table {
            let settings = settings("plan", &around(&environment)).unwrap();
            assert_eq!(settings.files.cache, PathBuf::from(cache), "{environment:?}");
            assert_eq!(settings.data, PathBuf::from(data), "{environment:?}");
        }
    }

    #[test]
    fn without_a_home_the_error_says_what_to_set() {
        let failure = settings("plan", &around(&[])).unwrap_err();
        assert_eq!(failure.kind.exit_code(), 10);
        assert!(failure.what.contains("HOME"));
        assert!(settings("helm-post-render", &around(&[])).is_ok());
    }

    #[test]
    fn who_is_asked_what() {
        let home = around(&[("HOME", "/h")]);
        let table = [
            ("-i", Confirm::Destructive),
            ("apply", Confirm::Changes),
            ("-i --yes", Confirm::Nothing),
            ("-x", Confirm::Changes),
            ("destroy -y", Confirm::Nothing),
        ];
        for (line, wanted) in table {
            assert_eq!(settings(line, &home).unwrap().confirm, wanted, "{line}");
        }
    }

    #[test]
    fn every_option_arrives() {
        let line = "-r -f a.yaml -t b --provider kwok --kubeconfig k --context x apply -c one -c two \
            --profile p --set a.b=c=d --values one=f.yaml --strict --with-needs --include-data \
            --confirm-project demo --new-target";
        let settings = settings(line, &around(&[("HOME", "/h")])).unwrap();
        assert_eq!(settings.files.location, Some(Location::Remote));
        assert_eq!(settings.files.flavour, Some("a.yaml".into()));
        assert_eq!(settings.files.target.as_deref(), Some("b"));
        assert_eq!(settings.files.provider.as_deref(), Some("kwok"));
        assert_eq!(settings.files.kubeconfig, Some("k".into()));
        assert_eq!(settings.files.context.as_deref(), Some("x"));
        assert_eq!(settings.files.components, ["one", "two"]);
        assert_eq!(settings.files.profiles, ["p"]);
        assert_eq!(settings.files.set, [("a.b".to_owned(), "c=d".to_owned())]);
        assert_eq!(settings.files.values, [("one".to_owned(), PathBuf::from("f.yaml"))]);
        assert!(settings.strict && settings.include_data && settings.reach.with_needs);
        assert_eq!(settings.confirm_project.as_deref(), Some("demo"));
        assert!(settings.new_target);
    }

    #[test]
    fn how_a_run_goes_about_it_arrives() {
        let line = "apply --parallel 3 --parallel-others 5 --fail-fast --wait-jobs --use-context";
        let wanted = Manner {
            wait_jobs: true,
            use_context: true,
            parallel: Some(3),
            parallel_others: Some(5),
            fail_fast: true,
            ..Manner::default()
        };
        assert_eq!(settings(line, &around(&[("HOME", "/h")])).unwrap().manner, wanted);
    }

    #[test]
    fn destroy_works_without_files() {
        let line = "destroy -l --project demo --flavour-name x --all-flavours";
        let settings = settings(line, &around(&[("HOME", "/h")])).unwrap();
        assert_eq!(settings.project.as_deref(), Some("demo"));
        assert_eq!(settings.flavour_name.as_deref(), Some("x"));
        assert!(settings.reach.all_flavours);
    }

    #[test]
    fn bars_colour_and_questions_need_a_terminal_that_wants_them() {
        let look = |environment: &[(&str, &str)], output| around(environment).look(output);
        let at_terminal = look(&[], OutputArg::Text);
        assert_eq!(at_terminal.mode, Mode::Terminal);
        assert!(at_terminal.colour_out && at_terminal.colour_err && at_terminal.interactive);
        assert_eq!(at_terminal.width, 100);
        let ci = look(&[("CI", "true")], OutputArg::Text);
        assert_eq!(ci.mode, Mode::Plain);
        assert!(!ci.colour_out && !ci.colour_err && !ci.interactive);
        assert_eq!(look(&[("CI", "false")], OutputArg::Text).mode, Mode::Terminal);
        let bare = look(&[("NO_COLOR", "1")], OutputArg::Text);
        assert_eq!(bare.mode, Mode::Terminal);
        assert!(!bare.colour_out && bare.interactive);
        assert_eq!(look(&[("TERM", "dumb")], OutputArg::Text).mode, Mode::Plain);
        let json = look(&[], OutputArg::Json);
        assert_eq!(json.mode, Mode::Json);
        assert!(!json.interactive && !json.colour_out);
        let mut piped = around(&[]);
        piped.terminals.stderr = false;
        piped.width = None;
        assert_eq!(piped.look(OutputArg::Text).mode, Mode::Plain);
        assert_eq!(piped.look(OutputArg::Text).width, 80);
    }
}
