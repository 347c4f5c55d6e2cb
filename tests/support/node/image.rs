//! Images made on the spot: a tree and what it runs. The same bytes go into a node or a registry.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use datamill::model::Digest;
use serde_json::{Value as Json, json};

use super::build;

/// An image of one layer.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// The names it has in a node.
    pub(crate) names: Vec<String>,
    layer: Vec<u8>,
    config: Json,
}

impl Image {
    /// An image of one static program.
    fn of_program(name: &str, program: &Path) -> Self {
        let file = program.file_name().and_then(|name| name.to_str()).unwrap();
        let file = file.split('-').next().unwrap();
        let bytes = fs::read(program).unwrap();
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(bytes.len()).unwrap());
        header.set_mode(0o755);
        tar.append_data(&mut header, file, bytes.as_slice()).unwrap();
        Self::of_tree(&[name], tar.into_inner().unwrap(), &[&format!("/{file}")])
    }

    fn of_tree(names: &[&str], layer: Vec<u8>, runs: &[&str]) -> Self {
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": {"Cmd": runs, "Env": ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", Digest::of(&layer))]},
        });
        Self { names: names.iter().map(|name| (*name).to_owned()).collect(), layer, config }
    }

    /// The web server that can be told to misbehave: `programs/answer`.
    pub(crate) fn answer() -> Result<Self, String> {
        Ok(Self::of_program("datamill.test/answer:1", &build::answer()?))
    }

    /// The `MinIO` server; minutes on a machine that never built it.
    pub(crate) fn minio() -> Result<Self, String> {
        Ok(Self::of_program("datamill.test/minio:1", &build::minio()?))
    }

    /// What the demo's components run, under the names that their charts use.
    pub(crate) fn demo() -> Result<Self, String> {
        let names = [
            "docker.io/valkey/valkey:9.0-alpine",
            "docker.io/library/python:3.13-alpine",
            "docker.io/nginxinc/nginx-unprivileged:1.29-alpine",
        ];
        let layer = fs::read(build::demo()?).map_err(|error| error.to_string())?;
        Ok(Self::of_tree(&names, layer, &["nginx", "-g", "daemon off;"]))
    }

    /// The same with more bytes, so that pulling it takes a while.
    pub(crate) fn heavier_by(mut self, bytes: usize) -> Self {
        // What follows the end of an archive does not count.
        self.layer.resize(self.layer.len() + bytes, 0);
        let id = format!("sha256:{}", Digest::of(&self.layer));
        self.config["rootfs"]["diff_ids"] = json!([id]);
        self
    }

    /// The same with another id.
    pub(super) fn known_as(mut self, name: &str) -> Self {
        self.config["config"]["Labels"] = json!({"datamill.test/name": name});
        self
    }

    pub(super) fn config_bytes(&self) -> Vec<u8> {
        self.config.to_string().into_bytes()
    }

    pub(super) fn layer(&self) -> &[u8] {
        &self.layer
    }

    /// What a registry says about it.
    pub(super) fn manifest(&self) -> Vec<u8> {
        let part = |kind: &str, bytes: &[u8]| {
            json!({"mediaType": format!("application/vnd.docker.{kind}"), "size": bytes.len(),
                "digest": format!("sha256:{}", Digest::of(bytes))})
        };
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": part("container.image.v1+json", &self.config_bytes()),
            "layers": [part("image.rootfs.diff.tar", &self.layer)],
        })
        .to_string()
        .into_bytes()
    }

    /// Writes it as `docker save` does.
    pub(crate) fn save(&self, path: &Path) -> std::io::Result<()> {
        let mut tar = tar::Builder::new(fs::File::create(path)?);
        let manifest =
            json!([{"Config": "config.json", "RepoTags": self.names, "Layers": ["layer.tar"]}]);
        let files = [
            ("config.json", self.config_bytes()),
            ("manifest.json", manifest.to_string().into_bytes()),
        ];
        let mut add = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(u64::try_from(bytes.len()).unwrap_or_default());
            header.set_mode(0o644);
            tar.append_data(&mut header, name, bytes)
        };
        for (name, bytes) in &files {
            add(name, bytes)?;
        }
        add("layer.tar", &self.layer)?;
        tar.into_inner()?.flush()
    }
}
