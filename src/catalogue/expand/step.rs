//! Steps of an instance: CRDs, releases, manifests, objects, jobs, waits, in the order of the list.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Site, not_built};
use crate::catalogue::component::Keeping;
use crate::catalogue::step::{Ceiling, Chart, Source, Step, Work};
use crate::model::{
    Class, CrdsSpec, Ignore, KubernetesSpec, Leaf, Manifests, ObjectsSpec, RemoteFile, Resource,
    ResourceKind, Value, WaitSpec,
};
use crate::yaml::{Located, Node, Problem, Problems};

impl Site<'_, '_, '_, '_> {
    pub(super) fn step(&mut self, step: &Step) {
        if !self.scope.holds(step.when.as_ref(), &mut self.yard.problems) {
            return;
        }
        let namespace = match &step.namespace {
            Some(tree) => match self.scope.text(tree, &mut self.yard.problems) {
                Some(namespace) => namespace,
                None => return,
            },
            None => self.member.namespace.clone(),
        };
        match &step.work {
            Work::Crds { from, names } => self.crds(step, from, names),
            Work::Helm(helm) => {
                if let Some(spec) = self.release(step, helm, &namespace) {
                    self.place(
                        step,
                        ResourceKind::Release,
                        &namespace,
                        KubernetesSpec::Release(spec),
                    );
                }
            }
            Work::Manifests { from, labels } => {
                let labels = self.labels(labels.as_ref());
                if let Some(from) = self.manifests(from) {
                    let spec = ObjectsSpec { namespace: namespace.clone(), from, labels };
                    self.place(
                        step,
                        ResourceKind::Objects,
                        &namespace,
                        KubernetesSpec::Objects(spec),
                    );
                }
            }
            Work::Objects { objects } => self.objects(step, objects, &namespace),
            Work::Job(job) => {
                if let Some(spec) = self.job(step, job, &namespace) {
                    self.place(step, ResourceKind::Job, &namespace, KubernetesSpec::Job(spec));
                }
            }
            Work::Wait => {}
            Work::Later(later) => {
                not_built(
                    &format!("steps of kind {}", later.word()),
                    &step.at,
                    &mut self.yard.problems,
                );
            }
        }
        self.wait(step, &namespace);
    }

    /// The conditions of a step are a node of their own: what comes after needs them.
    fn wait(&mut self, step: &Step, namespace: &str) {
        if step.wait.is_empty() && step.fails.is_empty() {
            return;
        }
        let spec = WaitSpec {
            until: self.scope.conditions(&step.wait, &mut self.yard.problems),
            fails: self.scope.conditions(&step.fails, &mut self.yard.problems),
        };
        // Without conditions to wait for, what fails ends the wait for the step itself.
        if !matches!(step.work, Work::Wait) && spec.until.is_empty() {
            return;
        }
        self.place(step, ResourceKind::Wait, namespace, KubernetesSpec::Wait(spec));
    }

    /// Puts a step's resource behind the one before.
    fn place(&mut self, step: &Step, kind: ResourceKind, namespace: &str, spec: KubernetesSpec) {
        let resource = self.resource(kind, &step.id, spec);
        self.put(step, resource, namespace);
    }

    fn put(&mut self, step: &Step, mut resource: Resource, namespace: &str) {
        let host = self.yard.namespace(namespace);
        resource.host = Some(host.clone());
        resource.needs.insert(host);
        resource.needs.extend(self.ground.iter().cloned());
        resource.needs.extend(self.providers.iter().cloned());
        resource.needs.extend(self.previous.iter().cloned());
        let leaves = spec_leaves(resource.kubernetes());
        resource.needs.extend(leaves.into_iter().filter_map(|leaf| match leaf {
            Leaf::Output(of, _) => Some(of),
            Leaf::Secret(_) => None,
        }));
        if resource.class == Class::Stateless {
            resource.class = step.class.unwrap_or(Class::Stateless);
        }
        resource.keep |= step.keep.unwrap_or(false);
        if let Work::Helm(helm) = &step.work {
            let own = helm.ignore.iter().map(|path| Ignore { path: path.clone(), reason: None });
            resource.ignore.extend(own);
        }
        self.be_patient(step, &mut resource);
        if !resource.id.kind.only_looks() {
            // What is wrong with them is said where the step's conditions are read.
            resource.fails = self.scope.conditions(&step.fails, &mut Problems::default());
            self.previous.clear();
        }
        self.previous.insert(resource.id.clone());
        self.add(resource);
    }

