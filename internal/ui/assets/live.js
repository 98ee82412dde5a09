// Live: messages as they arrive, newest first. The server tells at most so many at
// a time and counts the others, and the page paints once a frame at most: it stays
// usable however fast messages come.

import { every, get, path } from "./api.js";
import { count, el, many, say, rate } from "./dom.js";
import { address, go } from "./router.js";
import { row, table } from "./rows.js";
import { searchBox } from "./searchbox.js";
import { only } from "./words.js";

const atOnce = 50; // messages the server tells at a time; it looks five times a second
const kept = 200; // rows in the list
const again = 2000; // milliseconds until we try to connect again by ourselves

// state outlives the view, so that Back finds the list as it was.
let state = fresh("");

function fresh(key) {
  return { key, rows: [], waiting: [], last: null, paused: false, missed: 0, passed: [] };
}

// pause stops the list, or lets it go on.
export let pause = () => {};

export async function show(main, parameters, signal) {
  const filters = only(parameters);
  if (state.key !== JSON.stringify(filters)) state = fresh(JSON.stringify(filters));
  const view = build(main, filters);
  pause = (on = !state.paused) => {
    if (signal.aborted || on === state.paused) return;
    state.paused = on;
    say(on ? "Paused" : "Live again");
    paint(view);
  };
  view.button.addEventListener("click", () => pause());
  signal.addEventListener("abort", () => (pause = () => {}));
  view.body.append(...state.rows.map((message) => row(message, message.created_at)));
  paint(view);
  follow(filters, view, signal);
  every(2000, signal, () => total(filters, view, signal));
}

function build(main, filters) {
  const { form } = searchBox(filters, (asked) => go(address("search", asked)));
  const list = table("Accepted", "Messages as they arrive");
  const filtered = Object.keys(filters).length > 0;
  const view = {
    body: list.body,
    status: el("p", { class: "status" }),
    total: el("p", { class: "total" }),
    note: el("p", { class: "note" }),
    button: el("button", { type: "button", id: "pause" }, "Pause"),
    empty: el("p", { class: "empty" }, filtered ? "Waiting for the first message that matches…" : ["Waiting for the first message…", el("br"),
      el("code", {}, "bin/api send Hello"), " sends one, and so does the ", el("a", { href: "/docs" }, "API’s page"), "."]),
  };
  const tools = el("div", { class: "actions" },
    view.button,
    el("a", { href: address("search", filters) }, filtered ? "Search with these filters" : "All messages"),
    filtered ? el("a", { href: "/" }, "Without filters") : null);
  main.append(el("h1", { class: "hidden" }, "Live"), form, el("div", { class: "bar" }, view.status, view.total, view.note, tools), list.node, view.empty);
  return view;
}

async function total(filters, view, signal) {
  try {
    const page = await get(path("/messages", { ...filters, limit: 1 }), { signal });
    schedule(view);
    view.total.replaceChildren(el("strong", {}, many(page.total, "message")), !Object.keys(filters).length ? " stored" : page.total === 1 ? " matches" : " match");
  } catch {
    // The banner tells what is wrong.
  }
}

// follow keeps a tail open while somebody looks at the page.
function follow(filters, view, signal) {
  let source;
  let timer;
  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    if (document.hidden || signal.aborted) return;
    source = new EventSource(path("/tail", { ...filters, newest: atOnce, after: state.last ?? 0 }));
    source.addEventListener("open", () => setConnected(view, true));
    source.addEventListener("message", (event) => arrive(view, event));
    source.addEventListener("skipped", (event) => pass(view, JSON.parse(event.data).messages));
    source.addEventListener("error", () => {
      setConnected(view, false);
      if (source?.readyState === EventSource.CLOSED) timer = setTimeout(open, again); // it will not try by itself
    });
  };
  document.addEventListener("visibilitychange", open, { signal });
  signal.addEventListener("abort", close);
  open();
}

function setConnected(view, on) {
  view.connected = on;
  schedule(view);
}

function arrive(view, event) {
  const message = JSON.parse(event.data);
  state.last = message.seq;
  state.waiting.push(message);
  if (state.paused) state.missed++;
  if (state.waiting.length > kept) state.waiting.splice(0, state.waiting.length - kept);
  schedule(view);
}

// pass counts what is not shown. What was there before the page is no news.
function pass(view, n) {
  if (state.last === null) return;
  if (state.paused) state.missed += n;
  state.passed.push({ at: performance.now(), n });
  schedule(view);
}

function schedule(view) {
  if (view.scheduled) return;
  view.scheduled = true;
  requestAnimationFrame(() => {
    view.scheduled = false;
    paint(view);
  });
}

function paint(view) {
  if (!state.paused && state.waiting.length) {
    const news = state.waiting.splice(0).reverse();
    state.rows = [...news, ...state.rows].slice(0, kept);
    view.body.prepend(...news.map((message) => row(message, message.created_at)));
    while (view.body.rows.length > kept) view.body.lastElementChild.remove();
  }
  if (!state.paused) state.missed = 0;
  view.empty.hidden = state.rows.length > 0;
  view.button.textContent = state.paused ? "Resume" : "Pause";
  view.button.setAttribute("aria-pressed", state.paused);
  const word = state.paused ? "Paused" : view.connected === false ? "Connecting again…" : "Live";
  view.status.className = `status ${state.paused ? "paused" : view.connected === false ? "lost" : "on"}`;
  view.status.textContent = state.paused && state.missed ? `${word} · ${count(state.missed)} newer` : word;
  view.note.textContent = sample();
}

// sample says how much is passed over, when it is much.
function sample() {
  const now = performance.now();
  state.passed = state.passed.filter((p) => now - p.at < 3000);
  const n = state.passed.reduce((sum, p) => sum + p.n, 0);
  return n ? `Too fast to show each: ${rate(n / 3)} a second pass unseen. Search has them all.` : "";
}
