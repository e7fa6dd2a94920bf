// What the session is and where it stands, in words; and what a screen reader says of changes.

import { element } from "./elements.js";

const LATE_S = 2; // without a tick for so long, a running session is said to be late
const QUIET_MS = 1500; // between two sayings

export function showFacts(session, listed) {
  const { slow, now, ageS, tickS } = session;
  const state = listed?.state ?? "unknown";
  document.getElementById("title").textContent = `${session.name}: ${state}`;
  document.title = `${session.name}: ${state} – decoderd`;
  const rows = [];
  if (now !== null && slow !== null && slow.about !== null) {
    const won = slow.outcomes.filter((outcome) => outcome === "success").length;
    rows.push(
      ["time", `${(now.tick * tickS).toFixed(1)} s, tick ${now.tick}`],
      ["day", `${now.day} of ${slow.about.days}`],
      ["trial", String(now.trial)],
      ["success", slow.outcomes.length ? `${won} of the last ${slow.outcomes.length} trials` : "–"],
      ["speed", slow.about.speed],
      ["task, population, decoder", Object.values(slow.about.kinds).join(", ")],
    );
    if (state === "running" && ageS > LATE_S) rows.push(["late", `no tick for ${ageS.toFixed(0)} s`]);
  }
  if (listed?.why) rows.push(["why", listed.why]);
  if (now === null && slow?.trouble) rows.push(["not followed", slow.trouble]);
  const made = rows.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  document.getElementById("facts").replaceChildren(...made);
}

// Says what has changed, a saying at a time: states, days, perturbations, and the connection. Trials would be too many.
export class Announcer {
  constructor() {
    this.element = document.getElementById("said");
    this.waiting = [];
    this.known = {};
    setInterval(() => {
      if (this.waiting.length) this.element.textContent = this.waiting.splice(0).join(". ");
    }, QUIET_MS);
  }

  // Say `text` if what is called `name` was another before; the first is not said.
  changed(name, value, text) {
    if (name in this.known && this.known[name] !== value) this.waiting.push(text);
    this.known[name] = value;
  }

  forget() {
    this.known = {};
  }

  say(text) {
    this.waiting.push(text);
  }
}
