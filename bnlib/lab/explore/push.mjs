// Push a point, move its mates: eight values, their outputs, the gradient of a loss.

import { bar, change, handle, line, num, path, rect, words } from "./kit.mjs";
import { backward, batchNorm, dot, mean, sum } from "./norms.mjs";

export const title = "Push a point, move its mates";
export const size = [360, 344];
const EPS = 1e-5;
const FIRST = [3, 3.6, 2.5, 1.2, 2.1, 1, 3.1, 5.7];
const TARGET = [-0.5, -0.6, 0.5, 0.4, 0.1, -0.9, 0, 0.7];
const MIN = -4;
const MAX = 10;
const REST = { all: 0, stretch: 100 };

// Value 4 was pushed up, so that there is something to see before anyone drags.
export const start = {
  x: FIRST.map((value, i) => (i === 3 ? 7.2 : value)),
  ...REST,
  from: FIRST,
  last: "x3",
};

/** Return the eight values: dragged one by one, then pushed together. */
export function values({ x, all, stretch }) {
  const center = mean(x);
  return x.map((value) => center + (stretch / 100) * (value - center) + all);
}

function loss(xHat) {
  return mean(xHat.map((value, i) => (value - TARGET[i]) ** 2));
}

/** Compute what is drawn. */
export function numbers(state) {
  const x = values(state);
  const now = batchNorm(x, 1, 0, EPS);
  const before = batchNorm(state.from, 1, 0, EPS);
  const upstream = now.y.map((value, i) => (2 * (value - TARGET[i])) / x.length);
  const gradient = backward(upstream, now).dX;
  return {
    x,
    y: now.y,
    before: before.y,
    mean: now.mean,
    std: Math.sqrt(now.var),
    loss: loss(now.y),
    lossBefore: loss(before.y),
    gradient,
    sum: sum(gradient),
    along: dot(gradient, now.xHat),
  };
}

/** A new hand on something: what was there becomes the outline. */
function touched(state, key) {
  return state.last === key ? state.from : values(state);
}

export function set(state, key, value) {
  return { ...state, [key]: value, from: touched(state, key), last: key };
}

/** What would leave the picture stays where it was. */
export function settle(next, state) {
  return values(next).every((value) => value >= MIN - 1e-9 && value <= MAX + 1e-9) ? next : state;
}

const height = (value) => 128 - ((value - MIN) / (MAX - MIN)) * 106;

export const handles = FIRST.map((_, i) => ({
  key: `x${i}`,
  label: `Value ${i + 1}`,
  min: MIN,
  max: MAX,
  step: 0.1,
  coarse: 2,
  upright: true,
  get: (state) => Number(values(state)[i].toFixed(6)),
  show: (value) => num(value, 1),
  value: (x, y) => MIN + ((128 - y) / 106) * (MAX - MIN),
  set: (state, value) => ({
    x: values(state).map((old, j) => (j === i ? value : old)),
    ...REST,
    from: touched(state, `x${i}`),
    last: `x${i}`,
  }),
}));

export const controls = [
  {
    kind: "range",
    key: "all",
    label: "Push all eight together",
    min: -3,
    max: 3,
    step: 0.1,
    show: (value) => change(value, 1),
  },
  {
    kind: "range",
    key: "stretch",
    label: "Stretch all from their mean",
    min: 50,
    max: 150,
    step: 1,
    show: (value) => `× ${num(value / 100)}`,
  },
];

const column = (i) => 40 + i * 42.5;

/** The end of a scale: 1, 2 or 5 times a power of ten, no less than `most`. */
function scale(most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1e-3)));
  return [1, 2, 5, 10].map((k) => k * power).find((end) => end >= most * (1 - 1e-9));
}

export function draw(state) {
  const now = numbers(state);
  const level = height(now.mean);
  const top = height(now.mean + now.std);
  const output = (value) => 198 - value * 15;
  const end = scale(Math.max(...now.gradient.map(Math.abs), 0.05));
  const slope = (value) => 296 - (value / end) * 28;
  return [
    words(8, 14, "x: eight values of one feature", "start", "bn-head"),
    rect(22, top, 334, height(now.mean - now.std) - top, "bn-band"),
    line(22, level, 356, level, "bn-dash"),
    words(8, 152, "y: each minus the mean, divided by the std", "start", "bn-head"),
    line(22, output(0), 356, output(0), "bn-axis"),
    words(18, output(0) + 4, "0", "end", "bn-small"),
    words(8, 256, `gradient of the loss, scale ±${end}`, "start", "bn-head"),
    line(22, slope(0), 356, slope(0), "bn-axis"),
    words(18, slope(0) + 4, "0", "end", "bn-small"),
    now.x.map((value, i) => [
      line(column(i), height(state.from[i]), column(i), height(value), "bn-trace"),
      bar(column(i) - 12, 24, output(0), output(now.before[i]), "bn-ghost"),
      bar(column(i) - 8, 16, output(0), output(now.y[i]), "bn-blue"),
      path(`M${column(i) - 14} ${output(TARGET[i]).toFixed(1)}h28`, "bn-target"),
      bar(column(i) - 8, 16, slope(0), slope(now.gradient[i]), "bn-green"),
      words(column(i), 341, i + 1, "middle", "bn-small"),
      handle(`x${i}`, column(i), height(value), state.last === `x${i}` ? "bn-orange" : "bn-blue"),
    ]),
    words(18, level + 4, "μ", "end", "bn-small"),
  ]
    .flat(9)
    .join("");
}

export function say(state) {
  const now = numbers(state);
  const moves = now.y.map((value, i) => value - now.before[i]);
  const sums = `The gradient adds up to ${num(now.sum)}, weighted with y to ${num(now.along)}.`;
  const losses = `The loss was ${num(now.lossBefore)} and is ${num(now.loss)}.`;
  const most = Math.max(...moves.map(Math.abs));
  if (state.last === "all" || state.last === "stretch") {
    const how =
      state.last === "all"
        ? `pushed by ${change(state.all, 1)}`
        : `stretched from their mean, times ${num(state.stretch / 100)}`;
    return `All eight values were ${how}: no output moved by more than ${num(most, 3)}. ${losses} ${sums}`;
  }
  const i = Number(state.last.slice(1));
  const others = moves.filter((_, j) => j !== i);
  const far = others.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
  const moved = change(now.x[i] - state.from[i], 1);
  return (
    `Value ${i + 1} was pushed by ${moved}: its own output moved by ${change(moves[i])}, ` +
    `those of its seven mates by as much as ${change(far)}. ${losses} ${sums}`
  );
}
