//! The programs: names, pinned versions, what is accepted on `PATH`. Pure.

use std::time::Duration;

use semver::Version;

use super::Platform;

/// The version of Kubernetes that the embedded control plane has.
pub const KUBERNETES: Version = Version::new(1, 35, 4);
/// The version of etcd below it.
pub const ETCD: Version = Version::new(3, 6, 5);
/// The version of kwok.
pub const KWOK: Version = Version::new(0, 8, 0);
/// The version of Helm.
pub const HELM: Version = Version::new(4, 3, 1);

/// The version of kind.
pub const KIND: Version = Version::new(0, 33, 0);

/// A program that datamill drives and can get by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tool {
    /// Installs charts.
    Helm,
    /// Used by `kwokctl`.
    Kubectl,
    /// Creates simulated clusters.
    Kwokctl,
    /// Simulates nodes and pods.
    Kwok,
    /// Part of the control plane.
    KubeApiserver,
    /// Part of the control plane.
    KubeControllerManager,
    /// Part of the control plane.
    KubeScheduler,
    /// Part of the control plane.
    Etcd,
    /// Creates clusters of containers.
    Kind,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Helm,
        Self::Kubectl,
        Self::Kwokctl,
        Self::Kwok,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::KubeScheduler,
        Self::Etcd,
        Self::Kind,
    ];

    /// What a simulated cluster needs.
    pub const CONTROL_PLANE: [Self; 7] = [
        Self::Kubectl,
        Self::Kwokctl,
        Self::Kwok,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::KubeScheduler,
        Self::Etcd,
    ];

    /// The program's file name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Helm => "helm",
            Self::Kubectl => "kubectl",
            Self::Kwokctl => "kwokctl",
            Self::Kwok => "kwok",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::KubeScheduler => "kube-scheduler",
            Self::Etcd => "etcd",
            Self::Kind => "kind",
        }
    }

    /// The version that datamill gets.
    pub fn wanted(self) -> Version {
        match self {
            Self::Helm => HELM,
            Self::Kubectl
            | Self::KubeApiserver
            | Self::KubeControllerManager
            | Self::KubeScheduler => KUBERNETES,
            Self::Kwokctl | Self::Kwok => KWOK,
            Self::Etcd => ETCD,
            Self::Kind => KIND,
        }
    }

    /// What another version on `PATH` must be, in words.
    pub fn accepted(self) -> &'static str {
        match self {
            Self::Helm => "4.0 or newer",
            Self::Kubectl => "1.34 to 1.36",
            Self::Kwokctl | Self::Kwok => "0.8",
            Self::KubeApiserver | Self::KubeControllerManager | Self::KubeScheduler => "1.35.4",
            Self::Etcd => "3.6",
            Self::Kind => "0.33 or newer",
        }
    }

    /// Whether a version found on `PATH` does.
    pub fn accepts(self, found: &Version) -> bool {
        match self {
            Self::Helm => found.major >= 4,
            // Kubernetes' own rule: one minor version older or newer than the server.
            Self::Kubectl => {
                found.major == KUBERNETES.major && found.minor.abs_diff(KUBERNETES.minor) <= 1
            }
            // Our stages are written for what 0.8 reads.
            Self::Kwokctl | Self::Kwok => (found.major, found.minor) == (0, 8),
            // Charts are rendered for the declared version before the cluster exists, so the two must be the same.
            Self::KubeApiserver | Self::KubeControllerManager | Self::KubeScheduler => {
                *found == KUBERNETES
            }
            Self::Etcd => (found.major, found.minor) == (3, 6),
            // An older one cannot read what newer node images hold.
            Self::Kind => (found.major, found.minor) >= (KIND.major, KIND.minor),
        }
    }

    /// The arguments that make it say its version.
    pub fn version_args(self) -> &'static [&'static str] {
        match self {
            Self::Helm => &["version", "--short"],
            Self::Kind => &["version"],
            Self::Kubectl => &["version", "--client", "-o", "json"],
            Self::Kwokctl
            | Self::Kwok
            | Self::KubeApiserver
            | Self::KubeControllerManager
            | Self::KubeScheduler
            | Self::Etcd => &["--version"],
        }
    }

    /// How long a build by Go takes on two cores with nothing built before.
    pub fn build_takes(self) -> Duration {
        Duration::from_secs(match self {
            Self::Helm => 145,
            Self::Kubectl => 25,
            Self::Kwokctl => 15,
            Self::Kwok => 80,
            Self::KubeApiserver => 200,
            Self::KubeControllerManager => 50,
            Self::KubeScheduler | Self::Etcd | Self::Kind => 10,
        })
    }

    /// How long a download takes at 10 MB a second.
    pub fn download_takes(self) -> Duration {
        Duration::from_secs(match self {
            Self::Kind => 1,
            Self::Helm | Self::Etcd => 3,
            Self::Kubectl | Self::KubeScheduler | Self::KubeControllerManager => 7,
            Self::Kwokctl | Self::Kwok | Self::KubeApiserver => 10,
        })
    }

    /// What Go builds it from.
    pub fn recipe(self) -> Recipe {
        match self {
            Self::Helm => Recipe::Install { package: "helm.sh/helm/v4/cmd/helm" },
            Self::Kwokctl => Recipe::Install { package: "sigs.k8s.io/kwok/cmd/kwokctl" },
            Self::Kwok => Recipe::Install { package: "sigs.k8s.io/kwok/cmd/kwok" },
            Self::Kubectl => Recipe::Module { package: "k8s.io/kubernetes/cmd/kubectl" },
            Self::KubeApiserver => {
                Recipe::Module { package: "k8s.io/kubernetes/cmd/kube-apiserver" }
            }
            Self::KubeControllerManager => {
                Recipe::Module { package: "k8s.io/kubernetes/cmd/kube-controller-manager" }
            }
            Self::KubeScheduler => {
                Recipe::Module { package: "k8s.io/kubernetes/cmd/kube-scheduler" }
            }
            Self::Etcd => Recipe::Module { package: "go.etcd.io/etcd/server/v3" },
            Self::Kind => Recipe::Install { package: "sigs.k8s.io/kind" },
        }
    }

    /// The linker's flags: the versions that the programs say, and what charts ask for.
    pub fn linker_flags(self) -> String {
        let stamp = match self {
            Self::Helm => {
                format!(" -X helm.sh/helm/v4/internal/version.version=v{}", self.wanted())
            }
            Self::Kubectl
            | Self::KubeApiserver
            | Self::KubeControllerManager
            | Self::KubeScheduler => {
                let Version { major, minor, .. } = KUBERNETES;
                let at = "k8s.io/component-base/version";
                format!(
                    " -X {at}.gitVersion=v{KUBERNETES} -X {at}.gitMajor={major} -X {at}.gitMinor={minor}"
                )
            }
            Self::Kwokctl | Self::Kwok | Self::Etcd | Self::Kind => String::new(),
        };
        format!("-s -w{stamp}")
    }
}

