// One small picture for each series, and what was found of it.

function seriesLevel(series) {
  if (series.drift_detected) return ["bad", "drifts"];
  if (series.problems.length > 0) return ["warn", PROBLEM_WORDS[series.problems[0]] || series.problems[0]];
  if (!series.is_warm) return ["none", "warming up"];
  // nothing of it has passed, so nothing was compared
  if (series.predictions === 0) return ["none", "not seen"];
  return ["ok", "as before"];
}

const PROBLEM_WORDS = {
  missing: "often missing",
  out_of_range: "out of range",
  unseen: "unseen classes",
  type_changed: "words in it",
  constant: "does not change",
};

function showFeatures(version) {
  const series = version ? version.series.filter((one) => !OWN_SERIES.includes(one.name)) : [];
  const empty = byId("features-empty");
  setHidden(byId("features-legend"), series.length === 0);
  setHidden(empty, series.length > 0);
  setText(empty, version && version.baseline ? "The baseline has no features." :
    "No baseline, so nothing to compare features with.");
  const left = version ? version.series_left_out : 0;
  setText(byId("features-note"), series.length === 0 ? "" : plural(series.length, "feature") +
    (left > 0 ? ", " + left + " series more are not shown" : "") + "; each column of a number is a tenth of its baseline; evidence above 1 is drift");
  keyed(byId("features"), series, (one) => one.name, makeFeature, updateFeature);
}

function makeFeature() {
  const verdict = make("span", { class: "verdict", "data-part": "verdict" }, makeMark("none"), make("span"));
  const figure = (label, part) => make("div", {}, make("dt", {}, label), make("dd", { "data-part": part }));
  const root = make("li", { class: "feature" },
    make("header", {}, make("h3", {}, make("bdi", { class: "name", "data-part": "name" })), verdict));
  root.histogram = new Histogram(root, null);
  root.append(make("p", { class: "finding", "data-part": "finding" }),
    make("dl", { class: "figures" }, figure("Evidence", "score"), figure("PSI", "psi"), figure("Missing", "missing")));
  return root;
}

function updateFeature(node, series) {
  const [level, said] = seriesLevel(series);
  const { verdict, name, finding, score, psi, missing } = partsOf(node);
  setAttribute(node, "data-level", level);
  setAttribute(node, "data-series", nameText(series.name));
  setLevel(verdict, level);
  setText(verdict.lastElementChild, said);
  setName(name, series.name);
  // one problem is what the verdict says
  setHidden(finding, !series.episode && series.problems.length < 2);
  setText(finding, findingText(series));
  setFigure(score, "series_score", series.score, series.is_warm ? numberText(series.score) : NO_FIGURE);
  setFigure(psi, "series_psi", series.psi, numberText(series.psi));
  setFigure(missing, "series_missing", series.missing.recent, shareText(series.missing.recent));
  const bins = binsOf(series);
  node.histogram.set(bins, endsOf(series), pictureText(series, said, bins));
}

function findingText(series) {
  if (series.episode) {
    const { region, baseline_share: base, recent_share: recent, since } = series.episode;
    return regionStart(region) + ": " + shareText(recent) + ", was " + shareText(base) + ". Since " + clockText(Date.parse(since) / 1000) + ".";
  }
  return series.problems.map((problem) => capital(PROBLEM_WORDS[problem] || problem)).join(", ") + ".";
}

/** What the picture shows, for who does not see it. */
function pictureText(series, said, bins) {
  const start = nameText(series.name) + ": " + said + ". ";
  if (!series.histogram.recent) return start + "No window is full yet.";
  const shares = bins.map((bin) => nameText(bin.label) + " " + shareText(bin.now) + " (baseline " + shareText(bin.base) + ")");
  return start + "Shares of the last " + series.window + " predictions: " + shares.join("; ");
}
