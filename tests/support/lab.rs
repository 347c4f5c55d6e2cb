//! A platform in the fake world, and the steps of a command: look, plan, check, carry out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use datamill::engine::{self, Cancel, Event, Journal, NoJournal, Observer, Options, Report, Run};
use datamill::model::{
    Adopts, ChartSource, ClaimSpec, Class, CloudSpec, ClusterSpec, CrdPolicy, Desired, Digest,
    Family, HelmWait, Identity, InstallationId, JobReady, JobSpec, Known, KubernetesSpec, Leaf,
    Manifests, Name, NamespaceSpec, Object, ObjectsSpec, Redactor, ReleaseSpec, Renames, Rendered,
    Rerun, Resource, ResourceId, RunId, SecretSpec, Snapshot, Spec, Value, WaitSpec,
};
use datamill::plan::{self, Permits, Plan, PlanError, Purpose, Request, Selection};
use datamill::provider::Providers;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use super::world::FakeWorld;

pub(crate) fn id(text: &str) -> ResourceId {
    text.parse().expect(text)
}

/// A value with the outputs filled in that are known.
pub(crate) fn resolved(value: &Value, known: &dyn Fn(&ResourceId, &str) -> Option<Json>) -> Json {
    value.to_json(&mut |leaf| match leaf {
        Leaf::Output(of, name) => known(of, name).unwrap_or_else(|| json!(leaf.shown())),
        Leaf::Secret(_) => json!(leaf.shown()),
    })
}

/// The picture of what lives in a cluster: one object per value written in it.
pub(crate) fn render(
    resource: &Resource,
    known: &dyn Fn(&ResourceId, &str) -> Option<Json>,
) -> Option<Rendered> {
    let values = match resource.kubernetes()? {
        KubernetesSpec::Wait(_) => return None,
        KubernetesSpec::Objects(ObjectsSpec { from: Manifests::Inline(values), .. }) => {
            values.clone()
        }
        KubernetesSpec::Job(job) => vec![job.template.clone()],
        KubernetesSpec::Release(release) => vec![release.values.clone(), Value::text("fixed")],
        KubernetesSpec::Installation
        | KubernetesSpec::Namespace(_)
        | KubernetesSpec::Crds(_)
        | KubernetesSpec::Secret(_)
        | KubernetesSpec::Claim(_)
        | KubernetesSpec::Removal(_)
        | KubernetesSpec::Objects(_) => vec![Value::Null],
    };
    let object = |(at, value): (usize, &Value)| {
        Object(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"value": resolved(value, known)},
            "metadata": {"name": format!("{}-{at}", resource.id.name), "namespace": "lab"}}),
        )
    };
    let objects: Vec<_> = values.iter().enumerate().map(object).collect();
    let unknown = values
        .iter()
        .flat_map(Value::leaves)
        .filter(|leaf| matches!(leaf, Leaf::Output(of, name) if known(of, name).is_none()))
        .collect();
    let inputs = Digest::of_json(&objects.iter().map(|object| object.0.clone()).collect());
    Some(Rendered {
        objects,
        hooks: Vec::new(),
        ignored: Vec::new(),
        inputs,
        unknown,
        unstable: BTreeSet::new(),
        chart: None,
        findings: Vec::new(),
        warnings: Vec::new(),
    })
}

/// Remembers all events.
#[derive(Debug, Default)]
pub(crate) struct Recorder(pub(crate) Mutex<Vec<Event>>);

impl Observer for Recorder {
    fn on_event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// A platform, and how commands about it are given.
pub(crate) struct Lab {
    pub(crate) world: FakeWorld,
    pub(crate) desired: Desired,
    /// What the files still name while a run wants less.
    pub(crate) files: Desired,
    pub(crate) purpose: Purpose,
    pub(crate) selection: Selection,
    pub(crate) permits: Permits,
    pub(crate) options: Options,
    pub(crate) recorder: Recorder,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) renames: Renames,
    pub(crate) adopts: Adopts,
}

pub(crate) const CLUSTER: &str = "target/cluster/lab";
pub(crate) const NAMESPACE: &str = "target/namespace/lab";
pub(crate) const INSTALLATION: &str = "target/installation/lab";

