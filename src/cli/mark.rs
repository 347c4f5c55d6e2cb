//! What was typed for commands about marks: `adopt`, `orphan`, `protect`.

use clap::{Args, Subcommand};

use super::options::PlaceArgs;

/// `orphan`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct OrphanArgs {
    /// Instances, or nodes as plans name them
    #[arg(value_name = "NAME", required = true)]
    pub what: Vec<String>,
    /// What it is about.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Do not ask
    #[arg(short, long, help_heading = "Answers")]
    pub yes: bool,
}

/// `adopt`, `protect on` and `protect off`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct MarkArgs {
    /// An instance, or a node as plans name it
    #[arg(value_name = "NAME")]
    pub what: String,
    /// What it is about.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Do not ask
    #[arg(short, long, help_heading = "Answers")]
    pub yes: bool,
}

/// `adopt`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct AdoptArgs {
    /// Take it from this flavour of the project
    #[arg(long, value_name = "FLAVOUR")]
    pub from: Option<String>,
    /// What, where, and whether to ask.
    #[command(flatten)]
    pub mark: MarkArgs,
}

/// What is said about whether something may go.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ProtectCommand {
    /// It must stay, until somebody says otherwise
    #[command(
        after_help = "Examples:\n  datamill protect on demo-store/claim/data -l -f flavours/demo.yaml\n  datamill protect on target/cluster/datamill-demo -l"
    )]
    On(MarkArgs),
    /// It may go; data still needs `--include-data` and the project's name
    #[command(
        after_help = "Example:\n  datamill protect off demo-store/claim/data -l -f flavours/demo.yaml"
    )]
    Off(MarkArgs),
}
