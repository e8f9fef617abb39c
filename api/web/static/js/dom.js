/** How is an element built so that text stays text, whatever a trait holds? */

/** An element with attributes and children; strings become text nodes, never markup. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Run `draw` once in the next frame, however often it was asked for. */
export function everyFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

/** A definition list of [term, value] pairs; pairs without a value are left out. */
export function facts(pairs, attributes = { class: "facts" }) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", attributes, known.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))));
}

const FRESH_MS = 5000;
const fading = new WeakMap();

/** Mark an element as just changed, for as long as the eye needs. */
export function freshen(element) {
  element.classList.remove("fresh");
  void element.offsetWidth; // restarts the animation
  element.classList.add("fresh");
  clearTimeout(fading.get(element));
  fading.set(element, setTimeout(() => element.classList.remove("fresh"), FRESH_MS));
}
