//! Why clusters of kind fail, by what is said. Pure.

/// A known reason: words that tell it, why that is, what to do.
pub(super) struct Reason {
    /// In lower case; one of them is in a line. `a & b`: both are in the same line.
    words: &'static [&'static str],
    pub(super) why: &'static str,
    pub(super) todo: &'static str,
}

impl Reason {
    /// Whether a line, in lower case, tells it.
    pub(super) fn is_told_by(&self, line: &str) -> bool {
        self.words.iter().any(|words| words.split(" & ").all(|part| line.contains(part)))
    }
}

/// What only fetching an image meets, from the most telling to the least.
pub(super) const OF_AN_IMAGE: [Reason; 4] = [
    Reason {
        words: &[
            "unauthorized",
            "authentication required",
            "pull access denied",
            "requested access to the resource is denied",
        ],
        why: "the registry refuses the node image: it does not exist there, or needs a login",
        todo: "check `node_image`, or log in:\n    docker login REGISTRY",
    },
    Reason {
        words: &[
            "manifest unknown",
            "manifest for",
            "not found: manifest",
            "failed to resolve reference",
        ],
        why: "the registry has no such node image",
        todo: "check `version` and `node_image` of the target",
    },
    Reason {
        words: &["no matching manifest"],
        why: "the node image is not built for this machine's processor",
        todo: "name one that is by `node_image`",
    },
    Reason {
        words: &[
            "no such host",
            "i/o timeout",
            "tls handshake timeout",
            "connection refused",
            "failed to pull image",
        ],
        why: "the node image cannot be fetched",
        todo: "check the network and the engine's proxy; or name an image that is there by `node_image`",
    },
];

/// What every call may meet, from the most telling to the least: a log holds many words.
pub(super) const OF_ALL: [Reason; 15] = [
    Reason {
        words: &["node(s) already exist for a cluster with the name"],
        why: "containers of a kind cluster of this name are there",
        todo: "run the same command again; if they are not datamill's, remove them:\n    kind delete cluster --name CLUSTER",
    },
    // The kernel says `no space left on device` of watches as well.
    Reason {
        words: &[
            "too many open files",
            "create inotify",
            "inotify & no space left on device",
            "inotify & limit",
        ],
        why: "this machine allows too few inotify instances or watches for the nodes",
        todo: "allow more, and keep it in /etc/sysctl.d:\n    sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288",
    },
    Reason {
        words: &["no space left on device", "disk quota exceeded"],
        why: "the disk that holds the container engine's data is full",
        todo: "see what takes the space, and free some:\n    docker system df\n    docker system prune",
    },
    Reason {
        words: &["port is already allocated", "address already in use", "ports are not available"],
        why: "a port of this machine is taken",
        todo: "free it, or write another one under `ports:` of the target",
    },
    Reason {
        words: &[
            "configured to not run on a host using cgroup v1",
            "cgroup v1 support is unsupported",
        ],
        why: "the kubelet of this version refuses this machine's cgroup v1",
        todo: "move the machine to cgroup v2 (`systemd.unified_cgroup_hierarchy=1`), or write `version: 1.34`",
    },
    Reason {
        words: &["/dev/dma_heap: permission denied", "avc: & denied", "selinux & denied"],
        why: "SELinux keeps the container engine from what a node needs",
        todo: "see what it refused (`sudo ausearch -m avc -ts recent`) and what helps:\n    https://kind.sigs.k8s.io/docs/user/known-issues/",
    },
    Reason {
        words: &["zone_conflict", "firewalld", "no chain/target/match by that name"],
        why: "a firewall took away the rules that the container engine had set",
        todo: "let the engine set them again; with firewalld `FirewallBackend=iptables` keeps them:\n    sudo systemctl restart docker",
    },
    Reason {
        words: &[
            "unable to apply caps",
            "running kind with rootless provider requires",
            "error response from daemon & operation not permitted",
            "runtime create failed & operation not permitted",
        ],
        why: "the container engine may not give a node the rights it needs",
        todo: "run the engine as root, or set up what kind asks for: https://kind.sigs.k8s.io/docs/user/rootless/",
    },
    Reason {
        words: &["invalid output path", "/var/snap/docker", "/snap/docker"],
        why: "Docker was installed as a snap, and does not see the folder for temporary files",
        todo: "name a folder in your home that is not hidden, and run again; or install Docker otherwise:\n    mkdir -p ~/tmp && export TMPDIR=~/tmp",
    },
    Reason {
        words: &[
            "bind source path does not exist",
            "mounts denied",
            "invalid mount config",
            "are not shared from the host",
        ],
        why: "a folder of `mounts:` cannot be given to the nodes",
        todo: "make the folder, and share it with the engine's virtual machine if it has one",
    },
    Reason {
        words: &["exec format error"],
        why: "the node image is not built for this machine's processor",
        todo: "name one that is by `node_image`",
    },
    Reason {
        words: &[
            "in cached partitions map",
            "failed to get rootfs info",
            "not supported as upperdir",
        ],
        why: "the kubelet cannot measure the file system below the container engine's data, which btrfs and zfs bring about",
        todo: "keep the engine's data on ext4 or xfs, or do without the measure, in `kubeadm_patches` of the target:\n    {kind: KubeletConfiguration, localStorageCapacityIsolation: false}",
    },
    Reason {
        words: &["all predefined address pools", "pool overlaps"],
        why: "the container engine has no network left for kind",
        todo: "remove networks that nobody uses:\n    docker network prune",
    },
    Reason {
        words: &["could not find a log line that matches"],
        why: "a node did not boot within 30 s",
        todo: "often too few inotify instances, or a machine under load:\n    sudo sysctl fs.inotify.max_user_instances=512",
    },
    // What kubeadm says at the end, whatever it was.
    Reason {
        words: &[
            "kubelet is not healthy",
            "kubelet isn't running",
            "control plane components & not healthy",
            "failed to init node with kubeadm",
            "failed to join node with kubeadm",
        ],
        why: "the parts of Kubernetes did not come up in a node",
        todo: "often too little memory for the container engine, or a machine under load: see what it has, and try again:\n    docker info --format '{{.NCPU}} processors, {{.MemTotal}} bytes'",
    },
];
