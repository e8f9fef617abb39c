/** What went wrong, in the engine's own words, and is it still wrong? */

import { h } from "./dom.js";

export function problemNote(problem) {
  return h(
    "div",
    { class: "problem", role: "alert" },
    h("strong", {}, problem.title ?? "Something went wrong"),
    h("span", {}, problem.detail ?? problem.message),
  );
}

/** A place that shows one note for each part that fails, and drops it when that part works again. */
export function problemBoard(place) {
  const problems = new Map();
  const draw = () => {
    const byText = new Map([...problems.values()].map((problem) => [`${problem.title}${problem.detail}`, problem]));
    place.replaceChildren(...[...byText.values()].map(problemNote));
  };
  /** Await `work` for `part`; the answer, or null when it failed. */
  return async function attempt(part, work) {
    try {
      const answer = await work();
      if (problems.delete(part)) draw();
      return answer;
    } catch (problem) {
      if (problem.name === "AbortError") return null;
      problems.set(part, problem);
      draw();
      return null;
    }
  };
}
