// The tab "Chat": conversations, streamed answers, and the base model's continuation beside the tuned one.
import { streamEvents } from "./api.js";
import { Conversations, browserStorage, titleOf } from "./conversations.js";
import { fill, make } from "./dom.js";
import { EXAMPLES } from "./examples.js";
import { messageView } from "./messages.js";
import { chatSettings } from "./settings.js";

const WIDE = matchMedia("(min-width: 760px)");

export function build(target, about) {
  new Chat(target, about);
}

class Chat {
  constructor(target, about) {
    const storage = browserStorage();
    this.about = about;
    this.store = new Conversations(storage);
    this.settings = chatSettings(about, storage);
    this.running = null; // the AbortController of the answer that is being streamed
    this.layOut(target);
    this.showList();
    this.showMessages();
  }

  layOut(target) {
    this.list = make("ul", { class: "conversations" });
    this.log = make("div", { class: "log", role: "log", "aria-label": "Conversation", tabindex: 0 });
    this.notice = make("div", { class: "notices", role: "status" });
    this.meter = make("p", { class: "meter muted" });
    this.box = make("textarea", {
      rows: 2,
      placeholder: "Write a message",
      "aria-label": "Message",
      "aria-keyshortcuts": "Enter",
      maxlength: 20000,
    });
    this.sendButton = make("button", { class: "primary" }, "Send");
    this.stopButton = make("button", { type: "button", hidden: true, onclick: () => this.running?.abort() }, "Stop");
    const composer = make(
      "form",
      { class: "composer", onsubmit: (event) => this.submit(event) },
      this.box,
      make("div", { class: "buttons" }, this.sendButton, this.stopButton),
    );
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.submit(event);
    });
    target.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.running?.abort();
    });
    const fresh = make("button", { type: "button", onclick: () => this.start() }, "New conversation");
    const side = make("details", { class: "side-panel", open: WIDE.matches });
    WIDE.addEventListener("change", () => (side.open = WIDE.matches));
    side.append(make("summary", {}, "Conversations and settings"), fresh, this.list, this.settings.form);
    target.classList.add("chat");
    fill(target, side, make("div", { class: "talk" }, this.log, this.notice, this.meter, composer));
  }

  submit(event) {
    event.preventDefault();
    const text = this.box.value.trim();
    if (!text || this.running) return;
    this.box.value = "";
    this.messages.push({ role: "user", content: text });
    this.answer();
  }

  get messages() {
    return this.store.current.messages;
  }

  start() {
    this.running?.abort();
    this.store.create();
    this.showList();
    this.showMessages();
    this.box.focus();
  }

  open(id) {
    this.running?.abort();
    this.store.select(id);
    this.showList();
    this.showMessages();
  }

  edit(message, text) {
    this.cutFrom(message);
    this.messages.push({ role: "user", content: text });
    this.answer();
  }

  regenerate(message) {
    this.cutFrom(message);
    this.answer();
  }

  cutFrom(message) {
    this.running?.abort();
    this.messages.splice(this.messages.indexOf(message));
  }

  /** Stream the answer to the conversation's last message, and the compared model's continuation of it. */
  async answer() {
    const settings = this.settings.read();
    const conversation = this.store.current;
    const reply = { role: "assistant", content: "", model: settings.model, compared: settings.compare || null };
    const sent = conversation.messages.map(({ role, content }) => ({ role, content }));
    conversation.messages.push(reply);
    const controller = (this.running = new AbortController());
    this.showMessages();
    this.setBusy(true);
    const streams = [this.streamAnswer(reply, sent, settings, controller.signal)];
    if (reply.compared) streams.push(this.streamOther(reply, sent.at(-1).content, settings, controller.signal));
    const [own, other] = await Promise.allSettled(streams);
    if (this.running === controller) this.running = null;
    if (controller.signal.aborted) reply.note = "Stopped.";
    else if (other?.reason) reply.note = `${reply.compared}: ${other.reason.message}`;
    if (own.reason && !reply.content) conversation.messages.splice(conversation.messages.indexOf(reply), 1);
    this.store.save();
    if (conversation !== this.store.current) return;
    this.setBusy(false);
    this.showList();
    this.showMessages();
    if (own.reason && !controller.signal.aborted) this.showFailure(own.reason);
  }

  async streamAnswer(reply, messages, settings, signal) {
    const system = settings.system ? [{ role: "system", content: settings.system }] : [];
    const body = {
      model: settings.model,
      messages: [...system, ...messages],
      stream_options: { include_usage: true },
      ...settings.sampling,
    };
    for await (const event of streamEvents("v1/chat/completions", body, signal)) {
      const choice = event.choices?.[0];
      reply.content += choice?.delta?.content ?? "";
      if (choice?.finish_reason === "length") reply.note = "Cut off: the answer reached the limit of its length.";
      if (event.usage) this.showUsage(reply, event.usage, settings.model);
      this.showGrowth(reply);
    }
  }

  async streamOther(reply, prompt, settings, signal) {
    const body = { model: settings.compare, prompt, max_tokens: 60, ...settings.sampling };
    reply.other = "";
    for await (const event of streamEvents("v1/completions", body, signal)) {
      reply.other += event.choices?.[0]?.text ?? "";
      this.showGrowth(reply);
    }
  }

  showUsage(reply, usage, model) {
    const context = this.about.language.find((one) => one.id === model)?.context;
    this.store.current.used = { tokens: usage.total_tokens, context };
    if (reply.note && usage.total_tokens >= context) reply.note = "Cut off: the model's context is full.";
  }

  showGrowth(reply) {
    if (this.views.get(reply) === undefined) return;
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60;
    this.views.get(reply).update(true);
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
  }

  showFailure(error) {
    const isFull = error.code === "context_length_exceeded";
    const shorten = () => {
      this.messages.splice(0, 2);
      fill(this.notice);
      this.answer();
    };
    const forget = isFull && this.messages.length > 2;
    fill(
      this.notice,
      make(
        "div",
        { class: "notice warn" },
        make("p", {}, isFull ? `The model's context is full. ${error.message}` : error.message),
        forget && make("button", { type: "button", onclick: shorten }, "Forget the oldest turn and answer"),
        isFull && make("button", { type: "button", onclick: () => this.start() }, "New conversation"),
        !isFull && make("button", { type: "button", onclick: () => this.answer() }, "Try again"),
      ),
    );
  }

  setBusy(busy) {
    this.sendButton.hidden = busy;
    this.stopButton.hidden = !busy;
    this.log.setAttribute("aria-busy", busy);
    if (busy) fill(this.notice);
  }

  showMessages() {
    const actions = {
      edit: (message, text) => this.edit(message, text),
      regenerate: (message) => this.regenerate(message),
    };
    this.views = new Map(this.messages.map((message) => [message, messageView(message, actions)]));
    fill(this.log, this.messages.length > 0 ? [...this.views.values()].map((view) => view.node) : this.greeting());
    fill(this.notice);
    const used = this.messages.length > 0 ? this.store.current.used : null;
    this.meter.textContent = used ? `${used.tokens} of ${used.context} tokens of the model's context are used` : "";
    this.log.scrollTop = this.log.scrollHeight;
  }

  greeting() {
    const ask = (text) => () => {
      this.messages.push({ role: "user", content: text });
      this.answer();
    };
    return make(
      "div",
      { class: "empty" },
      make("h2", {}, "Talk to what you trained"),
      make("p", {}, "Compare it with the base model to see what instruction tuning changed."),
      EXAMPLES.chat.map((text) => make("button", { type: "button", class: "example", onclick: ask(text) }, text)),
    );
  }

  showList() {
    const entry = (conversation) => {
      const title = titleOf(conversation);
      const isCurrent = conversation === this.store.current;
      const drop = () => {
        this.store.remove(conversation.id);
        this.showList();
        this.showMessages();
      };
      return make(
        "li",
        { class: isCurrent ? "current" : null },
        make("button", { type: "button", class: "open", "aria-current": isCurrent, onclick: () => this.open(conversation.id) }, title),
        make("button", { type: "button", class: "quiet", "aria-label": `Delete: ${title}`, onclick: drop }, "×"),
      );
    };
    fill(this.list, this.store.list.map(entry));
  }
}
