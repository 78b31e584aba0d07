"""Hessians differenced from an exact score, with an error estimate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pymle.optimize.objective import Objective

__all__ = [
    "central_hessian",
    "differenced_hessian",
    "directional_check",
    "rough_hessian",
    "with_differenced_hessian",
]

ValueAndScore = Callable[[np.ndarray], tuple[float, np.ndarray]]

#: Halvings of the difference step per coordinate, at least and at most.
_LEVELS, _MOST_LEVELS = 3, 9
#: First step in units of the coordinate's conditional standard error.
_FIRST_STEP = 0.1
#: Step on the way to the maximum of an objective whose scores are dear, and its relative error.
_QUICK_STEP, _QUICK_ERROR = 1e-3, 1e-6


def differenced_hessian(
    value_and_score: Callable[[np.ndarray], tuple[float, np.ndarray]],
    x: np.ndarray,
    scale: np.ndarray | None = None,
) -> tuple[np.ndarray, float]:
    """Second derivatives from Richardson-extrapolated central differences of an exact score.

    Parameters
    ----------
    value_and_score : callable
        x -> (value, score), the score exact.
    x : ndarray, shape (k,)
    scale : ndarray, shape (k,), optional
        Lengths over which the function varies (about a standard error per coordinate); found from
        the curvature itself if not given.

    Returns
    -------
    hessian : ndarray, shape (k, k), symmetric
        With nan where no finite difference could be formed.
    error : float
        Estimated relative error on the scale on which the diagonal is one in size (largest entry);
        asymmetry counts as error. nan if the Hessian has a nan.

    Notes
    -----
    Ten or so scores per coordinate. For each column the order of extrapolation with the smallest
    estimated error is taken, which balances truncation against rounding [1]_.

    References
    ----------
    .. [1] Ridders (1982), Accurate computation of F'(x) and F'(x)F''(x).
       doi:10.1016/S0141-1195(82)80057-0
    """
    x = np.asarray(x, dtype=np.float64)
    k = x.size
    hessian, errors = np.empty((k, k)), np.empty((k, k))
    with np.errstate(all="ignore"):
        here = np.asarray(value_and_score(x)[1], dtype=np.float64)
        lengths = np.empty(k)
        for i in range(k):
            first = None if scale is None else float(scale[i])
            lengths[i] = _length(value_and_score, x, here, i, first)
        for i in range(k):
            # Entries of a column are compared on the scale of their own coordinates.
            hessian[:, i], errors[:, i] = _column(value_and_score, x, i, lengths)
    asymmetry = np.abs(hessian - hessian.T)
    hessian = 0.5 * (hessian + hessian.T)
    size = np.sqrt(np.abs(np.diagonal(hessian)))
    size = np.where(size > 0.0, size, 1.0 / lengths)
    relative = np.maximum(errors, asymmetry) / size[:, None] / size[None, :]
    return hessian, float(relative.max()) if k else 0.0


def _length(
    value_and_score: ValueAndScore, x: np.ndarray, here: np.ndarray, i: int, first: float | None
) -> float:
    """One over the square root of the curvature along coordinate i, found by fixed point."""
    length = first or max(abs(x[i]), 1.0) * 1e-2
    for _ in range(25):
        moved = x.copy()
        moved[i] += 0.1 * length
        h = moved[i] - x[i]
        if h == 0.0:
            return length * 1e3
        value, score = value_and_score(moved)
        curvature = abs(float(score[i]) - here[i]) / abs(h)
        if not (np.isfinite(value) and np.isfinite(curvature)):
            length *= 0.1
            continue
        if curvature == 0.0:
            # Linear or without influence: any step will do, short of leaving the scale of x.
            return length
        new = 1.0 / np.sqrt(curvature)
        if 0.2 < new / length < 5.0:
            return float(new)
        # Far from the right length the curvature found may be that of another region.
        length = float(np.clip(new, 1e-3 * length, 1e3 * length))
    return length


def _column(
    value_and_score: ValueAndScore, x: np.ndarray, i: int, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Column i of the Hessian and its error, by Ridders' tableau."""
    k = x.size
    best, error = np.full(k, np.nan), np.full(k, np.nan)
    step = _FIRST_STEP * lengths[i]
    previous: list[np.ndarray] = []
    lowest = np.inf
    levels, size = 0, np.inf
    for _ in range(_MOST_LEVELS + 8):
        if levels == _MOST_LEVELS:
            break
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        width = up[i] - down[i]
        value_up, score_up = value_and_score(up)
        value_down, score_down = value_and_score(down)
        difference = (np.asarray(score_up) - np.asarray(score_down)) / width
        step *= 0.5
        if not (
            np.isfinite(value_up) and np.isfinite(value_down) and np.all(np.isfinite(difference))
        ):
            # Outside the support: begin again with shorter steps.
            step *= 0.5
            previous, levels = [], 0
            continue
        row = [difference]
        for j, coarse in enumerate(previous):
            factor = 4.0 ** (j + 1)
            finer = row[j] + (row[j] - coarse) / (factor - 1.0)
            entry = np.maximum(np.abs(finer - row[j]), np.abs(finer - coarse))
            size = float((entry * lengths).max()) * lengths[i]
            if size < lowest:
                lowest, best, error = size, finer, entry
            row.append(finer)
        # Done when the error is small or, the order being high enough, has begun to grow.
        grown = levels > 0 and size > 4.0 * lowest and lowest < 1e-8
        previous, levels = row, levels + 1
        if levels >= _LEVELS and (lowest < 1e-11 or grown):
            break
    return best, error


