//! How right each version was, where labels came, and else how they would come.

use super::state::{State, Version};
use crate::{
    feedback::{Confusion, Stated},
    observe::board::Gap,
    ops::Ops,
};

/// Classes of one version whose figures are shown.
const CLASSES: usize = 20;

/// What labels say; `None`: no predictions are kept for any, or nobody answers.
pub(super) async fn stated(ops: &Ops) -> Option<Vec<Stated>> {
    ops.desk.as_ref()?.stated().await.ok()
}

/// Puts it to the versions it is of, and names those without.
pub(super) fn put(state: &mut State, stated: Option<Vec<Stated>>, ops: &Ops) {
    let versions = state.models.as_deref_mut().unwrap_or_default();
    let mut stated = stated.unwrap_or_default();
    for version in &mut *versions {
        let is_it = |of: &Stated| of.model == version.model && of.model_version == version.version;
        let found = stated.iter().position(is_it);
        version.accuracy = found.map(|place| short(stated.swap_remove(place)));
    }
    let port = ops.settings.borrow().ops.listen.port();
    let is_enabled = ops.desk.is_some();
    let without = |version: &&Version| version.serving && version.accuracy.is_none();
    let gaps = versions.iter().filter(without);
    let gaps: Vec<_> = gaps.map(|of| gap(of, is_enabled, port)).collect();
    state.missing.extend(gaps);
}

/// Without what a page has no room for.
fn short(stated: Stated) -> crate::feedback::Report {
    let mut report = stated.report;
    if let Some(of) = &mut report.classification {
        of.classes.truncate(CLASSES);
        of.confusion = Confusion::default();
    }
    report
}

fn gap(version: &Version, is_enabled: bool, port: u16) -> Gap {
    let (why, configure, command) = if is_enabled {
        let command = format!(
            "curl -d '{{\"request_id\": \"ID\", \"label\": \"CLASS\"}}' 'http://localhost:{port}/feedback'"
        );
        let why = "no label has come yet: how right the model is cannot be said";
        (why, None, Some(command))
    } else {
        let why = "labels are not asked for: drift says different, not wrong";
        (why, Some("feedback: {enabled: true}".to_owned()), None)
    };
    Gap {
        what: "labels",
        model: version.model.clone(),
        version: Some(version.version.clone()),
        route: None,
        format: None,
        count: 0,
        why: why.to_owned(),
        configure,
        command,
    }
}
