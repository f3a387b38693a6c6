// Turn the knobs: a batch of 80 values through shift, scale, γ, β, ε and an activation.

import { change, circle, line, num, path, rect, tag, words } from "./kit.mjs";
import { batchNorm, mean, variance } from "./norms.mjs";

export const title = "Turn the knobs";
export const size = [360, 366];

// Skewed on purpose, so that one sees that the shape stays: mean 0, variance 1.
const VALUES = [
  -2.12, -1.9, -1.54, -1.46, -1.45, -1.42, -1.2, -1.17, -1.14, -1.13, -1.13, -1.1, -1.04, -0.99,
  -0.99, -0.95, -0.9, -0.87, -0.84, -0.8, -0.74, -0.65, -0.6, -0.56, -0.56, -0.56, -0.54, -0.52,
  -0.5, -0.47, -0.36, -0.34, -0.3, -0.2, -0.14, -0.12, -0.06, -0.02, 0.01, 0.02, 0.03, 0.04, 0.05,
  0.06, 0.13, 0.15, 0.19, 0.21, 0.25, 0.28, 0.33, 0.34, 0.36, 0.36, 0.44, 0.44, 0.46, 0.48, 0.51,
  0.57, 0.63, 0.63, 0.72, 0.8, 0.84, 0.91, 0.91, 0.92, 0.93, 1.04, 1.05, 1.2, 1.21, 1.26, 1.27,
  1.28, 1.93, 2.23, 2.55, 3.39,
];

// What a unit answers, its slope, and the largest slope.
const sigmoid = (z) => 1 / (1 + Math.exp(-z));
const UNITS = {
  sigmoid: [sigmoid, (z) => sigmoid(z) * (1 - sigmoid(z)), 0.25],
  tanh: [Math.tanh, (z) => 1 - Math.tanh(z) ** 2, 1],
  ReLU: [(z) => Math.max(z, 0), (z) => (z > 0 ? 1 : 0), 1],
};

export const start = {
  shift: 4,
  scale: 0.3,
  gamma: 1,
  beta: 0,
  eps: -5,
  unit: "sigmoid",
};

/** Saturated: less than a tenth of the largest slope is left of a gradient. */
function saturated(z, [, slope, steepest]) {
  return slope(z) < steepest / 10;
}

/** Compute what is drawn. */
export function numbers(state) {
  const unit = UNITS[state.unit];
  const x = VALUES.map((value) => state.shift + 10 ** state.scale * value);
  const { y, mean: center, var: spread } = batchNorm(x, state.gamma, state.beta, 10 ** state.eps);
  const share = (values) => mean(values.map((z) => (saturated(z, unit) ? 1 : 0)));
  return {
    x,
    y,
    mean: center,
    std: Math.sqrt(spread),
    outMean: mean(y),
    outStd: Math.sqrt(variance(y)),
    answers: y.map((z) => unit[0](z)),
    saturated: share(y),
    without: share(x),
  };
}

const power = (exponent) => {
  const value = 10 ** exponent;
  return value < 0.001 ? value.toExponential(1).replace(".0", "").replace("-", "−") : String(Number(value.toPrecision(2)));
};

export const controls = [
  { kind: "range", key: "shift", label: "Input: shift", min: -6, max: 6, step: 0.1, show: (v) => change(v, 1) },
  { kind: "range", key: "scale", label: "Input: scale", min: -4, max: 0.5, step: 0.05, show: (v) => `× ${power(v)}` },
  { kind: "range", key: "gamma", label: "γ", min: -2.5, max: 2.5, step: 0.1, show: (v) => num(v, 1) },
  { kind: "range", key: "beta", label: "β", min: -3, max: 3, step: 0.1, show: (v) => num(v, 1) },
  { kind: "range", key: "eps", label: "ε", min: -8, max: 0, step: 0.5, show: power },
  {
    kind: "choice",
    key: "unit",
    label: "Activation",
    options: [
      ["sigmoid", "sigmoid"],
      ["tanh", "tanh"],
      ["ReLU", "ReLU"],
    ],
  },
];

