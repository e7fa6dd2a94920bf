/** Maps to bytes and back. */

import { decode, encode as pack } from "@msgpack/msgpack";

const KEYS = {
  mapKeyConverter(key) {
    if (typeof key !== "string") throw new RangeError(`a key is text, not ${typeof key}`);
    return key;
  },
};

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
  return map;
}
