"""Questions that have no meaning for a fit."""

from __future__ import annotations

from collections.abc import Iterable

from pymle.errors.base import PymleError
from pymle.errors.bootstrap import BootstrapTexts
from pymle.errors.constraints import ConstraintTexts
from pymle.errors.existence import ExistenceTexts
from pymle.errors.groups import GroupTexts
from pymle.errors.hypotheses import HypothesisTexts
from pymle.errors.units import UnitTexts
from pymle.errors.words import listing, unknown_name


class AnalysisError(
    BootstrapTexts,
    ConstraintTexts,
    ExistenceTexts,
    GroupTexts,
    HypothesisTexts,
    UnitTexts,
    PymleError,
):
    """An analysis that has no meaning for this fit."""

    @classmethod
    def needs_mle(cls, what: str) -> AnalysisError:
        """A likelihood quantity of a MAP fit.

        Parameters
        ----------
        what : str
            The quantity, as the subject of a sentence.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"{what} belongs to maximum likelihood: this is a MAP fit or a penalised one, whose "
            "maximum and curvature contain the priors or the penalty, so the value would have no "
            "meaning. Use `pymle.find_MLE` without `penalty=`."
        )

    @classmethod
    def needs_nobs(cls, what: str) -> AnalysisError:
        """A quantity that needs the number of observations.

        Parameters
        ----------
        what : str
            The quantity, as the subject of a sentence.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"{what} needs the number of observations, which a likelihood written as pm.Potential "
            "does not tell."
        )

    @classmethod
    def no_observation_terms(cls, name: str) -> AnalysisError:
        """A likelihood without per-observation terms.

        Parameters
        ----------
        name : str
            The variable.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"`{name}` has one joint log-likelihood and no per-observation terms (its observations "
            "depend on each other). Group the data into independent units, or use the joint value."
        )

    @classmethod
    def unknown_variable(cls, name: str, known: Iterable[str]) -> AnalysisError:
        """A variable name that the fit does not have.

        Parameters
        ----------
        name : str
            The name that was given.
        known : iterable of str
            The names that there are; the nearest is suggested.

        Returns
        -------
        AnalysisError
        """
        return cls(unknown_name("var_names", name, known))

    @classmethod
    def unknown_coordinate(cls, dim: str, label: object, known: Iterable[object]) -> AnalysisError:
        """A dim or a coordinate label that the shown variables do not have.

        Parameters
        ----------
        dim : str
            The dim.
        label : object
            The label; None where the dim itself is unknown.
        known : iterable
            The dims or labels that there are.

        Returns
        -------
        AnalysisError
        """
        if label is None:
            return cls(unknown_name("coords", dim, map(str, known)))
        return cls(unknown_name(f"coords of `{dim}`", str(label), map(str, known)))

    @classmethod
    def bad_expression(cls, text: str, why: str) -> AnalysisError:
        """Text that is no expression of the model's variables.

        Parameters
        ----------
        text : str
            The expression.
        why : str
            What is wrong with it, in words.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f'"{text}": {why}. An expression consists of names of variables, labels such as '
            "`beta[x1]`, numbers, + - * / ^, and functions such as exp, log, sqrt; backquotes "
            "surround names with spaces."
        )

    @classmethod
    def bad_hypothesis(cls, text: str, why: str) -> AnalysisError:
        """Text that is no hypothesis or constraint.

        Parameters
        ----------
        text : str
            What was written.
        why : str
            What is wrong with it, in words.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f'"{text}": {why}. A hypothesis compares two expressions, such as '
            '"beta[x1] = beta[x2]", "exp(a) * b = 1" or "a + b <= 1"; commas separate several.'
        )

    @classmethod
    def shared_effects(cls, names: Iterable[str]) -> AnalysisError:
        """Per-observation terms of observations that share random effects.

        Parameters
        ----------
        names : iterable of str
            What was integrated out.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"{listing(names)} was integrated out: observations that share a random effect depend "
            "on each other and have no log-likelihood or score of their own. Use what needs no "
            "independent observations (the observed information, profiles, a parametric bootstrap)."
        )

    @classmethod
    def undetermined(cls, what: str, names: Iterable[str]) -> AnalysisError:
        """A function of variables that the likelihood does not determine.

        Parameters
        ----------
        what : str
            The function.
        names : iterable of str
            The variables.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"`{what}` depends on {listing(names)}, of which the data say nothing: they are no "
            "estimated parameters (see `fit.roles`)."
        )

    @classmethod
    def predicted(cls, what: str, names: Iterable[str]) -> AnalysisError:
        """A function of random effects where one of the parameters is needed.

        Parameters
        ----------
        what : str
            The function.
        names : iterable of str
            The random effects behind it.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"`{what}` depends on {listing(names)}, which the likelihood integrates out: it is "
            "predicted, not estimated, and has no profile, test, bootstrap or covariance of an "
            "estimate. Its conditional mode with a standard error: `fit.random_effects()`, "
            f'`fit.derived("{what}")` or `fit.summary(var_names=["{what}"])`.'
        )

    @classmethod
    def nothing_to_predict(cls) -> AnalysisError:
        """Predictions of a model without observed variables.

        Returns
        -------
        AnalysisError
        """
        return cls(
            "There is nothing to predict: the model has no observed variable. Name what is wanted "
            '(`fit.predict(var_names=["mu"])` for a Deterministic), or write the likelihood as an '
            "observed variable (`pm.CustomDist(..., observed=...)`)."
        )

    @classmethod
    def potential_cannot_simulate(cls, names: Iterable[str]) -> AnalysisError:
        """Simulation from a likelihood that contains a Potential.

        Parameters
        ----------
        names : iterable of str
            The Potentials.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"Data cannot be simulated: {listing(names)} is part of the likelihood, and a "
            "pm.Potential says how likely data are, not how to draw them. Write that part as an "
            "observed variable: `pm.CustomDist(name, ..., logp=..., random=..., observed=...)`."
        )

    @classmethod
    def cannot_simulate(cls, names: Iterable[str], error: Exception) -> AnalysisError:
        """A variable for which there is no way to draw.

        Parameters
        ----------
        names : iterable of str
            The observed variables that were asked for.
        error : Exception
            What its distribution said.

        Returns
        -------
        AnalysisError
        """
        said = next(iter(str(error).strip().splitlines()), "")
        remedy = (
            "Give a pm.CustomDist its `random=` function (parameters, `rng=` and `size=` to an "
            "array), or write it with `dist=`."
            if isinstance(error, NotImplementedError)
            else "The shapes or types of its parameters do not fit what its sampler takes; "
            "`pm.draw` of the variable should fail in the same way."
        )
        return cls(
            f"Data cannot be simulated: a distribution behind {listing(names)} cannot be drawn "
            f"({said}). {remedy}"
        )

    @classmethod
    def needs_maximum(cls, what: str, status: str) -> AnalysisError:
        """A likelihood ratio against a point that is no maximum.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.
        status : str
            The fit's.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"{what} compares with the maximum of the likelihood, and this fit has none (status "
            f"`{status}`). Fit again first, from another start or with more of them (`start=`, "
            "`n_starts=`); `fit.verdict` says what was seen."
        )

    @classmethod
    def sampling_weights(cls, what: str) -> AnalysisError:
        """What takes the weighted sum for a log-likelihood.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"{what} has no meaning with sampling weights: the weighted sum is no log-likelihood, "
            "so that neither its curvature nor its ratios say how far the estimates scatter. Use "
            'Wald limits with the sandwich covariance (`cov="HC0"`, or `clusters=`).'
        )

    @classmethod
    def needs_gradient(cls, what: str) -> AnalysisError:
        """An analysis of a likelihood without a gradient.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"{what} follows the gradient of the log-likelihood, and this one has none (a "
            "black-box operation without derivatives). Give the operation a gradient, or use "
            "`fit.profile` for one scalar at a time."
        )

    @classmethod
    def calibration_failed(cls, label: str, failed: int, total: int) -> AnalysisError:
        """Too many simulated data sets without a likelihood ratio.

        Parameters
        ----------
        label : str
            What is profiled.
        failed, total : int
            Data sets.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"The likelihood ratio of `{label}` could not be calibrated: in {failed} of {total} "
            "data sets simulated at the estimate no maximum was found. Use the chi-squared "
            "cut-off (without `calibrate=`), or a simpler model."
        )

    @classmethod
    def weighted_simulation(cls, what: str) -> AnalysisError:
        """Simulation for a fit with frequency weights.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"{what} simulates one value for each row, and with frequency weights a row stands "
            "for several. Repeat the rows instead of weighting them."
        )

    @classmethod
    def fixed_target(cls, label: str) -> AnalysisError:
        """A profile of an entry that was held in the fit.

        Parameters
        ----------
        label : str
            The entry.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"`{label}` was fixed in this fit, so it has no estimate and no limits. Fit without "
            "`fixed=` for it, and profile that fit."
        )

    @classmethod
    def constant_target(cls, label: str) -> AnalysisError:
        """A profile of something that does not move with the parameters.

        Parameters
        ----------
        label : str
            The quantity.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"`{label}` does not depend on the estimated parameters (its derivatives are zero at "
            "the estimates), so that it has no limits."
        )

    @classmethod
    def not_finite_target(cls, label: str, value: float) -> AnalysisError:
        """A profile of something without a finite value or derivative at the estimates.

        Parameters
        ----------
        label : str
            The quantity.
        value : float
            Its value there.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"`{label}` is {value:g} at the estimates, or its derivative is not finite there: a "
            "profile needs both. Profile another function of the parameters."
        )

    @classmethod
    def no_mean(cls, name: str) -> AnalysisError:
        """Effects on a variable whose mean has no closed form.

        Parameters
        ----------
        name : str
            The variable.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"The mean of `{name}` has no closed form here, so effects on it cannot be computed. "
            "Write what you want as a pm.Deterministic and pass its name: `of=...`."
        )

    @classmethod
    def no_data_columns(cls) -> AnalysisError:
        """Effects in a model without ``pm.Data``.

        Returns
        -------
        AnalysisError
        """
        return cls(
            "The model has no pm.Data with predictors, so there is no column to change. Declare "
            'them: `X = pm.Data("X", values, dims=("obs", "predictor"))`.'
        )

    @classmethod
    def no_effect(cls, of: str, column: str) -> AnalysisError:
        """A column that a prediction is not computed from.

        Parameters
        ----------
        of : str
            What is predicted.
        column : str
            The column.

        Returns
        -------
        AnalysisError
        """
        return cls(f"`{of}` is not computed from `{column}`: its effect is zero by construction.")

    @classmethod
    def no_mean_data(cls, name: str) -> AnalysisError:
        """Whole numbers where the mean over rows is asked for.

        Parameters
        ----------
        name : str
            The data.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f'`at="mean"` needs the mean of every predictor, but `{name}` holds whole numbers, of '
            'which the mean is none. Use `at="overall"`, or declare the data as floats.'
        )

    @classmethod
    def categories_have_no_mean(cls, names: Iterable[str], kind: str) -> AnalysisError:
        """Residuals that need a mean, of a category.

        Parameters
        ----------
        names : iterable of str
            The variables.
        kind : str
            The residuals.

        Returns
        -------
        AnalysisError
        """
        return cls(
            f"{listing(names)} is a category, which has no mean to take {kind} residuals from. "
            'Use `kind="quantile"`.'
        )

    @classmethod
    def argument(cls, name: str, seen: object, expected: str) -> AnalysisError:
        """An argument out of its range.

        Parameters
        ----------
        name : str
            The argument.
        seen : object
            The value given.
        expected : str
            What it may be, in words.

        Returns
        -------
        AnalysisError
        """
        return cls(f"`{name}` = {seen!r}: expected {expected}.")
