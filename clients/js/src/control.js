/** Control of a session, or of the supervisor: requests and their replies. */

import { randomUUID } from "node:crypto";
import { Dealer } from "zeromq";
import { decodeMap, encode } from "./codec.js";
import { VERSION } from "./messages.js";

/** A request that was answered with an error. `code` says which, `field` is the path to the field at fault, or null. */
export class ControlError extends Error {
  constructor({ code, message, field }) {
    super(message);
    this.name = "ControlError";
    this.code = code;
    this.field = field;
  }
}

/** No answer came in time. */
export class NoAnswer extends Error {
  name = "NoAnswer";
}

const otherVersion = (version) => ({
  code: "bad_version",
  message: `the service speaks version ${version} of the protocol and this client version ${VERSION}: use the client that comes with the service`,
  field: "v",
});

// A session that is being prepared is asked again for what changes nothing, and to join.
const ASKED_AGAIN = new Set(["describe", "get_decoder", "missed", "join"]);

/** The socket options of a client's keys: `{ serverKey, publicKey, secretKey }`, Z85 text each. */
export const curve = (keys) =>
  keys ? { curveServerKey: keys.serverKey, curvePublicKey: keys.publicKey, curveSecretKey: keys.secretKey } : {};

export class Control {
  #socket;
  #turn = Promise.resolve();

  /** Of the service at `endpoint`. A request is sent `attempts` times, under one id, and waits `timeoutMs` each time. */
  constructor(endpoint, { timeoutMs = 5000, attempts = 3, keys } = {}) {
    Object.assign(this, { endpoint, timeoutMs, attempts, keys });
    this.#socket = new Dealer({ linger: 0, sendTimeout: timeoutMs, receiveTimeout: timeoutMs, ...curve(keys) });
    this.#socket.connect(endpoint);
  }

  /**
   * Ask for an operation; requests of one Control take turns. Resolves to the reply's map with `frames`, its arrays or
   * messages. Rejects with ControlError, or with NoAnswer.
   */
  ask(op, fields = {}) {
    const asked = this.#turn.then(() => this.#persist(op, fields));
    this.#turn = asked.catch(() => {});
    return asked;
  }

  async #persist(op, fields) {
    for (const until = Date.now() + this.attempts * this.timeoutMs; ; ) {
      try {
        return await this.#exchange({ v: VERSION, id: randomUUID(), op, ...fields });
      } catch (error) {
        if (error.code !== "busy" || !ASKED_AGAIN.has(op) || fields.session || Date.now() > until) throw error;
      }
    }
  }

  async #exchange(request) {
    const frame = encode(request);
    for (let attempt = 0; attempt < this.attempts; attempt += 1) {
      try {
        await this.#socket.send(frame);
        for (;;) {
          const [head, ...frames] = await this.#socket.receive();
          const reply = decodeMap(head);
          if (reply.id !== request.id) continue; // to a request that was given up
          if (reply.v !== VERSION) throw new ControlError(otherVersion(reply.v));
          if (!reply.ok) throw new ControlError(reply.error);
          return { ...reply, frames };
        }
      } catch (error) {
        if (error.code !== "EAGAIN") throw error;
      }
    }
    throw new NoAnswer(`${this.endpoint} did not answer to ${request.op}`);
  }

  close() {
    this.#socket.close();
  }
}

/** An array of a reply: its shape and numbers, row by row. */
export function array(reply, { shape, frame }) {
  return { shape, data: new Float64Array(Uint8Array.from(reply.frames[frame]).buffer) };
}
