/** How does this browser forget that somebody signed in? */

import { post } from "./api.js";
import { byId } from "./dom.js";

const EXPIRED = 401; // then nothing is left to forget

const button = byId("sign-out");

button.addEventListener("click", async () => {
  try {
    await post("/sign-out", {});
  } catch (problem) {
    if (problem.status !== EXPIRED) return button.replaceChildren("Not signed out: try again");
  }
  location.replace("/sign-in");
});
button.hidden = false; // from now on it does what it says
