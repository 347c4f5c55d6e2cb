//! The tier with real pods. A test begins with `let Some(cluster) = node::cluster() else { return };`: where there is no
//! cluster, the reason was said.

mod basics;
mod demo;
mod failures;
mod kind;
mod residue;
mod streams;
mod workloads;
