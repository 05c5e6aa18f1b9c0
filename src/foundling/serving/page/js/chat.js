// The tab "Chat": conversations, streamed answers, and the base model's continuation next to the tuned one.
import { streamAnswer, streamContinuation } from "./answers.js";
import { Conversations, browserStorage, titleOf } from "./conversations.js";
import { fill, make } from "./dom.js";
import { greeting, messageView } from "./messages.js";
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
    this.stopButton = make(
      "button",
      { type: "button", hidden: true, onclick: () => this.running?.abort() },
      "Stop",
    );
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
    this.ask(text);
  }

  ask(text) {
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
    this.ask(text);
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
    const reply = {
      role: "assistant",
      content: "",
      model: settings.model,
      compared: settings.compare || null,
    };
    const sent = conversation.messages.map(({ role, content }) => ({ role, content }));
    conversation.messages.push(reply);
    const controller = (this.running = new AbortController());
    this.showMessages();
    this.setBusy(true);
    const grow = () => this.showGrowth(reply);
    const streams = [streamAnswer(reply, sent, settings, controller.signal, grow)];
    if (reply.compared) {
      streams.push(streamContinuation(reply, sent.at(-1).content, settings, controller.signal, grow));
    }
    const [own, other] = await Promise.allSettled(streams);
    if (this.running === controller) this.running = null;
    const failure = controller.signal.aborted ? null : own.reason;
    if (own.value) this.keepUsage(conversation, reply, own.value);
    if (controller.signal.aborted) reply.note = "Stopped.";
    else if (other?.reason) reply.note = `${reply.compared}: ${other.reason.message}`;
    if (failure && !reply.content) {
      conversation.messages = conversation.messages.filter((message) => message !== reply);
    }
    this.store.save();
    if (!this.running) this.setBusy(false);
    if (this.running || conversation !== this.store.current) return;
    this.showList();
    this.showMessages();
    if (failure) this.showFailure(failure);
  }

  keepUsage(conversation, reply, tokens) {
    const context = this.about.language.find((one) => one.id === reply.model)?.context;
    conversation.used = { tokens, context };
    if (reply.note && tokens >= context) reply.note = "Cut off: the model's context is full.";
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
    fill(
      this.log,
      this.messages.length > 0
        ? [...this.views.values()].map((view) => view.node)
        : greeting((text) => this.ask(text)),
    );
    fill(this.notice);
    const used = this.messages.length > 0 ? this.store.current.used : null;
    this.meter.textContent = used
      ? `${used.tokens} of ${used.context} tokens of the model's context are used`
      : "";
    this.log.scrollTop = this.log.scrollHeight;
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
        make(
          "button",
          {
            type: "button",
            class: "open",
            "aria-current": isCurrent,
            onclick: () => this.open(conversation.id),
          },
          title,
        ),
        make(
          "button",
          { type: "button", class: "quiet", "aria-label": `Delete: ${title}`, onclick: drop },
          "×",
        ),
      );
    };
    fill(this.list, this.store.list.filter((one) => one.messages.length > 0).map(entry));
  }
}
