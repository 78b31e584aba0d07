"""Texts of errors about predictions, simulations and tests with random effects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from pymle.errors.words import listing


class GroupTexts:
    """Constructors that `AnalysisError` inherits."""

    @classmethod
    def _about_groups(cls, text: str) -> Any:
        return cls(text)  # type: ignore[call-arg]

    @classmethod
    def no_groups(cls, groups: Any) -> Self:
        """A choice for random effects where there are none.

        Parameters
        ----------
        groups : object
            What was passed.

        Returns
        -------
        AnalysisError
        """
        return cls._about_groups(
            f"`groups` = {groups!r}: this fit has no random effects of groups (see `fit.roles`). "
            "Leave the argument out."
        )

    @classmethod
    def groups_disagree(cls, name: str, own: str, parent: str, other: str) -> Self:
        """An effect that is kept although the one that its law depends on is not.

        Parameters
        ----------
        name, own : str
            The effect and its choice.
        parent, other : str
            What its law depends on, and the choice for that.

        Returns
        -------
        AnalysisError
        """
        return cls._about_groups(
            f'`groups`: `{name}` is asked "{own}", and `{parent}`, on which its law depends, '
            f'"{other}". Units of a new `{parent}` are new, and those of a typical one typical: '
            f'pass {{"{name}": "{other}"}} too, or {{"{parent}": "kept"}}.'
        )

    @classmethod
    def no_typical(cls, name: str, law: str) -> Self:
        """A law without a mean in closed form.

        Parameters
        ----------
        name : str
        law : str
            The name of its random variable's operation.

        Returns
        -------
        AnalysisError
        """
        return cls._about_groups(
            f"`{name}` has no typical value: the mean of its law ({law.removesuffix('RV')}) has no "
            'closed form here. Use groups="kept" for predictions at its conditional mode, or '
            'groups="new" for an average over its law.'
        )

    @classmethod
    def law_by_potential(cls, names: Iterable[str], potential: str, what: str) -> Self:
        """An effect whose law is partly a Potential.

        Parameters
        ----------
        names : iterable of str
            The effects.
        potential : str
        what : str
            What was asked for.

        Returns
        -------
        AnalysisError
        """
        return cls._about_groups(
            f"{what} needs the law of {listing(names)}, and the Potential `{potential}` is part of "
            'it, which cannot be drawn from. Use groups="kept".'
        )

    @classmethod
    def no_average(cls, what: str, names: Iterable[str]) -> Self:
        """A function of new effects that are not normal.

        Parameters
        ----------
        what : str
        names : iterable of str
            The effects.

        Returns
        -------
        AnalysisError
        """
        return cls._about_groups(
            f'`{what}` with groups="new" is an average over the law of {listing(names)}, which is '
            "no normal one: such averages are only simulated, for observed variables "
            '(`fit.simulate(groups="new")`). Use groups="kept" or groups="typical".'
        )

    @classmethod
    def too_many_effects(cls, seen: int, most: int) -> Self:
        """More random effects than a dense covariance is made for.

        Parameters
        ----------
        seen, most : int

        Returns
        -------
        AnalysisError
        """
        return cls._about_groups(
            f"Draws of {seen} random effects given the data need their covariance as a whole, "
            f"which is made for up to {most}. Pass `prediction_limits=False` and "
            '`interval="delta"`, or groups="new".'
        )

    @classmethod
    def needs_jax_prediction(cls, names: Iterable[str], reason: str | None) -> Self:
        """A prediction from random effects that JAX does not compute.

        Parameters
        ----------
        names : iterable of str
            The effects.
        reason : str or None
            Why not.

        Returns
        -------
        AnalysisError
        """
        why = f" ({reason})" if reason else ""
        return cls._about_groups(
            f"Predictions that depend on {listing(names)} need derivatives by JAX, which this "
            f'model does not have{why}. Use `fit.simulate(groups="kept")`.'
        )

    @classmethod
    def restricted(cls, what: str, names: Iterable[str]) -> Self:
        """An analysis that a restricted likelihood does not allow.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.
        names : iterable of str
            Parameters that were integrated under a flat measure.

        Returns
        -------
        AnalysisError
        """
        return cls._about_groups(
            f"{what} simulates data from a likelihood whose parameters are all estimated, and "
            f"{listing(names)} was integrated under a flat measure (`reml=`). Fit without `reml`."
        )
