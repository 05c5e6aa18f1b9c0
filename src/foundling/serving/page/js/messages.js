// How messages look: one card each, with its actions; a compared model's answer is next to the model's own.
import { field, make } from "./dom.js";
import { EXAMPLES } from "./examples.js";

/** A message's node, and `update(busy)` which shows its text as it grows. */
export function messageView(message, actions) {
  return message.role === "user" ? userView(message, actions) : answerView(message, actions);
}

function userView(message, actions) {
  const text = make("p", { class: "text" }, message.content);
  const edit = make("button", { type: "button", class: "quiet", "aria-label": "Edit this message" }, "Edit");
  const node = make("article", { class: "message user", "aria-label": "You" }, text, tools(edit));
  edit.addEventListener("click", () => {
    const box = make("textarea", { rows: 3, value: message.content });
    const cancel = make("button", { type: "button", class: "quiet" }, "Cancel");
    const send = make("button", { class: "primary" }, "Send again");
    const submit = (event) => {
      event.preventDefault();
      if (box.value.trim()) actions.edit(message, box.value.trim());
    };
    const form = make(
      "form",
      { class: "edit", onsubmit: submit },
      field("Edit the message", box),
      tools(cancel, send),
    );
    cancel.addEventListener("click", () => form.replaceWith(node));
    node.replaceWith(form);
    box.focus();
  });
  return { node, update: () => {} };
}

function answerView(message, actions) {
  const own = answerText(message.model ?? "model");
  const other = message.compared ? answerText(`${message.compared}, plain continuation`) : null;
  const again = make(
    "button",
    {
      type: "button",
      class: "quiet",
      title: "With temperature 0 the answer is the same again",
      onclick: () => actions.regenerate(message),
    },
    "Regenerate",
  );
  const note = make("p", { class: "note muted" });
  const node = make(
    "article",
    { class: "message answer", "aria-label": "Answer" },
    make("div", { class: other ? "sides" : "side" }, other?.node, own.node),
    note,
    tools(again),
  );
  const update = (busy) => {
    own.show(message.content, busy);
    other?.show((message.other ?? "").trimStart(), busy);
    note.textContent = message.note ?? "";
    note.hidden = !message.note;
    again.parentNode.hidden = busy;
  };
  update(false);
  return { node, update };
}

function answerText(title) {
  const text = make("p", { class: "text" });
  const node = make("div", {}, make("p", { class: "who" }, title), text);
  const show = (value, busy) => {
    text.textContent = value || (busy ? "" : "(no text)");
    text.classList.toggle("muted", !value && !busy);
    text.classList.toggle("writing", busy);
  };
  return { node, show };
}

function tools(...buttons) {
  return make("div", { class: "tools" }, ...buttons);
}

/** What stands in a conversation without messages; `ask(text)` sends an example. */
export function greeting(ask) {
  const example = (text) =>
    make("button", { type: "button", class: "example", onclick: () => ask(text) }, text);
  return make(
    "div",
    { class: "empty" },
    make("h2", {}, "Talk to what you trained"),
    make(
      "p",
      {},
      "Next to each answer is the base model's continuation of the same text: " +
        "the difference is what instruction tuning changed.",
    ),
    EXAMPLES.chat.map(example),
  );
}
