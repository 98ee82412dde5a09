// Every view is a URL of this page, "/?view=…&…": it can be shared, and Back works.
// A view is a function (main, parameters, signal): it fills main and returns once
// there is something to see; signal is aborted when the view is left.

const views = new Map();
let current = new AbortController();
let onShow = () => {};

export function addView(name, show) {
  views.set(name, show);
}

// address returns the URL of a view.
export function address(view, parameters = {}) {
  const query = new URLSearchParams(view === "live" ? {} : { view });
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return text ? `/?${text}` : "/";
}

export const messageAddress = (id) => address("message", { id });

// start shows the view of the page's URL, and of each that follows. listener is
// told the name of each.
export function start(listener) {
  onShow = listener;
  history.scrollRestoration = "manual";
  addEventListener("popstate", () => show());
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (link.target || link.hasAttribute("download") || link.origin !== location.origin || link.pathname !== "/" || link.hash) return;
    event.preventDefault();
    go(link.getAttribute("href"));
  });
  show();
}

// go leads to a URL of this page. What Back has to find again is kept: where the
// page was scrolled to, and which link had the focus.
export function go(url) {
  const focus = document.activeElement?.getAttribute("href");
  history.replaceState({ ...history.state, y: scrollY, focus }, "");
  history.pushState({ isInside: true }, "", url);
  show();
}

// back leads to where one came from on this page, else to its beginning.
export function back() {
  if (history.state?.isInside) history.back();
  else go("/");
}

async function show() {
  current.abort();
  const { signal } = (current = new AbortController());
  const parameters = Object.fromEntries(new URLSearchParams(location.search));
  const name = views.has(parameters.view) ? parameters.view : "live";
  const main = document.getElementById("main");
  main.replaceChildren();
  main.dataset.view = name;
  onShow(name, parameters);
  await views.get(name)(main, parameters, signal);
  if (!signal.aborted) restore(main);
}

function restore(main) {
  const { y = 0, focus } = history.state ?? {};
  const link = focus && main.querySelector(`a[href="${CSS.escape(focus)}"]`);
  scrollTo(0, y);
  if (main.contains(document.activeElement) && document.activeElement !== main) return; // somebody types already
  (link || main).focus({ preventScroll: true });
}
