"""What is wrong with data, weights and points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pymle.errors.base import PymleError
from pymle.errors.words import listing, row_numbers, unknown_name


class DataError(PymleError):
    """Data that no likelihood can be computed from."""

    @classmethod
    def not_finite(cls, name: str, kind: str, rows: Sequence[object], count: int) -> DataError:
        """NaN or inf in data.

        Parameters
        ----------
        name : str
            The variable.
        kind : str
            What was found, such as ``"NaN"``.
        rows : sequence
            The first rows that have it.
        count : int
            How many there are.

        Returns
        -------
        DataError
        """
        return cls(
            f"Data of `{name}`: {count} {kind} value(s), first at row(s) {row_numbers(rows)}. "
            "Expected finite numbers. Remove or replace these rows (np.isfinite finds them)."
        )

    @classmethod
    def empty(cls, name: str, shape: Sequence[int]) -> DataError:
        """No observation.

        Parameters
        ----------
        name : str
            The variable.
        shape : sequence of int
            The shape of the data.

        Returns
        -------
        DataError
        """
        return cls(
            f"Observed variable `{name}` has no data (shape {tuple(shape)}). "
            "Expected at least one observation."
        )

    @classmethod
    def needed(cls, name: str, what: str) -> DataError:
        """New data that are not given and that a prediction reads.

        Parameters
        ----------
        name : str
            The data.
        what : str
            What is predicted.

        Returns
        -------
        DataError
        """
        return cls(
            f"`{what}` is computed from `{name}`, which still has the length of the data of the "
            f"fit while other data changed theirs. Give `{name}` too."
        )

    @classmethod
    def lengths_differ(cls, dim: str, one: int, other: int) -> DataError:
        """New data that disagree on the length of a dim.

        Parameters
        ----------
        dim : str
            The dim.
        one, other : int
            The lengths.

        Returns
        -------
        DataError
        """
        return cls(
            f"The new data have {one} and {other} entries along `{dim}`. Give data of one length."
        )

    @classmethod
    def do_not_fit(cls, shapes: Mapping[str, Sequence[int]], cause: BaseException) -> DataError:
        """Data whose lengths do not fit each other.

        Parameters
        ----------
        shapes : mapping of str to sequence of int
            The shape of every named data array.
        cause : BaseException

        Returns
        -------
        DataError
        """
        listed = ", ".join(f"`{name}` {tuple(shape)}" for name, shape in shapes.items())
        first = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        return cls(
            f"The data do not fit each other: {listed} ({first[:120]}). Expected lengths that "
            "agree; pass new values for all data whose length changes."
        )

    @classmethod
    def no_such_group(cls, names: Iterable[str], cause: BaseException) -> DataError:
        """An index of a group that the fit does not have.

        Parameters
        ----------
        names : iterable of str
            The random effects.
        cause : BaseException

        Returns
        -------
        DataError
        """
        first = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        return cls(
            f"The new data point beyond the groups of {listing(names)} ({first[:120]}). A group "
            "that was not seen has no effect of its own: give it the index of any group that was, "
            'and pass groups="new" (averaged over groups) or groups="typical" (effects at the mean '
            "of their law)."
        )

    @classmethod
    def unknown(cls, name: str, known: Iterable[str]) -> DataError:
        """Data for a name that the model does not have.

        Parameters
        ----------
        name : str
            The name that was given.
        known : iterable of str
            The names that there are; the nearest is suggested.

        Returns
        -------
        DataError
        """
        names = list(known)
        if not names:
            return cls(
                f"data: unknown name `{name}`: the model has no `pm.Data`, its data are constants "
                "in it. Declare what may change with `pm.Data` when the model is written (those of "
                "bambi hold their data so: write them in PyMC, or make a model at the new data)."
            )
        return cls(unknown_name("data", name, names))

    @classmethod
    def wrong_ndim(cls, name: str, seen: int, expected: int) -> DataError:
        """Data with another number of dimensions.

        Parameters
        ----------
        name : str
            The variable.
        seen : int
            Dimensions of the data given.
        expected : int
            Dimensions in the model.

        Returns
        -------
        DataError
        """
        return cls(
            f"Data of `{name}`: seen an array with {seen} dimension(s), expected {expected}. "
            "Reshape it as it was when the model was built."
        )

    @classmethod
    def captured(cls, name: str, seen: Sequence[int], expected: Sequence[int]) -> DataError:
        """New data of another shape for an array that the model captured.

        Parameters
        ----------
        name : str
            The variable.
        seen : sequence of int
            The shape given.
        expected : sequence of int
            The shape in the model.

        Returns
        -------
        DataError
        """
        return cls(
            f"Data of `{name}`: seen shape {tuple(seen)}, expected {tuple(expected)}: the model "
            "captured this array when it was built. Declare it with pm.Data to change its length."
        )

    @classmethod
    def not_integer(cls, name: str) -> DataError:
        """Fractions where counts are expected.

        Parameters
        ----------
        name : str
            The variable.

        Returns
        -------
        DataError
        """
        return cls(f"Data of `{name}`: seen fractions, expected whole numbers.")

    @classmethod
    def weights(cls, name: str, why: str) -> DataError:
        """Weights that do not fit.

        Parameters
        ----------
        name : str
            The variable.
        why : str
            The reason, in words.

        Returns
        -------
        DataError
        """
        return cls(
            f"weights of `{name}`: {why}. Expected one non-negative finite number per observation."
        )


class PointError(PymleError):
    """A point (start, fixed values) that does not fit the model."""

    @classmethod
    def unknown(cls, argument: str, name: str, known: Iterable[str]) -> PointError:
        """A name or label that the model does not have.

        Parameters
        ----------
        argument : str
            The argument that the point was passed as.
        name : str
            The name or label that was given.
        known : iterable of str
            The names that there are; the nearest is suggested.

        Returns
        -------
        PointError
        """
        return cls(unknown_name(argument, name, known))

    @classmethod
    def wrong_shape(
        cls, argument: str, name: str, seen: Sequence[int], expected: Sequence[int]
    ) -> PointError:
        """A value of another shape.

        Parameters
        ----------
        argument : str
            The argument that the point was passed as.
        name : str
            The variable.
        seen : sequence of int
            The shape given.
        expected : sequence of int
            The shape of the variable.

        Returns
        -------
        PointError
        """
        return cls(
            f"{argument}: `{name}` has shape {tuple(expected)}, seen a value of shape "
            f"{tuple(seen)}. Pass an array of that shape, or single entries by label."
        )

    @classmethod
    def outside_support(cls, argument: str, name: str, seen: object, support: str) -> PointError:
        """A value outside the support of its variable.

        Parameters
        ----------
        argument : str
            The argument that the point was passed as.
        name : str
            The variable.
        seen : object
            The value given.
        support : str
            The support, in words.

        Returns
        -------
        PointError
        """
        return cls(
            f"{argument}: `{name}` = {seen} is outside its support ({support}). "
            "Pass a value inside it, on the natural scale."
        )

    @classmethod
    def not_finite(cls, argument: str, name: str, seen: object) -> PointError:
        """A value that is NaN or infinite.

        Parameters
        ----------
        argument : str
            The argument that the point was passed as.
        name : str
            The variable.
        seen : object
            The value given.

        Returns
        -------
        PointError
        """
        return cls(f"{argument}: `{name}` = {seen} is not finite. Pass finite numbers.")

    @classmethod
    def incomplete(cls, missing: Sequence[str]) -> PointError:
        """A point without all variables.

        Parameters
        ----------
        missing : sequence of str
            The variables without a value.

        Returns
        -------
        PointError
        """
        return cls(
            f"The point lacks {listing(missing)}. Expected a natural-scale value for each "
            "parameter; `fit.point` is a complete one."
        )

    @classmethod
    def not_single(cls, name: str, support: str) -> PointError:
        """A single entry of a variable whose entries constrain each other.

        Parameters
        ----------
        name : str
            The variable.
        support : str
            The support, in words.

        Returns
        -------
        PointError
        """
        return cls(
            f"fixed: single entries of `{name}` cannot be held because its entries constrain each "
            f"other ({support}). Fix the whole variable, or write the model with free entries."
        )

    @classmethod
    def no_conditional_mode(cls, what: str, labels: Sequence[str]) -> PointError:
        """The random effects have no conditional mode where the search starts.

        Parameters
        ----------
        what : str
            ``not finite``, ``not concave`` or ``not settled``.
        labels : sequence of str
            The effects at which it shows.

        Returns
        -------
        PointError
        """
        happened = {
            "not finite": "the joint log-density or its derivative is not finite",
            "not concave": "the joint log-density has no curvature that would hold them, or a "
            "saddle, where the search for their mode ends",
            "not settled": "the search for their mode did not come to rest",
        }[what]
        return cls(
            f"The random effects have no conditional mode at the start: at {listing(labels)} "
            f"{happened}. The likelihood, which integrates over them, has no value there. Next "
            "step: pass `start=` with parameters at which the data are plausible, give the "
            "effects a distribution that holds them, or estimate them as `parameters=`."
        )

    @classmethod
    def not_finite_likelihood(cls, details: str) -> PointError:
        """The log-likelihood is not finite where the search starts.

        Parameters
        ----------
        details : str
            Which observations are impossible, in sentences.

        Returns
        -------
        PointError
        """
        return cls(
            f"The log-likelihood is not finite at the start. {details} Next step: check the data "
            "against the support of the distribution, or pass `start=` with values at which every "
            "observation is possible."
        )
