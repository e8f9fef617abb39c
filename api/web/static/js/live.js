/** How does a page stay current, and say so when it cannot? */

import { get } from "./api.js";
import { byId } from "./dom.js";

const LABELS = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting" };
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 15_000;

function show(state) {
  const place = byId("connection");
  if (place.dataset.state === state) return;
  place.dataset.state = state;
  place.lastElementChild.textContent = LABELS[state];
}

/**
 * Follow an SSE stream: `handlers` by event name get the parsed data.
 *
 * `catchUp` runs at each opening, and when the first attempt fails: what happened between two connections is read,
 * not assumed.
 */
export function follow(path, handlers, catchUp) {
  let retryMs = FIRST_RETRY_MS;
  let caughtUp = false;
  const open = () => {
    const source = new EventSource(path);
    source.onopen = () => {
      retryMs = FIRST_RETRY_MS;
      caughtUp = true;
      show("live");
      catchUp();
    };
    source.onerror = () => {
      show("reconnecting");
      if (!caughtUp) catchUp();
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      get("/summary").catch(() => {}); // whoever is signed out by now is led to sign in
      setTimeout(open, retryMs);
      retryMs = Math.min(2 * retryMs, LAST_RETRY_MS);
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (message) => handle(JSON.parse(message.data)));
    }
  };
  open();
}
