/** Maps to bytes and back. */

import { decode, encode as pack } from "@msgpack/msgpack";

const KEYS = {
  mapKeyConverter(key) {
    if (typeof key !== "string") throw new RangeError(`a key is text, not ${typeof key}`);
    return key;
  },
};

/** The library reads text that is not UTF-8 as something else; so it is compared with its bytes, as `raw` has them. */
function isAsSent(value, raw) {
  if (typeof value === "string") return Buffer.from(value).equals(raw);
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return true;
  return Object.keys(value).every((key) => isAsSent(value[key], raw[key]));
}

/** The bytes of a map. */
export const encode = (map) => Buffer.from(pack(map));

/**
 * One map from its bytes. 64-bit integers become numbers, which are exact below 2^53; with `{ useBigInt64: true }`
 * they become BigInt. Throws RangeError or a DecodeError if the bytes are not one map with text keys and nothing more.
 */
export function decodeMap(bytes, options = {}) {
  const map = decode(bytes, { ...KEYS, ...options });
  if (map === null || typeof map !== "object" || Array.isArray(map) || ArrayBuffer.isView(map)) {
    throw new RangeError("not a map");
  }
  if (!isAsSent(map, decode(bytes, { ...KEYS, rawStrings: true }))) throw new RangeError("text that is not UTF-8");
  return map;
}
