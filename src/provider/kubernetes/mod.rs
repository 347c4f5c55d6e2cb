//! What lives inside a cluster. Comparison, ownership and readiness are shared by all kinds; each kind has a file.

mod apply;
mod cause;
mod claim;
pub mod compare;
mod crds;
mod credential;
pub mod discover;
mod ending;
mod explain;
mod failure;
mod field;
mod finalizer;
mod health;
mod history;
pub mod installation;
mod later;
pub mod lease;
mod manifests;
mod mark;
mod mask;
mod memory;
mod namespace;
mod normal;
mod objects;
mod observe;
mod owner;
mod preflight;
mod reach;
pub mod readiness;
pub mod release;
mod removal;
mod render;
pub mod runs;
pub mod secret;
pub mod session;
mod several;
mod snapshot;
mod strangers;
mod survey;
mod volume;
pub mod wait;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value as Json;
use tokio::time::Instant;

pub use failure::{failure, foreign, provider_error, stale};
pub use manifests::Fetch;
pub use normal::{compared, normal};
pub use owner::{class_of, manager_of, owner_of};
pub use reach::Backend;

use self::discover::Marked;
use self::release::{HelmSettings, RenderContext};
use self::session::{Link, Links, Session};
use self::several::several;
use crate::adapter::kube::KubeError;
use crate::model::{
    ClusterFacts, Digest, Discovery, Failure, Health, Identity, Known, KubernetesSpec, Object,
    ObjectRef, Observed, Outputs, Progress, Redactor, ReleaseSpec, Rendered, Resource, ResourceId,
    ResourceKind, Secret, SecretRef, Why,
};
use crate::plan::Step;
use crate::provider::{Provider, ProviderError, Renderer, RunContext};

/// Resources looked at, or drawn, at a time.
const AT_A_TIME: usize = 16;
/// A field manager's name may not be longer.
const LONGEST_MANAGER: usize = 128;
/// How long what was listed by marks counts as seen just now.
const FRESH: Duration = Duration::from_secs(20);

/// How clusters are driven.
#[derive(Clone)]
pub struct KubernetesSettings {
    /// How Helm is driven.
    pub helm: HelmSettings,
    /// Masks secret values.
    pub redactor: Redactor,
    /// Fetches manifests.
    pub fetch: Fetch,
    /// Objects that go without what handles their finalizers (`--strip-finalizers`).
    pub strip: Arc<Vec<String>>,
}

/// Drives what lives inside clusters.
pub struct Kubernetes {
    settings: KubernetesSettings,
    links: Links,
    marked: Mutex<Option<(ResourceId, Instant, Arc<Marked>)>>,
    settling: health::Settling,
    identity: Mutex<Option<Identity>>,
}

/// The field manager of what datamill writes: one per instance, so that two of them never share a field unseen.
pub fn manager(who: &Identity, id: &ResourceId) -> String {
    let scope = id.instance_name().map_or("target", |name| name.as_str());
    format!("datamill/{}/{scope}", who.owner).chars().take(LONGEST_MANAGER).collect()
}

impl Kubernetes {
    /// A provider that has opened nothing yet.
    pub fn new(settings: KubernetesSettings) -> Self {
        Self {
            settings,
            links: Links::default(),
            marked: Mutex::default(),
            settling: health::Settling::default(),
            identity: Mutex::default(),
        }
    }

    /// Forgets connections and what was listed: the cluster was stopped, made anew or deleted.
    pub fn forget(&self) {
        self.links.forget();
        self.forget_marked();
    }

    /// The record of a project in the only cluster that is known, if both are there: it holds the installation id.
    pub async fn record(
        &self,
        known: &Known,
        project: &str,
    ) -> Result<Option<installation::Record>, Failure> {
        let redactor = &self.settings.redactor;
        let failed = |error: KubeError| failure("cannot read what is installed", &error, redactor);
        match self.links.open(known, None, redactor).await.map_err(failed)? {
            Some(link) => installation::read(&link.cluster, project).await.map_err(failed),
            None => Ok(None),
        }
    }

    /// The installations whose marks for a project and target stand on anything in the only cluster that is known, each with one
    /// of its objects.
    pub async fn installations_by_marks(
        &self,
        known: &Known,
        project: &str,
        target: &str,
    ) -> Result<BTreeMap<String, ObjectRef>, Failure> {
        let redactor = &self.settings.redactor;
        let failed = |error: KubeError| failure("cannot see what is installed", &error, redactor);
        match self.links.open(known, None, redactor).await.map_err(failed)? {
            Some(link) => discover::owners(&link.cluster, project, target).await.map_err(failed),
            None => Ok(BTreeMap::new()),
        }
    }

