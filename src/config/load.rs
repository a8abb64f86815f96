//! The configuration from all its sources: built-in file, file, environment, flags; later wins.

use std::{
    fs::File,
    io::{self, Read as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Cgroup, Config, Findings, Secret, budget, check, documented, env,
    error::{ConfigErrors, Origin, Problem},
    fit,
    tree::{Found, Node, Value, steps},
    yaml,
};

/// Where a configuration comes from, in order of precedence from low to high.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A file of the user; `None`: the built-in file alone.
    pub file: Option<PathBuf>,
    /// Environment variables, of which only some are looked at: [`env::variables`].
    ///
    /// [`env::variables`]: super::variables
    pub env: Vec<(String, String)>,
    /// What the command line says.
    pub flags: Flags,
    /// Whose limits the agent must keep.
    pub cgroup: Cgroup,
}

/// The keys that the command line sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `proxy.listen`
    pub listen: Option<String>,
    /// `proxy.upstream`
    pub upstream: Option<String>,
    /// `ops.listen`
    pub ops_listen: Option<String>,
}

/// A configuration that holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Complete: `drain.delay` and `capture.queue_bytes` are decided, the token file, certificates and keys
    /// are read.
    pub config: Config,
    /// What is allowed and probably not meant; each names its key.
    pub warnings: Vec<String>,
    /// The keys that some source sets, in the order of the default file.
    pub settings: Vec<Setting>,
}

/// One key that is not left to its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Such as `proxy.listen`.
    pub key: String,
    /// As written; `***` for a secret.
    pub value: String,
    /// Who says so.
    pub origin: Origin,
}

/// Largest file that is read.
const MAX_FILE: u64 = 1 << 20;

/// How long Kubernetes goes on sending after it has said that the pod ends.
const KUBERNETES_DELAY: Duration = Duration::from_secs(5);

impl Sources {
    /// Reads everything anew, but does not look into certificates: to run by it, see
    /// [`load_with`](Self::load_with).
    ///
    /// # Errors
    /// All that is wrong, not the first of it.
    pub fn load(&self) -> Result<Loaded, ConfigErrors> {
        self.load_with(|_, _| {})
    }

