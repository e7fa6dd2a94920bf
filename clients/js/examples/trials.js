// Prints every trial of a session as it ends: node examples/trials.js tcp://127.0.0.1:PORT (the session's control)
import { Control, follow } from "../src/index.js";

const control = new Control(process.argv[2]);
for await (const { trial, outcome, perturbations } of follow(control, ["trial"])) {
  console.log(`trial ${trial}: ${outcome}${perturbations.length ? ` (${perturbations.join(", ")})` : ""}`);
}
control.close();