impl Lab {
    /// A cluster with an empty namespace is wanted; nothing is there.
    pub(crate) fn new() -> Self {
        let mut lab = Self {
            world: FakeWorld::default(),
            desired: Desired::default(),
            files: Desired::default(),
            purpose: Purpose::Apply,
            selection: Selection::All,
            permits: Permits { flavour: Some("lab".to_owned()), ..Permits::default() },
            options: Options::default(),
            recorder: Recorder::default(),
            journal: Arc::new(NoJournal),
            renames: Renames::default(),
            adopts: Adopts::default(),
        };
        let cluster = ClusterSpec::Kwok { name: "lab".to_owned(), nodes: Vec::new() };
        lab.add(CLUSTER, Spec::Cluster(cluster), &[]).class = Class::Stateful;
        lab.add(INSTALLATION, Spec::kubernetes(KubernetesSpec::Installation), &[CLUSTER]);
        let namespace = NamespaceSpec {
            name: "lab".to_owned(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        };
        let spec = Spec::kubernetes(KubernetesSpec::Namespace(namespace));
        lab.add(NAMESPACE, spec, &[CLUSTER, INSTALLATION]);
        lab
    }

    /// The same, where nothing that holds data can be.
    pub(crate) fn simulated() -> Self {
        let mut lab = Self::new();
        lab.permits.holds_no_data.insert(id(CLUSTER));
        lab
    }

    pub(crate) fn add(&mut self, name: &str, spec: Spec, needs: &[&str]) -> &mut Resource {
        let id = id(name);
        let mut resource = Resource::new(id.clone(), spec);
        resource.needs = needs.iter().map(|need| need.parse().unwrap()).collect();
        if id.kind.family() == Family::Kubernetes {
            let target = id.instance_name().is_none();
            let host: ResourceId = if target { CLUSTER } else { NAMESPACE }.parse().unwrap();
            resource.needs.insert(host.clone());
            resource.host = Some(host);
        }
        self.desired.insert(resource);
        self.desired.resources.get_mut(&id).unwrap()
    }

    /// Objects of an instance, one per value.
    pub(crate) fn objects(
        &mut self,
        name: &str,
        values: &[Value],
        needs: &[&str],
    ) -> &mut Resource {
        let from = Manifests::Inline(values.to_vec());
        let spec = ObjectsSpec { namespace: "lab".to_owned(), from, labels: BTreeMap::new() };
        self.add(name, Spec::kubernetes(KubernetesSpec::Objects(spec)), needs)
    }

    pub(crate) fn claim(&mut self, name: &str) {
        let spec = ClaimSpec {
            namespace: "lab".to_owned(),
            name: "claim".to_owned(),
            size: "1Gi".to_owned(),
            storage_class: None,
            access_modes: Vec::new(),
            labels: BTreeMap::new(),
        };
        self.add(name, Spec::kubernetes(KubernetesSpec::Claim(spec)), &[]).class = Class::Data;
    }

    /// A Secret that is drawn once and outlives its instance.
    pub(crate) fn secret(&mut self, name: &str) {
        let spec = SecretSpec {
            namespace: "lab".to_owned(),
            name: "login".to_owned(),
            secret_type: "Opaque".to_owned(),
            keys: BTreeMap::new(),
            keep: true,
        };
        self.add(name, Spec::kubernetes(KubernetesSpec::Secret(spec)), &[]).keep = true;
    }

    /// A Helm release with a value, and objects that hold it.
    pub(crate) fn release(&mut self, name: &str, value: &str, needs: &[&str]) {
        let spec = ReleaseSpec {
            namespace: "lab".to_owned(),
            release: "main".to_owned(),
            chart: ChartSource::Folder("/chart".into()),
            crds: CrdPolicy::Skip,
            values: Value::text(value),
            wait: HelmWait::Ready,
            hooks: true,
            shared_with: Vec::new(),
            exposes_secret: None,
        };
        self.add(name, Spec::kubernetes(KubernetesSpec::Release(spec)), needs);
    }

    /// An instance as most are: a Secret, a claim, a release that uses both, objects, and its health.
    pub(crate) fn chart_instance(&mut self, name: &str, value: &str, uses: &[&str]) {
        self.instance(name, value, uses);
        let of = |rest: &str| format!("{name}/{rest}");
        let (secret, claim, release) = (of("secret/login"), of("claim/data"), of("release/main"));
        self.secret(&secret);
        let uses: Vec<_> = uses.iter().map(|used| format!("{used}/health/installed")).collect();
        let mut needs: Vec<_> = uses.iter().map(String::as_str).collect();
        needs.extend([secret.as_str(), claim.as_str()]);
        self.release(&release, value, &needs);
        let health = self.desired.resources.get_mut(&id(&of("health/installed"))).unwrap();
        health.needs.insert(id(&release));
    }

    pub(crate) fn job(&mut self, name: &str, ready: JobReady, needs: &[&str]) {
        let template = Value::text("train");
        let job = JobSpec { namespace: "lab".to_owned(), template, ready, rerun: Rerun::OnChange };
        self.add(name, Spec::kubernetes(KubernetesSpec::Job(job)), needs);
    }

    pub(crate) fn health(&mut self, name: &str, needs: &[&str]) {
        let spec = WaitSpec { until: Vec::new(), fails: Vec::new() };
        self.add(name, Spec::kubernetes(KubernetesSpec::Wait(spec)), needs);
    }

    pub(crate) fn cloud(
        &mut self,
        name: &str,
        fields: &[(&str, Value)],
        needs: &[&str],
    ) -> &mut Resource {
        let fields = fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let immutable = ["network", "file_system", "region"].map(str::to_owned).into();
        self.add(name, Spec::Cloud(CloudSpec { fields, immutable }), needs)
    }

    /// An instance: a claim, a release, objects, and its health; it may use others.
    pub(crate) fn instance(&mut self, name: &str, value: &str, uses: &[&str]) {
        let of = |rest: &str| format!("{name}/{rest}");
        let uses: Vec<_> = uses.iter().map(|used| format!("{used}/health/installed")).collect();
        let mut needs: Vec<_> = uses.iter().map(String::as_str).collect();
        self.claim(&of("claim/data"));
        let (claim, first, second) = (of("claim/data"), of("objects/main"), of("objects/more"));
        needs.push(&claim);
        self.objects(&first, &[Value::text(value), Value::text("fixed")], &needs);
        self.objects(&second, &[Value::text("more")], &[&first]);
        self.health(&of("health/installed"), &[&first, &second]);
    }

    /// A network, a file system with a door in it, a bucket.
    pub(crate) fn storage(&mut self, tags: &str) {
        let output = |of: &str| Value::Output { of: id(of), name: "id".to_owned() };
        let (network, shared) = ("target/network/main", "target/file-system/shared");
        let tags = ("tags", Value::text(tags));
        self.cloud(network, &[("cidr", Value::text("10.0.0.0/16")), tags.clone()], &[]);
        self.cloud(shared, std::slice::from_ref(&tags), &[]).class = Class::Data;
        let fields = [("network", output(network)), ("file_system", output(shared)), tags.clone()];
        self.cloud("target/mount-target/door", &fields, &[network, shared]);
        self.cloud("target/bucket/lake", &[tags], &[]).class = Class::Data;
    }

    pub(crate) fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    /// No longer wants what belongs to an instance.
    pub(crate) fn drop_instance(&mut self, name: &str) {
        let name = Self::name(name);
        self.desired.resources.retain(|id, _| id.instance_name() != Some(&name));
    }

    pub(crate) fn identity() -> Identity {
        Identity::new(
            "lab",
            "lab",
            "local-fake-lab",
            InstallationId("aaaaaaaaaa".to_owned()),
            RunId("run".to_owned()),
        )
    }

    fn who(&self) -> Identity {
        Identity { renames: self.renames.clone(), adopts: self.adopts.clone(), ..Self::identity() }
    }

    /// Looks at the world and renders what is wanted.
    pub(crate) async fn look(&self) -> (Desired, Snapshot) {
        self.look_by(&self.world.providers()).await
    }

    /// The same by other providers than the world's own.
    pub(crate) async fn look_by(&self, providers: &Providers) -> (Desired, Snapshot) {
        let (who, known) = (self.who(), Known::default());
        let mut snapshot = Snapshot::default();
        let mut desired = self.desired.clone();
        for resource in desired.resources.values_mut() {
            let world = self.world.clone();
            resource.rendered = render(resource, &|of, name| {
                let state = world.state();
                let thing = state.things.get(of)?;
                (name == "id").then(|| json!(format!("{}-{}", of.name, thing.uid)))
            });
        }
        for family in [Family::Local, Family::Kubernetes, Family::Cloud] {
            let provider = providers.of(family).unwrap();
            let mut discovery = provider.discover(&who, &known).await;
            let data: Vec<_> = discovery.data().cloned().collect();
            discovery.count(provider.census(&data, &who, &known).await);
            discovery.tell_apart(&desired);
            discovery.class_by(&self.desired);
            discovery.class_by(&self.files);
            snapshot.discovered.found.extend(discovery.found);
            let wanted: Vec<_> =
                desired.resources.values().filter(|r| r.id.kind.family() == family).collect();
            snapshot.observed.extend(provider.observe(&wanted, &who, &known).await);
        }
        (desired, snapshot)
    }

    pub(crate) async fn try_plan(&self) -> Result<Plan, PlanError> {
        let (desired, snapshot) = self.look().await;
        let request = Request {
            desired: &desired,
            snapshot: &snapshot,
            purpose: self.purpose,
            selection: &self.selection,
            permits: &self.permits,
        };
        let plan = plan::plan(&request)?;
        assert_eq!(plan, plan::plan(&request).unwrap(), "two plans of the same are equal");
        if let Err(broken) = plan::check(&plan, self.purpose) {
            let broken: Vec<_> = broken.iter().map(ToString::to_string).collect();
            panic!("broken rules: {broken:?}\n{}", plan::text(&plan, 80));
        }
        Ok(plan)
    }

    pub(crate) async fn plan(&self) -> Plan {
        self.try_plan().await.unwrap()
    }

    pub(crate) async fn execute(&self, plan: &Plan) -> Report {
        let (_, stop) = watch::channel(false);
        let (_keep, cancel) = watch::channel(Cancel::No);
        self.execute_until(plan, cancel, stop).await
    }

    pub(crate) async fn execute_until(
        &self,
        plan: &Plan,
        cancel: watch::Receiver<Cancel>,
        stop: watch::Receiver<bool>,
    ) -> Report {
        let run = Run {
            identity: self.who(),
            known: Known::default(),
            redactor: Redactor::default(),
            stop,
            journal: Arc::clone(&self.journal),
        };
        let providers = self.world.providers();
        engine::execute(plan, &providers, &run, &self.recorder, &self.options, cancel).await
    }

    /// Plans and carries out.
    pub(crate) async fn apply(&self) -> Report {
        self.world.revive();
        let plan = self.plan().await;
        self.execute(&plan).await
    }

    /// Wants nothing, and applies that.
    pub(crate) async fn destroy(&mut self) -> (Plan, Report) {
        let desired = std::mem::take(&mut self.desired);
        let files = std::mem::replace(&mut self.files, desired.clone());
        let done = self.remove().await;
        (self.desired, self.files) = (desired, files);
        done
    }

    /// Takes away what is not wanted, and does nothing else.
    pub(crate) async fn remove(&mut self) -> (Plan, Report) {
        self.world.revive();
        let before = std::mem::replace(&mut self.purpose, Purpose::Removal);
        let plan = self.plan().await;
        let report = self.execute(&plan).await;
        self.purpose = before;
        (plan, report)
    }

    pub(crate) async fn expect_nothing_to_do(&self) {
        let plan = self.plan().await;
        assert!(!plan.has_changes(), "{}", plan::text(&plan, 80));
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.recorder.0.lock().unwrap().clone()
    }
}

/// What a plan does to a resource, in a word.
pub(crate) fn verb(plan: &Plan, name: &str) -> &'static str {
    let id = id(name);
    plan.steps.iter().find(|step| step.id == id).map_or("nothing", |step| step.action.verb())
}

/// Shared outcome checks.
pub(crate) fn expect_all_went_well(report: &Report) {
    assert_eq!(report.failure_kind(), None, "{:?}", report.outcomes);
    assert!(
        report.outcomes.values().all(|o| !matches!(o, engine::Outcome::Skipped(_))),
        "{report:?}"
    );
}

/// Kept so that a shared observer can be handed to spawned runs.
pub(crate) fn shared(lab: Lab) -> Arc<Lab> {
    Arc::new(lab)
}
