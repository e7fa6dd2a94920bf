// Buttons and forms that change the session, where the dashboard may.

import { button } from "./elements.js";

const STATES = { pause: ["running", "waiting"], resume: ["paused", "stopped", "failed"] };

export class Controls {
  // `send(request)` sends a request about the session that is shown; whether it could.
  constructor(send, announcer) {
    this.send = send;
    this.announcer = announcer;
    this.section = document.getElementById("controls");
    this.said = document.getElementById("control-said");
    this.asked = new Map();
    this.number = 0;
    this.may = false;
    for (const op of ["pause", "resume"]) document.getElementById(op).addEventListener("click", () => this.ask({ op }));
    this.template = document.getElementById("template");
    this.fields = document.getElementById("fields");
    this.template.addEventListener("change", () => (this.fields.value = this.templates[this.template.value]));
    document.getElementById("perturb").addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask({ op: "perturb", fields: this.fields.value });
    });
    const weight = document.getElementById("weight"), shown = document.getElementById("weight-shown");
    weight.addEventListener("input", () => (shown.textContent = weight.value));
    document.getElementById("assist").addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask({ op: "assist", weight: Number(weight.value) });
    });
  }

  ask(request) {
    this.number += 1;
    this.asked.set(this.number, request);
    const sent = this.send({ ...request, number: this.number });
    this.say(sent ? `${request.op}: asked for; it is carried out at the next tick.` : "The dashboard does not answer.");
  }

  receive(reply) {
    if (reply.op === "may") this.begin(reply);
    if (reply.op === "done" || reply.op === "refused") {
      const request = this.asked.get(reply.number);
      this.asked.delete(reply.number);
      this.say(`${request?.op ?? ""}: ${reply.text}`, reply.op === "refused");
    }
    if (reply.op === "invalid") this.say(reply.text, true);
  }

  // What the dashboard may, as it says when a tab connects.
  begin({ control, templates }) {
    this.may = control;
    this.section.hidden = !control;
    if (this.templates !== undefined) return;
    this.templates = templates;
    for (const name of Object.keys(templates)) this.template.append(new Option(name));
    this.fields.value = Object.values(templates)[0] ?? "";
  }

  show(session, listed) {
    for (const [op, states] of Object.entries(STATES)) {
      document.getElementById(op).disabled = !states.includes(listed?.state);
    }
  }

  // A button that removes a perturbation.
  removal(name) {
    const made = button("Remove", () => this.ask({ op: "unperturb", name }));
    made.setAttribute("aria-label", `Remove ${name}`);
    return made;
  }

  say(text, wrong = false) {
    this.said.textContent = text;
    this.said.classList.toggle("wrong", wrong);
  }
}
