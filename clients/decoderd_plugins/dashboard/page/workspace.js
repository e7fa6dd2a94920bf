// The workspace: targets, goal, trail and cursor.

import { Canvas, colour, line } from "./canvas.js";

const TRAIL_S = 1.5;
const PHASES = ["rest", "centre", "centre hold", "reach", "hold"];
const LEAST_M = 0.06; // half the width that is shown

export class Workspace {
  constructor(onFit) {
    this.canvas = new Canvas("workspace", onFit);
    this.text = document.getElementById("workspace-text");
  }

  draw(session) {
    const context = this.canvas.clear();
    const { now, slow } = session;
    if (now === null || slow === null) return;
    const targets = slow.targets, radii = slow.about?.radii ?? {};
    const goals = now.goal === null ? targets : [...targets, now.goal];
    const { x, y, half } = extent(goals, now.cursor);
    const scale = Math.min(this.canvas.width, this.canvas.height) / (2 * half);
    const place = ([px, py]) => [this.canvas.width / 2 + (px - x) * scale, this.canvas.height / 2 - (py - y) * scale];
    const radius = radii.radius_m ?? 0.01;
    context.lineWidth = 1.5;
    context.strokeStyle = colour("line");
    for (const target of targets) circle(context, place(target), radius * scale);
    if (now.goal !== null) {
      const isCentre = now.phase === 1 || now.phase === 2;
      context.strokeStyle = context.fillStyle = colour("goal");
      context.lineWidth = 3;
      circle(context, place(now.goal), (isCentre ? radii.centre_radius_m ?? radius : radius) * scale);
    }
    this.drawTrail(context, session, place);
    context.fillStyle = colour("decoded");
    context.beginPath();
    context.arc(...place(now.cursor), Math.max(5, (radii.cursor_radius_m ?? 0) * scale), 0, 7);
    context.fill();
  }

  drawTrail(context, session, place) {
    const first = session.now.tick - TRAIL_S / session.tickS;
    context.strokeStyle = colour("trail");
    context.lineWidth = 2.5;
    let index = session.ticks.length;
    while (index > 0 && session.ticks[index - 1][0] > first) index -= 1;
    line(context, session.ticks.slice(index), ([, x, y]) => place([x, y]), session.longestGap);
  }

  write(session) {
    const { now } = session;
    if (now === null) return;
    const goal = now.goal === null ? "no goal" : `goal at ${centimetres(now.goal)}`;
    this.text.textContent = `Cursor at ${centimetres(now.cursor)}, ${goal}, ${PHASES[now.phase] ?? "-"}.`;
  }
}

// The square that holds all goals, and the cursor if it is not far off.
function extent(goals, cursor) {
  const all = goals.length ? goals : [cursor];
  const xs = all.map((one) => one[0]), ys = all.map((one) => one[1]);
  const x = (Math.min(...xs) + Math.max(...xs)) / 2, y = (Math.min(...ys) + Math.max(...ys)) / 2;
  const reach = Math.max(Math.max(...xs) - x, Math.max(...ys) - y, LEAST_M);
  return { x, y, half: 1.35 * reach };
}

function circle(context, [x, y], radius) {
  context.beginPath();
  context.arc(x, y, Math.max(2, radius), 0, 7);
  context.stroke();
}

function centimetres([x, y]) {
  return `(${(100 * x).toFixed(1)}, ${(100 * y).toFixed(1)}) cm`;
}
