// How right a version was, where labels came: a report of its classes, of its numbers, or of both.

/** A drop of what was right that goes on. */
function dropOf(version) {
  return droppedReports(version).map((report) => report.drop)[0] || null;
}

function droppedReports(version) {
  const { classification, regression } = (version && version.accuracy) || {};
  return [classification, regression].filter((report) => report && report.drop && report.drop.current);
}

/** "Was 94.0 % right, now about 81.2 % of those since label 5,211.", of each report that has dropped. */
function dropText(version) {
  return droppedReports(version).map(({ drop, tolerance }) => {
    const { baseline, accuracy, since } = drop.current;
    const right = tolerance === undefined ? "right" : tolerance === null ? "near enough" : "off by no more than " + numberText(tolerance);
    return "Was " + shareText(baseline.accuracy) + " " + right + ", now about " + shareText(accuracy) + " of those since label " + countText(since) + ".";
  }).join(" ");
}

function showAccuracy(version) {
  const accuracy = version && version.accuracy;
  setHidden(byId("accuracy-panel"), !accuracy);
  if (!accuracy) return;
  const { classification, regression } = accuracy;
  const tiles = [...(classification ? classTiles(classification) : []), ...(regression ? valueTiles(regression) : [])];
  showTiles(byId("accuracy"), tiles.filter((tile) => isNumber(tile.value)));
  const labels = (classification ? classification.labels : 0) + (regression ? regression.labels : 0);
  setText(byId("accuracy-note"), "of " + plural(labels, "label") + " in the window" + (dropOf(version) ? "; it has dropped" : ""));
  showClassFigures(classification);
}

/** Of the classes with most labels: how far what is said of one holds, and how much of it is found. */
function showClassFigures(report) {
  const rows = [...(report ? report.classes || [] : [])].sort((a, b) => b.support - a.support);
  const parent = byId("accuracy-classes");
  setHidden(parent, rows.length === 0);
  if (rows.length === 0) return;
  const view = only(parent, "classes", makeClassFigures);
  const left = report.labels - total(rows.map((row) => row.support));
  setText(view.caption, "Class by class" + (left > 0 ? "; " + plural(left, "label") + " of other classes" : ""));
  keyed(view.body, rows, (row) => row.class, makeClassFigure, (node, row) => {
    const { name, precision, recall, support } = partsOf(node);
    setAttribute(node, "data-class", nameText(row.class));
    setName(name, row.class);
    setFigure(precision, "class_precision", row.precision, shareText(row.precision));
    setFigure(recall, "class_recall", row.recall, shareText(row.recall));
    setFigure(support, "class_labels", row.support, countText(row.support));
  });
}

function makeClassFigures() {
  const heading = (text, name) => make("th", { scope: "col", class: name }, text);
  const caption = make("caption");
  const body = make("tbody");
  const head = make("tr", {}, heading("Class"), heading("Precision", "number"), heading("Recall", "number"), heading("Labels", "number"));
  const table = make("table", {}, caption, make("thead", {}, head), body);
  const root = make("div", { class: "list scroll", tabindex: "0", role: "region", "aria-label": "Precision and recall of each class" }, table);
  return { root, caption, body };
}

function makeClassFigure() {
  const figure = (part) => make("td", { class: "number", "data-part": part });
  return make("tr", {}, make("th", { scope: "row" }, make("bdi", { class: "name", "data-part": "name" })), figure("precision"), figure("recall"), figure("support"));
}

function classTiles(report) {
  const { accuracy, macro_f1: f1, log_loss: loss, brier, calibration_error: error } = report;
  const figure = (name, label, one, aside) => numberTile(name, label, one && one.value, aside);
  return [
    accuracy && { name: "accuracy", label: "Right", value: accuracy.value, text: shareText(accuracy.value),
      level: report.drop && report.drop.current ? "bad" : null,
      aside: shareText(accuracy.low) + " to " + shareText(accuracy.high) + ", by 95 %" },
    estimateTile(report.estimate),
    numberTile("labels", "Labels", report.labels, "with a class", countText),
    numberTile("macro_f1", "Macro F1", f1, "mean of all classes"),
    figure("calibration_error", "Calibration error", error, "mean distance of confidence and accuracy"),
    figure("log_loss", "Log loss", loss, "nats"),
    figure("brier", "Brier score", brier, "0 is best"),
  ].filter(Boolean);
}

/** A guess, and named one: beside it how far such a guess was from what labels said. */
function estimateTile(estimate) {
  if (!estimate) return null;
  const { accuracy, error } = estimate;
  const was = isNumber(error) ? "was off by " + numberText(Math.abs(error)) + " on labelled ones" : "how far off is not known yet";
  return { name: "accuracy_estimate", label: "Estimated right", value: accuracy, text: shareText(accuracy),
    also: ["accuracy_estimate_error", error], aside: "estimated without labels; " + was };
}

function valueTiles(report) {
  return [
    { ...numberTile("mae", "Mean error", report.mae, "absolute"), level: report.drop && report.drop.current ? "bad" : null },
    numberTile("rmse", "Root mean square", report.rmse, "of the errors"),
    numberTile("r2", "R squared", report.r2, "1 is best"),
    numberTile("value_labels", "Labels", report.labels, "with a number", countText),
  ];
}

function numberTile(name, label, value, aside, text = numberText) {
  return { name, label, value, text: text(value), aside };
}
