"""Texts of errors about constraints between parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self


class ConstraintTexts:
    """Constructors that `AnalysisError` inherits."""

    @classmethod
    def _said(cls, text: str) -> Any:
        return cls(text)  # type: ignore[call-arg]

    @classmethod
    def constraints_contradict(cls, texts: Iterable[str], supports: Mapping[str, str]) -> Self:
        """No point satisfies these constraints.

        Parameters
        ----------
        texts : iterable of str
            Constraints of which none can be left out: the others agree with each other.
        supports : mapping of str to str
            Supports of the variables in them, by name.

        Returns
        -------
        AnalysisError
        """
        texts = list(texts)
        quoted = ", ".join(f'"{text}"' for text in texts)
        where = "; ".join(f"`{name}`: {support}" for name, support in supports.items())
        many = "contradict each other" if len(texts) > 1 else "cannot hold"
        return cls._said(
            f"constraints: {quoted} {many}"
            + (f" (supports: {where})" if where else "")
            + ". Leave one out, or correct its numbers."
        )

    @classmethod
    def constraint_at_edge(cls, texts: Iterable[str], supports: Mapping[str, str]) -> Self:
        """Constraints that hold at the edge of a support alone.

        Parameters
        ----------
        texts : iterable of str
        supports : mapping of str to str

        Returns
        -------
        AnalysisError
        """
        quoted = ", ".join(f'"{text}"' for text in texts)
        where = "; ".join(f"`{name}`: {support}" for name, support in supports.items())
        name = next(iter(supports), "name")
        return cls._said(
            f"constraints: {quoted} can hold only at the edge of a support ({where}), which no "
            f'search inside the support reaches. Hold the parameter there: `fixed={{"{name}": '
            "value}}`."
        )

    @classmethod
    def constraint_on_nothing(cls, text: str, value: float) -> Self:
        """A constraint without an estimated parameter, which does not hold.

        Parameters
        ----------
        text : str
        value : float
            Left side minus right side.

        Returns
        -------
        AnalysisError
        """
        return cls._said(
            f'constraints: "{text}" holds no estimated parameter (those given as `fixed=` do not '
            f"count) and is not true: left minus right is {value:.6g}. Leave it out, or change "
            "`fixed=`."
        )

    @classmethod
    def constraints_out_of_reach(cls, texts: Iterable[str], said: str) -> Self:
        """A search did not get to a point at which the constraints hold.

        Parameters
        ----------
        texts : iterable of str
        said : str
            Where it ended.

        Returns
        -------
        AnalysisError
        """
        quoted = ", ".join(f'"{text}"' for text in texts)
        return cls._said(
            f"constraints: no point was found at which {quoted} hold from the starts tried. {said} "
            "Pass a `start=` that satisfies them, or check that they can hold together."
        )

    @classmethod
    def constraints_dependent(cls, texts: Iterable[str]) -> Self:
        """Constraints of which one follows from the others where they hold.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        AnalysisError
        """
        quoted = ", ".join(f'"{text}"' for text in texts)
        return cls._said(
            f"constraints: among {quoted} one follows from the others where they hold, or is "
            "stationary there (such as `a^2 = 0`): multipliers and standard errors do not exist. "
            "Leave it out, or write it so that it crosses zero (`a = 0`)."
        )

    @classmethod
    def constraints_need_gradient(cls, reason: str) -> Self:
        """Constraints for an objective without a gradient.

        Parameters
        ----------
        reason : str
            Why there is none.

        Returns
        -------
        AnalysisError
        """
        return cls._said(
            f"constraints: the objective has no gradient ({reason}), and a search under "
            "constraints needs one. Give the operation a gradient, or build the constraints into "
            "the model (one parameter as a function of others)."
        )

    @classmethod
    def held_by_constraints(cls, label: str) -> Self:
        """A profile of what the constraints of a fit hold fast.

        Parameters
        ----------
        label : str

        Returns
        -------
        AnalysisError
        """
        return cls._said(
            f"`{label}` is held by the constraints of this fit: it has no profile. Fit without "
            "them, and compare (`fit.lr_test`)."
        )

    @classmethod
    def not_under_constraints(cls, what: str) -> Self:
        """An analysis that does not know constraints.

        Parameters
        ----------
        what : str
            The analysis, as the subject of a sentence.

        Returns
        -------
        AnalysisError
        """
        return cls._said(
            f"{what} does not take the constraints of this fit into account. Use "
            "`fit.profile`, `fit.bootstrap`, or a fit without constraints."
        )
