//! The steps of a component: typed, but not yet substituted.

use std::time::Duration;

use super::expression::Expression;
use super::fields::{Fields, always, wrong};
use super::rule::when;
use crate::model::{Class, CrdPolicy, HelmWait, JobReady, Rerun};
use crate::yaml::{Located, Node, Problem, Problems, Span, nearest};

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) id: String,
    pub(super) at: Span,
    pub(super) when: Option<Expression>,
    pub(super) namespace: Option<Located>,
    pub(super) ceiling: Ceiling,
    /// How long it may stand still.
    pub(super) stall: Option<Duration>,
    pub(super) keep: Option<bool>,
    pub(super) class: Option<Class>,
    pub(super) wait: Vec<Located>,
    pub(super) fails: Vec<Located>,
    /// How often it is tried.
    pub(super) tries: Option<usize>,
    pub(super) work: Work,
}

/// How long a step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ceiling {
    /// As long as any other.
    Usual,
    /// Not longer than this.
    Of(Duration),
    /// Any time: work that takes days.
    Unlimited,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Work {
    Crds {
        from: Source,
        names: Vec<Located>,
    },
    Helm(Box<Helm>),
    Manifests {
        from: Source,
        labels: Option<Located>,
    },
    Objects {
        objects: Located,
    },
    Job(Box<Job>),
    Wait,
    /// Read, but done by a later issue: `kustomize`, `patch`, `call`.
    Later(Later),
}

/// A step of a kind that a later issue builds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Later {
    Kustomize { tree: Located },
    Patch { tree: Located },
    Call { tree: Located },
}

impl Later {
    /// The word in `component.yaml`.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Kustomize { .. } => "kustomize",
            Self::Patch { .. } => "patch",
            Self::Call { .. } => "call",
        }
    }
}

/// Where manifests come from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    /// The chart of another step of the component.
    Step {
        id: String,
        at: Span,
    },
    Chart(Box<Chart>),
    /// A folder of the chart of either.
    Folder {
        chart: Box<Self>,
        path: Located,
    },
    Url {
        url: Located,
        sha256: Option<String>,
    },
    Files(Located),
}

/// A chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chart {
    pub(super) at: Span,
    pub(super) place: ChartPlace,
}

/// Where a chart comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ChartPlace {
    Repository { url: Located, name: Located },
    Oci(Located),
    Archive { url: Located, sha256: Option<String>, mirrors: Vec<Located> },
    Folder(String),
}

impl Source {
    /// The chart that it names itself.
    fn chart(&self) -> Option<&Chart> {
        match self {
            Self::Chart(chart) => Some(chart),
            Self::Folder { chart, .. } => chart.chart(),
            Self::Step { .. } | Self::Url { .. } | Self::Files(_) => None,
        }
    }
}

impl Step {
    /// The folder of its chart and where it is written, when the chart lies in the component's own.
    pub(super) fn chart_folder(&self) -> Option<(&str, &Span)> {
        let chart = match &self.work {
            Work::Helm(helm) => &helm.chart,
            Work::Crds { from, .. } | Work::Manifests { from, .. } => from.chart()?,
            Work::Objects { .. } | Work::Job(_) | Work::Wait | Work::Later(_) => return None,
        };
        match &chart.place {
            ChartPlace::Folder(path) => Some((path, &chart.at)),
            ChartPlace::Repository { .. } | ChartPlace::Oci(_) | ChartPlace::Archive { .. } => None,
        }
    }
}

/// A Helm step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Helm {
    pub(super) release: Option<Located>,
    pub(super) chart: Chart,
    pub(super) version: Option<Located>,
    pub(super) values: Option<Located>,
    pub(super) value_files: Vec<(String, Span)>,
    pub(super) crds: CrdPolicy,
    pub(super) wait_for: HelmWait,
    pub(super) exposes_secret: Option<String>,
    pub(super) main: bool,
    pub(super) ignore: Vec<String>,
    /// Whether its hooks run.
    pub(super) hooks: bool,
}

/// A job step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Job {
    pub(super) name: Option<Located>,
    pub(super) image: Located,
    pub(super) command: Option<Located>,
    pub(super) args: Option<Located>,
    pub(super) env: Option<Located>,
    pub(super) env_from: Option<Located>,
    pub(super) mounts: Option<Located>,
    pub(super) resources: Option<Located>,
    pub(super) service_account: Option<Located>,
    pub(super) security: Option<Located>,
    pub(super) backoff: Option<Located>,
    pub(super) ready: JobReady,
    pub(super) rerun: Rerun,
}

