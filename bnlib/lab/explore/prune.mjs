// Prune: a threshold over the γ of a net, and what is left of it.

import { circle, clamp, handle, line, num, path, rect, words } from "./kit.mjs";
import { sum } from "./norms.mjs";
import { MEASURED } from "./measured_prune.mjs";

export const title = "Prune by γ";
export const size = [360, 436];
const { gammas, ratios, gamma, tuned, random, random_tuned: randomTuned } = MEASURED;
const ALL = gammas.flat();
// The net of chapter 11: positions of each convolution, one channel in, ten classes.
const POSITIONS = [64, 16, 4, 4, 4];
const CLASSES = 10;
const FLOOR = 0.1;

export const start = { percent: 70 };

/** Mark what stays when the smallest γ of the whole net go, a tenth of each layer kept. */
function kept(count) {
  const free = gammas.flatMap((layer) => {
    const order = layer.map((_, i) => i).sort((a, b) => layer[a] - layer[b]);
    const safe = new Set(order.slice(order.length - Math.ceil(FLOOR * layer.length)));
    return layer.map((value, i) => (safe.has(i) ? Infinity : value));
  });
  const goes = free
    .map((_, i) => i)
    .sort((a, b) => free[a] - free[b] || a - b)
    .slice(0, count);
  const gone = new Set(goes);
  const stays = ALL.map((_, i) => !gone.has(i));
  return { stays, threshold: count ? free[goes.at(-1)] : 0 };
}

/** Compute what is drawn: channels, parameters and multiply-adds that are left. */
export function numbers({ percent }) {
  const { stays, threshold } = kept(Math.round((percent / 100) * ALL.length));
  let from = 0;
  const widths = gammas.map((layer) => {
    from += layer.length;
    return stays.slice(from - layer.length, from).filter(Boolean).length;
  });
  const weights = widths.map((width, i) => width * (i ? widths[i - 1] : 1) * 9);
  const last = widths.at(-1) * CLASSES;
  return {
    widths,
    threshold,
    parameters: sum(weights) + 2 * sum(widths) + last + CLASSES,
    macs: sum(weights.map((weight, i) => weight * POSITIONS[i])) + last,
  };
}

const BEFORE = numbers({ percent: 0 });

/** Return the index of the measured share that is nearest. */
function nearest(percent) {
  const far = ratios.map((ratio) => Math.abs(100 * ratio - percent));
  return far.indexOf(Math.min(...far));
}

const MOST = 88;

export const controls = [
  {
    kind: "range",
    key: "percent",
    label: "Channels to remove",
    min: 0,
    max: MOST,
    step: 1,
    show: (value) => `${value}%`,
  },
];

const LEFT = 36;
const WIDTH = 312;
const END = 0.5;
const across = (value) => LEFT + (clamp(value, 0, END) / END) * WIDTH;

export const handles = [
  {
    key: "percent",
    label: "Threshold",
    min: 0,
    max: MOST,
    step: 1,
    coarse: 1,
    get: (state) => state.percent,
    show: (value, state) => `${num(numbers(state).threshold, 3)}, ${value}% of the channels go`,
    // The share of the channels whose γ lies left of the finger.
    value: (x) => {
      const at = ((x - LEFT) / WIDTH) * END;
      return (100 * ALL.filter((one) => one < at).length) / ALL.length;
    },
    set: (state, percent) => ({ ...state, percent }),
  },
];

const BINS = 25;

function histogram(stays) {
  const counts = Array.from({ length: BINS }, () => [0, 0]);
  ALL.forEach((value, i) => {
    const bin = Math.min(BINS - 1, Math.floor((value / END) * BINS));
    counts[bin][stays[i] ? 1 : 0] += 1;
  });
  const width = WIDTH / BINS;
  // The bar of the dead would flatten all others: heights are square roots.
  const high = (count) => Math.sqrt(count) * 5.6;
  return counts.map(([gone, staying], i) => {
    const x = LEFT + i * width + 1;
    const [low, all] = [high(gone), high(gone + staying)];
    return [
      gone ? rect(x, 100 - low, width - 2, low, "bn-orange") : "",
      staying ? rect(x, 100 - all, width - 2, all - low, "bn-blue") : "",
    ];
  });
}

