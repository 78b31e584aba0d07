"""Derived quantities and tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymle import report
from pymle.fit.core import Core
from pymle.inference.derive import DRAWS, DerivedQuantities, derive
from pymle.inference.hypotheses import WaldTest, wald_test


class Hypotheses(Core):
    """Functions of the parameters and hypotheses about them."""

    def derived(
        self,
        what: Any = None,
        *,
        level: float = 0.95,
        method: str = "delta",
        name: str | None = None,
        coords: Mapping[str, Any] | None = None,
        cov: Any = None,
        clusters: Any = None,
        adjust: str | None = None,
        draws: int = DRAWS,
        random_seed: int = 0,
        progressbar: bool = True,
    ) -> DerivedQuantities:
        """Functions of the parameters: estimates, standard errors and limits.

        Parameters
        ----------
        what : str, callable, list or dict of these, optional
            The name or label of a parameter (``"beta[x1]"``) or of a Deterministic, an
            expression of such names (``"exp(a) * b"``), or a function of the natural-scale
            point (a dict of arrays by parameter name) that returns a number or an array.
            Several as a list, or as a dict with names for them. Default: every
            Deterministic that depends on estimated parameters alone.
        level : float
            Coverage of the limits, in (0, 1).
        method : {"delta", "profile", "draws"}
            Delta method; profile likelihood (each entry maximised over everything else, at
            the cost of a few refits per entry); quantiles of normal draws of the parameters
            on the unconstrained scale.
        name : str, optional
            What to call a single quantity.
        coords : mapping of dim to labels, optional
            Keep only entries with these coordinates.
        cov : str, optional
            Covariance of the estimates, as in `covariance`.
        clusters : optional
            Groups of dependent observations, as in `covariance`.
        adjust : {None, "bonferroni", "sidak", "single-step"}
            Widen the limits so that all hold together with probability ``level``;
            ``single-step`` uses the correlations between the estimates.
        draws : int
            Number of draws for ``method="draws"``.
        random_seed : int
            For draws; the result is the same for the same seed.
        progressbar : bool
            Show progress of what takes longer than a few seconds.

        Returns
        -------
        DerivedQuantities
            ``.table`` (pandas, labelled, natural scale), ``.covariance``, ``.to_xarray()``
            with the model's dims and coords.

        Raises
        ------
        AnalysisError
            Unknown names, expressions that do not read, functions that fail, variables of
            which the data say nothing.

        Notes
        -----
        Delta-method limits are formed on the scale that the range suggests: identity where
        there is no bound, log of the distance to a single one, logit between 0 and 1, as in
        `summary`; they hold where the function is near to linear over the limits. Profile
        limits do not depend on the scale. For a MAP fit the standard errors are the
        posterior curvature's.

        References
        ----------
        Oehlert (1992), A note on the delta method, The American Statistician 46,
        doi:10.1080/00031305.1992.10475842.

        Examples
        --------
        >>> fit.derived("exp(intercept) / (1 + exp(intercept))")  # doctest: +SKIP
        """
        with report.progress(progressbar) as callback:
            return derive(
                self._fitted,
                what,
                level=level,
                method=method,
                name=name,
                coords=coords,
                cov=cov,
                clusters=clusters,
                adjust=adjust,
                draws=draws,
                random_seed=random_seed,
                callback=callback,
            )

    def wald_test(
        self,
        hypotheses: Any,
        *,
        value: Any = None,
        cov: Any = None,
        clusters: Any = None,
        level: float = 0.95,
        adjust: str | None = None,
    ) -> WaldTest:
        """Wald test of equations between functions of the parameters.

        Parameters
        ----------
        hypotheses : str, list of str, pandas.DataFrame or array_like
            Equations in text: ``"beta[x1] = beta[x2]"``, ``"exp(a) * b = 1"``, several
            separated by commas or in a list, tested jointly; an expression alone is set
            equal to zero, an array entry by entry (``"beta"``). Or contrasts: a frame
            whose columns are labels and whose rows are named combinations, or a matrix
            with one column for each estimated entry, in the order of `covariance`.
        value : float or array_like, optional
            Values of the contrasts under the hypothesis; zero by default.
        cov : str, optional
            Covariance of the estimates, as in `covariance`.
        clusters : optional
            Groups of dependent observations, as in `covariance`.
        level : float
            Coverage of the limits of each row.
        adjust : str, optional
            How p-values (and limits) of the rows take account of their number:
            ``bonferroni``, ``sidak``, ``single-step`` (of the largest of the correlated
            statistics) for both; ``holm``, ``holm-sidak``, ``simes-hochberg``, ``fdr_bh``,
            ``fdr_by`` for p-values alone.

        Returns
        -------
        WaldTest
            ``.statistic``, ``.df``, ``.p`` of all equations together; ``.table`` with one
            row for each.

        Raises
        ------
        AnalysisError
            A MAP fit, equations that contradict each other or hold whatever the data say,
            a value on the edge of the support, parameters without a standard error.

        Notes
        -----
        Chi-squared with as many degrees of freedom as the covariance of the differences has
        rank. Valid in large samples, where the estimates are near to normal. The Wald test
        of an equation that is not linear depends on how the equation is written (``a * b =
        1`` and ``a = 1 / b`` give different answers); the likelihood-ratio test does not.

        References
        ----------
        Wald (1943), Transactions of the American Mathematical Society 54,
        doi:10.1090/S0002-9947-1943-0012401-3; Gregory and Veall (1985), Econometrica 53,
        doi:10.2307/1913221, on the dependence on how it is written.
        """
        return wald_test(
            self._fitted,
            hypotheses,
            value=value,
            cov=cov,
            clusters=clusters,
            level=level,
            adjust=adjust,
        )
