// Walk the graph: nine nodes, their local derivatives, a batch of four values.

import { num, path, rect, words } from "./kit.mjs";
import { dot, mean, sum } from "./norms.mjs";

export const title = "Walk the graph";
export const size = [360, 376];
const EPS = 1e-5;

export const start = { step: 12, x: [1, 3, 3, 9], dY: [0.5, -1, 2, 0.3], gamma: 2, beta: 1 };

/** Compute every value and, from `dY`, every gradient; a value that is spread is one number. */
export function numbers({ x, dY, gamma, beta }) {
  const n = x.length;
  const each = (call) => x.map((_, i) => call(i));
  const center = mean(x);
  const xCentered = each((i) => x[i] - center);
  const square = each((i) => xCentered[i] ** 2);
  const variance = mean(square);
  const std = Math.sqrt(variance + EPS);
  const invStd = 1 / std;
  const xHat = each((i) => xCentered[i] * invStd);
  const scaled = each((i) => gamma * xHat[i]);
  const y = each((i) => scaled[i] + beta);

  const dBeta = sum(dY);
  const dGamma = dot(dY, xHat);
  const dXHat = each((i) => gamma * dY[i]);
  const dFirst = each((i) => dXHat[i] * invStd);
  const dInvStd = dot(dXHat, xCentered);
  const dStd = -dInvStd / std ** 2;
  const dVar = dStd / (2 * std);
  const dSquare = each(() => dVar / n);
  const dSecond = each((i) => 2 * xCentered[i] * dSquare[i]);
  const dXCentered = each((i) => dFirst[i] + dSecond[i]);
  const dMean = -sum(dXCentered);
  const dX = each((i) => dXCentered[i] + dMean / n);
  return {
    ...{ mean: center, xCentered, square, var: variance, std, invStd, xHat, scaled, y },
    ...{ dBeta, dGamma, dXHat, dFirst, dInvStd, dStd, dVar, dSquare, dSecond, dXCentered },
    ...{ dMean, dX },
  };
}

// For each node, in the order of the forward pass: what it computes, from what, what it
// puts out; the local derivative; and what it sends back.
const NODES = [
  {
    name: "mean",
    does: "mean = Σ x / 4",
    takes: [["x", "x"]],
    gives: ["mean", "mean"],
    local: "1/4 for each row",
    brings: ["d_mean", "dMean"],
    back: [["d_x: first part + d_mean / 4", "dX"]],
  },
  {
    name: "subtract",
    does: "x_centered = x − mean",
    takes: [
      ["x", "x"],
      ["mean", "mean"],
    ],
    gives: ["x_centered", "xCentered"],
    local: "1 and −1",
    brings: ["d_x_centered, parts added", "dXCentered"],
    back: [
      ["d_x, first part", "dXCentered"],
      ["d_mean: minus the sum", "dMean"],
    ],
  },
  {
    name: "square",
    does: "square = x_centered²",
    takes: [["x_centered", "xCentered"]],
    gives: ["square", "square"],
    local: "2 x_centered",
    brings: ["d_square", "dSquare"],
    back: [["d_x_centered, second part", "dSecond"]],
  },
  {
    name: "mean",
    does: "var = Σ square / 4",
    takes: [["square", "square"]],
    gives: ["var", "var"],
    local: "1/4 for each row",
    brings: ["d_var", "dVar"],
    back: [["d_square", "dSquare"]],
  },
  {
    name: "+ ε, root",
    does: "std = √(var + ε)",
    takes: [["var", "var"]],
    gives: ["std", "std"],
    local: "1 / (2 std)",
    brings: ["d_std", "dStd"],
    back: [["d_var", "dVar"]],
  },
  {
    name: "reciprocal",
    does: "inv_std = 1 / std",
    takes: [["std", "std"]],
    gives: ["inv_std", "invStd"],
    local: "−1 / std²",
    brings: ["d_inv_std", "dInvStd"],
    back: [["d_std", "dStd"]],
  },
  {
    name: "multiply",
    does: "x_hat = x_centered · inv_std",
    takes: [
      ["x_centered", "xCentered"],
      ["inv_std", "invStd"],
    ],
    gives: ["x_hat", "xHat"],
    local: "the other factor",
    brings: ["d_x_hat", "dXHat"],
    back: [
      ["d_x_centered, first part", "dFirst"],
      ["d_inv_std: a sum", "dInvStd"],
    ],
  },
  {
    name: "multiply",
    does: "scaled = γ · x_hat",
    takes: [
      ["x_hat", "xHat"],
      ["γ", "gamma"],
    ],
    gives: ["scaled", "scaled"],
    local: "the other factor",
    brings: ["d_scaled = d_y", "dY"],
    back: [
      ["d_x_hat", "dXHat"],
      ["d_gamma: a sum", "dGamma"],
    ],
  },
  {
    name: "add",
    does: "y = scaled + β",
    takes: [
      ["scaled", "scaled"],
      ["β", "beta"],
    ],
    gives: ["y", "y"],
    local: "1 for both",
    brings: ["d_y, from the loss", "dY"],
    back: [
      ["d_scaled = d_y", "dY"],
      ["d_beta: a sum", "dBeta"],
    ],
  },
];

