/** Where is an answer drawn, in which colours, and what does it say to those who cannot see it? */

import { optionOf } from "./chart-options.js";
import { h } from "./dom.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const less = matchMedia("(prefers-reduced-motion: reduce)");
const STAGES = ["prospect", "new", "active", "won_back", "at_risk", "dormant", "churned"];
const SERIES = 8;
let drawn = null; // {chart, answer, place}

/** What the stylesheet says a chart looks like, as it is now. */
function look() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: colour("ink"), muted: colour("pico-muted-color"), line: colour("line"), panel: colour("panel"), bad: colour("bad"),
    heat: [colour("heat-low"), colour("heat-middle"), colour("heat")], heatInk: colour("heat-ink"), heatInkStrong: colour("heat-ink-strong"),
    palette: Array.from({ length: SERIES }, (_, place) => colour(`series-${place + 1}`)),
    stages: Object.fromEntries(STAGES.map((stage) => [stage, colour(`stage-${stage}`)])),
    font: getComputedStyle(document.body).fontFamily, animation: !less.matches,
  };
}

function redraw() {
  if (!drawn) return;
  const { option } = optionOf(drawn.answer, look(), drawn.place.clientWidth);
  drawn.chart.setOption(option, true);
}

/** Draw an answer that has a chart; ECharts is read when the first one is drawn. */
export async function drawChart(figure, answer) {
  drawn?.chart.dispose();
  drawn = null;
  figure.hidden = !answer.chart || !answer.rows.length;
  if (figure.hidden) return figure.replaceChildren();
  const { option, height, says, leftOut } = optionOf(answer, look(), figure.clientWidth);
  if (!option) return figure.replaceChildren(h("figcaption", { class: "quiet" }, leftOut));
  const place = h("div", { role: "img", "aria-label": `${says}. The table below has the same numbers.`, "data-kind": answer.chart.kind });
  place.style.height = `${height}px`;
  figure.replaceChildren(place, ...(leftOut ? [h("figcaption", { class: "quiet" }, leftOut)] : []));
  const echarts = await import("../vendor/echarts/echarts.esm.min.js");
  if (!place.isConnected) return; // another answer came meanwhile
  const chart = echarts.init(place, null, { renderer: "canvas" });
  chart.setOption(option);
  drawn = { chart, answer, place };
  const watch = new ResizeObserver(() => chart.isDisposed() ? watch.disconnect() : chart.resize());
  watch.observe(place);
}

dark.addEventListener("change", redraw);
less.addEventListener("change", redraw);
