// What decoderd/wire/specification/vectors says that frames mean.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { decodeMap, encode } from "../src/codec.js";
import { NAMES, read } from "../src/messages.js";

const folder = process.env.DECODERD_VECTORS ?? join(import.meta.dirname, "../../../decoderd/wire/specification/vectors");
const schemas = join(folder, "../schemas");
const vectors = (name) => JSON.parse(readFileSync(join(folder, name), "utf8"));
const framesOf = (vector) => vector.frames.map((hex) => Buffer.from(hex, "hex"));

/** The JSON form of a value: bytes, large integers and what is no number stand as maps. */
function toJson(value) {
  if (value instanceof Uint8Array) return { $hex: Buffer.from(value).toString("hex") };
  if (typeof value === "bigint") {
    return value > 2n ** 53n || value < -(2n ** 53n) ? { $int: value.toString() } : Number(value);
  }
  if (typeof value === "number" && !Number.isFinite(value)) {
    return { $float: Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf" };
  }
  if (Array.isArray(value)) return value.map(toJson);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner)]));
  }
  return value;
}

for (const vector of vectors("messages.json")) {
  test(`message: ${vector.name}`, () => {
    const message = read(framesOf(vector));
    assert.equal(message.topic, vector.topic);
    assert.deepEqual(toJson(message.payload), vector.payload);
    for (const [name, key] of Object.entries(NAMES[vector.topic])) {
      assert.deepEqual(toJson(message[name]), vector.payload[key]);
    }
    const { incarnation: i, sent_ns: t } = message;
    assert.deepEqual(toJson({ i, t }), { i: vector.stamp.i, t: vector.stamp.t });
  });
}

test("whole names are those of the schemas", () => {
  const topics = readdirSync(schemas).filter((file) => file.startsWith("topic."));
  assert.deepEqual(topics.map((file) => file.split(".")[1]).sort(), Object.keys(NAMES).sort());
  for (const [topic, names] of Object.entries(NAMES)) {
    const { properties } = JSON.parse(readFileSync(join(schemas, `topic.${topic}.json`), "utf8"));
    const titles = Object.entries(properties).map(([key, { title }]) => [title, key]);
    assert.deepEqual(Object.entries(names), titles);
  }
});

for (const vector of vectors("messages.invalid.json")) {
  test(`no message: ${vector.name}`, () => {
    assert.equal(read(framesOf(vector)).passedOver, vector.found);
  });
}

for (const who of ["session", "supervisor"]) {
  for (const vector of vectors(`requests.${who}.json`)) {
    test(`request to the ${who}: ${vector.name}`, () => {
      const frame = framesOf(vector).find((one) => one.length > 0);
      const request = decodeMap(frame);
      assert.deepEqual(toJson(request), vector.request);
      assert.deepEqual(toJson(decodeMap(encode(request))), vector.request);
    });
  }
}

for (const vector of vectors("replies.json")) {
  test(`reply: ${vector.name}`, () => {
    const frame = framesOf(vector).find((one) => one.length > 0);
    assert.deepEqual(toJson(decodeMap(frame)), vector.reply);
  });
}
