"""Errors about saved fits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pymle.errors.analysis import AnalysisError
from pymle.errors.base import PymleError
from pymle.errors.words import listing


class StoredError(PymleError):
    """A file that cannot be written or read as a saved fit."""

    @classmethod
    def suffix(cls, path: Path, known: Iterable[str]) -> StoredError:
        """A file name whose ending says no format.

        Parameters
        ----------
        path : Path
        known : iterable of str
            Endings that do.

        Returns
        -------
        StoredError
        """
        seen = f"the ending {path.suffix!r}" if path.suffix else "no ending"
        return cls(
            f"{str(path)!r} has {seen}: the format follows from it. Use {', '.join(known)} "
            "(netCDF) or .zarr."
        )

    @classmethod
    def no_engine(cls, path: Path, packages: Iterable[str]) -> StoredError:
        """No package that writes or reads the format is installed.

        Parameters
        ----------
        path : Path
        packages : iterable of str
            Any of which would do.

        Returns
        -------
        StoredError
        """
        names = list(packages)
        return cls(
            f"{str(path)!r} needs {' or '.join(names)}, and none is installed: "
            f"`pip install {names[0]}`."
        )

    @classmethod
    def exists(cls, path: Path) -> StoredError:
        """A file that would be overwritten.

        Parameters
        ----------
        path : Path

        Returns
        -------
        StoredError
        """
        return cls(
            f"{str(path)!r} exists already. Pass `overwrite=True` to replace it, or another name."
        )

    @classmethod
    def cannot_write(cls, path: Path, error: BaseException) -> StoredError:
        """Writing failed; what was there before is untouched.

        Parameters
        ----------
        path : Path
        error : Exception

        Returns
        -------
        StoredError
        """
        return cls(
            f"{str(path)!r} could not be written ({type(error).__name__}: {error}). What was "
            "there before is untouched."
        )

    @classmethod
    def missing(cls, path: Path) -> StoredError:
        """No such file.

        Parameters
        ----------
        path : Path

        Returns
        -------
        StoredError
        """
        where = str(path.parent.resolve()) if not path.is_absolute() else str(path.parent)
        return cls(f"There is no {path.name!r} in {where!r}.")

    @classmethod
    def unreadable(cls, path: Path, error: BaseException) -> StoredError:
        """A file that its engine cannot open.

        Parameters
        ----------
        path : Path
        error : Exception

        Returns
        -------
        StoredError
        """
        kind = "zarr store" if path.suffix == ".zarr" else "netCDF file"
        return cls(
            f"{str(path)!r} is no readable {kind} ({type(error).__name__}: {error}). It is "
            "damaged, was not written completely, or is something else."
        )

    @classmethod
    def not_ours(cls, path: Path, groups: Iterable[str]) -> StoredError:
        """A readable file that holds no fit.

        Parameters
        ----------
        path : Path
        groups : iterable of str
            What it holds.

        Returns
        -------
        StoredError
        """
        held = listing(groups) or "none"
        return cls(
            f"{str(path)!r} holds no fit saved by pymle (its groups: {held}). `pymle.load` reads "
            "what `fit.save` writes; trees of draws are read by ArviZ (`arviz.from_netcdf`)."
        )

    @classmethod
    def version(cls, path: Path, found: object, written_by: object, known: int) -> StoredError:
        """A file of a format that this version does not know.

        Parameters
        ----------
        path : Path
        found : int
            Its format.
        written_by : str
            The version of pymle that wrote it.
        known : int
            Newest format that this version reads.

        Returns
        -------
        StoredError
        """
        return cls(
            f"{str(path)!r} has format {found}, written by pymle {written_by}; this version reads "
            f"formats up to {known}. Update pymle."
        )

    @classmethod
    def damaged(cls, path: Path, what: str) -> StoredError:
        """A file of ours whose content is not what was written.

        Parameters
        ----------
        path : Path
        what : str

        Returns
        -------
        StoredError
        """
        return cls(
            f"{str(path)!r} is damaged: {what}. Nothing of it is used; save the fit again, or take "
            "another copy."
        )


class ChangedModelError(StoredError):
    """A model, or data, that are not those of the saved fit."""

    @classmethod
    def layout(cls, path: str, seen: Iterable[str], saved: Iterable[str]) -> ChangedModelError:
        """Other parameters, or other shapes or held values.

        Parameters
        ----------
        path : str
        seen, saved : iterable of str
            Descriptions of those that differ.

        Returns
        -------
        ChangedModelError
        """
        return cls(
            f"The model is not that of the fit in {path!r}: it has {', '.join(seen) or 'nothing'} "
            f"where the fit has {', '.join(saved) or 'nothing'}. Pass the model that was fitted, "
            "or fit this one anew."
        )

    @classmethod
    def value(
        cls, path: str, what: str, seen: float, saved: float, data: Iterable[str]
    ) -> ChangedModelError:
        """Another log-likelihood at the saved point.

        Parameters
        ----------
        path : str
        what : str
            What was compared.
        seen, saved : float
        data : iterable of str
            Data that differ from the saved ones.

        Returns
        -------
        ChangedModelError
        """
        changed = list(data)
        why = (
            f"The data {listing(changed)} are not the saved ones."
            if changed
            else "The data are the saved ones: a distribution, a prior or a formula has changed."
        )
        return cls(
            f"The model or its data are not those of the fit in {path!r}: at the saved point the "
            f"{what} is {seen!r}, saved was {saved!r}. {why} Pass the model that was fitted, with "
            "its data, or fit this one anew."
        )


class NeedsModelError(AnalysisError, AttributeError):
    """An analysis of a saved fit that needs the model."""

    @classmethod
    def of(cls, what: str, path: str) -> NeedsModelError:
        """Something that only a fit with its model can do.

        Parameters
        ----------
        what : str
            How it is called.
        path : str
            The file.

        Returns
        -------
        NeedsModelError
        """
        return cls(
            f"`{what}` needs the model, which no file holds. Build the model as it was and load "
            f"the fit with it: `pymle.load({path!r}, model=model)`. Nothing is fitted again."
        )