    /// The installations of all projects in the only cluster that is known, as marks name them.
    pub async fn installations(&self, known: &Known) -> Result<BTreeSet<String>, Failure> {
        let redactor = &self.settings.redactor;
        let failed = |error: KubeError| failure("cannot read what is installed", &error, redactor);
        match self.links.open(known, None, redactor).await.map_err(failed)? {
            Some(link) => installation::all(&link.cluster).await.map_err(failed),
            None => Ok(BTreeSet::new()),
        }
    }

    async fn open(
        &self,
        known: &Known,
        host: Option<&ResourceId>,
    ) -> Result<Option<Link>, KubeError> {
        self.links.open(known, host, &self.settings.redactor).await
    }

    async fn session(
        &self,
        known: &Known,
        host: Option<&ResourceId>,
        who: &Identity,
    ) -> Result<Option<Session>, KubeError> {
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = Some(who.clone());
        let link = self.open(known, host).await?;
        Ok(link.map(|link| Session { strip: Arc::clone(&self.settings.strip), ..link.by(who) }))
    }

    /// The values that the chart of a release comes with.
    pub async fn chart_values(&self, spec: &ReleaseSpec) -> Result<Json, Failure> {
        let chart = self.settings.helm.chart(&spec.chart).await?;
        Ok(chart.content().await?.document("values.yaml").unwrap_or_default())
    }

    /// Values of Secrets in the only cluster that is known; what is not there has no entry.
    pub async fn secrets(
        &self,
        known: &Known,
        wanted: BTreeSet<SecretRef>,
    ) -> Result<BTreeMap<SecretRef, Secret>, Failure> {
        let redactor = &self.settings.redactor;
        let failed = |error: KubeError| failure("cannot read Secrets", &error, redactor);
        match self.links.open(known, None, redactor).await.map_err(failed)? {
            Some(link) => secret::values(&link.cluster, redactor, wanted).await.map_err(failed),
            None => Ok(BTreeMap::new()),
        }
    }

