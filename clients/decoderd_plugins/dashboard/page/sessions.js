// The list of sessions with their states, as buttons.

const list = document.getElementById("sessions");
let shown = "";

// `onChoice(name)` is called with the session that was chosen. Where nothing has changed nothing is: a button keeps its
// focus.
export function showSessions(sessions, current, onChoice) {
  const text = JSON.stringify([sessions, current]);
  if (text === shown) return;
  shown = text;
  const focused = document.activeElement?.dataset?.session;
  list.replaceChildren(...sessions.map((one) => item(one, current, onChoice)));
  if (focused !== undefined) list.querySelector(`[data-session="${CSS.escape(focused)}"]`)?.focus();
}

function item(one, current, onChoice) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.session = one.session;
  button.textContent = `${one.session}: ${one.state}`;
  if (one.session === current) button.setAttribute("aria-current", "true");
  if (one.why) button.title = one.why;
  button.addEventListener("click", () => onChoice(one.session));
  const element = document.createElement("li");
  element.append(button);
  return element;
}
