// Requests to this server, JSON and server-sent events; failures are ApiError with the server's message.
import { make } from "./dom.js";

const KEY = "foundling.key";

export class ApiError extends Error {
  constructor(message, status = 0, code = null) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const getJson = (path) => request(path, { method: "GET" }).then((response) => response.json());

export const postJson = (path, body, signal) =>
  request(path, post(body, signal)).then((response) => response.json());

/** The JSON objects of a streamed completion, until "[DONE]". */
export async function* streamEvents(path, body, signal) {
  const response = await request(path, post({ ...body, stream: true }, signal));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  while (true) {
    const { value, done } = await reader.read();
    buffer += value ?? "";
    const events = buffer.split(/\r?\n\r?\n/);
    buffer = done ? "" : events.pop();
    for (const event of events) {
      const data = eventData(event);
      if (data === "[DONE]") return;
      if (data) yield checked(JSON.parse(data));
    }
    if (done) return;
  }
}

function eventData(event) {
  const lines = event.split(/\r?\n/).filter((line) => line.startsWith("data:"));
  return lines.map((line) => line.slice(5).trimStart()).join("\n");
}

function checked(value) {
  if (value.error) throw new ApiError(value.error.message, 200, value.error.code);
  return value;
}

function post(body, signal) {
  const headers = { "Content-Type": "application/json" };
  return { method: "POST", headers, body: JSON.stringify(body), signal };
}

async function request(path, options) {
  const response = await fetchWithKey(path, options);
  if (response.status === 401 && (await askForKey())) return request(path, options);
  if (response.ok) return response;
  throw await failureOf(response);
}

async function fetchWithKey(path, options) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  try {
    return await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server does not answer. Is `foundling serve` still running?");
  }
}

async function failureOf(response) {
  const wait = response.headers.get("Retry-After");
  const body = await response.json().catch(() => ({}));
  const message = body.error?.message ?? `The server answered with status ${response.status}.`;
  const again = wait ? ` Try again in ${wait} s.` : "";
  return new ApiError(message + again, response.status, body.error?.code);
}

let asking = null;

/** Ask once for the server's API key; several requests that fail at once share the question. */
function askForKey() {
  asking ??= showKeyDialog().finally(() => (asking = null));
  return asking;
}

function showKeyDialog() {
  const input = make("input", { type: "password", autocomplete: "off", id: "key", required: true });
  const form = make(
    "form",
    { method: "dialog" },
    make("label", { for: "key" }, "This server asks for its API key (the variable that serve.key names, or serve.key_file)."),
    input,
    make("button", { class: "primary" }, "Use this key"),
  );
  const dialog = make("dialog", {}, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      if (input.value) sessionStorage.setItem(KEY, input.value);
      dialog.remove();
      resolve(Boolean(input.value));
    });
  });
}
