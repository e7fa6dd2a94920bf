// Perturbations on a time line, and as a table.

import { cell, element, svg } from "./elements.js";

const WIDTH = 1000, ROW = 18, LEFT = 150, SHOWN = 12, DAY = 50;

let shown = "";

// `controls.removal(name)` is what stands in the last column of a perturbation that can be removed.
export function showPerturbations({ now, slow, tickS }, controls) {
  const { perturbations, starts } = slow, tick = now?.tick ?? 0;
  drawTimeLine(perturbations.slice(-SHOWN), starts, Math.max(1, tick));
  const text = JSON.stringify([perturbations, controls.may]);
  if (text === shown) return;
  shown = text;
  document.getElementById("no-perturbations").hidden = perturbations.length > 0;
  document.getElementById("perturbations").hidden = perturbations.length === 0;
  const rows = perturbations.toReversed().map((one) => row(one, tickS, controls));
  document.querySelector("#perturbations tbody").replaceChildren(...rows);
}

function row(one, tickS, controls) {
  const at = (tick) => cell(tick === null ? "–" : `${(tick * tickS).toFixed(1)} s`);
  const last = one.off === null && controls.may ? controls.removal(one.name) : null;
  return element(
    "tr", {}, element("th", { scope: "row" }, one.name), cell(one.kind), cell(one.site),
    at(one.added), at(one.on), at(one.off), last === null ? cell() : cell(last),
  );
}

function drawTimeLine(perturbations, starts, tick) {
  const x = (at) => LEFT + (Math.min(at, tick) / tick) * (WIDTH - LEFT - 5);
  const height = ROW * perturbations.length + 24;
  const label = `Time line of ${perturbations.length} perturbations over ${starts.length} days; the table has the same`;
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label });
  let free = 0; // up to where the last day reaches: others would be drawn over it
  for (const [first, day] of starts) {
    if (x(first) < free || x(first) > WIDTH - DAY) continue;
    free = x(first) + DAY;
    drawing.append(
      svg("line", { class: "axis", x1: x(first), x2: x(first), y1: 0, y2: height - 14 }),
      svg("text", { x: x(first) + 2, y: height - 3 }, `day ${day}`),
    );
  }
  perturbations.forEach((one, index) => {
    const top = index * ROW + 3, end = one.off ?? tick;
    drawing.append(svg("text", { x: 0, y: top + 10 }, one.name.length > 22 ? `${one.name.slice(0, 21)}…` : one.name));
    const span = (name, from, to) =>
      svg("rect", { class: name, x: x(from), y: top, width: Math.max(2, x(to) - x(from)), height: ROW - 6 });
    drawing.append(span("waiting", one.added, one.on ?? end));
    if (one.on !== null) drawing.append(span("on", one.on, end));
  });
  document.getElementById("timeline").replaceChildren(drawing);
}
