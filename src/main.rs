//! The program: hands its arguments to the command line and ends with the exit code it gets back.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(datamill::cli::run(&std::env::args_os().collect::<Vec<_>>()))
}
