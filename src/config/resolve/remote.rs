//! The section `remote:`. Every key is recorded; the clouds' own rules come with their providers.

use super::local::version;
use super::region::{region_mistake, zone_mistake};
use crate::config::reader::Reader;
use crate::config::target::{RemoteProvider, RemoteSettings, Target};
use crate::yaml::{Located, Problem, Problems, Span};

/// Reads the section.
pub(super) fn read(
    section: &Located,
    flag: Option<RemoteProvider>,
    problems: &mut Problems,
) -> Target {
    let mut settings =
        RemoteSettings { at: Some(section.span.clone()), ..RemoteSettings::default() };
    let Some(mut reader) = Reader::of(section, "remote", problems) else {
        let provider = flag.unwrap_or(RemoteProvider::Aws);
        return Target::Remote { provider, settings: Box::new(settings) };
    };
    let named = reader.value("provider").is_some();
    let written = reader.word("provider", &RemoteProvider::WORDS, problems);
    if !named && flag.is_none() {
        problems.push(
            Problem::error("missing-key", "`remote` lacks `provider`")
                .at(&section.span)
                .help("write `provider: aws` or `provider: gcp`"),
        );
    }
    let provider = flag.or(written).unwrap_or(RemoteProvider::Aws);
    settings.cluster_name = reader.text("cluster_name", problems);
    settings.bucket_name = reader.text("bucket_name", problems);
    settings.no_nodes = reader.whole("no_nodes", 1, 10_000, problems);
    settings.node_size = reader.text("node_size", problems);
    settings.project = reader.text("project", problems);
    settings.profile = reader.text("profile", problems);
    settings.kubernetes_version = version(&mut reader, problems);
    settings.node_groups = reader.value("node_groups").cloned();
    settings.region = reader.text("region", problems);
    let zones = reader.texts("zones", problems);
    reader.finish(problems);
    check_places(provider, section, settings.region.as_deref(), &zones, problems);
    settings.zones = zones.into_iter().map(|(zone, _)| zone).collect();
    Target::Remote { provider, settings: Box::new(settings) }
}

fn check_places(
    provider: RemoteProvider,
    section: &Located,
    region: Option<&str>,
    zones: &[(String, Span)],
    problems: &mut Problems,
) {
    let wrong = |what: &str, text: &str, right: &str, at: &Span| {
        let message = format!("`{text}` is no {what} of {}", provider.word());
        let problem =
            Problem::error(if what == "zone" { "zone" } else { "region" }, message).at(at);
        if right.is_empty() { problem } else { problem.help(format!("did you mean `{right}`?")) }
    };
    let at = section.get("region").map_or(&section.span, |value| &value.span);
    let mistake = region.and_then(|region| region_mistake(provider, region));
    if let (Some(region), Some(right)) = (region, &mistake) {
        problems.push(wrong("region", region, right, at));
    }
    for (zone, span) in zones {
        if let Some(right) = zone_mistake(provider, zone) {
            problems.push(wrong("zone", zone, &right, span));
        } else if let Some(region) = region
            && mistake.is_none()
            && !zone.starts_with(region)
        {
            let message = format!("zone `{zone}` is not in region `{region}`");
            problems.push(Problem::error("zone", message).at(span));
        }
    }
}