def rough_hessian(value_and_score: ValueAndScore, x: np.ndarray, here: np.ndarray) -> np.ndarray:
    """Second derivatives from differences of the score on one side: three digits or so.

    Parameters
    ----------
    value_and_score : callable
    x : ndarray, shape (k,)
    here : ndarray, shape (k,)
        The score at `x`.

    Returns
    -------
    ndarray, shape (k, k), symmetric
        With nan where the function is not finite nearby.
    """
    columns = []
    for i in range(x.size):
        # Steps are relative to the coordinate, shorter where the slope is steep.
        h = min(1e-3 * max(abs(x[i]), 1.0), max(1e-2 / max(abs(here[i]), 1e-300), 1e-6))
        moved = x.copy()
        moved[i] += h
        value, score = value_and_score(moved)
        if not np.isfinite(value):
            moved[i] = x[i] - h
            value, score = value_and_score(moved)
        columns.append((np.asarray(score) - here) / (moved[i] - x[i]))
    hessian = np.stack(columns, axis=1) if columns else np.zeros((0, 0))
    return 0.5 * (hessian + hessian.T)


def central_hessian(
    value_and_score: ValueAndScore, x: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, float]:
    """Second derivatives from two scores a coordinate and two more for their error.

    Parameters
    ----------
    value_and_score : callable
        x -> (value, score), the score exact.
    x : ndarray, shape (k,)
    lengths : ndarray, shape (k,)
        About a conditional standard error for each coordinate.

    Returns
    -------
    hessian : ndarray, shape (k, k), symmetric
    error : float
        Estimated relative error, on the scale on which the diagonal is one.

    Notes
    -----
    Central differences at 0.002 of the lengths. The error is their asymmetry, or what differs
    from a central difference along one direction through all coordinates at twice the length,
    whose truncation is four times as large.
    """
    k = x.size
    if not k:
        return np.zeros((0, 0)), 0.0

    def along(step: np.ndarray) -> np.ndarray:
        up, down = x + step, x - step
        change = np.asarray(value_and_score(up)[1]) - value_and_score(down)[1]
        return change / (float(np.linalg.norm(up - down)) / float(np.linalg.norm(step)))

    with np.errstate(all="ignore"):
        steps = np.diag(0.002 * lengths)
        scaled = np.stack([along(step) for step in steps], axis=1)
        matrix = scaled / (0.002 * lengths)
        hessian = 0.5 * (matrix + matrix.T)
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=k)
        direction = 0.004 * lengths * signs / np.sqrt(k)
        apart = along(direction) - hessian @ direction
        size = np.sqrt(np.abs(np.diagonal(hessian)))
        size = np.where(size > 0.0, size, 1.0 / lengths)
        asymmetry = np.abs(matrix - matrix.T) / size[:, None] / size[None, :]
        rest = np.abs(apart) / size / float(np.linalg.norm(size * direction))
    return hessian, float(max(asymmetry.max(), rest.max()))