    fn forget_marked(&self) {
        *self.marked.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What bears our marks, listed anew when the last list is not fresh.
    async fn marked(&self, session: &Session, anew: bool) -> Result<Arc<Marked>, KubeError> {
        let last = self.marked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((host, when, marked)) = last
            && !anew
            && host == session.host
            && when.elapsed() < FRESH
        {
            return Ok(marked);
        }
        let marked = Arc::new(discover::marked(session).await?);
        let seen = (session.host.clone(), Instant::now(), Arc::clone(&marked));
        *self.marked.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(marked)
    }

    async fn all_of_ours(&self, who: &Identity, known: &Known) -> Discovery {
        let unlisted = |error: KubeError| Discovery {
            unlisted: vec![self.settings.redactor.redact(&error.to_string())],
            ..Discovery::default()
        };
        let session = match self.session(known, None, who).await {
            Ok(Some(session)) => session,
            Ok(None) => return Discovery::default(),
            Err(error) => return unlisted(error),
        };
        let (marked, record) = match futures::try_join!(
            self.marked(&session, true),
            installation::discover(&session),
        ) {
            Ok(both) => both,
            Err(error) => return unlisted(error),
        };
        let mut all = discover::discovery(&session, &marked);
        all.found.extend(record);
        volume::add(&session, &marked, all.found.iter_mut()).await;
        let releases = marked
            .objects
            .iter()
            .filter(|(id, _)| id.kind == ResourceKind::Release)
            .map(|(id, objects)| (id.clone(), objects.clone()))
            .collect();
        let releases = release::discover(&session, &self.settings.helm, &releases).await;
        all.found.extend(releases.found);
        all.unlisted.extend(releases.unlisted);
        Box::pin(removal::weigh(&session, &marked, &mut all)).await;
        all
    }

    async fn draw_all(
        &self,
        resources: &[&Resource],
        who: &Identity,
        facts: &ClusterFacts,
        known: &Known,
    ) -> BTreeMap<ResourceId, Result<Rendered, Failure>> {
        let session = self.session(known, None, who).await.ok().flatten();
        let filled = match &session {
            Some(session) => self.with_fields(session, resources, known).await,
            None => known.clone(),
        };
        let context = RenderContext {
            helm: &self.settings.helm,
            identity: who,
            facts,
            known: &filled,
            session: session.as_ref(),
        };
        // Definitions first: they say which kinds lie in no namespace.
        let (definitions, others): (Vec<&&Resource>, Vec<&&Resource>) =
            resources.iter().partition(|r| matches!(r.kubernetes(), Some(KubernetesSpec::Crds(_))));
        let mut cluster_wide = match &session {
            Some(session) => served_cluster_wide(session).await,
            None => BTreeSet::new(),
        };
        let mut all = self.draw_some(&definitions, &context, &cluster_wide).await;
        let drawn = all.values().filter_map(|rendered| rendered.as_ref().ok());
        cluster_wide.extend(drawn.flat_map(|r| &r.objects).filter_map(crds::cluster_wide));
        all.extend(self.draw_some(&others, &context, &cluster_wide).await);
        all
    }

    /// What is known with the fields of live objects. Before a plan is carried out, an absent field is stood in for only where
    /// what gives it is installed: then nothing will set it any more.
    async fn with_fields(
        &self,
        session: &Session,
        resources: &[&Resource],
        known: &Known,
    ) -> Known {
        let marked = if session.simulated { self.marked(session, false).await.ok() } else { None };
        let installed = |of: &ResourceId| {
            marked.iter().any(|marked| marked.objects.keys().any(|id| id.scope == of.scope))
        };
        let resources = resources.iter().copied();
        let filled = field::known(&session.cluster, resources, known, installed).await;
        filled.unwrap_or_else(|_| known.clone())
    }

    async fn draw_some(
        &self,
        resources: &[&&Resource],
        context: &RenderContext<'_>,
        cluster_wide: &BTreeSet<String>,
    ) -> BTreeMap<ResourceId, Result<Rendered, Failure>> {
        let draw = |resource: &Resource| {
            let resource = resource.clone();
            async move {
                let drawn = self.draw(&resource, context, cluster_wide).await.transpose()?;
                Some((resource.id, drawn))
            }
        };
        let drawn = several(resources.iter().map(|r| draw(r)).collect(), AT_A_TIME).await;
        drawn.into_iter().flatten().collect()
    }

    async fn draw(
        &self,
        resource: &Resource,
        context: &RenderContext<'_>,
        cluster_wide: &BTreeSet<String>,
    ) -> Result<Option<Rendered>, Failure> {
        if let Some(KubernetesSpec::Release(spec)) = resource.kubernetes() {
            return release::render(context, resource, spec).await.map(Some);
        }
        let manifests = manifests::load(resource, context, &self.settings.fetch).await?;
        let output = |of: &ResourceId, name: &str| context.known.get(of, name).cloned();
        let drawing = render::Drawing {
            identity: context.identity,
            fill: render::Fill { output: &output, secret: &|_| None },
            manifests: &manifests,
            cluster_wide,
        };
        render::draw(resource, &drawing)
    }

    async fn health_of(&self, of: &[&Resource], known: &Known) -> BTreeMap<ResourceId, Health> {
        let host = of.first().and_then(|resource| resource.host.as_ref());
        let unknown = |says: String| {
            let health = Health::Settling(Progress { mark: Digest::of(&says), waits_for: says });
            of.iter().map(|resource| (resource.id.clone(), health.clone())).collect()
        };
        let link = match self.open(known, host).await {
            Ok(Some(link)) => link,
            Ok(None) => return unknown("its cluster is not there".to_owned()),
            Err(error) => return unknown(self.settings.redactor.redact(&error.to_string())),
        };
        let fields = field::known(&link.cluster, of.iter().copied(), known, |_| link.simulated);
        let known = &fields.await.unwrap_or_else(|_| known.clone());
        let redrawn: Vec<Resource> =
            of.iter().map(|resource| self.with_outputs(resource, known)).collect();
        let redrawn: Vec<&Resource> = redrawn.iter().collect();
        match health::healths(&link, &redrawn, &self.settling).await {
            Ok(healths) => healths,
            Err(error) => unknown(self.settings.redactor.redact(&error.to_string())),
        }
    }

    /// A resource as it is once outputs that its picture lacked are known: a Job's name depends on them.
    fn with_outputs(&self, resource: &Resource, known: &Known) -> Resource {
        let mut resource = resource.clone();
        let who = self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let lacks = resource.rendered.as_ref().is_some_and(|r| !r.unknown.is_empty());
        if let (true, Some(who)) = (lacks, who)
            && let Some(drawn) = observe::redraw(&resource, &who, known, &BTreeMap::new())
        {
            resource.rendered = Some(drawn);
        }
        resource
    }
}

/// Kinds that the cluster serves outside of namespaces, as `group/Kind`.
async fn served_cluster_wide(session: &Session) -> BTreeSet<String> {
    let Ok(kinds) = session.cluster.kinds().await else { return BTreeSet::new() };
    let wide = kinds.preferred().iter().filter(|kind| !kind.namespaced);
    wide.map(|kind| format!("{}/{}", kind.group(), kind.kind)).collect()
}

impl Provider for Kubernetes {
    fn discover<'a>(&'a self, who: &'a Identity, known: &'a Known) -> BoxFuture<'a, Discovery> {
        Box::pin(self.all_of_ours(who, known))
    }

    fn strangers<'a>(
        &'a self,
        hosts: &'a [ResourceId],
        who: &'a Identity,
        known: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Result<Vec<ObjectRef>, String>>> {
        Box::pin(self.look_into(hosts, who, known))
    }

    fn observe<'a>(
        &'a self,
        wanted: &'a [&'a Resource],
        who: &'a Identity,
        known: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Observed>> {
        Box::pin(self.observe_all(wanted, who, known))
    }

    fn apply<'a>(
        &'a self,
        step: &'a Step,
        run: &'a RunContext,
    ) -> BoxFuture<'a, Result<Outputs, ProviderError>> {
        Box::pin(self.carry_out(step, run))
    }

    fn health<'a>(
        &'a self,
        of: &'a [&'a Resource],
        known: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Health>> {
        Box::pin(self.health_of(of, known))
    }

    fn why<'a>(&'a self, of: &'a Resource, known: &'a Known) -> BoxFuture<'a, Why> {
        Box::pin(async move {
            let link = self.open(known, of.host.as_ref()).await.ok().flatten();
            let Some(link) = link else { return Why::default() };
            let of = self.with_outputs(of, known);
            Box::pin(explain::why(&link, &of)).await.unwrap_or_default()
        })
    }
}

