/** Messages: read from the three frames topic, payload and stamp, with whole names. */

import { decodeMap } from "./codec.js";

/** Version of the protocol. */
export const VERSION = 2;
const PREFIX = `decoderd.${VERSION}.`;

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

/** What every payload has, and what those of each topic have besides: key: [whole name, test]. Other keys are ignored. */
const EVERY = { s: ["session", text], q: ["sequence", count], k: ["tick", count] };
const OWN = {
  tick: {
    d: ["day", count],
    b: ["block", count],
    r: ["trial", count],
    p: ["phase", count],
    t: ["goal", orNull(point)],
    c: ["cursor", list(number, 4)],
    v: ["decoded_velocity", point],
    i: ["intended_velocity", point],
  },
  counts: { c: ["channel", text], n: ["shape", list(count, 2)], e: ["dtype", text], y: ["data", bytes] },
  task: { r: ["trial", count], p: ["phase", count], g: ["target_index", integer], t: ["goal", orNull(point)] },
  trial: {
    d: ["day", integer],
    b: ["block", integer],
    r: ["trial", count],
    g: ["target_index", integer],
    t: ["target", orNull(point)],
    a: ["start_tick", count],
    o: ["go_tick", integer],
    x: ["outcome", text],
    w: ["perturbations", list(text)],
  },
  plasticity: { n: ["updates", count], l: ["loss", number], z: ["change_norm", number], m: ["reason", text] },
  decoder: {
    w: ["source", text],
    x: ["event", text],
    m: ["reason", text],
    f: ["shapes", map(list(integer))],
    u: ["readouts", orNull(list(count))],
  },
  perturbation: { w: ["name", text], x: ["event", text], f: ["config", map(anything)] },
  metrics: { w: ["source", text], d: ["day", count], f: ["values", map(number)] },
  day: {
    d: ["day", integer],
    b: ["block", integer],
    x: ["event", text],
    w: ["block_name", text],
    n: ["trials", count],
    u: ["successes", count],
  },
  health: {
    n: ["ticks", count],
    z: ["wall_s", number],
    l: ["lateness_us", times],
    u: ["duration_us", times],
    m: ["missed_deadlines", count],
    c: ["clipped", count],
  },
  session: { x: ["event", text], i: ["run", count], f: ["first_tick", count], w: ["detail", text] },
};

/**
 * A message. Its fields have whole names, `message.trial` or `message.outcome`: see `NAMES`, and the tables of
 * decoderd/wire/specification/README.md.
 *
 * `payload` is the map with its short keys, `body` its bytes. `incarnation` and `sent_ns` (a BigInt, the sender's
 * monotonic clock) are undefined for a message from the record, which has no stamp.
 */
export class Message {
  constructor(topic, payload, body, stamp) {
    Object.assign(this, { topic, payload, body, incarnation: stamp?.i, sent_ns: stamp?.t });
  }
}

const own = (topic) => Object.entries({ ...EVERY, ...OWN[topic] });

function modelOf(topic) {
  const Model = class extends Message {};
  for (const [key, [name]] of own(topic)) {
    Object.defineProperty(Model.prototype, name, {
      enumerable: true,
      get() {
        return this.payload[key];
      },
    });
  }
  return Model;
}

/** By topic: the key of each whole name, in the order of the wire. */
export const NAMES = Object.fromEntries(
  Object.keys(OWN).map((topic) => [topic, Object.fromEntries(own(topic).map(([key, [name]]) => [name, key]))]),
);
const MODELS = Object.fromEntries(Object.keys(OWN).map((topic) => [topic, modelOf(topic)]));

/** Topics whose messages are one run's own: what was not committed before a crash is lost, and its number used again. */
export const OBSERVED = new Set(["health", "session"]);

/** The frame to subscribe to. Throws RangeError for a topic that does not exist. */
export function topicFrame(name) {
  if (!Object.hasOwn(OWN, name)) throw new RangeError(`topic ${name}: there are ${Object.keys(OWN).join(", ")}`);
  return PREFIX + name;
}

/**
 * A message of `topic` from the bytes of its payload; without `stamp` it is one from the record. Throws if they are not
 * one map; RangeError "keys" if a key is missing or has a wrong type.
 */
export function recorded(topic, body, stamp) {
  const payload = decodeMap(body);
  if (!own(topic).every(([key, [, test]]) => key in payload && test(payload[key]))) throw new RangeError("keys");
  return new MODELS[topic](topic, payload, body, stamp);
}

/**
 * Read a message.
 *
 * @param {Uint8Array[]} frames as they came
 * @returns {Message | {passedOver: string}} what is no message of this version is to be ignored, because of its
 *   `frames`, its `topic`, as `malformed`, or because of its `keys`
 */
export function read(frames) {
  if (frames.length !== 3) return { passedOver: "frames" };
  const [name, body, last] = frames;
  const frame = Buffer.from(name).toString("latin1");
  const topic = frame.slice(PREFIX.length);
  if (!frame.startsWith(PREFIX) || !Object.hasOwn(OWN, topic)) return { passedOver: "topic" };
  try {
    const stamp = decodeMap(last, { useBigInt64: true });
    if (!count(stamp.i) || !(integer(stamp.t) || typeof stamp.t === "bigint")) throw new RangeError("keys");
    return recorded(topic, body, { i: stamp.i, t: BigInt(stamp.t) });
  } catch (error) {
    return { passedOver: error.message === "keys" ? "keys" : "malformed" };
  }
}

/** The rows of a `counts` message, one typed array for each tick. */
export function counts({ shape: [ticks, units], dtype, data }) {
  const Type = { "|u1": Uint8Array, "<u2": Uint16Array, "<f4": Float32Array, "<f8": Float64Array }[dtype];
  const entries = new Type(data.slice().buffer); // a copy is aligned
  return Array.from({ length: ticks }, (_, tick) => entries.subarray(tick * units, (tick + 1) * units));
}
