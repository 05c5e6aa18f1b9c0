// Build DOM nodes. Data only becomes text nodes and attribute values: nothing that a user or a model writes
// is ever parsed as HTML.

/** An element: make("button", {class: "quiet", onclick: stop}, "Stop"). Missing children are left out. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter(isGiven));
  return node;
}

/** Whether a child is there: `condition && make(…)` is false without it. */
function isGiven(child) {
  return child !== null && child !== undefined && child !== false;
}

/** An SVG element, as `make`. */
export function makeSvg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Replace a node's children. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter(isGiven));
  return node;
}

let counter = 0;

/** A label and its control, joined by an id. */
export function field(text, control, hint = null) {
  control.id ||= `field-${++counter}`;
  const described = hint && make("small", { id: `${control.id}-hint`, class: "muted" }, hint);
  if (described) control.setAttribute("aria-describedby", described.id);
  return make("div", { class: "field" }, make("label", { for: control.id }, text), control, described);
}

/** A select with options [value, text]. */
export function select(options, attributes = {}) {
  return make(
    "select",
    attributes,
    options.map(([value, text]) => make("option", { value }, text)),
  );
}

/** A titled card with one sentence on what it shows. */
export function card(title, explanation, ...content) {
  return make(
    "section",
    { class: "card" },
    make("h2", {}, title),
    make("p", { class: "muted" }, explanation),
    ...content,
  );
}

/** A message about a failure, announced to screen readers. */
export function failure(error) {
  return make("p", { class: "notice warn", role: "alert" }, error.message || String(error));
}

/** A token's text with its spaces and line ends made visible. */
export function visible(text) {
  if (text === "") return "∅";
  return text.replace(/ /g, "·").replace(/\n/g, "⏎").replace(/\t/g, "⇥");
}

/** A probability as a percentage with a sensible number of digits. */
export function percent(p) {
  if (p > 0 && p < 0.0005) return "<0.1 %";
  return `${(100 * p).toFixed(p >= 0.0995 ? 0 : 1)} %`;
}

/** A function that runs only the latest of several calls, after a pause in the calls. */
export function debounce(action, milliseconds) {
  let timer = null;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
}
