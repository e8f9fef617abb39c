/** How is a measure drawn? As SVG with axes, from numbers alone. */

const WIDTH = 320, HEIGHT = 200, LEFT = 34, BOTTOM = 22, TOP = 8, RIGHT = 8;
const SVG = "http://www.w3.org/2000/svg";

function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

const x = (share) => LEFT + share * (WIDTH - LEFT - RIGHT);
const y = (share) => HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP);

/** Axes with their ticks, [share of the axis, label] each. */
function frame(label, ticksX, ticksY, ...marks) {
  return s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "plot", role: "img", "aria-label": label },
    ...ticksY.map(([at, text]) => s("g", {}, s("line", { class: "grid", x1: x(0), x2: x(1), y1: y(at), y2: y(at) }),
      s("text", { x: LEFT - 5, y: y(at) + 3.5, "text-anchor": "end" }, text))),
    ...ticksX.map(([at, text]) => s("text", { x: x(at), y: HEIGHT - 6, "text-anchor": at === 0 ? "start" : at === 1 ? "end" : "middle" }, text)),
    ...marks);
}

function line(points, kind) {
  return s("polyline", { class: kind, points: points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ") });
}

const TENTHS = [[0, "0"], [0.5, "50 %"], [1, "100 %"]];

/** Predicted against actual share, a dot a tenth, its size the number of predictions. */
export function calibrationPlot(bins) {
  const most = Math.max(1, ...bins.map((bin) => bin.examples));
  const dots = bins.map((bin) => s("circle", { class: "dot", cx: x(bin.predicted), cy: y(bin.actual), r: 2.5 + 5 * Math.sqrt(bin.examples / most) },
    s("title", {}, `predicted ${(100 * bin.predicted).toFixed(1)} %, happened ${(100 * bin.actual).toFixed(1)} %, ${bin.examples} examples`)));
  return frame("Calibration: what was predicted against what happened", TENTHS, TENTHS, line([[0, 0], [1, 1]], "even"), ...dots);
}

/** ROC AUC over stream time, a line a model; the champion's is first. */
export function aucPlot(series) {
  const times = series.flatMap(({ points }) => points.map((point) => Date.parse(point.as_of)));
  if (!times.length) return null;
  const first = Math.min(...times), span = Math.max(1, Math.max(...times) - first);
  const low = 0.4, shareOf = (auc) => Math.min(1, Math.max(0, (auc - low) / (1 - low)));
  const lines = series.map(({ points, champion }) => line(points.filter((point) => point.roc_auc !== null)
    .map((point) => [(Date.parse(point.as_of) - first) / span, shareOf(point.roc_auc)]), champion ? "champion" : "shadow"));
  const day = (time) => new Date(time).toISOString().slice(0, 10);
  return frame("ROC AUC of the last 90 days, over stream time", [[0, day(first)], [1, day(first + span)]],
    [0.5, 0.6, 0.7, 0.8, 0.9, 1].map((auc) => [shareOf(auc), auc.toFixed(1)]), ...lines.reverse());
}

/** How many times the base rate the tenth with the highest predictions has, a bar a model. */
export function liftPlot(models) {
  const known = models.filter(({ lift }) => lift !== null);
  if (!known.length) return null;
  const top = Math.max(2, Math.ceil(Math.max(...known.map(({ lift }) => lift))));
  const width = 1 / known.length;
  const bars = known.map(({ model, lift, champion }, place) => s("g", {},
    s("rect", { class: champion ? "bar champion" : "bar", x: x((place + 0.2) * width), width: x(0.6 * width) - LEFT, y: y(lift / top), height: y(0) - y(lift / top) }, s("title", {}, `${model}: ${lift.toFixed(2)} ×`)),
    s("text", { x: x((place + 0.5) * width), y: HEIGHT - 6, "text-anchor": "middle" }, model)));
  return frame("Lift of the tenth with the highest predictions", [], [[0, "0"], [1 / top, "1 ×"], [1, `${top} ×`]], ...bars);
}
