"""Refits of a fit to many data sets or with many weights, in one compiled program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pymle.errors import DataError
from pymle.fitted import Fitted
from pymle.model import Problem
from pymle.model.sources import observed_sources
from pymle.objective.batched import can_batch
from pymle.objective.refits import Refits, refit_many

__all__ = ["Refits", "batchable", "data_places", "refit_batch"]


def batchable(fitted: Fitted) -> bool:
    """Whether refits of a fit can run in one compiled program.

    Parameters
    ----------
    fitted : Fitted

    Returns
    -------
    bool
        False on the interpreted route, without exact second derivatives, for more than a
        hundred parameters, and for fits under constraints.
    """
    return fitted.estimate.restriction is None and can_batch(fitted.likelihood)


def refit_batch(
    fitted: Fitted,
    *,
    data: Mapping[str, np.ndarray] | None = None,
    shares: np.ndarray | None = None,
    codes: Sequence[np.ndarray] | None = None,
    start: np.ndarray | None = None,
    values: bool = True,
    piece: int | None = None,
) -> Refits:
    """Refit to many data sets, or with many weights of the units.

    Parameters
    ----------
    fitted : Fitted
        `batchable` must hold.
    data : mapping of str to numpy.ndarray, shape (n, *shape), optional
        Data sets by observed variable or by ``pm.Data``, as `Simulator.draw` gives them.
    shares : numpy.ndarray, shape (n, u), optional
        A factor for each of u units, on top of the fit's own weights.
    codes : sequence of numpy.ndarray of int, optional
        With `shares`: for each observed variable the unit of every entry, as
        `Units.codes`.
    start : numpy.ndarray, shape (k,) or (n, k), optional
        Unconstrained points; the estimate by default.
    values : bool
        Give the log-likelihoods too, at the end and at the start, and use the damped
        iteration; without them it is about twice as fast and less robust.
    piece : int, optional
        Refits in one call of the program (it is compiled once for each size); all by default.

    Returns
    -------
    Refits
        Rows that did not converge say so; they are left where they stopped. Local maxima near
        the start: no other starts are tried.
    """
    problem, likelihood = fitted.problem, fitted.likelihood
    index: list[np.ndarray | None] = []
    if shares is not None:
        if codes is None:
            raise ValueError("shares of units need codes: the unit of every observation")
        index = [c.reshape(term.shape) for c, term in zip(codes, problem.observed, strict=True)]
    return refit_many(
        likelihood,
        fitted.estimate.x if start is None else start,
        shares=shares,
        index=index,
        replaced=data_places(problem, data or {}),
        values=values,
        piece=piece,
    )


def data_places(problem: Problem, data: Mapping[str, np.ndarray]) -> dict[int, np.ndarray]:
    """Data sets by their place among the arguments of the lowered log-likelihood.

    Parameters
    ----------
    problem : Problem
    data : mapping of str to numpy.ndarray, shape (n, *shape)

    Returns
    -------
    dict of int to numpy.ndarray

    Raises
    ------
    DataError
        Names that the likelihood does not take, or other shapes than those of the fit.
    """
    sources = observed_sources(problem.model)
    items = list(problem.lowered.data)
    known = {item.name: i for i, item in enumerate(items) if item.name}
    out = {}
    for asked, value in data.items():
        name = asked if asked in known else sources.get(asked)
        if name not in known:
            raise DataError.unknown(asked, sorted(known))
        present = problem.arguments(problem.lowered)[known[name]]
        if value.shape[1:] != np.shape(present):
            raise DataError(
                f"`{asked}`: data sets of shape {value.shape[1:]}, but the fit has "
                f"{np.shape(present)}."
            )
        out[known[name]] = np.asarray(value, dtype=np.asarray(present).dtype)
    return out
