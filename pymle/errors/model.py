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
    def nothing_to_estimate(cls, reason: str, effects: Sequence[str] = ()) -> ModelError:
        """No parameter is left.

        Parameters
        ----------
        reason : str
            Why none is left, in words.
        effects : sequence of str
            What is integrated out all the same.

        Returns
        -------
        ModelError
        """
        text = f"Nothing to estimate: {reason}. Leave at least one parameter free."
        if effects:
            text += (
                f" Only random effects are left ({listing(effects)}): the marginal log-likelihood "
                "at given values of the parameters is `pymle.compile(model).logp(point)`."
            )
        return cls(text)

    @classmethod
    def part_of_an_effect(cls, label: str, name: str) -> ModelError:
        """Entries of what is integrated out that are to be held.

        Parameters
        ----------
        label : str
            The entry.
        name : str
            Its variable.

        Returns
        -------
        ModelError
        """
        return cls(
            f"fixed: `{label}` is an entry of `{name}`, which is integrated out: that can be held "
            f'as a whole only (`fixed={{"{name}": values}}`), or estimated entry by entry with '
            f'`parameters=["{name}"]`.'
        )

    @classmethod
    def cannot_integrate(cls, names: Sequence[str], why: object) -> ModelError:
        """Random effects or missing values of a density that JAX cannot differentiate.

        Parameters
        ----------
        names : sequence of str
            What would have to be integrated out.
        why : object
            Why not: the reason of the route, or the operations.

        Returns
        -------
        ModelError
        """
        reason = why if isinstance(why, str) else ", ".join(map(str, why))  # pyright: ignore
        return cls(
            f"{listing(names)}: random effects or missing values that the likelihood has to "
            "integrate out, which takes derivatives of the log-density up to the third, and these "
            f"it does not have through JAX ({reason}). Maximised jointly with the parameters they "
            "would give no maximum-likelihood estimate (a scale parameter runs to zero while the "
            "effects collapse onto their mean). Next step: write the operation with PyTensor, or "
            "sample the model with `pm.sample`; for the joint mode with all priors kept use "
            "`pymle.find_MAP(model, random=[])`."
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

    @classmethod
    def block_too_large(cls, labels: Sequence[str], size: int, most: int) -> ModelError:
        """Products of quadrature points over too many effects.

        Parameters
        ----------
        labels : sequence of str
            Effects of the block.
        size, most : int
            Their number, and the largest that there may be.

        Returns
        -------
        ModelError
        """
        shown = ", ".join(f"`{label}`" for label in labels[:4])
        more = f" and {size - 4} more" if size > 4 else ""
        return cls(
            f"`quadrature=` takes products of points over the random effects of each independent "
            f"block, and {shown}{more} belong to one block of {size}; it goes up to {most}. Leave "
            "`quadrature=` out (Laplace's approximation) and measure its error with "
            "`fit.check_integration()`."
        )

    @classmethod
    def not_restrictable(cls, name: str, why: str) -> ModelError:
        """A variable that `reml=` cannot integrate under a flat measure.

        Parameters
        ----------
        name : str
        why : str
            In words.

        Returns
        -------
        ModelError
        """
        return cls(
            f"`reml=` integrates parameters with values on the whole real line under a flat "
            f"measure (the coefficients of the mean, as a rule), and `{name}` cannot be one: {why}."
        )

    @classmethod
    def cannot_sum(cls, name: str, why: str) -> ModelError:
        """A discrete variable that cannot be summed out.

        Parameters
        ----------
        name : str
        why : str
            What is in the way.

        Returns
        -------
        ModelError
        """
        return cls(
            f"The discrete variable `{name}` has to be summed out, and cannot be: {why}. Summed "
            "out are variables of finite support (Bernoulli, Categorical, DiscreteUniform, "
            "Binomial, BetaBinomial, HyperGeometric, discrete Markov chains, and truncated laws). "
            "Next step: write the sum with pm.Mixture or a Potential, or hold the variable by "
            f'`fixed={{"{name}": ...}}`.'
        )

    @classmethod
    def endless(cls, name: str, law: str) -> ModelError:
        """A discrete variable with infinitely many values.

        Parameters
        ----------
        name : str
        law : str
            Name of its distribution.

        Returns
        -------
        ModelError
        """
        return cls(
            f"The discrete variable `{name}` has to be summed out, and its law ({law}) has no "
            "greatest value. Next step: end it where nothing is left, "
            f'`pm.Truncated("{name}", pm.{law}.dist(...), upper=K)`, and make sure that a larger K '
            "gives the same log-likelihood; or hold the variable by `fixed=`."
        )

    @classmethod
    def too_joint(cls, name: str, cells: float) -> ModelError:
        """Discrete variables with too many joint states.

        Parameters
        ----------
        name : str
        cells : float
            Numbers that the sum would need at once.

        Returns
        -------
        ModelError
        """
        return cls(
            f"The discrete variable `{name}` has to be summed out, and too many of its entries, or "
            "of other discrete variables, reach the same data together: the sum over their joint "
            f"states needs {cells:.2g} numbers at once. Chains, trees, and entries that "
            "reach data of their own are summed; fields of neighbours are not. Next step: let each "
            "datum depend on fewer of them, or hold some by `fixed=`."
        )
