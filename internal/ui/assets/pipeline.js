// The pipeline at one glance: is it coming in, is it stored, what waits?

import { every, get } from "./api.js";
import { bytes, count, duration, el, instant, none, rate } from "./dom.js";
import { lagIsBad, lagWarns, onHealth } from "./health.js";
import { list } from "./detail.js";
import { fit, legend, lines } from "./plot.js";
import { address } from "./router.js";

const series = [
  { name: "accepted", label: "Accepted a second" },
  { name: "stored", label: "Stored a second" },
];

export async function show(main, _, signal) {
  const now = el("div", { class: "flow" });
  const plot = el("div", { class: "plot" });
  const cards = el("div", { class: "cards" });
  main.append(el("h1", {}, "Pipeline"), now,
    el("section", { class: "card wide" }, el("div", { class: "bar" }, el("h2", {}, "The last minutes"), legend(series)), plot), cards);
  onHealth(signal, (health) => {
    if (!health.pipeline) return;
    now.replaceChildren(...flow(health.pipeline));
    cards.replaceChildren(...details(health));
  });
  let moments = [];
  const draw = () => plot.clientWidth && plot.replaceChildren(drawing(moments, plot.clientWidth));
  fit(plot, signal, draw);
  await every(2000, signal, async () => {
    try {
      ({ moments } = await get("/pipeline/history", { signal }));
      draw();
    } catch {
      // The banner tells what is wrong.
    }
  });
}

// flow shows the places where a message can be.
function flow({ stream, writers, rates, database, dead_letters: dead }) {
  const writer = writers.find((w) => w.running !== null) ?? writers[0];
  return [coming(stream, rates), waiting(writer), stored(database, writer, rates),
    step("Dead letters", count(dead), "kept aside", dead ? el("a", { href: address("dead-letters") }, "Decide on them") : "none", dead ? "warn" : "good")];
}

function step(name, value, unit, note, state) {
  return el("section", { class: `step ${state}` },
    el("h2", {}, name), el("p", { class: "big" }, el("strong", {}, value), " ", unit), el("p", { class: "dim" }, note));
}

function coming(stream, rates) {
  const note = !stream.available ? "the stream is away" : stream.full ? "refused: the stream is full" : upTo(stream.last_sequence);
  return step("Coming in", rate(rates.accepted_per_second), "a second", note, stream.available && !stream.full ? "good" : "bad");
}

const upTo = (sequence) => (sequence ? `up to sequence ${count(sequence)}` : "nothing yet");

function waiting(writer) {
  const { lag_entries: entries, lag_seconds: seconds } = writer ?? {};
  const note = entries ? `the oldest for ${duration(seconds)}` : entries === 0 ? "nothing waits" : "not known";
  const state = !writer || writer.running === false || seconds >= lagIsBad ? "bad" : seconds >= lagWarns ? "warn" : "good";
  return step("Waiting", count(entries), entries === 1 ? "entry" : "entries", note, state);
}

function stored(database, writer, rates) {
  const note = database.available ? upTo(database.applied_sequence) : "no database";
  return step("Stored", rate(rates.applied_per_second), "a second", note, database.available && writer?.running !== false ? "good" : "bad");
}

function details({ pipeline, checks }) {
  const { stream, database, writers } = pipeline;
  return [
    el("section", { class: "card" }, el("h2", {}, "Health"), checkList(checks)),
    el("section", { class: "card" }, el("h2", {}, "Stream"), meter(stream), list([
      stream.detail ? ["Why", stream.detail] : null,
      ["Entries", count(stream.messages)],
      ["Sequences", stream.messages ? `${count(stream.first_sequence)} to ${count(stream.last_sequence)}` : none],
      ["Lost to damage", count(stream.missing)],
    ])),
    el("section", { class: "card" }, el("h2", {}, "Database"), list([
      database.detail ? ["Why", database.detail] : null,
      ["Size", bytes(database.bytes)],
      ["Write-ahead log", bytes(database.wal_bytes)],
      ["Holds up to", instant(database.applied_at)],
      ["Inserted", count(database.entries?.inserted)],
      ["Repeats", count(database.entries?.duplicates)],
      ["Conflicts", count(database.entries?.conflicts)],
    ])),
    el("section", { class: "card wide" }, el("h2", {}, "Writers"), writers.length ? writerTable(writers) : el("p", { class: "dim" }, "No writer has ever come.")),
  ];
}

function checkList(checks) {
  const all = Object.entries(checks);
  if (!all.length) return el("p", { class: "dim" }, "Not known: the api does not answer.");
  return el("ul", { class: "checks" }, all.map(([name, state]) => el("li", { class: state === "ok" ? "good" : "bad" },
    el("span", {}, name.replaceAll("_", " ")), el("span", {}, state))));
}

function meter({ bytes: used, max_bytes: most }) {
  if (used === null) return null;
  if (!most) return el("p", {}, `${bytes(used)}, without a limit`);
  const part = used / most;
  return el("div", { class: "meter" },
    el("meter", { min: 0, max: 1, low: 0.8, high: 0.95, optimum: 0, value: part, "aria-label": "Stream's share of its limit" }),
    el("p", {}, `${bytes(used)} of ${bytes(most)}`, el("span", { class: "dim" }, ` · ${part < 0.001 ? "under 0.1" : (100 * part).toFixed(1)} %`)));
}

function writerTable(writers) {
  const state = ({ running }) => (running === null ? el("span", { class: "dim" }, "elsewhere") : el("span", { class: running ? "good" : "bad" }, running ? "runs" : "away"));
  return el("table", { class: "small" },
    el("thead", {}, el("tr", {}, ["Name", "State", "Applied", "Waiting", "Oldest"].map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, writers.map((w) => el("tr", {}, [w.name, state(w), count(w.applied_sequence), count(w.lag_entries), duration(w.lag_seconds)].map((v) => el("td", {}, v))))));
}

// drawing turns sequences a second apart into rates.
function drawing(moments, width) {
  const perSecond = (name) => moments.slice(1).map((m, i) => {
    const before = moments[i];
    if (m[name] === null || before[name] === null) return null;
    return Math.max(0, (m[name] - before[name]) / Math.max(0.001, (new Date(m.at) - new Date(before.at)) / 1000));
  });
  const accepted = perSecond("last_sequence");
  const stored = perSecond("applied_sequence");
  if (!accepted.length) return el("p", { class: "empty" }, "The plot begins in a second.");
  const span = (new Date(moments.at(-1).at) - new Date(moments[0].at)) / 1000;
  const marks = [[0, `${Math.round(span)} s ago`], [accepted.length - 1, "now"]];
  return lines(width, [{ ...series[0], values: accepted, area: true }, { ...series[1], values: stored }], marks,
    `Accepted ${rate(accepted.at(-1))} and stored ${rate(stored.at(-1))} a second now`);
}
