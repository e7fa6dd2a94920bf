// The newest seconds of the session that is shown, put together from frames.

export const WINDOW_S = 10;

export class Session {
  constructor(name) {
    this.name = name;
    this.slow = null;
    this.now = null;
    this.ageS = 0;
    this.seen = undefined;
    this.clear();
  }

  clear() {
    this.epoch = (this.epoch ?? 0) + 1; // what is drawn of an earlier epoch is to be drawn anew
    this.ticks = []; // [tick, x, y, decoded vx, vy, intended vx, vy]
    this.spikes = []; // [tick, unit, unit, ...]
    this.newSpikes = [];
  }

  get tickS() {
    return this.slow?.about?.tick_s ?? 0.01;
  }

  get length() {
    return Math.round(WINDOW_S / this.tickS); // ticks
  }

  // Ticks that may lie between two that are drawn as one line.
  get longestGap() {
    return this.length / 100;
  }

  get units() {
    return this.slow?.rates.length ?? 0;
  }

  // Take in a frame; whether it had anything new to draw.
  receive(frame) {
    if (frame.slow !== undefined) this.slow = frame.slow;
    if (frame.seen === undefined) return false;
    if (this.seen !== undefined && this.seen[0] !== frame.seen[0]) this.clear();
    this.seen = frame.seen;
    const isNew = frame.now !== null && frame.now.tick !== this.now?.tick;
    this.now = frame.now;
    this.ageS = frame.age_s;
    this.ticks.push(...frame.ticks);
    this.spikes.push(...frame.spikes);
    this.newSpikes.push(...frame.spikes);
    if (this.now !== null) {
      const first = this.now.tick - this.length;
      forget(this.ticks, first);
      forget(this.spikes, first);
    }
    return isNew;
  }

  takeNewSpikes() {
    const taken = this.newSpikes;
    this.newSpikes = [];
    return taken;
  }
}

function forget(rows, upTo) {
  let old = 0;
  while (old < rows.length && rows[old][0] <= upTo) old += 1;
  if (old > 0) rows.splice(0, old);
}
