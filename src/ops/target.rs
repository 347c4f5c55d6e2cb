//! Which cluster a run is about: the provider by hand or by `auto`, the wanted cluster, and what the target is called.

use std::path::PathBuf;

use crate::config::{KindSettings, LocalProvider, Project, Target, version_of_image};
use crate::model::{
    Class, ClusterFacts, ClusterSpec, Failure, FailureKind, KindSpec, Known, NodeSpec, Observed,
    Owner, Resource, Spec,
};
use crate::provider::local::{self, Local};
use crate::yaml::Problems;

/// The wanted cluster, and why it is this one when nobody said so.
pub(super) struct Choice {
    pub(super) cluster: Resource,
    /// A sentence for the screen; nothing when the file or a flag decided.
    pub(super) because: Option<String>,
    /// What the target says that the chosen one does not heed.
    pub(super) problems: Problems,
}

/// Chooses the cluster of a project.
pub(super) async fn choose(project: &Project, local: &Local) -> Result<Choice, Failure> {
    match &project.target {
        Target::Local { provider, nodes, settings } => {
            let wanted = *provider;
            let (provider, because) = match provider {
                LocalProvider::Auto => auto(project, local).await?,
                LocalProvider::Kwok
                | LocalProvider::Kind
                | LocalProvider::Minikube
                | LocalProvider::Microk8s => (*provider, None),
            };
            let cluster = match provider {
                LocalProvider::Kwok | LocalProvider::Auto => kwok(project, nodes.clone()),
                LocalProvider::Kind => kind(project, &settings.kind)?,
                LocalProvider::Minikube | LocalProvider::Microk8s => {
                    return Err(not_built(provider.word()));
                }
            };
            one_at_a_time(project, local, provider)?;
            let told = settings.once_chosen.get(&provider).filter(|_| wanted != provider);
            Ok(Choice { cluster, because, problems: told.cloned().unwrap_or_default() })
        }
        Target::Hybrid { kubeconfig, context, .. } => Ok(Choice {
            cluster: existing(project, kubeconfig.clone(), context.clone()),
            because: None,
            problems: Problems::default(),
        }),
        Target::Remote { provider, .. } => Err(not_built(provider.word())),
    }
}

/// Why `auto` chose, when there was nothing to choose.
const THERE: &str = "the project's cluster is there";

