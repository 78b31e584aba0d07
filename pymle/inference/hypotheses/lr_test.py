"""Likelihood-ratio tests between nested fits."""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pymle.errors import AnalysisError
from pymle.fitted import Fitted
from pymle.inference.hypotheses.chi_bar import ChiBar, chi_bar, largest
from pymle.inference.hypotheses.cones import size
from pymle.inference.hypotheses.edge import edge_covariance
from pymle.inference.hypotheses.nesting import Nesting, nesting_of
from pymle.inference.hypotheses.same_data import same_data
from pymle.inference.hypotheses.wald_test import chi2_tail
from pymle.verdict import Status

#: By how much the larger model may be lower: rounding of a sum, relative and absolute.
_RELATIVE, _ABSOLUTE = 1e-12, 1e-7
#: The same where the larger fit ran up to an edge, which it does not attain.
_EDGE = 1e-5


@dataclass(frozen=True)
class LikelihoodRatio:
    """A likelihood-ratio test of a smaller fit against a larger one.

    Attributes
    ----------
    statistic : float
        Twice the difference of the log-likelihoods.
    df : int
        Difference of the numbers of parameters.
    p : float
    distribution : str
        What the statistic is compared with.
    weights : dict of int to float or None
        Of the chi-bar-squared mixture by degrees of freedom; None without an edge.
    p_error : float
        Monte Carlo standard error of ``p``; zero where nothing is simulated.
    nesting : str
        What was recognised about the two models, or assumed.
    verified : bool
        Whether it could be verified that they are nested.
    on_edge : tuple of str
        Entries that the smaller model has on the edge of their support.
    names : tuple of str
        The smaller fit and the larger one.
    table : pandas.DataFrame
        Number of parameters and log-likelihood of both, statistic, df and p.
    remarks : tuple of str
    """

    statistic: float
    df: int
    p: float
    distribution: str
    weights: dict[int, float] | None
    p_error: float
    nesting: str
    verified: bool
    on_edge: tuple[str, ...]
    names: tuple[str, str]
    table: pd.DataFrame = field(repr=False)
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        notes = "\n".join(f"note: {note}" for note in self._notes())
        return f"{self._title()}\n\n{self.table.to_string(na_rep='')}\n\n{notes}"

    def _repr_html_(self) -> str:
        notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self._notes())
        table = self.table.to_html(na_rep="")
        return f"<div><strong>{html.escape(self._title())}</strong>{table}{notes}</div>"

    def _title(self) -> str:
        error = f" ± {self.p_error:.1g}" if self.p_error else ""
        return (
            f"Likelihood-ratio test of {self.names[0]} within {self.names[1]}: statistic "
            f"{self.statistic:.6g}, df = {self.df}, p = {self.p:.6g}{error}"
        )

    def _notes(self) -> list[str]:
        return [f"compared with {self.distribution}", f"nesting: {self.nesting}", *self.remarks]


@dataclass(frozen=True)
class LikelihoodRatios:
    """Likelihood-ratio tests along a chain of nested fits.

    Attributes
    ----------
    tests : tuple of LikelihoodRatio
        Each fit against the next larger one.
    table : pandas.DataFrame
        One row for each fit, smallest first; tests stand with the larger of two.
    """

    tests: tuple[LikelihoodRatio, ...]
    table: pd.DataFrame

    def __repr__(self) -> str:
        notes = [
            f"note: {test.names[0]} within {test.names[1]}: {note}"
            for test in self.tests
            for note in test._notes()
        ]
        table = self.table.to_string(na_rep="")
        return "\n".join(["Likelihood-ratio tests, one after the other", "", table, "", *notes])

    def _repr_html_(self) -> str:
        return f"<div><strong>Likelihood-ratio tests</strong>{self.table.to_html(na_rep='')}</div>"


