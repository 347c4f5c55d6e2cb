//! Who may use whom: the table of style and ARCHITECTURE.md, checked against every file. A new edge needs a line here,
//! hence a reviewer's look.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A module and the modules it may use; `adapter::files` allows that part of `adapter` only.
const ALLOWED: [(&str, &[&str]); 14] = [
    ("main", &["cli"]),
    ("cli", &["ops", "ui", "model"]),
    (
        "ops",
        &[
            "config",
            "catalogue",
            "plan",
            "engine",
            "provider",
            "toolchain",
            "ui",
            "yaml",
            "adapter",
            "model",
        ],
    ),
    ("ui", &["engine", "plan", "yaml", "model"]),
    ("config", &["catalogue", "yaml", "adapter::files", "model"]),
    ("catalogue", &["yaml", "model"]),
    ("engine", &["provider", "plan", "graph", "model"]),
    ("plan", &["graph", "model"]),
    ("provider", &["adapter", "toolchain", "yaml", "plan", "model"]),
    ("adapter", &["yaml", "model"]),
    ("toolchain", &["adapter", "model"]),
    ("yaml", &[]),
    ("model", &[]),
    ("graph", &[]),
];

/// A crate and the only modules that name it.
const DOORS: [(&str, &[&str]); 9] = [
    ("serde_yaml", &["yaml"]),
    ("granit_parser", &["yaml"]),
    ("clap", &["cli", "main"]),
    ("indicatif", &["ui"]),
    ("comfy_table", &["ui"]),
    ("kube", &["adapter"]),
    ("k8s_openapi", &["adapter"]),
    ("reqwest", &["adapter"]),
    ("jsonschema", &["adapter"]),
];

/// Modules that decide and never wait.
const NO_ASYNC: [&str; 4] = ["model", "graph", "plan", "config/resolve"];

/// The code of a file: without comments and without the insides of texts.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find('\'').map_or(rest.len(), |at| at + 2)
        } else if let Some(hashes) = raw_text(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = hashes + 2;
            rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len())
        } else if first == '"' {
            text_end(rest)
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[skipped..];
    }
    code
}

