//! Failures on their way out: usage errors of the command line, words of other tools, the form the user wants, the exit code.

use std::ffi::OsString;

use crate::model::{Failure, FailureKind};
use crate::ui::Screen;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args;
use super::options::OutputArg;

/// What people type who know other tools, and what it is called here.
const ELSEWHERE: [(&str, &str); 16] = [
    ("install", "apply"),
    ("up", "apply"),
    ("deploy", "apply"),
    ("sync", "apply"),
    ("upgrade", "apply"),
    ("create", "start"),
    ("halt", "stop"),
    ("down", "destroy"),
    ("delete", "destroy"),
    ("remove", "uninstall"),
    ("diff", "plan"),
    ("check", "validate"),
    ("lint", "validate"),
    ("ls", "status"),
    ("list", "components list"),
    ("get", "status"),
];

/// Commands that the design names and that later versions bring.
const LATER: [&str; 16] = [
    "init",
    "render",
    "clusters",
    "graph",
    "explain",
    "completions",
    "man",
    "proxy",
    "debug",
    "logs",
    "verify",
    "run",
    "doctor",
    "auth",
    "new",
    "copy",
];

/// Shows a failure in the form that was asked for; gives the exit code.
pub fn show(failure: &Failure, screen: &Screen) -> u8 {
    screen.finish(Some(failure));
    failure.kind.exit_code()
}

/// Shows what clap says: help and version end well, everything else is a usage error with clap's suggestions.
pub fn show_usage(error: &clap::Error, screen: &Screen) -> u8 {
    let rendered = error.render();
    let text = |colour: bool| {
        if colour { rendered.ansi().to_string() } else { rendered.to_string() }
    };
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        screen.answer(&text(screen.look().colour_out));
        return 0;
    }
    let failure = usage(error);
    // A word of another tool is near to the wrong one of ours: `install` to `uninstall`.
    if screen.look().is_document() || own_hint(error).is_some() {
        return show(&failure, screen);
    }
    screen.say(&text(screen.look().colour_err));
    failure.kind.exit_code()
}

/// clap's error as a failure of ours.
pub fn usage(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    let what = first.strip_prefix("error: ").unwrap_or(first).replace('\'', "`");
    let mut failure = Failure::new(FailureKind::Usage, what);
    failure.hints = match own_hint(error) {
        Some(hint) => vec![hint],
        None => lines.filter_map(|line| line.strip_prefix("tip: ")).map(str::to_owned).collect(),
    };
    failure
}

/// What to do about a word or an option that clap takes for another one, since it looks alike.
fn own_hint(error: &clap::Error) -> Option<String> {
    word_hint(error).or_else(|| option_hint(error))
}

/// The commands that an option belongs to which this one does not have.
fn option_hint(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let option = typed.split('=').next()?.strip_prefix("--")?;
    let line = args::command_line();
    let has = |command: &&clap::Command| {
        command.get_arguments().any(|arg| !arg.is_hide_set() && arg.get_long() == Some(option))
    };
    let commands: Vec<_> = line
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .filter(has)
        .map(|command| format!("`datamill {}`", command.get_name()))
        .collect();
    (!commands.is_empty()).then(|| format!("`--{option}` belongs to {}", commands.join(", ")))
}

/// What a word of another tool, or of a later version, is about.
fn word_hint(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    if LATER.contains(&word.as_str()) {
        return Some(format!("`{word}` comes with a later version"));
    }
    let (_, here) = ELSEWHERE.iter().find(|(elsewhere, _)| elsewhere == word)?;
    Some(format!("here this is called:\n    datamill {here}"))
}

/// In which form to answer arguments that are not understood.
pub fn wanted_output(args: &[OsString]) -> OutputArg {
    let texts: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let form = |format: &str| match format {
        "json" => Some(OutputArg::Json),
        "yaml" => Some(OutputArg::Yaml),
        _ => None,
    };
    let found = texts.iter().enumerate().find_map(|(at, arg)| match arg.as_ref() {
        "--output" | "-o" => form(texts.get(at + 1)?),
        other => ["--output=", "-o=", "-o"].iter().find_map(|lead| form(other.strip_prefix(lead)?)),
    });
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::args::Cli;
    use super::*;

    fn error(line: &str) -> clap::Error {
        Cli::try_parse_from(std::iter::once("datamill").chain(line.split_whitespace())).unwrap_err()
    }

    #[test]
    fn a_usage_error_is_exit_10_and_keeps_the_suggestion() {
        let failure = usage(&error("aply"));
        assert_eq!(failure.kind.exit_code(), 10);
        assert!(failure.what.contains("unrecognized subcommand `aply`"), "{failure:?}");
        assert!(failure.hints.concat().contains("'apply'"), "{failure:?}");
    }

    #[test]
    fn words_of_other_tools_are_translated() {
        assert!(usage(&error("install")).hints.concat().contains("datamill apply"));
        assert!(usage(&error("diff")).hints.concat().contains("datamill plan"));
        assert!(usage(&error("doctor")).hints.concat().contains("later version"));
    }

    #[test]
    fn an_option_of_another_command_is_not_taken_for_one_that_looks_alike() {
        for line in ["uninstall --project demo", "uninstall --project=demo"] {
            let failure = usage(&error(line));
            assert_eq!(
                failure.hints,
                ["`--project` belongs to `datamill plan`, `datamill destroy`"]
            );
        }
        assert!(usage(&error("uninstall --profil x")).hints.concat().contains("--profile"));
    }

    #[test]
    fn scripts_are_recognised_before_the_arguments_are_understood() {
        let wants =
            |line: &str| wanted_output(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(wants("plan --output json"), OutputArg::Json);
        assert_eq!(wants("plan --output=yaml --nonsense"), OutputArg::Yaml);
        assert_eq!(wants("-ojson plan"), OutputArg::Json);
        assert_eq!(wants("plan --output text"), OutputArg::Text);
        assert_eq!(wants("plan --output"), OutputArg::Text);
        assert_eq!(wants("plan"), OutputArg::Text);
    }
}
