"""The bootstrap of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pymle import report
from pymle.errors import AnalysisError
from pymle.fit.core import Core

if TYPE_CHECKING:
    from pymle.inference.bootstrap import Bootstrap

#: Kinds of which BCa limits exist.
_BCA = ("case", "cluster", "stratified", "parametric")


class Resampling(Core):
    """Refits to resampled and simulated data."""

    def bootstrap(
        self,
        n: int = 1000,
        kind: str = "auto",
        what: Any = None,
        *,
        clusters: Any = None,
        strata: Any = None,
        block_length: int | None = None,
        groups: str | Mapping[str, str] | None = None,
        random_seed: Any = None,
        processes: int = 1,
        progressbar: bool = True,
    ) -> Bootstrap:
        """Refit to resampled or simulated data.

        Parameters
        ----------
        n : int
            Number of replicates. A thousand for limits at 0.95, two hundred for a standard
            error.
        kind : str
            What a replicate is fitted to.

            - ``"case"``: independent units (rows) drawn with replacement.
            - ``"cluster"``: whole clusters drawn with replacement.
            - ``"stratified"``: units drawn with replacement within strata.
            - ``"block"``, ``"moving-block"``: runs of consecutive rows, for series whose
              log-density is given row by row; the first joins the ends of the series.
            - ``"bayesian"``: the data with exponential weights.
            - ``"parametric"``: data simulated from the fitted model.
            - ``"auto"``: what `clusters`, `strata` or `block_length` ask for; otherwise
              ``"case"`` where the model shows independent units and ``"parametric"`` where the
              data have one joint density.
        what : str, callable, or sequence or mapping of them, optional
            Labels, Deterministics, expressions or functions of the parameters; all parameters
            by default. `Bootstrap.of` asks for others later.
        clusters, strata : array_like, str or mapping, optional
            Labels of the observations: an array, or the name of a dim or of a ``pm.Data``.
            Strata contain whole clusters.
        block_length : int, optional
            Rows in a block; by default the cube root of their number. Longer where the rows
            depend on each other over longer times.
        groups : {"new", "kept", "typical"} or mapping of str to str, optional
            With random effects: simulate data of ``new`` groups (the default; lme4's
            ``bootMer(use.u=FALSE)``) or of those that were seen, their effects at the conditional
            modes (``kept``), as in `simulate`. The spread of variance components comes from new
            groups; with kept ones it is that of data from the same groups.
        random_seed : int or numpy.random.Generator, optional
            Repeats the replicates exactly; the record shows the seed that was used.
        processes : int
            Worker processes for refits that cannot run in one compiled program (see Notes).
            Each compiles the model for itself.
        progressbar : bool
            Show how far a long run is.

        Returns
        -------
        Bootstrap
            ``.replicates``, ``.conf_int(method=, level=)``, ``.bias``, ``.se``, ``.failures``,
            ``.summary()``, ``.of(what)``, ``.to_xarray()``, ``.plot()``.

        Raises
        ------
        AnalysisError
            A fit that is no estimate; resampling of dependent data (the parametric bootstrap is
            the remedy) or of a likelihood with a Potential; simulation of a model that cannot be
            simulated; arguments that do not go together.

        Notes
        -----
        Each refit is a search from the estimate to the local maximum near it. A resample whose
        likelihood has its supremum at infinity (separated data) gives an infinite replicate, one
        at the edge of the support the edge; other failures are left out of the limits. All are
        counted and described in ``.failures``.

        Up to a hundred parameters with exact second derivatives all refits run in one compiled
        program, where weights and data are inputs: a thousand refits of a logistic regression
        of 1,000 rows take a tenth of a second. An interruption returns what is done.

        For a MAP fit the priors stay as they are: the replicates are those of the penalised
        estimate.

        References
        ----------
        .. [1] Davison and Hinkley (1997), Bootstrap Methods and Their Application.
           doi:10.1017/CBO9780511802843
        .. [2] Rubin (1981), The Bayesian bootstrap. doi:10.1214/aos/1176345338
        .. [3] Politis and Romano (1992), A circular block-resampling procedure for stationary
           data, in: Exploring the Limits of Bootstrap, 263-270.
        """
        from pymle.inference.bootstrap import bootstrap

        with report.bar(progressbar, "refits") as callback:
            return bootstrap(
                self._fitted,
                n,
                kind,
                what=what,
                clusters=clusters,
                strata=strata,
                block_length=block_length,
                groups=groups,
                random_seed=random_seed,
                processes=processes,
                callback=callback,
            )

    def _bootstrap_limits(
        self,
        table: pd.DataFrame,
        places: Mapping[str, tuple[str, int]],
        level: float,
        given: Bootstrap | Mapping[str, Any] | None,
        n: int,
        random_seed: Any,
        progressbar: bool,
    ) -> pd.DataFrame:
        """Limits of the rows of a table by the bootstrap."""
        from pymle.inference.bootstrap import Bootstrap

        options: dict[str, Any] = {
            "n": n,
            "random_seed": random_seed,
            "progressbar": progressbar,
        }
        options |= given if isinstance(given, Mapping) else {}
        limits = options.pop("limits", None)
        if given is not None and not isinstance(given, Bootstrap | Mapping):
            raise AnalysisError.argument(
                "bootstrap", given, "a Bootstrap of this fit or a dict of arguments for one"
            )
        if isinstance(given, Bootstrap) and given.draws.fitted is not self._fitted:
            raise AnalysisError.argument("bootstrap", "of another fit", "a Bootstrap of this fit")
        out = pd.DataFrame(
            {
                "lower": table["lower"].where(table["se"] == 0.0),
                "upper": table["upper"].where(table["se"] == 0.0),
                "method": "constant",
                "replicates": 0,
            },
            index=table.index,
        )
        rows = [label for label in table.index if table.loc[label, "se"] != 0.0]
        if not rows:
            return out
        names = list(dict.fromkeys(places[str(label)][0] for label in rows))
        if isinstance(given, Bootstrap):
            found = given.of(names)
        else:
            found = self.bootstrap(what=names, **options)
        method = limits or ("bca" if found.kind in _BCA else "percentile")
        ends = found.conf_int(method, level)
        for label in rows:
            out.loc[label, ["lower", "upper"]] = ends.loc[label, ["lower", "upper"]].to_numpy(
                dtype=np.float64
            )
            out.loc[label, "method"] = f"{method}, {found.kind}"
            out.loc[label, "replicates"] = int(ends.loc[label, "replicates"])
        return out