/// The number of `#` of a raw text that begins here.
fn raw_text(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// The length of the text that begins here, quotes included.
fn text_end(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return at + 1,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// What a file's code uses of its own crate: `adapter::files`, `model`, …; at most two parts of each path.
fn uses(code: &str, root: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(root) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        paths(&code[at + root.len()..], "", &mut found);
    }
    found
}

/// Collects the paths that begin here, those in braces included.
fn paths(rest: &str, prefix: &str, into: &mut BTreeSet<String>) {
    let rest = rest.trim_start();
    if let Some(group) = rest.strip_prefix('{') {
        for item in items_of(group) {
            paths(item, prefix, into);
        }
        return;
    }
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    let path = if prefix.is_empty() { word.to_owned() } else { format!("{prefix}::{word}") };
    match after.trim_start().strip_prefix("::") {
        Some(deeper) if prefix.is_empty() && !word.is_empty() => paths(deeper, &path, into),
        _ if word.is_empty() => {
            into.insert(prefix.to_owned());
        }
        _ => {
            into.insert(path);
        }
    }
}

/// The items of a group of imports, up to its closing brace.
fn items_of(group: &str) -> Vec<&str> {
    let (mut items, mut depth, mut begin) = (Vec::new(), 0_usize, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => {
                items.push(&group[begin..at]);
                break;
            }
            ',' if depth == 0 => {
                items.push(&group[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    items.retain(|item| !item.trim().is_empty());
    items
}

/// What is wrong with a file, a line each. `path` is relative to `src`.
fn violations(path: &Path, text: &str) -> Vec<String> {
    let shown = path.display();
    let first = path.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    let module = first.trim_end_matches(".rs").to_owned();
    let code = code_of(text);
    let mut wrong = Vec::new();
    if module != "lib" {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == module) else {
            return vec![format!(
                "src/{shown}: {module} is not in the table of tests/architecture.rs"
            )];
        };
        let root = if module == "main" { "datamill::" } else { "crate::" };
        for used in uses(&code, root) {
            let top = used.split("::").next().unwrap_or_default();
            if top != module && !allowed.contains(&top) && !allowed.contains(&used.as_str()) {
                wrong.push(format!("src/{shown}: {module} uses {used}"));
            }
        }
    }
    for (name, doors) in DOORS {
        if !doors.contains(&module.as_str()) && !uses(&code, &format!("{name}::")).is_empty() {
            wrong.push(format!("src/{shown}: {module} names {name}, which only {doors:?} may"));
        }
    }
    if NO_ASYNC.iter().any(|pure| path.starts_with(pure) || *pure == module)
        && code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "async")
    {
        wrong.push(format!("src/{shown}: {module} decides and never waits, but has `async`"));
    }
    wrong
}

/// Every Rust file below a folder of the repository, relative to it.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(&root).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn text_of(folder: &str, path: &Path) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(path);
    fs::read_to_string(&path).unwrap_or_default()
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let wrong: Vec<String> =
        rust_files("src").iter().flat_map(|path| violations(path, &text_of("src", path))).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_file_is_part_of_its_crate() {
    for (folder, roots) in [("src", ["lib.rs", "main.rs"]), ("tests", ["main.rs", "main.rs"])] {
        for path in rust_files(folder) {
            if roots.iter().any(|root| path == Path::new(root)) {
                continue;
            }
            let is_folder = path.file_name().is_some_and(|name| name == "mod.rs");
            let module = if is_folder { path.parent().unwrap() } else { path.as_path() };
            let name = module.file_stem().unwrap().to_string_lossy();
            let parent = module.parent().unwrap();
            let holder = if parent.as_os_str().is_empty() {
                PathBuf::from(roots[0])
            } else {
                parent.join("mod.rs")
            };
            let line = format!("mod {name};");
            let held = code_of(&text_of(folder, &holder)).lines().any(|l| {
                l.trim_start_matches("pub ").trim_start_matches("pub(crate) ").trim() == line
            });
            assert!(held, "{folder}/{} lacks `{line}`", holder.display());
        }
    }
}

#[test]
fn a_planted_violation_is_found() {
    let found = |path: &str, text: &str| violations(Path::new(path), text);
    assert_eq!(
        found("graph/mod.rs", "use crate::engine::execute;"),
        ["src/graph/mod.rs: graph uses engine::execute"]
    );
    assert_eq!(
        found("plan/order.rs", "use crate::{\n    graph::{Cycle, Graph},\n    engine,\n};"),
        ["src/plan/order.rs: plan uses engine"]
    );
    assert_eq!(
        found("config/mod.rs", "fn f() { crate::adapter::process::run() }"),
        ["src/config/mod.rs: config uses adapter::process"]
    );
    assert_eq!(found("config/resolve/mod.rs", "async fn f() {}").len(), 1);
    assert_eq!(found("ops/mod.rs", "use serde_yaml::Value;").len(), 1);
    assert_eq!(found("main.rs", "use datamill::engine;"), ["src/main.rs: main uses engine"]);
    assert_eq!(found("util/mod.rs", "").len(), 1);
}

#[test]
fn comments_and_texts_are_no_violations() {
    let text = r##"
        // use crate::engine;
        /* crate::engine */
        const A: &str = "crate::engine \" crate::engine";
        const B: &str = r#"crate::"engine"#;
        const C: char = '"';
        use crate::model::Name;
        use crate::graph::{self, Graph};
    "##;
    assert_eq!(violations(Path::new("plan/mod.rs"), text), Vec::<String>::new());
}

#[test]
fn the_table_has_no_way_round() {
    for (module, allowed) in ALLOWED {
        for used in allowed {
            let used = used.split("::").next().unwrap();
            let back = ALLOWED.iter().find(|(name, _)| *name == used);
            let loops = back.is_some_and(|(_, back)| back.contains(&module));
            assert!(!loops, "{module} and {used} use each other");
        }
    }
}
