//! The binary: reads the command line and starts what it asks for.

use std::process::ExitCode;

use sidelight::cli::{self, Command, Report};

fn main() -> ExitCode {
    let report = match cli::parse() {
        Command::Check(sources) => cli::check::report(&sources),
        Command::Config => cli::documented(),
        Command::Run(_) | Command::Iris(_) | Command::Probe(_) => {
            Report::error("this build has no agent\n", cli::FAILED)
        }
    };
    ExitCode::from(report.print())
}
