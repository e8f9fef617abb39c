/** Is it still at work, for how long, and can it be stopped? */

import { h } from "./dom.js";
import { number } from "./format.js";

const TICK_MS = 1000;

/** Tells in `place` how long a request has been running, with a button that stops it. */
export function progress(place) {
  let request = null, timer = 0;
  return {
    /** Begin, and end what ran before; the signal of the request. */
    start() {
      request?.abort();
      clearInterval(timer);
      request = new AbortController();
      const { signal } = request, began = Date.now();
      const seconds = h("span", { "aria-hidden": "true" });
      const button = h("button", { type: "button", class: "more" }, "Stop");
      button.addEventListener("click", () => signal.aborted || request.abort());
      place.replaceChildren("Running… ", seconds, " ", button);
      timer = setInterval(() => seconds.replaceChildren(`${number(Math.round((Date.now() - began) / 1000))} s`), TICK_MS);
      return signal;
    },

    /** End; whether that request is still the one that counts. */
    stop(signal) {
      if (request?.signal !== signal) return false;
      clearInterval(timer);
      place.textContent = signal.aborted ? "Stopped" : "";
      return true;
    },
  };
}
