//! Carrying out a step inside a cluster.

use std::collections::BTreeMap;

use super::failure::provider_error;
use super::field;
use super::observe::{given, redraw};
use super::render::secrets_in;
use super::session::Session;
use super::{
    Kubernetes, claim, discover, installation, manager, mark, namespace, objects, outputs_of,
    release, removal, secret, snapshot, volume,
};
use crate::adapter::kube::KubeError;
use crate::model::{
    AfterApply, Failure, FailureKind, KubernetesSpec, Object, Outputs, Owner, Rendered, Resource,
    ResourceKind, SecretRef, Value, annotation,
};
use crate::plan::{Action, Step};
use crate::provider::{ProviderError, RunContext};

/// The run with the fields of live objects that a step uses: what gives them is ready by now.
async fn with_fields(
    session: &Session,
    step: &Step,
    run: &RunContext,
) -> Result<RunContext, ProviderError> {
    let wanted = step.wanted.as_deref();
    let known = field::known(&session.cluster, wanted, &run.known, |_| session.simulated)
        .await
        .map_err(|error| {
            let what = format!("cannot read the fields that `{}` uses", step.id);
            provider_error(what, &error, &session.redactor)
        })?;
    Ok(RunContext {
        identity: run.identity.clone(),
        known,
        progress: std::sync::Arc::clone(&run.progress),
        stop: run.stop.clone(),
        redactor: run.redactor.clone(),
    })
}

impl Kubernetes {
    pub(super) async fn carry_out(
        &self,
        step: &Step,
        run: &RunContext,
    ) -> Result<Outputs, ProviderError> {
        match &step.action {
            Action::Keep
            | Action::Use
            | Action::GoesWith { .. }
            | Action::Start
            | Action::Waiting { .. }
            | Action::Blocked { .. } => {
                return Ok(step.found.iter().flat_map(|found| found.outputs.clone()).collect());
            }
            Action::Retain { .. }
            | Action::Create
            | Action::Update
            | Action::Repair
            | Action::Replace
            | Action::Adopt
            | Action::Mark { .. }
            | Action::Delete
            | Action::Deferred { .. } => {}
        }
        if step.id.kind.only_looks() {
            return Ok(Outputs::new());
        }
        let session = self.session_for(step, run).await?;
        self.forget_marked();
        volume::follow(&session, step, run).await?;
        if step.action.retained().is_some() {
            return Ok(step.found.iter().flat_map(|found| found.outputs.clone()).collect());
        }
        if matches!(step.action, Action::Adopt | Action::Mark { .. }) {
            mark::carry_out(&session, step).await?;
            self.forget_marked();
            return Ok(step.found.iter().flat_map(|found| found.outputs.clone()).collect());
        }
        let run = &with_fields(&session, step, run).await?;
        // What made a claim tells whose it is; once that is gone, the marks alone do.
        let makes = [ResourceKind::Release, ResourceKind::Objects, ResourceKind::Claim];
        if step.action == Action::Delete && makes.contains(&step.id.kind) {
            mark_made(&session, step).await?;
        }
        let outputs = if step.id.kind == ResourceKind::Release {
            let applied = release::apply(&session, &self.settings.helm, step, run);
            let outputs = Box::pin(applied).await?;
            session.cluster.refresh_kinds();
            outputs
        } else if step.action == Action::Delete {
            remove(&session, step, run).await?
        } else {
            self.put(&session, step, run).await?
        };
        self.forget_marked();
        Ok(outputs)
    }

    async fn session_for(&self, step: &Step, run: &RunContext) -> Result<Session, ProviderError> {
        let host = step.wanted.as_ref().and_then(|wanted| wanted.host.as_ref());
        let host = host.or_else(|| step.found.as_ref().and_then(|found| found.host.as_ref()));
        match self.session(&run.known, host, &run.identity).await {
            Ok(Some(session)) => Ok(session),
            Ok(None) => Err(ProviderError::permanent(Failure::new(
                FailureKind::Preflight,
                format!("`{}` has no cluster to live in", step.id),
            ))),
            Err(error) => {
                Err(provider_error("cannot open the cluster", &error, &self.settings.redactor))
            }
        }
    }

    async fn put(
        &self,
        session: &Session,
        step: &Step,
        run: &RunContext,
    ) -> Result<Outputs, ProviderError> {
        let Some(resource) = step.wanted.as_deref() else { return Ok(Outputs::new()) };
        let manager = manager(&session.identity, &step.id);
        if let Some(KubernetesSpec::Installation) = resource.kubernetes() {
            return installation::put(session, &manager).await;
        }
        let failed = |error: KubeError| {
            provider_error(format!("cannot prepare `{}`", step.id), &error, &session.redactor)
        };
        let secrets = secret::read(session, secrets_in(resource)).await.map_err(failed)?;
        let drawing = Drawn::of(resource, session, run, &secrets)?;
        if let Some(KubernetesSpec::Namespace(spec)) = resource.kubernetes() {
            namespace::until_free(session, &spec.name, &*run.progress).await?;
        }
        objects::check(session, step, &drawing.real).await?;
        let written;
        if let Some(KubernetesSpec::Secret(spec)) = resource.kubernetes() {
            let given = |value: &Value| given(value, &run.known, &secrets);
            written = secret::put(
                session,
                resource,
                spec,
                &drawing.picture,
                &manager,
                &given,
                &*run.progress,
            )
            .await?;
        } else {
            self.clear_for_replacement(session, step, run).await?;
            let writable = without_used(step, drawing.real);
            written = objects::write(session, step, &writable, &manager).await?;
        }
        snapshot::remember(session, &step.id, &drawing.picture.inputs, &written).await;
        if let Some(found) = &step.found {
            objects::remove_surplus(session, step, found, &*run.progress).await?;
        }
        if step.id.kind == ResourceKind::Crds {
            session.cluster.refresh_kinds();
        } else if step.id.kind == ResourceKind::Objects {
            mark_made(session, step).await?;
        }
        Ok(outputs_of(resource, &drawing.picture.objects, &session.identity))
    }