const share = (percent) => LEFT + (percent / MOST) * WIDTH;
const up = (percent) => 392 - percent * 1.1;

function curve(rows, cls, mark) {
  const points = rows.map(([value], i) => [share(100 * ratios[i]), up(value)]);
  return [
    path(`M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`, cls),
    points.map(([x, y]) => circle(x, y, 2.4, mark)),
  ];
}

export function draw(state) {
  const now = numbers(state);
  const { stays } = kept(Math.round((state.percent / 100) * ALL.length));
  const at = across(now.threshold);
  return [
    words(8, 14, "size of γ of the 304 channels", "start", "bn-head"),
    words(348, 14, "heights: square roots", "end", "bn-small"),
    histogram(stays),
    line(LEFT, 100, LEFT + WIDTH, 100, "bn-axis"),
    [0, 0.1, 0.2, 0.3, 0.4, 0.5].map((value) =>
      words(across(value), 128, value === END ? "0.5 +" : value, value === END ? "end" : "middle", "bn-small"),
    ),
    path(`M${at} 24V100`, "bn-rule"),
    words(8, 150, "channels that stay", "start", "bn-head"),
    now.widths.map((width, i) => {
      const y = 158 + i * 20;
      const most = gammas[i].length;
      return [
        words(LEFT - 6, y + 12, i + 1, "end", "bn-small"),
        rect(LEFT, y, most * 2.3, 15, "bn-box"),
        rect(LEFT, y, width * 2.3, 15, "bn-blue"),
        words(LEFT + most * 2.3 + 6, y + 12, `${width} of ${most}`, "start", "bn-small"),
      ];
    }),
    words(8, 271, "accuracy in %, mean of five nets", "start", "bn-head"),
    [0, 50, 100].map((percent) => [
      words(LEFT - 6, up(percent) + 4, percent, "end", "bn-small"),
      path(`M${LEFT} ${up(percent)}h${WIDTH}`, "bn-hair"),
    ]),
    curve(gamma, "bn-curve-orange", "bn-orange"),
    curve(random, "bn-curve-gray", "bn-gray"),
    curve(tuned, "bn-curve", "bn-blue"),
    curve(randomTuned, "bn-curve-green", "bn-green"),
    path(`M${share(state.percent)} 282V392`, "bn-rule"),
    line(LEFT, 392, LEFT + WIDTH, 392, "bn-axis"),
    [0, 20, 40, 60, 80].map((percent) => words(share(percent), 408, `${percent}%`, "middle", "bn-small")),
    words(LEFT, 428, "cut by γ:", "start", "bn-small"),
    rect(88, 420, 9, 9, "bn-orange"),
    words(100, 428, "at once", "start", "bn-small"),
    rect(146, 420, 9, 9, "bn-blue"),
    words(158, 428, "tuned", "start", "bn-small"),
    words(200, 428, "by lot:", "start", "bn-small"),
    rect(238, 420, 9, 9, "bn-gray"),
    words(250, 428, "at once", "start", "bn-small"),
    rect(296, 420, 9, 9, "bn-green"),
    words(308, 428, "tuned", "start", "bn-small"),
    handle("percent", at, 100, "bn-gray"),
  ]
    .flat(9)
    .join("");
}

export function say(state) {
  const now = numbers(state);
  const left = (key) => `${num((100 * now[key]) / BEFORE[key], 0)}%`;
  const i = nearest(state.percent);
  const where = 100 * ratios[i] === state.percent ? "Measured" : `Measured at ${num(100 * ratios[i], 0)}%`;
  const goes = state.percent
    ? `${state.percent}% of the channels go, those with γ up to ${num(now.threshold, 3)}`
    : "No channel goes";
  return (
    `${goes}: ${now.widths.join(", ")} stay in the five layers, ${left("parameters")} of the parameters and ` +
    `${left("macs")} of the multiply-adds. ${where}, mean of five nets: ${num(gamma[i][0], 0)}% accuracy at ` +
    `once and ${num(tuned[i][0], 0)}% after fine-tuning; with as many channels drawn by lot ` +
    `${num(random[i][0], 0)}% and ${num(randomTuned[i][0], 0)}%.`
  );
}
