"""Errors and warnings of pymle; the constructors own the text.

Every message says what was seen, what was expected, and the next step.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class PymleError(Exception):
    """Base class of every error that pymle raises on purpose."""


class ModelError(PymleError):
    """The model is outside what can be fitted, or its roles are ambiguous."""

    @classmethod
    def no_model(cls) -> ModelError:
        """No model was given and none is on the context stack."""
        return cls(
            "No model: the argument `model` is missing and no `with pm.Model():` block is open. "
            "Pass the model, or call inside the block."
        )

    @classmethod
    def not_a_model(cls, seen: object) -> ModelError:
        """The model argument has another type."""
        return cls(
            f"`model` must be a pymc.Model, seen {type(seen).__name__}. "
            "Pass the object made by `with pm.Model() as model:`."
        )

    @classmethod
    def no_likelihood(cls, free: Sequence[str]) -> ModelError:
        """Neither observed variables nor Potentials."""
        return cls(
            "The model has no likelihood: no observed variable and no pm.Potential "
            f"(free variables: {_listing(free)}). Pass `observed=` to at least one "
            "distribution, or write the likelihood as a pm.Potential."
        )

    @classmethod
    def nothing_to_estimate(cls, reason: str) -> ModelError:
        """No parameter is left."""
        return cls(f"Nothing to estimate: {reason}. Leave at least one parameter free.")

    @classmethod
    def random_effects(cls, effects: Sequence[str], scales: Sequence[str]) -> ModelError:
        """Random effects cannot be integrated out yet."""
        names = list(effects)
        scale = scales[0] if scales else "the scale of their distribution"
        return cls(
            f"{_listing(effects)}: random effects (latent variables of the model) that a "
            "likelihood has to integrate out, which this version of pymle does not do yet. "
            "Maximising jointly over them and the parameters is no maximum-likelihood estimate: "
            f"the joint density can grow without bound as {scale} -> 0 while the effects collapse "
            "onto their mean, and optimisers report success there. Next step: fix the effects' "
            "scale parameters with `fixed=` only if you know them and treat the effects as "
            f"parameters with flat priors by `parameters={names!r}`; or, for the joint mode with "
            "all priors kept, use `pymle.find_MAP(model, random=[])`. `pymle.roles(model)` shows "
            "the reasons."
        )

    @classmethod
    def missing_values(cls, names: Sequence[str]) -> ModelError:
        """Missing values cannot be integrated out yet."""
        return cls(
            f"{_listing(names)}: missing data that a likelihood has to integrate out, which this "
            "version of pymle does not do yet. Maximised jointly, a missing response is a flat "
            "direction that drops to its conditional mode and drives its scale parameter too low, "
            "and a missing covariate is chosen to suit the fit. Next step: for missing responses "
            "that do not depend on each other drop those rows before building the model; "
            "otherwise use complete cases or `pymle.find_MAP(model, random=[])`."
        )

    @classmethod
    def discrete(cls, names: Sequence[str]) -> ModelError:
        """Free discrete variables have no derivative."""
        return cls(
            f"{_listing(names)}: free discrete variables. The log-likelihood has no derivative in "
            "them, and rounding a continuous maximum gives a number that is no estimate. Next "
            "step: sum them out, for example with pm.Mixture or pymc-extras' "
            "`MarginalModel`, or hold them by `fixed=`."
        )

    @classmethod
    def ambiguous(cls, name: str, why: str) -> ModelError:
        """A root variable that may be a random effect or a parameter."""
        return cls(
            f"`{name}` may be a random effect or a parameter: {why}. pymle does not guess. "
            f'Either integrate it out with `random=["{name}"]` (its distribution is part of '
            f'the model), or estimate its entries with `parameters=["{name}"]` '
            "(its prior is dropped)."
        )

    @classmethod
    def minibatch(cls, name: str) -> ModelError:
        """Random or rescaled data."""
        return cls(
            f"Observed variable `{name}` is fed by pm.Minibatch or has a `total_size` that differs "
            "from the number of its rows: its log-likelihood is random at each call or rescaled, "
            "so that a maximum and standard errors have no meaning. Pass the full data and "
            "leave `total_size` out."
        )

    @classmethod
    def simulator(cls, name: str) -> ModelError:
        """A pm.Simulator has no log-density."""
        return cls(
            f"`{name}` is a pm.Simulator: it has a random pseudo-likelihood and no log-density. "
            "Write its likelihood with pm.CustomDist or pm.Potential, or sample with pm.sample_smc."
        )

    @classmethod
    def float32(cls, name: str) -> ModelError:
        """The graph is in single precision."""
        return cls(
            f"`{name}` is in float32. Standard errors need double precision. Set "
            '`pytensor.config.floatX = "float64"` before building the model.'
        )

    @classmethod
    def no_logp(cls, cause: BaseException) -> ModelError:
        """PyMC cannot derive a log-density."""
        return cls(
            f"PyMC cannot derive the log-density of this model: {cause}. Give the distribution a "
            "`logp=` function (pm.CustomDist), or write the term as a pm.Potential."
        )

    @classmethod
    def random_objective(cls, names: Sequence[str]) -> ModelError:
        """Random draws remain in the objective."""
        return cls(
            f"The log-likelihood still contains random draws ({_listing(names)}): its value would "
            "change from call to call. Register these variables in the model, or replace them "
            "by data."
        )


class DataError(PymleError):
    """Data that no likelihood can be computed from."""

    @classmethod
    def not_finite(cls, name: str, kind: str, rows: Sequence[object], count: int) -> DataError:
        """NaN or inf in data."""
        return cls(
            f"Data of `{name}`: {count} {kind} value(s), first at row(s) {_rows(rows)}. Expected "
            "finite numbers. Remove or replace these rows (np.isfinite finds them)."
        )

    @classmethod
    def empty(cls, name: str, shape: Sequence[int]) -> DataError:
        """No observation."""
        return cls(
            f"Observed variable `{name}` has no data (shape {tuple(shape)}). "
            "Expected at least one observation."
        )

    @classmethod
    def unknown(cls, name: str, known: Iterable[str]) -> DataError:
        """Data for a name that the model does not have."""
        return cls(_unknown("data", name, known))

    @classmethod
    def wrong_ndim(cls, name: str, seen: int, expected: int) -> DataError:
        """Data with another number of dimensions."""
        return cls(
            f"Data of `{name}`: seen an array with {seen} dimension(s), expected {expected}. "
            "Reshape it as it was when the model was built."
        )

    @classmethod
    def captured(cls, name: str, seen: Sequence[int], expected: Sequence[int]) -> DataError:
        """New data of another shape for an array that the model captured."""
        return cls(
            f"Data of `{name}`: seen shape {tuple(seen)}, expected {tuple(expected)}: the model "
            "captured this array when it was built. Declare it with pm.Data to change its length."
        )

    @classmethod
    def not_integer(cls, name: str) -> DataError:
        """Fractions where counts are expected."""
        return cls(f"Data of `{name}`: seen fractions, expected whole numbers.")

    @classmethod
    def weights(cls, name: str, why: str) -> DataError:
        """Weights that do not fit."""
        return cls(
            f"weights of `{name}`: {why}. Expected one non-negative finite number per observation."
        )


class PointError(PymleError):
    """A point (start, fixed values) that does not fit the model."""

    @classmethod
    def unknown(cls, argument: str, name: str, known: Iterable[str]) -> PointError:
        """A name or label that the model does not have."""
        return cls(_unknown(argument, name, known))

    @classmethod
    def wrong_shape(
        cls, argument: str, name: str, seen: Sequence[int], expected: Sequence[int]
    ) -> PointError:
        """A value of another shape."""
        return cls(
            f"{argument}: `{name}` has shape {tuple(expected)}, seen a value of shape "
            f"{tuple(seen)}. Pass an array of that shape, or single entries by label."
        )

    @classmethod
    def outside_support(cls, argument: str, name: str, seen: object, support: str) -> PointError:
        """A value outside the support of its variable."""
        return cls(
            f"{argument}: `{name}` = {seen} is outside its support ({support}). "
            "Pass a value inside it, on the natural scale."
        )

    @classmethod
    def not_finite(cls, argument: str, name: str, seen: object) -> PointError:
        """A value that is NaN or infinite."""
        return cls(f"{argument}: `{name}` = {seen} is not finite. Pass finite numbers.")

    @classmethod
    def incomplete(cls, missing: Sequence[str]) -> PointError:
        """A point without all variables."""
        return cls(
            f"The point lacks {_listing(missing)}. Expected a natural-scale value for each "
            "parameter; `fit.point` is a complete one."
        )

    @classmethod
    def not_single(cls, name: str, support: str) -> PointError:
        """A single entry of a variable whose entries constrain each other."""
        return cls(
            f"fixed: single entries of `{name}` cannot be held because its entries constrain each "
            f"other ({support}). Fix the whole variable, or write the model with free entries."
        )

    @classmethod
    def not_finite_likelihood(cls, details: str) -> PointError:
        """The log-likelihood is not finite where the search starts."""
        return cls(
            f"The log-likelihood is not finite at the start. {details} Next step: check the data "
            "against the support of the distribution, or pass `start=` with values at which every "
            "observation is possible."
        )


class AnalysisError(PymleError):
    """An analysis that has no meaning for this fit."""

    @classmethod
    def needs_mle(cls, what: str) -> AnalysisError:
        """A likelihood quantity of a MAP fit."""
        return cls(
            f"{what} belongs to maximum likelihood: this is a MAP fit, whose maximum and curvature "
            "contain the priors, so the value would have no meaning. Use `pymle.find_MLE`."
        )

    @classmethod
    def needs_nobs(cls, what: str) -> AnalysisError:
        """A quantity that needs the number of observations."""
        return cls(
            f"{what} needs the number of observations, which a likelihood written as pm.Potential "
            "does not tell."
        )

    @classmethod
    def sampling_weights(cls, what: str) -> AnalysisError:
        """A quantity that is withheld under sampling weights."""
        return cls(
            f"{what} is withheld: with sampling weights the weighted sum is no log-likelihood. "
            "Use sandwich standard errors."
        )

    @classmethod
    def no_observation_terms(cls, name: str) -> AnalysisError:
        """A likelihood without per-observation terms."""
        return cls(
            f"`{name}` has one joint log-likelihood and no per-observation terms (its observations "
            "depend on each other). Group the data into independent units, or use the joint value."
        )

    @classmethod
    def unknown_variable(cls, name: str, known: Iterable[str]) -> AnalysisError:
        """A variable name that the fit does not have."""
        return cls(_unknown("var_names", name, known))

    @classmethod
    def unknown_coordinate(cls, dim: str, label: object, known: Iterable[object]) -> AnalysisError:
        """A dim or a coordinate label that the shown variables do not have."""
        if label is None:
            return cls(_unknown("coords", dim, map(str, known)))
        return cls(_unknown(f"coords of `{dim}`", str(label), map(str, known)))

    @classmethod
    def argument(cls, name: str, seen: object, expected: str) -> AnalysisError:
        """An argument out of its range."""
        return cls(f"`{name}` = {seen!r}: expected {expected}.")


class NotCertifiedError(PymleError):
    """Raised with ``on_problem="raise"`` when the fit has no certificate.

    Parameters
    ----------
    text : str
    fit : Fit
        The fit, with its verdict; nothing is lost.
    """

    def __init__(self, text: str, fit: object = None) -> None:
        super().__init__(text)
        self.fit = fit


class PymleWarning(UserWarning):
    """Base class of every warning of pymle."""


class NotCertifiedWarning(PymleWarning):
    """The fit is no certified maximum; the text says why and what to do."""


class Notice(PymleWarning):
    """Something that the user wrote is read in a way worth saying."""


def _listing(names: Iterable[str], most: int = 8) -> str:
    names = list(names)
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _rows(rows: Sequence[object], most: int = 6) -> str:
    shown = ", ".join(str(row) for row in list(rows)[:most])
    return shown + (", ..." if len(rows) > most else "")


def _unknown(argument: str, name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    return f"{argument}: unknown name `{name}`.{hint} Known: {_listing(known, 20)}."
