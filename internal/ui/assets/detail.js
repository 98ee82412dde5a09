// One message: its fields, its way through the pipeline, what the sender sent, and
// what else that sender sent.

import { get, messagePath, path, Refused } from "./api.js";
import { copyButton, count, el, instant, many, none, duration } from "./dom.js";
import { address } from "./router.js";
import { row, table } from "./rows.js";

const others = 5; // of the sender that are shown

export async function show(main, { id = "" }, signal) {
  let message;
  if (/^\.\.?$/.test(id)) {
    const text = "A browser takes this id for a part of the path and cannot ask for it. Another program can: ";
    main.append(el("h1", {}, "Message"), el("p", { class: "empty" }, text, el("code", {}, `curl --path-as-is ${location.origin}/messages/${id}`)));
    return;
  }
  try {
    message = await get(messagePath(id), { signal });
  } catch (error) {
    if (signal.aborted) return;
    const unknown = error instanceof Refused && error.status === 404;
    main.append(el("h1", {}, "Message"), el("p", { class: "empty" }, unknown ? "There is no message with the id " : error.message, unknown ? el("code", {}, id) : null));
    return;
  }
  const left = el("div", { class: "stack" }, text(message));
  const right = el("div", { class: "stack" });
  const below = el("div", { class: "below" });
  const sender = el("section", { class: "card wide" });
  main.append(head(message), el("div", { class: "cards detail" }, left, right, below, sender));
  await Promise.all([showEntry(right, below, message, signal), showSender(sender, message, signal)]);
}

function head(message) {
  const url = () => new URL(messagePath(message.message_id), location).href;
  return el("div", { class: "bar" },
    el("div", {}, el("h1", { class: "id" }, message.message_id)),
    el("div", { class: "actions" },
      copyButton("Copy JSON", "JSON", () => JSON.stringify(message, null, 2)),
      copyButton("Copy API URL", "URL", url),
      el("a", { href: messagePath(message.message_id), target: "_blank", rel: "noopener" }, "Open JSON")));
}

function text(message) {
  const search = (field, value) => el("a", { href: address("search", { [field]: value }) }, value);
  const body = message.text === null ? el("p", { class: "dim" }, "This message has no text.") : el("p", { class: "words", dir: "auto" }, message.text);
  return el("section", { class: "card" }, el("h2", {}, "Message"), body, list([
    ["From", search("from", message.from)],
    ["To", search("to", message.to)],
    ["Sent", instant(message.ts)],
    ["Source", message.source],
    ["Sequence", count(message.seq)],
  ]));
}

// list writes names and their values.
export function list(pairs) {
  return el("dl", {}, pairs.filter(Boolean).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value ?? none))));
}

function statuses(message) {
  if (!message.statuses?.length) return [];
  const item = (s) => el("li", {}, el("strong", {}, s.status), " ", instant(s.ts ?? s.created_at), s.recipient ? ` to ${s.recipient}` : "");
  return [el("section", { class: "card" }, el("h2", {}, "What its sender told since"), el("ol", { class: "plain" }, message.statuses.map(item)))];
}

async function showEntry(right, below, message, signal) {
  let entry = null;
  let why = "";
  try {
    entry = await get(`/entries/${message.seq}`, { signal });
  } catch (error) {
    if (signal.aborted) return;
    why = error instanceof Refused && error.status === 404 ? "The stream has been trimmed beyond this entry. The fields are all there is." : error.message;
  }
  right.append(way(message, entry), ...statuses(message));
  below.append(payload(message, entry, why));
}

// way tells when a message was where.
function way(message, entry) {
  const step = (name, at, note) => el("li", {}, el("strong", {}, name), el("span", {}, at ? instant(at) : none), el("span", { class: "dim" }, note));
  const stored = entry?.stored_by ? `database · at most ${duration(seconds(message.created_at, entry.stored_by))} later` : "database · before this api began to watch";
  return el("section", { class: "card" }, el("h2", {}, "Its way"), el("ol", { class: "way" },
    step("Sent", message.ts, "says the sender"),
    step("Accepted", message.created_at, `api · source ${message.source}`),
    step("Streamed", entry?.accepted_at ?? message.created_at, `on disk · sequence ${count(message.seq)}`),
    step("Stored", entry?.stored_by, stored)),
    entry?.request_id ? list([["Request", el("code", {}, entry.request_id)], ["Stream id", el("code", {}, entry.msg_id)]]) : null);
}

const seconds = (from, to) => Math.max(0, (new Date(to) - new Date(from)) / 1000);

function payload(message, entry, why) {
  const card = el("section", { class: "card" }, el("div", { class: "bar" }, el("h2", {}, "Raw payload"), entry ? copyButton("Copy", "Payload", () => entry.data) : null));
  if (why) card.append(el("p", { class: "dim" }, why));
  if (entry) card.append(code(pretty(entry.data)));
  if (message.raw) card.append(el("h3", {}, "As the sender sent it"), code(JSON.stringify(message.raw, null, 2)));
  return card;
}

export const code = (text) => el("pre", { tabindex: "0" }, el("code", {}, text));

// pretty indents what is JSON.
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function showSender(node, message, signal) {
  try {
    const page = await get(path("/messages", { from: message.from, order: "desc", limit: others + 1 }), { signal });
    const more = page.data.filter((m) => m.message_id !== message.message_id).slice(0, others);
    node.append(el("div", { class: "bar" }, el("h2", {}, "Same sender"),
      el("p", {}, el("a", { href: address("search", { from: message.from }) }, `All ${many(page.total, "message")} from ${message.from}`), " · ",
        el("a", { href: address("stats", { from: message.from }) }, "Over time"))));
    if (!more.length) return node.append(el("p", { class: "dim" }, "This is the only one."));
    const { node: rows, body } = table("Sent", "Other messages of the sender");
    body.append(...more.map((m) => row(m, m.ts)));
    node.append(rows);
  } catch (error) {
    if (!signal.aborted) node.append(el("p", { class: "dim" }, error.message));
  }
}
