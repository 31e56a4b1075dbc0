/** Quantiles of the symmetric beta distribution, as `scipy.stats.beta.ppf(p, a, a)` gives them. */

/** The series' terms at most halve: 60 of them exceed the precision of float64. */
const TERMS = 60;
/** Bisection alone needs about as many halvings as float64 has bits. */
const MAX_STEPS = 100;

/**
 * The x at which the distribution function of Beta(a, a) is `probability`.
 * @param probability 0 to 1
 * @param a above 0
 */
export function betaQuantile(probability: number, a: number): number {
  if (probability === 0 || probability === 1 || probability === 0.5) return probability;
  // The distribution is symmetric, and the series converges fast below a half.
  return probability > 0.5 ? 1 - lowerQuantile(1 - probability, a) : lowerQuantile(probability, a);
}

/** Newton's method in log x, in which the function is almost straight near 0, between bounds that halve otherwise. */
function lowerQuantile(probability: number, a: number): number {
  // Half of the distribution lies below a half, which replaces the beta function as the unit.
  const unit = 2 * lowerIntegral(0.5, a);
  let [low, high] = [0, 0.5];
  let x = Math.min(0.5, (probability * unit * a) ** (1 / a));
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const excess = lowerIntegral(x, a) / unit - probability;
    if (excess > 0) high = x;
    else low = x;
    const slope = (x * (x * (1 - x)) ** (a - 1)) / unit;
    const newton = x * Math.exp(-excess / slope);
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - x) <= Number.EPSILON * x) return next;
    x = next;
  }
  return x;
}

/** The integral of (t (1 - t))^(a - 1) from 0 to x, at most 0.5: the binomial series of (1 - t)^(a - 1), term by term. */
function lowerIntegral(x: number, a: number): number {
  let coefficient = 1;
  let sum = 0;
  for (let term = 0; term < TERMS; term += 1) {
    sum += coefficient / (a + term);
    coefficient *= (x * (term + 1 - a)) / (term + 1);
  }
  return x ** a * sum;
}
