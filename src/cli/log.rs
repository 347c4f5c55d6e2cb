//! The log for those who look for a fault: off unless `DATAMILL_LOG` names a filter. Its lines go through the screen, so that
//! they do not tear bars.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::ui::Screen;

/// Switches the log on with a filter such as `debug` or `datamill::engine=trace`. A bare level is meant for datamill alone:
/// libraries write whole requests at theirs, secrets included.
pub(super) fn start(filter: &str, screen: &Screen) {
    let filter =
        if filter.contains('=') { filter.to_owned() } else { format!("datamill={filter}") };
    let filter = EnvFilter::builder().parse_lossy(filter);
    let lines = Lines(screen.clone());
    let started = if screen.look().is_document() {
        tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(lines).try_init()
    } else {
        let colour = screen.look().colour_err;
        let log = tracing_subscriber::fmt().with_ansi(colour).without_time();
        log.with_env_filter(filter).with_writer(lines).try_init()
    };
    if let Err(error) = started {
        screen.warn(&format!("there is no log: {error}"));
    }
}

struct Lines(Screen);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { screen: self.0.clone(), bytes: Vec::new() }
    }
}

/// One event of the log: said when it is whole.
struct Line {
    screen: Screen,
    bytes: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.screen.say(&String::from_utf8_lossy(&self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::ui::{Look, Mode, Typed};

    #[test]
    fn a_line_of_the_log_is_said_whole() {
        let err = Arc::new(Mutex::new(Vec::new()));
        let out = Arc::new(Mutex::new(Vec::new()));
        let typist = Box::new(|| Typed::End);
        let screen = Screen::new(Look::new(Mode::Plain), out, err.clone(), typist);
        let mut line = Lines(screen).make_writer();
        line.write_all(b"half ").unwrap();
        line.write_all(b"whole\n").unwrap();
        assert!(err.lock().unwrap().is_empty());
        drop(line);
        assert_eq!(*err.lock().unwrap(), b"half whole\n");
    }
}
