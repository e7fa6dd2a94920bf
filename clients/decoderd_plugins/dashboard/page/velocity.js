// Decoded and intended velocity of the last 10 s, x above y.

import { Canvas, colour, line } from "./canvas.js";

const AXES = [["x", 3, 5], ["y", 4, 6]]; // name, place of decoded and of intended in a tick
const LEFT = 44, GAP = 14;
const STEPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100];

export class Velocity {
  constructor(onFit) {
    this.canvas = new Canvas("velocity", onFit);
    this.text = document.getElementById("velocity-text");
    this.limit = STEPS[0];
  }

  draw(session) {
    const context = this.canvas.clear();
    const { ticks, now, length } = session;
    if (now === null) return;
    const height = (this.canvas.height - GAP) / 2, width = this.canvas.width - LEFT;
    const x = (tick) => LEFT + width * (1 - (now.tick - tick) / length);
    AXES.forEach(([name, decoded, intended], index) => {
      const middle = height / 2 + index * (height + GAP);
      const y = (value) => middle - Math.max(-1, Math.min(1, value / this.limit)) * height / 2;
      context.fillStyle = colour("line");
      context.fillRect(LEFT, middle, width, 1);
      context.fillStyle = colour("soft");
      context.font = "11px system-ui";
      context.textBaseline = "middle";
      context.fillText(`v${name}`, 2, middle);
      context.fillText(`${this.limit} m/s`, 2, middle - height / 2 + 6);
      context.lineJoin = "bevel";
      for (const [colourName, column, thickness] of [["intended", intended, 3], ["decoded", decoded, 1.6]]) {
        context.strokeStyle = colour(colourName);
        context.lineWidth = thickness;
        line(context, ticks, (row) => [x(row[0]), y(row[column])], session.longestGap);
      }
    });
  }

  write({ ticks }) {
    if (!ticks.length) return;
    let largest = 0, across = 0, decodedSquares = 0, intendedSquares = 0;
    for (const [, , , dx, dy, ix, iy] of ticks) {
      largest = Math.max(largest, Math.abs(dx), Math.abs(dy), Math.abs(ix), Math.abs(iy));
      across += dx * ix + dy * iy;
      decodedSquares += dx * dx + dy * dy;
      intendedSquares += ix * ix + iy * iy;
    }
    this.limit = STEPS.find((step) => step >= largest) ?? STEPS.at(-1);
    const both = Math.sqrt(decodedSquares * intendedSquares);
    const cosine = both > 0 ? `Cosine between the two, over 10 s: ${(across / both).toFixed(2)}.` : "";
    const [, , , dx, dy, ix, iy] = ticks.at(-1);
    this.text.textContent = `${cosine} Speed ${Math.hypot(dx, dy).toFixed(3)}, intended ${Math.hypot(ix, iy).toFixed(3)} m/s.`;
  }
}
