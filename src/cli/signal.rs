//! Interrupts and the keyboard. The first SIGINT or SIGTERM starts nothing new, the second stops, the third gives up at once.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::ops::Cancel;
use crate::ui::{Typed, Typist};

/// How often a pending question looks whether it was interrupted.
const GLANCE: Duration = Duration::from_millis(100);

/// Tells each interrupt to those who watch; ends with the third.
pub(super) async fn listen(cancel: watch::Sender<Cancel>) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers a signal ends the program, as it would any other.
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        let level = *cancel.borrow();
        match level {
            Cancel::No | Cancel::LockLost => cancel.send_replace(Cancel::StartNothing),
            Cancel::StartNothing => cancel.send_replace(Cancel::Stop),
            Cancel::Stop => return,
        };
    }
}

/// Waits for a line in a thread of its own, so that an interrupt is heard while somebody thinks about a question.
pub(super) fn typist(cancel: watch::Receiver<Cancel>) -> Typist {
    Box::new(move || {
        let (sender, lines) = mpsc::sync_channel(1);
        let reader = std::thread::Builder::new().name("keyboard".to_owned()).spawn(move || {
            let mut line = String::new();
            let typed = match std::io::stdin().read_line(&mut line) {
                Ok(0) | Err(_) => Typed::End,
                Ok(_) => Typed::Line(line),
            };
            // Nobody waits any more when the question was interrupted.
            sender.send(typed).ok();
        });
        if reader.is_err() {
            return Typed::End;
        }
        loop {
            match lines.recv_timeout(GLANCE) {
                Ok(typed) => return typed,
                Err(RecvTimeoutError::Disconnected) => return Typed::End,
                Err(RecvTimeoutError::Timeout) if *cancel.borrow() != Cancel::No => {
                    return Typed::Interrupted;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    })
}
