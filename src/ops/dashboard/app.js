// Puts the parts together: each state is remembered, then shown; a page that was saved has its own.

const KNOWN_SCHEMA = 1;

const page = {
  history: new StateHistory(),
  state: null,
  // the version that the reader has chosen; null: the one that needs looking at
  chosen: chosenByAddress(),
  // the one that is shown, which stays the same until there is a reason
  shown: null,
  recent: new Recent(),
};

page.requests = new TimeChart(byId("requests-chart"), "Requests per second", "rate", [
  { key: "answered", label: "answered", colour: "line-1", dash: DASHES[0], text: rateText },
  { key: "client", label: "4xx", colour: "line-2", dash: DASHES[1], text: rateText },
  { key: "server", label: "5xx", colour: "line-bad", dash: DASHES[2], text: rateText },
], numberText);
page.latency = new TimeChart(byId("latency-chart"), "Latency", "latency", [
  { key: "p50", label: "p50", colour: "line-1", dash: DASHES[0], text: secondsText },
  { key: "p95", label: "p95", colour: "line-2", dash: DASHES[1], text: secondsText },
  { key: "p99", label: "p99", colour: "line-3", dash: DASHES[2], text: secondsText },
], secondsText);

/** `#model=iris&version=1.0.0`, so that a version can be linked to. */
function chosenByAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  return asked.has("model") ? versionKey({ model: asked.get("model"), version: asked.get("version") ?? "" }) : null;
}

function choose(key) {
  page.chosen = key;
  const [model, version] = JSON.parse(key);
  try {
    window.history.replaceState(null, "", "#" + new URLSearchParams({ model, version }));
  } catch {
    // a page from a file has no address to change
  }
  show();
}

/** The chosen version; else the one that is shown, unless another is worse or it serves no longer. */
function versionToShow(versions) {
  const by = (key) => versions.find((version) => versionKey(version) === key);
  if (page.chosen && by(page.chosen)) return by(page.chosen);
  const shown = by(page.shown);
  const worse = versions.find((version) => version.serving && isWorse(version)) || versions.find(isWorse);
  if (shown && (isWorse(shown) || (!worse && shown.serving))) return shown;
  return worse || versions.find((version) => version.serving) || versions[0] || null;
}

function show() {
  const { state, history } = page;
  if (!state) return;
  const versions = state.models || [];
  const version = versionToShow(versions);
  page.shown = version ? versionKey(version) : page.shown;
  // the one that predicted last comes first: buttons would jump under the pointer
  const inOrder = [...versions].sort((a, b) => versionKey(a).localeCompare(versionKey(b)));
  showModels(inOrder, version, choose);
  const found = findings(state, version, history);
  showHeadline(found);
  showTiles(byId("tiles"), tilesOf(state, version, history));
  showCharts(history);
  showClasses(version);
  showConfidence(state, version);
  showAccuracy(version);
  showFeatures(version);
  showTimeline(state, version);
  showMissing(state);
  showAgent(state);
  showTab(found[0], state);
}

function showCharts(history) {
  const times = history.points.map((point) => point.unix);
  const rate = (of) => history.column((point) => point.rates && point.rates[of]);
  const latency = (name) => history.column((point) =>
    // what passed before the page was opened is of no moment; a report has nothing else
    point.latency.isWhole && history.points.length > 1 ? null : point.latency[name]);
  if (history.points.length === 1 && page.recent.isStatic) {
    // a report of one state has no rates: how many there were
    const { requests } = history.last();
    page.requests.set(times, [[requests.answered], [requests.client], [requests.server]], countText);
  } else {
    page.requests.set(times, [rate("answered"), rate("client"), rate("server")]);
  }
  page.latency.set(times, [latency("p50"), latency("p95"), latency("p99")]);
}