    /// Reads everything anew. `examine` looks at what only the user of a setting can judge.
    ///
    /// # Errors
    /// All that is wrong, not the first of it.
    pub fn load_with(
        &self,
        examine: impl Fn(&Config, &mut Findings<'_>),
    ) -> Result<Loaded, ConfigErrors> {
        let mut problems = Vec::new();
        let tree = self.tree(&mut problems);
        self.settle(tree, problems, examine)
    }

    /// The configuration of `tree`, if it holds.
    pub(super) fn settle(
        &self,
        mut tree: Node,
        mut problems: Vec<Problem>,
        examine: impl Fn(&Config, &mut Findings<'_>),
    ) -> Result<Loaded, ConfigErrors> {
        let settings = settings(&tree);
        let fitted = fit::fit(&mut tree, &mut problems);
        let Some(mut config) = fitted else {
            return Err(ConfigErrors(problems));
        };
        let mut findings = Findings::new(&tree, problems);
        self.complete(&mut config, &mut findings);
        budget::fit(&mut config, self.cgroup.memory_limit(), &mut findings);
        check::check(&config, &mut findings);
        examine(&config, &mut findings);
        let (problems, warnings) = findings.into_parts();
        if problems.is_empty() {
            Ok(Loaded {
                config,
                warnings,
                settings,
            })
        } else {
            Err(ConfigErrors(problems))
        }
    }

    /// The operator's address alone, for a probe: it must not fail, and have the container killed,
    /// because a file that the running agent has refused is wrong elsewhere.
    ///
    /// # Errors
    /// What is wrong with that key.
    pub fn ops_listen(&self) -> Result<SocketAddr, ConfigErrors> {
        let mut problems = Vec::new();
        let mut tree = self.tree(&mut problems);
        let config = fit::fit(&mut tree, &mut problems);
        let own = |problem: &Problem| problem.key == "ops.listen";
        match config {
            Some(config) if !problems.iter().any(own) => Ok(config.ops.listen),
            _ => Err(ConfigErrors(problems)),
        }
    }

    /// What a variable of the environment says of the surroundings; empty: nothing.
    pub fn variable(&self, name: &str) -> &str {
        let mut env = self.env.iter();
        let found = env.find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// All layers, one on top of the other.
    fn tree(&self, problems: &mut Vec<Problem>) -> Node {
        let mut tree = documented::TREE.clone();
        if let Some(node) = self.file.as_deref().and_then(|file| read(file, problems)) {
            tree.merge(node, problems);
        }
        env::apply(&mut tree, &self.env, problems);
        for (flag, key, value) in self.flags.given() {
            let node = Node::text(value, Origin::Flag(flag));
            tree.merge(Node::nested(&steps(key), node), problems);
        }
        tree
    }

    /// Decides what depends on the surroundings.
    fn complete(&self, config: &mut Config, findings: &mut Findings<'_>) {
        let delay = if env::in_kubernetes(&self.env) {
            KUBERNETES_DELAY
        } else {
            Duration::ZERO
        };
        config.drain.delay.get_or_insert(delay);
        for (key, file) in config.pem_files_mut() {
            if let Err(error) = file.read() {
                findings.refuse(&key, format_args!("cannot be read: {error}"));
            }
        }
        for (place, target) in config.drift.notify.iter_mut().enumerate() {
            for (key, given) in target.given_mut() {
                let Some(file) = given.file() else { continue };
                match read_token(file) {
                    Ok(said) => given.take(&said),
                    Err(error) => findings.refuse(
                        &format!("drift.notify[{place}].{key}"),
                        format_args!("cannot be read: {error}"),
                    ),
                }
            }
        }
        for (name, given) in &mut config.otlp.headers {
            let Some(file) = given.file() else { continue };
            match read_token(file) {
                Ok(said) => given.take(&said),
                Err(error) => findings.refuse(
                    &format!("otlp.headers.{name}"),
                    format_args!("cannot be read: {error}"),
                ),
            }
        }
        let Some(path) = &config.ops.token_file else {
            return;
        };
        if config.ops.token.is_some() {
            findings.warn("ops.token", "is not used: ops.token_file wins");
        }
        match read_token(path) {
            Ok(token) => config.ops.token = Some(token),
            Err(error) => findings.refuse("ops.token_file", format!("cannot be read: {error}")),
        }
    }
}

impl Flags {
    fn given(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        [
            ("--listen", "proxy.listen", &self.listen),
            ("--upstream", "proxy.upstream", &self.upstream),
            ("--ops-listen", "ops.listen", &self.ops_listen),
        ]
        .into_iter()
        .filter_map(|(flag, key, value)| Some((flag, key, value.as_deref()?)))
    }
}

/// The tree of a file; nothing where it cannot be read, which is reported.
fn read(file: &Path, problems: &mut Vec<Problem>) -> Option<Node> {
    let name = file.display().to_string();
    let read = read_text(file, MAX_FILE).map_err(|error| Problem {
        key: name.clone(),
        message: format!("cannot be read: {error}"),
        origin: Origin::File {
            file: name.clone(),
            line: 0,
        },
    });
    match read.and_then(|text| yaml::read(&text, &name, problems).map_err(|problem| *problem)) {
        Ok(node) => Some(node),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

/// The text of a file of at most `max` bytes.
fn read_text(file: &Path, max: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(max + 1).read_to_string(&mut text)?;
    if text.len() as u64 > max {
        return Err(io::Error::other(format!("larger than {max} bytes")));
    }
    Ok(text)
}

/// A token without the line end that editors and `kubectl` leave behind it.
fn read_token(file: &Path) -> io::Result<Secret> {
    let text = read_text(file, 4096)?;
    Ok(Secret::from(text.trim_end_matches(['\n', '\r'])))
}

/// What the sources say, as far as it is not the default.
fn settings(tree: &Node) -> Vec<Setting> {
    let mut settings = Vec::new();
    tree.leaves(&mut |key, node| {
        if node.origin != Origin::BuiltIn {
            settings.push(Setting {
                value: shown(&key, &node.value),
                origin: node.origin.clone(),
                key,
            });
        }
    });
    settings
}

/// The keys whose text is never shown.
const SECRETS: [&str; 2] = ["ops.token", "log.redact_key"];

/// Fields with their values, or one text of both.
const SECRET_FIELDS: &str = "otlp.headers";

fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key) || key.starts_with(SECRET_FIELDS)
}

fn shown(key: &str, value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Text(_) if is_secret(key) => "***".to_owned(),
        Value::Text(text) => text.clone(),
        Value::List(items) if items.is_empty() => "none".to_owned(),
        Value::List(items) if items.len() == 1 => "1 entry".to_owned(),
        Value::List(items) => format!("{} entries", items.len()),
        other => Found(other).to_string(),
    }
}

#[cfg(test)]
mod tests;
