//! The real kind for tests: an engine, a node image, one cluster for all tests of a run, images and a registry.
//!
//! Where an engine runs that the user may use, the cluster lies in it. Elsewhere the tests start a dockerd of their own in
//! namespaces of its own, so that the machine's network, rules and mounts stay as they are, and its end takes all with it.
//! A keeper holds either; it lets go when this process is gone, however it went.

mod build;
mod cluster;
mod engine;
mod image;
mod place;
mod registry;
mod run;

use std::io::Write as _;
use std::path::Path;
use std::sync::OnceLock;

pub(crate) use cluster::{BUSYBOX, Cluster, Namespace};
pub(crate) use image::Image;
pub(crate) use registry::{Registry, Serve};
pub(crate) use run::{Mark, leftovers};

use place::Place;

/// Set for a process that a test starts to be a run of its own.
pub(crate) const PART: &str = "DATAMILL_NODE_PART";

/// The cluster of this run; nothing where none can be, after saying why.
pub(crate) fn cluster() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Result<Option<Cluster>, String>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        let begin = std::time::Instant::now();
        match start() {
            Ok(cluster) => {
                tell(&format!(
                    "ran, on {}; ready after {} s",
                    cluster.place(),
                    begin.elapsed().as_secs()
                ));
                Ok(Some(cluster))
            }
            Err(Stop::Skip(why)) => {
                tell(&format!("SKIPPED: {why}"));
                let required = place::wish() == place::Wish::Required;
                if required { Err(format!("required, and cannot run: {why}")) } else { Ok(None) }
            }
            Err(Stop::Failure(why)) => {
                tell(&format!("FAILED: {why}"));
                Err(why)
            }
        }
    });
    shared.as_ref().unwrap_or_else(|why| panic!("the node tier: {why}")).as_ref()
}

/// Why there is no cluster.
enum Stop {
    /// It cannot be here.
    Skip(String),
    /// It could be, and something went wrong.
    Failure(String),
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Failure(why)
    }
}

fn start() -> Result<Cluster, Stop> {
    let place = place::find().map_err(Stop::Skip)?;
    run::sweep(place)?;
    let engine = match place {
        Place::Running => engine::Engine::running()?,
        Place::Own => engine::Engine::own()?,
    };
    Ok(Cluster::create(engine)?)
}

/// Says once what became of the tier: past the harness, which swallows what passing tests print, and in a file for `.ci/run`.
fn tell(what: &str) {
    writeln!(std::io::stderr(), "node tier: {what}").ok();
    // A run that a test started for itself is no news.
    if std::env::var_os(PART).is_some() {
        return;
    }
    let note = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node-tier.txt");
    std::fs::write(note, format!("{what}\n")).ok();
}
