//! Images of this machine into the nodes.

use std::path::PathBuf;
use std::time::Duration;

use super::{Kind, says};
use crate::adapter::process::{Invocation, ProcessError};
use crate::model::Failure;
use crate::provider::local::Says;
use crate::toolchain::Tool;

/// How long saving and loading an image may take.
const LOAD: Duration = Duration::from_mins(15);

/// Images to be loaded into a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Images {
    /// Images that the container engine has, by name.
    OfEngine(Vec<String>),
    /// A file as `docker save` writes it.
    Archive(PathBuf),
}

impl Kind {
    /// Loads images into all nodes; those that have them already are left alone.
    pub(in crate::provider::local) async fn load(
        &self,
        images: &Images,
        says: &Says,
    ) -> Result<(), Failure> {
        let mut args: Vec<std::ffi::OsString> = vec!["load".into()];
        let what = match images {
            Images::OfEngine(names) if names.is_empty() => return Ok(()),
            Images::OfEngine(names) => {
                args.push("docker-image".into());
                args.extend(names.iter().map(Into::into));
                names.join(", ")
            }
            Images::Archive(path) => {
                args.push("image-archive".into());
                args.push(path.into());
                path.display().to_string()
            }
        };
        args.extend(["--name".into(), (&self.name).into()]);
        let on_tool = &self.settings.on_tool;
        let tools = self.settings.toolchain.ensure(&[Tool::Kind], &|event| on_tool(event)).await?;
        says(format!("loading {what} into the nodes"));
        let mut call = Invocation::new(tools.path(Tool::Kind), args).deadline(LOAD);
        call.redactor = self.settings.redactor.clone();
        let Err(error) = call.run().await else { return Ok(()) };
        let failure = self.failure(&format!("load {what} into"));
        let ProcessError::Status { says: log, .. } = &error else {
            return Err(failure.caused_by(&error));
        };
        let low = log.to_lowercase();
        Err(if low.contains("not present locally") {
            failure
                .because("the container engine does not have it")
                .hint("build or pull it first:\n    docker pull IMAGE")
        } else if low.contains("no nodes found for cluster") {
            failure.because("the cluster is not there").hint("to make it, run:\n    datamill start")
        } else if low.contains("content digest") && low.contains("not found") {
            failure
                .because("the container engine has the image for some of its platforms only")
                .hint(
                    "pull it for this machine alone:\n    docker pull --platform linux/amd64 IMAGE",
                )
        } else {
            says::explain(failure, log)
        })
    }
}
