"""What is resampled: units, clusters, strata, blocks; drawn as factors of the units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pymle.errors import AnalysisError
from pymle.errors.words import listing
from pymle.fitted import Fitted
from pymle.inference.covariance.units import Units, declared_units, evident_units
from pymle.inference.prediction.levels import Levels, levels

KINDS = (
    "auto",
    "parametric",
    "case",
    "cluster",
    "stratified",
    "block",
    "moving-block",
    "bayesian",
)

#: Replicates that are drawn at a time, and entries of their factors.
_AT_ONCE, _ENTRIES = 100, 20_000_000


@dataclass(frozen=True, eq=False)
class Scheme:
    """How data sets are made.

    Attributes
    ----------
    kind : str
        One of `KINDS` other than ``auto``.
    text : str
        What is drawn, in words.
    units : Units or None
        What is resampled as a whole; None where data are simulated.
    strata : numpy.ndarray of int, shape (u,)
        Number of the stratum of each unit.
    counts : numpy.ndarray or None, shape (u,)
        Frequency weights where they are whole numbers: a unit stands for so many.
    block_length : int
        Zero unless blocks are drawn.
    levels : Levels or None
        What simulated data do with random effects.
    """

    kind: str
    text: str
    units: Units | None = None
    strata: np.ndarray | None = None
    counts: np.ndarray | None = None
    block_length: int = 0
    levels: Levels | None = None

    @property
    def codes(self) -> list[np.ndarray]:
        """For each observed variable the unit of every entry, flat."""
        assert self.units is not None
        return list(self.units.codes)

    @property
    def at_once(self) -> int:
        """Replicates whose factors are drawn together."""
        size = 1 if self.units is None else len(self.units)
        return int(np.clip(_ENTRIES // size, 1, _AT_ONCE))

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Factors (n, u) of the units, on top of the weights of the fit."""
        assert self.units is not None
        assert self.strata is not None
        if self.kind in ("block", "moving-block"):
            return _blocks(rng, n, len(self.units), self.block_length, self.kind == "block")
        out = np.empty((n, len(self.units)))
        for stratum in range(int(self.strata.max()) + 1):
            here = np.flatnonzero(self.strata == stratum)
            counts = None if self.counts is None else self.counts[here]
            draw = _exponential if self.kind == "bayesian" else _multinomial
            out[:, here] = draw(rng, n, len(here), counts)
        return out


def make_scheme(
    fitted: Fitted,
    kind: str,
    *,
    clusters: Any = None,
    strata: Any = None,
    block_length: int | None = None,
    groups: Any = None,
) -> Scheme:
    """Decide what is drawn.

    Parameters
    ----------
    fitted : Fitted
    kind : str
        One of `KINDS`.
    clusters, strata : array_like, str or mapping, optional
    block_length : int, optional
    groups : str or mapping of str to str, optional
        What simulated data do with random effects.

    Returns
    -------
    Scheme

    Raises
    ------
    AnalysisError
        Arguments that do not go together, or no independent units to resample.

    Notes
    -----
    ``auto`` resamples what is declared (clusters, strata, blocks), else single units where
    the model shows that they are independent, since that needs no trust in the distribution
    of the data; and it simulates where the data have one joint density or share random effects.
    """
    if kind not in KINDS:
        raise AnalysisError.argument("kind", kind, f"one of {', '.join(KINDS)}")
    if kind == "auto":
        kind = _chosen(fitted, clusters, strata, block_length)
    _check_arguments(kind, clusters, strata, block_length)
    if kind == "parametric":
        if fitted.estimate.weights_kind == "sampling":
            raise AnalysisError.bootstrap(
                "a parametric bootstrap would simulate a sample without the design that the "
                'sampling weights stand for. Use kind="case", or "cluster" with `clusters=`'
            )
        if fitted.weights is not None and any(np.any((w != 0) & (w != 1)) for w in fitted.weights):
            raise AnalysisError.bootstrap(
                "a row with a frequency weight stands for several observations, and a parametric "
                'bootstrap would draw one value for all of them. Use kind="case", or fit a data '
                "set with one row for each observation"
            )
        names = ", ".join(f"`{rv.name}`" for rv in fitted.problem.model.observed_RVs)
        chosen = levels(fitted, groups, "new", missing="new")
        text = f"data sets of {names} simulated from the fitted model"
        if chosen.text:
            text += f", random effects: {chosen.text}"
        return Scheme(kind, text, levels=chosen)
    if groups is not None:
        raise AnalysisError.argument("groups", groups, 'kind="parametric", which simulates data')
    if fitted.problem.effects is not None:
        raise AnalysisError.bootstrap(
            "resampling draws whole groups, each with a random effect of its own, and weights of "
            f"observations cannot do that for {listing(fitted.problem.effects.names)}, which were "
            'integrated out. Use kind="parametric", which draws new effects and new data'
        )
    what = f'bootstrap(kind="{kind}")'
    _refuse_potentials(fitted, what)
    if kind in ("block", "moving-block"):
        return _block_scheme(fitted, kind, block_length, what)
    if clusters is not None:
        ways = declared_units(fitted.problem, clusters, what)
        if len(ways) != 1:
            raise AnalysisError.argument("clusters", "several ways of clustering", "one of them")
        units = ways[0]
    else:
        units = evident_units(fitted.problem, what)
    layers = _layers(fitted, units, strata, what)
    counts = None if units.declared else _whole_counts(fitted, units)
    return Scheme(kind, _text(kind, units, layers, strata, counts), units, layers, counts)


