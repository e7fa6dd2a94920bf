// The web socket to the dashboard: asks for a frame, gives what came, connects again when it is lost.

const FIRST_WAIT_MS = 250, LONGEST_WAIT_MS = 4000;

export class Connection {
  // `onReply(object)` gets every message, `onChange(trouble)` why there is no connection; null once there is one.
  constructor(token, onReply, onChange) {
    this.query = token === null ? "" : `?token=${encodeURIComponent(token)}`;
    this.onReply = onReply;
    this.onChange = onChange;
    this.waitMs = FIRST_WAIT_MS;
    this.socket = null;
    // A page that nobody sees needs nothing; it connects again once it is seen.
    document.addEventListener("visibilitychange", () => this.open());
    this.open();
  }

  open() {
    if (document.hidden) {
      this.socket?.close();
    } else if (this.socket === null) {
      this.socket = new WebSocket(`ws://${location.host}/stream${this.query}`);
      this.wasOpen = false;
      this.socket.addEventListener("open", () => {
        this.wasOpen = true;
        this.waitMs = FIRST_WAIT_MS;
        this.onChange(null);
      });
      this.socket.addEventListener("message", (event) => this.onReply(JSON.parse(event.data)));
      this.socket.addEventListener("close", () => this.lost());
    }
  }

  async lost() {
    this.socket = null;
    const trouble = (await this.refusal()) ?? "The dashboard does not answer. It is asked again and again.";
    if (this.socket !== null) return; // the page is seen again, and has connected meanwhile
    this.onChange(document.hidden ? null : trouble);
    if (!document.hidden) {
      setTimeout(() => this.open(), this.waitMs);
      this.waitMs = Math.min(2 * this.waitMs, LONGEST_WAIT_MS);
    }
  }

  // Why a connection is refused: a browser does not say that of a web socket.
  async refusal() {
    if (document.hidden || this.wasOpen) return null;
    try {
      const reply = await fetch(`stream${this.query}`);
      return [403, 421, 503].includes(reply.status) ? `The dashboard refuses: ${await reply.text()}` : null;
    } catch {
      return null;
    }
  }

  // Whether it could be sent.
  send(request) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(request));
    return true;
  }
}
