// What the page remembers: one point for each state that came, the last 300. The agent sends counts
// that only rise, so every rate and percentile is a difference of two states.

const MOST_POINTS = 300;
// Percentiles of a moment are those of so many seconds before it: of one second there are too few.
const LOOK_BACK_SECONDS = 30;

/** Sums of histograms with the same edges; `null` without one. */
function addCounts(histograms) {
  const present = histograms.filter((one) => one && Array.isArray(one.counts));
  if (present.length === 0) return null;
  const sum = present[0].counts.slice();
  for (const one of present.slice(1)) one.counts.forEach((count, place) => { sum[place] = (sum[place] || 0) + count; });
  return sum;
}

function minus(later, earlier) {
  return later.map((count, place) => count - ((earlier && earlier[place]) || 0));
}

function total(counts) {
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * The value below which the share `q` lies: linear within a bucket, as Prometheus has it.
 * `counts`: by upper edge, and one more above all edges. `null` without any.
 */
function quantile(q, edges, counts) {
  const all = total(counts);
  if (!(all > 0)) return null;
  const rank = q * all;
  let below = 0;
  for (let place = 0; place < counts.length; place += 1) {
    const count = counts[place];
    if (below + count >= rank && count > 0) {
      // beyond the last edge nothing is known but that it is beyond
      if (place >= edges.length) return edges[edges.length - 1];
      const start = place === 0 ? Math.min(0, edges[0]) : edges[place - 1];
      return start + (edges[place] - start) * ((rank - below) / count);
    }
    below += count;
  }
  return edges[edges.length - 1];
}

const STATUSES = ["2xx", "3xx", "4xx", "5xx", "499"];
const QUANTILES = [["p50", 0.5], ["p95", 0.95], ["p99", 0.99]];

/** Requests by status that are drawn as one: informational and redirected ones are answered. */
function requestsOf(traffic) {
  const of = (name) => traffic.requests[name] || 0;
  return {
    answered: of("1xx") + of("2xx") + of("3xx"),
    client: of("4xx") + of("499"),
    server: of("5xx"),
    all: Object.values(traffic.requests).reduce((sum, count) => sum + count, 0),
  };
}

class StateHistory {
  constructor() {
    this.clear();
  }

  clear() {
    this.points = [];
    this.started = null;
  }

  /** Takes a state; one of an agent that has begun anew has counts that begin at 0. */
  add(state) {
    const last = this.last();
    if (last && state.unix <= last.unix && state.agent.started === this.started) return;
    // the counts of an agent that has been started again are no continuation
    const isAnew = this.started !== null && state.agent.started !== this.started;
    this.started = state.agent.started;
    const point = {
      unix: state.unix,
      run: state.agent.started,
      requests: requestsOf(state.traffic),
      durations: addCounts(state.traffic.endpoints.map((endpoint) => endpoint.duration)),
      shed: total(Object.values(state.traffic.shed)),
      isAnew,
    };
    point.rates = this.rates(point, last);
    point.latency = this.percentiles(point, state.edges.seconds);
    this.points.push(point);
    if (this.points.length > MOST_POINTS) this.points.shift();
  }

  last() {
    return this.points[this.points.length - 1];
  }

  rates(point, last) {
    if (!last || last.run !== point.run) return null;
    const seconds = point.unix - last.unix;
    const rate = (of) => Math.max(0, point.requests[of] - last.requests[of]) / seconds;
    return seconds > 0 ? { answered: rate("answered"), client: rate("client"), server: rate("server"), all: rate("all") } : null;
  }

  /** The point that was there so many seconds before `point`, of the same run; else the oldest of it. */
  before(point, seconds) {
    let found = null;
    for (let place = this.points.length - 1; place >= 0; place -= 1) {
      const one = this.points[place];
      if (one.run !== point.run) break;
      if (one === point) continue;
      found = one;
      if (point.unix - one.unix >= seconds) break;
    }
    return found;
  }

  percentiles(point, edges) {
    const earlier = this.before(point, LOOK_BACK_SECONDS);
    // the durations of all requests so far are what an opened page knows
    const counts = point.durations && minus(point.durations, earlier && earlier.durations);
    const is = {};
    is.isWhole = !earlier;
    for (const [name, q] of QUANTILES) is[name] = counts ? quantile(q, edges, counts) : null;
    return is;
  }

  /** Differences over the last `seconds`; `null`: there are no two states of this run. */
  lately(seconds) {
    const point = this.last();
    const earlier = point && this.before(point, seconds);
    if (!earlier) return null;
    const since = point.unix - earlier.unix;
    const requests = {};
    for (const of of Object.keys(point.requests)) requests[of] = Math.max(0, point.requests[of] - earlier.requests[of]);
    return { seconds: since, requests, shed: Math.max(0, point.shed - earlier.shed) };
  }

  column(pick) {
    return this.points.map((point) => {
      const value = pick(point);
      return isNumber(value) ? value : null;
    });
  }
}
