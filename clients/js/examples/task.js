// A task program: centre-out reaching with targets that this program sets, for a session with the task `external`.
//
//     decoderd run outside.toml --serve --speed lockstep --participant task=tick --out runs/outside
//     node examples/task.js tcp://127.0.0.1:PORT          (the control endpoint that it prints)
//
// It takes part in lockstep as `task`: every tick waits for it, so the session is as repeatable as one without it.
import { Control, ControlError, recorded } from "../src/index.js";

const TARGETS = 8, DISTANCE_M = 0.06, RADIUS_M = 0.02;
const HOLD_TICKS = 5, TIMEOUT_TICKS = 300, REST_TICKS = 20;
const ENDS = ["done", "stopped", "failed"];

const control = new Control(process.argv[2]);
let { tick: until } = await control.ask("describe"); // ticks granted since the session began
let cursor;
let over = false;

/** Grant one more tick, with inputs, and wait until it is over. */
async function step(...inputs) {
  if (over) return;
  until += 1;
  try {
    const reply = await control.ask("grant", { participant: "task", until, inputs, want: ["tick", "trial"] });
    for (const { message } of reply.refused) console.error(`refused: ${message}`);
    for (const [place, topic] of reply.topics.entries()) {
      const message = recorded(topic, reply.frames[place]);
      if (topic === "tick") cursor = message.cursor;
      else console.log(`trial ${message.trial}: ${message.outcome}`);
    }
    over = ENDS.includes(reply.state);
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== "over") throw error;
    over = true;
  }
}

/** Rest, reach, hold. */
async function runTrial(trial) {
  const index = trial % TARGETS;
  const angle = (2 * Math.PI * index) / TARGETS;
  const target = [DISTANCE_M * Math.cos(angle), DISTANCE_M * Math.sin(angle)];
  for (let tick = 0; tick < REST_TICKS; tick += 1) await step();
  await step({ op: "task", event: "start" }, { op: "task", event: "go", target, radius_m: RADIUS_M, index });
  let held = 0;
  for (let waited = 0; held < HOLD_TICKS && waited < TIMEOUT_TICKS && !over; waited += 1) {
    held = Math.hypot(cursor[0] - target[0], cursor[1] - target[1]) < RADIUS_M ? held + 1 : 0;
    await step();
  }
  await step({ op: "task", event: "end", outcome: held >= HOLD_TICKS ? "success" : "reach_timeout" });
}

await step();
for (let trial = 0; !over; trial += 1) await runTrial(trial);
control.close();
