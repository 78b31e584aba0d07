"""The two scales of a model's parameters: points, vectors, bounds, and draws from the priors."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt

from pymle.errors import PointError
from pymle.model import checks, compat, walks
from pymle.model.density import natural_values, replace_random
from pymle.model.layout import Block, Layout, diagonal_of_packed, entry_bounds, make_layout
from pymle.model.points import Held, split_point
from pymle.model.supports import Support, bounds_of, support_of


class Coordinates:
    """Where the parameters of a model live, and how to go from one scale to the other.

    Parameters
    ----------
    model : pymc.Model
    names : tuple of str
        The parameters, in declaration order.
    initial : mapping of str to numpy.ndarray
        PyMC's initial point on the natural scale, all free variables.
    fixed : mapping, optional
        Natural-scale values by variable name or by entry label.

    Attributes
    ----------
    supports : dict of str to Support
    held : dict of str to Held
    layout : Layout
    """

    def __init__(
        self,
        model: Any,
        names: tuple[str, ...],
        initial: Mapping[str, np.ndarray],
        fixed: Mapping[str, Any] | None,
    ) -> None:
        self.model = model
        self.names = names
        self.initial = initial
        self.supports: dict[str, Support] = {n: support_of(model, model[n]) for n in names}
        self.held = self._held(fixed)
        self.layout = self._layout()

    @property
    def held_vector(self) -> np.ndarray:
        """Natural vector with the held values, zero elsewhere."""
        out = np.zeros(self.layout.natural_size)
        for block in self.layout.blocks:
            if block.name in self.held:
                out[block.natural] = np.where(block.fixed, self.held[block.name].values, 0.0)
        return out

    def complete(self, start: Mapping[str, Any] | None, base: Mapping[str, Any] | None = None):
        """A complete natural point: ``start`` over a base point over PyMC's initial one.

        Parameters
        ----------
        start : mapping, optional
            Natural-scale values by variable name or entry label; may be partial.
        base : mapping, optional

        Returns
        -------
        dict of str to numpy.ndarray

        Raises
        ------
        PointError
            Unknown names, wrong shapes or values that are not finite.
        """
        base = self.initial if base is None else base
        point = {b.name: np.array(base[b.name], dtype=float) for b in self.layout.blocks}
        for block in self.layout.blocks:
            point[block.name] = np.broadcast_to(point[block.name], block.shape).copy()
        given = split_point("start", start, self._shapes(), self._labels)
        for name, part in given.items():
            flat = point[name].ravel()
            flat[part.mask] = part.values[part.mask]
            point[name] = flat.reshape(point[name].shape)
        for block in self.layout.blocks:
            if block.name in self.held:
                flat = point[block.name].ravel()
                flat[block.fixed] = self.held[block.name].values[block.fixed]
                point[block.name] = flat.reshape(block.shape)
        return point

    def unconstrain(self, point: Mapping[str, np.ndarray], argument: str = "start") -> np.ndarray:
        """Unconstrained vector of a natural point.

        Raises
        ------
        PointError
            A value outside (or on the edge of) its support.
        """
        x = self._forward(self.layout.to_natural(point))
        for block in self.layout.blocks:
            lost = checks.breaks_sum(block.support, point[block.name])
            if lost or not np.all(np.isfinite(x[block.free])):
                raise PointError.outside_support(
                    argument, block.name, short(point[block.name]), self.support_text(block)
                )
        return x

    def unconstrain_rows(self, naturals: np.ndarray) -> np.ndarray:
        """Unconstrained vectors of the rows of a matrix of natural vectors; nan where outside."""
        rows = [self._forward(natural) for natural in naturals]
        return np.array(rows).reshape(len(naturals), self.layout.size)

    def support_text(self, block: Block) -> str:
        """The support of a variable in words, with its bounds where they are numbers."""
        lower, upper = self.initial_bounds[block.name]
        if block.support.kind != "interval" or (lower is None and upper is None):
            return block.support.text
        low = "-inf" if lower is None else short(lower)
        high = "inf" if upper is None else short(upper)
        return f"between {low} and {high}"

    @cached_property
    def initial_bounds(self) -> dict[str, tuple[np.ndarray | None, np.ndarray | None]]:
        """Bounds at the initial point, for messages; None where there is none."""
        return {
            name: tuple(None if np.all(np.isinf(b)) else b for b in pair)
            for name, pair in self.bounds(None).items()
        }

    @cached_property
    def constant_bounds(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Bounds of all natural entries where the natural map is a closed form of them.

        None where entries constrain each other, or a bound depends on other variables.
        """
        free = (block for block in self.layout.blocks if not block.wholly_fixed)
        if not all(self.has_closed_form(block) for block in free):
            return None
        return self.flat_bounds(None)

    def has_closed_form(self, block: Block) -> bool:
        """Whether entries are an identity, exponential or logistic map of one coordinate each."""
        plain = {"real", "positive", "interval", "unknown"}
        simple = {"NoneType", "LogTransform", "LogOddsTransform", "Interval", "IntervalTransform"}
        if block.support.kind not in plain:
            return False
        if type(block.support.transform).__name__ not in simple:
            return False
        pair = bounds_of(block.support, self.model[block.name])
        return all(walks.is_constant(bound) for bound in pair)

    def bounds(self, natural: np.ndarray | None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Lower and upper bounds of every elementwise parameter at a point.

        Parameters
        ----------
        natural : numpy.ndarray or None
            Natural vector at which bounds that depend on other parameters are evaluated;
            None is PyMC's initial point.

        Returns
        -------
        dict of str to (lower, upper)
            Arrays of the natural shape; infinite where unbounded.
        """
        if natural is None:
            natural = self.layout.to_natural(self.complete(None))
        point = {**self.initial, **self.layout.to_point(natural)}
        values = natural_values(self.model)
        given = {symbol: point[name].astype(symbol.dtype) for name, symbol in values.items()}
        out = {}
        for block in self.layout.blocks:
            pair = []
            bounds = bounds_of(block.support, self.model[block.name])
            for side, bound in zip((-np.inf, np.inf), bounds, strict=True):
                value = side if bound is None else bound
                if hasattr(value, "type"):
                    [graph] = replace_random(self.model, values, [value])
                    value = walks.evaluate([compat.as_tensor(graph)], given)[0]
                pair.append(np.broadcast_to(np.asarray(value, dtype=float), block.shape))
            out[block.name] = (pair[0], pair[1])
        return out

    @cached_property
    def _forward(self) -> Callable[[np.ndarray], np.ndarray]:
        """Natural vector to unconstrained vector, interpreted."""
        values = natural_values(self.model)
        outputs = []
        for block in self.layout.blocks:
            rv = self.model[block.name]
            value = values[block.name]
            inner: Any = value
            if block.support.transform is not None and not block.wholly_fixed:
                inputs = replace_random(self.model, values, checks.plain_inputs(rv))
                inner = block.support.transform.forward(value, *checks.with_states(rv, inputs))
            outputs.append(compat.as_tensor(inner).flatten())
        symbols = [values[b.name] for b in self.layout.blocks]
        function = walks.interpret(symbols, outputs)

        def forward(natural: np.ndarray) -> np.ndarray:
            point = self.layout.to_point(natural)
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                given = [point[b.name] for b in self.layout.blocks]
                parts = function(*(v.astype(s.dtype) for v, s in zip(given, symbols, strict=True)))
            kept = []
            for block, part in zip(self.layout.blocks, parts, strict=True):
                if block.support.elementwise:
                    kept.append(np.asarray(part)[~block.fixed])
                elif not block.wholly_fixed:
                    kept.append(np.asarray(part))
            return np.concatenate(kept) if kept else np.zeros(0)

        return forward

    def prior_draws(self, count: int, seed: int) -> np.ndarray:
        """Natural vectors drawn from the priors, for dispersed starts; rows may be nan.

        Variables whose prior cannot be drawn (flat ones) keep PyMC's initial value.
        """
        base = self.complete(None)
        rng = np.random.default_rng(seed)
        drawable = {b.name: checks.draw_function(self.model, b.name) for b in self.layout.blocks}
        rows = []
        for _ in range(count):
            point = dict(base)
            for name, draw in drawable.items():
                value = draw(rng)
                if value is not None and np.shape(value) == np.shape(base[name]):
                    point[name] = np.asarray(value, dtype=float)
            for block in self.layout.blocks:
                flat = point[block.name].ravel().copy()
                if block.name in self.held:
                    flat[block.fixed] = self.held[block.name].values[block.fixed]
                point[block.name] = flat.reshape(block.shape)
            rows.append(self.layout.to_natural(point))
        return np.array(rows).reshape(count, self.layout.natural_size)

    def flat_bounds(self, natural: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of every natural entry at a point; infinite where there is none."""
        lower, upper = [], []
        bounds = self.bounds(natural)
        for block in self.layout.blocks:
            low, high = entry_bounds(block, bounds[block.name])
            lower.append(low)
            upper.append(high)
        return np.concatenate(lower), np.concatenate(upper)

    def edges(self, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whether minus and plus infinity of each coordinate are finite edges of the support.

        Returns
        -------
        lower_edge, upper_edge : numpy.ndarray of bool, shape (k,)
        """
        low, high = [], []
        for block in self.layout.blocks:
            count = block.free.stop - block.free.start
            if not block.support.elementwise:
                bounded = np.full(count, block.support.kind == "correlation")
                low.append(bounded | _diagonal(block) | _steps(block))
                high.append(bounded)
                continue
            a = np.isfinite(lower[block.natural][~block.fixed])
            b = np.isfinite(upper[block.natural][~block.fixed])
            one_sided_above = b & ~a  # b - exp(x): minus infinity is the upper bound
            low.append(a | one_sided_above)
            high.append(b & a)
        return np.concatenate(low), np.concatenate(high)

    @cached_property
    def scale_coordinates(self) -> np.ndarray:
        """Unconstrained coordinates of positive parameters, in the order of declaration."""
        places = [
            np.arange(b.free.start, b.free.stop)
            for b in self.layout.blocks
            if b.support.kind == "positive"
        ]
        return np.concatenate([*places, np.zeros(0, dtype=int)]).astype(int)

    @cached_property
    def bent_coordinates(self) -> np.ndarray:
        """Which unconstrained coordinates are a log or log-odds of one natural entry.

        The diagonal of a packed Cholesky factor is among them: at zero a correlation is one. So are
        the steps between ordered entries, and correlations on the scale of their hyperbolic
        arctangents.
        """
        out = np.zeros(self.layout.size, dtype=bool)
        for block in self.layout.blocks:
            elementwise = block.support.kind in {"positive", "interval"}
            tanh = type(block.support.transform).__name__ == "PackedCorrelationTransform"
            out[block.free] = elementwise or tanh or (_diagonal(block) | _steps(block))
        return out

    def saturated(self, natural: np.ndarray) -> list[tuple[slice, tuple[str, ...]]]:
        """Simplex variables with entries at zero to 1e-7: coordinates, and those entries."""
        out = []
        for block in self.layout.blocks:
            if block.support.kind != "simplex" or block.wholly_fixed:
                continue
            entries = zip(block.labels, natural[block.natural], strict=True)
            labels = tuple(label for label, value in entries if value < 1e-7)
            if labels and block.free.stop - block.free.start >= len(labels):
                out.append((block.free, labels))
        return out

    @cached_property
    def real_coordinates(self) -> np.ndarray:
        """Which unconstrained coordinates are natural values themselves."""
        out = np.zeros(self.layout.size, dtype=bool)
        for block in self.layout.blocks:
            out[block.free] = block.support.kind in {"real", "unknown"}
        return out

    def given_coordinates(self, start: Mapping[str, Any] | None) -> set[int]:
        """Unconstrained coordinates of elementwise parameters that a start sets."""
        given = split_point("start", start, self._shapes(), self._labels)
        out: set[int] = set()
        for block in self.layout.blocks:
            if block.name in given and block.support.elementwise:
                chosen = given[block.name].mask[~block.fixed]
                out |= {block.free.start + int(i) for i in np.flatnonzero(chosen)}
        return out

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: self.initial[name].shape for name in self.names}

    @cached_property
    def _labels(self) -> dict[str, tuple[str, ...]]:
        plain = self._make_layout({}, self._inner)
        return {block.name: block.labels for block in plain.blocks}

    def _held(self, fixed: Mapping[str, Any] | None) -> dict[str, Held]:
        held = split_point("fixed", fixed, self._shapes(), self._labels)
        for name, part in held.items():
            checks.check_held(self.model, name, part, self.supports[name], self.initial)
        return held

    def _layout(self) -> Layout:
        masks = {name: part.mask for name, part in self.held.items()}
        return self._make_layout(masks, self._inner)

    def _make_layout(self, masks: Mapping[str, Any], inner: Mapping[str, Any]) -> Layout:
        coords = {k: tuple(v) for k, v in self.model.coords.items() if v is not None}
        return make_layout(
            self.names,
            self.supports,
            self._shapes(),
            inner,
            self.model.named_vars_to_dims,
            coords,
            masks,
        )

    @cached_property
    def _inner(self) -> dict[str, tuple[int, ...]]:
        out = {}
        for name in self.names:
            rv, support = self.model[name], self.supports[name]
            if support.transform is None:
                out[name] = self.initial[name].shape
                continue
            inner = support.transform.forward(
                compat.like_rv(pt.as_tensor_variable(self.initial[name]), rv), *rv.owner.inputs
            )
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                out[name] = walks.evaluate([compat.as_tensor(inner)])[0].shape
        return out


def _diagonal(block: Block) -> np.ndarray:
    """Which coordinates are logs of the diagonal of a packed Cholesky factor; all False if none."""
    out = np.zeros(block.free.stop - block.free.start, dtype=bool)
    if block.support.kind == "cholesky" and len(out) == block.size:
        out[diagonal_of_packed(block.shape)] = True
    return out


def _steps(block: Block) -> np.ndarray:
    """Which coordinates are logs of steps between ordered entries; all False if none."""
    out = np.zeros(block.free.stop - block.free.start, dtype=bool)
    if block.support.kind == "ordered" and len(out) == block.size:
        out.reshape(-1, block.shape[-1])[:, 1:] = True
    return out


def short(value: Any) -> str:
    """A value in few characters, for messages.

    Parameters
    ----------
    value : array_like

    Returns
    -------
    str
    """
    text = np.array2string(np.asarray(value), precision=4, threshold=6, edgeitems=2)
    return text.replace("\n", " ")
