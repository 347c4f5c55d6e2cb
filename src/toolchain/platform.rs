//! The machine's system and processor, as releases name them. Pure.

/// A system and a processor that programs are released for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    os: &'static str,
    arch: &'static str,
}

impl Platform {
    /// From the names that Rust uses; nothing for what no program is released for.
    pub fn new(os: &str, arch: &str) -> Option<Self> {
        let os = match os {
            "linux" => "linux",
            "macos" => "darwin",
            _ => return None,
        };
        let arch = match arch {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            _ => return None,
        };
        Some(Self { os, arch })
    }

    /// This machine's.
    pub fn current() -> Option<Self> {
        Self::new(std::env::consts::OS, std::env::consts::ARCH)
    }

    /// `linux` or `darwin`.
    pub fn os(self) -> &'static str {
        self.os
    }

    /// `amd64` or `arm64`.
    pub fn arch(self) -> &'static str {
        self.arch
    }

    /// Whether it is Linux.
    pub fn is_linux(self) -> bool {
        self.os == "linux"
    }
}
