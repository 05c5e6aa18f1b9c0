// The tab "Translate": a translation, and what the decoder looked at for each of its tokens.
import { postJson } from "./api.js";
import { card, failure, field, fill, make, visible } from "./dom.js";
import { EXAMPLES } from "./examples.js";
import { choice, heatmap } from "./heatmap.js";

export function build(target) {
  const text = make("textarea", { rows: 2, maxlength: 20000, value: EXAMPLES.translate[0] });
  const result = make("div", { class: "stack", role: "status" });
  const translate = async () => {
    try {
      show(result, await postJson("inspect/translation", { text: text.value }));
    } catch (error) {
      fill(result, failure(error));
    }
  };
  const submit = (event) => {
    event.preventDefault();
    translate();
  };
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  });
  const use = (example) => () => {
    text.value = example;
    translate();
  };
  const examples = EXAMPLES.translate.map((example) =>
    make("button", { type: "button", class: "quiet", onclick: use(example) }, example),
  );
  const form = make(
    "form",
    { onsubmit: submit },
    field("Sentence", text),
    make("div", { class: "buttons" }, make("button", { class: "primary" }, "Translate"), ...examples),
  );
  fill(
    target,
    card("Translate", "With the encoder–decoder Transformer of 2017, by beam search.", form),
    result,
  );
}

function show(target, found) {
  const { source, translation, layers } = found.attention;
  const place = make("div", {});
  const names = layers.map((_, i) => `Layer ${i + 1}`);
  const draw = (layer) => {
    const showIn = heatmap({
      rows: translation,
      columns: source,
      weights: layers[layer],
      label: `Cross-attention of layer ${layer + 1} over ${source.length} source tokens`,
      describe: (row, column) =>
        `For “${visible(translation[row])}” it looked at “${visible(source[column])}”`,
    });
    showIn(place);
  };
  fill(
    target,
    make("p", { class: "translation card" }, found.translation || "(no text)"),
    found.truncated
      ? make(
          "p",
          { class: "notice warn" },
          "The sentence is longer than the model's context and was cut off.",
        )
      : null,
    card(
      "Cross-attention",
      "Each row is a token of the translation, each column a token of the sentence; ■ is the end. " +
        "Mean over the heads.",
      choice("Layer", names, layers.length - 1, draw),
      place,
    ),
  );
  draw(layers.length - 1);
}
