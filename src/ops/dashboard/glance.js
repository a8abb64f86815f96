// The sentence, the tiles below it, and the choice of a model.

function versionKey(version) {
  return JSON.stringify([version.model, version.version]);
}

/** In a word: for the button of a version. */
function versionState(version) {
  const worse = [dropOf(version) && "accuracy dropped", version.drift.drift_detected && driftingCount(version)].filter(Boolean);
  if (worse.length > 0) return ["bad", worse.join(", ")];
  if (!version.baseline) return version.capturing ? ["none", "captures a baseline"] : ["warn", "no baseline"];
  if (!version.serving) return ["none", "serves no longer"];
  if (version.drift.status !== "checked" && version.drift.decision === "ks") return ["none", "warming up"];
  return ["ok", "no drift"];
}

function driftingCount(version) {
  const count = version.series.filter((series) => series.drift_detected).length;
  return count > 0 ? plural(count, "series drifts", "series drift") : "drift";
}

function showModels(versions, chosen, choose) {
  const nav = byId("models");
  setHidden(nav, versions.length === 0);
  keyed(nav, versions, versionKey, (version) => {
    const button = make("button", { type: "button" }, makeMark("none"),
      make("span", {}, make("bdi", { class: "name", "data-part": "name" })), " ",
      make("span", { class: "said", "data-part": "said" }));
    button.addEventListener("click", () => choose(versionKey(version)));
    return button;
  }, (button, version) => {
    const [level, said] = versionState(version);
    setLevel(button, level);
    setAttribute(button, "aria-current", version === chosen ? "true" : null);
    setAttribute(button, "data-model", nameText(version.model));
    setAttribute(button, "data-version", nameText(version.version));
    const { name, said: saidNode } = partsOf(button);
    // of a long name the version must still be seen
    setName(name, nameText(version.model, 40) + " " + nameText(version.version, 24));
    setText(saidNode, said);
  });
}

function showHeadline(found) {
  const [first, ...others] = found;
  const headline = byId("headline");
  setLevel(headline, first.level);
  setText(byId("sentence"), first.sentence);
  setText(byId("detail"), first.detail);
  const list = byId("findings");
  setHidden(list, others.length === 0);
  keyed(list, others, (_, place) => place,
    () => make("li", {}, makeMark("none"), make("span", { "data-part": "text" })),
    (item, finding) => {
      setLevel(item, finding.level);
      setText(partsOf(item).text, finding.sentence + ". " + finding.detail);
    });
  // figures within it change each second: only another sentence is read aloud
  setText(byId("announced"), first.sentence);
}

/** Figures of the whole agent and of one version; each with its name, value, text and an aside. */
function tilesOf(state, version, history) {
  const lately = history.lately(RECENT_SECONDS);
  const requests = requestsOf(state.traffic);
  const span = lately ? "last " + spanText(lately.seconds) : "";
  const shed = total(Object.values(state.traffic.shed));
  const tiles = [
    readyTile(state),
    driftTile(state, version),
    { name: "requests", label: "Requests", value: requests.all, text: shortCountText(requests.all),
      aside: lately ? rateText(lately.requests.all / lately.seconds) + ", " + span : "since the start" },
    errorTile(requests, lately, span),
    latencyTile(state, history),
    { name: "predictions", label: "Predictions", value: version ? itemsOf(version) : 0,
      text: version ? shortCountText(itemsOf(version)) : NO_FIGURE, aside: version ? "of this version" : "no model yet" },
    { name: "in_flight", label: "In flight", value: state.traffic.in_flight, text: countText(state.traffic.in_flight), aside: "requests now" },
    { name: "shed", label: "Not seen", value: shed, text: shortCountText(shed), level: lately && lately.shed > 0 ? "warn" : null,
      aside: shed > 0 ? "copies dropped" : "no copy was dropped" },
  ];
  // a log says nothing of these
  return isReplayed(state) ? tiles.filter((tile) => !["ready", "in_flight", "shed"].includes(tile.name)) : tiles;
}

/** Made of a log afterwards: there was no agent to ask. */
function isReplayed(state) {
  return state.agent.phase === "replayed";
}

function rateText(rate) {
  return numberText(rate) + "/s";
}

/** Items with a class, or with a value. */
function itemsOf(version) {
  return version.predictions + (version.values ? version.values.count : 0);
}

function readyTile(state) {
  const { ready, model_loaded: loaded } = state.agent;
  return { name: "ready", label: "Ready", value: ready ? 1 : 0, text: ready ? "yes" : "no", mark: ready ? "ok" : "bad",
    level: ready ? null : "bad", aside: loaded ? "model loaded" : "model not loaded" };
}

function driftTile(state, version) {
  const tile = { name: "drift", label: "Drift", value: version && version.drift.drift_detected ? 1 : 0 };
  if (!version) return { ...tile, text: NO_FIGURE, mark: "none", aside: "no model yet" };
  if (!version.baseline) {
    const { capturing } = version;
    const aside = capturing ? "baseline: " + countText(capturing.rows) + " of " + countText(capturing.wanted) : "no baseline";
    return { ...tile, text: NO_FIGURE, mark: capturing ? "none" : "warn", aside };
  }
  const by = version.drift.decision === "scan" ? "by the scan" : "by the test";
  if (version.drift.drift_detected) return { ...tile, text: "yes", mark: "bad", level: "bad", aside: driftingCount(version) };
  if (version.drift.decision === "ks" && version.drift.status !== "checked") {
    return { ...tile, text: NO_FIGURE, mark: "none", aside: "not enough predictions yet" };
  }
  return { ...tile, text: "no", mark: "ok", aside: by };
}

function errorTile(requests, lately, span) {
  const of = lately ? lately.requests : requests;
  const share = of.all > 0 ? of.server / of.all : null;
  const isHigh = of.server >= LEAST_FAILURES && share >= LEAST_FAILED_SHARE;
  return { name: "error_share", label: "Server errors", value: share, text: shareText(share), level: isHigh ? "bad" : null,
    aside: countText(requests.server) + " in all" + (lately ? "; share of " + span : ""), also: ["errors", requests.server] };
}

function latencyTile(state, history) {
  const point = history.last();
  const value = point ? point.latency.p95 : null;
  const [text, unit] = secondsParts(value);
  return { name: "p95", label: "Latency p95", value, text, unit, aside: value === null ? "no request lately" : "95 of 100 are faster" };
}

function showTiles(list, tiles) {
  keyed(list, tiles, (tile) => tile.name, () => {
    const figure = make("dd", { class: "figure" }, makeMark("none"), make("span", { "data-part": "text" }),
      make("span", { class: "unit", "data-part": "unit" }));
    return make("div", {}, make("dt", { "data-part": "label" }), figure, make("dd", { class: "aside", "data-part": "aside" }));
  }, (node, tile) => {
    const { label, text, unit, aside } = partsOf(node);
    const figure = text.parentElement;
    setText(label, tile.label);
    setFigure(text, tile.name, tile.value, tile.text);
    setText(unit, tile.unit || "");
    if (tile.also) setFigure(aside, ...tile.also, tile.aside);
    else setText(aside, tile.aside);
    const mark = figure.firstElementChild;
    mark.style.display = tile.mark ? "" : "none";
    setLevel(figure, tile.mark || tile.level);
    if (!tile.mark) setAttribute(figure, "data-level", tile.level || null);
  });
}
