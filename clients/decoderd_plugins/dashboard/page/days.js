// Measures by day: a curve each, and the same numbers as a table.

import { cell, element, svg } from "./elements.js";

const WIDTH = 260, HEIGHT = 120, LEFT = 40, BOTTOM = 20, TOP = 12;
const MEASURES = [
  { key: "success", name: "Success rate", digits: 2, highest: 1 },
  { key: "time_s", name: "Time to target, s", digits: 2 },
  { key: "loss", name: "Loss", digits: 3 },
  { key: "n_c", name: "N_c", digits: 0 },
];

let shown = "";

export function showDays(days) {
  const text = JSON.stringify(days);
  if (text === shown) return;
  shown = text;
  document.getElementById("curves").replaceChildren(...MEASURES.map((measure) => curve(measure, days)));
  document.querySelector("#days tbody").replaceChildren(...days.map(row));
}

function row(day) {
  const heading = element("th", { scope: "row" }, String(day.day));
  const values = MEASURES.map(({ key, digits }) => cell(number(day[key], digits)));
  return element("tr", {}, heading, cell(String(day.trials)), ...values);
}

function curve({ key, name, digits, highest }, days) {
  const points = days.filter((day) => day[key] !== null);
  const last = points.at(-1);
  const said = last === undefined ? "nothing yet" : `${number(last[key], digits)} on day ${last.day}`;
  const figure = element("figure", {}, element("figcaption", {}, `${name}: ${said}`));
  const top = highest ?? Math.max(1e-9, ...points.map((day) => day[key])) * 1.1;
  const first = days[0]?.day ?? 1, span = Math.max(1, (days.at(-1)?.day ?? 1) - first);
  const x = (day) => LEFT + ((day - first) / span) * (WIDTH - LEFT - 10);
  const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  const label = `${name} by day, ${points.length} days; the table by day has the numbers`;
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  drawing.append(
    svg("path", { class: "axis", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - 10}`, fill: "none" }),
    svg("text", { x: 0, y: TOP + 4 }, points.length ? top.toPrecision(2) : ""),
    svg("text", { x: 0, y: HEIGHT - BOTTOM }, "0"),
    svg("text", { x: LEFT, y: HEIGHT - 4 }, points.length ? `day ${first}` : ""),
    svg("text", { x: WIDTH - 10, y: HEIGHT - 4, "text-anchor": "end" }, days.length > 1 ? `${days.at(-1).day}` : ""),
    svg("polyline", { class: "curve", points: points.map((day) => `${x(day.day)},${y(day[key])}`).join(" ") }),
    ...points.map((day) => svg("circle", { class: "point", cx: x(day.day), cy: y(day[key]), r: 2.5 })),
  );
  figure.append(drawing);
  return figure;
}

function number(value, digits) {
  return value === null ? "–" : value.toFixed(digits);
}
