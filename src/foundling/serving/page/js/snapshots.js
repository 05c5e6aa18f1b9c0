// Emergence to play with: how the snapshots along the pretraining continue the same text.
import { postJson } from "./api.js";
import { debounce, failure, fill, make, makeSvg, percent, visible } from "./dom.js";

const FOLLOWED = 4; // tokens whose probabilities are drawn over the steps
const HEIGHT = 190;
const EDGE = { left: 40, right: 12, top: 10, bottom: 26 };

export function snapshotsPanel(about) {
  const steps = about.snapshots;
  const slider = make("input", {
    type: "range",
    min: 0,
    max: Math.max(0, steps.length - 1),
    value: steps.length - 1,
    id: "step",
    "aria-label": "Training step",
  });
  const title = make("output", { class: "step", for: "step" });
  const text = make("p", { class: "continuation" });
  const chart = make("div", { class: "chart" });
  const problem = make("div", { role: "status" });
  const body =
    steps.length > 0
      ? [make("div", { class: "slide" }, slider, title), text, chart, problem]
      : [missing(about)];
  const node = make(
    "section",
    { class: "card" },
    make("h2", {}, "Training steps"),
    make(
      "p",
      { class: "muted" },
      "How the base model would have continued the text at each stage of its pretraining. Move the slider.",
    ),
    ...body,
  );
  const state = { prompt: "", found: new Map(), request: 0 };

  const show = () => {
    const step = steps[slider.value];
    const found = state.found.get(step);
    title.textContent = `step ${step.toLocaleString("en")}`;
    slider.setAttribute("aria-valuetext", `step ${step}`);
    const written = found ? found.text || "(ends the document)" : "…";
    fill(text, make("span", { class: "muted" }, state.prompt), make("mark", {}, written));
    fill(chart, probabilityChart(steps, state.found, Number(slider.value), chart.clientWidth || 640));
  };
  const load = async (prompt) => {
    const number = ++state.request;
    Object.assign(state, { prompt, found: new Map() });
    show();
    let watched = [];
    try {
      for (const step of [...steps].reverse()) {
        const found = await postJson("inspect/snapshots", { text: prompt, step, watched });
        if (number !== state.request) return;
        if (watched.length === 0) {
          watched = found.next.likeliest.slice(0, FOLLOWED).map((one) => one.id);
          found.next.watched = found.next.likeliest.slice(0, FOLLOWED);
        }
        state.found.set(step, found);
        show();
      }
      fill(problem);
    } catch (error) {
      if (number === state.request) fill(problem, failure(error));
    }
  };
  slider.addEventListener("input", show);
  return { node, show: steps.length > 0 ? debounce(load, 500) : () => {} };
}

function missing(about) {
  return make(
    "p",
    {},
    "There are no snapshots of the served base model. Make them with ",
    make("code", {}, about.commands.snapshots),
    ".",
  );
}

/** Lines of the probabilities, over the snapshots, of the tokens that the last one expects next. */
function probabilityChart(steps, found, chosen, width) {
  const last = found.get(steps.at(-1));
  if (!last) return null;
  const x = (i) => EDGE.left + (i * (width - EDGE.left - EDGE.right)) / Math.max(1, steps.length - 1);
  const y = (p) => HEIGHT - EDGE.bottom - p * (HEIGHT - EDGE.top - EDGE.bottom);
  const svg = makeSvg("svg", {
    viewBox: `0 0 ${width} ${HEIGHT}`,
    role: "img",
    "aria-label": chartLabel(last),
  });
  for (const p of [0, 0.5, 1]) {
    svg.append(makeSvg("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(p), y2: y(p) }));
    svg.append(makeSvg("text", { x: EDGE.left - 6, y: y(p) + 4, "text-anchor": "end" }, `${100 * p} %`));
  }
  for (const [i, step] of steps.entries()) {
    svg.append(
      makeSvg(
        "text",
        { x: x(i), y: HEIGHT - 6, "text-anchor": i === steps.length - 1 ? "end" : "middle" },
        step.toLocaleString("en"),
      ),
    );
  }
  svg.append(
    makeSvg("line", { class: "now", x1: x(chosen), x2: x(chosen), y1: EDGE.top, y2: HEIGHT - EDGE.bottom }),
  );
  const legend = last.next.watched.map((token, k) => {
    const known = steps.flatMap((step, i) =>
      found.has(step) ? [[i, found.get(step).next.watched[k].probability]] : [],
    );
    const points = known.map(([i, p]) => `${x(i)},${y(p)}`).join(" ");
    svg.append(makeSvg("polyline", { class: `line line-${k}`, points }));
    for (const [i, p] of known)
      svg.append(makeSvg("circle", { class: `dot line-${k}`, cx: x(i), cy: y(p), r: 3 }));
    const now = found.get(steps[chosen])?.next.watched[k].probability;
    const value = now === undefined ? "" : ` ${percent(now)}`;
    return make(
      "li",
      {},
      make("span", { class: `key line-${k}` }),
      make("span", { class: "piece" }, visible(token.text)),
      value,
    );
  });
  return [
    make("p", { class: "muted" }, "Probability of the next token:"),
    make("ul", { class: "legend" }, legend),
    svg,
  ];
}

function chartLabel(last) {
  const tokens = last.next.watched.map((token) => visible(token.text)).join(", ");
  return `Probabilities of the next tokens ${tokens} over the training steps`;
}
