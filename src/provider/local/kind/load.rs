//! Images of this machine into the nodes.

use std::ffi::OsString;
use std::time::Duration;

use super::{Kind, says};
use crate::adapter::process::{Invocation, ProcessError};
use crate::model::{Failure, NodeImage};
use crate::provider::local::Says;
use crate::toolchain::Tool;

/// How long saving and loading an image may take.
const LOAD: Duration = Duration::from_mins(15);

impl Kind {
    /// Loads images into all nodes; kind leaves those of the engine alone that a node has already.
    pub(in crate::provider::local) async fn load(
        &self,
        images: &[NodeImage],
        says: &Says,
    ) -> Result<(), Failure> {
        let (mut names, mut archives) = (Vec::new(), Vec::new());
        for image in images {
            match image {
                NodeImage::OfEngine(name) => names.push(OsString::from(name)),
                NodeImage::Archive(path) => archives.push(path.as_os_str().to_owned()),
            }
        }
        for (verb, what) in [("docker-image", names), ("image-archive", archives)] {
            if !what.is_empty() {
                self.load_by(verb, what, says).await?;
            }
        }
        Ok(())
    }

    async fn load_by(&self, verb: &str, what: Vec<OsString>, says: &Says) -> Result<(), Failure> {
        let named: Vec<_> = what.iter().map(|one| one.to_string_lossy()).collect();
        let named = named.join(", ");
        let mut args: Vec<OsString> = vec!["load".into(), verb.into()];
        args.extend(what);
        args.extend(["--name".into(), (&self.name).into()]);
        let on_tool = &self.settings.on_tool;
        let tools = self.settings.toolchain.ensure(&[Tool::Kind], &|event| on_tool(event)).await?;
        says(format!("loading {named} into the nodes"));
        let mut call = Invocation::new(tools.path(Tool::Kind), args).deadline(LOAD);
        call.redactor = self.settings.redactor.clone();
        let Err(error) = call.run().await else { return Ok(()) };
        let failure = self.failure(&format!("load {named} into"));
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
