// The tab "Spam filter": one message with the weight of each token, and many messages at once.
import { postJson } from "./api.js";
import { batchPanel } from "./batch.js";
import { card, failure, field, fill, make, percent, visible } from "./dom.js";
import { EXAMPLES } from "./examples.js";

export function build(target) {
  const text = make("textarea", { rows: 3, maxlength: 20000, value: EXAMPLES.spam[0][1] });
  const result = make("div", { role: "status" });
  const check = async () => {
    try {
      fill(result, resultView(await postJson("inspect/occlusion", { text: text.value })));
    } catch (error) {
      fill(result, failure(error));
    }
  };
  const submit = (event) => {
    event.preventDefault();
    check();
  };
  const use = (example) => () => {
    text.value = example;
    check();
  };
  const examples = EXAMPLES.spam.map(([name, example]) =>
    make("button", { type: "button", class: "quiet", onclick: use(example) }, name),
  );
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  });
  const form = make(
    "form",
    { onsubmit: submit },
    field("Message", text),
    make("div", { class: "buttons" }, make("button", { class: "primary" }, "Check"), ...examples),
  );
  fill(
    target,
    card("One message", "Spam or not, and which tokens decide it.", form, result),
    card("Many messages", "One message a line, or a CSV file.", ...batchPanel()),
  );
}

function resultView(found) {
  const largest = Math.max(0.1, ...found.tokens.map((token) => Math.abs(token.weight)));
  return [
    make(
      "div",
      { class: "bars labels" },
      Object.entries(found.probabilities).map(([label, p]) => barView(label, p, found.label)),
    ),
    make(
      "p",
      { class: "weights", "aria-label": "Weights of the tokens" },
      found.tokens.map((token) => weightView(token, found.label, largest)),
    ),
    make(
      "p",
      { class: "muted legend-line" },
      make("span", { class: "weight for" }, `speaks for ${found.label}`),
      make("span", { class: "weight against" }, "speaks against it"),
      "The message is classified again without each token in turn (occlusion): " +
        "the colour is the change of the log-odds.",
    ),
    found.truncated
      ? make("p", { class: "notice warn" }, "The message is longer than the model's context and was cut off.")
      : null,
  ];
}

function barView(label, p, chosen) {
  const bar = make("span", { class: "bar" });
  bar.style.width = `${100 * p}%`;
  return make(
    "div",
    { class: label === chosen ? "row chosen" : "row" },
    make("span", { class: "piece" }, label),
    make("span", { class: "track" }, bar),
    make("span", { class: "number" }, percent(p)),
  );
}

function weightView(token, label, largest) {
  const share = Math.abs(token.weight) / largest;
  const side = token.weight >= 0 ? "for" : "against";
  const change = `${token.weight >= 0 ? "−" : "+"}${Math.abs(token.weight).toFixed(2)}`;
  const hint = `without it: ${percent(token.without)} ${label} (log-odds ${change})`;
  const mark = make("span", { class: `weight ${side}`, title: hint }, visible(token.text));
  mark.style.setProperty("--weight", `${Math.round(85 * share)}%`);
  return mark;
}
