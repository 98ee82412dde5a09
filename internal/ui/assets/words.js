// The language of the search box: from:+91… to:+1… since:2025-01-15 until:2h
// "exact words". It is read into the filters of the API and written from them.

export const fields = ["from", "to", "since", "until"];

// parse returns the filters that a text asks for, and what is wrong with it. Words
// without quotes are one phrase, with a blank between each.
export function parse(text, now = new Date()) {
  const filters = {};
  const wrong = [];
  const words = [];
  let quoted = 0;
  for (const [token, field, exact, bare, quote] of text.matchAll(/(?:(from|to|since|until):(?:"([^"]*)"|(\S*)))|"((?:[^"\\]|\\.)*)"|\S+/gi)) {
    if (field) {
      const name = field.toLowerCase();
      const value = exact ?? bare;
      if (filters[name]) wrong.push(`${name}: is there twice`);
      else if ((filters[name] = read(name, value, now)) === null) wrong.push(`${name}: ${rules[name]}, not “${value}”`);
    } else {
      if (quote !== undefined) quoted++;
      words.push(quote === undefined ? token : quote.replace(/\\(.)/g, "$1"));
    }
  }
  if (quoted > 1 || (quoted && words.length > 1)) wrong.push("search for one text at a time: put all of it in one pair of quotes");
  if (words.length) filters.q = words.join(" ");
  return { filters, wrong };
}

const number = "takes a number such as +919876543210";
const moment = "takes a day (2025-01-15), an instant (2025-01-15T10:00Z) or a time ago (30m, 2h, 7d)";
const rules = { from: number, to: number, since: moment, until: moment };

function read(name, value, now) {
  return name === "from" || name === "to" ? msisdn(value) : instant(value, now);
}

function msisdn(value) {
  const digits = value.replace(/^\+/, "");
  return /^[0-9]{1,15}$/.test(digits) ? `+${digits}` : null;
}

const units = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

// instant writes a moment as the API wants it. One that is ago becomes fixed, so
// that a shared URL means the same to everybody.
function instant(value, now) {
  const ago = /^([0-9]{1,6})([smhdw])$/.exec(value);
  if (ago) return new Date(now - ago[1] * units[ago[2]] * 1000).toISOString().slice(0, 19) + "Z";
  const parts = /^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T([0-9]{2}:[0-9]{2})(:[0-9]{2})?(\.[0-9]{1,9})?Z?)?$/i.exec(value);
  if (!parts) return null;
  const [, day, minute = "00:00", second = ":00", fraction = ""] = parts;
  const whole = new Date(`${day}T${minute}${second}Z`);
  if (Number.isNaN(whole.getTime()) || whole.toISOString().slice(0, 10) !== day) return null;
  return `${day}T${minute}${second}${fraction}Z`;
}

// write returns the text that parse reads as these filters.
export function write(filters) {
  const parts = fields.filter((name) => filters[name]).map((name) => `${name}:${brief(filters[name])}`);
  if (filters.q) parts.push(phrase(filters.q));
  return parts.join(" ");
}

const brief = (value) => value.replace(/T00:00:00Z$/, "");

function phrase(q) {
  const bare = parse(q);
  if (bare.filters.q === q && Object.keys(bare.filters).length === 1 && !q.includes('"')) return q;
  return `"${q.replace(/[\\"]/g, "\\$&")}"`;
}

// only picks the filters out of a URL's parameters.
export function only(parameters) {
  return Object.fromEntries(["q", ...fields].filter((name) => parameters[name]).map((name) => [name, parameters[name]]));
}
