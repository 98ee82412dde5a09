// Search: the stored messages that match, with their exact total, page by page.

import { get, path } from "./api.js";
import { copyButton, el, many, say } from "./dom.js";
import { address, go } from "./router.js";
import { row, table } from "./rows.js";
import { searchBox } from "./searchbox.js";
import { only } from "./words.js";

export async function show(main, parameters, signal) {
  const filters = only(parameters);
  const order = parameters.order === "asc" ? "asc" : "desc";
  const choice = orderChoice(order);
  const { form, complain } = searchBox(filters, (asked) => go(address("search", { ...asked, order: choice.value === "asc" ? "asc" : "" })), [
    el("label", {}, "Order", choice),
  ]);
  const results = el("section", { "aria-label": "Results", "aria-busy": "true" });
  main.append(el("h1", { class: "hidden" }, "Search"), form, results);
  try {
    const asked = { ...filters, order, cursor: parameters.cursor };
    const page = await get(path("/messages", asked), { signal });
    results.replaceChildren(...render(page, asked, Number(parameters.page) || 1));
    say(`${many(page.total, "message")} found`);
  } catch (error) {
    if (signal.aborted) return;
    complain([error.message]);
  }
  results.removeAttribute("aria-busy");
}

function orderChoice(order) {
  return el("select", { name: "order" },
    el("option", { value: "desc", selected: order === "desc" }, "Newest first"),
    el("option", { value: "asc", selected: order === "asc" }, "Oldest first"));
}

function render(page, asked, number) {
  const { cursor, ...filters } = asked;
  const verb = !isFiltered(filters) ? "stored" : page.total === 1 ? "matches" : "match";
  const total = el("p", { class: "total" }, el("strong", {}, many(page.total, "message")), ` ${verb}`);
  const tools = el("div", { class: "actions" },
    el("a", { href: address("live", only(filters)) }, "Follow live"),
    copyButton("Copy API URL", "URL", () => new URL(path("/messages", asked), location).href),
    el("a", { href: path("/messages.csv", filters), download: true }, "CSV"),
    el("a", { href: path("/messages.ndjson", filters), download: true }, "NDJSON"));
  const bar = el("div", { class: "bar" }, total, tools);
  if (!page.data.length) return [bar, nothing(filters, cursor)];
  const { node, body } = table("Sent", "Messages");
  body.append(...page.data.map((message) => row(message, message.ts)));
  return [bar, node, pager(page, asked, number)];
}

const isFiltered = ({ order, ...filters }) => Object.keys(filters).length > 0;

function nothing(filters, cursor) {
  const text = cursor ? "There are no more." : isFiltered(filters) ? "No message matches. Try fewer words, or a wider span of time." : "No message has come yet.";
  return el("p", { class: "empty" }, text);
}

function pager(page, asked, number) {
  const { order, cursor, ...filters } = asked;
  const at = { ...filters, order: order === "asc" ? "asc" : "" };
  const isLast = !page.next_cursor;
  if (isLast && !cursor) return [];
  return el("nav", { class: "pager", "aria-label": "Pages" },
    cursor ? el("a", { href: address("search", at) }, "First page") : null,
    el("span", { class: "dim" }, `Page ${number}`),
    isLast ? null : el("a", { id: "next", class: "button", href: address("search", { ...at, cursor: page.next_cursor, page: number + 1 }) }, "Next page"));
}
