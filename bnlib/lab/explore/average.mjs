// The running average: what batch norm remembers, batch by batch, and what it answers.

import { circle, clamp, handle, line, num, path, rect, tag, words } from "./kit.mjs";
import { mean, variance } from "./norms.mjs";

export const title = "The running average";
export const size = [360, 372];
const MOMENTA = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 0.997, 0.999];
const STEPS = 200;
const POPULATION = { mean: 3, var: 4 };
const EXAMPLE = 5;
const EPS = 1e-5;

export const start = { momentum: 4, reads: "new", size: 3, steps: 20 };

/** Return a generator of numbers in [0, 1), the same in every browser (mulberry32). */
function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const known = new Map();

/** Return mean and biased variance of each of 200 batches from a normal population. */
export function batches(count) {
  if (!known.has(count)) {
    const next = uniform(7);
    const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    const draw = () => POPULATION.mean + Math.sqrt(POPULATION.var) * normal();
    const found = Array.from({ length: STEPS }, () => {
      const values = Array.from({ length: count }, draw);
      return { mean: mean(values), var: variance(values) };
    });
    known.set(count, found);
  }
  return known.get(count);
}

/** Return how much a new batch weighs. */
function weight({ momentum, reads }) {
  return reads === "new" ? MOMENTA[momentum] : 1 - MOMENTA[momentum];
}

const answer = ({ mean: center, var: spread }) => (EXAMPLE - center) / Math.sqrt(spread + EPS);

/** Compute what is drawn: the statistics after each of the batches so far. */
export function numbers(state) {
  const count = 2 ** state.size;
  const fresh = weight(state);
  let kept = { mean: 0, var: 1 };
  const history = [kept];
  for (const batch of batches(count).slice(0, state.steps)) {
    const unbiased = batch.var * (count / (count - 1));
    kept = {
      mean: (1 - fresh) * kept.mean + fresh * batch.mean,
      var: (1 - fresh) * kept.var + fresh * unbiased,
    };
    history.push(kept);
  }
  return {
    weight: fresh,
    halfLife: Math.LN2 / -Math.log1p(-fresh),
    means: history.map((one) => one.mean),
    vars: history.map((one) => one.var),
    answer: answer(kept),
    best: answer(POPULATION),
  };
}

export const controls = [
  {
    kind: "range",
    key: "momentum",
    label: "Momentum",
    min: 0,
    max: MOMENTA.length - 1,
    step: 1,
    show: (value) => String(MOMENTA[value]),
  },
  {
    kind: "choice",
    key: "reads",
    label: "Momentum is the weight of",
    options: [
      ["new", "the new batch (PyTorch)"],
      ["old", "the old value (Keras, Flax)"],
    ],
  },
  { kind: "range", key: "size", label: "Values in a batch", min: 1, max: 8, step: 1, show: (v) => String(2 ** v) },
  { kind: "range", key: "steps", label: "Batches seen", min: 0, max: STEPS, step: 1, show: String },
];

const LEFT = 28;
const WIDTH = 318;
const across = (step) => LEFT + (step / STEPS) * WIDTH;

export const handles = [
  {
    key: "steps",
    label: "Batches seen",
    min: 0,
    max: STEPS,
    step: 1,
    coarse: 1,
    get: (state) => state.steps,
    show: String,
    value: (x) => ((x - LEFT) / WIDTH) * STEPS,
    set: (state, steps) => ({ ...state, steps }),
  },
];

/** One panel: what the batches say, what is kept of it, what is true. */
function panel(top, [low, high], seen, kept, truth) {
  const up = (value) => top + 92 - ((clamp(value, low, high) - low) / (high - low)) * 92;
  const points = kept.map((value, i) => `${across(i).toFixed(1)} ${up(value).toFixed(1)}`);
  return [
    path(seen.map((value, i) => `M${across(i + 1)} ${up(value).toFixed(1)}h0`).join(""), "bn-dots"),
    line(LEFT, up(truth), LEFT + WIDTH, up(truth), "bn-dash"),
    tag("path", { d: `M${points.join("L")}`, class: "bn-curve" }),
    circle(across(kept.length - 1), up(kept.at(-1)), 3.5, "bn-blue"),
    words(LEFT - 6, up(truth) + 4, truth, "end", "bn-small"),
    words(LEFT - 6, up(low) + 2, low, "end", "bn-small"),
  ];
}

export function draw(state) {
  const now = numbers(state);
  const all = batches(2 ** state.size);
  const many = 2 ** state.size;
  const x = across(state.steps);
  const place = (value) => LEFT + ((clamp(value, -1, 6) + 1) / 7) * WIDTH;
  return [
    words(8, 14, "running mean", "start", "bn-head"),
    words(LEFT + WIDTH, 14, "dots: batches; dashes: population", "end", "bn-small"),
    panel(22, [0, 6], all.map((one) => one.mean), now.means, POPULATION.mean),
    words(8, 140, "running variance", "start", "bn-head"),
    panel(148, [0, 12], all.map((one) => (one.var * many) / (many - 1)), now.vars, POPULATION.var),
    path(`M${x} 22V116M${x} 148V262`, "bn-rule"),
    line(LEFT, 262, LEFT + WIDTH, 262, "bn-axis"),
    [0, 50, 100, 150, 200].map((at) => words(across(at), 288, at, "middle", "bn-small")),
    words(LEFT + WIDTH, 302, "batches", "end", "bn-small"),
    words(8, 316, `eval mode answers ${num(now.answer)} for x = ${EXAMPLE}`, "start", "bn-head"),
    line(LEFT, 344, LEFT + WIDTH, 344, "bn-axis"),
    rect(place(now.best) - 1, 330, 2, 28, "bn-gray"),
    words(place(now.best), 368, `population: ${num(now.best)}`, "middle", "bn-small"),
    circle(place(now.answer), 344, 6, "bn-orange"),
    handle("steps", x, 262, "bn-blue"),
  ]
    .flat(9)
    .join("");
}

export function say(state) {
  const now = numbers(state);
  const half = now.halfLife;
  const time = half < 0.05 ? "less than a tenth of a batch" : `${num(half, half < 10 ? 1 : 0)} batches`;
  const last = state.steps === 1 ? "1 batch" : `${state.steps} batches`;
  return (
    `Momentum ${MOMENTA[state.momentum]}: a new batch weighs ${Number(now.weight.toFixed(3))}, ` +
    `and half of it is forgotten after ${time}. After ${last} of ${2 ** state.size} values the running ` +
    `mean is ${num(now.means.at(-1))} and the running variance ${num(now.vars.at(-1))}; the population ` +
    `has 3 and 4. In eval mode x = ${EXAMPLE} becomes ${num(now.answer)} instead of ${num(now.best)}.`
  );
}
