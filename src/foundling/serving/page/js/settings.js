// The settings of a chat: models, system message and sampling, kept in localStorage.
import { field, make, select } from "./dom.js";

const KEY = "foundling.chat";

/** The form. `read()` returns the settings as plain values. */
export function chatSettings(about, storage) {
  const models = about.language.filter((model) => model.chat).map((model) => [model.id, model.id]);
  const others = about.language.map((model) => [model.id, model.id]);
  const number = (attributes) => make("input", { type: "number", inputmode: "decimal", ...attributes });
  const controls = {
    model: select(models),
    compare: select([["", "nothing"], ...others]),
    system: make("textarea", { rows: 2, placeholder: "how the model was tuned" }),
    temperature: number({ min: 0, max: 2, step: 0.1, value: 0 }),
    top_p: number({ min: 0.05, max: 1, step: 0.05, placeholder: "1" }),
    max_tokens: number({ min: 1, max: 4096, step: 1, placeholder: "no limit" }),
    seed: number({ min: 0, step: 1, placeholder: "random" }),
  };
  controls.compare.value = about.language.find((model) => !model.chat)?.id ?? "";
  restore(controls, storage);
  const form = make(
    "form",
    { class: "settings", onsubmit: (event) => event.preventDefault() },
    field("Model", controls.model),
    field("Compare with", controls.compare, "It continues the same message as plain text."),
    field("System message", controls.system),
    make(
      "div",
      { class: "pairs" },
      field("Temperature", controls.temperature, "0: the likeliest"),
      field("Top p", controls.top_p),
      field("Most tokens", controls.max_tokens),
      field("Seed", controls.seed),
    ),
  );
  form.addEventListener("change", () => keep(controls, storage));
  return { form, controls, read: () => readControls(controls) };
}

function readControls(controls) {
  const isSet = (control) => control.value !== "" && control.checkValidity();
  const optional = (name) => (isSet(controls[name]) ? { [name]: Number(controls[name].value) } : {});
  return {
    model: controls.model.value,
    compare: controls.compare.value,
    system: controls.system.value.trim(),
    sampling: {
      temperature: isSet(controls.temperature) ? Number(controls.temperature.value) : 0,
      ...optional("top_p"),
      ...optional("max_tokens"),
      ...optional("seed"),
    },
  };
}

function keep(controls, storage) {
  const values = Object.entries(controls).map(([name, control]) => [name, control.value]);
  try {
    storage?.setItem(KEY, JSON.stringify(Object.fromEntries(values)));
  } catch {
    // a full or blocked storage: the settings then last as long as the page
  }
}

function restore(controls, storage) {
  let values = {};
  try {
    values = JSON.parse(storage?.getItem(KEY) ?? "{}");
  } catch {
    return;
  }
  for (const [name, control] of Object.entries(controls)) {
    if (typeof values[name] !== "string") continue;
    const before = control.value;
    control.value = values[name];
    if (control.selectedIndex === -1) control.value = before; // a model that is no longer served
  }
}
