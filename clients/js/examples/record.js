// Writes every message of the topics named as a line "topic payload-in-hex", from the session's start to its end:
// node examples/record.js tcp://127.0.0.1:PORT tick trial ...
import { Control, follow } from "../src/index.js";

const [endpoint, ...topics] = process.argv.slice(2);
const control = new Control(endpoint);
for await (const { topic, body } of follow(control, topics, { fromStart: true })) {
  process.stdout.write(`${topic} ${Buffer.from(body).toString("hex")}\n`);
}
control.close();
