// A heat map of weights (rows × columns) on a canvas, with a readout for mouse, touch and arrow keys.
import { fill, make, percent, visible } from "./dom.js";

const LARGEST = 26; // pixels of a cell
const SMALLEST = 7;
const THUMBNAIL = 52;
const PADDING = 20;
const LABELLED = 11; // the smallest cell with labels

/**
 * `weights[row][column]` in 0…1; `describe(row, column)` says what a cell means, and its weight follows.
 * `onrow(row)` is called with the row under the pointer or cursor. Returns a function that shows the map.
 */
export function heatmap({ rows, columns, weights, label, describe, onrow = () => {} }) {
  const canvas = make("canvas", { class: "heatmap", role: "img", tabindex: 0, "aria-label": label });
  const readout = make("p", { class: "readout muted", "aria-live": "polite" });
  const scroller = make("div", { class: "scroller" }, canvas);
  const node = make("div", { class: "heat" }, scroller, readout);
  const state = { row: rows.length - 1, column: 0, active: false };
  let shape = null;
  let card = null; // the map is drawn as wide as this allows

  const draw = () => {
    if (!node.isConnected) {
      document.removeEventListener("themechange", draw);
      return;
    }
    shape = layOut(rows, columns, card.clientWidth - 2 * PADDING);
    paint(canvas, shape, rows, columns, weights, state);
  };
  const point = (row, column) => {
    const inRange = row >= 0 && column >= 0 && row < rows.length && column < columns.length;
    if (!inRange || (state.active && row === state.row && column === state.column)) return;
    Object.assign(state, { row, column, active: true });
    readout.textContent = `${describe(row, column)}: ${percent(weights[row][column])}`;
    onrow(row);
    draw();
  };
  readout.textContent = "Point at a cell, or move with the arrow keys.";
  canvas.addEventListener("pointermove", (event) => {
    const x = (event.offsetX - shape.left) / shape.cell;
    const y = (event.offsetY - shape.top) / shape.cell;
    point(Math.floor(y), Math.floor(x));
  });
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (!(event.key in moves)) return;
    event.preventDefault();
    point(state.row + moves[event.key][0], state.column + moves[event.key][1]);
  });
  document.addEventListener("themechange", draw);
  const show = (target) => {
    fill(target, node);
    card = node.closest(".card");
    new ResizeObserver(draw).observe(card);
  };
  return show;
}

function layOut(rows, columns, width) {
  const font = "12px system-ui, sans-serif";
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = font;
  const longest = (labels) =>
    Math.min(96, Math.max(...labels.map((text) => pen.measureText(visible(text)).width)));
  const left = longest(rows) + 10;
  const top = longest(columns) + 10;
  const fitting = Math.floor((width - left - 4) / columns.length);
  const cell = Math.max(SMALLEST, Math.min(LARGEST, fitting));
  const labelled = cell >= LABELLED;
  return { font, cell, labelled, left: labelled ? left : 4, top: labelled ? top : 4 };
}

function paint(canvas, shape, rows, columns, weights, state) {
  const { cell, left, top } = shape;
  const scale = window.devicePixelRatio || 1;
  const width = left + columns.length * cell + 4;
  const height = top + rows.length * cell + 4;
  Object.assign(canvas, { width: width * scale, height: height * scale });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const style = getComputedStyle(canvas);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.fillStyle = style.borderBottomColor;
  pen.fillRect(left, top, columns.length * cell, rows.length * cell);
  pen.save();
  pen.translate(left, top);
  paintCells(pen, weights, cell, style.color);
  pen.restore();
  if (shape.labelled) paintLabels(pen, shape, rows, columns, style.borderTopColor);
  if (!state.active) return;
  pen.strokeStyle = style.outlineColor;
  pen.lineWidth = 2;
  pen.strokeRect(left + state.column * cell, top + state.row * cell, cell, cell);
}

/** The cells; the square root makes small weights visible. */
function paintCells(pen, weights, cell, color) {
  const size = cell > 9 ? cell - 1 : cell;
  pen.fillStyle = color;
  for (const [i, row] of weights.entries()) {
    for (const [j, weight] of row.entries()) {
      pen.globalAlpha = Math.min(1, Math.sqrt(weight));
      if (weight > 0.004) pen.fillRect(j * cell, i * cell, size, size);
    }
  }
  pen.globalAlpha = 1;
}

/** A small picture of a map, without labels. */
export function thumbnail(weights) {
  const side = THUMBNAIL * 2; // sharp on dense displays
  const canvas = make("canvas", { class: "thumbnail", width: side, height: side, "aria-hidden": "true" });
  const draw = () => {
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, side, side);
    paintCells(pen, weights, side / weights.length, getComputedStyle(canvas).color);
  };
  document.addEventListener("themechange", function redraw() {
    if (canvas.isConnected) draw();
    else document.removeEventListener("themechange", redraw);
  });
  return { canvas, draw };
}

function paintLabels(pen, { font, cell, left, top }, rows, columns, color) {
  pen.font = font;
  pen.fillStyle = color;
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  for (const [i, text] of rows.entries())
    pen.fillText(visible(text), left - 6, top + (i + 0.5) * cell, left - 8);
  pen.textAlign = "left";
  for (const [j, text] of columns.entries()) {
    pen.save();
    pen.translate(left + (j + 0.5) * cell, top - 6);
    pen.rotate(-Math.PI / 2);
    pen.fillText(visible(text), 0, 0, top - 8);
    pen.restore();
  }
}

/** Buttons of which one is chosen, such as the heads of a layer. */
export function choice(label, names, chosen, onchoose) {
  const group = make("div", { class: "choice", role: "group", "aria-label": label });
  const show = (selected) =>
    fill(
      group,
      names.map((name, i) =>
        make(
          "button",
          { type: "button", "aria-pressed": String(i === selected), onclick: () => choose(i) },
          ...[name].flat(),
        ),
      ),
    );
  const choose = (i) => {
    show(i);
    group.children[i].focus();
    onchoose(i);
  };
  show(chosen);
  return group;
}
