"""Derived quantities and tests."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from pymle import report
from pymle.errors import AnalysisError, NotCertifiedWarning
from pymle.fit.core import Core

if TYPE_CHECKING:
    from pymle.inference.derive import DerivedQuantities
    from pymle.inference.hypotheses import (
        LikelihoodRatio,
        LikelihoodRatios,
        ScoreTest,
        WaldTest,
    )


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
        draws: int = 4000,
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
        from pymle.inference.derive import derive

        with report.counting(progressbar, "profile") as callback:
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
                wrap=type(self),
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
        from pymle.inference.hypotheses import wald_test

        return wald_test(
            self._fitted,
            hypotheses,
            value=value,
            cov=cov,
            clusters=clusters,
            level=level,
            adjust=adjust,
        )

    def lr_test(
        self,
        *others: Any,
        names: Sequence[str] | None = None,
        nested: bool = False,
        random_seed: int = 0,
    ) -> LikelihoodRatio | LikelihoodRatios:
        """Likelihood-ratio test between nested fits.

        Parameters
        ----------
        *others : Fit
            One other fit, larger or smaller; with several, each is tested against the next
            larger one.
        names : sequence of str, optional
            What to call the fits, this one first.
        nested : bool
            You say that the models are nested where that cannot be seen: other distributions
            or Potentials, parameters with other names.
        random_seed : int
            For the weights of a chi-bar-squared mixture with several values on an edge.

        Returns
        -------
        LikelihoodRatio or LikelihoodRatios
            ``.statistic``, ``.df``, ``.p``, ``.nesting`` (what was recognised or assumed),
            ``.weights`` (chi-bar-squared); for several fits a table and the tests in it.

        Raises
        ------
        AnalysisError
            MAP fits, different observations or weights, equal numbers of parameters, models
            that are not nested as far as can be seen, a larger model with the lower
            likelihood, fits without a certificate.

        Notes
        -----
        Twice the difference of the log-likelihoods against chi-squared. Nesting is
        recognised where both fits are of one model and the smaller holds more of it
        (``fixed=``), and between models where the larger one, with what the smaller one
        lacks set to 0 or 1, has the smaller one's log-likelihood at its estimate; otherwise
        names decide, and the record says what was assumed. Values on the edge of their
        support (``fixed={"tau": 0}``) are compared with the chi-bar-squared mixture: half and
        half for one value, weights simulated from the information for several. A larger
        fit that ran up to that edge is admitted. The mixture takes the other parameters to
        be inside their supports and identified under the null hypothesis. Fits of one model
        under different ``constraints=`` are compared too: equations by chi-squared;
        equations against one side (``"a = b"`` in ``"a >= b"``), and inequalities in a fit
        without them (at their least favourable case), by chi-bar-squared.

        References
        ----------
        Wilks (1938), doi:10.1214/aoms/1177732360; Self and Liang (1987),
        doi:10.1080/01621459.1987.10478472; Silvapulle and Sen (2005), Constrained
        Statistical Inference.
        """
        from pymle.inference.hypotheses import lr_test

        fits = [self, *others]
        if len(fits) < 2:
            raise AnalysisError.argument("others", "none", "at least one other fit")
        for each in others:
            if not isinstance(each, Core):
                raise AnalysisError.not_a_fit(each)
        if names is None:
            names = ["this fit", *(["the other fit"] if len(fits) == 2 else [])]
            names = names if len(fits) == 2 else [f"fit {i}" for i in range(len(fits))]
        elif len(set(names)) != len(fits):
            raise AnalysisError.argument("names", names, f"{len(fits)} different names")
        return lr_test(
            [each._fitted for each in fits], list(names), nested=nested, random_seed=random_seed
        )

    def score_test(
        self,
        var_names: Sequence[str] | str | None = None,
        *,
        information: str = "observed",
        random_seed: int = 0,
    ) -> ScoreTest:
        """Score (Rao) test of what this fit holds, without fitting the larger model.

        What is tested are the values given as ``fixed=``, or the equations of a fit with
        ``constraints=`` (the Lagrange multiplier test).

        Parameters
        ----------
        var_names : sequence of str or str, optional
            Variables or labels among ``fixed=`` that are tested; the others stay held. All
            by default.
        information : {"observed", "expected", "opg"}
            Of the larger model at this estimate: minus the Hessian, its expectation, or the
            outer products of the observations' scores.
        random_seed : int
            For the weights of a chi-bar-squared mixture with several values on an edge.

        Returns
        -------
        ScoreTest
            ``.statistic``, ``.df``, ``.p``; ``.table`` with the score of each entry and
            where one Newton step would take it.

        Raises
        ------
        AnalysisError
            Nothing is held, a MAP fit, no certificate, an information that is not positive
            definite.

        Notes
        -----
        ``U' inv(I) U`` against chi-squared; valid in large samples, near the null
        hypothesis. The observed information is that of the natural scale for the tested
        entries. A value on the edge of its support is tested one-sided: the part of the
        score that points inwards, against the chi-bar-squared mixture (Silvapulle and
        Silvapulle 1995).

        References
        ----------
        Rao (1948), doi:10.1017/S0305004100023987; Silvapulle and Silvapulle (1995),
        doi:10.1080/01621459.1995.10476518.

        Examples
        --------
        >>> null = pymle.find_MLE(model, fixed={"beta[x3]": 0})  # doctest: +SKIP
        >>> null.score_test().p  # doctest: +SKIP
        """
        from pymle.inference.hypotheses import score_test

        return score_test(self._fitted, var_names, information=information, random_seed=random_seed)


def compare(fits: Mapping[str, Any] | Sequence[Any], by: str = "aic") -> pd.DataFrame:
    """Rank fits to the same data by an information criterion.

    Parameters
    ----------
    fits : mapping of str to Fit, or sequence of Fit
        They need not be nested.
    by : {"aic", "aicc", "bic"}
        Criterion by which they are sorted, and of which ``delta`` and ``weight`` are made.

    Returns
    -------
    pandas.DataFrame
        Best first: ``loglik``, ``nparams``, ``nobs``, ``aic``, ``aicc``, ``bic``, ``delta``
        (to the best), ``weight`` (exp(-delta / 2), summing to one), ``verdict``.

    Raises
    ------
    AnalysisError
        MAP fits, fits to different observations, different weights or numbers of rows.

    Warns
    -----
    NotCertifiedWarning
        A fit is no certified maximum: its log-likelihood may be too low, or unbounded.

    Notes
    -----
    Log-likelihoods carry all constants, so that different distributions can be compared, as
    long as they are those of the same observed values: not of a logarithm in one model and
    of the values themselves in another.

    References
    ----------
    Akaike (1974), doi:10.1109/TAC.1974.1100705; Hurvich and Tsai (1989),
    doi:10.1093/biomet/76.2.297; Schwarz (1978), doi:10.1214/aos/1176344136; Burnham and
    Anderson (2002), Model Selection and Multimodel Inference.
    """
    from pymle.inference.hypotheses import compare_table

    if not isinstance(fits, Mapping):
        fits = {f"fit {i}": each for i, each in enumerate(fits)}
    for each in fits.values():
        if not isinstance(each, Core):
            raise AnalysisError.not_a_fit(each)
    table = compare_table({str(name): each._fitted for name, each in fits.items()}, by)
    uncertain = [str(name) for name, each in fits.items() if not each.verdict.ok]
    if uncertain:
        listed = ", ".join(f"`{n}` ({table.loc[n, 'verdict']})" for n in uncertain)
        warnings.warn(
            f"Not certified as maxima: {listed}. Their log-likelihoods, and the ranking, are only "
            "as good as their verdicts say.",
            NotCertifiedWarning,
            stacklevel=2,
        )
    return table
