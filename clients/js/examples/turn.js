// Turns the cursor for five trials, then back: node examples/turn.js tcp://127.0.0.1:PORT
import { Control, ControlError, follow } from "../src/index.js";

const control = new Control(process.argv[2]);
const perturbation = { name: "turned-by-js", kind: "rotation", site: "cursor", angle_rad: 0.8 };
const { tick } = await control.ask("input", { input: { op: "perturb", perturbation } });
console.log(`on at tick ${tick}`);
try {
  await control.ask("input", { input: { op: "perturb", perturbation: { ...perturbation, angle_rad: 1 } } });
} catch (error) {
  if (!(error instanceof ControlError)) throw error;
  console.log(`${error.code}: ${error.message}`); // the name is taken
}
let trials = 0;
for await (const { trial, outcome } of follow(control, ["trial"])) {
  console.log(`trial ${trial}: ${outcome}`);
  trials += 1;
  if (trials === 5) break;
}
const removed = await control.ask("input", { input: { op: "unperturb", name: perturbation.name } });
console.log(`off at tick ${removed.tick}`);
control.close();