#[derive(Clone, Copy)]
enum Kind {
    Crds,
    Helm,
    Manifests,
    Kustomize,
    Objects,
    Patch,
    Job,
    Wait,
    Call,
}

const KINDS: [(&str, Kind); 9] = [
    ("crds", Kind::Crds),
    ("helm", Kind::Helm),
    ("manifests", Kind::Manifests),
    ("kustomize", Kind::Kustomize),
    ("objects", Kind::Objects),
    ("patch", Kind::Patch),
    ("job", Kind::Job),
    ("wait", Kind::Wait),
    ("call", Kind::Call),
];

const CLASSES: [(&str, Class); 3] =
    [("data", Class::Data), ("stateful", Class::Stateful), ("stateless", Class::Stateless)];

/// Reads an entry of `steps`.
pub(super) fn read(tree: &Located, problems: &mut Problems) -> Option<Step> {
    let mut fields = Fields::of(tree, "a step", problems)?;
    let id = fields.need_text("id", problems);
    fields.need("kind", problems);
    let kind = fields.word("kind", &KINDS, problems);
    let when = when(&mut fields, problems);
    let namespace = fields.value("namespace").cloned();
    let ceiling = ceiling(&mut fields, problems);
    let stall = fields.duration("stall", problems);
    let on_delete = [("remove", false), ("keep", true), ("skip", true)];
    let keep = fields.word("onDelete", &on_delete, problems);
    let class = fields.word("class", &CLASSES, problems);
    let tries = fields.value("retry").and_then(|value| tries(value, problems));
    fields.raw("doc");
    let mut wait = fields.list("wait", problems).to_vec();
    let fails = fields.list("fails", problems).to_vec();
    // What else is wrong with it is said in the same breath, for the kind that it looks like.
    let kind = kind.or_else(|| looks_like(tree))?;
    let work = work(kind, tree, &mut fields, &mut wait, problems);
    fields.finish(problems);
    Some(Step {
        id: id?,
        at: tree.span.clone(),
        when,
        namespace,
        ceiling,
        stall,
        keep,
        class,
        wait,
        fails,
        tries,
        work: work?,
    })
}

/// The kind that a step without a readable one seems to be: by a word that is near, or by a key that only one kind has.
fn looks_like(tree: &Located) -> Option<Kind> {
    const TELLING: [(&str, Kind); 5] = [
        ("chart", Kind::Helm),
        ("objects", Kind::Objects),
        ("image", Kind::Job),
        ("until", Kind::Wait),
        ("from", Kind::Crds),
    ];
    let of = |word: &str| KINDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind);
    let written = tree.get("kind").and_then(Located::as_text);
    let near = written.and_then(|word| nearest(word, KINDS.iter().map(|(known, _)| *known)));
    near.and_then(of).or_else(|| {
        let tells = TELLING.iter().find(|(key, _)| tree.get(key).is_some());
        tells.map(|(_, kind)| *kind)
    })
}

fn work(
    kind: Kind,
    tree: &Located,
    fields: &mut Fields<'_>,
    wait: &mut Vec<Located>,
    problems: &mut Problems,
) -> Option<Work> {
    match kind {
        Kind::Crds => {
            let from = fields.need("from", problems).and_then(|from| source(from, problems));
            let names = fields.list("names", problems).to_vec();
            always(fields, "serverSide", "the API server merges CRDs", problems);
            Some(Work::Crds { from: from?, names })
        }
        Kind::Helm => Some(Work::Helm(Box::new(helm(fields, problems)?))),
        Kind::Manifests => manifests(fields, problems),
        Kind::Objects => {
            let objects = fields.need("objects", problems)?.clone();
            Some(Work::Objects { objects })
        }
        Kind::Job => Some(Work::Job(Box::new(job(fields, problems)?))),
        Kind::Wait => {
            wait.extend(fields.list("until", problems).iter().cloned());
            if wait.is_empty() {
                problems.push(
                    Problem::error("wait-without-conditions", "this step waits for nothing")
                        .at(fields.at())
                        .help("add: until: [{rollout: deployment/name}]"),
                );
            }
            Some(Work::Wait)
        }
        Kind::Kustomize => {
            let known = ["url", "ref", "path", "sha", "serverSide", "forceConflicts", "names"];
            Some(Work::Later(Later::Kustomize { tree: later(tree, fields, &known) }))
        }
        Kind::Patch => {
            let known = ["target", "type", "patch", "revert"];
            Some(Work::Later(Later::Patch { tree: later(tree, fields, &known) }))
        }
        Kind::Call => {
            let known = [
                "service", "port", "method", "path", "body", "auth", "expect", "unless", "tls",
                "headers",
            ];
            Some(Work::Later(Later::Call { tree: later(tree, fields, &known) }))
        }
    }
}

