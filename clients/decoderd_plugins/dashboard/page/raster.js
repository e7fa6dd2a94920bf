// Spikes of the last 10 s, a row a unit, and the rate of each unit.

import { Canvas, colour } from "./canvas.js";

export class Raster {
  constructor(onFit) {
    this.canvas = new Canvas("raster", () => {
      this.redraw();
      onFit();
    });
    this.rates = new Canvas("rates", onFit);
    this.text = document.getElementById("raster-text");
    // All spikes that are shown, a column of pixels for a moment; columns are used again once they are 10 s old.
    this.ring = document.createElement("canvas");
    this.epoch = null;
  }

  // Draw everything anew the next time.
  redraw() {
    this.epoch = null;
  }

  draw(session) {
    const { width, height } = this.canvas.element;
    if (session.now === null || !session.units || !width) return;
    const column = (tick) => Math.floor((tick * width) / session.length);
    const context = this.ring.getContext("2d");
    let spikes = session.takeNewSpikes();
    if (this.epoch !== session.epoch || this.of !== session) {
      this.ring.width = width;
      this.ring.height = height;
      [this.epoch, this.of, this.last] = [session.epoch, session, column(session.now.tick)];
      spikes = session.spikes;
    }
    // Columns up to now are free: what stood there is 10 s old.
    const newest = column(session.now.tick);
    for (let one = Math.max(this.last, newest - width) + 1; one <= newest; one += 1) context.clearRect(one % width, 0, 1, height);
    this.last = newest;
    context.fillStyle = colour("spike");
    const row = height / session.units, tall = Math.max(1, row * 0.8), wide = Math.max(1, Math.round(devicePixelRatio));
    for (const [tick, ...units] of spikes) {
      if (column(tick) <= newest - width) continue;
      for (const unit of units) context.fillRect(column(tick) % width, unit * row, wide, tall);
    }
    this.show(newest % width, width, height);
  }

  // Oldest to the left: the ring is cut behind the newest column.
  show(newest, width, height) {
    const context = this.canvas.context;
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    const old = width - newest - 1;
    if (old > 0) context.drawImage(this.ring, newest + 1, 0, old, height, 0, 0, old, height);
    context.drawImage(this.ring, 0, 0, newest + 1, height, old, 0, newest + 1, height);
    context.restore();
  }

  drawRates({ slow: { rates } }) {
    const context = this.rates.clear();
    if (!rates.length) return;
    const highest = Math.max(10, ...rates), row = this.rates.height / rates.length;
    context.fillStyle = colour("decoded");
    rates.forEach((rate, unit) => {
      context.fillRect(0, unit * row, (rate / highest) * this.rates.width, Math.max(1, row * 0.8));
    });
  }

  write({ slow: { rates } }) {
    if (!rates.length) return;
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const highest = Math.max(...rates), silent = rates.filter((rate) => rate < 0.1).length;
    this.text.textContent =
      `${rates.length} units, unit 0 above. Mean rate ${mean.toFixed(1)} Hz; ` +
      `highest ${highest.toFixed(0)} Hz, of unit ${rates.indexOf(highest)}; ${silent} below 0.1 Hz.`;
  }
}
