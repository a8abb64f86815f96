// What a version of a model predicts: classes and confidence beside the baseline, and how right it was.

function showClasses(version) {
  const note = byId("classes-note");
  showVerdict(byId("classes-verdict"), version, version && version.values ? "value" : "class");
  const parent = byId("classes");
  if (!version || (version.classes.length === 0 && !version.values)) {
    setText(note, "");
    return showEmpty(parent, "No prediction with a class yet.");
  }
  if (version.classes.length === 0) return showValues(version, parent, note);
  const isCompared = version.classes.some((one) => isNumber(one.baseline));
  const hasWindow = version.classes.some((one) => isNumber(one.recent));
  setText(note, isCompared ? "recent window beside the baseline" : "all so far; there is no baseline of classes");
  const table = only(parent, "shares", makeShares);
  setHidden(table.base, !isCompared);
  const all = Math.max(1, version.predictions);
  const highest = Math.max(...version.classes.map((one) => Math.max(hasWindow ? one.recent || 0 : one.count / all, one.baseline || 0)), 0.01);
  keyed(table.body, version.classes, (one) => one.class, makeShare, (row, one) => {
    const now = hasWindow ? one.recent : one.count / all;
    const { name, fill: bar, tick, share, base, count } = partsOf(row);
    setName(name, one.class);
    setAttribute(row, "data-class", nameText(one.class));
    bar.style.width = ((now || 0) / highest * 100).toFixed(2) + "%";
    tick.style.left = ((one.baseline || 0) / highest * 100).toFixed(2) + "%";
    setHidden(tick, !isNumber(one.baseline));
    setFigure(share, "class_share", now, shareText(now));
    setFigure(base, "class_baseline", one.baseline, shareText(one.baseline));
    setHidden(base, !isCompared);
    setFigure(count, "class_count", one.count, shortCountText(one.count));
  });
  const more = version.classes_left_out;
  setText(table.more, more > 0 ? plural(more, "more class", "more classes") + " with " + plural(version.left_out_predictions, "prediction") + "." : "");
}

function makeShares() {
  const heading = (text, name) => make("th", { scope: "col", class: name }, text);
  const body = make("tbody");
  const base = heading("Baseline", "number");
  const root = make("div", {}, make("table", { class: "shares" }, make("thead", {}, make("tr", {}, heading("Class", "who"),
    make("td", { class: "across" }), heading("Now", "number"), base, heading("All", "number"))), body));
  const more = make("p", { class: "note" });
  root.append(more);
  return { root, body, base, more };
}

function makeShare() {
  const track = make("div", { class: "track", "aria-hidden": "true" }, make("div", { class: "fill", "data-part": "fill" }),
    make("div", { class: "tick", "data-part": "tick" }));
  return make("tr", {}, make("th", { scope: "row" }, make("bdi", { class: "name", "data-part": "name" })),
    make("td", { class: "across" }, track), make("td", { class: "number", "data-part": "share" }),
    make("td", { class: "number", "data-part": "base" }), make("td", { class: "number", "data-part": "count" }));
}

function showValues(version, parent, note) {
  setText(note, "predicted numbers, all so far: mean " + numberText(version.values.sum / version.values.count));
  const chart = only(parent, "values", (root) => ({ root, histogram: new Histogram(root, "values") }));
  const shares = sharesOf(version.values.counts) || [];
  const { edges } = version.values;
  const bins = shares.map((now, place) => ({ label: edgeText(edges, place), now, base: null }));
  chart.histogram.set(bins, [numberText(edges[0]), "", numberText(edges[edges.length - 1])],
    "Predicted numbers: " + plural(version.values.count, "value"));
}

function edgeText(edges, place) {
  if (place === 0) return "up to " + numberText(edges[0]);
  if (place >= edges.length) return "above " + numberText(edges[edges.length - 1]);
  return numberText(edges[place - 1]) + " to " + numberText(edges[place]);
}

/** The window over the baseline where there is one, else all so far by fixed edges. */
function showConfidence(state, version) {
  const note = byId("confidence-note");
  showVerdict(byId("confidence-verdict"), version, "confidence");
  const parent = byId("confidence");
  const series = version && version.series.find((one) => one.name === "confidence");
  const all = version && version.confidence;
  if (!series && !(all && all.count > 0)) {
    setText(note, "");
    return showEmpty(parent, version && version.values ? "Predicted numbers need no confidence." : "No confidence on the wire so far.");
  }
  const chart = only(parent, "histogram", makeConfidence);
  const isCompared = Boolean(series && series.histogram.recent);
  setText(note, isCompared ? "the last " + plural(series.window, "prediction") + ", in tenths of the baseline" : "all so far" + (series ? ", before a window is full" : "; there is no baseline"));
  setHidden(chart.base, !isCompared);
  const mean = all && all.count > 0 ? all.sum / all.count : null;
  setFigure(chart.mean, "confidence_mean", mean, numberText(mean));
  setFigure(chart.count, "confidence_count", all ? all.count : 0, countText(all ? all.count : 0));
  if (isCompared) {
    const moved = "mean of all so far " + numberText(mean) + ", PSI " + numberText(series.psi);
    chart.histogram.set(binsOf(series), endsOf(series), "Confidence of the last " + series.window + " predictions over the baseline: " + moved);
    return;
  }
  const edges = state.edges.confidence;
  // above 1 there is no confidence
  const shares = (sharesOf(all ? all.counts : null) || []).slice(0, edges.length);
  const bins = shares.map((now, place) => ({ label: edgeText(edges, place), now, base: null }));
  chart.histogram.set(bins, ["0", "", "1"], "Confidence of all predictions so far: mean " + numberText(mean));
}

function makeConfidence(root) {
  const mean = make("b");
  const count = make("b");
  const base = make("span", { class: "legend" }, make("span", { class: "key base" }), "baseline");
  root.append(make("p", { class: "legend" }, make("span", { class: "key now" }), "now ", base,
    make("span", {}, " · mean of all "), mean, make("span", {}, " · of "), count, make("span", {}, "with one")));
  return { root, mean, count, base, histogram: new Histogram(root, "confidence") };
}

/** One view in `parent`, made when it is another than before; `create` may fill the given root. */
function only(parent, name, create) {
  if (parent.viewName === name) return parent.view;
  const root = make("div");
  const view = create(root);
  parent.replaceChildren(view.root);
  parent.viewName = name;
  parent.view = view;
  return view;
}

/** The verdict on one of the agent's own series; none without a baseline of it. */
function showVerdict(node, version, name) {
  const series = version && version.series.find((one) => one.name === name);
  setHidden(node, !series);
  if (!series) return;
  const [level, said] = seriesLevel(series);
  setLevel(node, level);
  setText(node.lastElementChild, said);
}

function showEmpty(parent, text) {
  const view = only(parent, "empty", () => ({ root: make("p", { class: "empty" }) }));
  setText(view.root, text);
}
