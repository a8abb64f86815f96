// What a reader must know first, by rules: each gives at most one finding, the gravest is the sentence.

const RANKS = { bad: 3, warn: 2, none: 1, ok: 0 };
// Of the last minute: fewer than so many failures are an accident, a smaller share is no trouble.
const RECENT_SECONDS = 60;
const LEAST_FAILURES = 3;
const LEAST_FAILED_SHARE = 0.01;
const NOT_READY = {
  model_not_loaded: "the model server says that its model is not loaded, or does not answer",
  data_thread_stuck: "a thread that carries requests is stuck",
  leaving: "the agent is being shut down",
};
const PROBLEMS = {
  missing: "is missing more often than in the baseline",
  out_of_range: "has numbers out of the baseline's range",
  unseen: "has classes that the baseline does not know",
  type_changed: "has words among its numbers",
  constant: "has not changed for longer than it ever did",
};

/** What came in lately, or how right it was, is not as it was. */
function isWorse(version) {
  return version.drift.drift_detected || dropOf(version) !== null;
}

function driftingOf(state) {
  return (state.models || []).filter((version) => version.serving && version.drift.drift_detected);
}

/** Labels come late: also those that serve no longer, and those that are not listed. */
function droppedOf(state) {
  return [...(state.models || []), ...(state.dropped || [])].filter(dropOf);
}

function versionText(version) {
  return nameText(version.model) + " " + nameText(version.version);
}

function inlineVersion(version) {
  return inlineName(version.model) + " " + inlineName(version.version);
}

/** `{level, sentence, detail}` of a version, the gravest first; the last one when there is nothing else. */
function findings(state, version, history) {
  const rules = [notReady, observerGone, dropped, drifted, droppedElsewhere, driftedElsewhere, failing, noTraffic, broken, shedding, unread, noBaseline, warming];
  const found = rules.map((rule) => rule(state, version, history)).filter(Boolean);
  found.sort((a, b) => RANKS[b.level] - RANKS[a.level]);
  if (!found.some((one) => RANKS[one.level] > 0)) found.unshift(well(state, version, history));
  return found;
}

function notReady(state) {
  if (state.agent.ready) return null;
  const reasons = state.agent.not_ready.map((reason) => NOT_READY[reason] || reason);
  return { level: "bad", sentence: "Not ready for requests", detail: capital(reasons.join("; ")) + "." };
}

function observerGone(state) {
  if (state.models !== null) return null;
  const why = state.observer === "ended" ? "has ended" : "does not answer (" + state.observer + ")";
  return { level: "warn", sentence: "Predictions cannot be seen now",
    detail: "The observer " + why + ". Requests pass all the same." };
}

function drifted(state, version) {
  if (!version || !version.drift.drift_detected) return null;
  const drifting = version.series.filter((series) => series.drift_detected && series.episode);
  if (version.drift.decision === "ks" || drifting.length === 0) return driftOfTest(version);
  // what has changed most is told first
  drifting.sort((a, b) => b.score - a.score);
  const names = drifting.map((series) => seriesText(series.name));
  const since = drifting.map((series) => Date.parse(series.episode.since) / 1000).sort((a, b) => a - b)[0];
  const verb = drifting.length === 1 ? " has drifted since " : " have drifted since ";
  return { level: "bad", sentence: beginning(listed(names, 3)) + verb + clockText(since, state.unix),
    detail: drifting.slice(0, 3).map(episodeText).join(" ") };
}

/** "petal_length is above 1.8 in 71 % of the last 256 predictions, and in 22.6 % of the baseline." */
function episodeText(series) {
  const { region, baseline_share: base, recent_share: recent } = series.episode;
  const window = series.window ? "the last " + plural(series.window, "prediction") : "the window";
  return beginning(seriesText(series.name)) + " is " + regionText(region) + " in " + shareText(recent) + " of " + window +
    ", and in " + shareText(base) + " of the baseline.";
}

/** An edge has all the digits of a value of the baseline: some are enough for a sentence. */
function regionText(region) {
  const edge = /^at most (-?\d[\d.e+-]*)$/.exec(region);
  return edge ? "at most " + boundText(Number(edge[1])) : inlineName(region);
}

/** At the start of a sentence: a class keeps the name that it has. */
function regionStart(region) {
  const text = regionText(region);
  return /^at most -?\d/.test(text) ? capital(text) : text;
}

function driftOfTest(version) {
  const { ks_statistic: statistic, p_value: p, baseline_mean: base, recent_mean: recent } = version.drift;
  return { level: "bad", sentence: "The confidence has drifted",
    detail: "Its mean is " + numberText(recent) + ", that of the baseline " + numberText(base) +
      " (Kolmogorov-Smirnov " + numberText(statistic) + ", p = " + numberText(p) + ")." };
}

function dropped(state, version) {
  if (!dropOf(version)) return null;
  return { level: "bad", sentence: "The model is less often right than it was", detail: dropText(version) };
}

