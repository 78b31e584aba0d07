"""The posterior beside the estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymle.fit.core import Core

if TYPE_CHECKING:
    from pymle.bayes.laplace import LaplaceDraws


class Posterior(Core):
    """The same model read as Bayes does."""

    def sample(
        self,
        draws: int = 1000,
        tune: int = 1000,
        chains: int = 4,
        sampler: str = "auto",
        priors: str = "model",
        random_seed: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Sample the posterior of the fitted PyMC model by NUTS, started well.

        Parameters
        ----------
        draws, tune, chains : int
            As in ``pm.sample``: draws kept and tuning steps for each chain, and chains.
        sampler : {"auto", "pymc", "nutpie", "numpyro", "blackjax"}
            "auto" is nutpie, numpyro or PyMC's own, the first that is installed and can take the
            model; the `Notice` says which.
        priors : {"model", "flat"}
            The priors of the model, or for its parameters priors that are flat on the natural
            scale over their supports: the likelihood as a posterior. Random effects, missing
            values and variables that the data do not touch keep their laws.
        random_seed : optional
            As in ``pm.sample``; it decides about the starts too.
        **kwargs
            Further arguments of ``pm.sample`` (``target_accept``, ``cores``, ``progressbar``,
            ...). With ``initvals``, ``step`` or ``init`` those of the user count.

        Returns
        -------
        arviz.InferenceData or xarray.DataTree
            What ``pm.sample`` returns (the second from ArviZ 1), an interrupted run included;
            the attributes ``pymle_sampler``, ``pymle_starts`` and ``pymle_priors`` of its
            posterior say what ran.

        Raises
        ------
        AnalysisError
            Unknown arguments; a sampler that is not installed or cannot take the model; a fit
            whose weights, constraints, exchanged data or held entries the PyMC model does not
            know; ``priors="flat"`` for a MAP fit, for discrete parameters, and where the
            verdict says that the likelihood has no finite, identified maximum.

        Warns
        -----
        Notice
            The sampler, where the chains start and why there, what is held; with
            ``priors="flat"`` that the propriety of the posterior is not proven.

        Notes
        -----
        Random effects and missing values are sampled, not integrated out. What the fit holds by
        ``fixed=`` is held: the posterior is conditional on it (``pm.do``, or ``pm.observe`` where
        its law depends on other variables).

        Starts: the mode of the posterior on the unconstrained scale (Jacobian included, random
        effects integrated out) and its curvature give a normal approximation. Each chain starts
        at its own draw of a Student-t law around it with 4 degrees of freedom, wider than the
        posterior, with the random effects drawn given the parameters. PyMC's NUTS takes the
        variances of the approximation as its first mass matrix and adapts it as always. Where
        the mode is not certified the chains start where PyMC starts them, and the Notice says so.
        PyMC hands starts for each chain to its own sampler and those of JAX, not to nutpie.

        PyMC compiles the model through C or Numba, which takes from seconds to a minute.
        """
        from pymle.bayes.sampling import sample

        return sample(
            self._fitted,
            draws,
            tune,
            chains,
            sampler,
            priors,
            random_seed,
            kwargs,
            stacklevel=3,
        )

    def laplace(self, draws: int = 1000, random_seed: Any = None) -> LaplaceDraws:
        """Draws of the Laplace approximation to the posterior, with their Pareto k.

        Parameters
        ----------
        draws : int
            Independent draws.
        random_seed : int, sequence of int, SeedSequence, numpy.random.Generator or None

        Returns
        -------
        LaplaceDraws
            ``.draws`` (xarray Dataset on the natural scale: parameters, random effects, missing
            values, Deterministics), ``.table``, ``.pareto_k``, ``.log_weights``, ``.text`` (what
            it is worth), ``.to_datatree()`` (for ArviZ).

        Raises
        ------
        AnalysisError
            A maximum-likelihood fit; fewer than one draw; constraints between parameters; an
            objective without a gradient; no mode with a positive definite curvature.

        Notes
        -----
        Normal on the unconstrained scale, around the mode and with the curvature of the posterior
        density on that scale: the Jacobian is included, whether the fit was made with it or not
        (another mode is then searched for). Random effects and missing values are integrated
        out for that, and drawn given the parameters of each draw from the normal law at their
        conditional mode. `draws` of a MAP fit without the Jacobian stands around another mode and
        is the worse approximation.

        Pareto k is the tail index of the importance weights (posterior density by the density of
        the approximation): below 0.5 the approximation is close, above 0.7 it should not be used.
        It judges the draws at hand, and no region that none of them reached, such as another
        mode.

        References
        ----------
        Tierney and Kadane (1986), doi:10.1080/01621459.1986.10478240. Vehtari, Simpson, Gelman,
        Yao and Gabry (2024), Pareto smoothed importance sampling, JMLR 25(72).
        """
        from pymle.bayes.laplace import laplace

        return laplace(self._fitted, draws, random_seed)
