/** The three frames of a message: topic, payload, stamp. */

import { decodeMap } from "./codec.js";

const PREFIX = "decoderd.2.";

const number = (x) => typeof x === "number";
const integer = Number.isInteger;
const count = (x) => integer(x) && x >= 0;
const text = (x) => typeof x === "string";
const list = (of, length) => (x) => Array.isArray(x) && (length === undefined || x.length === length) && x.every(of);
const orNull = (of) => (x) => x === null || of(x);
const map = (of) => (x) => x !== null && typeof x === "object" && !Array.isArray(x) && Object.values(x).every(of);
const anything = () => true;
const bytes = (x) => x instanceof Uint8Array;
const point = list(number, 2);
const times = orNull(list(number, 3));

/** What every payload has, and what those of each topic have besides: key -> test. Other keys are passed over. */
const EVERY = { s: text, q: count, k: count };
const TOPICS = {
  tick: { d: count, b: count, r: count, p: count, t: orNull(point), c: list(number, 4), v: point, i: point },
  counts: { c: text, n: list(count, 2), e: text, y: bytes },
  task: { r: count, p: count, g: integer, t: orNull(point) },
  trial: { d: integer, b: integer, r: count, g: integer, t: orNull(point), a: count, o: integer, x: text, w: list(text) },
  plasticity: { n: count, l: number, z: number },
  decoder: { f: map(list(integer)) },
  perturbation: { w: text, x: text, f: map(anything) },
  metrics: { w: text, d: count, f: map(number) },
  day: { d: integer, b: integer, x: text, w: text, n: count, u: count },
  health: { n: count, z: number, l: times, u: times, m: count },
  session: { x: text, i: count, f: count, w: text },
};

/** Topics whose messages are one run's own: what was not committed before a crash is lost, and its number used again. */
export const OBSERVED = new Set(["health", "session"]);

/** The frame to subscribe to. Throws RangeError for a topic that there is not. */
export function topicFrame(name) {
  if (!Object.hasOwn(TOPICS, name)) throw new RangeError(`topic ${name}: there are ${Object.keys(TOPICS).join(", ")}`);
  return PREFIX + name;
}

const has = (found, wanted) => Object.entries(wanted).every(([key, test]) => key in found && test(found[key]));

/** A payload of `topic` from its bytes. Throws if they are not one map; RangeError "keys" if something is missing. */
export function readPayload(topic, body) {
  const payload = decodeMap(body);
  if (!has(payload, EVERY) || !has(payload, TOPICS[topic])) throw new RangeError("keys");
  return payload;
}

/**
 * Read a message.
 *
 * @param {Uint8Array[]} frames as they came
 * @returns {{topic: string, payload: object, stamp: {i: number, t: bigint}, body: Uint8Array} | {passedOver: string}}
 *   `body` holds the bytes of the payload; `stamp.t` is the sender's monotonic clock in ns. What is no message of this
 *   version is to be passed over, because of its `frames`, its `topic`, as `malformed`, or because of its `keys`.
 */
export function read(frames) {
  if (frames.length !== 3) return { passedOver: "frames" };
  const [name, body, last] = frames;
  const topic = Buffer.from(name).toString("latin1");
  if (!topic.startsWith(PREFIX) || !Object.hasOwn(TOPICS, topic.slice(PREFIX.length))) return { passedOver: "topic" };
  try {
    const stamp = decodeMap(last, { useBigInt64: true });
    const payload = readPayload(topic.slice(PREFIX.length), body);
    if (!count(stamp.i) || !(integer(stamp.t) || typeof stamp.t === "bigint")) return { passedOver: "keys" };
    return { topic: topic.slice(PREFIX.length), payload, stamp: { i: stamp.i, t: BigInt(stamp.t) }, body };
  } catch (error) {
    return { passedOver: error.message === "keys" ? "keys" : "malformed" };
  }
}

/** The rows of a `counts` payload, one typed array a tick. */
export function counts({ n: [ticks, units], e, y }) {
  const Type = { "|u1": Uint8Array, "<u2": Uint16Array, "<f4": Float32Array, "<f8": Float64Array }[e];
  const entries = new Type(y.slice().buffer); // a copy is aligned
  return Array.from({ length: ticks }, (_, tick) => entries.subarray(tick * units, (tick + 1) * units));
}
