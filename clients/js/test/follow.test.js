// Gaps, doubles and a resumed session, against a small service of our own.
import assert from "node:assert/strict";
import test from "node:test";
import { Router, XPublisher } from "zeromq";
import { decodeMap, encode } from "../src/codec.js";
import { Control, ControlError, follow, NoAnswer } from "../src/index.js";

const trial = (q) => ({ s: "x", q, k: 10 * q, d: 1, b: 1, r: q + 1, g: 0, t: [0, 0.07], a: 0, o: 1, x: "success", w: [] });
const session = (q, x, i) => ({ s: "x", q, k: 0, x, i, f: 0, w: "" });

/**
 * A service whose record is `trials`; `publish` sends what it likes, `subscribed(n)` waits for so many subscriptions.
 * Ends with the test.
 */
async function service(t, trials, sessions) {
  const stream = new XPublisher({ linger: 0 });
  const router = new Router({ linger: 0 });
  await stream.bind("tcp://127.0.0.1:*");
  await router.bind("tcp://127.0.0.1:*");
  const asked = [];
  (async () => {
    for await (const [who, frame] of router) {
      const request = decodeMap(frame);
      asked.push(request);
      const kept = { trial: trials, session: sessions };
      if (request.op === "describe") {
        const next = Object.fromEntries(Object.entries(kept).map(([topic, all]) => [topic, all.length]));
        const reply = { incarnation: 1, stream: stream.lastEndpoint, next };
        await router.send([who, encode({ v: 2, id: request.id, ok: true, ...reply })]);
      } else if (request.op === "missed") {
        const found = kept[request.topic].slice(request.first, request.first + Math.min(request.count, 2));
        await router.send([who, encode({ v: 2, id: request.id, ok: true }), ...found.map((one) => encode(one))]);
      } else if (request.op === "old") {
        await router.send([who, encode({ v: 1, id: request.id, ok: false, error: { code: "bad_version" } })]);
      } else if (request.op === "refuse") {
        const error = { code: "invalid", message: "no", field: "input.velocity" };
        await router.send([who, encode({ v: 2, id: request.id, ok: false, error })]);
      }
    }
  })().catch(() => {});
  const control = new Control(router.lastEndpoint, { timeoutMs: 20_000 });
  t.after(() => [control, stream, router].forEach((one) => one.close()));
  const publish = (topic, payload, i = 1) => stream.send([`decoderd.2.${topic}`, encode(payload), encode({ i, t: 5 })]);
  const subscribed = async (topics) => {
    for (let n = 0; n < topics; n += 1) await stream.receive();
  };
  return { control, publish, subscribed, asked };
}

test("gaps are filled, doubles left out, in order", async (t) => {
  const trials = [0, 1, 2, 3, 4, 5, 6].map(trial);
  const recorded = trials.slice(0, 2);
  const sessions = [session(0, "began", 1)];
  const { control, publish, subscribed } = await service(t, recorded, sessions);
  const got = [];
  const reading = (async () => {
    for await (const { topic, sequence } of follow(control, ["trial"], { fromStart: true })) got.push([topic, sequence]);
  })();
  await subscribed(2); // trial and session
  recorded.push(...trials.slice(2));
  await publish("trial", trials[1]); // a double
  await publish("trial", trials[5]); // 2, 3 and 4 were dropped
  await publish("trial", trials[5]);
  await publish("trial", { q: 6 }); // no trial
  sessions.push(session(1, "done", 1));
  await publish("session", sessions[1]); // 6 was dropped at the very end
  await reading;
  assert.deepEqual(got, [0, 1, 2, 3, 4, 5, 6].map((q) => ["trial", q]));
});

test("after a crash numbers of `session` are given anew, and an earlier stop ends nothing", async (t) => {
  const sessions = [session(0, "began", 1), session(1, "stopped", 1)];
  const { control, publish, subscribed } = await service(t, [], sessions);
  const got = [];
  const reading = (async () => {
    for await (const { event, run } of follow(control, ["session"])) got.push(`${event} ${run}`);
  })();
  await subscribed(1);
  sessions[1] = session(1, "resumed", 2);
  await publish("session", sessions[1], 2);
  await publish("session", session(1, "stopped", 1), 1);
  sessions.push(session(2, "done", 2));
  await publish("session", sessions[2], 2);
  await reading;
  assert.deepEqual(got, ["resumed 2", "done 2"]);
});

test("errors are typed, and silence is noticed", async (t) => {
  const { control, asked } = await service(t, [], []);
  await assert.rejects(control.ask("refuse"), (error) => {
    assert.ok(error instanceof ControlError);
    assert.deepEqual([error.code, error.field], ["invalid", "input.velocity"]);
    return true;
  });
  await assert.rejects(control.ask("old"), {
    code: "bad_version",
    message:
      "the service speaks version 1 of the protocol and this client version 2: use the client that comes with the service",
  });
  const impatient = new Control(control.endpoint, { timeoutMs: 200, attempts: 2 });
  t.after(() => impatient.close());
  await assert.rejects(impatient.ask("nothing"), NoAnswer);
  const sent = asked.filter(({ op }) => op === "nothing");
  assert.equal(sent.length, 2);
  assert.equal(sent[0].id, sent[1].id); // asked again under the same id
  await assert.rejects(follow(control, ["tock"]).next(), RangeError);
});
