export { array, Control, ControlError, NoAnswer } from "./control.js";
export { follow } from "./follow.js";
export { counts, Message, NAMES, read, recorded, topicFrame, VERSION } from "./messages.js";
