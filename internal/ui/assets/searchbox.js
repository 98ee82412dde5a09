// The search box, and the same filters as controls of their own. The box is what
// counts: a control that changes rewrites its words.

import { el } from "./dom.js";
import { fields, parse, write } from "./words.js";

// isOpen says whether the controls are shown, from one view to the next.
let isOpen = false;

// searchBox returns a form that shows the filters and calls onSearch with what
// somebody makes of them. extra stands behind the controls.
export function searchBox(filters, onSearch, extra = []) {
  const box = el("input", {
    id: "search", type: "search", name: "search", value: write(filters), autocomplete: "off", spellcheck: "false", enterkeyhint: "search",
    placeholder: 'from:+91… since:2h "exact words"', "aria-label": "Search messages", "aria-describedby": "wrong",
  });
  const wrong = el("p", { id: "wrong", class: "wrong", role: "alert" });
  const controls = makeControls(box);
  const search = (event) => {
    event.preventDefault();
    const asked = parse(box.value);
    complain(asked.wrong);
    if (!asked.wrong.length) onSearch(asked.filters);
  };
  const complain = (list) => {
    wrong.replaceChildren(...list.map((text) => el("span", {}, text)));
    box.setAttribute("aria-invalid", list.length > 0);
  };
  const form = el("form", { class: "search", role: "search", on: { submit: search } },
    el("div", { class: "box" }, box, el("button", { class: "primary" }, "Search")),
    wrong,
    el("details", { open: isOpen, on: { toggle: (event) => (isOpen = event.target.open) } }, el("summary", {}, "Filters"), el("div", { class: "controls" }, controls, extra)));
  return { form, complain };
}

const labels = { from: "From", to: "To", since: "Since (UTC)", until: "Before (UTC)" };

function makeControls(box) {
  const inputs = Object.fromEntries([...fields, "q"].map((name) => [name, control(name)]));
  const show = () => {
    const { filters } = parse(box.value);
    for (const [name, input] of Object.entries(inputs)) input.value = forControl(name, filters[name]);
  };
  const change = (name) => {
    const { filters } = parse(box.value);
    filters[name] = fromControl(name, inputs[name].value.trim());
    box.value = write(filters);
  };
  for (const [name, input] of Object.entries(inputs)) input.addEventListener("change", () => change(name));
  box.addEventListener("input", show);
  show();
  return Object.entries(inputs).map(([name, input]) => el("label", {}, labels[name] ?? "Text", input));
}

function control(name) {
  if (name === "since" || name === "until") return el("input", { type: "datetime-local", step: "1", "data-field": name });
  return el("input", { type: name === "q" ? "text" : "tel", autocomplete: "off", "data-field": name });
}

const isTime = (name) => name === "since" || name === "until";

function forControl(name, value = "") {
  return isTime(name) ? (value ?? "").slice(0, 19) : value ?? "";
}

function fromControl(name, value) {
  return isTime(name) && value ? (value.length === 16 ? `${value}:00Z` : `${value}Z`) : value;
}
