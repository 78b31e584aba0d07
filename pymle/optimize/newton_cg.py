"""Truncated Newton for many coordinates: Hessian-vector products only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pymle.optimize.records import Termination
from pymle.optimize.run import Run
from pymle.optimize.tail import judge_tail

__all__ = ["newton_cg"]

_EPS = float(np.finfo(np.float64).eps)
_TARGET_GAIN = 1e-10
_MOST_REJECTIONS = 60
_LANCZOS_STEPS = 60
_PROBES = 6

Product = Callable[[np.ndarray], np.ndarray]


def newton_cg(run: Run) -> tuple[Termination, str]:
    """Maximise by conjugate-gradient steps within a trust region.

    Parameters
    ----------
    run : Run
        Already evaluated at its start; holds the final point afterwards.

    Returns
    -------
    Termination, str

    Notes
    -----
    Steihaug's truncated conjugate gradients [1]_, in units taken from an estimate of the
    curvature's diagonal by random probing [2]_. The expected gain is that of the conjugate-gradient
    solution. Upward curvature is looked for at the end by a Lanczos run of 60 products: a clearly
    negative eigenvalue is found and followed, a tiny one can be missed, and the message says what
    was found. The Hessian is not formed.

    References
    ----------
    .. [1] Steihaug (1983), The conjugate gradient method and trust regions in large scale
       optimization. doi:10.1137/0720042
    .. [2] Bekas, Kokiopoulou and Saad (2007), An estimator for the diagonal of a matrix.
       doi:10.1016/j.apnum.2007.01.003
    """
    assert run.score is not None
    rng = np.random.default_rng(0)
    units = _units(run, np.ones(run.size), rng, first=True)
    radius = float("nan")
    searched = 0
    gain = float("nan")
    while True:
        assert run.score is not None
        information = _information(run, run.x, units)
        slope = run.score / units
        y, predicted, kind = _conjugate_gradients(information, slope, radius, 1e-2)
        previous, gain = gain, float("nan")
        if kind in ("interior", "none"):
            gain = 0.5 * float(slope @ y)
        # Decrements that fall tenfold per step leave no room for a tail.
        quadratic = gain <= 1e-2 * previous and run.iterations > 0
        if quadratic:
            run.decrement_ratio = float(np.sqrt(gain / previous))
        if not np.isfinite(radius):
            radius = max(float(np.linalg.norm(y)), 1e-3)
        run.log(gain, radius)
        if np.abs(run.x).max() > 1e30 * max(1.0, float(np.abs(run.start).max())):
            return Termination.UNBOUNDED, "A coordinate exceeded 1e30 times its starting size."
        vanishing = kind == "none" or float(np.linalg.norm(slope)) == 0.0
        if vanishing or (kind == "interior" and gain < _TARGET_GAIN):
            _polish(run, units)
            lowest, highest, direction = _extreme_curvature(run, units, rng)
            if lowest < -1e-8 * max(highest, -lowest):
                if searched < 20 and _leave_saddle(run, direction / units):
                    searched += 1
                    run.iterations += 1
                    radius = float("nan")
                    continue
                return Termination.SADDLE, f"The smallest scaled curvature is {lowest:.3g}."
            if highest <= 0.0 or lowest <= 16.0 * run.size * _EPS * highest:
                return Termination.FLAT, f"The smallest scaled curvature is {lowest:.3g}."
            tail = None if quadratic else _follow_tail(run, units)
            return tail or (
                Termination.CONVERGED,
                f"Scaled curvature between {lowest:.3g} and {highest:.3g} (Lanczos estimates).",
            )
        if run.iterations >= run.max_iterations:
            return Termination.ITERATION_LIMIT, ""
        before = run.x
        outcome = _advance(run, information, slope, units, radius, (y, predicted, kind))
        if isinstance(outcome, Termination):
            if outcome is not Termination.NO_PROGRESS:
                return outcome, ""
            if np.isfinite(gain) and gain <= max(1e-8, 1e3 * _EPS * abs(run.value)):
                _polish(run, units)
                return Termination.CONVERGED_TO_ROUNDING, f"The expected gain is {gain:.3g}."
            return outcome, f"The expected gain at the end is {gain:.3g}."
        radius = outcome
        run.iterations += 1
        if run.iterations in (1, 2, 4, 8) or run.iterations % 10 == 0:
            renewed = _units(run, units, rng, first=False)
            step = run.x - before
            radius *= float(np.linalg.norm(renewed * step) / np.linalg.norm(units * step))
            units = renewed


def _information(run: Run, x: np.ndarray, units: np.ndarray) -> Product:
    return lambda y: -run.product(x, y / units, units) / units


def _units(run: Run, units: np.ndarray, rng: np.random.Generator, *, first: bool) -> np.ndarray:
    """Square roots of the curvature's diagonal, by Rademacher probing in the current units.

    Probing overestimates a small entry beside large ones, by the square root of their ratio: each
    round in the units of the one before halves that error in the logarithm.
    """
    assert run.score is not None
    units, known = units.copy(), np.zeros(run.size, dtype=bool)
    for _ in range(8 if first else 1):
        estimate = np.zeros(run.size)
        information = _information(run, run.x, units)
        for _ in range(_PROBES):
            z = rng.choice([-1.0, 1.0], size=run.size)
            estimate += z * information(z) / _PROBES
        estimate = np.abs(estimate)
        usable = np.isfinite(estimate) & (estimate > 0.0)
        if not usable.any():
            break
        known |= usable
        factor = np.ones(run.size)
        factor[usable] = np.sqrt(
            np.maximum(estimate[usable], 1e-6 * float(np.median(estimate[usable])))
        )
        # Later rounds only mend units that are clearly wrong: the estimate is noisy.
        wrong = usable if first else usable & ((factor > 2.0) | (factor < 0.5))
        units[wrong] *= factor[wrong]
        if factor.max() < 4.0 and factor.min() > 0.25:
            break
    if first and not known.all():
        # No curvature at all: one unit changes the log-likelihood by about one.
        slope = np.abs(run.score[~known])
        units[~known] = np.where(slope > 0.0, slope, 1.0)
    return units


def _conjugate_gradients(
    information: Product, slope: np.ndarray, radius: float, tolerance: float
) -> tuple[np.ndarray, float, str]:
    """Steihaug's iteration: the step, its predicted gain, and how it ended.

    The kind is "interior", "boundary", "negative" (upward curvature met) or "none" (no slope).
    """
    y = np.zeros_like(slope)
    residual = slope.copy()
    squared = float(residual @ residual)
    if squared == 0.0:
        return y, 0.0, "none"
    goal = squared * min(tolerance, np.sqrt(np.sqrt(squared))) ** 2
    direction, gain = residual.copy(), 0.0
    for _ in range(min(10 * slope.size, 1000)):
        bent = information(direction)
        curvature = float(direction @ bent)
        if not np.isfinite(curvature):
            return y, gain, "boundary"
        if curvature <= 4.0 * _EPS * float(direction @ direction):
            if not np.isfinite(radius):
                # No radius yet: as far as the size of the curvature suggests, within bounds.
                size = float(np.sqrt(direction @ direction))
                length = squared / abs(curvature) * size if curvature < 0.0 else np.inf
                step = min(length, max(1.0, squared / size)) / size * direction
            else:
                step = _to_boundary(y, direction, radius) * direction
            gain += float(residual @ step) + 0.5 * abs(curvature) * float(step @ step) / float(
                direction @ direction
            )
            return y + step, gain, "negative"
        alpha = squared / curvature
        new = y + alpha * direction
        if np.isfinite(radius) and float(np.linalg.norm(new)) >= radius:
            tau = _to_boundary(y, direction, radius)
            gain += tau * float(residual @ direction) - 0.5 * tau**2 * curvature
            return y + tau * direction, gain, "boundary"
        increment = 0.5 * alpha * squared
        gain += increment
        y, residual = new, residual - alpha * bent
        now = float(residual @ residual)
        if now <= goal and increment <= 1e-3 * gain:
            break
        direction, squared = residual + (now / squared) * direction, now
        if now == 0.0:
            break
    return y, gain, "interior"


def _to_boundary(y: np.ndarray, direction: np.ndarray, radius: float) -> float:
    a, b = float(direction @ direction), float(y @ direction)
    c = max(radius**2 - float(y @ y), 0.0)
    return c / (b + np.sqrt(b * b + a * c)) if b > 0.0 else (-b + np.sqrt(b * b + a * c)) / a


def _advance(
    run: Run,
    information: Product,
    slope: np.ndarray,
    units: np.ndarray,
    radius: float,
    first: tuple[np.ndarray, float, str],
) -> float | Termination:
    """One accepted step: the next radius, or why there was none."""
    y, predicted, kind = first
    non_finite = False
    for _ in range(_MOST_REJECTIONS):
        trial = run.x + y / units
        length = float(np.linalg.norm(y))
        if np.array_equal(trial, run.x):
            break
        value, score = run.evaluate(trial) if np.all(np.isfinite(trial)) else (np.nan, slope)
        if value == np.inf:
            return Termination.UNBOUNDED
        if np.isfinite(value):
            actual = value - run.value
            noise = 8.0 * _EPS * max(abs(value), abs(run.value))
            ratio = actual / predicted if actual > noise else (actual + noise) / (predicted + noise)
            accept = ratio > 1e-4 and (actual > 0.0 or kind == "interior")
            if not accept and kind == "interior" and predicted <= 1e4 * noise >= -actual:
                accept = np.linalg.norm(score / units) <= 0.5 * np.linalg.norm(slope)
            if accept:
                run.move(trial, value, score)
                if ratio < 0.25:
                    return 0.5 * length
                if ratio > 0.7:
                    return max(radius if kind == "interior" else 0.0, 3.0 * length)
                return max(length, radius if kind == "interior" else 0.0)
            rise = float(slope @ y)
            fraction = 0.5 * rise / (rise - actual) if rise > max(actual, 0.0) else 0.25
            fraction = float(np.clip(fraction, 0.05, 0.5))
        else:
            non_finite, fraction = True, 0.1
        radius = fraction * length
        y, predicted, kind = _conjugate_gradients(information, slope, radius, 1e-2)
    return Termination.EDGE if non_finite else Termination.NO_PROGRESS


def _polish(run: Run, units: np.ndarray) -> None:
    """Newton steps judged by the score, until it no longer falls."""
    slack = 1e-9 + 1e3 * _EPS * max(1.0, abs(run.value))
    floor = run.value - slack
    for _ in range(10):
        assert run.score is not None
        slope = run.score / units
        y, _, kind = _conjugate_gradients(
            _information(run, run.x, units), slope, float("inf"), 1e-6
        )
        if kind != "interior":
            return
        trial = run.x + y / units
        if np.array_equal(trial, run.x):
            return
        value, score = run.evaluate(trial)
        ratio = np.linalg.norm(score / units) / np.linalg.norm(slope)
        if not np.isfinite(value) or value < floor or not ratio < 1.0:
            return
        run.move(trial, value, score)
        run.expected_gain = 0.5 * float(ratio**2) * float(slope @ y)
        if ratio > 0.5:
            return


def _extreme_curvature(
    run: Run, units: np.ndarray, rng: np.random.Generator
) -> tuple[float, float, np.ndarray]:
    """Smallest and largest Ritz values of the scaled information, and the smallest's vector.

    Lanczos with full reorthogonalisation. doi:10.1137/1.9781611971163
    """
    k = run.size
    information = _information(run, run.x, units)
    basis = np.zeros((min(k, _LANCZOS_STEPS), k))
    v = rng.standard_normal(k)
    v /= np.linalg.norm(v)
    alphas: list[float] = []
    betas: list[float] = []
    for j in range(basis.shape[0]):
        basis[j] = v
        w = information(v)
        alphas.append(float(v @ w))
        for _ in range(2):
            w = w - basis[: j + 1].T @ (basis[: j + 1] @ w)
        beta = float(np.linalg.norm(w))
        if j + 1 == basis.shape[0] or beta <= 1e-12 * max(1.0, abs(alphas[0])):
            break
        betas.append(beta)
        v = w / beta
    n = len(alphas)
    tridiagonal = np.diag(alphas) + np.diag(betas[: n - 1], 1) + np.diag(betas[: n - 1], -1)
    values, vectors = np.linalg.eigh(tridiagonal)
    return float(values[0]), float(values[-1]), vectors[:, 0] @ basis[:n]


def _leave_saddle(run: Run, direction: np.ndarray) -> bool:
    """Move along a direction of upward curvature to the highest of a few points."""
    best = None
    noise = 64.0 * _EPS * max(abs(run.value), _EPS)
    for length in 10.0 ** np.arange(-3, 3):
        for sign in (1.0, -1.0):
            x = run.x + sign * length * direction
            value, score = run.evaluate(x)
            higher = np.isfinite(value) and value > run.value + noise
            if higher and (best is None or value > best[1]):
                best = (x, value, score)
    if best is None:
        return False
    run.move(*best)
    return True


def _follow_tail(run: Run, units: np.ndarray) -> tuple[Termination, str] | None:
    """As in `tail.follow_tail`, with conjugate-gradient steps."""
    x, score = run.x, run.score
    last: tuple[np.ndarray, Product, float] | None = None
    steps: list[float] = []
    falls: list[float] = []
    cosines: list[float] = []
    for _ in range(5):
        assert score is not None
        information = _information(run, x, units)
        y, _, kind = _conjugate_gradients(information, score / units, float("inf"), 1e-4)
        if kind != "interior":
            break
        decrement = float(np.sqrt(max(y @ (score / units), 0.0)))
        if last is not None:
            before, metric, length = last
            bent = metric(y)
            now = float(np.sqrt(max(y @ bent, 0.0)))
            if now == 0.0 or length == 0.0:
                return None
            falls.append(decrement / length)
            steps.append(now / length)
            cosines.append(float(before @ bent) / (now * length))
            if falls[-1] <= 0.2 or falls[-1] >= 0.97:
                return None
        last = y, information, decrement
        x = x + y / units
        value, score = run.evaluate(x)
        if not np.isfinite(value):
            break
    return None if last is None else judge_tail(run, steps, falls, cosines, last[0] / units, x)
