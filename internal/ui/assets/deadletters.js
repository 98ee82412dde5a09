// Dead letters: what could not be read, why, and what to do with it. The writer
// does it; the api only asks.

import { get, post } from "./api.js";
import { bytes, count, el, instant, many, say } from "./dom.js";
import { code, list, pretty } from "./detail.js";

const mayAct = document.documentElement.dataset.token === "yes";

export async function show(main, _, signal) {
  const result = el("p", { class: "note", role: "status" });
  const letters = el("div", { class: "stack" });
  main.append(el("h1", {}, "Dead letters"),
    el("p", { class: "lead" }, "Entries of the stream that are no message. They block nobody; they stay here until somebody decides."),
    el("p", { class: "note" }, mayAct ? "" : "Set OPERATOR_TOKEN to retry or discard them here, so that it is known who asks."), result, letters);
  const load = async () => {
    try {
      const { data, total } = await get("/dead-letters", { signal });
      letters.replaceChildren(...render(data, total, act));
    } catch (error) {
      if (!signal.aborted) letters.replaceChildren(el("p", { class: "empty" }, error.message));
    }
  };
  const act = async (letter, verb) => {
    if (!(await confirmed(letter, verb))) return;
    try {
      result.textContent = outcome(letter, verb, await post(`/dead-letters/${letter.sequence}/${verb}`));
    } catch (error) {
      result.textContent = `Sequence ${count(letter.sequence)}: ${error.message}`;
    }
    await load();
  };
  await load();
}

function render(data, total, act) {
  if (!data.length) return [el("p", { class: "empty" }, "There are none.")];
  const shown = total > data.length ? `The oldest ${count(data.length)} of ${count(total)}` : many(total, "dead letter");
  say(shown);
  return [el("p", { class: "total" }, el("strong", {}, shown)), ...data.map((letter) => card(letter, act))];
}

function card(letter, act) {
  const button = (verb, label, kind) => el("button", { type: "button", class: kind, disabled: !mayAct, "data-verb": verb, on: { click: () => act(letter, verb) } }, label);
  return el("article", { class: "card letter", "data-seq": letter.sequence },
    el("div", { class: "bar" }, el("h2", {}, `Sequence ${count(letter.sequence)}`),
      el("div", { class: "actions" }, button("retry", "Retry"), button("discard", "Discard", "danger"))),
    el("p", { class: "wrong" }, letter.reason),
    list([["Accepted", instant(letter.created_at)], ["Source", letter.source], ["Size", bytes(letter.bytes)]]),
    content(letter));
}

// content shows text as text and everything else as hexadecimal digits.
function content({ data, bytes: size }) {
  const raw = Uint8Array.from(atob(data ?? ""), (c) => c.charCodeAt(0));
  if (!raw.length) return el("p", { class: "dim" }, "It has no bytes.");
  const cut = size > raw.length ? el("p", { class: "dim" }, `The first ${bytes(raw.length)} of it.`) : null;
  try {
    return [code(pretty(new TextDecoder("utf-8", { fatal: true }).decode(raw))), cut];
  } catch {
    return [code(hex(raw)), cut];
  }
}

function hex(raw) {
  const lines = [];
  for (let i = 0; i < Math.min(raw.length, 512); i += 16) {
    const part = [...raw.subarray(i, i + 16)];
    const digits = part.map((b) => b.toString(16).padStart(2, "0")).join(" ");
    lines.push(`${i.toString(16).padStart(4, "0")}  ${digits.padEnd(47)}  ${part.map((b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : "·")).join("")}`);
  }
  return lines.join("\n");
}

const questions = {
  retry: ["Retry", "The writer reads the entry again. It helps after an upgrade that understands it; otherwise it stays here."],
  discard: ["Discard", "The entry goes from the database for good. The stream keeps it until it is trimmed."],
};

// confirmed asks, and answers true only for the button that says what is done.
function confirmed(letter, verb) {
  const [label, what] = questions[verb];
  const dialog = el("dialog", { "aria-labelledby": "question" },
    el("form", { method: "dialog" },
      el("h2", { id: "question" }, `${label} sequence ${count(letter.sequence)}?`), el("p", {}, what),
      el("div", { class: "actions" }, el("button", { value: "no" }, "Cancel"), el("button", { value: "yes", class: verb === "discard" ? "danger" : "primary" }, label))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    dialog.remove();
    resolve(dialog.returnValue === "yes");
  }));
}

function outcome(letter, verb, done) {
  const name = `Sequence ${count(letter.sequence)}`;
  if (verb === "discard") return `${name} is discarded.`;
  if (done.inserted) return `${name} is stored now.`;
  if (done.duplicates) return `${name} was a repeat of a message that is stored.`;
  return `${name} cannot be read still; it stays.`;
}
