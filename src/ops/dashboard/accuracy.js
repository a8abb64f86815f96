// How right a version was, where labels came: a report of its classes, of its numbers, or of both.

/** A drop of what was right that goes on. */
function dropOf(version) {
  const { classification, regression } = (version && version.accuracy) || {};
  return [classification, regression].map((report) => report && report.drop).find((drop) => drop && drop.current) || null;
}

function showAccuracy(version) {
  const accuracy = version && version.accuracy;
  setHidden(byId("accuracy-panel"), !accuracy);
  if (!accuracy) return;
  const { classification, regression } = accuracy;
  const tiles = [...(classification ? classTiles(classification) : []), ...(regression ? valueTiles(regression) : [])];
  showTiles(byId("accuracy"), tiles.filter((tile) => isNumber(tile.value)));
  const labels = (classification ? classification.labels : 0) + (regression ? regression.labels : 0);
  setText(byId("accuracy-note"), dropOf(version) ? "it has dropped" : "of " + plural(labels, "label") + " in the window");
}

function classTiles(report) {
  const { accuracy, macro_f1: f1, log_loss: loss, brier, calibration_error: error } = report;
  const figure = (name, label, one, aside) => numberTile(name, label, one && one.value, aside);
  return [
    accuracy && { name: "accuracy", label: "Right", value: accuracy.value, text: shareText(accuracy.value),
      level: report.drop && report.drop.current ? "bad" : null,
      aside: shareText(accuracy.low) + " to " + shareText(accuracy.high) + ", by 95 %" },
    numberTile("labels", "Labels", report.labels, "with a class", countText),
    numberTile("macro_f1", "Macro F1", f1, "mean of all classes"),
    figure("calibration_error", "Calibration error", error, "confidence less accuracy"),
    figure("log_loss", "Log loss", loss, "nats"),
    figure("brier", "Brier score", brier, "0 is best"),
  ].filter(Boolean);
}

function valueTiles(report) {
  return [
    numberTile("mae", "Mean error", report.mae, "absolute"),
    numberTile("rmse", "Root mean square", report.rmse, "of the errors"),
    numberTile("r2", "R squared", report.r2, "1 is best"),
    numberTile("value_labels", "Labels", report.labels, "with a number", countText),
  ];
}

function numberTile(name, label, value, aside, text = numberText) {
  return { name, label, value, text: text(value), aside };
}
