// Spikes of the last 10 s, a row a unit, and the rate of each unit.

import { Canvas, colour } from "./canvas.js";
import { ScrollingCanvas } from "./scroll.js";

export class Raster {
  constructor(onFit) {
    this.spikes = new ScrollingCanvas("raster", onFit);
    this.rates = new Canvas("rates", onFit);
    this.text = document.getElementById("raster-text");
  }

  redraw() {
    this.spikes.redraw();
  }

  draw(session) {
    const news = session.takeNewSpikes();
    if (session.now === null || !session.units) return;
    const rows = this.spikes.begin(session) ? session.spikes : news;
    const { context, height, scale } = this.spikes;
    const row = height / session.units, tall = Math.max(1, row * 0.8), wide = Math.max(1, Math.round(scale));
    context.fillStyle = colour("spike");
    for (const [tick, ...units] of rows) {
      const x = Math.floor(this.spikes.x(tick));
      for (const unit of units) context.fillRect(x, unit * row, wide, tall);
    }
    this.spikes.show();
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