const LEFT = 12;
const WIDTH = 336;

/** Return the place of a value on an axis from −end to end. */
const across = (value, end) => LEFT + ((value + end) / (2 * end)) * WIDTH;

/** A histogram whose highest bar is 62 high, with its ruler. */
function histogram(values, end, base, cls) {
  const bins = end * 2;
  const counts = Array(bins).fill(0);
  values.forEach((value) => (counts[Math.floor(((value + end) / (2 * end)) * bins)] += 1));
  const most = Math.max(...counts);
  const width = WIDTH / bins;
  const bars = counts.map((count, i) => {
    const high = (count / most) * 62;
    return count ? rect(LEFT + i * width + 0.5, base - high, width - 1, high, cls) : "";
  });
  return [bars, line(LEFT, base, LEFT + WIDTH, base, "bn-axis"), ruler(end, base)];
}

function ruler(end, base) {
  const step = end > 14 ? 5 : 4;
  const marks = [];
  for (let at = -Math.floor(end / step) * step; at <= end; at += step)
    marks.push(words(across(at, end), base + 13, num(at, 0), "middle", "bn-small"));
  return marks;
}

/** Shade where a unit is saturated; each of them is so on one or both sides of 0. */
function flatParts(unit) {
  const inside = Array.from({ length: 241 }, (_, i) => i / 10 - 12).filter((z) => !saturated(z, unit));
  const [from, to] = [across(inside[0], 12), across(inside.at(-1), 12)];
  const right = LEFT + WIDTH;
  return [
    rect(LEFT, 252, from - LEFT, 92, "bn-band"),
    to < right - 1 ? rect(to, 252, right - to, 92, "bn-band") : "",
  ];
}

export function draw(state) {
  const now = numbers(state);
  const [answer] = UNITS[state.unit];
  const low = state.unit === "tanh" ? -1 : 0;
  const high = state.unit === "ReLU" ? 6 : 1;
  const up = (value) => 336 - ((Math.min(value, high) - low) / (high - low)) * 78;
  const places = Array.from({ length: 97 }, (_, i) => i / 4 - 12);
  const points = places.map((z) => `${across(z, 12).toFixed(1)} ${up(answer(z)).toFixed(1)}`);
  return [
    words(8, 14, "x: the input of the layer", "start", "bn-head"),
    histogram(now.x, 17, 92, "bn-gray"),
    words(8, 130, "y: the output, γ x̂ + β", "start", "bn-head"),
    histogram(now.y, 12, 208, "bn-blue"),
    words(8, 245, `${state.unit} of y; shaded: saturated`, "start", "bn-head"),
    flatParts(UNITS[state.unit]),
    tag("path", { d: `M${points.join("L")}`, class: "bn-curve-gray" }),
    now.y.map((z) =>
      circle(across(z, 12), up(answer(z)), 3.2, saturated(z, UNITS[state.unit]) ? "bn-orange" : "bn-blue"),
    ),
    line(LEFT, 344, LEFT + WIDTH, 344, "bn-axis"),
    ruler(12, 344),
    path(`M${across(0, 12)} 112V208`, "bn-hair"),
    path(`M${across(0, 12)} 252V344`, "bn-hair"),
  ]
    .flat(9)
    .join("");
}

export function say(state) {
  const now = numbers(state);
  const small = now.std < 0.095 ? 4 : 2;
  const what = state.unit === "ReLU" ? "is 0" : "is saturated";
  const percent = (share) => `${num(100 * share, 0)}%`;
  return (
    `The input has mean ${num(now.mean, 1)} and standard deviation ${num(now.std, small)}; ` +
    `with ε = ${power(state.eps)} the output has ${num(now.outMean, 1)} and ${num(now.outStd)}. ` +
    `The ${state.unit} ${what} for ${percent(now.saturated)} of the values; ` +
    `without the layer it would be for ${percent(now.without)}.`
  );
}
