// Plots as SVG: lines over seconds, bars over hours or days.

import { el, rate, svg } from "./dom.js";

const height = 180;
const left = 52; // room for the scale
const bottom = 22;
const top = 10;

// ceiling returns a round number that is not below n.
function ceiling(n) {
  if (n <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 2.5, 5, 10].find((m) => m * power >= n) * power;
}

// frame returns a drawing so wide with a scale from 0 to most.
function frame(width, most, label) {
  const y = (value) => top + (height - top - bottom) * (1 - value / most);
  const lines = [0, 0.5, 1].map((part) => [
    svg("line", { class: "grid", x1: left, x2: width, y1: y(part * most), y2: y(part * most) }),
    svg("text", { class: "scale", x: left - 8, y: y(part * most) + 4, "text-anchor": "end" }, rate(part * most)),
  ]);
  const node = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label }, lines);
  return { node, y };
}

// lines draws series [{ name, values }] of one length; null is a gap. marks are
// texts below, by index.
export function lines(width, series, marks, label) {
  const most = ceiling(Math.max(...series.flatMap((s) => s.values.map((v) => v ?? 0))));
  const { node, y } = frame(width, most, label);
  const n = series[0].values.length;
  const x = (i) => left + ((width - left) * i) / Math.max(1, n - 1);
  for (const [i, text] of marks) node.append(svg("text", { class: "scale", x: x(i), y: height - 4, "text-anchor": i > n / 2 ? "end" : i ? "middle" : "start" }, text));
  for (const s of series) {
    for (const run of runs(s.values)) {
      const points = run.map((i) => `${x(i).toFixed(1)},${y(s.values[i]).toFixed(1)}`).join(" ");
      if (s.area) node.append(svg("polygon", { class: `area ${s.name}`, points: `${x(run[0]).toFixed(1)},${y(0)} ${points} ${x(run.at(-1)).toFixed(1)},${y(0)}` }));
      node.append(svg("polyline", { class: `line ${s.name}`, points }));
    }
  }
  return node;
}

// runs returns the stretches of indexes without gaps.
function runs(values) {
  const all = [];
  values.forEach((v, i) => {
    if (v === null) return;
    if (i && values[i - 1] !== null) all.at(-1).push(i);
    else all.push([i]);
  });
  return all;
}

// bars draws [{ value, title, href, mark }]; a bar with href leads there.
export function bars(width, data, label) {
  const most = ceiling(Math.max(1, ...data.map((d) => d.value)));
  const { node, y } = frame(width, most, label);
  node.setAttribute("role", "group");
  const step = (width - left) / data.length;
  data.forEach((d, i) => {
    const x = left + i * step;
    const tall = d.value ? Math.max(2, y(0) - y(d.value)) : 0; // so that one message is seen
    const bar = [
      svg("title", {}, d.title),
      svg("rect", { class: "reach", x, y: top, width: step, height: height - top - bottom }),
      svg("rect", { class: "bar", x: x + step * 0.1, y: y(0) - tall, width: step * 0.8, height: tall, rx: Math.min(2, step * 0.2) }),
    ];
    node.append(d.value ? svg("a", { href: d.href, "aria-label": d.title }, bar) : svg("g", {}, bar));
    if (d.mark) node.append(svg("text", { class: "scale", x: x + step / 2, y: height - 4, "text-anchor": "middle" }, d.mark));
  });
  return node;
}

// legend names the lines by their colours.
export function legend(series) {
  return el("p", { class: "legend" }, series.map((s) => el("span", { class: s.name }, s.label)));
}

// fit calls draw with the width of node, now and whenever it changes.
export function fit(node, signal, draw) {
  const observer = new ResizeObserver(() => {
    const width = Math.floor(node.clientWidth);
    if (width > 0 && width !== Number(node.dataset.width)) {
      node.dataset.width = width;
      draw(width);
    }
  });
  observer.observe(node);
  signal.addEventListener("abort", () => observer.disconnect());
}
