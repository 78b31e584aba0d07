"""Errors about a posterior that is set beside a fit."""

from __future__ import annotations

from collections.abc import Iterable

from pymle.errors.analysis import AnalysisError
from pymle.errors.words import listing


class ComparisonError(AnalysisError):
    """A posterior that cannot be set beside a fit."""

    @classmethod
    def shape(cls, name: str, seen: tuple[int, ...], expected: tuple[int, ...]) -> ComparisonError:
        """A variable whose draws have another shape than the model gives it.

        Parameters
        ----------
        name : str
        seen, expected : tuple of int
            Without the dims of the draws.

        Returns
        -------
        ComparisonError
        """
        return cls(
            f"Each draw of `{name}` has shape {seen}, the model of this fit gives it {expected}. "
            "The draws were made with other data or by another model: sample this model again, or "
            "leave the variable out with `var_names=`."
        )

    @classmethod
    def no_posterior(cls, kind: str, groups: Iterable[str]) -> ComparisonError:
        """Something without a group of posterior draws.

        Parameters
        ----------
        kind : str
            Its type.
        groups : iterable of str
            What it holds.

        Returns
        -------
        ComparisonError
        """
        held = listing(list(groups)) or "nothing that can be read"
        return cls(
            f"`idata` is of type {kind} and holds {held}, but no group `posterior`. Pass what "
            "`pm.sample` returns (InferenceData or DataTree), or its posterior as an "
            "xarray.Dataset with dims `chain` and `draw`."
        )

    @classmethod
    def no_dims(
        cls, lacking: Iterable[str], seen: Iterable[str], name: str | None = None
    ) -> ComparisonError:
        """Draws without the dims that tell them apart.

        Parameters
        ----------
        lacking, seen : iterable of str
        name : str, optional
            The variable.

        Returns
        -------
        ComparisonError
        """
        what = f"`{name}`" if name else "The posterior"
        return cls(
            f"{what} has dims {listing(list(seen)) or '(none)'}, and lacks {listing(lacking)}. "
            "Convergence is judged chain by chain: keep both dims (`expand_dims('chain')` for "
            "draws of one chain)."
        )

    @classmethod
    def nothing_in_common(cls, expected: Iterable[str], seen: Iterable[str]) -> ComparisonError:
        """Draws of another model.

        Parameters
        ----------
        expected, seen : iterable of str

        Returns
        -------
        ComparisonError
        """
        return cls(
            f"The draws hold {listing(list(seen)) or 'no variable'}; the model of this fit has "
            f"{listing(list(expected))}: no name in common. Draw from this model, or rename "
            "the variables of the draws."
        )

    @classmethod
    def too_few(cls, chains: int, draws: int) -> ComparisonError:
        """Too few draws to say anything.

        Parameters
        ----------
        chains, draws : int

        Returns
        -------
        ComparisonError
        """
        return cls(
            f"The posterior holds {chains} chains of {draws} draws. A comparison takes at least "
            "one chain of four draws, and a trustworthy one four chains of hundreds."
        )

    @classmethod
    def not_finite(cls, name: str, count: int, total: int) -> ComparisonError:
        """Draws that are no numbers.

        Parameters
        ----------
        name : str
        count, total : int

        Returns
        -------
        ComparisonError
        """
        return cls(
            f"{count} of {total} draws of `{name}` are not finite. Leave the chains or draws "
            "that failed out (`idata.sel(chain=...)`) before you compare."
        )

    @classmethod
    def coords(
        cls, name: str, dim: str, seen: Iterable[object], expected: Iterable[object]
    ) -> ComparisonError:
        """Draws whose labels along a dim are not the model's.

        Parameters
        ----------
        name, dim : str
        seen, expected : iterable of object

        Returns
        -------
        ComparisonError
        """
        return cls(
            f"The draws of `{name}` have coords {_first(seen)} along `{dim}`, the model of this "
            f"fit has {_first(expected)}. They were made with other data or another model; if "
            "only the names differ, rename them with `assign_coords`."
        )

    @classmethod
    def no_likelihood_fit(cls, why: str) -> ComparisonError:
        """A MAP fit for which no maximum-likelihood fit can be made.

        Parameters
        ----------
        why : str

        Returns
        -------
        ComparisonError
        """
        return cls(
            f"There is no maximum-likelihood fit to set beside this MAP fit: {why.rstrip('.')}. "
            "Call `compare_posterior` on a fit of `pymle.find_MLE`."
        )


def _first(labels: Iterable[object], most: int = 8) -> str:
    texts = [str(each) for each in labels]
    more = f", ... ({len(texts)} labels)" if len(texts) > most else ""
    return "[" + ", ".join(texts[:most]) + more + "]"
