// Canvases that fit their place on the page, and the page's colours for drawing.

const dark = matchMedia("(prefers-color-scheme: dark)");
const read = {};

// A colour of style.css by its name.
export function colour(name) {
  read[name] ??= getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  return read[name];
}

// Call `then` when light turns dark or dark light.
export function onColours(then) {
  dark.addEventListener("change", () => {
    for (const name of Object.keys(read)) delete read[name];
    then();
  });
}

// A line through rows [tick, ...], broken where ticks are missing. `place(row)` is [x, y].
export function line(context, rows, place, longestGap) {
  context.beginPath();
  let last = -Infinity;
  for (const row of rows) {
    if (row[0] - last > longestGap) context.moveTo(...place(row));
    else context.lineTo(...place(row));
    last = row[0];
  }
  context.stroke();
}

export class Canvas {
  // `onFit()` is called once its size has changed: what it showed is gone.
  constructor(id, onFit) {
    this.element = document.getElementById(id);
    this.context = this.element.getContext("2d");
    this.width = this.height = 0;
    new ResizeObserver(() => {
      const scale = devicePixelRatio;
      this.width = this.element.clientWidth;
      this.height = this.element.clientHeight;
      this.element.width = Math.round(this.width * scale);
      this.element.height = Math.round(this.height * scale);
      this.context.setTransform(scale, 0, 0, scale, 0, 0);
      onFit();
    }).observe(this.element);
  }

  clear() {
    this.context.clearRect(0, 0, this.width, this.height);
    return this.context;
  }
}
