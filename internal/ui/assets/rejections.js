// Rejections: the latest deliveries that this api has refused, and why. Bodies are
// not kept.

import { every, get } from "./api.js";
import { count, el, many, when } from "./dom.js";
import { list } from "./detail.js";

export async function show(main, _, signal) {
  const node = el("div", { class: "stack" });
  main.append(el("h1", {}, "Rejections"),
    el("p", { class: "lead" }, "The latest webhooks that this api refused since it started. Headers that may be secret are masked; bodies are not kept."), node);
  let seen = -1;
  await every(5000, signal, async () => {
    try {
      const { data, total } = await get("/rejections", { signal });
      if (total === seen) return; // leave alone what somebody may be reading
      seen = total;
      node.replaceChildren(...render(data, total));
    } catch (error) {
      if (!signal.aborted && seen < 0) node.replaceChildren(el("p", { class: "empty" }, error.message));
    }
  });
}

function render(data, total) {
  if (!data.length) return [el("p", { class: "empty" }, "None. Every webhook since this api started was taken.")];
  const shown = total > data.length ? `The latest ${count(data.length)} of ${count(total)}` : many(total, "rejection");
  return [el("p", { class: "total" }, el("strong", {}, shown)), el("div", { class: "rejections" }, data.map(item))];
}

function item(r) {
  return el("details", {},
    el("summary", {}, when(r.at), el("span", { class: "status-code" }, r.status), el("span", { class: "reason" }, r.reason), el("span", { class: "dim" }, `${r.source} · ${r.address}`)),
    list([
      ["Path", el("code", {}, r.path)], ["Code", el("code", {}, r.code)], ["Request", el("code", {}, r.request_id)],
      r.message_id ? ["Message id", el("code", {}, r.message_id)] : null,
      ...r.headers.map((h) => [h.name, el("code", {}, h.value)]),
    ]));
}
