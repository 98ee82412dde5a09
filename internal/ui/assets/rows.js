// A table of messages, as the live list and the search show it. The link of a row
// covers all of it.

import { el, when } from "./dom.js";
import { messageAddress } from "./router.js";

// shownCharacters is how much of a text a row holds: it is cut to two lines anyway.
const shownCharacters = 240;

// table returns an empty table; time says what its first column is.
export function table(time, label) {
  const body = el("tbody");
  const head = el("tr", {}, [time, "From", "To", "Text"].map((name) => el("th", { scope: "col" }, name)));
  return { body, node: el("table", { class: "messages", "aria-label": label }, el("thead", {}, head), body) };
}

export function row(message, time) {
  return el("tr", { "data-seq": message.seq },
    el("td", { class: "time" }, when(time)),
    el("td", { class: "number" }, message.from),
    el("td", { class: "number to" }, message.to),
    el("td", { class: "text" }, el("a", { href: messageAddress(message.message_id), dir: "auto" }, excerpt(message.text))));
}

function excerpt(text) {
  if (text === null || text === undefined) return el("span", { class: "dim" }, "no text");
  if (text.trim() === "") return el("span", { class: "dim" }, text === "" ? "empty text" : "blanks");
  const characters = Array.from(text.slice(0, 2 * shownCharacters));
  return characters.length > shownCharacters || text.length > 2 * shownCharacters ? characters.slice(0, shownCharacters).join("") + "…" : text;
}

// move puts the focus on the next row's link, or the one before.
export function move(step) {
  const links = [...document.querySelectorAll("#main table.messages tbody a")];
  if (!links.length) return;
  const at = links.indexOf(document.activeElement);
  const to = at < 0 ? 0 : Math.min(Math.max(at + step, 0), links.length - 1);
  links[to].focus({ preventScroll: true });
  links[to].closest("tr").scrollIntoView({ block: "nearest" });
}

