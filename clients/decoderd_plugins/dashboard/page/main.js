// The page: asks for frames, and has what came drawn at the pace of the screen.

import { Connection } from "./connection.js";
import { Session } from "./session.js";
import { showSessions } from "./sessions.js";
import { Workspace } from "./workspace.js";
import { Lateness } from "./lateness.js";

const SLOW_MS = 200; // between two updates of what changes slowly

const given = new URLSearchParams(location.hash.slice(1));
let session = new Session(given.get("session"));
let asked = false, fresh = false, slowAt = -SLOW_MS, drawn = 0;
const workspace = new Workspace(), lateness = new Lateness();

const connection = new Connection(given.get("token"), receive, (open) => {
  asked = false;
  trouble(open ? null : "The dashboard does not answer. It is asked again.");
});

function receive(reply) {
  asked = false;
  if (reply.list !== undefined) {
    if (session.name === null && reply.list.sessions.length) choose(reply.list.sessions[0].session);
    showSessions(reply.list.sessions, session.name, choose);
    trouble(reply.list.trouble);
  }
  if (reply.session === session.name && session.receive(reply)) fresh = true;
  if (reply.slow) {
    lateness.draw(session);
    lateness.write(session);
    workspace.write(session);
  }
}

function choose(name) {
  session = new Session(name);
  slowAt = -SLOW_MS;
  given.set("session", name);
  history.replaceState(null, "", `#${given}`);
  document.getElementById("title").textContent = name;
}

function trouble(text) {
  const element = document.getElementById("trouble");
  element.hidden = text === null;
  element.textContent = text ?? "";
}

function turn(now) {
  requestAnimationFrame(turn);
  if (fresh) {
    fresh = false;
    workspace.draw(session);
    drawn += 1;
    document.body.dataset.drawn = drawn;
  }
  if (!asked) {
    const slow = now - slowAt >= SLOW_MS;
    asked = connection.send({ op: "frame", session: session.name, seen: session.seen, slow });
    if (asked && slow) slowAt = now;
  }
}

if (session.name !== null) choose(session.name);
requestAnimationFrame(turn);
