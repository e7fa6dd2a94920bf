/** Following a stream: every message once and in the order of its topic, whatever the socket dropped. */

import { setTimeout as sleep } from "node:timers/promises";
import { Subscriber } from "zeromq";
import { curve, NoAnswer } from "./control.js";
import { OBSERVED, read, readPayload, topicFrame } from "./messages.js";

const SILENCE_MS = 1000;
const AGAIN_MS = 100;
const PATIENCE_MS = 5000;
const MANY = 1000;

/**
 * The messages of `topics` from now on, or from the session's start, until the session ends.
 *
 * @param {import("./control.js").Control} control of the session
 * @param {string[]} topics
 * @yields {{topic: string, payload: object, body: Uint8Array, stamp?: {i: number, t: bigint}}} without stamp if it was
 *   dropped by the socket and fetched from the record
 * @throws {RangeError} for a topic that there is not, {Error} if messages are lost for good
 */
export async function* follow(control, topics, { fromStart = false } = {}) {
  const wanted = new Set(topics);
  const heard = [...new Set([...topics, "session"])]; // its end has to be heard
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
        yield* take({ topic, payload: readPayload(topic, body), body });
        patience = Date.now() + PATIENCE_MS;
      }
      if (reply.frames.length === 0) {
        if (Date.now() > patience) throw new Error(`${topic} from number ${expected[topic]} is lost`);
        await sleep(AGAIN_MS);
      }
    }
  }

  function* take(message) {
    const { topic, payload } = message;
    if (topic === "session") {
      incarnation = Math.max(incarnation, payload.i);
      over = ["stopped", "done"].includes(payload.x) && payload.i === incarnation;
    }
    if (wanted.has(topic)) yield message;
  }

  async function* arrived(message) {
    const { topic, payload, stamp } = message;
    if (OBSERVED.has(topic) && stamp.i > (newest[topic] ?? 0)) {
      newest[topic] = stamp.i;
      expected[topic] = Math.min(expected[topic], payload.q);
    }
    if (payload.q > expected[topic]) yield* recover(topic, payload.q);
    if (payload.q === expected[topic]) {
      expected[topic] += 1;
      yield* take(message);
    }
  }

  async function* catchUp() {
    try {
      const { next } = await control.ask("describe");
      for (const topic of heard) yield* recover(topic, next[topic]);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error; // it has gone, or is being resumed: the stream will tell
    }
  }

  try {
    socket.subscribe(...heard.map(topicFrame));
    const description = await control.ask("describe");
    socket.connect(description.stream);
    incarnation = description.incarnation;
    for (const topic of heard) expected[topic] = fromStart ? 0 : description.next[topic];
    for (const topic of heard) yield* recover(topic, description.next[topic]);
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
