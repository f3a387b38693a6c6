// Which cells share a statistic? An array of 4 examples, 4 channels and 4 positions.

import { group, num, rect, tag, words } from "./kit.mjs";

export const title = "Which cells share a statistic";
export const size = [360, 262];
const CHANNELS = 4;
const POSITIONS = 4;
const GROUPS = [1, 2, 4];

export const start = { norm: "group", examples: 3, groups: 1, example: 0, channel: 2, position: 1 };

const NAMES = {
  batch: "Batch norm",
  layer: "Layer norm",
  instance: "Instance norm",
  group: "Group norm",
  rms: "RMS norm",
};

/** Return the name of the statistic that a cell belongs to. */
function statistic({ norm, groups }, n, c) {
  const perGroup = CHANNELS / GROUPS[groups];
  const names = {
    batch: [c],
    layer: [n],
    instance: [n, c],
    group: [n, Math.floor(c / perGroup)],
    rms: [n],
  };
  return names[norm].join();
}

/** Call a function for each cell, in the order of the array (N, C, positions). */
function cells(state, call) {
  const found = [];
  for (let n = 0; n < state.examples; n += 1)
    for (let c = 0; c < CHANNELS; c += 1)
      for (let p = 0; p < POSITIONS; p += 1) found.push(call(n, c, p));
  return found;
}

/** Compute what is drawn; `settle` keeps the marked cell inside. */
export function numbers(state) {
  const mine = statistic(state, Math.min(state.example, state.examples - 1), state.channel);
  const names = cells(state, (n, c) => statistic(state, n, c));
  const perFeature = state.norm === "layer" || state.norm === "rms";
  const parameters = CHANNELS * (perFeature ? POSITIONS : 1);
  return {
    shared: names.map((name) => (name === mine ? 1 : 0)),
    values: names.filter((name) => name === mine).length,
    statistics: new Set(names).size,
    centered: state.norm === "rms" ? 0 : 1,
    gamma: parameters,
    beta: state.norm === "rms" ? 0 : parameters,
  };
}

export function settle(next) {
  return { ...next, example: Math.min(next.example, next.examples - 1) };
}

export function tap(state, place) {
  const [example, channel, position] = place.split(",").map(Number);
  return { ...state, example, channel, position };
}

const one = (value) => String(value + 1);

export const controls = [
  {
    kind: "choice",
    key: "norm",
    label: "Norm",
    options: [
      ["batch", "batch"],
      ["layer", "layer"],
      ["instance", "instance"],
      ["group", "group"],
      ["rms", "RMS"],
    ],
  },
  {
    kind: "range",
    key: "groups",
    label: "Groups",
    min: 0,
    max: 2,
    step: 1,
    show: (value) => String(GROUPS[value]),
    off: (state) => state.norm !== "group",
  },
  { kind: "range", key: "examples", label: "Examples in the batch", min: 1, max: 4, step: 1, show: String },
  {
    kind: "range",
    key: "example",
    label: "Marked cell: example",
    min: 0,
    max: 3,
    step: 1,
    show: one,
    off: (state) => state.examples === 1,
  },
  { kind: "range", key: "channel", label: "Marked cell: channel", min: 0, max: 3, step: 1, show: one },
  { kind: "range", key: "position", label: "Marked cell: position", min: 0, max: 3, step: 1, show: one },
];

const WIDE = 37;
const HIGH = 21;
const corner = (n) => [16 + (n % 2) * 180, 24 + Math.floor(n / 2) * 122];

export function draw(state) {
  const now = numbers(state);
  const names = cells(state, (n, c) => statistic(state, n, c));
  const known = [...new Set(names)];
  let i = 0;
  const drawn = cells(state, (n, c, p) => {
    const [left, top] = corner(n);
    const marked = n === state.example && c === state.channel && p === state.position;
    const kind = marked ? "bn-purple bn-edge" : now.shared[i] ? "bn-blue bn-edge" : "bn-box";
    const number = known.indexOf(names[i]) + 1;
    const [x, y] = [left + p * WIDE, top + c * HIGH];
    const text = now.shared[i] ? "bn-on" : "bn-small";
    i += 1;
    return [
      rect(x, y, WIDE, HIGH, kind, { "data-tap": [n, c, p].join() }),
      words(x + WIDE / 2, y + 15, number, "middle", text),
    ];
  });
  const names4 = [0, 1, 2, 3].map((n) => {
    const [left, top] = corner(n);
    const there = n < state.examples;
    return [
      words(left, top - 7, `example ${n + 1}`, "start", there ? "bn-head" : "bn-small"),
      there ? "" : tag("rect", { x: left, y: top, width: 4 * WIDE, height: 4 * HIGH, class: "bn-empty" }),
    ];
  });
  return [
    names4,
    group({}, drawn),
    words(180, 256, "rows: channels · columns: positions · numbers: statistics", "middle", "bn-small"),
  ]
    .flat(9)
    .join("");
}

/** "1 group", "2 groups". */
const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

export function say(state) {
  const now = numbers(state);
  const groups = state.norm === "group" ? ` with ${counted(GROUPS[state.groups], "group")}` : "";
  const what = now.centered ? "mean and variance" : "mean square";
  const others = new Set(cells(state, (n) => n).filter((_, i) => now.shared[i])).size;
  const reach = others > 1 ? `from all ${others} examples` : "of the same example";
  const mates = now.values > 1 ? `${counted(now.values - 1, "other")} ${reach}` : "no other";
  const all = counted(now.statistics, "set");
  const beta = now.beta ? `, and as many β` : " and no β";
  return (
    `${NAMES[state.norm]}${groups}, ${counted(state.examples, "example")}: ` +
    `the marked cell (example ${state.example + 1}, channel ${state.channel + 1}, ` +
    `position ${state.position + 1}) shares its ${what} with ${mates}. There ${now.statistics === 1 ? "is" : "are"} ${all} of ` +
    `statistics, and ${num(now.gamma, 0)} γ${beta}.`
  );
}
