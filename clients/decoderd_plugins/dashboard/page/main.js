// The page: asks for frames, and has what came drawn at the pace of the screen.

import { Connection } from "./connection.js";
import { Controls } from "./controls.js";
import { onColours } from "./canvas.js";
import { showDays } from "./days.js";
import { Announcer, showFacts } from "./facts.js";
import { Lateness } from "./lateness.js";
import { showPerturbations } from "./perturbations.js";
import { Raster } from "./raster.js";
import { Session } from "./session.js";
import { showSessions } from "./sessions.js";
import { Velocity } from "./velocity.js";
import { Workspace } from "./workspace.js";

const SLOW_MS = 250; // between two updates of what changes slowly: as often as lateness is published
const CALM_MS = 1000; // between two pictures where motion is to be reduced

const given = new URLSearchParams(location.hash.slice(1));
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const hold = document.getElementById("hold");
const views = { workspace: new Workspace(redraw), velocity: new Velocity(redraw), raster: new Raster(redraw) };
const lateness = new Lateness(redraw);
const announcer = new Announcer();
let session = new Session(given.get("session"));
let listed = [], parts = [], held = false, asked = false, fresh = false, stale = false;
let slowAt = -SLOW_MS, drawnAt = -CALM_MS, drawn = 0;

const connection = new Connection(given.get("token"), receive, (trouble) => {
  asked = false;
  showTrouble(trouble);
});
const controls = new Controls((request) => connection.send({ ...request, session: session.name }), announcer);

function receive(reply) {
  if (reply.op !== "frame") {
    if (reply.op === "invalid") asked = false;
    controls.receive(reply);
    return;
  }
  asked = false;
  if (reply.list !== undefined) receiveList(reply.list);
  if (reply.session !== session.name) return; // another one has been chosen since
  if (session.receive(reply)) fresh = true;
  if (reply.list !== undefined && !held) showSlow();
}

function receiveList(list) {
  listed = list.sessions;
  if (session.name === null && listed.length) choose(listed[0].session);
  showSessions(listed, session.name, choose);
  showTrouble(list.trouble === null ? null : `What is listed may be old: ${list.trouble}.`);
}

function choose(name) {
  session = new Session(name);
  slowAt = drawnAt = -CALM_MS;
  parts = [];
  announcer.forget();
  given.set("session", name);
  history.replaceState(null, "", `#${given}`);
  showSessions(listed, name, choose);
}

function showTrouble(text) {
  const element = document.getElementById("trouble");
  announcer.changed("trouble", text, text ?? "Connected again");
  if (element.textContent === (text ?? "")) return;
  element.hidden = text === null;
  element.textContent = text ?? "";
}

// What changes with trials and bins rather than ticks. One part is shown at a turn: all at once would delay a picture.
function showSlow() {
  const here = listed.find((one) => one.session === session.name);
  parts = [];
  if (session.name !== null && here === undefined) {
    document.getElementById("title").textContent = `There is no session ${session.name}`;
    document.getElementById("facts").replaceChildren();
    return;
  }
  parts.push(() => showFacts(session, here), () => controls.show(session, here), () => announce(here));
  if (session.slow === null) return;
  for (const one of [...Object.values(views), lateness]) parts.push(() => one.write(session));
  parts.push(
    () => views.raster.drawRates(session),
    () => lateness.draw(session),
    () => showDays(session.slow.days),
    () => showPerturbations(session, controls),
  );
}

function announce(here) {
  announcer.changed("state", here?.state, `${session.name} is ${here?.state}`);
  if (session.slow === null) return;
  const on = session.slow.perturbations.filter((one) => one.on !== null && one.off === null).map((one) => one.name);
  announcer.changed("perturbations", on.join(), `Perturbations on: ${on.join(", ") || "none"}`);
  announcer.changed("day", session.now?.day, `Day ${session.now?.day}`);
}

function drawSlow() {
  views.raster.drawRates(session);
  lateness.draw(session);
}

function draw() {
  for (const one of Object.values(views)) one.draw(session);
}

// Sizes or colours have changed: draw everything at the next turn, whether or not there is anything new.
function redraw() {
  stale = true;
}

function turn(now) {
  requestAnimationFrame(turn);
  if (stale && session.slow !== null) {
    stale = false;
    views.raster.redraw();
    views.velocity.redraw();
    draw();
    drawSlow();
  }
  if (held) session.takeNewSpikes();
  else parts.shift()?.();
  if (fresh && !held && (!calm.matches || now - drawnAt >= CALM_MS)) {
    fresh = false;
    drawnAt = now;
    draw();
    document.body.dataset.drawn = drawn += 1;
  }
  if (!asked) {
    const slow = now - slowAt >= SLOW_MS;
    asked = connection.send({ op: "frame", session: session.name, seen: session.seen, slow });
    if (asked && slow) slowAt = now;
  }
}

hold.addEventListener("click", () => {
  held = !held;
  hold.setAttribute("aria-pressed", String(held));
  if (!held) redraw();
});
onColours(redraw);
requestAnimationFrame(turn);
