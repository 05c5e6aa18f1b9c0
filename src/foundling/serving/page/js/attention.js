// The attention of a layer and head as a heat map, and over the text itself.
import { postJson } from "./api.js";
import { failure, field, fill, make, percent, select, visible } from "./dom.js";
import { choice, heatmap, thumbnail } from "./heatmap.js";

export function attentionPanel(about) {
  const map = make("div", {});
  const text = make("p", { class: "looks", "aria-hidden": "true" });
  const heads = make("div", {});
  const layer = select([]);
  const node = make(
    "section",
    { class: "card" },
    make("h2", {}, "Attention"),
    make(
      "p",
      { class: "muted" },
      "Each row is a token that is being read, each column a token that it looks back at; " +
        "the weights of a row sum to 100 %.",
    ),
    make(
      "div",
      { class: "attention" },
      map,
      make("div", { class: "attention-choice" }, field("Layer", layer), heads, text),
    ),
  );
  const state = { asked: null, head: 0, request: 0 };

  const update = async () => {
    const number = ++state.request;
    try {
      const found = await postJson("inspect/attention", { ...state.asked, layer: Number(layer.value) });
      if (number === state.request) show(found);
    } catch (error) {
      if (number === state.request) fill(map, failure(error));
    }
  };
  const show = (found) => {
    state.head = Math.min(state.head, found.heads.length - 1);
    const pictures = found.heads.map(thumbnail);
    const names = pictures.map((picture, i) => [picture.canvas, `Head ${i + 1}`]);
    const paint = () => drawMap(map, text, found, state.head);
    const choose = (i) => {
      state.head = i;
      paint();
    };
    fill(heads, choice("Head", names, state.head, choose));
    for (const picture of pictures) picture.draw();
    paint();
  };
  layer.addEventListener("change", update);
  return {
    node,
    show(asked) {
      const layers = about.language.find((model) => model.id === asked.model)?.layers ?? 0;
      node.hidden = layers === 0;
      if (layers === 0) return;
      if (layer.options.length !== layers) {
        fill(
          layer,
          Array.from({ length: layers }, (_, i) => make("option", { value: i }, `${i + 1} of ${layers}`)),
        );
        layer.value = Math.floor(layers / 2);
      }
      state.asked = asked;
      update();
    },
  };
}

function drawMap(target, text, found, head) {
  const tokens = found.tokens.map((token) => token.text);
  const weights = found.heads[head];
  const showIn = heatmap({
    rows: tokens,
    columns: tokens,
    weights,
    label: `Attention of head ${head + 1} in layer ${found.layer + 1} over ${tokens.length} tokens`,
    describe: (row, column) => `“${visible(tokens[row])}” looks at “${visible(tokens[column])}”`,
    onrow: (row) => markText(text, tokens, weights[row], row),
  });
  showIn(target);
  markText(text, tokens, weights.at(-1), tokens.length - 1);
}

/** The text itself, each token shaded by how much the token `row` looks at it. */
function markText(target, tokens, weights, row) {
  fill(
    target,
    tokens.map((token, i) => {
      const mark = make(
        "span",
        { class: i === row ? "look reading" : "look", title: percent(weights[i] ?? 0) },
        visible(token),
      );
      mark.style.setProperty("--weight", `${Math.round(60 * Math.sqrt(weights[i] ?? 0))}%`);
      return mark;
    }),
  );
}