function showAgent(state) {
  const { agent } = state;
  setAttribute(document.body, "data-replayed", isReplayed(state) ? "" : null);
  const span = isReplayed(state) ? ", from a log of " : ", up for ";
  setText(byId("agent"), "Sidelight " + agent.version + span + spanText(agent.uptime_seconds) + "; figures of " + clockText(state.unix));
  setText(byId("place"), location.host);
  setHidden(byId("recent-panel"), agent.recent === 0 && !page.recent.isStatic);
}

/** The tab says it too: by its title, and by the shape and colour of its icon. */
function showTab(first, state) {
  const named = (lead, versions) => versions.length > 0 && lead + listed(versions.map(versionText), 2);
  const worse = [named("Accuracy dropped: ", droppedOf(state)), named("Drift: ", driftingOf(state))].filter(Boolean);
  const text = worse.length > 0 ? worse.join("; ") : first.sentence;
  const level = worse.length > 0 ? "bad" : first.level;
  if (document.title !== text + " · Sidelight") document.title = text + " · Sidelight";
  setAttribute(byId("icon"), "href", ICONS[level]);
}

const ICONS = Object.fromEntries([
  ["ok", "<circle cx='8' cy='8' r='7' fill='%231d8a51'/><path d='m4.8 8.2 2.3 2.3 4.2-4.7' stroke='white' stroke-width='2' fill='none'/>"],
  ["warn", "<path d='M8 1 15.5 14.5H.5z' fill='%23c98500'/>"],
  ["bad", "<path d='M5 1h6l4 4v6l-4 4H5l-4-4V5z' fill='%23c8321f'/><path d='M8 4v5M8 11v1.5' stroke='white' stroke-width='2'/>"],
  ["none", "<circle cx='8' cy='8' r='6' fill='none' stroke='%23808a96' stroke-width='2'/>"],
].map(([level, shape]) => [level, "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>" + shape + "</svg>"]));

function take(state) {
  if (state.schema !== KNOWN_SCHEMA) return warn("This page is of another version than the agent: load it again.");
  page.history.add(state);
  page.state = state;
  show();
}

function warn(text) {
  setHidden(byId("stale"), text === "");
  setText(byId("stale"), text);
}

/** Old figures are never shown as new ones. */
function showLink(link, silent) {
  setAttribute(byId("link"), "data-link", link);
  const texts = { connecting: "connecting", live: "live", lost: "no news for " + silent + " s" };
  setText(byId("link-text"), texts[link]);
  if (link === "live" && page.state && page.state.schema === KNOWN_SCHEMA) warn("");
  if (link === "lost") {
    warn("No news from the agent since " + clockText(page.state.unix) + ": the figures below are old. It is tried again.");
    document.title = "No news · Sidelight";
    setAttribute(byId("icon"), "href", ICONS.none);
  } else if (link === "connecting" && silent > 5) {
    warn("The agent does not answer yet. It is tried again.");
  }
}

/** What was saved with the page: one state, or several in their order. */
function saved(id) {
  const node = byId(id);
  if (!node || node.textContent.trim() === "") return null;
  try {
    return JSON.parse(node.textContent);
  } catch {
    return null;
  }
}

function start() {
  startTheme();
  const states = saved("state");
  if (states === null) {
    page.feed = new Feed(take, showLink);
    page.recent.start();
    return;
  }
  page.recent.isStatic = true;
  for (const state of [states].flat()) take(state);
  setText(byId("requests-note"), page.history.points.length > 1 ? "per second, by status" : "all of them, by status");
  if (page.history.points.length === 1) setText(byId("latency-note"), "of all requests");
  // of a single state there is no line to draw
  setAttribute(document.body, "data-points", page.history.points.length);
  setAttribute(byId("link"), "data-link", "saved");
  setText(byId("link-text"), "report of " + clockText(page.state ? page.state.unix : null, Date.now() / 1000));
  setHidden(byId("links"), true);
  const recent = saved("recent-requests");
  if (recent) page.recent.show(recent);
  else setHidden(byId("recent-panel"), true);
}

start();