def _chosen(fitted: Fitted, clusters: Any, strata: Any, block_length: int | None) -> str:
    if block_length is not None:
        return "block"
    if clusters is not None:
        return "cluster"
    if strata is not None:
        return "stratified"
    joint = any(not term.shape and term.rows > 1 for term in fitted.problem.observed)
    return "parametric" if joint or fitted.problem.effects is not None else "case"


def _check_arguments(kind: str, clusters: Any, strata: Any, block_length: int | None) -> None:
    if kind == "cluster" and clusters is None:
        raise AnalysisError.argument(
            "clusters", None, 'the clusters of the observations for kind="cluster"'
        )
    if kind == "stratified" and strata is None:
        raise AnalysisError.argument(
            "strata", None, 'the strata of the observations for kind="stratified"'
        )
    given = {"clusters": clusters, "strata": strata, "block_length": block_length}
    used = {
        "parametric": (),
        "case": (),
        "cluster": ("clusters", "strata"),
        "stratified": ("strata", "clusters"),
        "block": ("block_length",),
        "moving-block": ("block_length",),
        "bayesian": ("clusters", "strata"),
    }[kind]
    for name, value in given.items():
        if value is not None and name not in used:
            raise AnalysisError.argument(name, "given", f'nothing for kind="{kind}"')


def _refuse_potentials(fitted: Fitted, what: str) -> None:
    """A Potential in the likelihood is no sum over units; a prior or a penalty stays as it is."""
    problem = fitted.problem
    priors = problem.roles.names("prior")
    parts = [t.name for t in problem.terms if t.kind == "potential" and t.name not in priors]
    if parts:
        raise AnalysisError.needs_units(what, parts)


def _layers(fitted: Fitted, units: Units, strata: Any, what: str) -> np.ndarray:
    """Strata of the units: those given, and samples of their own for variables of their own rows.

    Two observed variables with rows of their own are two samples of fixed sizes.
    """
    keys = np.zeros(len(units), dtype=np.int64)
    if not units.declared:
        for bit, codes in enumerate(units.codes[:60]):
            touched = np.zeros(len(units), dtype=bool)
            touched[codes] = True
            keys += touched.astype(np.int64) << bit
    if strata is not None:
        try:
            [layers] = declared_units(fitted.problem, strata, what)
        except AnalysisError as error:
            raise AnalysisError(str(error).replace("clusters", "strata")) from error
        of_unit = units.common([c.astype(float) for c in layers.codes])
        if of_unit is None:
            raise AnalysisError.bootstrap(
                "the strata differ within a unit that is drawn as a whole "
                f"({units.text}). Strata contain whole units"
            )
        keys = keys * (int(of_unit.max()) + 1) + of_unit.astype(np.int64)
    return np.unique(keys, return_inverse=True)[1].ravel()


