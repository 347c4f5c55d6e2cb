//! The command line: parse, resolve, run one use case, say how it ended. Thin: what a command does stands in `ops`.

pub mod args;
pub mod failure;
pub mod fold;
mod log;
pub mod mark;
pub mod options;
pub mod settings;
mod signal;
mod split;
mod suggest;

use std::ffi::OsString;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::runtime::Builder;
use tokio::sync::watch;

use crate::model::{Failure, FailureKind};
use crate::ops::Cancel;
use crate::ops::{self, Ended, Settings};
use crate::ui::{Screen, Typist};

use self::fold::{Action, Listing, Pins, Request};
use self::options::OutputArg;
use self::settings::Surroundings;

/// How often silent steps are looked for.
const BEAT: Duration = Duration::from_secs(1);
/// What a run gets after the second interrupt, to write down what was done and to give back its lock.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs one command; gives the exit code.
pub fn run(args: &[OsString]) -> u8 {
    let (sender, cancel) = watch::channel(Cancel::No);
    let parsed = args::parse(args);
    let around = Surroundings::read();
    let output = match &parsed {
        Ok(cli) => cli.format.output,
        Err(_) => failure::wanted_output(args),
    };
    let early = screen(&around, output, None, signal::typist(cancel.clone()));
    if let Ok(cli) = &parsed {
        let typed = cli.options.clone();
        early.complete_by(Box::new(move |text| suggest::complete(text, &typed)));
    }
    let request = match parsed.map(fold::fold) {
        Ok(Ok(Some(request))) => request,
        Ok(Ok(None)) => {
            early.answer(&short_help(early.look().colour_out));
            return 0;
        }
        Ok(Err(failure)) => return failure::show(&failure, &early),
        Err(error) => return failure::show_usage(&error, &early),
    };
    let settings = match settings::resolve(&request, &around) {
        Ok(settings) => settings,
        Err(failure) => return failure::show(&failure, &early),
    };
    let screen = screen(&around, output, Some(&request.action), signal::typist(cancel.clone()));
    let typed = request.options.clone();
    screen.complete_by(Box::new(move |text| suggest::complete(text, &typed)));
    if let Some(filter) = settings.files.environment.get("DATAMILL_LOG") {
        log::start(filter, &screen);
    }
    let ended = carry_out(&request, &settings, &screen, sender, cancel);
    let code = match ended {
        Ok(Ended::Well) => 0,
        Ok(Ended::Changes) => 2,
        Ok(Ended::Drift) => 3,
        Err(failure) => return failure::show(&failure, &screen),
    };
    screen.finish(None);
    screen.unanswered().map_or(code, |failure| failure::show(&failure, &screen))
}

fn screen(
    around: &Surroundings,
    output: OutputArg,
    action: Option<&Action>,
    typist: Typist,
) -> Screen {
    let mut look = around.look(output);
    if let Some(action) = action {
        look.asked = action.asks_for();
    }
    let out = Arc::new(Mutex::new(std::io::stdout()));
    let err = Arc::new(Mutex::new(std::io::stderr()));
    Screen::new(look, out, err, typist)
}

fn short_help(colour: bool) -> String {
    let help = args::command_line().render_help();
    if colour { help.ansi().to_string() } else { help.to_string() }
}

/// Runs the use case, hears interrupts, and lets silent steps say that they are still at it.
fn carry_out(
    request: &Request,
    settings: &Settings,
    screen: &Screen,
    sender: watch::Sender<Cancel>,
    cancel: watch::Receiver<Cancel>,
) -> Result<Ended, Failure> {
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::new(FailureKind::Preflight, "cannot start worker threads").caused_by(&error)
    })?;
    let ended = runtime.block_on(async {
        // A task of its own: a question blocks this one, and must hear interrupts.
        let listener = tokio::spawn(signal::listen(sender));
        tokio::select! {
            biased;
            ended = command(request, settings, screen, cancel.clone()) => ended,
            () = given_up(cancel, screen) => Err(interrupted(screen)),
            _ = listener => Err(interrupted(screen)),
            () = beats(screen) => Err(interrupted(screen)),
        }
    });
    // What still runs are children that outlive us on purpose, or readers of a closed terminal.
    runtime.shutdown_background();
    ended
}

