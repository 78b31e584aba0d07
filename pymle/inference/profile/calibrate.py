"""Cut-offs of the likelihood ratio from data sets simulated at the estimate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.bind import likelihood_of
from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.profile.counted import Counted
from pymle.inference.profile.follow import Asked, check_profiles, components_of
from pymle.inference.profile.solve import SETTLED, Failed, Solver
from pymle.inference.profile.target import Component, Target
from pymle.model.predictive.simulate import Simulator
from pymle.optimize import Termination, maximise

__all__ = ["Calibration", "calibrate"]

#: Share of data sets that may fail.
_FAILED = 0.1


@dataclass(frozen=True)
class Calibration:
    """Likelihood ratios of simulated data sets at the values that they were simulated from.

    Attributes
    ----------
    labels : tuple of str
    ratios : numpy.ndarray, shape (n, m)
        Twice the fall of the log-likelihood; nan where a maximum was not found.
    """

    labels: tuple[str, ...]
    ratios: np.ndarray

    @property
    def failed(self) -> np.ndarray:
        """Number of data sets without a likelihood ratio, shape (m,)."""
        return np.isnan(self.ratios).sum(axis=0)

    def cutoffs(self, level: float) -> np.ndarray:
        """Signed roots at the limits, shape (m,): the order statistic that level * (n + 1) names.

        Raises
        ------
        AnalysisError
            Too few data sets for the level, or too many that failed.
        """
        out = []
        for label, column in zip(self.labels, self.ratios.T, strict=True):
            good = np.sort(column[~np.isnan(column)])
            if len(good) < (1.0 - _FAILED) * len(column):
                raise AnalysisError.calibration_failed(label, len(column) - len(good), len(column))
            place = int(np.ceil(level * (len(good) + 1)))
            if place > len(good):
                raise AnalysisError.argument(
                    "n_boot", len(column), f"at least {int(np.ceil(level / (1 - level)))}"
                )
            out.append(np.sqrt(max(good[place - 1], 0.0)))
        return np.array(out)


def calibrate(
    fitted: Fitted,
    asked: Sequence[Asked],
    *,
    n: int = 999,
    random_seed: Any = None,
    callback: Callable[[str, int, int], object] | None = None,
) -> Calibration:
    """Likelihood ratios of data sets simulated at the estimate.

    Parameters
    ----------
    fitted : Fitted
    asked : sequence of Asked
    n : int
        Number of data sets.
    random_seed : optional
        As `Simulator.draw` takes it.
    callback : callable, optional

    Returns
    -------
    Calibration

    Raises
    ------
    AnalysisError
        What refuses profiles or simulation; frequency weights.

    Notes
    -----
    Each data set is refitted twice for each scalar, freely and with the scalar held at the value
    that it was simulated from; the quantile of the likelihood ratio takes the place of the
    chi-squared one. It corrects the coverage of profile limits in small samples to the extent
    that the law of the ratio is the same at the estimate as at the truth.
    """
    check_profiles(fitted, "A calibrated profile likelihood")
    if fitted.given_weights is not None:
        raise AnalysisError.weighted_simulation("A calibrated profile likelihood")
    if fitted.estimate.restriction is not None:
        raise AnalysisError.not_under_constraints("A calibrated profile likelihood")
    if n < 1:
        raise AnalysisError.argument("n_boot", n, "a positive number")
    components = components_of(fitted, asked)
    simulator = Simulator(fitted.problem)
    drawn = simulator.draw(fitted.estimate.natural, random_seed, n)
    ratios = np.full((n, len(components)), np.nan)
    for i in range(n):
        if callback is not None:
            callback("simulated data set", i, n)
        data = {name: values[i] for name, values in drawn.items()}
        ratios[i] = _ratios(fitted, components, data)
    return Calibration(tuple(c.label for c in components), ratios)


def _ratios(
    fitted: Fitted, components: Sequence[Component], data: dict[str, np.ndarray]
) -> np.ndarray:
    problem, truth = fitted.problem.with_data(data), fitted.estimate.x
    likelihood = Counted(likelihood_of(problem))
    out = np.full(len(components), np.nan)
    found = maximise(likelihood, truth)
    if found.termination is Termination.INTERRUPTED:
        raise KeyboardInterrupt
    if found.termination not in SETTLED or not np.isfinite(found.value):
        return out
    top, x = found.value, found.x
    held = []
    for component in components:
        solver = Solver(likelihood, Target((component,)), problem.coordinates.bent_coordinates)
        line = np.array([component.line(truth)])
        here = solver.at(x, found.score, found.hessian)
        guesses = [truth]
        if here.tangent is not None:
            guesses.insert(0, x + here.tangent @ (line - here.line))
        try:
            held.append(solver.solve(line, *guesses))
        except Failed:
            held.append(None)
    best = max((place.value for place in held if place is not None), default=top)
    if best > top + 1e-8:
        # A held maximum above the free one: the free search stopped on a lower hill.
        start = next(p.x for p in held if p is not None and p.value == best)
        again = maximise(likelihood, start)
        top = max(again.value, best) if np.isfinite(again.value) else best
    for j, place in enumerate(held):
        if place is not None:
            out[j] = max(2.0 * (top - place.value), 0.0)
    return out
