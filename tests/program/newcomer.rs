//! What somebody meets who tries the program for the first time: wrong folders, typos, small terminals, no HOME.

use super::*;

const COMMANDS: [&str; 12] = [
    "validate",
    "plan",
    "apply",
    "uninstall",
    "destroy",
    "start",
    "stop",
    "status",
    "tools",
    "schema",
    "components",
    "flavours",
];

#[test]
fn alone_it_explains_itself() {
    let run = Sandbox::bare().datamill([]);
    assert_eq!(run.code, Some(0));
    for command in COMMANDS {
        assert!(run.stdout.contains(&format!("\n  {command} ")), "{command}: {}", run.stdout);
    }
}

#[test]
fn help_fits_80_columns_and_has_an_example() {
    let sandbox = Sandbox::bare();
    let narrow = |run: &Run| {
        let wide = run.stdout.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None);
    };
    for command in COMMANDS {
        let run = sandbox.datamill([command, "--help"]);
        narrow(&run);
        assert!(run.stdout.contains("Example"), "{}", run.stdout);
        assert!(run.stdout.contains(&format!("datamill {command}")), "{}", run.stdout);
    }
    for flag in ["-h", "--help"] {
        narrow(&sandbox.datamill([flag]));
    }
}

#[test]
fn typos_are_answered_with_what_was_meant() {
    let sandbox = project();
    sandbox.copy("flavours");
    let table: [(&[&str], &[&str]); 8] = [
        (&["plna"], &["plan"]),
        (&["install"], &["datamill apply"]),
        (&["plan", "--flavor", "x"], &["--flavour"]),
        (&["tools", "instal"], &["install"]),
        (&["components", "show", "demo-stor"], &["did you mean `demo-store`?"]),
        (&["flavours", "show", "dem"], &["did you mean `demo`?"]),
        (&["validate", "-f", "flavours/one.yaml", "-c", "thign"], &["thign", "thing"]),
        (&["plan", "-l", "--provider", "kwk", "-f", "flavours/one.yaml"], &["kwk", "kwok"]),
    ];
    for (args, words) in table {
        let run = sandbox.datamill(args.iter().copied());
        ends_with(&run, 10, words);
        assert!(run.stdout.is_empty(), "{run:?}");
    }
}

#[test]
fn which_flavour_is_meant_is_asked_with_the_flags_to_paste() {
    let sandbox = Sandbox::bare();
    let nowhere = sandbox.datamill(["plan", "-l"]);
    ends_with(&nowhere, 10, &["no flavour is named", "    -f flavours/demo.yaml\n"]);
    assert!(!nowhere.stderr.contains("configs/"), "values files are no flavours: {nowhere:?}");
    for name in ["a", "b"] {
        sandbox.write(&format!("flavours/{name}.yaml"), "project: {name: x, flavour: thing}\n");
    }
    let two = sandbox.datamill(["plan", "-l"]);
    ends_with(&two, 10, &["holds 2 flavours", "-f flavours/a.yaml\n", "-f flavours/b.yaml\n"]);
}

#[test]
fn a_hint_repeats_what_was_typed() {
    let sandbox = project();
    let run = sandbox.datamill(["-l", "-f", "flavours/one.yaml", "-x", "-c", "thing"]);
    ends_with(&run, 10, &["\n          datamill uninstall -c NAME -l -f flavours/one.yaml\n"]);
    let run = sandbox.datamill(["-l", "-f", "flavours/one.yaml"]);
    ends_with(&run, 10, &["\n          datamill plan -l -f flavours/one.yaml\n"]);
}

#[test]
fn every_command_that_a_hint_names_exists() {
    fn sources(folder: &std::path::Path, into: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, into);
            } else if path.extension().is_some_and(|end| end == "rs") {
                into.push(std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut texts = Vec::new();
    sources(&crate::support::sandbox::repository().join("src"), &mut texts);
    let mut checked = 0;
    for text in &texts {
        // Only what runs; tests and help may show anything.
        let text = text.split("#[cfg(test)]").next().unwrap();
        let lead = "\\n    datamill ";
        for (at, _) in text.match_indices(lead) {
            let rest = &text[at + lead.len()..];
            let end = rest.find(['"', '\\']).unwrap_or(rest.len());
            let words = rest[..end].split_whitespace().enumerate().map(|(at, word)| match word {
                word if word.starts_with('{') && at == 0 => "apply".into(),
                word if word.starts_with('{') => "x".into(),
                word => word.into(),
            });
            let words: Vec<_> = std::iter::once("datamill".into()).chain(words).collect();
            // Help ends well, too.
            let wrong = datamill::cli::args::parse(&words).err().filter(|e| e.exit_code() != 0);
            assert_eq!(wrong.map(|error| error.to_string()), None, "{}", &rest[..end]);
            checked += 1;
        }
    }
    assert!(checked > 8, "{checked} commands found");
}

#[test]
fn without_a_home_or_a_cache_the_remedy_is_named() {
    let mut sandbox = project();
    for home in ["", "relative"] {
        sandbox.set("HOME", home);
        ends_with(&sandbox.datamill(["tools"]), 10, &["HOME", "export HOME="]);
    }
    // Nobody, root neither, makes folders below /proc.
    sandbox.set("HOME", "/proc/nobody");
    for args in [&["tools", "install"][..], &["plan", "-l", "-f", "flavours/one.yaml"]] {
        let run = sandbox.datamill(args.iter().copied());
        ends_with(&run, 8, &["/proc/nobody/.cache/datamill", "export DATAMILL_CACHE="]);
    }
}

#[test]
fn a_log_has_no_colour_and_fits_80_columns() {
    let mut sandbox = project();
    sandbox.write("flavours/one.yaml", "project: {name: one, flavour: thing, wrong: 1}\n");
    for colour in [None, Some("1")] {
        if let Some(no) = colour {
            sandbox.set("NO_COLOR", no);
        }
        for args in [&["validate", "-f", "flavours/one.yaml"][..], &["tools"], &["components"], &[]]
        {
            let run = sandbox.datamill(args.iter().copied());
            let all = format!("{}{}", run.stdout, run.stderr);
            assert!(!all.contains('\u{1b}'), "{all}");
            // Paths stay whole, so that they can be copied.
            let wide = all.lines().find(|line| line.chars().count() > 80 && !line.contains('/'));
            assert_eq!(wide, None, "{all}");
        }
    }
}