/// One use case. Boxed, since a use case holds much and only one of them is held at a time.
fn command<'a>(
    request: &'a Request,
    settings: &'a Settings,
    screen: &'a Screen,
    cancel: watch::Receiver<Cancel>,
) -> BoxFuture<'a, Result<Ended, Failure>> {
    match &request.action {
        Action::Validate => Box::pin(ops::validate(settings, screen)),
        Action::Plan => Box::pin(ops::plan(settings, screen)),
        Action::Apply { .. } => Box::pin(ops::apply(settings, screen, cancel)),
        Action::ApplySaved(file) => Box::pin(ops::apply_saved(settings, screen, cancel, file)),
        Action::Lock(lock) => Box::pin(pins(lock, settings, screen)),
        Action::Uninstall => Box::pin(ops::uninstall(settings, screen, cancel)),
        Action::Destroy => Box::pin(ops::destroy(settings, screen, cancel)),
        Action::Start => Box::pin(ops::start(settings, screen, cancel)),
        Action::Stop => Box::pin(ops::stop(settings, screen, cancel)),
        Action::Unlock(run) => Box::pin(ops::unlock(settings, screen, run.as_deref())),
        Action::Adopt { what, from } => {
            Box::pin(ops::adopt(settings, screen, cancel, what, from.as_deref()))
        }
        Action::Orphan(what) => Box::pin(ops::orphan(settings, screen, cancel, what)),
        Action::Protect { on, what } => Box::pin(ops::protect(settings, screen, cancel, *on, what)),
        Action::Status => Box::pin(ops::status(settings, screen)),
        Action::Connect { client, reveal } => {
            Box::pin(ops::connect(settings, screen, client.as_deref(), *reveal))
        }
        Action::Forward => Box::pin(ops::forward(settings, screen, cancel)),
        Action::Credentials { reveal } => Box::pin(ops::credentials(settings, screen, *reveal)),
        Action::Tools => Box::pin(ops::tools(settings, screen)),
        Action::ToolsInstall => Box::pin(ops::tools_install(settings, screen)),
        Action::Schema(of) => Box::pin(ops::schema(settings, screen, *of)),
        Action::List(listing) => Box::pin(list(listing, settings, screen)),
        Action::PostRender => Box::pin(ops::post_render(settings, screen)),
    }
}

async fn pins(lock: &Pins, settings: &Settings, screen: &Screen) -> Result<Ended, Failure> {
    match lock {
        Pins::Show => ops::lock_list(settings, screen).await,
        Pins::Update(name) => ops::lock_update(settings, screen, name.as_deref()).await,
    }
}

async fn list(listing: &Listing, settings: &Settings, screen: &Screen) -> Result<Ended, Failure> {
    match listing {
        Listing::Components => ops::components_list(settings, screen).await,
        Listing::Component(name) => ops::components_show(settings, screen, name).await,
        Listing::Flavours => ops::flavours_list(settings, screen).await,
        Listing::Flavour(name) => ops::flavours_show(settings, screen, name).await,
    }
}

/// Ends at the first interrupt while nothing runs whose end is worth waiting for; at the second soon after it.
async fn given_up(mut cancel: watch::Receiver<Cancel>, screen: &Screen) {
    while cancel.changed().await.is_ok() {
        if !screen.is_running() {
            return;
        }
        if *cancel.borrow() == Cancel::Stop {
            tokio::time::sleep(LAST_WORDS).await;
            return;
        }
    }
    std::future::pending::<()>().await;
}

async fn beats(screen: &Screen) {
    loop {
        tokio::time::sleep(BEAT).await;
        screen.beat(Instant::now());
    }
}

fn interrupted(screen: &Screen) -> Failure {
    if !screen.has_run() {
        return Failure::new(FailureKind::Interrupted, "interrupted; nothing was changed");
    }
    let what = "interrupted; what was done is consistent, and the same command goes on";
    let cut = screen.under_way().into_iter().map(|id| format!("`{id}` was cut off on its way"));
    let mut failure = Failure::new(FailureKind::Interrupted, what);
    failure.causes.extend(cut);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        args::command_line().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_and_an_imperative_without_full_stop() {
        fn check(command: &clap::Command) {
            for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
                if sub.get_name() == "help" {
                    continue;
                }
                let about =
                    sub.get_about().unwrap_or_else(|| panic!("{}", sub.get_name())).to_string();
                assert!(!about.ends_with('.'), "{about}");
                assert!(about.starts_with(char::is_uppercase), "{about}");
                let after = sub.get_after_help().unwrap_or_else(|| panic!("{}", sub.get_name()));
                assert!(after.to_string().contains("datamill "), "{after}");
                let help = sub.clone().max_term_width(80).render_long_help().to_string();
                assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
                check(sub);
            }
        }
        check(&args::command_line());
    }

    #[test]
    fn help_says_what_became_of_data_mills_h() {
        let help = args::command_line().render_long_help().to_string();
        assert!(help.contains("data-mill's -h is -k"), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        assert!(short_help(false).contains("its -h is -k"));
    }
}
