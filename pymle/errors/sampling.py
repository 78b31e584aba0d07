"""Texts of errors about sampling the posterior and approximating it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pymle.errors.analysis import AnalysisError
from pymle.errors.words import listing


class PosteriorError(AnalysisError):
    """A posterior that cannot be sampled or approximated as asked."""

    @classmethod
    def no_laplace(cls, status: str, why: str) -> PosteriorError:
        """A posterior without a mode from which a normal approximation could be taken.

        Parameters
        ----------
        status : str
            What was found instead, in a few words.
        why : str
            In sentences.

        Returns
        -------
        PosteriorError
        """
        return cls(
            f"There is no normal approximation of this posterior ({status}): {why.rstrip('.')}. "
            "It needs a mode with a positive definite curvature on the unconstrained scale, the "
            "Jacobian included. Sample the posterior instead (`fit.sample()`)."
        )

    @classmethod
    def needs_map(cls, what: str) -> PosteriorError:
        """A posterior quantity of a maximum-likelihood fit.

        Parameters
        ----------
        what : str
            The quantity, as the subject of a sentence.

        Returns
        -------
        PosteriorError
        """
        return cls(
            f"{what} belongs to a posterior, and this is a maximum-likelihood fit, whose priors "
            "were dropped. Use `pymle.find_MAP(model).laplace()`; `fit.draws()` gives draws from "
            "the asymptotic normal distribution of the estimates."
        )

    @classmethod
    def posterior_under_constraints(cls, what: str, texts: Iterable[str]) -> PosteriorError:
        """A posterior of a fit under constraints.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.
        texts : iterable of str
            The constraints.

        Returns
        -------
        PosteriorError
        """
        return cls(
            f"{what} follows the PyMC model, which does not know the constraints of this fit "
            f"({'; '.join(texts)}). Write them into the model (one parameter for two that are "
            "equal, a bounded prior for an inequality), or fit without `constraints=`."
        )

    @classmethod
    def posterior_with_weights(cls) -> PosteriorError:
        """Samples of a fit with weights.

        Returns
        -------
        PosteriorError
        """
        return cls(
            "The PyMC model does not know the weights of this fit, so that `pm.sample` would "
            "sample another posterior. Write them into the model (`pm.Potential` with the weighted "
            "log-densities, or rows repeated), or fit without `weights=`."
        )

    @classmethod
    def captured_data(cls, names: Sequence[str]) -> PosteriorError:
        """Samples at data that the model itself does not hold.

        Parameters
        ----------
        names : sequence of str
            Observed variables whose data the model captured.

        Returns
        -------
        PosteriorError
        """
        return cls(
            f"This fit was made with other data for {listing(names)} than the model holds, as an "
            "array that cannot be exchanged. Make it `pm.Data` in the model, and fit with "
            "`data=` again."
        )

    @classmethod
    def partly_held(cls, labels: Sequence[str]) -> PosteriorError:
        """Samples of a fit that holds some entries of a variable.

        Parameters
        ----------
        labels : sequence of str
            The entries.

        Returns
        -------
        PosteriorError
        """
        return cls(
            f"{listing(labels)} is held by `fixed=` while other entries of the same variable are "
            "estimated, which PyMC cannot sample. Write the model with the held entries as "
            "constants, or hold the whole variable."
        )

    @classmethod
    def unknown_sampler(cls, sampler: object, known: Iterable[str], near: str) -> PosteriorError:
        """A sampler that nobody has heard of.

        Parameters
        ----------
        sampler : object
            What was given.
        known : iterable of str
            Those there are.
        near : str
            The nearest of them, or nothing.

        Returns
        -------
        PosteriorError
        """
        hint = f" Did you mean {near!r}?" if near else ""
        return cls(
            f"`sampler` is {sampler!r}; expected one of {', '.join(map(repr, known))}.{hint}"
        )

    @classmethod
    def sampler_not_installed(cls, sampler: str, package: str) -> PosteriorError:
        """A sampler whose package is missing.

        Parameters
        ----------
        sampler : str
            As it was asked for.
        package : str
            Name of the package to install.

        Returns
        -------
        PosteriorError
        """
        return cls(
            f"sampler={sampler!r} needs the package {package}, which is not installed here: "
            f'`pip install {package}`. sampler="pymc" needs nothing more, and sampler="auto" '
            "takes the best that is installed."
        )

    @classmethod
    def sampler_needs_gradient(cls, sampler: str, why: str) -> PosteriorError:
        """A sampler that cannot take this model.

        Parameters
        ----------
        sampler : str
            As it was asked for.
        why : str
            What of the model it cannot take, in words.

        Returns
        -------
        PosteriorError
        """
        return cls(
            f"sampler={sampler!r} is NUTS for all variables, and {why}. Use "
            'sampler="pymc", which gives such variables steps of their own (Slice, Metropolis).'
        )

    @classmethod
    def sampling_argument(cls, name: str, instead: str) -> PosteriorError:
        """An argument of `pm.sample` that `Fit.sample` sets itself.

        Parameters
        ----------
        name : str
            The argument.
        instead : str
            What to do, as a sentence without its stop.

        Returns
        -------
        PosteriorError
        """
        return cls(f"`{name}=` is set by `fit.sample`. {instead}.")

    @classmethod
    def improper(cls, why: str) -> PosteriorError:
        """A flat prior where the likelihood has no proper maximum.

        Parameters
        ----------
        why : str
            The verdict, in sentences.

        Returns
        -------
        PosteriorError
        """
        return cls(
            'priors="flat" makes the likelihood itself the posterior, and this one has no '
            f"maximum from which it falls off in all directions, so that it has no "
            f"integral, or none that could be trusted. {why.rstrip('.')}. Keep the priors "
            '(priors="model").'
        )

    @classmethod
    def flat_needs_mle(cls) -> PosteriorError:
        """Flat priors for a MAP fit.

        Returns
        -------
        PosteriorError
        """
        return cls(
            'priors="flat" samples the likelihood, of which a MAP fit has no verdict. Use '
            '`pymle.find_MLE(model).sample(priors="flat")`.'
        )

    @classmethod
    def flat_discrete(cls, names: Sequence[str]) -> PosteriorError:
        """A flat prior with discrete parameters.

        Parameters
        ----------
        names : sequence of str
            The variables.

        Returns
        -------
        PosteriorError
        """
        return cls(
            f"{listing(names)} is discrete: a flat prior on its values is no density. Keep the "
            'priors (priors="model").'
        )
