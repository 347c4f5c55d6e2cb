//! The section `local:`.

use super::kind::{self, Beside};
use super::nodes;
use crate::config::reader::{Reader, flag_of};
use crate::config::target::{Gpu, LocalProvider, LocalSettings, Target};
use crate::yaml::{Located, Node, Problem, Problems, Span};

/// What `auto` may choose.
const CHOSEN: [LocalProvider; 2] = [LocalProvider::Kwok, LocalProvider::Kind];

/// Reads the section: the target, and the components it asks for. Where `auto` will choose, what each choice makes of the
/// section is read along.
pub(super) fn read(
    section: &Located,
    flag: Option<LocalProvider>,
    macos: bool,
    beside: Beside<'_>,
    problems: &mut Problems,
) -> (Target, Vec<(&'static str, Span)>) {
    let mut found = Problems::default();
    let (mut target, adds) = read_for(section, flag, macos, beside, &mut found);
    if let Target::Local { provider: LocalProvider::Auto, settings, .. } = &mut target {
        for provider in CHOSEN {
            let mut with_it = Problems::default();
            drop(read_for(section, Some(provider), macos, beside, &mut with_it));
            settings.once_chosen.insert(provider, with_it.beyond(&found));
        }
    }
    problems.append(found);
    (target, adds)
}

fn read_for(
    section: &Located,
    flag: Option<LocalProvider>,
    macos: bool,
    beside: Beside<'_>,
    problems: &mut Problems,
) -> (Target, Vec<(&'static str, Span)>) {
    let mut settings = LocalSettings::default();
    let Some(mut reader) = Reader::of(section, "local", problems) else {
        let nodes = nodes::nodes(None, &settings, problems);
        let provider = flag.unwrap_or(LocalProvider::Auto);
        let nothing = Located { node: Node::Null, span: section.span.clone() };
        if let Some(mut reader) = Reader::of(&nothing, "local", problems) {
            settings.kind = kind::read(&mut reader, &nothing, provider, None, beside, problems);
        }
        return (Target::Local { provider, nodes, settings: Box::new(settings) }, Vec::new());
    };
    let written = reader.word("provider", &LocalProvider::WORDS, problems);
    let provider = flag.or(written).unwrap_or(LocalProvider::Auto);
    settings.cpus = reader.whole("cpus", 1, 4096, problems);
    settings.memory_mib = nodes::size(&mut reader, "memory", 1, problems);
    settings.storage_mib = nodes::size(&mut reader, "storage", 1024, problems);
    settings.gpu = gpu(&mut reader, problems);
    settings.use_overlay = reader.flag("use_overlay", problems).unwrap_or(false);
    settings.istio_support = reader.flag("istio_support", problems).unwrap_or(false);
    settings.vm_driver = reader.text("vm_driver", problems);
    settings.use_multipass = reader.flag("use_multipass", problems);
    settings.kubernetes_version = version(&mut reader, problems);
    let wanted_nodes = reader.value("nodes");
    let version = settings.kubernetes_version.clone();
    settings.kind =
        kind::read(&mut reader, section, provider, version.as_deref(), beside, problems);
    reader.finish(problems);
    let nodes = nodes::nodes(wanted_nodes, &settings, problems);
    only_for(section, provider, &mut settings, problems);
    if settings.use_multipass == Some(false) && macos && provider == LocalProvider::Microk8s {
        let at = section.get("use_multipass").map_or(&section.span, |value| &value.span);
        problems.push(
            Problem::error(
                "no-bare-microk8s",
                "microk8s runs on a Mac only in a virtual machine of multipass",
            )
            .at(at)
            .help("write `use_multipass: true`, or `provider: kind`"),
        );
    }
    let adds = section.get("istio_support").filter(|_| settings.istio_support);
    let adds = adds.map(|value| ("istio", value.span.clone())).into_iter().collect();
    (Target::Local { provider, nodes, settings: Box::new(settings) }, adds)
}

/// Keys that only some providers know are answered with a warning elsewhere.
fn only_for(
    section: &Located,
    provider: LocalProvider,
    settings: &mut LocalSettings,
    problems: &mut Problems,
) {
    let mut without = |key: &str, of: &str| {
        if let Some(value) = section.get(key) {
            let message =
                format!("`local.{key}` is for {of}; on {} it does nothing", provider.word());
            problems
                .push(Problem::warning("unused-key", message).at(&value.span).help("remove it"));
        }
    };
    let free = |of: LocalProvider| provider != of && provider != LocalProvider::Auto;
    if free(LocalProvider::Minikube) {
        if settings.use_overlay {
            without("use_overlay", "minikube");
            settings.use_overlay = false;
        }
        if settings.vm_driver.is_some() {
            without("vm_driver", "minikube");
        }
    }
    if settings.use_multipass == Some(true) && free(LocalProvider::Microk8s) {
        without("use_multipass", "microk8s");
    }
    if free(LocalProvider::Kwok) && provider != LocalProvider::Kind {
        without("nodes", "kwok and kind");
    }
    if free(LocalProvider::Kind) {
        for key in
            ["node_image", "mounts", "ports", "kubeadm_patches", "containerd_patches", "load"]
        {
            without(key, "kind");
        }
    }
    if provider == LocalProvider::Kind {
        not_on_kind(section, settings, problems);
    }
    if provider == LocalProvider::Kwok {
        not_on_kwok(section, settings, problems);
    }
}

/// What simulated nodes do not have.
fn not_on_kwok(section: &Located, settings: &LocalSettings, problems: &mut Problems) {
    let groups = section.get("nodes").map(Located::items).unwrap_or_default();
    for (group, key) in groups.iter().flat_map(|g| ["role", "mounts", "ports"].map(|key| (g, key)))
    {
        if let Some(value) = group.get(key) {
            let message = format!("`local.nodes[].{key}` is for kind; on kwok it does nothing");
            problems
                .push(Problem::warning("unused-key", message).at(&value.span).help("remove it"));
        }
    }
    let sized = groups.iter().any(|group| group.get("gpus").is_some());
    if let (Gpu::Auto, Some(value), false) = (settings.gpu, section.get("gpu_support"), sized) {
        problems.push(
            Problem::warning(
                "no-gpu",
                "`gpu_support: auto` gives simulated nodes no graphics processor",
            )
            .at(&value.span)
            .help("write `gpu_support: required`, or `gpus: 1` at a group of `nodes`"),
        );
    }
}

/// What kind cannot do: its nodes are containers without limits, and none gets a graphics processor.
fn not_on_kind(section: &Located, settings: &LocalSettings, problems: &mut Problems) {
    for key in nodes::size_keys() {
        if let Some(value) = section.get(key) {
            let message = format!(
                "`local.{key}` does nothing on kind: its nodes are containers that see the whole machine"
            );
            problems.push(
                Problem::warning("unused-key", message)
                    .at(&value.span)
                    .help("remove it; what a platform may use is limited by the container engine"),
            );
        }
    }
    let Some(value) = section.get("gpu_support") else { return };
    let message = "kind gives no graphics processors to its nodes";
    match settings.gpu {
        Gpu::Off => {}
        Gpu::Auto => problems.push(
            Problem::warning("no-gpu", message).at(&value.span).help("write `gpu_support: false`"),
        ),
        Gpu::Required => problems.push(
            Problem::error("no-gpu", message)
                .at(&value.span)
                .help("use another provider, such as `minikube`"),
        ),
    }
}

/// `auto`, `required`, or true and false of old: true is `auto`, since only `required` stops.
fn gpu(reader: &mut Reader<'_>, problems: &mut Problems) -> Gpu {
    let Some(value) = reader.value("gpu_support") else { return Gpu::Off };
    match (flag_of(value), value.as_text()) {
        (Some(false), _) => Gpu::Off,
        (Some(true), _) => {
            problems.push(
                Problem::warning(
                    "gpu-support",
                    "`gpu_support: true` means `auto`: a machine without a GPU goes on",
                )
                .at(&value.span)
                .help("write `gpu_support: auto`, or `required` to stop without a GPU"),
            );
            Gpu::Auto
        }
        (None, Some("auto")) => Gpu::Auto,
        (None, Some("required")) => Gpu::Required,
        (None, _) => {
            reader.wrong("gpu_support", value, "`auto`, `required` or `false`", problems);
            Gpu::Off
        }
    }
}

/// `1.35` or `v1.35.4`, without the `v`.
pub(super) fn version(reader: &mut Reader<'_>, problems: &mut Problems) -> Option<String> {
    let text = reader.text("version", problems)?;
    let plain = text.strip_prefix('v').unwrap_or(&text);
    let parts: Vec<_> = plain.split('.').map(str::parse::<u32>).collect();
    if !(2..=3).contains(&parts.len()) || parts.iter().any(Result::is_err) {
        let message = format!("`{text}` is no version of Kubernetes");
        problems.push(
            Problem::error("wrong-value", message).at(reader.at()).help("write one such as `1.35`"),
        );
        return None;
    }
    Some(plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Severity::{Error, Warning};
    use crate::yaml::{Source, parse};

    fn errors(text: &str, macos: bool) -> usize {
        let tree = parse(&Source::new("x.yaml", text)).unwrap();
        let mut problems = Problems::default();
        drop(read(&tree, None, macos, &|_, path| path.into(), &mut problems));
        problems.sorted().iter().filter(|p| p.code == "no-bare-microk8s").count()
    }

    #[test]
    fn microk8s_on_a_mac_needs_multipass() {
        let bare = "{provider: microk8s, use_multipass: false}";
        assert_eq!(errors(bare, true), 1);
        assert_eq!(errors(bare, false), 0);
        assert_eq!(errors("{provider: microk8s, use_multipass: true}", true), 0);
        assert_eq!(errors("{provider: kind, use_multipass: false}", true), 0);
    }

    #[test]
    fn what_kind_cannot_do_is_said() {
        let said = |text: &str| {
            let tree = parse(&Source::new("x.yaml", text)).unwrap();
            let mut problems = Problems::default();
            drop(read(&tree, None, false, &|_, path| path.into(), &mut problems));
            let sorted = problems.sorted();
            sorted.iter().map(|p| (p.code, p.severity)).collect::<Vec<_>>()
        };
        let sizes = "{provider: kind, cpus: 2, memory: 4096, storage: 9G}";
        assert_eq!(said(sizes), [("unused-key", Warning); 3]);
        assert_eq!(said("{provider: kind, gpu_support: auto}"), [("no-gpu", Warning)]);
        assert_eq!(said("{provider: kind, gpu_support: required}"), [("no-gpu", Error)]);
        assert_eq!(said("{provider: kind, gpu_support: false, nodes: 2}"), []);
        assert_eq!(said("{provider: kwok, ports: ['1:2']}"), [("unused-key", Warning)]);
        assert_eq!(said("{provider: auto, ports: ['1:2'], cpus: 2}"), []);
        let node = "{provider: kwok, nodes: [{role: worker, ports: ['1:2'], mounts: ['/a:/b']}]}";
        assert_eq!(said(node), [("unused-key", Warning); 3]);
        assert_eq!(said("{provider: kwok, gpu_support: auto}"), [("no-gpu", Warning)]);
        assert_eq!(said("{provider: kwok, gpu_support: auto, nodes: [{gpus: 1}]}"), []);
    }

    #[test]
    fn what_the_choice_of_auto_drops_is_known_beforehand() {
        let text =
            "{provider: auto, ports: ['1:2'], cpus: 2, gpu_support: true, use_overlay: true}";
        let tree = parse(&Source::new("x.yaml", text)).unwrap();
        let mut problems = Problems::default();
        let (target, _) = read(&tree, None, false, &|_, path| path.into(), &mut problems);
        let codes =
            |problems: &Problems| problems.sorted().iter().map(|p| p.code).collect::<Vec<_>>();
        assert_eq!(codes(&problems), ["gpu-support"]);
        let Target::Local { settings, .. } = target else { panic!() };
        let once = |provider| codes(&settings.once_chosen[&provider]);
        assert_eq!(once(LocalProvider::Kwok), ["unused-key", "no-gpu", "unused-key"]);
        assert_eq!(once(LocalProvider::Kind), ["unused-key", "no-gpu", "unused-key"]);
    }
}