/** Of those that are not shown: whoever looks at one that is well must not take the rest for well. */
function droppedElsewhere(state, version) {
  const others = droppedOf(state).filter((one) => one !== version);
  if (others.length === 0) return null;
  const detail = others.slice(0, 3).map((one) => (others.length > 1 ? inlineVersion(one) + ": " : "") + dropText(one)).join(" ");
  return { level: "bad", sentence: listed(others.map(inlineVersion), 3) + (others.length === 1 ? " is" : " are") + " less often right than before", detail };
}

function driftedElsewhere(state, version) {
  const others = driftingOf(state).filter((one) => one !== version);
  if (others.length === 0) return null;
  return { level: "bad", sentence: listed(others.map(inlineVersion), 3) + (others.length === 1 ? " has" : " have") + " drifted",
    detail: others.slice(0, 3).map((one) => capital(driftingCount(one)) + ".").join(" ") };
}

function failing(state, version, history) {
  const lately = history.lately(RECENT_SECONDS);
  if (!lately) return null;
  const { server, all } = lately.requests;
  if (server < LEAST_FAILURES || server / all < LEAST_FAILED_SHARE) return null;
  return { level: "bad", sentence: shareText(server / all) + " of requests fail",
    detail: countText(server) + " of the " + countText(all) + " requests in the last " + spanText(lately.seconds) +
      " were answered with 5xx." };
}

function noTraffic(state) {
  if (requestsOf(state.traffic).all > 0) return null;
  return { level: "none", sentence: "No request yet",
    detail: "Send requests through Sidelight's port: figures appear here within two seconds." };
}

function broken(state, version) {
  const spoilt = (version ? version.series : []).filter((series) => series.problems.length > 0);
  if (spoilt.length === 0) return null;
  const [first] = spoilt;
  const problem = first.problems[0];
  const more = spoilt.length > 1 ? ", and " + plural(spoilt.length - 1, "more feature has problems", "more features have problems") : "";
  return { level: "warn", sentence: beginning(seriesText(first.name)) + " " + (PROBLEMS[problem] || problem) + more,
    detail: "The data is not as it was when the baseline was taken." };
}

function shedding(state, version, history) {
  const lately = history.lately(RECENT_SECONDS);
  if (!lately || lately.shed === 0) return null;
  return { level: "warn", sentence: "Not everything is seen",
    detail: countText(lately.shed) + " copies were dropped in the last " + spanText(lately.seconds) +
      ", because the observer was behind. The requests themselves passed." };
}

function unread(state) {
  const { decode_failed: failed = 0, too_long: long = 0, decoded = 0 } = state.traffic.observed;
  const share = (failed + long) / (failed + long + decoded);
  if (!(share > 0.05)) return null;
  return { level: "warn", sentence: shareText(share) + " of bodies cannot be read",
    detail: "Their predictions are missing from the figures. What would help is said below." };
}

function noBaseline(state, version) {
  if (!version || version.baseline) return null;
  if (version.capturing) {
    return { level: "none", sentence: "A baseline is being captured",
      detail: capturingText(version) + " Until it is there, drift is not looked for." };
  }
  return { level: "warn", sentence: "Drift is not looked for",
    detail: "There is no baseline to compare with: set one, as is said below." };
}

function capturingText(version) {
  const { rows, wanted } = version.capturing;
  return countText(rows) + " of " + plural(wanted, "prediction") + " have come.";
}

function warming(state, version) {
  if (!version || !version.baseline || !version.drift.scan || version.drift.scan.status !== "warming") return null;
  const isTested = version.drift.status === "checked";
  return { level: "none", sentence: isTested ? "The confidence is as before; features are not judged yet" : "Too few predictions to judge drift yet",
    detail: "The scan is warming up: it measures how dependent neighbouring predictions are. Until then a test of the confidence decides." };
}

function well(state, version, history) {
  if (!version) {
    return { level: "none", sentence: "No prediction seen yet",
      detail: "Requests pass. Once answers hold predictions, their figures appear here." };
  }
  if (isReplayed(state)) return ended(state, version);
  const compared = version.series.filter((series) => series.is_warm).length;
  const { rows } = version.baseline;
  const recent = history.lately(RECENT_SECONDS);
  const answered = !recent || recent.requests.server === 0 ? "No request failed" : countText(recent.requests.server) + " requests failed";
  return { level: "ok", sentence: "The model is well",
    detail: plural(compared, "series", "series") + " match the baseline of " + plural(rows, "row") + ". " +
      answered + (recent ? " in the last " + spanText(recent.seconds) : "") + "." };
}

/** Of a log: what was is as much of interest as what is at its end. */
function ended(state, version) {
  const mine = state.episodes.filter((one) => one.model === version.model && one.version === version.version);
  const detail = "At the end of the log its series match the baseline of " + plural(version.baseline.rows, "row") + ".";
  if (mine.length === 0) return { level: "ok", sentence: "No drift in the log", detail };
  return { level: "warn", sentence: plural(mine.length, "drift") + " in the log, over before its end", detail };
}

const OWN_SERIES = ["confidence", "class", "value"];

/** The agent's own series are words; those of features have the wire's names. */
function seriesText(name) {
  return OWN_SERIES.includes(name) ? "the " + name : inlineName(name);
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A sentence may begin with one of our words, never with a feature's name in capitals. */
function beginning(names) {
  return names.startsWith("the ") ? capital(names) : names;
}
