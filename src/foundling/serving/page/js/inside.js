// The tab "Look inside": one text; its tokens, what comes next, attention, and snapshots of the pretraining.
import { postJson } from "./api.js";
import { attentionPanel } from "./attention.js";
import { card, debounce, failure, field, fill, make, percent, select, visible } from "./dom.js";
import { EXAMPLES } from "./examples.js";
import { snapshotsPanel } from "./snapshots.js";

export function build(target, about) {
  const models = about.language.map((model) => [
    model.id,
    `${model.id} (${model.parameters.toLocaleString("en")} parameters)`,
  ]);
  const model = select(models);
  const base = about.language.find((one) => !one.chat);
  if (base) model.value = base.id;
  const text = make("textarea", { rows: 3, maxlength: 20000, value: EXAMPLES.inside[0][1] });
  const tokens = make("div", { class: "tokens", role: "list", "aria-label": "Tokens" });
  const count = make("p", { class: "muted" });
  const next = make("div", { class: "bars" });
  const problem = make("div", { role: "status" });
  const attention = attentionPanel(about);
  const snapshots = snapshotsPanel(about);
  let request = 0;

  const append = (piece) => {
    text.value += piece;
    update();
  };
  const update = async () => {
    const number = ++request;
    const asked = { model: model.value, text: text.value };
    attention.show(asked);
    snapshots.show(asked.text);
    try {
      const found = await postJson("inspect/tokens", { ...asked, count: 10 });
      if (number !== request) return;
      fill(problem);
      fill(tokens, found.tokens.map(tokenView));
      const start = asked.text ? "" : " The empty text starts a document.";
      const size = found.tokens.length;
      count.textContent = `${size} tokens of ${found.context} that the model can read.${start}`;
      fill(next, nextView(found.next, append));
    } catch (error) {
      if (number === request) fill(problem, failure(error));
    }
  };
  const use = (example) => () => {
    text.value = example;
    update();
  };
  const examples = EXAMPLES.inside.map(([name, example]) =>
    make("button", { type: "button", class: "quiet", onclick: use(example) }, name),
  );
  text.addEventListener("input", debounce(update, 250));
  model.addEventListener("change", update);
  fill(
    target,
    make(
      "div",
      { class: "card" },
      field("Text", text),
      make("div", { class: "controls" }, field("Model", model), make("div", { class: "buttons" }, examples)),
      problem,
    ),
    make(
      "div",
      { class: "columns" },
      card("Tokens", "What the model reads: pieces of text, each with its number.", tokens, count),
      card("Next token", "Its probabilities. Choose one to append it.", next),
    ),
    attention.node,
    snapshots.node,
  );
  update();
}

function tokenView(piece) {
  const shown = visible(piece.text);
  return make(
    "span",
    { class: piece.special ? "token special" : "token", role: "listitem", title: `token ${piece.id}` },
    make("span", { class: "piece" }, shown),
    make("small", {}, String(piece.id)),
  );
}

function nextView(next, append) {
  const largest = Math.max(...next.likeliest.map((one) => one.probability));
  const bars = next.likeliest.map((one) => {
    const bar = make("span", { class: "bar" });
    bar.style.width = `${(100 * one.probability) / largest}%`;
    return make(
      "button",
      {
        type: "button",
        class: "row",
        "aria-label": `Append ${visible(one.text)}, ${percent(one.probability)}`,
        onclick: () => append(one.text),
      },
      make("span", { class: "piece" }, visible(one.text)),
      make("span", { class: "track" }, bar),
      make("span", { class: "number" }, percent(one.probability)),
    );
  });
  const choices = Math.round(2 ** next.entropy_bits);
  const entropy = `Entropy ${next.entropy_bits.toFixed(1)} bits`;
  const sure = `${entropy}: as unsure as between ${choices.toLocaleString("en")} equally likely tokens.`;
  return [...bars, make("p", { class: "muted" }, sure)];
}
