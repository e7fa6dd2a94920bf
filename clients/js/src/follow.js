/** Following a stream: every message once and in the order of its topic, whatever the socket dropped. */

import { setTimeout as sleep } from "node:timers/promises";
import { Subscriber } from "zeromq";
import { curve, NoAnswer } from "./control.js";
import { OBSERVED, read, recorded, topicFrame } from "./messages.js";

const SILENCE_MS = 1000;
const AGAIN_MS = 100;
const PATIENCE_MS = 5000;
const MANY = 1000;

/**
 * The messages of `topics` from now on, or from the session's start, until the session ends.
 *
 * @param {import("./control.js").Control} control of the session
 * @param {string[]} topics
 * @yields {import("./messages.js").Message} without `incarnation` and `sent_ns` if it was dropped by the socket and
 *   fetched from the record
 * @throws {RangeError} for a topic that does not exist, {Error} if messages are lost for good
 */
export async function* follow(control, topics, { fromStart = false } = {}) {
  const wanted = new Set(topics);
  const subscribed = [...new Set([...topics, "session"])]; // `session` says when the session has ended
  const expected = {};
  const newest = {}; // incarnation, of topics that are one run's own
  const socket = new Subscriber({ linger: 0, receiveHighWaterMark: 10_000, receiveTimeout: SILENCE_MS, ...curve(control.keys) });
  let over = false;
  let incarnation = 0;

  /** Fetch what is recorded from the expected number to `until`, and give out. */
  async function* recover(topic, until) {
    let patience = Date.now() + PATIENCE_MS;
    while (expected[topic] < until) {
      const reply = await control.ask("missed", { topic, first: expected[topic], count: Math.min(MANY, until - expected[topic]) });
      for (const body of reply.frames) {
        expected[topic] += 1;
        yield* take(recorded(topic, body));
        patience = Date.now() + PATIENCE_MS;
      }
      if (reply.frames.length === 0) {
        if (Date.now() > patience) throw new Error(`${topic} from number ${expected[topic]} is lost`);
        await sleep(AGAIN_MS);
      }
    }
  }

  function* take(message) {
    const { topic } = message;
    if (topic === "session") {
      incarnation = Math.max(incarnation, message.run);
      over = ["stopped", "done", "failed"].includes(message.event) && message.run === incarnation;
    }
    if (wanted.has(topic)) yield message;
  }

  async function* arrived(message) {
    const { topic, sequence } = message;
    if (OBSERVED.has(topic) && message.incarnation > (newest[topic] ?? 0)) {
      newest[topic] = message.incarnation;
      expected[topic] = Math.min(expected[topic], sequence);
    }
    if (sequence > expected[topic]) yield* recover(topic, sequence);
    if (sequence === expected[topic]) {
      expected[topic] += 1;
      yield* take(message);
    }
  }

  async function* catchUp() {
    try {
      const { next } = await control.ask("describe");
      for (const topic of subscribed) yield* recover(topic, next[topic]);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error; // it has gone, or is being resumed: the stream will show
    }
  }

  try {
    socket.subscribe(...subscribed.map(topicFrame));
    const description = await control.ask("describe");
    socket.connect(description.stream);
    incarnation = description.incarnation;
    for (const topic of subscribed) expected[topic] = fromStart ? 0 : description.next[topic];
    for (const topic of subscribed) yield* recover(topic, description.next[topic]);
    while (!over) {
      let frames;
      try {
        frames = await socket.receive();
      } catch (error) {
        if (error.code !== "EAGAIN") throw error;
        yield* catchUp();
        continue;
      }
      const message = read(frames);
      if (!message.passedOver) yield* arrived(message);
    }
    yield* catchUp();
  } finally {
    socket.close();
  }
}
