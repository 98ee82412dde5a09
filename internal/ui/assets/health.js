// Is everything well? Asked every other second on every view, so that what is
// wrong can be overlooked on none.

import { Away, every, get } from "./api.js";
import { $, bytes, count, duration, el, many, rate } from "./dom.js";
import { address } from "./router.js";

const askEvery = 2000; // milliseconds
const within = 5000; // an api that takes longer is as good as away

// From here on something is worth a banner.
export const lagWarns = 10; // seconds that the oldest entry has waited
export const lagIsBad = 60;
const streamWarns = 0.8; // of its limit
const walWarns = 512 << 20; // bytes

const listeners = new Set();
let latest = null;

// onHealth calls f with each state { pipeline, checks, problems }, at once when there is one.
export function onHealth(signal, f) {
  listeners.add(f);
  signal.addEventListener("abort", () => listeners.delete(f));
  if (latest) f(latest);
}

export function start(signal) {
  every(askEvery, signal, async () => {
    latest = await ask();
    show(latest);
    for (const f of listeners) f(latest);
  });
}

async function ask() {
  try {
    const [pipeline, ready] = await Promise.all([get("/pipeline", { within }), get("/health/ready", { any: true, within })]);
    return { pipeline, checks: ready.checks, problems: judge(pipeline, ready.checks) };
  } catch (error) {
    const text = error instanceof Away ? "The api does not answer: it is down, or this browser cannot reach it. What you see may be old." : error.message;
    return { pipeline: latest?.pipeline, checks: {}, problems: [{ bad: true, text, more: "" }] };
  }
}

// judge returns what an operator must not overlook, the worst first: text, and more
// that changes all the time.
export function judge(pipeline, checks) {
  const problems = [];
  const bad = (text, more = "") => problems.push({ bad: true, text, more });
  const warn = (text, more = "") => problems.push({ bad: false, text, more });
  const { stream, database } = pipeline;
  const told = { stream: !stream.available || stream.full, database: !database.available }; // below, and better
  for (const [name, state] of Object.entries(checks)) if (state !== "ok" && !told[name]) bad(`Check ${name} fails: ${state}`);
  judgeStream(stream, bad, warn);
  for (const writer of pipeline.writers) judgeWriter(writer, pipeline.writers.length > 1 ? `Writer ${writer.name}` : "The writer", bad, warn);
  if (!database.available) bad(`The database cannot be read: ${database.detail}`);
  if (database.wal_bytes > walWarns) warn("The database's log has grown.", ` ${bytes(database.wal_bytes)}.`);
  return problems.sort((a, b) => b.bad - a.bad);
}

function judgeStream(stream, bad, warn) {
  if (!stream.available) return bad(`The stream is away, webhooks get 503: ${stream.detail}`);
  if (stream.full) bad("The stream is full: webhooks get 503 until there is room.");
  else if (stream.max_bytes && stream.bytes > streamWarns * stream.max_bytes) warn("The stream is nearly full.", ` ${bytes(stream.bytes)} of ${bytes(stream.max_bytes)}.`);
  if (stream.missing > 0) bad(`${many(stream.missing, "entry", "entries")} of the stream ${stream.missing === 1 ? "is" : "are"} lost to damage.`);
}

function judgeWriter(writer, name, bad, warn) {
  const waits = writer.lag_entries > 0 ? ` ${many(writer.lag_entries, "entry waits", "entries wait")}, the oldest for ${duration(writer.lag_seconds)}.` : "";
  if (writer.running === false) return bad(`${name} is not running: webhooks are accepted but not stored.`, waits);
  if (writer.lag_seconds >= lagIsBad) bad(`${name} is behind.`, waits);
  else if (writer.lag_seconds >= lagWarns) warn(`${name} is behind.`, waits);
}

function show({ pipeline, problems }) {
  showBanner(problems);
  document.title = document.title.replace(/^(⚠ )?/, problems.length ? "⚠ " : "");
  $("#icon").href = problems.some((p) => p.bad) ? "/assets/icon-bad.svg" : "/assets/icon.svg";
  if (!pipeline) return;
  const dead = $("#dead-count");
  dead.hidden = !pipeline.dead_letters;
  dead.textContent = count(pipeline.dead_letters);
  const lag = Math.max(0, ...pipeline.writers.map((w) => w.lag_entries ?? 0));
  $("#pulse").replaceChildren(
    el("span", {}, el("b", {}, rate(pipeline.rates.accepted_per_second)), " in/s"),
    el("span", {}, el("b", {}, rate(pipeline.rates.applied_per_second)), " stored/s"),
    el("span", { class: lag ? "" : "dim" }, el("b", {}, count(lag)), " waiting"));
}

// showBanner is read aloud when its words change, not when its figures do.
function showBanner(problems) {
  const banner = $("#banner");
  const words = problems.map((p) => p.text).join("\n");
  banner.className = problems.some((p) => p.bad) ? "bad" : problems.length ? "warn" : "";
  if (banner.dataset.words !== words) {
    banner.dataset.words = words;
    banner.replaceChildren(...(problems.length ? [
      el("ul", {}, problems.map((p) => el("li", {}, p.text, el("span", { "aria-live": "off" })))),
      el("a", { href: address("pipeline") }, "Pipeline"),
    ] : []));
  }
  problems.forEach((p, i) => (banner.querySelectorAll("span")[i].textContent = p.more));
}
