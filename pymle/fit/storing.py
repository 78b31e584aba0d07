"""A fit as a tree and as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pymle.fit.core import Core


class Storing(Core):
    """A fit in containers of other software."""

    def to_datatree(
        self,
        draws: int = 1000,
        chains: int = 4,
        random_seed: Any = None,
        *,
        posterior: Any = None,
        log_likelihood: bool = True,
    ) -> Any:
        """The fit as a tree that ArviZ reads, with asymptotic draws in the place of a posterior.

        Parameters
        ----------
        draws, chains : int
            Number of asymptotic draws, and into how many chains they are cut. They are
            independent: diagnostics of convergence say nothing.
        random_seed : int, sequence of int, SeedSequence, numpy.random.Generator or None
        posterior : arviz.InferenceData, xarray.DataTree or xarray.Dataset, optional
            What a sampler returned for the same model. Its groups are kept; the asymptotic
            draws go to the group ``asymptotic``.
        log_likelihood : bool
            False leaves out the log-density of every observation at every draw.

        Returns
        -------
        arviz.InferenceData or xarray.DataTree
            What the installed ArviZ works with (the second from ArviZ 1). Groups:

            ``posterior``
                Draws of the parameters, random effects, missing values and Deterministics on
                the natural scale, dims ``chain``, ``draw`` and the model's. Its attributes, and
                those of the tree, say that these are asymptotic draws.
            ``log_likelihood``, ``log_prior``
                Log-density of every observation, given random effects, times its weight if
                there are weights; and of the prior of every parameter. In a tree with a
                sampled posterior they belong to that.
            ``observed_data``, ``constant_data``
                The data of the fit.
            ``estimate``, ``standard_error``, ``covariance``, ``verdict``
                The fit itself; natural scale, and the covariance on the unconstrained scale
                too.

        Raises
        ------
        AnalysisError
            A ``posterior`` that is no tree, or that has no variable of the model.

        Warns
        -----
        Notice
            A group that is left out, with the reason: no draws where some parameter has no
            standard error; no log-densities at a posterior without all free variables.

        Notes
        -----
        ArviZ's ``summary``, ``plot_forest``, ``plot_pair``, ``loo`` and ``psense`` run on the
        tree. What they say is about the normal approximation around the estimate: for a MAP fit
        an approximation of the posterior, for maximum likelihood of the likelihood under flat
        priors, in which case power-scaling the prior shows where a little of it would pull.
        Parameters are drawn as in `draws`; random effects are normal around their conditional
        modes at each draw, on the scale on which they were integrated.
        """
        from pymle.bayes.tree import fit_tree

        return fit_tree(
            self._fitted,
            self._derived(self._shown_deterministics),
            draws=draws,
            chains=chains,
            random_seed=random_seed,
            posterior=posterior,
            log_likelihood=log_likelihood,
        )

    def save(self, path: Any, *, overwrite: bool = False) -> Path:
        """Save the fit to a file that `pymle.load` reads.

        Parameters
        ----------
        path : str or path-like
            Ends in ``.nc``, ``.nc4`` or ``.netcdf`` (netCDF 4) or in ``.zarr``.
        overwrite : bool
            Replace what is there.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        StoredError
            An unknown ending, a file that exists, a package that is missing, or a failure to
            write. The file is there whole or not at all.

        Notes
        -----
        The file holds numbers and text, no code and no pickle: the estimate with its
        information, the verdict, the tables' Deterministics and random effects with their
        derivatives, the data, the weights and the arguments of the fit, to the last bit, and the
        versions of the software. It does not hold the model. The groups ``estimate``,
        ``standard_error``, ``covariance``, ``verdict``, ``observed_data`` and
        ``constant_data`` are there for other software. Coordinates other than numbers, text,
        dates and intervals come back as their text.
        """
        from pymle.fit.saving import save_fit

        return save_fit(self, path, overwrite=overwrite)
