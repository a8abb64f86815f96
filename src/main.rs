//! The binary: reads the command line and starts what it asks for.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use sidelight::{
    app::{self, baseline, history, inject::Manifests, replay, top},
    cli::{self, Command, Report},
};

/// Its own thread gives back what is free. What thousands of clients took at once lies scattered among
/// what stays, and the system's allocator would keep all of it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let report = match cli::parse() {
        Command::Run(sources) => match sources.load_with(app::examine) {
            Ok(loaded) => of_outcome(app::run(sources, loaded)),
            Err(errors) => Report::of_errors(&errors),
        },
        Command::Iris(cli::Iris { child: true, .. }) => of_outcome(app::iris::serve_as_child()),
        Command::Iris(cli::Iris { listen, .. }) => of_outcome(app::iris::serve(listen)),
        Command::Demo(asked) => of_outcome(app::demo::run(&asked)),
        Command::Check(sources) => cli::check::report(&sources, app::examine_all),
        Command::Config => cli::documented(),
        Command::Baseline(asked) => return build_baseline(asked),
        Command::Drift(asked) => return drift(asked),
        Command::Explain(explain) => match explain.sources.load() {
            Ok(loaded) => app::explain(&loaded.config, explain.file.as_deref()),
            Err(errors) => Report::of_errors(&errors),
        },
        Command::Replay(asked) => match asked.sources.load() {
            Ok(loaded) => of_outcome(replay::replay(&loaded.config, &of_logs(asked.logs))),
            Err(errors) => Report::of_errors(&errors),
        },
        Command::Probe(cli::Probe { target, address }) => {
            match app::probe(address, target.path()) {
                Ok(answer) => Report::text(answer),
                Err(error) => failed(&error),
            }
        }
        Command::Inject(asked) => manifests(app::inject::inject(&asked)),
        Command::Uninject(asked) => manifests(app::inject::uninject(&asked)),
        Command::Webhook(asked) => of_outcome(app::webhook::run(&asked)),
        Command::GenCerts(asked) => match app::webhook::certificates(asked) {
            Ok(manifests) => Report::text(manifests),
            Err(error) => failed(&error),
        },
        Command::Leave(cli::Leave { address, time }) => {
            let told = app::leave(address);
            // whoever could not be told has to outlive its last client, too
            std::thread::sleep(time);
            of_outcome(told)
        }
        Command::Top(asked) => of_outcome(top::top(&top::Options {
            address: asked.address,
            every: asked.every,
            once: asked.once,
            model: asked.model,
        })),
    };
    ExitCode::from(report.print())
}

fn build_baseline(asked: cli::Baseline) -> ExitCode {
    let request = baseline::Request {
        rows: asked.file,
        options: baseline::BuildOptions {
            key: baseline::Key {
                model: asked.model,
                version: asked.version,
            },
            ordered: asked.ordered,
            categorical: asked.categorical,
            // more rows than can be counted are all
            limit: asked.limit.and_then(|limit| limit.try_into().ok()),
        },
        output: asked.output,
    };
    match baseline::baseline(&request) {
        Ok(()) => ExitCode::from(cli::OK),
        Err(error) => failed_with(&error, of_files(&error)),
    }
}

fn of_logs(asked: cli::Logs) -> replay::Request {
    replay::Request {
        files: asked.log,
        baselines: asked.baseline,
        html: asked.html,
        wanted: replay::Key {
            model: asked.model,
            version: asked.version,
        },
    }
}

/// The exit code of what went wrong with files of rows.
fn of_files(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<history::TableError>() {
        Some(error) if error.is_usage() => cli::USAGE,
        _ => cli::DRIFT_FAILED,
    }
}

fn failed_with(error: &anyhow::Error, code: u8) -> ExitCode {
    let report = Report::error(format!("sidelight: {error:#}\n"), code);
    ExitCode::from(report.print())
}

fn drift(asked: cli::Drift) -> ExitCode {
    let request = history::Request {
        baseline: asked.baseline,
        stream: asked.stream,
        options: history::Options {
            ordered: asked.ordered,
            rate: asked.rate,
            categorical: asked.categorical,
        },
        is_json: asked.json,
    };
    match history::drift(&request) {
        Ok(false) => ExitCode::from(cli::OK),
        Ok(true) => ExitCode::from(cli::FAILED),
        Err(error) => failed_with(&error, of_files(&error)),
    }
}

/// What comes of manifests goes on, what is said of them goes beside it.
fn manifests(outcome: Result<Manifests, app::inject::Failed>) -> Report {
    match outcome {
        Ok(manifests) => {
            for line in &manifests.report {
                eprintln!("{line}");
            }
            Report::text(manifests.text)
        }
        Err(failed) if failed.is_usage() => {
            Report::error(format!("sidelight: {failed}\n"), cli::USAGE)
        }
        Err(failed) => Report::error(format!("sidelight: {failed}\n"), cli::FAILED),
    }
}

/// Nothing to say, or what kept it from running.
fn of_outcome(outcome: anyhow::Result<()>) -> Report {
    match outcome {
        Ok(()) => Report::text(""),
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> Report {
    Report::error(format!("sidelight: {error:#}\n"), cli::FAILED)
}