/// What `auto` means here: the cluster that is there; else kind where a container engine runs; else the simulated one.
async fn auto(
    project: &Project,
    local: &Local,
) -> Result<(LocalProvider, Option<String>), Failure> {
    let name = project.cluster_name();
    let chose = |provider: LocalProvider, why: &str| {
        (provider, Some(format!("provider `auto` chose {}: {why}", provider.word())))
    };
    if let Some(marker) = local.marker(&name).filter(|marker| marker.project == project.name) {
        let kind = marker.provider == "kind";
        return Ok(chose(if kind { LocalProvider::Kind } else { LocalProvider::Kwok }, THERE));
    }
    let there = match local.engine().await {
        Ok(_) => local.has_kind(&name, &project.name).await,
        Err(error) => Err(error),
    };
    match there {
        Ok(true) => Ok(chose(LocalProvider::Kind, THERE)),
        Ok(false) if local.has_program("minikube") => Ok(chose(
            LocalProvider::Kind,
            "a container engine runs; this version does not drive minikube, which is installed too",
        )),
        Ok(false) => Ok(chose(LocalProvider::Kind, "a container engine runs")),
        Err(error) if error.is_no_engine() => {
            let why = format!("a simulated cluster, since {}", first_line(&error.to_string()));
            Ok(chose(LocalProvider::Kwok, &why))
        }
        // Whether a cluster of ours is behind it nobody can tell.
        Err(error) => {
            let mut failure = Failure::new(
                FailureKind::Preflight,
                "provider `auto` cannot tell whether there is a cluster",
            )
            .caused_by(&error);
            failure.hints.extend(error.hint());
            Err(failure.hint("decide by hand:\n    add --provider kwok"))
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Two providers would share the cluster's name, context and folder.
fn one_at_a_time(project: &Project, local: &Local, provider: LocalProvider) -> Result<(), Failure> {
    let name = project.cluster_name();
    let Some(marker) = local.marker(&name).filter(|marker| marker.provider != provider.word())
    else {
        return Ok(());
    };
    let other = &marker.provider;
    let what =
        format!("the project has a {other} cluster `{name}`, and {} is asked for", provider.word());
    Err(Failure::new(FailureKind::Preflight, what)
        .because("a project has one local cluster at a time: they would share name and context")
        .hint(format!("go on with the one there is:\n    add --provider {other}"))
        .hint(format!("or take it away first:\n    datamill destroy -l --provider {other}")))
}

/// Stops a run that meets a kind cluster which is not its own.
pub(super) fn refuse_foreign(cluster: &Resource, seen: &Observed) -> Result<(), Failure> {
    let (Spec::Cluster(ClusterSpec::Kind(spec)), Some(found)) = (&cluster.spec, seen.found())
    else {
        return Ok(());
    };
    match &found.owner {
        Owner::Ours => Ok(()),
        Owner::Other(owner) => Err(Local::foreign(&spec.name, Some(owner))),
        Owner::Unmarked { .. } => Err(Local::foreign(&spec.name, None)),
    }
}

/// The failure of a run that cannot look at its cluster; what to do stands behind the first line.
pub(super) fn unreachable(because: &str) -> Failure {
    let failure = Failure::new(FailureKind::Preflight, "cannot reach the cluster");
    match because.split_once('\n') {
        Some((because, hint)) => failure.because(because).hint(hint),
        None => failure.because(because),
    }
}

/// Refuses a target that this version cannot make: what a run would say, before anything is looked at.
pub(super) fn refuse_not_built(project: &Project) -> Result<(), Failure> {
    match &project.target {
        Target::Local {
            provider: provider @ (LocalProvider::Minikube | LocalProvider::Microk8s),
            ..
        } => Err(not_built(provider.word())),
        Target::Remote { provider, .. } => Err(not_built(provider.word())),
        Target::Local { .. } | Target::Hybrid { .. } => Ok(()),
    }
}

fn not_built(provider: &str) -> Failure {
    Failure::new(
        FailureKind::Preflight,
        format!("provider `{provider}` is not built into this version yet"),
    )
    .because("this version creates kind and kwok clusters and uses existing ones")
    .hint("run it in containers of this machine:\n    datamill plan -l --provider kind")
    .hint("simulate the platform:\n    datamill plan -l --provider kwok")
    .hint("use a cluster that is there:\n    datamill plan -k --context NAME")
}

fn kwok(project: &Project, nodes: Vec<NodeSpec>) -> Resource {
    let spec = Spec::Cluster(ClusterSpec::Kwok { name: project.cluster_name(), nodes });
    Resource::new(project.cluster_id(), spec)
}

fn kind(project: &Project, settings: &KindSettings) -> Result<Resource, Failure> {
    let image = settings.image.clone().ok_or_else(|| {
        let what = "kind brings no node image for the version of Kubernetes that the target names";
        Failure::new(FailureKind::Usage, what)
            .hint("write another `version`, or the image by `node_image`")
    })?;
    let spec = KindSpec {
        name: project.cluster_name(),
        image,
        nodes: settings.nodes.clone(),
        kubeadm_patches: settings.kubeadm_patches.clone(),
        containerd_patches: settings.containerd_patches.clone(),
        load: settings.load.clone(),
    };
    let mut cluster = Resource::new(project.cluster_id(), Spec::Cluster(ClusterSpec::Kind(spec)));
    cluster.class = Class::Stateful;
    Ok(cluster)
}

fn existing(project: &Project, kubeconfig: Option<PathBuf>, context: Option<String>) -> Resource {
    let spec = Spec::Cluster(ClusterSpec::Existing { kubeconfig, context });
    Resource::new(project.cluster_id(), spec)
}

/// What the target is called in marks: never a file name.
pub(super) fn target_name(cluster: &Resource, known: &Known) -> String {
    match &cluster.spec {
        Spec::Cluster(ClusterSpec::Kwok { name, .. }) => format!("local-kwok-{name}"),
        Spec::Cluster(ClusterSpec::Kind(spec)) => format!("local-kind-{}", spec.name),
        Spec::Cluster(ClusterSpec::Existing { .. }) => {
            let uid: String = known
                .text(&cluster.id, "uid")
                .unwrap_or_default()
                .chars()
                .filter(char::is_ascii_hexdigit)
                .take(10)
                .collect();
            format!("hybrid-{uid}")
        }
        Spec::Kubernetes(_) | Spec::Cloud(_) => "unknown".to_owned(),
    }
}

/// What is known of a cluster that does not run: what its target declares.
pub(super) fn declared(project: &Project, cluster: &Resource) -> ClusterFacts {
    match &cluster.spec {
        Spec::Cluster(ClusterSpec::Kwok { .. }) => local::declared(),
        // What the embedded control plane serves stands for what any cluster does.
        Spec::Cluster(ClusterSpec::Kind(spec)) => {
            let Target::Local { settings, .. } = &project.target else { return local::declared() };
            let written = settings.kubernetes_version.clone();
            let whole = written.filter(|version| version.split('.').count() == 3);
            let version = version_of_image(&spec.image).map(str::to_owned).or(whole);
            let usual = local::declared();
            ClusterFacts {
                provider: "kind".to_owned(),
                simulated: false,
                version: version.unwrap_or_else(|| usual.version.clone()),
                ..usual
            }
        }
        Spec::Cluster(ClusterSpec::Existing { .. }) | Spec::Kubernetes(_) | Spec::Cloud(_) => {
            ClusterFacts {
                provider: project.target.provider().to_owned(),
                location: project.target.location().word().to_owned(),
                simulated: false,
                ..local::declared()
            }
        }
    }
}

/// What the files alone declare, without a look at this machine: `auto` counts as the simulated one.
pub(super) fn declared_by_files(project: &Project) -> ClusterFacts {
    let cluster = match &project.target {
        Target::Local { provider: LocalProvider::Kind, settings, .. } => {
            kind(project, &settings.kind).ok()
        }
        Target::Local { provider: LocalProvider::Auto | LocalProvider::Kwok, .. } => None,
        Target::Local { .. } | Target::Remote { .. } | Target::Hybrid { .. } => {
            Some(existing(project, None, None))
        }
    };
    let cluster = cluster.unwrap_or_else(|| kwok(project, Vec::new()));
    declared(project, &cluster)
}