    /// Before a replacement, takes away what cannot be changed in place: the objects that the server refused to change.
    async fn clear_for_replacement(
        &self,
        session: &Session,
        step: &Step,
        run: &RunContext,
    ) -> Result<(), ProviderError> {
        let Some(found) = step.found.as_ref().filter(|_| step.action == Action::Replace) else {
            return Ok(());
        };
        let mut refused = found.as_ref().clone();
        refused.objects.retain(|object| matches!(object.after, AfterApply::Rejected(_)));
        if refused.objects.is_empty() {
            refused.objects.clone_from(&found.objects);
        }
        objects::remove(session, &step.id, &refused, &*run.progress).await
    }
}

/// A resource as it is shown and as it is sent: the two differ in secret values only.
struct Drawn {
    picture: Rendered,
    real: Vec<Object>,
}

impl Drawn {
    fn of(
        resource: &Resource,
        session: &Session,
        run: &RunContext,
        secrets: &BTreeMap<SecretRef, String>,
    ) -> Result<Self, ProviderError> {
        let cannot = || {
            ProviderError::permanent(Failure::new(
                FailureKind::Bug,
                format!("`{}` was not drawn before it is written", resource.id),
            ))
        };
        let who = &session.identity;
        let picture = redraw(resource, who, &run.known, &BTreeMap::new()).ok_or_else(cannot)?;
        if let Some(leaf) = picture.unknown.first() {
            return Err(ProviderError::permanent(
                Failure::new(FailureKind::Stale, format!("`{}` cannot be made yet", resource.id))
                    .because(format!("nobody told {}", leaf.shown())),
            ));
        }
        let real = redraw(resource, who, &run.known, secrets).ok_or_else(cannot)?;
        let hash = picture.inputs.as_str();
        let real = real.objects.into_iter().map(|mut object| {
            if object.annotation(annotation::SPEC_HASH).is_some() {
                let note =
                    serde_json::json!({"metadata": {"annotations": {annotation::SPEC_HASH: hash}}});
                super::compare::merge(&mut object.0, &note);
            }
            object
        });
        Ok(Self { real: real.collect(), picture })
    }
}

/// What is written: everything but what is somebody else's and only used.
fn without_used(step: &Step, objects: Vec<Object>) -> Vec<Object> {
    let used = |object: &Object| {
        let name = object.reference();
        step.found.iter().flat_map(|found| &found.objects).any(|found| {
            Some(&found.object) == name.as_ref()
                && found.live.is_some()
                && matches!(found.owner, Owner::Unmarked { suitable: true, .. })
        })
    };
    objects.into_iter().filter(|object| !used(object)).collect()
}

async fn remove(
    session: &Session,
    step: &Step,
    run: &RunContext,
) -> Result<Outputs, ProviderError> {
    let manager = manager(&session.identity, &step.id);
    if step.id.kind == ResourceKind::Installation {
        installation::remove(session, &manager).await?;
        return Ok(Outputs::new());
    }
    let Some(found) = step.found.as_deref() else { return Ok(Outputs::new()) };
    if step.id.kind == ResourceKind::Namespace {
        namespace::refuse_unless_free(session, &step.id.name).await?;
    } else if step.id.kind == ResourceKind::Crds {
        objects::refuse_foreign_instances(session, found).await?;
    }
    if step.id.kind == ResourceKind::Removal {
        Box::pin(removal::carry_out(session, &step.id, found, &*run.progress)).await?;
        let mut holder = found.clone();
        holder.objects.retain(|object| removal::is_holder(&object.object));
        objects::remove(session, &step.id, &holder, &*run.progress).await?;
        return Ok(Outputs::new());
    }
    objects::remove(session, &step.id, found, &*run.progress).await?;
    snapshot::forget(session, &step.id).await;
    if step.id.kind == ResourceKind::Crds {
        session.cluster.refresh_kinds();
    }
    Ok(Outputs::new())
}

/// Marks the claims that things of ours made, before or after those things change.
async fn mark_made(session: &Session, step: &Step) -> Result<(), ProviderError> {
    let failed = |error: KubeError| {
        let what = format!("cannot mark the claims that `{}` made", step.id);
        provider_error(what, &error, &session.redactor)
    };
    let claims = claim::without_marks(session).await.map_err(failed)?;
    if claims.is_empty() {
        return Ok(());
    }
    let marked = discover::marked(session).await.map_err(failed)?;
    let manager = manager(&session.identity, &step.id);
    claim::mark_made(session, &marked, claims, &manager).await.map_err(failed)
}
