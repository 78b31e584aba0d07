"""The posterior beside the estimate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pymle import report
from pymle.errors import AnalysisError
from pymle.fit.core import Core
from pymle.report.table import select_names

if TYPE_CHECKING:
    import pandas as pd

    from pymle.bayes.comparison import PosteriorComparison


class Comparison(Core):
    """What the prior did."""

    def compare_posterior(
        self,
        idata: Any = None,
        map: bool = True,  # noqa: A002 - what the estimate is called
        *,
        var_names: Sequence[str] | str | None = None,
        filter_vars: str | None = None,
        level: float = 0.95,
        random_seed: Any = None,
        progressbar: bool = True,
        **sample_kwargs: Any,
    ) -> PosteriorComparison:
        """Set the estimate beside the posterior, and say what the prior did.

        Parameters
        ----------
        idata : arviz.InferenceData, xarray.DataTree or xarray.Dataset, optional
            Draws from the posterior of this model, made by anything: the group ``posterior``
            with dims ``chain`` and ``draw``. Names and dims are matched to the model's,
            coordinates brought into its order; what is missing is reported. Default: draws of
            `sample`.
        map : bool
            Find the MAP as well (likelihood times priors on the natural scale, random effects
            integrated out).
        var_names, filter_vars
            As in `summary`; random effects and missing values can be named too. Default: all
            parameters, random effects and missing values, and the Deterministics without an
            observation dim and with at most 200 entries.
        level : float
            Of all limits and intervals, in (0, 1).
        random_seed : optional
            As in ``pm.sample``. For sampling, and for the draws from the normal approximation.
        progressbar : bool
            Show how long jobs get on.
        **sample_kwargs
            For `sample`, where no draws are given.

        Returns
        -------
        PosteriorComparison
            ``.table`` (a row for each scalar, natural scale), ``.remarks`` and ``.sentences``,
            ``.pareto_k``, ``.sensitivity()``, ``.with_profile()``, ``.plot()``,
            ``.plot_densities()``, ``.plot_influence()``, ``.plot_ridge()``.

        Raises
        ------
        AnalysisError
            Unknown names, a level outside (0, 1), arguments for `sample` beside ``idata``.
        ComparisonError
            Draws of another model: no name in common, other shapes, other coords, values that
            are not finite.

        Notes
        -----
        The pull of the prior is one Newton step from the maximum of the likelihood towards
        that of likelihood times prior: ``(I + P)^-1 g`` with the observed information I, and
        the gradient g and minus the Hessian P of the log-prior on the natural scale at the
        estimate. For a normal mean with five observations of variance one and mean 2, and a
        standard normal prior, it is -2 / 6. It is exact where both are quadratic; the exact
        MAP stands beside it. What the pull does not explain of the shift between estimate and
        posterior mean is the remainder, most of it skewness.

        Scalars whose chains did not converge (R-hat above 1.01, or fewer effective draws than
        100 for each chain) keep their own summaries and are not compared. A fit without a
        maximum (separation, a flat direction) is compared as far as there are numbers. For
        a MAP fit the maximum-likelihood estimate is found first.

        References
        ----------
        .. [1] Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), Rank-normalization,
           folding, and localization: an improved R-hat. doi:10.1214/20-BA1221
        .. [2] Kallioinen, Paananen, Buerkner and Vehtari (2023), Detecting and diagnosing prior
           and likelihood sensitivity with power-scaling. doi:10.1007/s11222-023-10366-5
        """
        from pymle.bayes.comparison import compare, default_names, known_names

        if not 0.0 < level < 1.0:
            raise AnalysisError.argument("level", level, "a number between 0 and 1")
        problem = self._problem
        names = select_names(default_names(problem), known_names(problem), var_names, filter_vars)
        if idata is not None and sample_kwargs:
            raise AnalysisError.argument(
                "compare_posterior",
                ", ".join(sample_kwargs),
                "no arguments for `sample` where `idata` is given",
            )
        if idata is None:
            sampler: Any = self
            idata = sampler.sample(
                random_seed=random_seed, progressbar=progressbar, **sample_kwargs
            )
        with report.progress(progressbar) as callback:
            return compare(
                self._fitted,
                idata,
                names,
                map_estimate=map,
                level=level,
                random_seed=0 if random_seed is None else random_seed,
                wrap=type(self),
                counting=report.counting,
                callback=callback,
            )

    def prior_sensitivity(self, idata: Any = None, **kwargs: Any) -> pd.DataFrame:
        """Sensitivity of the posterior to stronger or weaker priors and data.

        Parameters
        ----------
        idata : arviz.InferenceData, xarray.DataTree or xarray.Dataset, optional
            As in `compare_posterior`.
        **kwargs
            As there.

        Returns
        -------
        pandas.DataFrame
            As `PosteriorComparison.sensitivity` gives it.

        Raises
        ------
        AnalysisError
            As `compare_posterior`.
        """
        return self.compare_posterior(idata, map=False, **kwargs).sensitivity()

    def plot_posterior_comparison(self, idata: Any = None, axes: Any = None, **kwargs: Any) -> Any:
        """Forest of estimates with limits, MAP and posterior intervals.

        Parameters
        ----------
        idata : arviz.InferenceData, xarray.DataTree or xarray.Dataset, optional
            As in `compare_posterior`.
        axes : sequence of matplotlib.axes.Axes, optional
        **kwargs
            As in `compare_posterior`.

        Returns
        -------
        numpy.ndarray of matplotlib.axes.Axes

        Raises
        ------
        AnalysisError
            As `compare_posterior`.
        """
        return self.compare_posterior(idata, **kwargs).plot(axes=axes)
