// How late ticks began, over the last minute: median, 99th percentile and maximum, on a logarithmic scale.

import { Canvas, colour } from "./canvas.js";

const LOWEST_US = 1, DECADES = 6;
const LINES = [["goal", 0], ["decoded", 1], ["warn", 2]];
const LEFT = 48;

export class Lateness {
  constructor(onFit) {
    this.canvas = new Canvas("lateness", onFit);
    this.text = document.getElementById("lateness-text");
  }

  draw({ slow }) {
    const context = this.canvas.clear();
    const healths = slow.healths.filter(([, spread]) => spread !== null);
    const share = (us) => Math.log10(Math.max(us, LOWEST_US)) / DECADES;
    const height = (us) => this.canvas.height - 8 - share(us) * (this.canvas.height - 16);
    context.font = "11px system-ui";
    context.textBaseline = "middle";
    for (const [us, name] of [[1, "1 µs"], [1e3, "1 ms"], [1e6, "1 s"]]) {
      context.fillStyle = colour("soft");
      context.fillText(name, 4, height(us));
      context.fillStyle = colour("line");
      context.fillRect(LEFT, height(us), this.canvas.width - LEFT, 1);
    }
    const step = (this.canvas.width - LEFT) / 240;
    for (const [name, place] of LINES) {
      context.strokeStyle = colour(name);
      context.lineWidth = 1.5;
      context.beginPath();
      healths.forEach(([, spread], index) => {
        context.lineTo(this.canvas.width - (healths.length - index) * step, height(spread[place]));
      });
      context.stroke();
    }
  }

  write({ slow }) {
    const last = slow.healths.at(-1);
    const pace = slow.pace === null ? "" : ` ${slow.pace.toFixed(0)} ticks/s.`;
    if (last === undefined) {
      this.text.textContent = "Nothing measured yet.";
    } else if (last[1] === null) {
      this.text.textContent = `This session has no deadlines.${pace}`;
    } else {
      const [p50, p99, worst] = last[1].map((us) => us.toFixed(0));
      const missed = `Deadlines missed since the session is followed: ${slow.missed}.`;
      this.text.textContent = `Median ${p50}, 99 % ${p99}, maximum ${worst} µs. ${missed}${pace}`;
    }
  }
}
