// The API, as anybody may use it. The paths that a person can copy are here too.

// Refused is an answer that is no success.
export class Refused extends Error {
  constructor(status, body) {
    const detail = body?.detail;
    super(Array.isArray(detail) ? detail.map((d) => `${d.loc.at(-1)} ${d.msg}`).join("; ") : detail || `The api answered ${status}.`);
    this.status = status;
  }
}

// Away means that there was no answer at all.
export class Away extends Error {
  constructor() {
    super("The api does not answer. This page tries again by itself.");
  }
}

// patience is how long we wait for an answer, in milliseconds. The api itself gives
// up on a slow question before.
const patience = 30000;

// get returns the body of an answer, and of a 503 too when any is set.
export async function get(path, { signal, any = false, within = patience } = {}) {
  const late = AbortSignal.timeout(within);
  return send("GET", path, signal ? AbortSignal.any([signal, late]) : late, any);
}

export async function post(path) {
  return send("POST", path, AbortSignal.timeout(patience));
}

async function send(method, path, signal, any) {
  let answer;
  try {
    answer = await fetch(path, { method, signal, cache: "no-store", headers: { Accept: "application/json" } });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Away();
  }
  if (answer.status === 401) {
    location.reload(); // the session has ended: the server answers with the form
    await new Promise(() => {});
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok && !(any && answer.status === 503)) throw new Refused(answer.status, body);
  return body;
}

// path adds the parameters that are not empty.
export function path(base, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return text ? `${base}?${text}` : base;
}

export const messagePath = (id) => `/messages/${encodeURIComponent(id)}`;

// every calls f at once and then again so long after it has ended, while anybody
// looks at the page. What goes wrong is f's own business.
export function every(milliseconds, signal, f) {
  let timer;
  let busy = false;
  const turn = async () => {
    if (busy || document.hidden || signal.aborted) return;
    clearTimeout(timer);
    busy = true;
    try {
      await f();
    } finally {
      busy = false;
      if (!signal.aborted) timer = setTimeout(turn, milliseconds);
    }
  };
  document.addEventListener("visibilitychange", turn, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  return turn();
}
