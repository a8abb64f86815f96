//! Everything that does not fit, not the first of it: what is reported is set back to its default
//! (or passed over where there is none), and filling begins again.

use super::{
    Config,
    closest::closest,
    documented,
    error::Problem,
    fill::fill,
    misfit::{Misfit, Why},
    tree::{Node, Shown, Step, Value},
};

/// Most misfits that are looked for.
const MOST: usize = 500;

/// The configuration of `tree`, with defaults for what does not fit; `None` if there is no end of
/// misfits. `tree` is changed accordingly.
pub(super) fn fit(tree: &mut Node, problems: &mut Vec<Problem>) -> Option<Config> {
    for _ in 0..MOST {
        match fill(tree) {
            Ok(config) => return Some(config),
            Err(misfit) => {
                report(tree, &misfit, problems);
                repair(tree, &misfit)?;
            }
        }
    }
    None
}

fn report(tree: &Node, misfit: &Misfit, problems: &mut Vec<Problem>) {
    let path = misfit.path();
    let key = Shown(&path).to_string();
    let holder = format!("{}.", Shown(&path[..path.len().saturating_sub(1)]));
    let below = format!("{key}.");
    let message = match &misfit.why {
        // without its part that is wrong it does not fit either: once is enough
        Why::Unfit(_) if problems.iter().any(|p| p.key.starts_with(&below)) => return,
        Why::Unfit(text) => text.clone(),
        Why::Unknown(known) => unknown(&path, known),
        // a misspelt or misused key is missing as well: once is enough
        Why::Missing if problems.iter().any(|p| p.key.starts_with(&holder)) => return,
        Why::Missing => "missing".to_owned(),
    };
    problems.push(Problem {
        key,
        message,
        origin: tree.origin_of(&path).clone(),
    });
}

fn repair(tree: &mut Node, misfit: &Misfit) -> Option<()> {
    let mut path = misfit.path();
    if let Why::Missing = misfit.why {
        path.pop();
    }
    let default = documented::TREE.get(&path).map(|node| node.value.clone());
    let node = tree.get_mut(&path)?;
    node.value = default.unwrap_or(Value::Refused);
    Some(())
}

/// What to say of a key that does not exist.
fn unknown(path: &[Step], known: &[&'static str]) -> String {
    let (Some(Step::Key(written)), section) = (path.last(), &path[..path.len() - 1]) else {
        return "unknown key".to_owned();
    };
    let near = closest(written, known.iter().copied()).map(|name| {
        let mut meant = section.to_vec();
        meant.push(Step::Key(name.to_owned()));
        Shown(&meant).to_string()
    });
    let elsewhere = || {
        let same = |key: &String| key.rsplit('.').next() == Some(written.as_str());
        documented::keys().into_iter().find(same)
    };
    match near.or_else(elsewhere) {
        Some(meant) => format!("unknown key, did you mean {meant}?"),
        None => format!("unknown key, there are {}", known.join(", ")),
    }
}
