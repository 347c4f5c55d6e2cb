//! `forward`: addresses inside of the cluster, brought to ports of this machine until somebody ends it.

use std::time::Duration;

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
    let endpoints = scene.expanded()?.endpoints.into_iter();
    let endpoints = endpoints.filter(|one| scene.is_meant(&one.instance));
    let mut ways: Vec<Way> =
        endpoints.map(|endpoint| Way { local: 0, open: None, says: None, endpoint }).collect();
    if ways.is_empty() {
        return Err(Failure::new(FailureKind::Usage, "there is no address to forward")
            .because("the components that are meant name none"));
    }
    screen.note("Ctrl-C ends it");
    let forwarding = async {
        loop {
            for way in &mut ways {
                way.look(&scene).await;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::select! {
        biased;
        _ = cancel.changed() => Ok(Ended::Well),
        () = forwarding => Ok(Ended::Well),
    }
}

impl Way {
    /// Opens it when something answers, and anew when what answered is gone. What hinders it is said once and tried again.
    async fn look(&mut self, scene: &Scene<'_>) {
        let backends = match scene.kubernetes.backends(&scene.known, &self.endpoint).await {
            Ok(backends) => backends,
            // A server that does not answer for a while is no reason to give up what stands.
            Err(failure) => return self.say(scene, in_words(&failure)),
        };
        if let Some((known, forward)) = &self.open {
            // As long as the pod is there its connections stay, whoever else is ready.
            if backends.contains(known) {
                if let Some(problem) = forward.problem() {
                    self.say(scene, problem);
                }
                return;
            }
            // The old one lets its port go first.
            self.open = None;
        }
        let Some(backend) = backends.into_iter().next() else {
            return self.say(scene, "waits for a pod that is ready".to_owned());
        };
        match self.bind(scene, &backend).await {
            Ok(forward) => {
                self.local = forward.address().port();
                self.says = None;
                let name = format!("{}/{}", self.endpoint.instance, self.endpoint.id);
                let address = self.endpoint.address_at(&format!("127.0.0.1:{}", self.local));
                scene.screen.forwarded(&name, &address);
                self.open = Some((backend, forward));
            }
            Err(failure) => self.say(scene, in_words(&failure)),
        }
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
            let Endpoint { instance, id, .. } = &self.endpoint;
            scene.screen.note(&format!("{instance}/{id}: {says}"));
            self.says = Some(says);
        }
    }
}

fn in_words(failure: &Failure) -> String {
    let causes = failure.causes.iter().map(String::as_str);
    std::iter::once(failure.what.as_str()).chain(causes).collect::<Vec<_>>().join(": ")
}
