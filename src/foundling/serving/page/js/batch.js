// Classify many messages: lines or a CSV file in, a table and a CSV file out.
import { postJson } from "./api.js";
import { download, parseCsv, textColumn, writeCsv } from "./csv.js";
import { failure, field, fill, make, percent, select } from "./dom.js";

const AT_ONCE = 64; // messages of one request
const MOST = 5000;
const SHOWN = 200;
const LARGEST = 5_000_000; // bytes of a file

export function batchPanel() {
  const lines = make("textarea", { rows: 4, placeholder: "One message a line" });
  const file = make("input", { type: "file", accept: ".csv,.tsv,.txt,text/csv,text/plain" });
  const column = make("div", {});
  const output = make("div", { role: "status" });
  const zone = make(
    "div",
    { class: "drop" },
    field("Messages", lines),
    field("Or a CSV file: choose it, or drop it here", file),
    column,
  );

  const run = async (texts) => {
    const chosen = texts.map((text) => text.trim()).filter(Boolean);
    if (chosen.length === 0)
      return void fill(output, failure(new Error("There is no message: type one a line.")));
    if (chosen.length > MOST)
      return void fill(
        output,
        failure(new Error(`At most ${MOST} messages at once; here are ${chosen.length}.`)),
      );
    try {
      const results = [];
      while (results.length < chosen.length) {
        fill(output, make("p", { class: "muted" }, `${results.length} of ${chosen.length} messages…`));
        results.push(...(await classify(chosen.slice(results.length, results.length + AT_ONCE))));
      }
      fill(output, resultView(chosen, results));
    } catch (error) {
      fill(output, failure(error));
    }
  };
  const read = async (chosen) => {
    if (!chosen) return;
    if (chosen.size > LARGEST) return void fill(output, failure(new Error("The file has more than 5 MB.")));
    const text = await chosen.text();
    if (!/\.(csv|tsv)$/i.test(chosen.name)) return void run(text.split("\n"));
    const [header, ...rows] = parseCsv(text);
    if (rows.length === 0)
      return void fill(output, failure(new Error("The file has no rows below its header.")));
    const names = select(header.map((name, i) => [i, name || `column ${i + 1}`]));
    names.value = textColumn(header, rows);
    const texts = () => rows.map((row) => row[names.value] ?? "");
    names.addEventListener("change", () => run(texts()));
    fill(column, field("Column", names));
    run(texts());
  };
  file.addEventListener("change", () => read(file.files[0]));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.toggle("over", kind === "dragover");
      if (kind === "drop") read(event.dataTransfer.files[0]);
    });
  }
  const button = make(
    "button",
    { type: "button", class: "primary", onclick: () => run(lines.value.split("\n")) },
    "Check all",
  );
  return [zone, make("div", { class: "buttons" }, button), output];
}

/** [{label, probabilities}] of texts. */
async function classify(texts) {
  return (await postJson("classify", { input: texts })).results;
}

function resultView(texts, results) {
  const labels = Object.keys(results[0].probabilities);
  const counts = labels.map((label) => `${results.filter((one) => one.label === label).length} ${label}`);
  const save = () => {
    const rows = texts.map((text, i) => [
      results[i].label,
      ...labels.map((label) => results[i].probabilities[label].toFixed(6)),
      text,
    ]);
    download("messages.csv", writeCsv([["label", ...labels, "text"], ...rows]));
  };
  const row = (text, i) =>
    make(
      "tr",
      {},
      make(
        "td",
        {},
        make("span", { class: `tag ${results[i].label === labels.at(-1) ? "last" : ""}` }, results[i].label),
      ),
      make("td", { class: "number" }, percent(results[i].probabilities[results[i].label])),
      make("td", {}, text),
    );
  const head = make(
    "tr",
    {},
    ["Label", "Probability", "Message"].map((name) => make("th", { scope: "col" }, name)),
  );
  const more = texts.length > SHOWN ? ` The first ${SHOWN} are shown; the file has all.` : "";
  return [
    make(
      "div",
      { class: "buttons" },
      make("p", {}, `${texts.length} messages: ${counts.join(", ")}.${more}`),
      make("button", { type: "button", onclick: save }, "Download as CSV"),
    ),
    make(
      "div",
      { class: "scroller", tabindex: 0 },
      make("table", {}, make("thead", {}, head), make("tbody", {}, texts.slice(0, SHOWN).map(row))),
    ),
  ];
}
