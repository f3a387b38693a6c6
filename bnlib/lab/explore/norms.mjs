// Batch norm of one feature, forward and backward: the formulas of bnlib.norms.

export const sum = (values) => values.reduce((total, value) => total + value, 0);
export const mean = (values) => sum(values) / values.length;
export const dot = (a, b) => sum(a.map((value, i) => value * b[i]));

/** Return the biased variance. */
export function variance(values) {
  const center = mean(values);
  return mean(values.map((value) => (value - center) ** 2));
}

/** Normalize one feature over its batch; return the output and its statistics. */
export function batchNorm(x, gamma, beta, eps) {
  const center = mean(x);
  const spread = variance(x);
  const invStd = 1 / Math.sqrt(spread + eps);
  const xHat = x.map((value) => (value - center) * invStd);
  const y = xHat.map((value) => gamma * value + beta);
  return { y, xHat, mean: center, var: spread, invStd, gamma };
}

/** Return the gradients of a loss through `batchNorm`. */
export function backward(dY, { xHat, invStd, gamma }) {
  const common = mean(dY);
  const along = dot(dY, xHat) / dY.length;
  const dX = dY.map((value, i) => gamma * invStd * (value - common - xHat[i] * along));
  return { dX, dGamma: dot(dY, xHat), dBeta: sum(dY) };
}
