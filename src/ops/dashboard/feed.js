// How states come: a stream of events while somebody looks, a question now and then while nobody does
// (a browser has six connections for one host, and a stream in each forgotten tab would use them up), and
// one every other second while the agent has no room for one more stream.

const SILENCE_MS = 3500;
// Events come each second: a stream that is silent for so long is dead, though nobody has closed it.
const DEAD_MS = 10000;
const REFUSED_AGAIN_MS = 10000;
const REFUSED_EVERY_MS = 2000;
const HIDDEN_FOR_MS = 20000;
const HIDDEN_EVERY_MS = 15000;

class Feed {
  constructor(took, said) {
    this.took = took;
    this.said = said;
    this.arrived = null;
    this.opened = performance.now();
    this.hiddenSince = document.hidden ? this.opened : null;
    document.addEventListener("visibilitychange", () => this.turn());
    setInterval(() => this.tick(), 1000);
    this.open();
  }

  open() {
    this.close();
    this.opened = performance.now();
    const source = new EventSource("events");
    this.source = source;
    source.addEventListener("state", (event) => this.take(event.data));
    source.addEventListener("error", () => {
      // a refused stream is closed for good by the browser, one that broke off is opened anew by it
      if (source.readyState === EventSource.CLOSED && this.source === source) this.source = null;
    });
  }

  close() {
    if (this.source) this.source.close();
    this.source = null;
  }

  take(text) {
    let state;
    try {
      state = JSON.parse(text);
    } catch {
      return;
    }
    this.arrived = performance.now();
    this.took(state);
    this.tick();
  }

  tick() {
    const now = performance.now();
    const silent = now - (this.arrived ?? this.opened);
    if (document.hidden) {
      this.whileHidden(now);
    } else if (!this.source) {
      if (now - this.opened > REFUSED_AGAIN_MS) this.open();
      else this.ask(now, REFUSED_EVERY_MS);
    } else if (now - Math.max(this.arrived ?? 0, this.opened) > DEAD_MS) {
      this.open();
    }
    const isLate = silent > SILENCE_MS && !document.hidden;
    this.said(this.arrived === null ? "connecting" : isLate ? "lost" : "live", Math.round(silent / 1000));
  }

  turn() {
    this.hiddenSince = document.hidden ? performance.now() : null;
    if (!document.hidden && !this.source) this.open();
  }

  whileHidden(now) {
    if (this.hiddenSince === null || now - this.hiddenSince < HIDDEN_FOR_MS) return;
    this.close();
    this.ask(now, HIDDEN_EVERY_MS);
  }

  ask(now, every) {
    // the ticks are a little early or late
    if (now - (this.asked ?? -every) < every - 100) return;
    this.asked = now;
    fetch("state", { cache: "no-store", signal: AbortSignal.timeout(5000) })
      .then((answer) => (answer.ok ? answer.text() : null))
      .then((text) => { if (text !== null) this.take(text); })
      .catch(() => {});
  }
}
