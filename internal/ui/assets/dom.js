// Elements, and how values are written. Text becomes part of the page here and
// nowhere else, and always as text.

// el makes an element. Properties are attributes, but for `on`, whose members are
// listeners; those that are null, undefined or false are left out.
export function el(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

// svg makes an element of a drawing.
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function fill(node, { on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : value);
  }
  for (const [type, listener] of Object.entries(on)) node.addEventListener(type, listener);
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const $ = (selector, within = document) => within.querySelector(selector);

// say tells who cannot see the page what has happened.
export function say(text) {
  $("#announce").textContent = text;
}

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });

export const none = "–";

// count writes a whole number, rate a number of something a second.
export const count = (n) => (n === null || n === undefined ? none : whole.format(n));
export const rate = (n) => (n === null || n === undefined ? none : (n >= 10 ? whole : short).format(n));

export function many(n, one, more = one + "s") {
  return `${count(n)} ${n === 1 ? one : more}`;
}

export function bytes(n) {
  if (n === null || n === undefined) return none;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; n >= 1024 && unit < units.length - 1; unit++) n /= 1024;
  return `${unit && n < 100 ? short.format(n) : whole.format(n)} ${units[unit]}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return none;
  if (seconds < 0.001) return "0 s";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 100) return `${short.format(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${short.format(seconds / 3600)} h`;
  return `${short.format(seconds / 86400)} days`;
}

// when writes an instant, of which a sender may have given nine digits: the date
// only unless it is today.
export function when(iso) {
  if (!iso) return el("span", {}, none);
  const [date, clock] = split(iso);
  const isToday = date === new Date().toISOString().slice(0, 10);
  return el("time", { datetime: iso, title: iso }, isToday ? null : el("span", { class: "date" }, date, " "), clock);
}

// instant writes it in full.
export function instant(iso) {
  if (!iso) return el("span", {}, none);
  return el("time", { datetime: iso }, split(iso).join(" "));
}

// split cuts digits beyond milliseconds off.
function split(iso) {
  const [date, clock = ""] = iso.replace(/Z$/i, "").split(/[Tt]/);
  return [date, clock.slice(0, 12)];
}

// copy puts text on the clipboard, also where a page without TLS may not use it.
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { class: "hidden", "aria-hidden": "true" }, text);
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`${what} copied`);
}

// copyButton shows for a moment that it has done its work.
export function copyButton(label, what, text) {
  const button = el("button", { type: "button" }, label);
  button.addEventListener("click", async () => {
    await copy(text(), what);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}