/// What Go builds a tool from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipe {
    /// `go install package@version`.
    Install {
        /// The package.
        package: &'static str,
    },
    /// `go build` in our own module, whose go.mod and go.sum pin everything.
    Module {
        /// The package.
        package: &'static str,
    },
}

/// Where a release is downloaded from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// The file's address.
    pub url: String,
    /// The file in the archive; absent when the file is the program.
    pub member: Option<String>,
    /// Where its checksum is published.
    pub checksum: String,
    /// The name under which the checksum stands there.
    pub file: String,
}

/// The addresses of releases; tests put their own server here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// `https://get.helm.sh`
    pub helm: String,
    /// `https://dl.k8s.io`
    pub kubernetes: String,
    /// `https://github.com`
    pub github: String,
    /// `https://api.github.com`
    pub github_api: String,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            helm: "https://get.helm.sh".to_owned(),
            kubernetes: "https://dl.k8s.io".to_owned(),
            github: "https://github.com".to_owned(),
            github_api: "https://api.github.com".to_owned(),
        }
    }
}

impl Sources {
    /// The release of a tool for a platform, if there is one.
    pub fn release(&self, tool: Tool, platform: Platform) -> Option<Release> {
        let (version, name) = (tool.wanted(), tool.name());
        let (os, arch) = (platform.os(), platform.arch());
        match tool {
            Tool::Helm => {
                let file = format!("helm-v{version}-{os}-{arch}.tar.gz");
                let url = format!("{}/{file}", self.helm);
                let member = Some(format!("{os}-{arch}/helm"));
                Some(Release { checksum: format!("{url}.sha256sum"), url, member, file })
            }
            Tool::Kubectl
            | Tool::KubeApiserver
            | Tool::KubeControllerManager
            | Tool::KubeScheduler => {
                if tool != Tool::Kubectl && !platform.is_linux() {
                    return None;
                }
                let url = format!("{}/release/v{version}/bin/{os}/{arch}/{name}", self.kubernetes);
                let checksum = format!("{url}.sha256");
                Some(Release { checksum, url, member: None, file: name.to_owned() })
            }
            Tool::Kwokctl | Tool::Kwok => {
                let file = format!("{name}-{os}-{arch}");
                let repository = "kubernetes-sigs/kwok";
                let url =
                    format!("{}/{repository}/releases/download/v{version}/{file}", self.github);
                let api = &self.github_api;
                let checksum = format!("{api}/repos/{repository}/releases/tags/v{version}");
                Some(Release { checksum, url, member: None, file })
            }
            Tool::Kind => {
                let file = format!("{name}-{os}-{arch}");
                let url = format!(
                    "{}/kubernetes-sigs/kind/releases/download/v{version}/{file}",
                    self.github
                );
                Some(Release { checksum: format!("{url}.sha256sum"), url, member: None, file })
            }
            Tool::Etcd => {
                // Elsewhere the archive is a zip file, and Go builds etcd in seconds.
                if !platform.is_linux() {
                    return None;
                }
                let stem = format!("etcd-v{version}-{os}-{arch}");
                let folder = format!("{}/etcd-io/etcd/releases/download/v{version}", self.github);
                let file = format!("{stem}.tar.gz");
                Some(Release {
                    url: format!("{folder}/{file}"),
                    member: Some(format!("{stem}/etcd")),
                    checksum: format!("{folder}/SHA256SUMS"),
                    file,
                })
            }
        }
    }
}

