//! Manifests that are not written in a component: files, downloads and charts, as JSON documents.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value as Json;

use super::release::{RenderContext, chart_crds, chart_crds_below};
use crate::adapter::files;
use crate::model::{Digest, Failure, FailureKind, KubernetesSpec, Manifests, RemoteFile, Resource};
use crate::yaml::{Source, parse_all};

/// Fetches a file over HTTP; checks nothing.
pub type Fetch =
    Arc<dyn Fn(RemoteFile) -> BoxFuture<'static, Result<String, Failure>> + Send + Sync>;

/// Where a resource's manifests come from, when it has any.
fn source(resource: &Resource) -> Option<&Manifests> {
    match resource.kubernetes() {
        Some(KubernetesSpec::Crds(spec)) => Some(&spec.from),
        Some(KubernetesSpec::Objects(spec)) => Some(&spec.from),
        _ => None,
    }
}

/// The documents of a resource's manifests; none for those written in the component.
pub(super) async fn load(
    resource: &Resource,
    context: &RenderContext<'_>,
    fetch: &Fetch,
) -> Result<Vec<Json>, Failure> {
    match source(resource) {
        None | Some(Manifests::Inline(_)) => Ok(Vec::new()),
        Some(Manifests::Files(paths)) => {
            let mut documents = Vec::new();
            for path in paths {
                let text = files::read(path).map_err(|error| {
                    let what = format!("cannot read the manifests of `{}`", resource.id);
                    Failure::new(FailureKind::Usage, what).caused_by(&error)
                })?;
                documents.extend(parse(&path.display().to_string(), text)?);
            }
            Ok(documents)
        }
        Some(Manifests::Remote(file)) => {
            let text = fetch(file.clone()).await?;
            verify(file, &text)?;
            parse(&file.url, text)
        }
        Some(Manifests::Chart(chart)) => {
            let objects = chart_crds(context, chart).await?;
            Ok(objects.into_iter().map(|object| object.0).collect())
        }
        Some(Manifests::ChartFolder(chart, folder)) => {
            let objects = chart_crds_below(context, chart, folder).await?;
            Ok(objects.into_iter().map(|object| object.0).collect())
        }
    }
}

fn verify(file: &RemoteFile, text: &str) -> Result<(), Failure> {
    let found = Digest::of(text);
    match &file.sha256 {
        Some(wanted) if wanted != found.as_str() => Err(Failure::new(
            FailureKind::Preflight,
            format!("`{}` is not the file it should be", file.url),
        )
        .because(format!("its SHA-256 is {found}, not {wanted}"))
        .hint("somebody changed it, or the download is damaged; do not use it unseen")),
        Some(_) | None => Ok(()),
    }
}

fn parse(path: &str, text: String) -> Result<Vec<Json>, Failure> {
    let documents = parse_all(&Source::new(path, text)).map_err(|problem| {
        Failure::new(FailureKind::Usage, format!("`{path}` is not YAML")).because(problem.message)
    })?;
    Ok(documents.iter().map(crate::yaml::Located::to_json).filter(|json| !json.is_null()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_must_be_the_file_that_is_meant() {
        let file = |sha256: Option<&str>| RemoteFile {
            url: "https://x/y.yaml".to_owned(),
            sha256: sha256.map(str::to_owned),
        };
        assert!(verify(&file(None), "a").is_ok());
        assert!(verify(&file(Some(Digest::of("a").as_str())), "a").is_ok());
        assert!(verify(&file(Some(Digest::of("a").as_str())), "b").is_err());
    }

    #[test]
    fn several_documents_and_empty_ones_are_read() {
        let documents = parse("x", "a: 1\n---\n---\nb: 2\n".to_owned()).unwrap();
        assert_eq!(documents.len(), 2);
    }
}