def _whole_counts(fitted: Fitted, units: Units) -> np.ndarray | None:
    if fitted.weights is None or fitted.estimate.weights_kind != "frequency":
        return None
    common = units.common(fitted.weights)
    if common is None:
        raise AnalysisError.differing_weights("the bootstrap")
    return common if np.array_equal(common, np.round(common)) else None


def _text(
    kind: str, units: Units, layers: np.ndarray, strata: Any, counts: np.ndarray | None
) -> str:
    drawn = units.text
    if counts is not None:
        drawn += f" that stand for {int(counts.sum())} by their frequency weights"
    how = "declared" if units.declared else "evident from the model"
    within = ""
    if layers.max() > 0:
        name = f" `{strata}`" if isinstance(strata, str) else ""
        whose = f"strata{name}" if strata is not None else "samples with rows of their own"
        within = f" within {layers.max() + 1} {whose}"
    verb = "exponential weights for" if kind == "bayesian" else "resampled with replacement:"
    return f"{verb} {drawn}{within} ({how})"


def _block_scheme(fitted: Fitted, kind: str, block_length: int | None, what: str) -> Scheme:
    problem = fitted.problem
    joint = [t.name for t in problem.observed if not t.shape]
    if joint or not problem.observed:
        raise AnalysisError.dependent(what, joint or [t.name for t in problem.terms])
    lengths = {t.shape[0] for t in problem.observed}
    if len(lengths) != 1:
        raise AnalysisError.bootstrap(
            f"blocks are runs of rows that all observed variables share, and these have "
            f"{', '.join(map(str, sorted(lengths)))} rows"
        )
    [n] = lengths
    if fitted.weights is not None:
        raise AnalysisError.bootstrap("blocks of rows with frequency weights have no meaning")
    if block_length is None:
        block_length = max(1, round(n ** (1.0 / 3.0)))
    whole = isinstance(block_length, int | np.integer) and not isinstance(block_length, bool)
    if not whole or not 1 <= int(block_length) < n:
        raise AnalysisError.argument("block_length", block_length, f"1 to {n - 1} rows")
    import pandas as pd

    codes = tuple(
        np.repeat(np.arange(n), int(np.prod(t.shape[1:], dtype=int))) for t in problem.observed
    )
    names = ", ".join(f"`{t.name}`" for t in problem.observed)
    units = Units(f"{n} rows of {names}", codes, pd.RangeIndex(n), declared=True, single=False)
    how = "circular blocks" if kind == "block" else "blocks"
    text = f"{how} of {int(block_length)} rows in their order out of {n} rows of {names}"
    return Scheme(kind, text, units, np.zeros(n, dtype=int), None, int(block_length))


def _multinomial(
    rng: np.random.Generator, n: int, size: int, counts: np.ndarray | None
) -> np.ndarray:
    """How often each unit is drawn; relative to its count where it stands for several."""
    if counts is not None:
        total = int(counts.sum())
        drawn = rng.multinomial(total, counts / counts.sum(), size=n)
        return drawn / np.where(counts > 0, counts, 1.0)
    picked = rng.integers(0, size, size=(n, size))
    picked += size * np.arange(n)[:, None]
    return np.bincount(picked.ravel(), minlength=n * size).reshape(n, size).astype(np.float64)


def _exponential(
    rng: np.random.Generator, n: int, size: int, counts: np.ndarray | None
) -> np.ndarray:
    """Dirichlet weights times the number of units (Rubin 1981)."""
    if counts is None:
        drawn = rng.standard_exponential(size=(n, size))
        return drawn / drawn.mean(axis=1, keepdims=True)
    drawn = rng.standard_gamma(counts, size=(n, size))
    drawn *= counts.sum() / drawn.sum(axis=1, keepdims=True)
    return drawn / np.where(counts > 0, counts, 1.0)


def _blocks(rng: np.random.Generator, n: int, size: int, length: int, circular: bool) -> np.ndarray:
    """How often each row is in a series of blocks that is as long as the data."""
    number = -(-size // length)
    starts = rng.integers(0, size if circular else size - length + 1, size=(n, number))
    rows = (starts[:, :, None] + np.arange(length)).reshape(n, -1)[:, :size] % size
    rows += size * np.arange(n)[:, None]
    return np.bincount(rows.ravel(), minlength=n * size).reshape(n, size).astype(np.float64)