const LAST = 2 * NODES.length;

/** Return the node of a step, and whether the step goes back. */
const at = (step) => (step <= NODES.length ? [step - 1, false] : [LAST - step, true]);

export const controls = [
  {
    kind: "range",
    key: "step",
    label: "Step",
    min: 1,
    max: LAST,
    step: 1,
    show: (value) => `${value} of ${LAST}, ${at(value)[1] ? "back" : "forward"}`,
  },
  { kind: "button", key: "step", label: "Next step", act: ({ step }) => (step % LAST) + 1 },
  {
    kind: "range",
    key: "last",
    label: "Fourth value of the batch",
    min: -5,
    max: 15,
    step: 0.5,
    show: (value) => num(value, 1),
  },
  {
    kind: "range",
    key: "gamma",
    label: "γ",
    min: -3,
    max: 3,
    step: 0.5,
    show: (value) => num(value, 1),
  },
];

start.last = start.x[3];

export function set(state, key, value) {
  if (key !== "last") return { ...state, [key]: value };
  return { ...state, last: value, x: [...state.x.slice(0, 3), value] };
}

// Middle of each box, and the arrows between them as polygons of points.
const PLACES = [
  [112, 46],
  [40, 78],
  [112, 110],
  [112, 148],
  [112, 186],
  [112, 224],
  [40, 256],
  [40, 298],
  [40, 340],
];
const WAYS = [
  // from node (−1: x), to node, points
  [-1, 0, "M52 22L96 36"],
  [-1, 1, "M40 26V66"],
  [0, 1, "M86 57L64 68"],
  [1, 2, "M64 88L86 99"],
  [2, 3, "M112 121V137"],
  [3, 4, "M112 159V175"],
  [4, 5, "M112 197V213"],
  [5, 6, "M86 235L64 246"],
  [1, 6, "M40 89V245"],
  [6, 7, "M40 267V287"],
  [7, 8, "M40 309V329"],
  [8, 9, "M40 351V360"],
];

export function draw(state) {
  const all = { ...numbers(state), ...state };
  const [here, back] = at(state.step);
  const passed = (node) => back || node <= here;
  const returned = (node) => back && node >= here;
  const list = ([name, key], y, cls) => {
    const values = [all[key]].flat();
    return [
      words(166, y, name, "start", "bn-small"),
      values.map((value, i) => words(200 + i * 50, y + 16, num(value), "end", cls)),
    ];
  };
  const node = NODES[here];
  const rows = back
    ? [
        [190, "arrives", [node.brings]],
        [262, "goes back", node.back],
      ]
    : [
        [190, "puts out", [node.gives]],
        [72, "takes", node.takes],
      ];
  return [
    WAYS.map(([from, to, d]) => [
      path(d, returned(to) ? "bn-way-back" : passed(from) ? "bn-way" : "bn-way-open"),
    ]),
    words(40, 20, "x", "middle", "bn-head"),
    words(40, 372, "y", "middle", "bn-head"),
    PLACES.map(([x, y], i) => [
      rect(x - 34, y - 11, 68, 22, i === here ? "bn-blue bn-edge" : "bn-box", { rx: 4 }),
      words(x, y + 4, NODES[i].name, "middle", i === here ? "bn-on" : "bn-small"),
    ]),
    words(160, 20, `${here + 1}. ${node.name}, ${back ? "back" : "forward"}`, "start", "bn-head"),
    words(160, 42, node.does, "start"),
    back ? words(160, 66, `local derivative: ${node.local}`, "start") : "",
    back ? list(node.takes[0], 92, "") : "",
    back && node.takes[1] ? list(node.takes[1], 132, "") : "",
    rows.map(([y, head, parts]) => [
      words(160, y, head, "start", "bn-head"),
      parts.map((part, i) => list(part, y + 18 + i * 40, head === "goes back" ? "bn-strong" : "")),
    ]),
  ]
    .flat(9)
    .join("");
}

const listed = (value) => [value].flat().map((one) => num(one)).join(", ");

export function say(state) {
  const all = { ...numbers(state), ...state };
  const [here, back] = at(state.step);
  const node = NODES[here];
  const told = ([name, key]) => `${name} (${listed(all[key])})`;
  const first = `Step ${state.step} of ${LAST}, node ${here + 1}, ${node.does}.`;
  if (!back) return `${first} From ${node.takes.map(told).join(" and ")} it makes ${told(node.gives)}.`;
  return (
    `${first} Back: ${told(node.brings)} arrives, the local derivative is ${node.local}, ` +
    `and ${node.back.map(told).join(" and ")} ${node.back.length > 1 ? "go" : "goes"} back.`
  );
}
