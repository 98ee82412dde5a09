// Stats: how many messages, of whom, and when.

import { every, get, path } from "./api.js";
import { count, el, instant, many } from "./dom.js";
import { address } from "./router.js";
import { bars, fit } from "./plot.js";

const spans = { hour: { buckets: 48, seconds: 3600 }, day: { buckets: 60, seconds: 86400 } };

export async function show(main, { unit: wanted, from, until }, signal) {
  const unit = wanted === "day" ? "day" : "hour";
  const figures = el("div", { class: "flow" });
  const senders = el("section", { class: "card wide" });
  const plot = el("div", { class: "plot" });
  const table = el("details", {});
  const choice = el("div", { class: "actions" });
  const title = el("h2", {}, `Messages by ${unit}`, from ? [" from ", el("a", { href: address("search", { from }) }, from)] : null);
  main.append(el("h1", {}, "Stats"), figures, el("section", { class: "card wide" }, el("div", { class: "bar" }, title, choice), plot, table), senders);
  let timeline = null;
  let seen = "";
  const draw = () => timeline && plot.clientWidth && plot.replaceChildren(drawing(timeline, from, plot.clientWidth));
  fit(plot, signal, draw);
  await every(10000, signal, async () => {
    try {
      const asked = { unit, buckets: spans[unit].buckets, until, from };
      const all = await Promise.all([get("/stats", { signal }), get(path("/stats/timeline", asked), { signal })]);
      if (seen === (seen = JSON.stringify(all))) return; // leave alone what somebody may be pointing at
      const [stats, line] = all;
      timeline = line;
      figures.replaceChildren(...totals(stats));
      senders.replaceChildren(...top(stats));
      choice.replaceChildren(...choices(line, from, until));
      table.replaceChildren(...asTable(line, from));
      draw();
    } catch (error) {
      if (!signal.aborted) figures.replaceChildren(el("p", { class: "empty" }, error.message));
    }
  });
}

function totals(stats) {
  const step = (name, value, note) => el("section", { class: "step" }, el("h2", {}, name), el("p", { class: "big" }, value), el("p", { class: "dim" }, note));
  return [
    step("Messages", el("strong", {}, count(stats.total_messages)), "exact"),
    step("Senders", el("strong", {}, count(stats.senders_count)), "distinct numbers"),
    step("First", instant(stats.first_message_ts), "by the sender's clock"),
    step("Last", instant(stats.last_message_ts), "by the sender's clock"),
  ];
}

function choices({ unit, buckets }, from, until) {
  const to = (label, parameters, isHere = false) => el("a", { href: address("stats", parameters), "aria-current": isHere ? "true" : null }, label);
  const names = { hour: "", day: "day" };
  const first = new Date(buckets[0].start).getTime();
  const earlier = second(first);
  const later = second(first + 2 * buckets.length * spans[unit].seconds * 1000);
  return [
    to("Hours", { from }, unit === "hour" && !until), to("Days", { unit: "day", from }, unit === "day" && !until),
    to("Earlier", { unit: names[unit], from, until: earlier }),
    until ? to("Later", { unit: names[unit], from, until: later }) : null,
    from ? to("All senders", { unit: names[unit] }) : null,
  ].filter(Boolean);
}

const second = (t) => new Date(t).toISOString().slice(0, 19) + "Z";

const name = (start, unit) => (unit === "hour" ? `${start.slice(0, 10)} ${start.slice(11, 16)}` : start.slice(0, 10));

// stretch returns the URL of a bucket's messages.
function stretch(start, unit, from) {
  return address("search", { from, since: second(start), until: second(new Date(start).getTime() + spans[unit].seconds * 1000), order: "asc" });
}

function drawing({ unit, buckets }, from, width) {
  const marks = Math.max(2, Math.floor(width / 90));
  const step = Math.ceil(buckets.length / marks);
  return bars(width, buckets.map(({ start, count: value }, i) => ({
    value, title: `${name(start, unit)}: ${many(value, "message")}`, href: stretch(start, unit, from),
    mark: i % step === Math.floor(step / 2) ? mark(unit, start, buckets[i - step]?.start) : null,
  })), `Messages by ${unit}`);
}

// mark names an hour or a day. An hour has its day where the mark before has another.
function mark(unit, start, before) {
  const day = start.slice(5, 10);
  if (unit === "day") return day;
  return before?.slice(5, 10) === day ? start.slice(11, 16) : `${day} ${start.slice(11, 16)}`;
}

// asTable says the same in words.
function asTable({ unit, buckets }, from) {
  const rows = buckets.filter((b) => b.count).reverse().map((b) => el("tr", {},
    el("td", {}, el("a", { href: stretch(b.start, unit, from) }, name(b.start, unit))), el("td", {}, count(b.count))));
  const head = el("tr", {}, el("th", { scope: "col" }, unit === "hour" ? "Hour" : "Day"), el("th", { scope: "col" }, "Messages"));
  return [el("summary", {}, "As a table"), el("table", { class: "small" }, el("thead", {}, head), el("tbody", {}, rows))];
}

function top(stats) {
  const most = Math.max(1, ...stats.messages_per_sender.map((s) => s.count));
  const item = ({ from, count: n }) => el("li", {},
    el("a", { href: address("search", { from }) }, from),
    el("progress", { max: most, value: n, "aria-label": `${from}: ${count(n)}` }),
    el("span", {}, count(n)));
  return [el("h2", {}, "Top senders"), stats.messages_per_sender.length ? el("ol", { class: "ranks" }, stats.messages_per_sender.map(item)) : el("p", { class: "dim" }, "Nobody yet.")];
}
