// Batch size against accuracy: trained nets, tested in both modes, as chapter 4 does.

import { circle, handle, line, num, path, words } from "./kit.mjs";
import { MEASURED } from "./measured_batches.mjs";

export const title = "Batch size against accuracy";
export const size = [360, 274];
const { sizes, running, mixed, sorted } = MEASURED;

export const start = { size: sizes.indexOf(8) };

/** Return what was measured: [mean, lowest, highest] of five nets, in percent. */
export function numbers({ size: index }) {
  return {
    size: sizes[index],
    running,
    mixed: mixed[index],
    sorted: sorted[index],
    lost: running[0] - mixed[index][0],
    lostSorted: running[0] - sorted[index][0],
  };
}

export const controls = [
  {
    kind: "range",
    key: "size",
    label: "Test images per batch",
    min: 0,
    max: sizes.length - 1,
    step: 1,
    show: (value) => String(sizes[value]),
  },
];

const LEFT = 36;
const WIDTH = 306;
const across = (count) => LEFT + (Math.log(count / 2) / Math.log(225)) * WIDTH;
const up = (percent) => 224 - percent * 2;

/** Return the index of the measured size that is nearest to a place. */
function nearest(x) {
  const far = sizes.map((count) => Math.abs(across(count) - x));
  return far.indexOf(Math.min(...far));
}

export const handles = [
  {
    key: "size",
    label: "Test images per batch",
    min: 0,
    max: sizes.length - 1,
    step: 1,
    coarse: 1,
    get: (state) => state.size,
    show: (value) => String(sizes[value]),
    value: (x) => nearest(x),
    set: (state, index) => ({ ...state, size: index }),
  },
];

function curve(rows, cls) {
  const there = rows.map(([, low], i) => `${across(sizes[i]).toFixed(1)} ${up(low).toFixed(1)}`);
  const back = rows.map(([, , high], i) => `${across(sizes[i]).toFixed(1)} ${up(high).toFixed(1)}`);
  const middle = rows.map(([value], i) => `${across(sizes[i]).toFixed(1)} ${up(value).toFixed(1)}`);
  return [
    path(`M${there.join("L")}L${back.reverse().join("L")}Z`, `bn-spread ${cls.replace("curve-", "")}`),
    path(`M${middle.join("L")}`, cls),
  ];
}

export function draw(state) {
  const now = numbers(state);
  const x = across(now.size);
  return [
    words(8, 14, "accuracy in %, mean and range of five nets", "start", "bn-head"),
    [0, 25, 50, 75, 100].map((percent) => [
      words(LEFT - 6, up(percent) + 4, percent, "end", "bn-small"),
      path(`M${LEFT} ${up(percent)}h${WIDTH}`, "bn-hair"),
    ]),
    curve(sizes.map(() => running), "bn-curve-blue"),
    curve(mixed, "bn-curve-orange"),
    curve(sorted, "bn-curve-green"),
    words(LEFT + WIDTH, up(85), "eval: running statistics", "end", "bn-small"),
    words(across(6) + 10, up(64), "train: mixed", "start", "bn-small"),
    words(across(40), up(22), "train: by class", "start", "bn-small"),
    line(LEFT, 224, LEFT + WIDTH, 224, "bn-axis"),
    [2, 8, 32, 128, 450].map((count) => words(across(count), 254, count, "middle", "bn-small")),
    words(LEFT + WIDTH / 2, 270, "test images per batch", "middle", "bn-small"),
    path(`M${x} 24V224`, "bn-rule"),
    circle(x, up(now.running[0]), 4, "bn-blue"),
    circle(x, up(now.mixed[0]), 4, "bn-orange"),
    circle(x, up(now.sorted[0]), 4, "bn-green"),
    handle("size", x, 224, "bn-gray"),
  ]
    .flat(9)
    .join("");
}

export function say(state) {
  const now = numbers(state);
  return (
    `Batches of ${now.size}: in train mode the nets read ${num(now.mixed[0], 1)}% of mixed test images ` +
    `(five nets, ${num(now.mixed[1], 1)} to ${num(now.mixed[2], 1)}) and ${num(now.sorted[0], 1)}% of ` +
    `images sorted by class. In eval mode they read ${num(now.running[0], 1)}% at every size: the forgotten ` +
    `switch costs ${num(now.lost, 1)} and ${num(now.lostSorted, 1)} points.`
  );
}
