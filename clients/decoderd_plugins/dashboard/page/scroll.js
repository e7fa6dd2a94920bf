// A canvas on which time runs to the left: only what is new is drawn, the rest is moved.

import { Canvas } from "./canvas.js";

export class ScrollingCanvas {
  // `left` pixels to the left stay free.
  constructor(id, onFit, left = 0) {
    this.canvas = new Canvas(id, () => {
      this.redraw();
      onFit();
    });
    this.left = left;
    // A column of pixels for a moment. Columns are used again once they are as old as the canvas is wide.
    this.ring = document.createElement("canvas");
    this.redraw();
  }

  // Draw everything anew the next time.
  redraw() {
    this.epoch = null;
  }

  // Make place for what is new; whether everything is to be drawn anew.
  begin(session) {
    const { element, width } = this.canvas;
    const scale = width ? element.width / width : 1;
    this.width = Math.max(1, element.width - Math.round(this.left * scale));
    this.height = element.height;
    this.scale = scale;
    this.perTick = this.width / session.length;
    this.context = this.ring.getContext("2d");
    const newest = Math.floor(session.now.tick * this.perTick);
    const isNew = this.epoch !== session.epoch || this.of !== session;
    if (isNew) {
      this.ring.width = this.width;
      this.ring.height = this.height;
      [this.epoch, this.of, this.newest] = [session.epoch, session, newest];
    }
    // Two columns ahead are free as well: lines are broad.
    for (let one = Math.max(this.newest, newest - this.width) + 1; one <= newest; one += 1) {
      this.context.clearRect((one + 2) % this.width, 0, 1, this.height);
    }
    this.newest = newest;
    return isNew;
  }

  // Where a tick is drawn in the ring.
  x(tick) {
    return (tick * this.perTick) % this.width;
  }

  // Oldest to the left: the ring is cut behind the newest column.
  show() {
    const { width, height } = this, context = this.canvas.context, first = this.canvas.element.width - width;
    const newest = this.newest % width, old = width - newest - 1;
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.element.width, height);
    if (old > 0) context.drawImage(this.ring, newest + 1, 0, old, height, first, 0, old, height);
    context.drawImage(this.ring, 0, 0, newest + 1, height, first + old, 0, newest + 1, height);
    context.restore();
    return this.canvas.context;
  }
}