    fn be_patient(&self, step: &Step, resource: &mut Resource) {
        match step.ceiling {
            Ceiling::Usual => {}
            Ceiling::Of(ceiling) => resource.patience.ceiling = Some(ceiling),
            Ceiling::Unlimited => resource.patience.ceiling = None,
        }
        if let Some(ceiling) = self.member.instance.ceiling {
            resource.patience.ceiling = Some(ceiling);
        }
        if let Some(stall) = step.stall {
            resource.patience.stall = stall;
        }
        resource.patience.tries = step.tries;
    }

    /// CRDs live in the cluster itself and need nothing of the instance: they outlive it.
    fn crds(&mut self, step: &Step, from: &Source, names: &[Located]) {
        let Some(from) = self.manifests(from) else { return };
        let problems = &mut self.yard.problems;
        let names = names.iter().filter_map(|name| self.scope.text(name, problems)).collect();
        let spec = KubernetesSpec::Crds(CrdsSpec { from, names });
        let mut resource = self.resource(ResourceKind::Crds, &step.id, spec);
        let by_component = self.member.component.delete.crds != Some(Keeping::Remove);
        resource.keep = step.keep.unwrap_or(by_component);
        resource.host = Some(self.yard.cluster.clone());
        resource.needs = [self.yard.cluster.clone(), self.yard.installation.clone()].into();
        self.be_patient(step, &mut resource);
        resource.fails = self.scope.conditions(&step.fails, &mut Problems::default());
        // What comes after needs both the CRDs and what came before them.
        self.ground.insert(resource.id.clone());
        self.add(resource);
    }

    fn manifests(&mut self, from: &Source) -> Option<Manifests> {
        match from {
            Source::Step { id, at } => {
                let chart = self.chart_of_step(id, at)?;
                Some(Manifests::Chart(chart))
            }
            Source::Chart(chart) => Some(Manifests::Chart(self.chart(chart, None)?)),
            Source::Folder { chart, path } => {
                let Manifests::Chart(chart) = self.manifests(chart)? else { return None };
                let path = self.scope.text(path, &mut self.yard.problems)?;
                Some(Manifests::ChartFolder(chart, path.trim_matches('/').to_owned()))
            }
            Source::Url { url, sha256 } => {
                let url = self.scope.text(url, &mut self.yard.problems)?;
                Some(Manifests::Remote(RemoteFile { url, sha256: sha256.clone() }))
            }
            Source::Files(tree) => self.files(tree).map(Manifests::Files),
        }
    }

    fn chart_of_step(
        &mut self,
        id: &str,
        at: &crate::yaml::Span,
    ) -> Option<crate::model::ChartSource> {
        let component = self.member.component;
        let step = component.steps.iter().find(|step| step.id == id);
        let Some(Work::Helm(helm)) = step.map(|step| &step.work) else {
            self.yard.problems.push(
                Problem::error("unknown-step", format!("`{id}` is no Helm step of this component"))
                    .at(at)
                    .suggest(id, component.helm_steps()),
            );
            return None;
        };
        let chart: &Chart = &helm.chart;
        let version = self.chart_version(id, helm)?;
        self.chart(chart, version)
    }

    /// Files are looked up in the folders of the instance, then in the component's own.
    fn files(&mut self, tree: &Located) -> Option<Vec<PathBuf>> {
        let value = self.scope.value(tree, &mut self.yard.problems)?;
        let names = if let Value::List(items) = value { items } else { vec![value] };
        let own = self.member.component.folder().to_owned();
        let folders: Vec<PathBuf> =
            self.member.instance.file_dirs.iter().cloned().chain([own]).collect();
        let mut found = Vec::new();
        for name in names {
            let Value::Text(name) = name else {
                let problem = Problem::error("wrong-type", "`files` is a list of names of files");
                self.yard.problems.push(problem.at(&tree.span));
                return None;
            };
            let Some(path) = folders.iter().map(|f| f.join(&name)).find(|path| path.is_file())
            else {
                let places: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
                self.yard.problems.push(
                    Problem::error("no-such-file", format!("there is no file `{name}`"))
                        .at(&tree.span)
                        .help(format!("looked in: {}", places.join(", "))),
                );
                return None;
            };
            found.push(path);
        }
        Some(found)
    }