def directional_check(
    value_and_score: Callable[[np.ndarray], tuple[float, np.ndarray]],
    hessian_product: Callable[[np.ndarray, np.ndarray], np.ndarray],
    x: np.ndarray,
    scale: np.ndarray | None = None,
    seed: int = 0,
) -> float:
    """Disagreement between Hessian-vector products and differences of the score.

    Parameters
    ----------
    value_and_score, hessian_product : callable
    x : ndarray, shape (k,)
    scale : ndarray, shape (k,), optional
        About a standard error per coordinate.
    seed : int
        Of the direction.

    Returns
    -------
    float
        Relative difference along one random direction (in units of `scale`); 1e-7 or less for a
        right product, nan if nothing finite could be compared.
    """
    x = np.asarray(x, dtype=np.float64)
    scale = np.ones_like(x) if scale is None else np.asarray(scale, dtype=np.float64)
    direction = scale * np.random.default_rng(seed).choice([-1.0, 1.0], size=x.size)

    def along(t: np.ndarray) -> tuple[float, np.ndarray]:
        value, score = value_and_score(x + t[0] * direction)
        return value, np.array([np.asarray(score) @ direction])

    with np.errstate(all="ignore"):
        here = along(np.zeros(1))[1]
        length = _length(along, np.zeros(1), here, 0, 1.0)
        product = np.asarray(hessian_product(x, direction), dtype=np.float64)
    best = np.nan
    for step in _FIRST_STEP * length * 0.5 ** np.arange(0, 12, 2):
        with np.errstate(all="ignore"):
            differences = []
            for h in (step, 0.5 * step):
                up, down = value_and_score(x + h * direction), value_and_score(x - h * direction)
                differences.append((np.asarray(up[1]) - np.asarray(down[1])) / (2 * h))
            found = (4.0 * differences[1] - differences[0]) / 3.0
            size = np.abs(scale * found).max()
            gap = float(np.abs(scale * (found - product)).max() / size) if size > 0.0 else np.nan
        best = np.fmin(best, gap)
    return float(best)


class _Differenced:
    """An objective whose Hessian is differenced from its score."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self.size = objective.size
        self.has_score = True
        self.has_hessian = True
        self.hessian_error = 0.0
        self._scale: np.ndarray | None = None

    def value(self, x: np.ndarray) -> float:
        return self._objective.value(x)

    def value_and_score(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return self._objective.value_and_score(x)

    def hessian_product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        return self._objective.hessian_product(x, v)

    def values(self, X: np.ndarray) -> np.ndarray:
        return self._objective.values(X)

    def hessian(self, x: np.ndarray) -> np.ndarray:
        if getattr(self._objective, "dear", False):
            if self._scale is None:
                self._scale = self._lengths(x)
            hessian = self._quickly(x, self._scale)
            if np.all(np.isfinite(hessian)):
                return hessian
        hessian, error = differenced_hessian(self._objective.value_and_score, x, self._scale)
        if np.isfinite(error):
            # The error at the latest point is the one that matters at the end.
            self.hessian_error = error
            size = np.sqrt(np.abs(np.diagonal(hessian)))
            if np.all(size > 0.0):
                self._scale = 1.0 / size
        return hessian

    def _lengths(self, x: np.ndarray) -> np.ndarray:
        score, here = self._objective.value_and_score, self._objective.value_and_score(x)[1]
        with np.errstate(all="ignore"):
            return np.array([_length(score, x, here, i, None) for i in range(x.size)])

    def _quickly(self, x: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Central differences at one step: six digits, for two scores a coordinate."""
        columns = []
        for i, h in enumerate(_QUICK_STEP * scale):
            up, down = x.copy(), x.copy()
            up[i] += h
            down[i] -= h
            change = self.value_and_score(up)[1] - self.value_and_score(down)[1]
            columns.append(np.asarray(change) / (up[i] - down[i]))
        hessian = np.stack(columns, axis=1)
        self.hessian_error = max(self.hessian_error, _QUICK_ERROR)
        size = np.sqrt(np.abs(np.diagonal(hessian)))
        if np.all(size > 0.0) and np.all(np.isfinite(size)):
            self._scale = 1.0 / size
        return 0.5 * (hessian + hessian.T)


def with_differenced_hessian(objective: Objective) -> Objective:
    """The same objective with `hessian` differenced from its score."""
    return _Differenced(objective)
