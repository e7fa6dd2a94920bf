// Prints what it finds in the frames of the test vectors, which `decoderd wire --vectors vectors` writes:
//
//     node examples/dump.js < vectors/frames.txt | diff - vectors/dump.txt
import { readFileSync } from "node:fs";
import { decodeMap } from "../src/codec.js";
import { NAMES, read } from "../src/index.js";

const text = (value) =>
  `"${[...Buffer.from(value)].map((byte) => (byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c ? `\\x${byte.toString(16).padStart(2, "0")}` : String.fromCharCode(byte))).join("")}"`;

function number(value) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Number.isInteger(value) && Math.abs(value) <= 2 ** 53) return String(value);
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return `0x${bytes.toString("hex")}`;
}

function map(pairs) {
  const sorted = [...pairs].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `{${sorted.map(([key, value]) => `${text(key)}: ${any(value)}`).join(", ")}}`;
}

function any(value) {
  if (typeof value === "string") return text(value);
  if (typeof value === "number") return number(value);
  if (value instanceof Uint8Array) return `#${Buffer.from(value).toString("hex")}`;
  if (Array.isArray(value)) return `[${value.map(any).join(", ")}]`;
  if (value !== null && typeof value === "object") return map(Object.entries(value));
  return String(value);
}

function found(line) {
  if (line.startsWith("#")) return line;
  const [what, ...digits] = line.split(" ");
  const frames = digits.map((one) => Buffer.from(one === "-" ? "" : one, "hex"));
  if (what === "map") {
    try {
      return `map ${any(decodeMap(frames.find((frame) => frame.length > 0), { useBigInt64: true }))}`;
    } catch {
      return "malformed";
    }
  }
  const message = read(frames);
  if (message.passedOver) return `ignored: ${message.passedOver}`;
  const fields = map(Object.keys(NAMES[message.topic]).map((name) => [name, message[name]]));
  return `message ${message.topic} ${fields} incarnation ${message.incarnation} sent_ns ${message.sent_ns}`;
}

for (const line of readFileSync(0, "utf8").split("\n").slice(0, -1)) process.stdout.write(`${found(line)}\n`);
