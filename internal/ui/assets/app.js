// The page: what surrounds the views, and the keys.

import { $, el } from "./dom.js";
import * as health from "./health.js";
import { addView, address, back, go, start } from "./router.js";
import { move } from "./rows.js";
import * as live from "./live.js";
import * as messages from "./messages.js";
import * as detail from "./detail.js";
import * as pipeline from "./pipeline.js";
import * as stats from "./stats.js";
import * as deadLetters from "./deadletters.js";
import * as rejections from "./rejections.js";

const views = [
  ["live", "Live", live], ["search", "Search", messages], ["pipeline", "Pipeline", pipeline], ["stats", "Stats", stats],
  ["dead-letters", "Dead letters", deadLetters], ["rejections", "Rejections", rejections], ["message", "Message", detail],
];

function showing(name, parameters) {
  const [, title] = views.find(([view]) => view === name);
  const warning = document.title.startsWith("⚠ ") ? "⚠ " : "";
  document.title = `${warning}${name === "message" ? parameters.id : title} · sluice`;
  for (const link of document.querySelectorAll("nav a[data-view]")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  centre();
}

// centre moves the current view's link into sight, where not all of them fit.
function centre() {
  const link = $("nav a[aria-current]");
  if (link) link.parentElement.scrollLeft = link.offsetLeft - (link.parentElement.clientWidth - link.offsetWidth) / 2;
}

// toggleTheme chooses the other colours. What the system prefers needs no choice.
function toggleTheme() {
  const { dataset } = document.documentElement;
  const preferred = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const theme = (dataset.theme ?? preferred) === "dark" ? "light" : "dark";
  if (theme === preferred) delete dataset.theme;
  else dataset.theme = theme;
  try {
    if (theme === preferred) localStorage.removeItem("theme");
    else localStorage.setItem("theme", theme);
  } catch {
    // It holds for this page then.
  }
}

const keys = [
  ["/", "search"], ["j  k", "next and previous message"], ["Enter", "open it"], ["Esc", "back to where you were"],
  ["p", "pause or resume the live list"], ["n", "next page"], ["1 … 6", "the views"], ["t", "light or dark"], ["?", "this help"],
];
const words = [
  ["from:+919876543210", "of a sender"], ["to:+14155550100", "to a number"], ["since:2025-01-15", "from then on; also 2025-01-15T10:00, or 2h ago as 2h"],
  ["until:7d", "before then"], ['"exact words"', "in the text, in any case of letters"],
];

function showHelp() {
  if ($("dialog[open]")) return;
  const rows = (pairs) => el("dl", { class: "keys" }, pairs.map(([name, text]) => el("div", {}, el("dt", {}, el("kbd", {}, name)), el("dd", {}, text))));
  const dialog = el("dialog", { "aria-labelledby": "help-title" }, el("form", { method: "dialog" },
    el("h2", { id: "help-title" }, "Keys"), rows(keys), el("h2", {}, "Search words"), rows(words), el("div", { class: "actions" }, el("button", { class: "primary" }, "Close"))));
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

// escape leaves the search box, then the message, then the row.
function escape(target) {
  if (target.matches("input, select")) return target.blur();
  if ($("#main").dataset.view === "message") return back();
  document.activeElement?.blur();
  live.pause(false);
}

const actions = {
  "/": () => {
    if (!$("#search")) go(address("search"));
    $("#search").select();
  },
  j: () => step(1),
  k: () => step(-1),
  p: () => live.pause(),
  n: () => $("#next")?.click(),
  t: toggleTheme,
  "?": showHelp,
};

// step stops the live list: whoever reads does not want it to move away.
function step(by) {
  live.pause(true);
  move(by);
}

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  if (key === "Escape") return escape(target);
  if (target.matches("input, select, textarea")) return;
  const view = /^[1-6]$/.test(key) ? () => go(address(views[key - 1][0])) : actions[key];
  if (!view) return;
  event.preventDefault();
  view();
});

$("#theme").addEventListener("click", toggleTheme);
$("#help").addEventListener("click", showHelp);
new ResizeObserver(centre).observe($("#dead-count")); // which comes late, and takes room
$("#logout").hidden = document.documentElement.dataset.token !== "yes";
for (const [name, , { show }] of views) addView(name, show);
start(showing);
health.start(new AbortController().signal);
