//! A command as clap gives it becomes what is to be done and its options.

use super::args::{
    Command, ConnectArgs, CredentialArgs, ListCommand, LockCommand, ReadArgs, SchemaArg,
    ToolsCommand,
};
use super::fold::{Action, Listing, Pins};
use super::mark::{MarkArgs, OrphanArgs, ProtectCommand};
use super::options::{ConsentArgs, Options};
use crate::ops::{SchemaKind, SchemaOf};

pub(super) fn split(command: Command) -> (Action, Options) {
    let none = Options::default();
    match command {
        Command::Validate(args) => read(Action::Validate, args),
        Command::Status(args) => read(Action::Status, args),
        Command::Connect(ConnectArgs { client, reveal, read: args }) => {
            read(Action::Connect { client, reveal }, args)
        }
        Command::Forward(args) => read(Action::Forward, args),
        Command::Credentials(CredentialArgs { read: args, reveal }) => {
            read(Action::Credentials { reveal }, args)
        }
        Command::Plan(args) => {
            let (place, parts, needs) = (args.place, args.parts, args.needs);
            let (consent, preflight, exit) = (args.consent, args.preflight, args.exit);
            let (drawn, cascade, destroy) = (args.drawn, args.cascade, args.destroy);
            let options = Options {
                place,
                parts,
                needs,
                cascade,
                consent,
                preflight,
                destroy,
                exit,
                drawn,
                ..none
            };
            (Action::Plan, options)
        }
        Command::Apply(args) => {
            let (place, parts, needs) = (args.place, args.parts, args.needs);
            let (consent, preflight, run) = (args.consent, args.preflight, args.run);
            let deferred = args.deferred;
            let options =
                Options { place, parts, needs, consent, preflight, run, deferred, ..none };
            let action = match args.plan {
                Some(plan) => Action::ApplySaved(plan),
                None => Action::Apply { as_flag: false },
            };
            (action, options)
        }
        Command::Uninstall(args) => {
            let (place, parts, cascade) = (args.place, args.parts, args.cascade);
            let (consent, preflight, run) = (args.consent, args.preflight, args.run);
            let options = Options { place, parts, cascade, consent, preflight, run, ..none };
            (Action::Uninstall, options)
        }
        Command::Destroy(args) => {
            let (place, destroy) = (args.place, args.destroy);
            let (consent, preflight, run) = (args.consent, args.preflight, args.run);
            (Action::Destroy, Options { place, consent, preflight, run, destroy, ..none })
        }
        Command::Start(args) => {
            (Action::Start, Options { place: args.place, run: args.run, ..none })
        }
        Command::Unlock(args) => {
            let consent = ConsentArgs { yes: args.yes, ..ConsentArgs::default() };
            (Action::Unlock(args.run), Options { place: args.place, consent, ..none })
        }
        Command::Adopt(args) => {
            let from = args.from;
            marked(args.mark, |what| Action::Adopt { what, from })
        }
        Command::Orphan(args) => orphaned(args),
        Command::Protect { action } => protected(action),
        Command::Stop(args) => (Action::Stop, Options { place: args.place, ..none }),
        Command::Tools { action: None } => (Action::Tools, none),
        Command::Tools { action: Some(ToolsCommand::Install) } => (Action::ToolsInstall, none),
        Command::Schema { kind } => (Action::Schema(kind.map(schema)), none),
        Command::Lock { action, place } => lock(action, Options { place, ..none }),
        Command::Components { action } => list(action, Listing::Components, Listing::Component),
        Command::Flavours { action } => list(action, Listing::Flavours, Listing::Flavour),
        Command::HelmPostRender => (Action::PostRender, none),
    }
}

/// A command that only reads.
fn read(action: Action, args: ReadArgs) -> (Action, Options) {
    (action, Options { place: args.place, parts: args.parts, ..Options::default() })
}

fn lock(action: Option<LockCommand>, below: Options) -> (Action, Options) {
    match action {
        None => (Action::Lock(Pins::Show), below),
        Some(LockCommand::Update { name, place }) => {
            let options = Options { place, ..Options::default() };
            (Action::Lock(Pins::Update(name)), options.over(below))
        }
    }
}

fn protected(action: ProtectCommand) -> (Action, Options) {
    match action {
        ProtectCommand::On(args) => marked(args, |what| Action::Protect { on: true, what }),
        ProtectCommand::Off(args) => marked(args, |what| Action::Protect { on: false, what }),
    }
}

fn orphaned(args: OrphanArgs) -> (Action, Options) {
    let consent = ConsentArgs { yes: args.yes, ..ConsentArgs::default() };
    (Action::Orphan(args.what), Options { place: args.place, consent, ..Options::default() })
}

/// A command about the marks of what it names.
fn marked(args: MarkArgs, action: impl FnOnce(String) -> Action) -> (Action, Options) {
    let consent = ConsentArgs { yes: args.yes, ..ConsentArgs::default() };
    (action(args.what), Options { place: args.place, consent, ..Options::default() })
}

fn list(
    action: Option<ListCommand>,
    all: Listing,
    one: fn(String) -> Listing,
) -> (Action, Options) {
    let none = Options::default();
    match action {
        None => (Action::List(all), none),
        Some(ListCommand::List(args)) => (Action::List(all), Options { place: args.place, ..none }),
        Some(ListCommand::Show { name, place }) => {
            (Action::List(one(name)), Options { place, ..none })
        }
    }
}

fn schema(kind: SchemaArg) -> SchemaOf {
    match kind {
        SchemaArg::Flavour => SchemaOf::File(SchemaKind::Flavour),
        SchemaArg::Target => SchemaOf::File(SchemaKind::Target),
        SchemaArg::Settings => SchemaOf::File(SchemaKind::Settings),
        SchemaArg::Component => SchemaOf::File(SchemaKind::Component),
        SchemaArg::Plan => SchemaOf::Plan,
    }
}
