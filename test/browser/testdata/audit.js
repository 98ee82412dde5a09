// Lists what a person who sees badly, or nothing, would stumble over: text of too
// little contrast (WCAG 2.2, 1.4.3), controls without a name (4.1.2), fields
// without a label (3.3.2), ids that are there twice, a page without a heading.
(() => {
  const faults = [];
  const nameOf = (e) => e.outerHTML.slice(0, 120);
  const visible = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !e.closest(".hidden");

  const channels = (color) => {
    const [r, g, b, a = 1] = color.match(/[0-9.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1,
  });
  const backgroundOf = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.a > 0) layers.push(color);
      if (color.a === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), { r: 255, g: 255, b: 255, a: 1 });
  };
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };

  for (const e of document.body.querySelectorAll("*")) {
    const texts = [...e.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE && n.data.trim());
    const hasText = texts.length > 0;
    if (texts.some((n) => /^(null|undefined|NaN|\[object .*)$/.test(n.data.trim()))) faults.push(`no words: ${nameOf(e)}`);
    if (!hasText || !visible(e) || e.matches(":disabled, script, option")) continue;
    const style = getComputedStyle(e);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const back = backgroundOf(e);
    const ink = over(channels(e instanceof SVGElement ? style.fill : style.color), back);
    const got = contrast(ink, back);
    if (got < (large ? 3 : 4.5)) faults.push(`contrast ${got.toFixed(2)}: ${nameOf(e)}`);
  }

  for (const e of document.querySelectorAll("a[href], button, input, select, textarea, summary, dialog, progress, meter, img, svg, table.messages")) {
    if (!visible(e)) continue;
    const labels = [...(e.labels ?? [])].map((l) => l.innerText).join("");
    const by = (e.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.innerText ?? "").join("");
    const own = e.matches("input, select, textarea") ? "" : e.textContent;
    const name = labels || by || e.getAttribute("aria-label") || own || e.getAttribute("alt");
    if (!name?.trim() && e.getAttribute("alt") !== "") faults.push(`no name: ${nameOf(e)}`);
  }

  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) faults.push(`id twice: ${id}`);
  if (document.querySelectorAll("h1").length !== 1) faults.push(`${document.querySelectorAll("h1").length} headings h1`);
  if (!document.documentElement.lang) faults.push("no language");
  if (document.documentElement.scrollWidth > innerWidth) {
    const wide = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest("nav"));
    faults.push(`wider than the window: ${wide.map(nameOf).join(", ")}`);
  }
  return faults;
})();
