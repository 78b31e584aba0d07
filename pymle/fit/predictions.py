"""What a fit says about data, seen and new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from pymle.fit.core import Core
from pymle.report.table import select_names

if TYPE_CHECKING:
    from pymle.inference.prediction import Effects, Prediction


class Predictions(Core):
    """Simulated data, draws of the parameters, predictions and effects."""

    def simulate(
        self,
        n: int = 100,
        random_seed: Any = None,
        *,
        data: Mapping[str, Any] | None = None,
        groups: str | Mapping[str, str] | None = None,
        parameters: str = "estimate",
        cov: Any = None,
        clusters: Any = None,
    ) -> xr.Dataset:
        """Data sets drawn from the fitted model.

        Parameters
        ----------
        n : int
            Number of data sets.
        random_seed : int, sequence of int, SeedSequence, numpy.random.Generator or None
            The first data sets of a longer series with the same seed are the same.
        data : mapping of str to array_like, optional
            New values of ``pm.Data``, as in `predict`.
        groups : {"new", "kept", "typical"} or mapping of str to str, optional
            With random effects: draw ``new`` ones from their laws for every data set (the
            default; lme4's ``use.u=FALSE``), hold those of the groups that were seen at their
            conditional modes (``kept``, lme4's ``use.u=TRUE``), or hold all at the mean of
            their law (``typical``). A mapping chooses by variable. Missing values are always
            drawn anew.
        parameters : {"estimate", "draws"}
            Draw all data sets at the estimate, or each at another asymptotic draw of the
            parameters (`draws`), so that their uncertainty is included.
        cov, clusters : optional
            The covariance behind these draws, as in `covariance`.

        Returns
        -------
        xarray.Dataset
            One array for each observed variable, with dim ``sample`` and the model's dims and
            coords.

        Raises
        ------
        AnalysisError
            A Potential belongs to the likelihood, or a distribution cannot be drawn (a
            ``CustomDist`` without ``random=``).
        DataError
            New data that do not fit the model.

        Notes
        -----
        All observed variables are drawn together, forward through the model: one that depends
        on another gets the draw of the other, as in ``pm.sample_posterior_predictive``. Rows
        with frequency weights are drawn once. Nothing is compiled; a thousand data sets of
        a logistic regression with a thousand rows take less than a second.
        """
        from pymle.inference import prediction

        return prediction.simulate(
            self._fitted,
            n,
            random_seed,
            data=data,
            groups=groups,
            parameters=parameters,
            cov=cov,
            clusters=clusters,
        )

    def draws(
        self,
        n: int = 1000,
        random_seed: Any = None,
        *,
        deterministics: bool = True,
        cov: Any = None,
        clusters: Any = None,
    ) -> Any:
        """Draws of the parameters from their asymptotic normal distribution, as an ArviZ tree.

        Parameters
        ----------
        n : int
            Number of draws.
        random_seed : int, sequence of int, SeedSequence, numpy.random.Generator or None
        deterministics : bool
            Compute the model's Deterministics at every draw.
        cov, clusters : optional
            The covariance of the normal distribution, as in `covariance`.

        Returns
        -------
        arviz.InferenceData or xarray.DataTree
            What the installed ArviZ works with (the second from ArviZ 1), with groups
            ``posterior`` (dims ``chain`` of length 1, ``draw``, and the model's),
            ``observed_data`` and ``constant_data``. The attributes say that these are no
            posterior draws. Natural scale.

        Raises
        ------
        AnalysisError
            Some parameter has no standard error.

        Notes
        -----
        Normal on the unconstrained scale around the estimate and mapped to the natural scale,
        so that a standard deviation is positive in every draw. Valid where the log-likelihood
        is near to quadratic on that scale; `profile` and the bootstrap do not assume it. For a MAP
        fit this is the Laplace approximation of the posterior.
        """
        from pymle.inference import prediction

        return prediction.draws(
            self._fitted,
            n,
            random_seed,
            deterministics=deterministics,
            cov=cov,
            clusters=clusters,
        )

    def predict(
        self,
        data: Mapping[str, Any] | None = None,
        var_names: Sequence[str] | str | None = None,
        filter_vars: str | None = None,
        coords: Mapping[str, Any] | None = None,
        level: float = 0.95,
        groups: str | Mapping[str, str] | None = None,
        interval: str = "delta",
        *,
        prediction_limits: bool = True,
        draws: int = 2000,
        random_seed: Any = 0,
        cov: Any = None,
        clusters: Any = None,
    ) -> Prediction:
        """Predicted means and Deterministics with confidence limits, and prediction limits.

        Parameters
        ----------
        data : mapping of str to array_like, optional
            New values of ``pm.Data`` by name; dims may change their length, and xarray and pandas
            objects bring their labels. A column may be set alone (``{"X[x1]": 0}``), and a
            number stands for an array that is full of it. What is not given keeps its values;
            outcomes need not be given. Default: the data of the fit.
        var_names : sequence of str or str, optional
            Observed variables (their conditional means) and Deterministics; a name that starts
            with ``~`` is left out. Default: all observed variables, and the Deterministics with
            an observation dim or at most 1,000 entries.
        filter_vars : {None, "like", "regex"}
            How ``var_names`` are matched, as in `summary`.
        coords : mapping of dim to labels, optional
            Keep only entries with these coordinates.
        level : float
            Coverage of all limits, in (0, 1).
        groups : {"kept", "new", "typical"} or mapping of str to str, optional
            With random effects: predict for the groups that were seen, at their conditional
            modes (``kept``, the default; lme4's ``re.form=NULL``); for a group with all effects
            at the mean of their law, zero for ``Normal(0, tau)`` (``typical``, lme4's
            ``re.form=NA``); or for groups that were not seen, averaged over the law of the
            effects (``new``, marginal means). A mapping such as ``{"u": "kept", "v": "new"}``
            chooses by variable; what it leaves out is kept.
        interval : {"delta", "draws"}
            Confidence limits by the delta method or as quantiles over asymptotic draws of the
            parameters.
        prediction_limits : bool
            Compute limits for a new observation. Parameters without a standard error (a scale
            at zero, a flat direction) are held at the estimate.
        draws : int
            Number of asymptotic draws. Fewer are made (and said) for very many rows.
        random_seed : int, sequence of int, SeedSequence, numpy.random.Generator or None
        cov, clusters : optional
            The covariance of the estimates, as in `covariance`.

        Returns
        -------
        Prediction
            ``.table`` (pandas) with columns ``estimate``, ``se``, ``lower``, ``upper``,
            ``prediction_lower``, ``prediction_upper`` and ``scale``; ``.to_xarray()`` with the
            model's dims and coords; ``.covariance`` between the entries. Natural scale.

        Raises
        ------
        DataError
            Unknown names, data that do not fit each other, data that are needed and not given.
        AnalysisError
            Unknown names; observed variables that cannot be simulated (pass
            ``prediction_limits=False`` or their names in ``var_names``).

        Notes
        -----
        The mean of an observed variable is that of its distribution given its parameters (of
        a binomial one ``n p``; of a categorical one the probabilities of the categories), where it
        depends on another observed variable given the observed values of that. Limits of means
        are symmetric on the scale of their range: log for positive ones, logit for shares.

        Prediction limits are quantiles over draws: each draws the parameters from their
        asymptotic normal distribution and one observation given these, which leaves a
        simulation error of about 3% of the half-width at 2,000 draws; of normal outcomes the
        distribution functions at the draws are averaged instead. For a linear model they
        agree with the textbook's up to the maximum-likelihood divisor of sigma and the law of
        sigma (log-normal instead of that behind Student's t). They are marginal: 95% for each
        entry, not for all together.

        Predictions from effects at their modes have the variance ``J_u H^-1 J_u' + J V J'``:
        what the data leave open about the effects when the parameters are known, and what the
        uncertainty of the parameters adds, directly and through the modes (TMB's ``sdreport``;
        Kass and Steffey 1989, doi:10.1080/01621459.1989.10478825). In a linear mixed model
        this is the prediction variance of Henderson's equations, plus that of the variance
        components. Means over ``new`` groups are averages over 1,000 stratified draws of the
        effects, exact where the mean is linear in them. Prediction limits are for a new
        observation in the kept, new or typical group.
        """
        from pymle.inference import prediction
        from pymle.inference.prediction.targets import default_targets, predictable

        observed, deterministics = predictable(self._fitted)
        names = select_names(
            default_targets(self._fitted), [*observed, *deterministics], var_names, filter_vars
        )
        return prediction.predict(
            self._fitted,
            data,
            names,
            level=level,
            groups=groups,
            interval=interval,
            prediction=prediction_limits,
            draws=draws,
            random_seed=random_seed,
            coords=coords,
            cov=cov,
            clusters=clusters,
        )

    def effects(
        self,
        column: str | Sequence[str] | None = None,
        *,
        of: str | None = None,
        at: str = "overall",
        how: str = "auto",
        groups: str | Mapping[str, str] | None = None,
        level: float = 0.95,
        cov: Any = None,
        clusters: Any = None,
    ) -> Effects:
        """Average marginal effects of predictors on the mean of the outcome.

        Parameters
        ----------
        column : str or sequence of str, optional
            Columns of ``pm.Data`` such as ``X[x1]``, or the names of whole arrays. Default: all
            columns that vary, group indices apart.
        of : str, optional
            The observed variable, or a Deterministic. Default: the observed variable, if there
            is one only.
        at : {"overall", "mean"}
            Average over the rows of the data, or the effect where every predictor has its mean.
        how : {"auto", "derivative", "discrete", "unit"}
            The derivative by the column; the change from 0 to 1; or the change when the column
            grows by 1. ``auto`` takes the second for columns of zeros and ones, the third for
            other data of whole numbers (an integer dtype), the first otherwise.
        groups : {"kept", "new", "typical"} or mapping of str to str, optional
            What random effects are: as in `predict`.
        level : float
            Coverage of the limits, in (0, 1).
        cov, clusters : optional
            The covariance of the estimates, as in `covariance`.

        Returns
        -------
        Effects
            ``.table`` (pandas) with columns ``change``, ``estimate``, ``se``, ``z``, ``p``,
            ``lower``, ``upper``; ``.covariance`` between the effects. On the scale of the
            outcome; for a categorical outcome on the probability of each category.

        Raises
        ------
        AnalysisError
            No ``pm.Data``, a column that the outcome is not computed from, an outcome whose
            mean has no closed form.
        DataError
            Unknown columns.

        Notes
        -----
        Derivatives are exact, by the data as the model reads them: an interaction or a square
        that the model computes is included, one that is a column of its own is not. All rows
        move together. Standard errors by the delta method treat the data as fixed, as in
        statsmodels' ``get_margeff`` and R's marginaleffects. Rows count by their frequency
        weights.
        """
        from pymle.inference import prediction

        return prediction.effects(
            self._fitted,
            column,
            of=of,
            at=at,
            how=how,
            groups=groups,
            level=level,
            cov=cov,
            clusters=clusters,
        )

    def avg_comparisons(
        self,
        data: Mapping[str, Any],
        baseline: Mapping[str, Any] | None = None,
        *,
        of: str | None = None,
        comparison: str = "difference",
        groups: str | Mapping[str, str] | None = None,
        level: float = 0.95,
        cov: Any = None,
        clusters: Any = None,
    ) -> Effects:
        """Average prediction at some data against that at others.

        Parameters
        ----------
        data : mapping of str to array_like
            As in `predict`: arrays, columns (``{"X[treated]": 1}``) or numbers.
        baseline : mapping of str to array_like, optional
            Likewise. Default: the data of the fit.
        of : str, optional
            As in `effects`.
        comparison : {"difference", "ratio", "lnratio", "lift"}
            Of the averages: ``a - b``, ``a / b``, ``log(a / b)``, ``a / b - 1``.
        groups : {"kept", "new", "typical"} or mapping of str to str, optional
            What random effects are: as in `predict`.
        level : float
            Coverage of the limits, in (0, 1).
        cov, clusters : optional
            The covariance of the estimates, as in `covariance`.

        Returns
        -------
        Effects

        Notes
        -----
        The name is that of R's and Python's marginaleffects; ``{"X[treated]": 1}`` against
        ``{"X[treated]": 0}`` is the average treatment effect by standardisation
        (g-computation). ``p`` tests a difference, log-ratio or lift of 0, or a ratio of 1.
        """
        from pymle.inference import prediction

        return prediction.comparisons(
            self._fitted,
            data,
            baseline,
            of=of,
            comparison=comparison,
            groups=groups,
            level=level,
            cov=cov,
            clusters=clusters,
        )

    def comparisons(
        self,
        data: Mapping[str, Any],
        baseline: Mapping[str, Any] | None = None,
        *,
        of: str | None = None,
        comparison: str = "difference",
        groups: str | Mapping[str, str] | None = None,
        level: float = 0.95,
        cov: Any = None,
        clusters: Any = None,
    ) -> Effects:
        """Predictions at some data against those at others, row by row.

        Parameters
        ----------
        data, baseline, of, comparison, groups, level, cov, clusters
            As in `avg_comparisons`; both sides have as many rows.

        Returns
        -------
        Effects
        """
        from pymle.inference import prediction

        return prediction.comparisons(
            self._fitted,
            data,
            baseline,
            of=of,
            comparison=comparison,
            groups=groups,
            average=False,
            level=level,
            cov=cov,
            clusters=clusters,
        )
