"""What is wrong with a model."""

from __future__ import annotations

from collections.abc import Sequence

from pymle.errors.base import PymleError
from pymle.errors.words import listing


class ModelError(PymleError):
    """The model is outside what can be fitted, or its roles are ambiguous."""

    @classmethod
    def no_model(cls) -> ModelError:
        """No model was given and none is on the context stack.

        Returns
        -------
        ModelError
        """
        return cls(
            "No model: the argument `model` is missing and no `with pm.Model():` block is open. "
            "Pass the model, or call inside the block."
        )

    @classmethod
    def not_a_model(cls, seen: object) -> ModelError:
        """The model argument has another type.

        Parameters
        ----------
        seen : object
            What was passed instead.

        Returns
        -------
        ModelError
        """
        return cls(
            f"`model` must be a pymc.Model, seen {type(seen).__name__}. "
            "Pass the object made by `with pm.Model() as model:`."
        )

    @classmethod
    def no_likelihood(cls, free: Sequence[str]) -> ModelError:
        """Neither observed variables nor Potentials.

        Parameters
        ----------
        free : sequence of str
            The free variables.

        Returns
        -------
        ModelError
        """
        return cls(
            "The model has no likelihood: no observed variable and no pm.Potential "
            f"(free variables: {listing(free)}). Pass `observed=` to at least one "
            "distribution, or write the likelihood as a pm.Potential."
        )

    @classmethod
    def nothing_to_estimate(cls, reason: str) -> ModelError:
        """No parameter is left.

        Parameters
        ----------
        reason : str
            Why none is left, in words.

        Returns
        -------
        ModelError
        """
        return cls(f"Nothing to estimate: {reason}. Leave at least one parameter free.")

    @classmethod
    def random_effects(cls, effects: Sequence[str], scales: Sequence[str]) -> ModelError:
        """Random effects cannot be integrated out yet.

        Parameters
        ----------
        effects : sequence of str
            The random effects.
        scales : sequence of str
            Their scale parameters; may be empty.

        Returns
        -------
        ModelError
        """
        names = list(effects)
        scale = scales[0] if scales else "the scale of their distribution"
        return cls(
            f"{listing(effects)}: random effects (latent variables of the model) that a "
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
        """Missing values cannot be integrated out yet.

        Parameters
        ----------
        names : sequence of str
            The variables.

        Returns
        -------
        ModelError
        """
        return cls(
            f"{listing(names)}: missing data that a likelihood has to integrate out, which this "
            "version of pymle does not do yet. Maximised jointly, a missing response is a flat "
            "direction that drops to its conditional mode and drives its scale parameter too low, "
            "and a missing covariate is chosen to suit the fit. Next step: for missing responses "
            "that do not depend on each other drop those rows before building the model; "
            "otherwise use complete cases or `pymle.find_MAP(model, random=[])`."
        )

    @classmethod
    def discrete(cls, names: Sequence[str]) -> ModelError:
        """Free discrete variables have no derivative.

        Parameters
        ----------
        names : sequence of str
            The variables.

        Returns
        -------
        ModelError
        """
        return cls(
            f"{listing(names)}: free discrete variables. The log-likelihood has no derivative in "
            "them, and rounding a continuous maximum gives a number that is no estimate. Next "
            "step: sum them out, for example with pm.Mixture or pymc-extras' "
            "`MarginalModel`, or hold them by `fixed=`."
        )

    @classmethod
    def ambiguous(cls, name: str, why: str) -> ModelError:
        """A root variable that may be a random effect or a parameter.

        Parameters
        ----------
        name : str
            The variable.
        why : str
            The reason, in words.

        Returns
        -------
        ModelError
        """
        return cls(
            f"`{name}` may be a random effect or a parameter: {why}. pymle does not guess. "
            f'Either integrate it out with `random=["{name}"]` (its distribution is part of '
            f'the model), or estimate its entries with `parameters=["{name}"]` '
            "(its prior is dropped)."
        )

    @classmethod
    def minibatch(cls, name: str) -> ModelError:
        """Random or rescaled data.

        Parameters
        ----------
        name : str
            The variable.

        Returns
        -------
        ModelError
        """
        return cls(
            f"Observed variable `{name}` is fed by pm.Minibatch or has a `total_size` that differs "
            "from the number of its rows: its log-likelihood is random at each call or rescaled, "
            "so that a maximum and standard errors have no meaning. Pass the full data and "
            "leave `total_size` out."
        )

    @classmethod
    def simulator(cls, name: str) -> ModelError:
        """A pm.Simulator has no log-density.

        Parameters
        ----------
        name : str
            The variable.

        Returns
        -------
        ModelError
        """
        return cls(
            f"`{name}` is a pm.Simulator: it has a random pseudo-likelihood and no log-density. "
            "Write its likelihood with pm.CustomDist or pm.Potential, or sample with pm.sample_smc."
        )

    @classmethod
    def float32(cls, name: str) -> ModelError:
        """The graph is in single precision.

        Parameters
        ----------
        name : str
            The variable.

        Returns
        -------
        ModelError
        """
        return cls(
            f"`{name}` is in float32. Standard errors need double precision. Set "
            '`pytensor.config.floatX = "float64"` before building the model.'
        )

    @classmethod
    def no_logp(cls, cause: BaseException) -> ModelError:
        """PyMC cannot derive a log-density.

        Parameters
        ----------
        cause : BaseException
            What PyMC raised.

        Returns
        -------
        ModelError
        """
        return cls(
            f"PyMC cannot derive the log-density of this model: {cause}. Give the distribution a "
            "`logp=` function (pm.CustomDist), or write the term as a pm.Potential."
        )

    @classmethod
    def random_objective(cls, names: Sequence[str]) -> ModelError:
        """Random draws remain in the objective.

        Parameters
        ----------
        names : sequence of str
            The variables.

        Returns
        -------
        ModelError
        """
        return cls(
            f"The log-likelihood still contains random draws ({listing(names)}): its value would "
            "change from call to call. Register these variables in the model, or replace them "
            "by data."
        )
