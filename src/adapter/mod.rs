//! Thin doors to the outside: processes, files, the clock, Kubernetes, Helm, downloads. Foreign errors become ours here.

pub mod clock;
pub mod download;
pub mod engine;
pub mod files;
pub mod helm;
pub mod journal;
pub mod kube;
pub mod kubeconfig;
pub mod listener;
pub mod lock;
pub mod pid;
pub mod port;
pub mod process;
