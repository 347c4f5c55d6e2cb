//! Commands that a hint suggests work when they are pasted: they repeat the options that the user gave.

use std::ffi::OsString;

use super::options::Options;
use super::{args, fold};

/// The text with its commands completed: those that begin a line, and those in backticks.
pub(super) fn complete(text: &str, typed: &Options) -> String {
    let lines = text.split('\n').map(|line| {
        if is_command(line.trim_start()) {
            return command(line, typed);
        }
        let parts = line.split('`').enumerate().map(|(at, part)| {
            if at % 2 == 1 && is_command(part) { command(part, typed) } else { part.to_owned() }
        });
        parts.collect::<Vec<_>>().join("`")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn is_command(text: &str) -> bool {
    text.starts_with("datamill ")
}

/// A command with the options it lacks; what is no command of ours stays as it is.
fn command(line: &str, typed: &Options) -> String {
    let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
    let Ok(cli) = args::parse(&words) else { return line.to_owned() };
    let Ok(Some(said)) = fold::fold(cli) else { return line.to_owned() };
    let takes = said.action.takes();
    let missing = typed.missing_in(&said.options);
    let missing = missing.iter().filter(|(group, _)| takes.contains(group));
    std::iter::once(line)
        .chain(missing.map(|(_, words)| words.as_str()))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Options {
        let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        fold::fold(args::parse(&words).unwrap()).unwrap().unwrap().options
    }

    #[test]
    fn a_suggested_command_repeats_where_what_and_which() {
        let uninstall =
            "datamill -l -u -c store -f flavours/a.yaml -t k8s/b.yaml --set store.size=1Gi --yes";
        let table = [
            (
                uninstall,
                "take along what needs it:\n    datamill uninstall -c store --cascade",
                "take along what needs it:\n    datamill uninstall -c store --cascade -l -f flavours/a.yaml -t k8s/b.yaml --set 'store.size=1Gi'",
            ),
            (uninstall, "datamill destroy", "datamill destroy -l -f flavours/a.yaml -t k8s/b.yaml"),
            (
                uninstall,
                "see `datamill status`, then go on",
                "see `datamill status -l -f flavours/a.yaml -t k8s/b.yaml -c store --set 'store.size=1Gi'`, then go on",
            ),
            (
                "datamill apply -k --context one --kubeconfig two -f a.yaml",
                "  datamill plan -l --provider kwok",
                "  datamill plan -l --provider kwok -f a.yaml",
            ),
            (
                "datamill plan --profile small --values a=b.yaml --strict -c x -c y",
                "    datamill apply --with-needs",
                "    datamill apply --with-needs -c x -c y --profile small --values 'a=b.yaml' --strict",
            ),
        ];
        for (line, hint, wanted) in table {
            assert_eq!(complete(hint, &typed(line)), wanted, "{line}");
        }
    }

    #[test]
    fn words_for_a_shell_are_quoted() {
        let mut options = Options::default();
        options.place.flavour = Some("my flavours/a.yaml".into());
        assert_eq!(complete("datamill plan", &options), "datamill plan -f 'my flavours/a.yaml'");
    }

    #[test]
    fn what_is_no_command_of_ours_stays() {
        let typed = typed("datamill plan -l");
        for text in [
            "datamill keeps its tools below it",
            "look:\n    kubectl get pods",
            "see `datamill plan --help`",
            "datamill tools install",
            "an odd ` and datamill plan",
        ] {
            assert_eq!(complete(text, &typed), text);
        }
    }
}