def lr_test(
    fits: Sequence[Fitted],
    names: Sequence[str],
    *,
    nested: bool = False,
    random_seed: int = 0,
) -> LikelihoodRatio | LikelihoodRatios:
    """Compare nested fits by their likelihoods.

    Parameters
    ----------
    fits : sequence of Fitted
        Two or more, in any order.
    names : sequence of str
    nested, random_seed
        As in `Fit.lr_test`.

    Returns
    -------
    LikelihoodRatio or LikelihoodRatios
        The latter for more than two.

    Raises
    ------
    AnalysisError
    """
    laws = same_data(fits, names)
    order = sorted(range(len(fits)), key=lambda i: size(fits[i]))
    tests = tuple(
        _pair(
            (fits[i], fits[j]),
            (names[i], names[j]),
            nesting_of(fits[i], fits[j], (laws[i], laws[j]), declared=nested),
            random_seed,
        )
        for i, j in itertools.pairwise(order)
        if _ordered(fits[i], fits[j], names[i], names[j])
    )
    if len(tests) == 1:
        return tests[0]
    first = tests[0].table.iloc[[0]]
    return LikelihoodRatios(tests, pd.concat([first, *(test.table.iloc[[1]] for test in tests)]))


def _ordered(small: Fitted, large: Fitted, first: str, second: str) -> bool:
    if size(small) == size(large):
        raise AnalysisError.not_nested(
            f"{first} and {second} have the same number of parameters ({small.estimate.nparams})."
        )
    return True


def _pair(
    fits: tuple[Fitted, Fitted], names: tuple[str, str], nesting: Nesting, seed: int
) -> LikelihoodRatio:
    small, large = (fitted.estimate for fitted in fits)
    edge = () if nesting.null is None else nesting.null.on_edge
    at_limit = _check_verdicts(fits, names, edge)
    df = large.nparams - small.nparams
    gain = large.loglik - small.loglik
    slack = _EDGE if at_limit else _ABSOLUTE
    rounding = slack + _RELATIVE * abs(small.loglik)
    if gain < -rounding:
        raise AnalysisError.wrong_order(names[0], names[1], small.loglik, large.loglik)
    # No gain but rounding is none: a mixture may have a point mass at zero.
    statistic = 2.0 * gain if gain > rounding else 0.0
    remarks: list[str] = []
    if at_limit:
        remarks.append(
            f"{names[1]} ran up to the edge of the support of {', '.join(edge)}: its "
            "log-likelihood is that of the edge to the digits that the search reached"
        )
    mixture: ChiBar | None = None
    if nesting.cone is not None:
        df, mixture = nesting.cone.df, nesting.cone.mixture(seed)
    elif edge:
        assert nesting.null is not None
        covariance, said = edge_covariance(nesting.null, df)
        remarks += said
        if covariance is None:
            mixture = largest(df)
        else:
            mixture = chi_bar(df - len(edge), covariance, seed)
    table = pd.DataFrame(
        {
            "parameters": [small.nparams, large.nparams],
            "loglik": [small.loglik, large.loglik],
            "statistic": [np.nan, statistic],
            "df": [np.nan, df],
            "p": [np.nan, chi2_tail(statistic, df) if mixture is None else mixture.tail(statistic)],
        },
        index=list(names),
    )
    return LikelihoodRatio(
        statistic=statistic,
        df=df,
        p=float(table["p"].iloc[1]),
        distribution=f"chi-squared({df})" if mixture is None else mixture.text,
        weights=None if mixture is None else mixture.weights,
        p_error=0.0 if mixture is None else mixture.tail_error(statistic),
        nesting=nesting.text,
        verified=nesting.verified,
        on_edge=edge,
        names=names,
        table=table,
        remarks=tuple(remarks),
    )


def _check_verdicts(
    fits: tuple[Fitted, Fitted], names: tuple[str, str], edge: tuple[str, ...]
) -> bool:
    """Refuse fits without a certificate; True where the larger one ran up to the null's edge."""
    small, large = (fitted.estimate for fitted in fits)
    if not small.verdict.ok:
        raise AnalysisError.test_needs_certificate(names[0], str(small.verdict))
    if large.verdict.ok:
        return False
    tails = set(large.verdict.parameters)
    if large.verdict.status is Status.BOUNDARY and tails and tails <= set(edge):
        return True
    raise AnalysisError.test_needs_certificate(names[1], str(large.verdict))
