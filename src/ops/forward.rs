//! `forward`: addresses inside of the cluster, brought to ports of this machine until somebody ends it.

use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use crate::adapter::kube::Forward;
use crate::engine::Cancel;
use crate::model::{Endpoint, Failure, FailureKind};
use crate::provider::kubernetes::Backend;
use crate::ui::Screen;

use super::scene::{self, Scene};
use super::{Ended, Settings, connect, load};

/// How often what answers is looked for anew.
const POLL: Duration = Duration::from_secs(2);

/// An address on its way.
struct Way {
    endpoint: Endpoint,
    /// Its port of this machine; 0 until it is open.
    local: u16,
    open: Option<(Backend, Forward)>,
    /// What was said last of why it is not open, or of what went wrong on it.
    says: Option<String>,
}

/// Forwards all addresses of the instances that are meant, and keeps doing so when pods go and others come.
pub async fn forward(
    settings: &Settings,
    screen: &Screen,
    mut cancel: watch::Receiver<Cancel>,
) -> Result<Ended, Failure> {
    let project = load::load(settings, screen)?;
    let scene = scene::look_at(settings, screen, project).await?;
    connect::needs_containers(&scene)?;
    let expansion = scene.project.expand(&scene.facts).map_err(|problems| {
        screen.show_problems(&problems);
        load::refused(&problems)
    })?;
    let chosen = &settings.files.components;
    let is_chosen = |one: &Endpoint| {
        chosen.is_empty() || chosen.iter().any(|name| *name == one.instance.as_str())
    };
    let endpoints = expansion.endpoints.into_iter().filter(is_chosen);
    let mut ways: Vec<Way> =
        endpoints.map(|endpoint| Way { local: 0, open: None, says: None, endpoint }).collect();
    if ways.is_empty() {
        return Err(Failure::new(FailureKind::Usage, "there is no address to forward")
            .because("the components that are meant name none"));
    }
    for way in &mut ways {
        way.look(&scene).await?;
    }
    screen.print_document("forward", &document(&ways), &text(screen, &ways));
    screen.note("Ctrl-C ends it");
    loop {
        tokio::select! {
            biased;
            _ = cancel.changed() => return Ok(Ended::Well),
            () = tokio::time::sleep(POLL) => {}
        }
        for way in &mut ways {
            way.look(&scene).await?;
        }
    }
}

impl Way {
    fn name(&self) -> String {
        format!("{}/{}", self.endpoint.instance, self.endpoint.id)
    }

    /// The address on this machine.
    fn address(&self) -> String {
        let Endpoint { kind, tls, path, .. } = &self.endpoint;
        let host = format!("127.0.0.1:{}", self.local);
        match (kind.as_str(), tls) {
            ("ui" | "api" | "metrics", true) => format!("https://{host}{path}"),
            ("ui" | "api" | "metrics", false) => format!("http://{host}{path}"),
            (_, _) => host,
        }
    }

    /// Opens it when something answers, and anew when that is another pod than before. What hinders it is said once.
    async fn look(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let backend = match scene.kubernetes.backend(&scene.known, &self.endpoint).await {
            Ok(Some(backend)) => backend,
            Ok(None) => {
                self.open = None;
                self.say(scene, "waits for a pod that is ready".to_owned());
                return Ok(());
            }
            // A server that does not answer for a while is no reason to give up what stands.
            Err(failure) => {
                self.say(scene, failure.what);
                return Ok(());
            }
        };
        if let Some((known, forward)) = &self.open
            && *known == backend
        {
            if let Some(problem) = forward.problem() {
                self.say(scene, problem);
            }
            return Ok(());
        }
        let again = self.local != 0;
        // The old one lets its port go first.
        self.open = None;
        let forward = self.bind(scene, &backend).await?;
        self.local = forward.address().port();
        if again {
            self.say(scene, format!("goes to Pod {} now", backend.pod.name));
        }
        self.open = Some((backend, forward));
        Ok(())
    }

    /// Takes the port that it had, else the one that the component names, else its own, else any.
    async fn bind(&self, scene: &Scene<'_>, backend: &Backend) -> Result<Forward, Failure> {
        let open = async |local: u16| scene.kubernetes.forward(&scene.known, backend, local).await;
        if self.local != 0 {
            return open(self.local).await;
        }
        let wanted = self.endpoint.forward.unwrap_or(self.endpoint.port);
        // Below 1024 only root may listen.
        if wanted >= 1024
            && let Ok(forward) = open(wanted).await
        {
            return Ok(forward);
        }
        open(0).await
    }

    fn say(&mut self, scene: &Scene<'_>, says: String) {
        if self.says.as_ref() != Some(&says) {
            scene.screen.note(&format!("{}: {says}", self.name()));
            self.says = Some(says);
        }
    }
}

fn text(screen: &Screen, ways: &[Way]) -> String {
    let rows: Vec<_> = ways
        .iter()
        .map(|way| {
            let address = match &way.open {
                Some(_) => way.address(),
                None => "not yet".to_owned(),
            };
            vec![way.name(), address, way.endpoint.address()]
        })
        .collect();
    screen.table(&["address", "on this machine", "in the cluster"], &rows)
}

fn document(ways: &[Way]) -> serde_json::Value {
    let ways = ways.iter().map(|way| {
        json!({
            "instance": way.endpoint.instance, "id": way.endpoint.id,
            "local": way.open.as_ref().map(|_| way.address()),
            "address": way.endpoint.address(),
        })
    });
    json!({ "forwards": ways.collect::<Vec<_>>() })
}
