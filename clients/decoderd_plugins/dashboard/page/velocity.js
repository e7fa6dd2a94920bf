// Decoded and intended velocity of the last 10 s, x above y.

import { colour, line } from "./canvas.js";
import { ScrollingCanvas } from "./scroll.js";

const AXES = [["x", 3, 5], ["y", 4, 6]]; // name, place of decoded and of intended in a tick
const LINES = [["intended", 3, 1], ["decoded", 1.6, 0]]; // colour, thickness, which of the two places
const LEFT = 44, GAP = 14;
const STEPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100];

export class Velocity {
  constructor(onFit) {
    this.lines = new ScrollingCanvas("velocity", onFit, LEFT);
    this.text = document.getElementById("velocity-text");
    this.limit = STEPS[0];
  }

  redraw() {
    this.lines.redraw();
  }

  draw(session) {
    const { ticks, now } = session;
    if (now === null || !ticks.length) return;
    const isNew = this.lines.begin(session);
    let first = ticks.length;
    while (first > 0 && (isNew || ticks[first - 1][0] >= this.last)) first -= 1;
    this.last = ticks.at(-1)[0];
    this.extend(ticks.slice(first), session.longestGap);
    this.drawScale(this.lines.show());
  }

  // Draw lines through these ticks, twice where the ring ends between them.
  extend(ticks, longestGap) {
    const { context, width, height, perTick, scale } = this.lines;
    if (ticks.length < 2) return;
    const start = Math.floor((ticks[0][0] * perTick) / width) * width;
    const end = Math.floor((ticks.at(-1)[0] * perTick) / width) * width;
    for (const [name, thickness, place] of LINES) {
      context.strokeStyle = colour(name);
      context.lineWidth = thickness * scale;
      AXES.forEach(([, ...columns], index) => {
        const { middle, half } = this.axis(index, height);
        const y = (row) => middle - Math.max(-1, Math.min(1, row[columns[place]] / this.limit)) * half;
        for (let from = start; from <= end; from += width) {
          line(context, ticks, (row) => [row[0] * perTick - from, y(row)], longestGap);
        }
      });
    }
  }

  // Middle and half the height of an axis.
  axis(index, height) {
    const gap = GAP * this.lines.scale, half = (height - gap) / 4;
    return { middle: half + index * (2 * half + gap), half };
  }

  drawScale(context) {
    context.font = "11px system-ui";
    context.textBaseline = "middle";
    AXES.forEach(([name], index) => {
      const { middle, half } = this.axis(index, this.lines.canvas.height * this.lines.scale);
      const y = middle / this.lines.scale, top = (middle - half) / this.lines.scale;
      context.fillStyle = colour("line");
      context.fillRect(LEFT, y, this.lines.canvas.width - LEFT, 1);
      context.fillStyle = colour("soft");
      context.fillText(`v${name}`, 2, y);
      context.fillText(`${this.limit} m/s`, 2, top + 6);
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
    const limit = STEPS.find((step) => step >= largest) ?? STEPS.at(-1);
    if (limit !== this.limit) this.redraw();
    this.limit = limit;
    const both = Math.sqrt(decodedSquares * intendedSquares);
    const cosine = both > 0 ? `Cosine between the two, over 10 s: ${(across / both).toFixed(2)}.` : "";
    const [, , , dx, dy, ix, iy] = ticks.at(-1);
    const [speed, intended] = [Math.hypot(dx, dy), Math.hypot(ix, iy)].map((one) => one.toFixed(3));
    this.text.textContent = `${cosine} Speed ${speed}, intended ${intended} m/s.`;
  }
}
