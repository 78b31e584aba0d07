"""Texts of errors about independent units, clusters, weights and covariances."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

from pymle.errors.words import listing, unknown_name


class UnitTexts:
    """Constructors that `AnalysisError` inherits."""

    @classmethod
    def _of_units(cls, text: str) -> Any:
        return cls(text)  # type: ignore[call-arg]

    @classmethod
    def dependent(cls, what: str, names: Sequence[str]) -> Self:
        """An analysis of independent units on one joint log-density.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.
        names : sequence of str
            The variables.

        Returns
        -------
        AnalysisError
        """
        return cls._of_units(
            f"{what} needs at least two independent units, and {listing(names)} has one joint "
            "log-density for all its values (a series, a process, one multivariate observation). "
            "Use the observed information or the parametric bootstrap; or write the likelihood as "
            "a product over independent groups: one row per group, one observed variable per "
            "series with `clusters={name: label}`, or each value given the earlier ones "
            '(then cov="HAC" is there for series).'
        )

    @classmethod
    def one_unit(cls, what: str, names: Sequence[str]) -> Self:
        """An analysis of independent units on a single observation.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.
        names : sequence of str
            The variables.

        Returns
        -------
        AnalysisError
        """
        return cls._of_units(
            f"{what} needs at least two independent units, and {listing(names)} has one "
            "observation. Use the observed information."
        )

    @classmethod
    def one_group(cls, what: str, names: Sequence[str]) -> Self:
        """An analysis of independent groups where random effects connect everything.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.
        names : sequence of str
            What was integrated out.

        Returns
        -------
        AnalysisError
        """
        return cls._of_units(
            f"{what} needs at least two independent groups, and {listing(names)} connects all "
            "observations (crossed effects, a series, a field, or an effect that all share). Use "
            "the observed information, profiles or the parametric bootstrap."
        )

    @classmethod
    def needs_units(cls, what: str, names: Sequence[str]) -> Self:
        """An analysis of independent units on a likelihood that a Potential contributes to.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.
        names : sequence of str
            The Potentials.

        Returns
        -------
        AnalysisError
        """
        return cls._of_units(
            f"{what} needs the log-likelihood of every independent unit, and the Potential "
            f"{listing(names)} is part of the likelihood as one number. Write it as an observed "
            "variable (pm.CustomDist with `observed=`), or drop it "
            f'(`potentials={{"{next(iter(names), "name")}": "prior"}}`) if it is a prior or a '
            "penalty."
        )

    @classmethod
    def needs_score(cls, what: str) -> Self:
        """An analysis of scores where the objective has no gradient.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.

        Returns
        -------
        AnalysisError
        """
        return cls._of_units(
            f"{what} needs scores, and an operation of this model has no gradient (see "
            "`fit.record.route_reason`)."
        )

    @classmethod
    def scores_do_not_add_up(cls, what: str, share: float) -> Self:
        """Scores of observations whose sum is not the score.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.
        share : float
            What is left over, relative to the sum of sizes.

        Returns
        -------
        AnalysisError
        """
        return cls._of_units(
            f"{what}: the scores of the observations do not add up to the score (relative "
            f"difference {share:.1e}), so nothing is derived from them. This is a fault of pymle "
            "or of an operation's gradient: please report it with the model."
        )

    @classmethod
    def unknown_clusters(cls, name: str, known: Iterable[str]) -> Self:
        """A name that is no dim, no coordinate and no data.

        Parameters
        ----------
        name : str
        known : iterable of str

        Returns
        -------
        AnalysisError
        """
        return cls._of_units(unknown_name("clusters", name, known))

    @classmethod
    def clusters(cls, why: str) -> Self:
        """Clusters that do not fit the data.

        Parameters
        ----------
        why : str
            What is wrong, in words.

        Returns
        -------
        AnalysisError
        """
        return cls._of_units(f"clusters: {why}.")

    @classmethod
    def sampling_weights(cls, what: str) -> Self:
        """A quantity of a true likelihood where the weights are sampling weights.

        Parameters
        ----------
        what : str
            The quantity, as the subject of a sentence.

        Returns
        -------
        AnalysisError
        """
        return cls._of_units(
            f"{what} belongs to a likelihood, and with sampling weights the weighted sum of "
            "log-densities is none (it estimates the log-likelihood of the population). Use "
            'cov="sandwich" (the default here), or with clusters, and Wald tests; if the weights '
            'count equal observations, fit with `weights_kind="frequency"`.'
        )

    @classmethod
    def too_few_units(cls, what: str, units: int, needed: int) -> Self:
        """Fewer units than parameters.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.
        units : int
        needed : int

        Returns
        -------
        AnalysisError
        """
        return cls._of_units(
            f"{what} needs more independent units than estimated parameters: there are {units} "
            f"units and {needed} parameters, so that the products of scores have no inverse or no "
            "degrees of freedom are left."
        )

    @classmethod
    def differing_weights(cls, what: str) -> Self:
        """Frequency weights that differ within a unit.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.

        Returns
        -------
        AnalysisError
        """
        return cls._of_units(
            f"{what}: the observed variables share their rows, but their frequency weights differ "
            "on a row, so that it stands for no number of equal units. Give equal weights on each "
            'row, declare `clusters=`, or use `weights_kind="sampling"`.'
        )

    @classmethod
    def no_natural_score(cls, name: str, support: str) -> Self:
        """A derivative with respect to an entry that others constrain.

        Parameters
        ----------
        name : str
        support : str
            In words.

        Returns
        -------
        AnalysisError
        """
        return cls._of_units(
            f"`{name}` has entries that constrain each other ({support}): there is no derivative "
            'with respect to one of them alone. Use scale="unconstrained".'
        )