fn tries(value: &Located, problems: &mut Problems) -> Option<usize> {
    let number = super::fields::text_of(value, "retry", problems)?.parse().ok();
    let number = number.filter(|number| (1..=100).contains(number));
    if number.is_none() {
        wrong(value, "retry", "how often it is tried in all, from 1 to 100", problems);
    }
    number
}

fn later(tree: &Located, fields: &mut Fields<'_>, known: &[&'static str]) -> Located {
    for key in known {
        fields.raw(key);
    }
    tree.clone()
}

/// `timeout` and `ceiling` mean the same; `none` is no ceiling.
fn ceiling(fields: &mut Fields<'_>, problems: &mut Problems) -> Ceiling {
    let timeout = fields.value("timeout");
    let ceiling = fields.value("ceiling");
    if let (Some(timeout), Some(_)) = (timeout, ceiling) {
        let message = "`timeout` and `ceiling` are the same, and `ceiling` counts";
        problems.push(Problem::warning("no-effect", message).at(&timeout.span).help("remove it"));
    }
    if ceiling.or(timeout).and_then(Located::as_text) == Some("none") {
        return Ceiling::Unlimited;
    }
    let key = if ceiling.is_some() { "ceiling" } else { "timeout" };
    fields.duration(key, problems).map_or(Ceiling::Usual, Ceiling::Of)
}

fn source(tree: &Located, problems: &mut Problems) -> Option<Source> {
    let mut fields = Fields::of(tree, "`from`", problems)?;
    let step = fields.value("step");
    let own = fields.value("chart");
    let url = fields.value("url").cloned();
    let sha256 = checksum(&mut fields, problems);
    let files = fields.value("files").cloned();
    let subpath = fields.value("subpath").cloned();
    fields.finish(problems);
    if let (Some(subpath), None, None) = (&subpath, step, own) {
        let message = "`subpath` is a folder of a chart, and here is none";
        problems.push(Problem::error("source", message).at(&subpath.span));
    }
    let within = |source: Source| match &subpath {
        Some(path) => Source::Folder { chart: Box::new(source), path: path.clone() },
        None => source,
    };
    match (step, own, url, files) {
        (Some(step), None, None, None) => {
            let id = step.as_text()?.to_owned();
            Some(within(Source::Step { id, at: step.span.clone() }))
        }
        (None, Some(own), None, None) => {
            Some(within(Source::Chart(Box::new(chart(own, problems)?))))
        }
        (None, None, Some(url), None) => Some(Source::Url { url, sha256 }),
        (None, None, None, Some(files)) => Some(Source::Files(files)),
        _ => {
            problems.push(
                Problem::error("source", "`from` names exactly one source")
                    .at(&tree.span)
                    .help("write one of: step, chart, url with sha256, files"),
            );
            None
        }
    }
}

