//! The model on another port, by the variable that tells it which.

use serde_json::{Value, json};

use super::{
    Skip,
    pod::{Port, container_path, list, text},
    status::Edits,
};

/// From here on: below the ports that kernels give to clients.
pub(super) const FROM: u16 = 21000;

/// Whether the variable can move `port`: it is not set, or is that port.
pub(super) fn can_move(pod: &Value, port: &Port, variable: &str) -> Result<(), Skip> {
    match place(pod, port, variable) {
        None => Ok(()),
        Some((_, Some(value))) if value == port.number.to_string() => Ok(()),
        Some(_) => Err(Skip::AppPortEnv {
            name: variable.to_owned(),
            port: port.number,
        }),
    }
}

/// Where the variable is, and its value, if that is written there.
fn place<'a>(pod: &'a Value, port: &Port, variable: &str) -> Option<(usize, Option<&'a str>)> {
    let variables = pod.pointer(&container_path(port.container))?;
    let mut named = list(variables, "/env").iter().enumerate();
    let (at, found) = named.find(|(_, found)| text(found, "/name") == Some(variable))?;
    Some((at, text(found, "/value")))
}

/// Moves it to `to`.
pub(super) fn set(edits: &mut Edits, port: &Port, variable: &str, to: u16) {
    let env = format!("{}/env", container_path(port.container));
    match place(edits.object(), port, variable) {
        Some((at, _)) => edits.set(&format!("{env}/{at}/value"), to.to_string().into()),
        None => edits.append(&env, json!({"name": variable, "value": to.to_string()})),
    }
    edits.set(&format!("{}/containerPort", port.path()), to.into());
}
