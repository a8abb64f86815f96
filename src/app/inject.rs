//! `sidelight inject` and `uninject`: files in, manifests out.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use crate::{
    cli,
    inject::{
        Options,
        annotations::{is_image, is_object_name, is_variable},
        manifest::{self, Source},
    },
};

pub use crate::inject::manifest::Manifests;

/// Ends of the names of files that a folder is read for.
const NAMES: [&str; 3] = ["yaml", "yml", "json"];

/// Why no manifests come of it.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// A file or folder.
    #[error("{0}: {1}")]
    Read(PathBuf, io::Error),
    /// A flag.
    #[error("--{0}: expected {1}")]
    Flag(&'static str, &'static str),
}

impl Failed {
    /// Whether the command line is to blame.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Flag(..))
    }
}

/// Puts Sidelight into what the files hold.
///
/// # Errors
/// A file cannot be read, or a flag cannot be meant.
pub fn inject(asked: &cli::Inject) -> Result<Manifests, Failed> {
    let options = options(&asked.sidecar)?;
    Ok(manifest::inject(&sources(&asked.file)?, &options))
}

/// Takes it out again.
///
/// # Errors
/// A file cannot be read.
pub fn uninject(asked: &cli::Uninject) -> Result<Manifests, Failed> {
    Ok(manifest::uninject(&sources(&asked.file)?))
}

/// What the flags say of sidecars.
///
/// # Errors
/// One that cannot be meant.
pub fn options(asked: &cli::Sidecar) -> Result<Options, Failed> {
    let checked = |flag, text: &Option<String>, is_one: fn(&str) -> bool, expected| match text {
        Some(text) if !is_one(text) => Err(Failed::Flag(flag, expected)),
        text => Ok(text.clone()),
    };
    let default = Options::default();
    let upstream_port = asked.upstream_port.as_deref().map(str::parse).transpose();
    let variable = "the name of a variable";
    Ok(Options {
        image: checked("image", &asked.image, is_image, "an image")?.unwrap_or(default.image),
        native: asked.native_sidecar,
        port: asked.port.unwrap_or(default.port),
        ops_port: asked.ops_port.unwrap_or(default.ops_port),
        upstream_port: upstream_port.map_err(|expected| Failed::Flag("upstream-port", expected))?,
        app_port_env: checked("app-port-env", &asked.app_port_env, is_variable, variable)?,
        config: checked(
            "config-map",
            &asked.config_map,
            is_object_name,
            "the name of a ConfigMap",
        )?,
        queue_bytes: asked.queue_bytes,
        cpu_limit: asked.cpu_limit.clone(),
    })
}

fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Failed> {
    let mut sources = Vec::new();
    for path in paths {
        let failed = |error| Failed::Read(path.clone(), error);
        if path.as_os_str() == "-" {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map_err(failed)?;
            sources.push(Source {
                name: "stdin".to_owned(),
                text,
            });
        } else if path.is_dir() {
            for file in manifests_in(path).map_err(failed)? {
                sources.push(source(&file)?);
            }
        } else {
            sources.push(source(path)?);
        }
    }
    Ok(sources)
}

fn source(path: &Path) -> Result<Source, Failed> {
    let text = fs::read_to_string(path).map_err(|error| Failed::Read(path.to_owned(), error))?;
    Ok(Source {
        name: path.display().to_string(),
        text,
    })
}

/// In the order of their names; folders within are left out, as `kubectl` does.
fn manifests_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_manifest = path
            .extension()
            .is_some_and(|end| NAMES.iter().any(|name| end == *name));
        if is_manifest && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
