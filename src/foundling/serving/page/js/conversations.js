// Conversations, kept in this browser's localStorage and nowhere else.
const KEY = "foundling.conversations";
const LIMIT = 40; // the oldest ones are forgotten

export class Conversations {
  constructor(storage) {
    this.storage = storage;
    this.list = read(storage);
    this.current = this.list[0] ?? this.create();
  }

  /** A new conversation, which becomes the current one; an empty one is used again. */
  create() {
    const empty = this.list.find((one) => one.messages.length === 0);
    this.current = empty ?? { id: crypto.randomUUID?.() ?? String(Date.now()), messages: [] };
    this.list = [this.current, ...this.list.filter((one) => one !== this.current)].slice(0, LIMIT);
    return this.current;
  }

  select(id) {
    this.current = this.list.find((one) => one.id === id) ?? this.current;
  }

  remove(id) {
    this.list = this.list.filter((one) => one.id !== id);
    if (this.current.id === id) this.current = this.list[0] ?? this.create();
    this.save();
  }

  /** Write all to the storage; when it is full, the oldest conversation is forgotten. */
  save() {
    while (this.list.length > 0) {
      try {
        this.storage?.setItem(KEY, JSON.stringify(this.list.filter((one) => one.messages.length > 0)));
        return;
      } catch {
        if (this.list.length === 1) return;
        this.list.pop();
      }
    }
  }
}

/** What a conversation is listed as: the beginning of its first message. */
export function titleOf(conversation) {
  const first = conversation.messages[0]?.content.trim() ?? "";
  return first.length > 42 ? `${first.slice(0, 41)}…` : first || "New conversation";
}

/** The browser's storage, or null where it is blocked. */
export function browserStorage() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

function read(storage) {
  try {
    return JSON.parse(storage?.getItem(KEY) ?? "[]").filter(isConversation);
  } catch {
    return [];
  }
}

function isConversation(value) {
  const isMessage = (one) => ["user", "assistant"].includes(one?.role) && typeof one.content === "string";
  return typeof value?.id === "string" && Array.isArray(value.messages) && value.messages.every(isMessage);
}
