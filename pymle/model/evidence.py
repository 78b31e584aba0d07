"""What a graph says about the role of a root variable: groups, sums, scales, Potentials."""

from __future__ import annotations

from typing import Any

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import ancestors

from pymle.model.operations import INDEXING, is_product, passes
from pymle.model.walks import LOCATION_SCALE, ModelGraph, evaluate, given_value, through_copies

_SAMPLE = 5  # entries from which a vector may be a sample of a population
FEW_ROWS = 10  # observations per entry below which a group vector is no plain parameter


class Evidence(ModelGraph):
    """A model's graph, asked what its variables may be.

    Parameters
    ----------
    model : pymc.Model
    """

    def rows_per_entry(self, rv: Any) -> np.ndarray | None:
        """How often an index picks each entry of a vector, or None where none does.

        An array of the data's own shape that enters element by element has one each.
        """
        for variable, node in self._uses(rv, through_indexing=False):
            if type(node.op).__name__ not in {"AdvancedSubtensor", "AdvancedSubtensor1"}:
                continue
            if node.inputs[0] is not variable:
                continue
            for index in node.inputs[1:]:
                values = given_value(index)
                if values is not None and values.ndim >= 1 and values.dtype.kind in "iu":
                    return np.bincount(values.ravel()[values.ravel() >= 0])
        if self._one_per_row(rv):
            return np.ones(1, dtype=int)
        return self._broadcast_rows(rv)

    def _broadcast_rows(self, rv: Any) -> np.ndarray | None:
        """Rows per entry of a variable that is repeated along the other dims of the data."""
        sizes = [
            size
            for o in self.model.observed_RVs
            if o.type.ndim > 1 and (size := _size(self.model.rvs_to_values[o]))
        ]
        entries = _size(rv)
        for variable, node in self._uses(rv, through_indexing=False) if sizes and entries else ():
            if not hasattr(node.op, "scalar_op") or variable.type.ndim < 2:
                continue
            wide = node.outputs[0].type.broadcastable
            narrow = variable.type.broadcastable
            if any(a and not b for a, b in zip(narrow, wide, strict=True)):
                return np.full(entries, max(max(sizes) // entries, 1))
        return None

    def _one_per_row(self, rv: Any) -> bool:
        shape = rv.type.shape
        rows = [o for o in self.model.observed_RVs if o.type.shape == shape and o.type.ndim > 0]
        if not rows or any(n is None or n < 2 for n in shape):
            return False
        elementwise = (n for _, n in self._uses(rv) if hasattr(n.op, "scalar_op"))
        return any(n.outputs[0].type.shape == shape for n in elementwise)

    def fills_the_data(self, rv: Any) -> bool:
        """Whether a variable has as many entries as there are observations.

        A handful are no sample of a population, and a Potential that a variable reaches may
        hold any number of observations: neither is evidence.
        """
        if any(rv in self.free_among([p]) for p in self.model.potentials):
            return False
        rows = [_size(self.model.rvs_to_values[o]) for o in self.model.observed_RVs]
        size = _size(rv)
        most = max((r or 0 for r in rows), default=0)
        return rv.ndim > 0 and size is not None and size >= max(most, _SAMPLE) and most > 0

    def latent_covariate(self, rv: Any) -> list[str]:
        """Single free coefficients of a vector whose constant law is no standardised one.

        A coefficient and what it multiplies entry by entry, with few rows for each, are only
        known as a product: unless the law of the latter holds (a covariate measured with a
        known error), nothing is.
        """
        if rv.ndim == 0 or type(rv.owner.op).__name__ not in LOCATION_SCALE:
            return []
        rows = self.rows_per_entry(rv)
        if rows is None or float(np.median(rows)) >= FEW_ROWS:
            return []
        found = []
        for variable, node in self._uses(rv):
            others = [i for i in node.inputs if i is not variable] if is_product(node) else []
            single = bool(others) and all(all(i.type.broadcastable) for i in others)
            roots = [through_copies(i)[-1] for i in others] if single else []
            if all(root in self._free_set for root in roots):
                found += [root.name for root in roots if root is not rv]
        return list(dict.fromkeys(found))

    def given_locations(self, rv: Any) -> bool:
        """Whether a constant law has a location of its own for each entry."""
        location = given_value(rv.owner.inputs[-2])
        return location is not None and location.size > 1 and bool(np.ptp(location) > 0.0)

    def level_shared_with(self, rv: Any) -> list[str]:
        """Free variables in a sum with the entries of a variable: a constant may move between."""
        shared = [leaf for _, leaves in self._sums(rv) for leaf in leaves]
        names = [through_copies(leaf)[-1].name for leaf in shared]
        return [name for name in dict.fromkeys(names) if name != rv.name]

    def scaled_in_a_sum(self, rv: Any) -> list[str]:
        """Free variables that multiply a sum with others in it, none of them of the same group.

        An ability less a difficulty, times a discrimination: what belongs to the item scales
        what belongs to the person.
        """
        found: list[str] = []
        for total, leaves in self._sums(rv):
            own = [leaf for leaf in leaves if through_copies(leaf)[-1] is rv]
            others = [leaf for leaf in leaves if leaf not in own]
            for node in self.clients.get(total, ()):
                operands = [i for i in node.inputs if i is not total]
                scale = is_product(node) and operands and others
                if not scale or not all(self._is_scale(o, total, node) for o in operands):
                    continue
                groups = {key for leaf in own for key in _groups(leaf)}
                around = {key for leaf in (*others, *operands) for key in _groups(leaf)}
                if groups and not groups & around:
                    found += [p.name for p in self.free_among(operands) if p is not rv]
        return list(dict.fromkeys(found))

    def _sums(self, rv: Any) -> list[tuple[Any, list[Any]]]:
        """Whole sums that the entries of a variable are in, and the free variables in each."""
        found = []
        for _, node in self._uses(rv):
            if not _is_sum(node):
                continue
            total, grew = node.outputs[0], True
            while grew:
                users = self.clients.get(total, [])
                grew = len(users) == 1 and (_is_sum(users[0]) or passes(users[0], total))
                total = users[0].outputs[0] if grew else total
            leaves, todo = [], [total]
            while todo:
                variable = todo.pop()
                root = through_copies(variable)[-1]
                if root in self._free_set:
                    leaves.append(variable)
                elif root.owner is not None and _is_sum(root.owner):
                    todo += root.owner.inputs
            found.append((total, leaves))
        return found

    def positive(self, name: str) -> bool:
        """Whether a free variable is bounded below, or enters through a positive function."""
        rv = self.model[name]
        if self.model.rvs_to_transforms.get(rv) is not None:
            return True
        functions = {"Exp", "Sqrt", "Sqr", "Softplus", "Abs", "Sigmoid"}
        users = self.clients.get(rv, ())
        return any(type(getattr(n.op, "scalar_op", None)).__name__ in functions for n in users)

    def entries(self, name: str) -> int:
        """Number of entries of a free variable (0 where only the data decide)."""
        return _size(self.model[name]) or 0

    def latent_law(self, rv: Any) -> str:
        """Evidence that a Potential is the law of a vector variable, or ''."""
        if rv.ndim == 0:
            return ""
        for potential in self.model.potentials:
            inside = self.free_among([potential])
            if rv not in inside or self.holds_data(potential, beside=rv):
                continue
            if not self.has_other_likelihood(potential):
                continue
            others = [p.name for p in inside if p is not rv] + self.scaled_by(rv)
            if others:
                return (
                    f"the Potential `{potential.name}` holds it without data, together with "
                    f"{', '.join(dict.fromkeys(others))}, and may be its distribution"
                )
        return ""

    def holds_data(self, potential: Any, beside: Any = None) -> bool:
        """Whether a Potential's graph holds data beside free variables and indices.

        With ``beside`` given, a vector that reaches observed data elsewhere, constants with one
        entry for each of its own, or for each pair of them, are the structure of its law (the
        neighbours of an area) and no data.
        """
        blockers = [*self.free, *self.model.observed_RVs]
        inside = set(ancestors([potential], blockers=blockers))
        if any(o in inside for o in self.model.observed_RVs):
            return True
        found = [variable for variable in inside if self._is_data(variable, inside)]
        size = None if beside is None or not found else self._entries_seen(beside)
        if size is None:
            return bool(found)
        return any(any(n != size for n in _shape_of(variable)) for variable in found)

    def _entries_seen(self, rv: Any) -> int | None:
        """Entries of a vector on which observed variables depend; None for any other."""
        seen = rv.ndim == 1 and rv in self.free_among(self.model.observed_RVs)
        return _size(rv) if seen else None

    def has_other_likelihood(self, potential: Any) -> bool:
        """Whether something beside this Potential ties the model to data."""
        if self.model.observed_RVs:
            return True
        return any(p is not potential and self.holds_data(p) for p in self.model.potentials)


def _groups(leaf: Any) -> set[Any]:
    """The indices by which entries are picked on the way down to a variable."""
    found = set()
    pattern = leaf.type.broadcastable
    if any(pattern) and not all(pattern):
        found.add(pattern)
    for variable in through_copies(leaf):
        if variable.owner is None or type(variable.owner.op).__name__ not in INDEXING:
            continue
        for index in variable.owner.inputs[1:]:
            constant = isinstance(index, Constant) and isinstance(index.data, np.ndarray)
            found.add(index.data.tobytes() if constant else index)
    return found


def _is_sum(node: Any) -> bool:
    scalar = getattr(node.op, "scalar_op", None)
    return type(scalar).__name__ in {"Add", "Sub"}


def _size(variable: Any) -> int | None:
    shape = variable.type.shape
    if None not in shape:
        return int(np.prod(shape, dtype=int))
    try:
        return int(evaluate([variable.size])[0])
    except (TypeError, ValueError, AttributeError):  # of a length that only a draw would tell
        return None


def _shape_of(variable: Any) -> tuple[int, ...]:
    value = variable.get_value() if isinstance(variable, SharedVariable) else variable.data
    return np.shape(value)
