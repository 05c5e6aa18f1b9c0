// Stream a reply into a message: the tuned model's answer, and another model's continuation of the same text.
import { streamEvents } from "./api.js";

const CONTINUATION = 60; // tokens at most: a base model rarely stops by itself

/**
 * Append the model's answer to `reply.content` and call `grow` after each piece; `reply.note` says if it was
 * cut off. Returns the number of tokens of the whole conversation.
 */
export async function streamAnswer(reply, messages, settings, signal, grow) {
  const system = settings.system ? [{ role: "system", content: settings.system }] : [];
  const body = {
    model: settings.model,
    messages: [...system, ...messages],
    stream_options: { include_usage: true },
    ...settings.sampling,
  };
  let tokens = null;
  for await (const event of streamEvents("v1/chat/completions", body, signal)) {
    const choice = event.choices?.[0];
    reply.content += choice?.delta?.content ?? "";
    if (choice?.finish_reason === "length")
      reply.note = "Cut off: the answer reached the limit of its length.";
    tokens = event.usage?.total_tokens ?? tokens;
    grow();
  }
  return tokens;
}

/** Append the compared model's continuation of the last message, as plain text, to `reply.other`. */
export async function streamContinuation(reply, prompt, settings, signal, grow) {
  const body = { model: settings.compare, prompt, max_tokens: CONTINUATION, ...settings.sampling };
  reply.other = "";
  for await (const event of streamEvents("v1/completions", body, signal)) {
    reply.other += event.choices?.[0]?.text ?? "";
    grow();
  }
}
