// Batch norm of one feature, forward and backward: the formulas of bnlib.norms.

export const sum = (values) => values.reduce((total, value) => total + value, 0);
export const mean = (values) => sum(values) / values.length;
export const dot = (a, b) => sum(a.map((value, i) => value * b[i]));

/** Return the mean, and the values minus it; what rounding left of the mean goes as well. */
function center(x) {
  const first = mean(x);
  const near = x.map((value) => value - first);
  const rest = mean(near);
  return { mean: first + rest, centered: near.map((value) => value - rest) };
}

/** Return the biased variance. */
export const variance = (x) => mean(center(x).centered.map((value) => value ** 2));

/** Normalize one feature over its batch; return the output and its statistics. */
export function batchNorm(x, gamma, beta, eps) {
  const { mean: middle, centered } = center(x);
  const spread = mean(centered.map((value) => value ** 2));
  const invStd = 1 / Math.sqrt(spread + eps);
  const xHat = centered.map((value) => value * invStd);
  const y = xHat.map((value) => gamma * value + beta);
  return { y, xHat, mean: middle, var: spread, invStd, gamma };
}

/** Return the gradients of a loss through `batchNorm`. */
export function backward(dY, { xHat, invStd, gamma }) {
  const common = mean(dY);
  const along = dot(dY, xHat) / dY.length;
  const dX = dY.map((value, i) => gamma * invStd * (value - common - xHat[i] * along));
  return { dX, dGamma: dot(dY, xHat), dBeta: sum(dY) };
}
