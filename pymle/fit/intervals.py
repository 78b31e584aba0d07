"""Profiles, bootstrap and the limits that come of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pymle import report
from pymle.errors import AnalysisError
from pymle.fit.resampling import Resampling
from pymle.fit.tables import Tables

if TYPE_CHECKING:
    from pymle.inference import Covariance
    from pymle.inference.bootstrap import Bootstrap
    from pymle.inference.profile import (
        Asked,
        Contour,
        Profile,
        Profiles,
    )

What = str | Callable[..., Any]
METHODS = '"wald", "profile", "bootstrap" or "auto"'


class Intervals(Resampling, Tables):
    """Intervals of a fit beyond Wald limits."""

    def conf_int(
        self,
        var_names: Sequence[str] | str | None = None,
        filter_vars: str | None = None,
        coords: Mapping[str, Any] | None = None,
        level: float = 0.95,
        method: str = "wald",
        *,
        cov: str | Covariance | None = None,
        clusters: Any = None,
        cov_kwds: Mapping[str, Any] | None = None,
        calibrate: str | None = None,
        n_boot: int = 999,
        random_seed: Any = None,
        bootstrap: Bootstrap | Mapping[str, Any] | None = None,
        progressbar: bool = True,
    ) -> pd.DataFrame:
        """Confidence limits.

        Parameters
        ----------
        var_names, filter_vars, coords, level
            As in `summary`.
        method : {"wald", "profile", "bootstrap", "auto"}
            ``wald``: estimate plus and minus standard errors, on the scale that the support
            suggests. ``profile``: where the likelihood ratio, everything else re-estimated,
            reaches the chi-squared(1) quantile. ``auto``: Wald limits where the likelihood
            is quadratic enough for them (the signed root of the likelihood ratio is within 2%
            of the normal quantile at both), profile limits where it is not. ``bootstrap``: from
            refits to resampled or simulated data (`Fit.bootstrap`): BCa limits, percentile limits
            for blocks and weights.
        cov, clusters, cov_kwds : optional
            The covariance of Wald limits, as in `summary`; for no other method.
        calibrate : {None, "bootstrap"}
            For ``method="profile"``: take the cut-off of the likelihood ratio from ``n_boot``
            data sets simulated at the estimate, in place of the chi-squared quantile.
        n_boot : int
            Number of these data sets.
        random_seed : int, optional
            For these.
        bootstrap : Bootstrap or mapping, optional
            For ``method="bootstrap"``: a bootstrap of this fit that was made before, or
            arguments for one, such as ``dict(n=2000, random_seed=1)``; besides those of
            `Fit.bootstrap` also ``limits``, the method of `Bootstrap.conf_int`.
        progressbar : bool
            Show how far a long run is.

        Returns
        -------
        pandas.DataFrame
            Wald: ``lower``, ``upper`` and ``scale``, the scale on which they are symmetric.
            Otherwise ``lower``, ``upper``, ``method`` (of this row), and what each limit is,
            ``lower_flag`` and ``upper_flag`` (see `pymle.inference.profile.Flag`): ``found``,
            ``unbounded``, ``edge`` (of the support), ``limit of work``, ``wald``. For ``auto``
            also ``nonquadratic``, the relative distance of the signed root from its quadratic
            value at the Wald limits, the larger of the two. For ``bootstrap`` ``lower``,
            ``upper``, ``method`` and ``replicates``, the number that entered.

        Raises
        ------
        AnalysisError
            Unknown names, methods or levels; for profiles: a MAP fit, sampling weights, a fit
            that is no maximum, ``cov=``.

        Warns
        -----
        BetterFitWarning
            A profile met a higher log-likelihood: the limits belong to that fit
            (`Fit.profile` returns it).

        Notes
        -----
        Profile limits do not depend on how the model is parametrised, stay inside the support,
        and need no standard error; each costs a few refits of the other parameters. Wald limits
        cost nothing. Both are approximations whose coverage tends to ``level`` with the number
        of observations; see the page on profiles for measured coverage in small samples.

        References
        ----------
        .. [1] Venzon and Moolgavkar (1988), A method for computing profile-likelihood-based
           confidence intervals. doi:10.2307/2347496
        """
        if method == "wald":
            covariance = self._covariance_record(cov, clusters, cov_kwds)
            table = report.full_table(self, var_names, filter_vars, coords, level, covariance)
            return table[["lower", "upper", "scale"]]
        if method not in ("profile", "bootstrap", "auto"):
            raise AnalysisError.argument("method", method, METHODS)
        if cov is not None or clusters is not None or cov_kwds:
            raise AnalysisError(
                f'method="{method}" takes no covariance: profile limits come from the likelihood '
                "itself, bootstrap limits from refits (whole clusters: "
                '`bootstrap=dict(clusters=...)`). Use method="wald" with `cov=` or `clusters=`.'
            )
        if calibrate is not None and method != "profile":
            raise AnalysisError.argument("method", method, '"profile" with `calibrate=`')
        table = report.full_table(self, var_names, filter_vars, coords, level)
        if method == "bootstrap":
            places = self._places(table.index)
            return self._bootstrap_limits(
                table, places, level, bootstrap, n_boot, random_seed, progressbar
            )
        options = (calibrate, n_boot, random_seed)
        return self._profile_limits(table, level, method == "auto", options, progressbar)

    def profile(
        self,
        what: What | Sequence[What] | None = None,
        level: float = 0.95,
        *,
        curve: bool = False,
        calibrate: str | None = None,
        n_boot: int = 999,
        random_seed: Any = None,
        progressbar: bool = True,
    ) -> Profile | Profiles:
        """Profile likelihood of parameters and of functions of them, with its limits.

        Parameters
        ----------
        what : str, callable, or sequence of them, optional
            A parameter or an entry of one (``"beta[x1]"``), a Deterministic, an expression
            (``"exp(a) * b"``), or a function of the natural-scale point. Default: all parameters.
        level : float
            Coverage of the limits, in (0, 1).
        curve : bool
            Evaluate the whole curve at once, eight places on each side; otherwise only what
            the limits need. ``.trace()`` and ``.plot()`` of the result do it later.
        calibrate, n_boot, random_seed : optional
            Cut-offs from simulated data sets, as in `conf_int`.
        progressbar : bool
            Show how far a long run is.

        Returns
        -------
        Profile or Profiles
            A `Profile` for a single scalar, otherwise `Profiles`, a mapping from label to
            `Profile`. Both have ``.table`` (limits with a flag for each side), ``.plot()`` and
            ``.better_fit``.

        Raises
        ------
        AnalysisError
            Unknown names; fixed entries and constants; a MAP fit (its maximum contains the
            priors), sampling weights, a fit that is no maximum.

        Warns
        -----
        BetterFitWarning
            A higher log-likelihood was met. The profiles then belong to the better fit.

        Notes
        -----
        Holds the scalar at a value and maximises over everything else, from a start that the
        curvature predicts; follows the signed root of the likelihood ratio, which is nearly
        straight, to the square root of the chi-squared(1) quantile by inverse interpolation
        with exact slopes: three or four values on each side. At the edge of a support the same
        cut-off is used. An interruption returns what is done.

        References
        ----------
        .. [1] Bates and Watts (1988), Nonlinear Regression Analysis and Its Applications,
           section 6.1. doi:10.1002/9780470316757
        .. [2] Venzon and Moolgavkar (1988). doi:10.2307/2347496
        """
        from pymle.inference.profile import profile

        _check_level(level)
        asked, single = self._asked(what)
        asked = self._calibrated(asked, level, calibrate, n_boot, random_seed, progressbar)
        with report.counting(progressbar, "profile") as callback:
            found = profile(
                self._fitted,
                asked,
                level=level,
                curve=8 if curve else 0,
                callback=callback,
                wrap=type(self),
            )
        return found.members[0] if single and found.members else found

    def contour(
        self,
        a: What,
        b: What,
        level: float | Sequence[float] = (0.5, 0.95),
        *,
        points: int = 60,
        progressbar: bool = True,
    ) -> Contour:
        """Joint confidence regions of two scalars from the profile likelihood.

        Parameters
        ----------
        a, b : str or callable
            As ``what`` in `profile`, scalars.
        level : float or sequence of float
            Coverage of the regions.
        points : int
            About how many places to evaluate on each contour.
        progressbar : bool

        Returns
        -------
        Contour
            With ``.table`` and ``.plot()``.

        Raises
        ------
        AnalysisError
            As in `profile`; quantities that are no scalars, or one function of each other.

        Notes
        -----
        The regions hold where twice the fall of the profile log-likelihood is below the
        chi-squared(2) quantile (1.39 at 0.5, 5.99 at 0.95): they cover both values jointly, and
        so reach beyond the limits of each alone (3.84).
        """
        from pymle.inference.profile import profile_contour

        levels = np.atleast_1d(np.asarray(level, dtype=float))
        for each in levels:
            _check_level(float(each))
        asked = [self._scalar(what) for what in (a, b)]
        with report.counting(progressbar, "contour") as callback:
            return profile_contour(
                self._fitted,
                asked[0],
                asked[1],
                levels=tuple(sorted(float(each) for each in levels)),
                points=points,
                callback=callback,
                wrap=type(self),
            )

    def _asked(self, what: What | Sequence[What] | None) -> tuple[list[Asked], bool]:
        """What is profiled, and whether the user asked for a single scalar."""
        from pymle.inference.profile import Asked
        from pymle.inference.quantity import quantity

        layout = self._estimate.layout
        if what is None:
            names: list[What] = [b.name for b in layout.blocks if not b.wholly_fixed]
        elif isinstance(what, str) or callable(what):
            names = [what]
        else:
            names = list(what)
        asked: list[Asked] = []
        shape: tuple[int, ...] = ()
        for name in names:
            found = quantity(self._fitted, name)
            shape, rows = found.shape, found.rows
            for entry in range(found.size):
                held = rows is not None and layout.fixed[rows[entry]] and found.size > 1
                if not held:
                    asked.append(Asked(name, entry))
        single = (isinstance(what, str) or callable(what)) and shape == () and len(asked) == 1
        return asked, single

    def _scalar(self, what: What) -> Asked:
        asked, single = self._asked(what)
        if not single:
            raise AnalysisError.argument("a, b", what, "a scalar, such as one entry by its label")
        return asked[0]

    def _calibrated(
        self,
        asked: list[Asked],
        level: float,
        how: str | None,
        n: int,
        random_seed: Any,
        progressbar: bool,
    ) -> list[Asked]:
        """With cut-offs from simulated data sets, where they are wanted."""
        from pymle.inference.profile import calibrate

        if how is None or not asked:
            return asked
        if how != "bootstrap":
            raise AnalysisError.argument("calibrate", how, 'None or "bootstrap"')
        with report.counting(progressbar, "calibration") as callback:
            found = calibrate(self._fitted, asked, n=n, random_seed=random_seed, callback=callback)
        texts = [f"bootstrap ({n} data sets, {failed} failed)" for failed in found.failed]
        return [
            replace(each, cutoff=float(cutoff), calibration=text)
            for each, cutoff, text in zip(asked, found.cutoffs(level), texts, strict=True)
        ]

    def _profile_limits(
        self,
        table: pd.DataFrame,
        level: float,
        auto: bool,
        calibration: tuple[str | None, int, Any],
        progressbar: bool,
    ) -> pd.DataFrame:
        """Limits of the rows of a table by profiles."""
        from pymle.inference.profile import Asked, profile

        places = self._places(table.index)
        asked, rows = [], []
        out = pd.DataFrame(
            {
                "lower": table["lower"].where(table["se"] == 0.0),
                "upper": table["upper"].where(table["se"] == 0.0),
                "method": "constant",
                "lower_flag": "found",
                "upper_flag": "found",
                "nonquadratic": 0.0,
            },
            index=table.index,
        )
        for i, (label, row) in enumerate(table.iterrows()):
            if row["se"] == 0.0 or not np.isfinite(row["estimate"]):
                continue  # a constant (the diagonal of a correlation matrix), or no number
            wald = (float(row["lower"]), float(row["upper"])) if auto else None
            name, entry = places[str(label)]
            asked.append(Asked(name, entry, wald=wald))
            rows.append(i)
        asked = self._calibrated(asked, level, *calibration, progressbar)
        with report.counting(progressbar, "profile") as callback:
            found = profile(
                self._fitted, asked, level=level, callback=callback, wrap=type(self)
            ).members
        for i, one in zip(rows, found, strict=False):
            used = "wald" if one.lower_flag == one.upper_flag == "wald" else "profile"
            out.iloc[i] = [
                one.lower, one.upper, used, one.lower_flag.value, one.upper_flag.value,
                one.nonquadratic,
            ]  # fmt: skip
        for i in rows[len(found) :]:
            out.iloc[i] = [np.nan, np.nan, "profile", "interrupted", "interrupted", np.nan]
        if calibration[0] is not None:
            out.attrs["cutoffs"] = {m.label: m.cutoff for m in found}
            out.attrs["calibration"] = {m.label: m.calibration for m in found}
        return out if auto else out.drop(columns="nonquadratic")

    def _places(self, labels: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Variable and entry of every label of a table."""
        out: dict[str, tuple[str, int]] = {}
        for block in self._estimate.layout.blocks:
            out |= {label: (block.name, i) for i, label in enumerate(block.labels)}
        missing = {str(label) for label in labels} - set(out)
        for variable in self._problem.model.deterministics if missing else ():
            if any(label.partition("[")[0] == variable.name for label in missing):
                [item] = self._derived([variable.name])
                out |= {label: (variable.name, i) for i, label in enumerate(item.labels)}
        return out


def _check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise AnalysisError.argument("level", level, "a number between 0 and 1")