impl Renderer for Kubernetes {
    fn render<'a>(
        &'a self,
        resources: &'a [&'a Resource],
        who: &'a Identity,
        facts: &'a ClusterFacts,
        known: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Result<Rendered, Failure>>> {
        Box::pin(self.draw_all(resources, who, facts, known))
    }
}

/// What a resource tells others once it is there.
fn outputs_of(resource: &Resource, objects: &[Object], who: &Identity) -> Outputs {
    let name = |name: &str| Outputs::from([("name".to_owned(), name.into())]);
    match resource.kubernetes() {
        Some(KubernetesSpec::Namespace(spec)) => name(&spec.name),
        Some(KubernetesSpec::Secret(spec)) => name(&spec.name),
        Some(KubernetesSpec::Claim(spec)) => name(&spec.name),
        Some(KubernetesSpec::Job(_)) => {
            let job = objects.iter().find_map(Object::reference);
            job.map(|job| name(&job.name)).unwrap_or_default()
        }
        Some(KubernetesSpec::Installation) => {
            Outputs::from([("owner".to_owned(), who.owner.0.clone().into())])
        }
        Some(
            KubernetesSpec::Crds(_)
            | KubernetesSpec::Objects(_)
            | KubernetesSpec::Release(_)
            | KubernetesSpec::Removal(_)
            | KubernetesSpec::Wait(_),
        )
        | None => Outputs::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstallationId, RunId};

    #[test]
    fn a_field_manager_names_installation_and_instance_and_fits() {
        let who = Identity::new(
            "demo",
            "small",
            "t",
            InstallationId("abc".to_owned()),
            RunId("r".to_owned()),
        );
        let id = ResourceId::instance(&"kafka".parse().unwrap(), ResourceKind::Job, "x");
        assert_eq!(manager(&who, &id), "datamill/abc/kafka");
        let id = ResourceId::target(ResourceKind::Namespace, "x");
        assert_eq!(manager(&who, &id), "datamill/abc/target");
        let long = Identity { owner: InstallationId("x".repeat(200)), ..who };
        assert_eq!(manager(&long, &id).len(), 128);
    }
}
