// Drifts over time: one lane for each series that has drifted, and the same in words.

const LEAST_SPAN_SECONDS = 120;

function showTimeline(state, version) {
  const mine = version ? state.episodes.filter((one) => one.model === version.model && one.version === version.version) : [];
  const parent = byId("timeline");
  const empty = byId("timeline-empty");
  setHidden(parent, mine.length === 0);
  setHidden(empty, mine.length > 0);
  setText(empty, version && !version.baseline ? "Without a baseline no drift is found." : isReplayed(state) ? "No drift in the log." : "No drift since the agent was started.");
  const left = state.episodes_left_out;
  setText(byId("drift-note"), [mine.length > 0 && plural(mine.length, "episode") + (left > 0 ? ", older ones are left out" : ""), baselineText(version, state.unix)]
    .filter(Boolean).join("; "));
  if (mine.length === 0) return;
  const view = only(parent, "timeline", makeTimeline);
  const span = spanOf(state, mine);
  const series = [...new Set(mine.map((one) => one.series))];
  const cells = series.flatMap((name) => [{ name, kind: "label" }, { name, kind: "lane", episodes: mine.filter((one) => one.series === name) }]);
  keyed(view.lanes, [...cells, { name: "", kind: "axis" }], (cell) => cell.kind + cell.name, makeCell,
    (node, cell) => updateCell(node, cell, span));
  keyed(view.body, mine, (one) => [one.series, one.detected, one.episode].join("\n"), makeRow,
    (row, one) => updateRow(row, one, state.unix));
}

/** What it is compared with, and how far that can be trusted. */
function baselineText(version, now) {
  if (!version || !version.baseline) return "";
  const { origin, reviewed, rows, set_at: at, is_of_another_version: isBorrowed } = version.baseline;
  const by = version.drift.decision === "scan" ? "judged by the scan of every series" : "judged by a test of the confidence";
  return "baseline " + origin + " " + clockText(Date.parse(at) / 1000, now) + ", " + plural(rows, "row") +
    (reviewed ? "" : ", not reviewed") + (isBorrowed ? ", of another version" : "") + "; " + by;
}

function beganAt(episode, otherwise) {
  return [episode.since, episode.detected].find(isNumber) ?? otherwise;
}

function spanOf(state, episodes) {
  const firsts = episodes.map((one) => beganAt(one, one.ended ?? state.agent.started));
  const end = state.unix;
  const first = Math.min(...firsts);
  // a little before the first one, so that its beginning is seen
  const start = Math.min(first - (end - first) * 0.08, end - LEAST_SPAN_SECONDS);
  return { start, end, place: (unix) => Math.min(100, Math.max(0, ((unix - start) / (end - start)) * 100)) };
}

function makeTimeline() {
  const heading = (text, name) => make("th", { scope: "col", class: name }, text);
  const lanes = make("div", { class: "episodes", "aria-hidden": "true" });
  const body = make("tbody");
  const table = make("table", { class: "cards" }, make("thead", {}, make("tr", {}, heading("Series"), heading("Since"), heading("Until"), heading("What changed"))), body);
  const root = make("div", {}, lanes, make("div", { class: "list scroll", tabindex: "0", role: "region", "aria-label": "Episodes of drift" }, table));
  return { root, lanes, body };
}

function makeCell(cell) {
  if (cell.kind === "axis") return make("div", { class: "axis" }, make("span"), make("span"), make("span"));
  if (cell.kind === "lane") return make("div", { class: "lane" });
  return make("div", { class: "label" }, makeName(cell.name));
}

function updateCell(node, cell, span) {
  if (cell.kind === "axis") {
    const middle = (span.start + span.end) / 2;
    [span.start, middle, span.end].forEach((unix, place) => setText(node.children[place], clockText(unix, span.end)));
  } else if (cell.kind === "lane") {
    keyed(node, cell.episodes, (_, place) => place, () => make("div", { class: "span" }), (bar, one) => {
      const left = span.place(beganAt(one, span.start));
      const right = span.place(one.ended ?? span.end);
      bar.style.left = left.toFixed(2) + "%";
      bar.style.width = Math.max(0, right - left).toFixed(2) + "%";
      setAttribute(bar, "data-open", one.ended === null ? "true" : "false");
    });
  }
}

function makeRow() {
  const cell = (label, part, name) => make("td", { "data-label": label, "data-part": part, class: name });
  return make("tr", {}, make("th", { scope: "row" }, make("bdi", { class: "name", "data-part": "series" })),
    cell("Since", "since", "when"), cell("Until", "until"), cell("What changed", "what"));
}

function updateRow(row, one, now) {
  const { series, since, until, what } = partsOf(row);
  setName(series, one.series);
  setAttribute(row, "data-episode", nameText(one.series));
  setAttribute(row, "data-open", one.ended === null ? "true" : "false");
  const began = beganAt(one, null);
  setText(since, began === null ? "before the start" : clockText(began, now));
  setText(until, one.ended === null ? "goes on" + (began === null ? "" : ", " + spanText(now - began)) :
    clockText(one.ended, now) + (one.reason ? " (" + one.reason + ")" : ""));
  setText(what, evidenceText(one.evidence));
}

function evidenceText(evidence) {
  if (!evidence) return NO_FIGURE;
  if (evidence.region !== undefined) {
    return regionStart(evidence.region) + ": " + shareText(evidence.recent_share) + " when it was found, was " + shareText(evidence.baseline_share);
  }
  return "Mean " + numberText(evidence.recent_mean) + ", was " + numberText(evidence.baseline_mean) + " (p = " + numberText(evidence.p_value) + ")";
}