fn manifests(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Work> {
    let url = fields.value("url").cloned();
    let sha256 = checksum(fields, problems);
    let files = fields.value("files").cloned();
    let labels = fields.value("labels").cloned();
    match (url, files) {
        (Some(url), None) => Some(Work::Manifests { from: Source::Url { url, sha256 }, labels }),
        (None, Some(files)) => Some(Work::Manifests { from: Source::Files(files), labels }),
        _ => {
            problems.push(
                Problem::error("source", "a manifests step names exactly one source")
                    .at(fields.at())
                    .help("write one of: url with sha256, files"),
            );
            None
        }
    }
}

/// `sha256: lock` leaves the checksum to the lock file.
fn checksum(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<String> {
    let value = fields.value("sha256")?;
    let text = super::fields::text_of(value, "sha256", problems)?;
    if text == "lock" {
        return None;
    }
    if text.len() != 64 || !text.chars().all(|c| c.is_ascii_hexdigit()) {
        wrong(value, "sha256", "64 hexadecimal digits, or `lock`", problems);
        return None;
    }
    Some(text.to_ascii_lowercase())
}

fn chart(tree: &Located, problems: &mut Problems) -> Option<Chart> {
    let mut fields = Fields::of(tree, "a chart", problems)?;
    let repo = fields.value("repo").cloned();
    let name = fields.value("name").cloned();
    let oci = fields.value("oci").cloned();
    let url = fields.value("url").cloned();
    let sha256 = checksum(&mut fields, problems);
    let path = fields.text("path", problems);
    let mirrors = fields.list("mirrors", problems).to_vec();
    fields.finish(problems);
    if let (None, Some(first)) = (&url, mirrors.first()) {
        let message = "`mirrors` are other places of an archive, and this chart names no `url`";
        problems.push(
            Problem::error("mirrors", message)
                .at(&first.span)
                .help("a flavour's `mirrors:` sends whole repositories and registries elsewhere"),
        );
    }
    let place = match (repo, name, oci, url, path) {
        (Some(url), Some(name), None, None, None) => ChartPlace::Repository { url, name },
        (None, None, Some(oci), None, None) => ChartPlace::Oci(oci),
        (None, None, None, Some(url), None) => ChartPlace::Archive { url, sha256, mirrors },
        (None, None, None, None, Some(path)) => ChartPlace::Folder(path),
        _ => {
            problems.push(
                Problem::error("source", "a chart names exactly one source")
                    .at(&tree.span)
                    .help("write one of: {repo, name}, {oci}, {url, sha256}, {path}"),
            );
            return None;
        }
    };
    Some(Chart { at: tree.span.clone(), place })
}

fn helm(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Helm> {
    let waits =
        [("ready", HelmWait::Ready), ("hooks", HelmWait::Hooks), ("none", HelmWait::Nothing)];
    let policies = [("skip", CrdPolicy::Skip), ("chart", CrdPolicy::Chart)];
    let release = fields.value("release").cloned();
    let chart = fields.need("chart", problems).and_then(|tree| chart(tree, problems));
    let version = fields.value("version").cloned();
    let values = fields.value("values").cloned();
    let value_files = value_files(fields, problems);
    let crds = fields.word("crds", &policies, problems).unwrap_or(CrdPolicy::Chart);
    let wait_for = fields.word("waitFor", &waits, problems).unwrap_or(HelmWait::Ready);
    let exposes_secret = fields.text("exposesSecret", problems);
    let main = fields.flag("main", problems);
    let ignore = fields.texts("ignore", problems);
    let hooks = fields.bool("hooks", problems).unwrap_or(true);
    if let Some(value) = fields.value("rollback")
        && value.node != Node::Bool(false)
    {
        let message = "a release that fails is not rolled back";
        problems.push(Problem::error("rollback", message).at(&value.span).help(
            "take `rollback` out: what failed stays as it is, with its cause, and the next apply goes on from there; `helm rollback` by hand works",
        ));
    }
    Some(Helm {
        release,
        chart: chart?,
        version,
        values,
        value_files,
        crds,
        wait_for,
        exposes_secret,
        main,
        ignore,
        hooks,
    })
}

fn value_files(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<(String, Span)> {
    let items = fields.list("valueFiles", problems);
    items
        .iter()
        .filter_map(|item| {
            let name = super::fields::text_of(item, "valueFiles", problems)?;
            Some((name, item.span.clone()))
        })
        .collect()
}

fn job(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Job> {
    let ready = [("started", JobReady::Started), ("complete", JobReady::Complete)];
    let image = fields.need("image", problems).cloned();
    let rerun = rerun(fields, problems);
    Some(Job {
        name: fields.value("name").cloned(),
        image: image?,
        command: fields.value("command").cloned(),
        args: fields.value("args").cloned(),
        env: fields.value("env").cloned(),
        env_from: fields.value("envFrom").cloned(),
        mounts: fields.value("mounts").cloned(),
        resources: fields.value("resources").cloned(),
        service_account: fields.value("serviceAccount").cloned(),
        security: fields.value("securityContext").cloned(),
        backoff: fields.value("backoffLimit").cloned(),
        ready: fields.word("ready", &ready, problems).unwrap_or(JobReady::Complete),
        rerun,
    })
}

/// `always` is refused: with it, no plan after an apply would be empty.
fn rerun(fields: &mut Fields<'_>, problems: &mut Problems) -> Rerun {
    if let Some(value) = fields.value("rerun").filter(|value| value.as_text() == Some("always")) {
        let message = "a job that runs at every apply would leave something to do for ever";
        problems.push(
            Problem::error("rerun", message)
                .at(&value.span)
                .help("write `rerun: onChange`, or bring it as a hook of a chart or as a CronJob"),
        );
        return Rerun::OnChange;
    }
    let words = [("onChange", Rerun::OnChange), ("once", Rerun::Once)];
    fields.word("rerun", &words, problems).unwrap_or(Rerun::OnChange)
}
