//! How right each version was, where labels came, and else how they would come.

use super::state::{Dropped, State, Version};
use crate::{
    feedback::{ClassReport, Confusion, Desk, Known, Report, Stated},
    observe::board::Gap,
    ops::Ops,
};

/// Classes of one version whose figures are shown.
const CLASSES: usize = 20;
/// Versions that are not listed, and whose drop is told of.
const DROPPED: usize = 20;

/// Puts what was last published to the versions it is of, and names those without. The thread that joins
/// labels is not asked: it may be busy for a minute, and a page is not kept waiting.
pub(super) fn put(state: &mut State, ops: &Ops) {
    let known = ops.desk.as_ref().map(Desk::known);
    let stated = known.as_deref().map_or(&[][..], |known| &known.models);
    let listed = state.models.as_deref_mut().unwrap_or_default();
    for version in &mut *listed {
        let found = stated.iter().find(|of| is_of(of, version));
        version.accuracy = found.map(|stated| short(&stated.report, CLASSES));
    }
    let is_listed = |of: &Stated| listed.iter().any(|version| is_of(of, version));
    let others = stated.iter().filter(|of| !is_listed(of));
    let dropped = others.filter(|of| has_dropped(&of.report)).take(DROPPED);
    state.dropped = dropped.map(unlisted).collect();
    let port = ops.settings.borrow().ops.listen.port();
    let without = |version: &&Version| version.serving && version.accuracy.is_none();
    let gaps = listed.iter().filter(without);
    let gaps: Vec<_> = gaps.map(|of| gap(of, known.as_deref(), port)).collect();
    state.missing.extend(gaps);
}

fn is_of(stated: &Stated, version: &Version) -> bool {
    stated.model == version.model && stated.model_version == version.version
}

fn has_dropped(report: &Report) -> bool {
    let drops = [
        report.classification.as_ref().map(|of| of.drop),
        report.regression.as_ref().map(|of| of.drop),
    ];
    drops.iter().flatten().any(|drop| drop.current.is_some())
}

fn unlisted(stated: &Stated) -> Dropped {
    Dropped {
        model: stated.model.clone(),
        version: stated.model_version.clone(),
        accuracy: short(&stated.report, 0),
    }
}

/// Without what a page has no room for.
fn short(report: &Report, most: usize) -> Report {
    let of_classes = |of: &ClassReport| {
        let frequent = of.frequent(most).into_iter();
        ClassReport {
            classes: frequent.map(|place| of.classes[place].clone()).collect(),
            confusion: Confusion::default(),
            reliability: of.reliability.clone(),
            estimate: of.estimate,
            ..*of
        }
    };
    Report {
        classification: report.classification.as_ref().map(of_classes),
        regression: report.regression.clone(),
    }
}

/// `known`: what labels say; `None`: no predictions are kept for any.
fn gap(version: &Version, known: Option<&Known>, port: u16) -> Gap {
    let (why, configure, command) = match known {
        Some(known) if known.is_whole => {
            let command = format!(
                "curl -d '{{\"request_id\": \"ID\", \"label\": \"CLASS\"}}' 'http://localhost:{port}/feedback'"
            );
            let why = "no label has come yet: how right the model is cannot be said";
            (why, None, Some(command))
        }
        Some(_) => (
            "labels of before the start have not been read yet",
            None,
            None,
        ),
        None => {
            let why = "labels are not asked for: drift says different, not wrong";
            (why, Some("feedback: {enabled: true}".to_owned()), None)
        }
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
