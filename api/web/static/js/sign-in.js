/** Is this the engine's key? If so, where to from here? */

import { post } from "./api.js";
import { byId } from "./dom.js";
import { problemNote } from "./problem.js";

const form = byId("sign-in");
const input = byId("key");
const button = form.querySelector("button");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    await post("/sign-in", { key: input.value.trim() });
    const { following } = form.dataset; // with the fragment, which only the browser knows: a statement may be in it
    location.replace(following.includes("#") ? following : following + location.hash);
  } catch (problem) {
    byId("problem").replaceChildren(problemNote({ title: "Not signed in", detail: problem.detail || problem.title }));
    input.setAttribute("aria-invalid", "true");
    input.select();
    input.focus();
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
});

input.addEventListener("input", () => input.removeAttribute("aria-invalid"));