/// The version in what a program says: the first word that reads `v1.2.3`, `1.2.3` or `v4.3`.
pub fn version_in(text: &str) -> Option<Version> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '"' | ',')).find_map(|word| {
        let word = word.strip_prefix('v').unwrap_or(word);
        if !word.starts_with(|c: char| c.is_ascii_digit()) || !word.contains('.') {
            return None;
        }
        // A Helm that was built without a stamp says `v4.3`.
        Version::parse(word).or_else(|_| Version::parse(&format!("{word}.0"))).ok()
    })
}

/// The SHA-256 of a file in what its publisher says: `<hash>`, lines `<hash>  <file>`, or GitHub's description of a release.
pub fn checksum_in(text: &str, file: &str) -> Option<String> {
    let hash = |word: &str| {
        let hex = word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
        hex.then(|| word.to_ascii_lowercase())
    };
    if let Ok(release) = serde_json::from_str::<serde_json::Value>(text) {
        let assets = release.get("assets")?.as_array()?;
        let asset = assets.iter().find(|asset| asset.get("name").is_some_and(|n| n == file))?;
        return hash(asset.get("digest")?.as_str()?.strip_prefix("sha256:")?);
    }
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
    let only = lines.peek().and_then(|line| hash(line.trim()));
    only.or_else(|| {
        lines.find_map(|line| {
            let (word, name) = line.trim().split_once(char::is_whitespace)?;
            (name.trim().trim_start_matches('*') == file).then(|| hash(word))?
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_programs_say() {
        for (says, version) in [
            ("v4.3.1+g12345", "4.3.1+g12345"),
            ("v4.3", "4.3.0"),
            ("{\n \"clientVersion\": {\n \"major\": \"1\", \"gitVersion\": \"v1.35.4\",", "1.35.4"),
            ("kwok version v0.8.0 go1.26.8 (linux/amd64)", "0.8.0"),
            ("Kubernetes v1.35.4", "1.35.4"),
            ("kind v0.33.0 go1.26.8 linux/amd64", "0.33.0"),
            ("etcd Version: 3.6.5\nGit SHA: Not provided", "3.6.5"),
        ] {
            assert_eq!(version_in(says).map(|v| v.to_string()).as_deref(), Some(version));
        }
        assert_eq!(version_in("unknown command"), None);
    }

    #[test]
    fn what_is_accepted_on_the_path_is_what_matters() {
        assert!(Tool::Helm.accepts(&Version::new(4, 0, 0)));
        assert!(!Tool::Helm.accepts(&Version::new(3, 19, 4)));
        let kubectl = |minor| Tool::Kubectl.accepts(&Version::new(1, minor, 1));
        assert_eq!([33, 34, 35, 36, 37].map(kubectl), [false, true, true, true, false]);
        assert!(!Tool::Kind.accepts(&Version::new(0, 32, 9)));
        assert!(!Tool::KubeApiserver.accepts(&Version::new(1, 35, 5)));
        assert!(Tool::ALL.into_iter().all(|tool| tool.accepts(&tool.wanted())));
    }

    #[test]
    fn checksums_are_read_in_the_forms_that_publishers_use() {
        let hash = "ab".repeat(32);
        let other = "cd".repeat(32);
        assert_eq!(checksum_in(&format!("{hash}\n"), "kubectl"), Some(hash.clone()));
        let lines = format!("{other}  a.zip\n{hash}  a.tar.gz\n");
        assert_eq!(checksum_in(&lines, "a.tar.gz"), Some(hash.clone()));
        assert_eq!(checksum_in(&lines, "b.tar.gz"), None);
        let github = format!(r#"{{"assets":[{{"name":"kwok","digest":"sha256:{hash}"}}]}}"#);
        assert_eq!(checksum_in(&github, "kwok"), Some(hash));
        assert_eq!(checksum_in(&github, "kwokctl"), None);
        assert_eq!(checksum_in("<html>no</html>", "kwok"), None);
    }

    #[test]
    fn macs_have_no_released_control_plane() {
        let sources = Sources::default();
        let linux = Platform::new("linux", "x86_64").unwrap();
        let mac = Platform::new("macos", "aarch64").unwrap();
        assert!(Tool::ALL.into_iter().all(|tool| sources.release(tool, linux).is_some()));
        assert_eq!(sources.release(Tool::KubeApiserver, mac), None);
        assert_eq!(
            sources.release(Tool::Helm, mac).unwrap().url,
            "https://get.helm.sh/helm-v4.3.1-darwin-arm64.tar.gz"
        );
    }
}
