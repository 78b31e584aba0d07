"""A fit as tables: summary, limits, covariance, correlation, information; text and HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pymle import report
from pymle.errors import AnalysisError
from pymle.fit.core import Core
from pymle.inference import Covariance, estimate_covariance
from pymle.inference.covariance import Units, score_table, units_of


class Tables(Core):
    """Tables of a fit."""

    def summary(
        self,
        var_names: Sequence[str] | str | None = None,
        filter_vars: str | None = None,
        coords: Mapping[str, Any] | None = None,
        level: float = 0.95,
        *,
        cov: str | Covariance | None = None,
        clusters: Any = None,
        cov_kwds: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Estimates with standard errors, tests against zero and Wald limits.

        Parameters
        ----------
        var_names : sequence of str or str, optional
            Variables to show, Deterministics included; a name that starts with ``~`` is
            left out. Default: all parameters, and the Deterministics without an
            observation dim and with at most 50 entries.
        filter_vars : {None, "like", "regex"}
            How ``var_names`` are matched: whole names, substrings, or regular expressions.
        coords : mapping of dim to labels, optional
            Keep only entries with these coordinates.
        level : float
            Coverage of the limits, in (0, 1).
        cov : str, optional
            Covariance that standard errors, tests and limits rest on, Deterministics
            included: ``"sandwich"``, ``"HC1"``, ``"CR1"`` and so on, as in `covariance`.
        clusters : optional
            As in `covariance`; alone it means ``cov="CR1"``.
        cov_kwds : mapping, optional
            Further arguments of `covariance`: ``k``, ``lags``, ``simulations``,
            ``random_seed``.

        Returns
        -------
        pandas.DataFrame
            Columns ``estimate``, ``se``, ``z``, ``p``, ``lower``, ``upper``; for a MAP fit
            without ``z`` and ``p``, and ``se`` is the posterior curvature's. Natural scale.
            ``z`` and ``p`` are NaN where zero is no interior point of the support. With
            another covariance than the default its name and units stand at the head of the
            table and, with the numbers, in ``attrs``.

        Raises
        ------
        AnalysisError
            Unknown names, a level outside (0, 1), or as `covariance`.

        Notes
        -----
        Wald limits are valid where the log-likelihood is near to quadratic on the scale
        on which they are formed (see `pymle.inference.wald.wald_limits`).
        """
        covariance = self._covariance_record(cov, clusters, cov_kwds)
        return report.summary_table(self, var_names, filter_vars, coords, level, covariance)

    def covariance(
        self,
        cov: str | Covariance | None = None,
        scale: str = "natural",
        *,
        clusters: Any = None,
        k: int | None = None,
        lags: int | None = None,
        simulations: int = 200,
        random_seed: int | None = 0,
    ) -> pd.DataFrame:
        """Covariance of the estimates: from the curvature, from scores, or from both.

        Parameters
        ----------
        cov : str, optional
            ``"observed"``: inverse observed information, the default. ``"expected"``:
            inverse expected information. ``"opg"``: inverse of the sum of outer products of
            the scores of independent units (BHHH). ``"sandwich"`` or ``"HC0"``: inverse
            information, sum of outer products, inverse information. ``"HC1"``: that times
            n / (n - k). With ``clusters``: ``"CR0"`` (also ``"sandwich"``) without a
            correction, ``"CR1"`` (also ``"cluster"``; the default with clusters) times
            G / (G - 1), ``"CR1S"`` times G / (G - 1) * (n - 1) / (n - k). ``"HAC"``: the
            sandwich of Newey and West for rows in time order, Bartlett weights. Also
            ``"oim"``, ``"nonrobust"``, ``"eim"``, ``"bhhh"``, ``"robust"``.
        scale : {"natural", "unconstrained"}
        clusters : array_like, str, mapping or DataFrame, or a tuple or list of several
            What groups observations to independent units: a label for each observation, the
            name of a dim of the observed variable, of coords of its length, or of a
            ``pm.Data``; a dict by observed variable where there are several. Two (or three)
            of these in a tuple, a list or the columns of a frame cluster in several ways.
        k : int, optional
            Parameters that ``HC1`` and ``CR1S`` subtract. Default: the estimated entries
            that move the mean of an observed variable (a regression's coefficients without
            its sigma, as in statsmodels and R); all, where no mean is known in closed form.
        lags : int, optional
            Lags of ``HAC``; default ``floor(4 (n / 100)**(2 / 9))`` (Newey and West 1994).
        simulations : int
            Data sets that ``expected`` simulates where outcomes cannot be added up.
        random_seed : int, optional
            For these.

        Returns
        -------
        pandas.DataFrame
            Labelled; estimated entries only. NaN where there is no standard error.
            For a MAP fit: inverse posterior curvature. Its ``attrs`` say what it rests on.

        Raises
        ------
        AnalysisError
            Anything but ``observed`` for a MAP fit. Dependent data (one joint log-density)
            or a Potential where independent units are needed. ``observed``, ``opg`` and
            ``expected`` with sampling weights. Clusters that do not fit the data.

        Notes
        -----
        Independent units are the rows of the elementwise log-densities (rows shared by
        several observed variables are one unit), or what ``clusters`` declares; `units`
        shows them. The information is the observed one throughout: for canonical links
        that is the expected one of generalized linear models too, for others the sandwich
        differs from software that uses the expected information. A row with frequency
        weight w counts as w units; sampling weights are squared in the sum of products.

        With a wrong variance but a right mean, sandwiches keep the standard errors of the
        mean's parameters right in large samples; with a wrong mean they describe the best
        approximation within the model. They need many units: below some 50 clusters, or
        for parameters that few units inform, they are too small. With sampling weights
        ``CR1`` with ``clusters=range(n)`` has the factor n / (n - 1) of R's ``svyglm``.

        References
        ----------
        White, H. (1982), theorem 3.2, doi:10.2307/1912526. Berndt, Hall, Hall and Hausman
        (1974), Annals of Economic and Social Measurement 3. MacKinnon and White (1985),
        section 2, doi:10.1016/0304-4076(85)90158-7. Cameron, Gelbach and Miller (2011),
        section 2, doi:10.1198/jbes.2010.07136. Newey and West (1987), doi:10.2307/1913610.
        """
        if isinstance(cov, str) and cov in ("natural", "unconstrained"):
            cov, scale = None, cov
        options = {"k": k, "lags": lags, "simulations": simulations, "random_seed": random_seed}
        record = estimate_covariance(self._fitted, cov, clusters=clusters, **options)
        return report.covariance_table(self._estimate, record, scale)

    def correlation(
        self,
        cov: str | Covariance | None = None,
        scale: str = "natural",
        *,
        clusters: Any = None,
        k: int | None = None,
        lags: int | None = None,
        simulations: int = 200,
        random_seed: int | None = 0,
    ) -> pd.DataFrame:
        """Correlation of the estimates, from `covariance`.

        Parameters
        ----------
        cov, scale, clusters, k, lags, simulations, random_seed
            As in `covariance`.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        AnalysisError
            As `covariance`.
        """
        out = self.covariance(
            cov,
            scale,
            clusters=clusters,
            k=k,
            lags=lags,
            simulations=simulations,
            random_seed=random_seed,
        )
        return report.correlation_table(out)

    def units(self, clusters: Any = None) -> Units:
        """The independent units that covariances from scores add up over.

        Parameters
        ----------
        clusters : optional
            As in `covariance`, one way; by default the units that the model shows.

        Returns
        -------
        Units
            Prints their number and kind; ``index`` labels them, ``codes`` gives the unit of
            every observation.

        Raises
        ------
        AnalysisError
            Dependent data (one joint log-density), a Potential alone, or clusters that do
            not fit.
        """
        return units_of(self._fitted, clusters)

    def scores(self, scale: str = "natural", *, clusters: Any = None) -> pd.DataFrame:
        """Scores of the independent units at the estimate.

        Parameters
        ----------
        scale : {"natural", "unconstrained"}
            Scale of the parameters with respect to which derivatives are taken.
        clusters : optional
            As in `covariance`, one way; by default the units that the model shows.

        Returns
        -------
        pandas.DataFrame
            One row for each unit, labelled with coordinates where the model has them, one
            column for each estimated entry. Weighted, so that the sum over rows is the
            score of the log-likelihood (zero at a maximum, but for constraints that bind).

        Raises
        ------
        AnalysisError
            As `covariance` for dependent data, Potentials and MAP fits; ``"natural"`` for
            entries that constrain each other (a simplex), which have no derivative alone.

        Notes
        -----
        Exact: the derivative of the score with respect to the weights of the observations.
        Costs about one Hessian, and k numbers of memory for each observation.
        """
        return score_table(self._fitted, scale, clusters)

    @property
    def information(self) -> pd.DataFrame:
        """Observed information on the unconstrained scale (MAP: posterior curvature).

        Under constraints that of the Lagrangian, whose inverse is no covariance: see
        `constraints`.
        """
        labels = list(self._estimate.layout.free_labels)
        if self._estimate.curvature is None:
            raise AnalysisError("This fit has no curvature: its objective has no gradient.")
        restriction = self._estimate.restriction
        matrix = self._estimate.curvature.information
        if restriction is not None and restriction.hessian is not None:
            matrix = -restriction.hessian
        return pd.DataFrame(matrix, index=labels, columns=labels)

    def _covariance_record(
        self,
        cov: str | Covariance | None,
        clusters: Any,
        cov_kwds: Mapping[str, Any] | None = None,
    ) -> Covariance | None:
        """The covariance that a table asks for; None for the observed information."""
        sampling = self._estimate.weights_kind == "sampling"
        if cov is None and clusters is None and not cov_kwds and not sampling:
            return None
        options = dict(cov_kwds or {})
        known = ("k", "lags", "simulations", "random_seed")
        for name in options:
            if name not in known:
                raise AnalysisError.argument("cov_kwds", name, f"names among {', '.join(known)}")
        return estimate_covariance(self._fitted, cov, clusters=clusters, **options)

    def __repr__(self) -> str:
        return report.fit_text(self)

    def _repr_html_(self) -> str:
        return report.fit_html(self)
