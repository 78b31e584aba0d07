"""Separation: whether real parameters have gone to infinity, which, and what stays finite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pymle.objective import Likelihood
from pymle.objective.contributions import conditional_scores, observation_scores
from pymle.optimize import Solution
from pymle.verdict.curvature import Curvature
from pymle.verdict.lines import Lines
from pymle.verdict.recession import Recession, find_recession
from pymle.verdict.records import Status, Verdict
from pymle.verdict.tails import Tails

#: Statuses after which a direction is looked for without further signs.
_ASKED = {Status.NO_MAXIMUM, Status.NOT_CONVERGED, Status.FLAT, Status.SADDLE}
#: Conditional standard errors that are stepped, where the log-likelihood is finite there, and the
#: share of the quadratic fall that a maximum must show.
_FAR, _FALL = (8.0, 0.8, 0.08, 0.008), 0.03
#: Coordinates up to which every one is stepped along, and curvatures that count as small.
_MOST_STEPPED, _SMALL = 200, 1e-6
#: Singular value of unit vectors, relative to the largest, that tells none of them apart.
_TWICE = 1e-5
#: Difference of two sums of scores, relative to their entries, that is none.
_ROUNDING = 1e-10
#: Scores of single observations up to which they are looked at.
_MOST_SCORES = 20_000_000


@dataclass(frozen=True)
class Separation:
    """Real parameters at infinity.

    Attributes
    ----------
    recession : Recession
    lines : Lines
        Its coordinates.
    """

    recession: Recession
    lines: Lines

    @property
    def weights(self) -> dict[str, float]:
        """Labels in the direction, those that matter most first."""
        names = self.lines.names
        direction = names @ self.recession.direction
        share = np.where(
            np.abs(direction) > 1e-9 * np.max(np.abs(direction)),
            np.abs(names) @ self.recession.share,
            0.0,
        )
        share, direction = share / np.max(share), direction / np.max(np.abs(direction))
        order = np.argsort(-share, kind="stable")
        return {self.lines.labels[i]: float(direction[i]) for i in order if share[i] > 1e-6}

    def beyond(self, x: np.ndarray, length: float) -> np.ndarray | None:
        """The point (k,) so far along the direction, in units of a change in the scores."""
        return self.lines.to_x(self.lines.of(x) + length * self.recession.step)

    def tails(self, x: np.ndarray, others: Tails | None) -> Tails | None:
        """The directions without a standard error; None where they are not known."""
        flat = self.recession.unidentified
        if flat is None or flat.shape[1] == 0:
            return None
        directions = self.lines.jacobian(x) @ flat
        towards = dict(self.weights)
        if others is not None and not others.rising:
            directions = np.concatenate([directions, others.directions], axis=1)
            towards |= others.towards
        # The same direction may have been found twice, to a few digits.
        directions = directions / np.linalg.norm(directions, axis=0)
        basis, values, _ = np.linalg.svd(directions, full_matrices=False)
        kept = basis[:, values > _TWICE * values[0]]
        return Tails(kept, towards, infinite=True, rising=False)


def is_suspicious(
    value: Callable[[np.ndarray], float],
    solution: Solution,
    curvature: Curvature | None,
    verdict: Verdict,
    along: np.ndarray,
) -> bool:
    """Whether a search may have ended on a slope that never comes down.

    Parameters
    ----------
    value : callable
        Log-likelihood at a point.
    solution : Solution
    curvature : Curvature or None
    verdict : Verdict
        What was found without looking at observations.
    along : numpy.ndarray, shape (k, p)
        Directions without an end.

    Returns
    -------
    bool

    Notes
    -----
    At a maximum the log-likelihood has to fall by about 32 within eight conditional standard
    errors of a coordinate; where it falls by less than a thirtieth of that, it may be flat for
    ever.
    """
    if along.shape[1] == 0:
        return False
    if verdict.status in _ASKED or curvature is None or not curvature.finite:
        return True
    if along.shape[1] > _MOST_STEPPED:
        return False
    sizes = np.einsum("kp,kl,lp->p", along, curvature.information, along)
    if not np.all(sizes > 0):
        return True
    steps = list((along / np.sqrt(sizes)).T)
    values, vectors = curvature.eigen
    small = np.flatnonzero((values > 0) & (values < _SMALL))
    steps += [vectors[:, i] / curvature.scale / np.sqrt(values[i]) for i in small]
    for step in steps:
        if not all(_falls(value, solution, sign * step) for sign in (1.0, -1.0)):
            return True
    return False


def _falls(value: Callable[[np.ndarray], float], solution: Solution, step: np.ndarray) -> bool:
    """Whether the log-likelihood falls along a step of one standard error and more."""
    for far in _FAR:
        with np.errstate(all="ignore"):
            there = value(solution.x + far * step)
        if np.isfinite(there):
            return there - solution.value < -_FALL * 0.5 * far**2
    return False


def find_separation(
    likelihood: Likelihood, lines: Lines, x: np.ndarray, start: np.ndarray, *, others: bool
) -> Separation | None:
    """Look for a direction along which real parameters go to infinity.

    Parameters
    ----------
    likelihood : Likelihood
    lines : Lines
        Along which they may.
    x, start : numpy.ndarray, shape (k,)
        Where the search ended, and began.
    others : bool
        The log-likelihood has terms that no weight multiplies (Potentials): together they count
        as one more observation.

    Returns
    -------
    Separation or None
        None too where the scores of single observations cannot be had cheaply.

    Notes
    -----
    Random effects are held: a direction of the parameters alone along which no observation's
    log-density falls, whatever the effects, is one along which the integral does not fall.
    """
    if not likelihood.has_score or likelihood.route != "jax" or lines.size == 0:
        return None
    weights = likelihood.program[2]
    counted = [np.ravel(np.asarray(w)) for w in weights]
    if not counted or sum(map(len, counted)) * likelihood.size > _MOST_SCORES:
        return None
    weight = np.concatenate(counted)
    inside = weight > 0

    def rows(z: np.ndarray) -> np.ndarray | None:
        at = lines.to_x(z)
        if at is None:
            return None
        with np.errstate(all="ignore"):
            value, score, each = _scores_at(likelihood, at)
        if not np.isfinite(value):
            return None
        scores = np.concatenate([s.reshape(-1, len(at)) for s in each])
        weighted = scores[inside] * weight[inside, None]
        if others:
            weighted = np.concatenate([weighted, _rest(score, weighted)[None]])
        return weighted @ lines.jacobian(at)

    began = lines.of(start)
    ended = lines.of(x)
    if others:
        seen = [found for z in (began, ended) if (found := rows(z)) is not None]
        others = any(np.any(found[-1] != 0.0) for found in seen)
    scatter = np.random.default_rng(0).normal(size=(2, lines.size))
    near = (_inside(rows, began, step * np.maximum(np.abs(began), 0.3)) for step in scatter)
    points = [began, *near]
    if np.all(np.isfinite(ended)) and np.max(np.abs(ended), initial=0.0) < 1e8:
        points += [ended]
    points = [p for p in points if lines.to_x(p) is not None]
    recession = find_recession(rows, np.array(points), order=lines.order())
    return None if recession is None else Separation(recession, lines)


def _rest(score: np.ndarray, weighted: np.ndarray) -> np.ndarray:
    """Score of what is no observation, without the rounding of the sum."""
    rest = score - weighted.sum(axis=0)
    return np.where(np.abs(rest) <= _ROUNDING * np.abs(weighted).sum(axis=0), 0.0, rest)


def _scores_at(
    likelihood: Likelihood, at: np.ndarray
) -> tuple[float, np.ndarray, list[np.ndarray]]:
    from pymle.objective.integrate.marginal import Marginal  # with what sparse matrices need

    if isinstance(likelihood, Marginal):
        return conditional_scores(likelihood, at)
    value, score = likelihood.value_and_score(at)
    # Elsewhere the scores may be anything, and cost as much as a Hessian.
    return value, score, observation_scores(likelihood, at) if np.isfinite(value) else []


def _inside(
    rows: Callable[[np.ndarray], np.ndarray | None], began: np.ndarray, step: np.ndarray
) -> np.ndarray:
    """A step, or as much of it as leads to no overflow: predictors may be in the thousands."""
    for share in (1.0, 0.1, 0.01, 1e-3, 1e-4):
        found = rows(began + share * step)
        if found is not None and np.all(np.isfinite(found)):
            return began + share * step
    return began


def separated(verdict: Verdict, found: Separation, *, limit: bool, firth: bool) -> Verdict:
    """The verdict on separated data.

    Parameters
    ----------
    verdict : Verdict
        Its evidence is kept.
    found : Separation
    limit : bool
        The other parameters are at their limits, with standard errors.
    firth : bool
        Firth's penalty is offered for these data.

    Returns
    -------
    Verdict
    """
    recession = found.recession
    names = [f"`{name}`" for name in found.weights]
    named = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    kind = "complete" if recession.complete else "quasi-complete"
    n, rising = recession.observations, recession.rising
    how_many = "all" if recession.complete else f"{rising} of"
    others = ""
    flat = recession.unidentified
    if limit and flat is not None and flat.shape[1] < len(flat):
        others = (
            " What these data still identify keeps its estimate and standard error: those of "
            "the limit."
        )
    penalty = ', use Firth\'s penalised likelihood (`penalty="firth"`)' if firth else ""
    advice = (
        f"The data are separated ({kind} separation): along this direction the likelihood of "
        f"{how_many} {n} observations rises for ever and that of none falls, so that {named} "
        f"{'is' if len(names) == 1 else 'are'} estimated at infinity.{others} Next step: tabulate "
        "the outcome against these covariates, then keep weakly informative priors with "
        f"`pymle.find_MAP`{penalty}, or drop or merge the covariates."
    )
    evidence = {
        **verdict.evidence,
        "separation": kind,
        "rising_observations": rising,
        "observations": n,
    }
    return replace(
        verdict,
        status=Status.NO_MAXIMUM,
        evidence=evidence,
        advice=advice,
        parameters=found.weights,
    )