    /// Objects of different classes are resources of their own, so that data stays when the rest goes.
    fn objects(&mut self, step: &Step, tree: &Located, namespace: &str) {
        if !matches!(tree.node, Node::List(_)) {
            let message = format!("`objects` is a list, and here stands {}", tree.kind());
            self.yard.problems.push(Problem::error("wrong-type", message).at(&tree.span));
            return;
        }
        let mut groups: Vec<(Class, Vec<Value>)> = Vec::new();
        for item in tree.items() {
            for (class, object) in self.objects_of(item) {
                let class = class.or(step.class).unwrap_or(Class::Stateless);
                match groups.iter_mut().find(|(known, _)| *known == class) {
                    Some((_, objects)) => objects.push(object),
                    None => groups.push((class, vec![object])),
                }
            }
        }
        let main = step.class.unwrap_or(Class::Stateless);
        let alone = groups.len() == 1;
        for (class, objects) in groups {
            let name = if alone || class == main {
                step.id.clone()
            } else {
                format!("{}-{}", step.id, class.word())
            };
            let from = Manifests::Inline(objects);
            let labels = BTreeMap::new();
            let spec = ObjectsSpec { namespace: namespace.to_owned(), from, labels };
            let mut resource =
                self.resource(ResourceKind::Objects, &name, KubernetesSpec::Objects(spec));
            resource.class = class;
            self.put(step, resource, namespace);
        }
    }

    /// One entry of `objects`: an object, or several by `$forEach`; `class` and `when` are ours and not the object's.
    fn objects_of(&mut self, item: &Located) -> Vec<(Option<Class>, Value)> {
        let problems = &mut self.yard.problems;
        if let Some(when) = item.get("when") {
            let Some(when) = crate::catalogue::expression::read(when, problems) else {
                return Vec::new();
            };
            if !self.scope.holds(Some(&when), problems) {
                return Vec::new();
            }
        }
        let mut bare = item.clone();
        if let Node::Map(entries) = &mut bare.node {
            entries.retain(|entry| entry.key != "when");
        }
        let found = self.scope.list(std::slice::from_ref(&bare), problems);
        let mut objects = Vec::new();
        for mut object in found {
            let class =
                if let Value::Map(map) = &mut object { map.shift_remove("class") } else { None };
            let class = match class {
                None => None,
                Some(Value::Text(word)) if Class::from_word(&word).is_some() => {
                    Class::from_word(&word)
                }
                Some(_) => {
                    let message = "`class` is data, stateful or stateless";
                    problems.push(Problem::error("unknown-word", message).at(&item.span));
                    None
                }
            };
            if let Some(lack) = lacks(&object) {
                let message = format!("this object lacks `{lack}`");
                problems.push(Problem::error("bad-object", message).at(&item.span));
            }
            objects.push((class, object));
        }
        objects
    }
}

/// What every object has and this one has not.
fn lacks(object: &Value) -> Option<&'static str> {
    let Value::Map(map) = object else { return Some("apiVersion") };
    let metadata = match map.get("metadata") {
        Some(Value::Map(metadata)) => Some(metadata),
        _ => None,
    };
    if !map.contains_key("apiVersion") {
        Some("apiVersion")
    } else if !map.contains_key("kind") {
        Some("kind")
    } else if !metadata.is_some_and(|metadata| metadata.contains_key("name")) {
        Some("metadata.name")
    } else {
        None
    }
}

/// What in a spec is filled in later.
fn spec_leaves(spec: Option<&KubernetesSpec>) -> Vec<Leaf> {
    match spec {
        Some(KubernetesSpec::Release(spec)) => spec.values.leaves(),
        Some(KubernetesSpec::Job(spec)) => spec.template.leaves(),
        Some(KubernetesSpec::Objects(ObjectsSpec { from: Manifests::Inline(objects), .. })) => {
            objects.iter().flat_map(Value::leaves).collect()
        }
        _ => Vec::new(),
    }
}
