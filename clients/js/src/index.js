export { array, Control, ControlError, NoAnswer } from "./control.js";
export { follow } from "./follow.js";
export { counts, read, topicFrame } from "./messages.js";
