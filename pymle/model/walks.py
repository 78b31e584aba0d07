"""Questions asked of a model's graph: who depends on whom, and through what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import pymc as pm
import pytensor
from pytensor.compile.mode import Mode
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.type import RandomType

from pymle.errors import ModelError

# Operations that hand entries on without mixing or changing them.
_PASSING = {
    "AdvancedIncSubtensor",
    "AdvancedIncSubtensor1",
    "AdvancedSubtensor",
    "AdvancedSubtensor1",
    "Alloc",
    "CumOp",
    "DimShuffle",
    "ExpandDims",
    "IncSubtensor",
    "Index",
    "Join",
    "Rename",
    "Reshape",
    "SpecifyShape",
    "Squeeze",
    "Subtensor",
    "TensorFromXTensor",
    "Transpose",
    "ViewOp",
    "XTensorFromTensor",
}
_INDEXING = {
    "AdvancedSubtensor",
    "AdvancedSubtensor1",
    "AdvancedIncSubtensor",
    "AdvancedIncSubtensor1",
    "Subtensor",
    "Index",
}
_RANGES = {
    "Exp": (0.0, np.inf),
    "Sqrt": (0.0, np.inf),
    "Sqr": (0.0, np.inf),
    "Softplus": (0.0, np.inf),
    "Abs": (0.0, np.inf),
    "Sigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
    "Erf": (-1.0, 1.0),
    "Tanh": (-1.0, 1.0),
}
#: Laws on the whole line whose last two arguments are a location and a scale.
_LOCATION_SCALE = {"NormalRV", "StudentTRV", "LaplaceRV", "LogisticRV", "CauchyRV", "GumbelRV"}
_PROCESSES = {
    "ICARRV",
    "CARRV",
    "RandomWalkRV",
    "GaussianRandomWalkRV",
    "MvGaussianRandomWalkRV",
    "MvStudentTRandomWalkRV",
    "AutoRegressiveRV",
}
_SHAPING = {"Alloc", "Reshape", "MakeVector", "SpecifyShape", "ARange"}
_CONTRACTING = {"Dot", "MatMul", "BatchedDot", "XDot"}


def interpreted() -> Mode:
    """Mode that evaluates a graph as it stands, in Python: nothing is compiled."""
    return Mode(linker="py", optimizer=None)


@contextmanager
def interpreting() -> Iterator[None]:
    """Nested graphs (symbolic random variables, Scan) are interpreted too.

    Such an Op compiles its inner graph in PyTensor's default mode when it first runs, which
    would go through Numba or C.
    """
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


def interpret(inputs: Sequence[Any], outputs: Any) -> Callable[..., Any]:
    """A Python-interpreted function of a graph.

    Parameters
    ----------
    inputs : sequence of Variable
    outputs : Variable or list of Variable

    Returns
    -------
    callable
    """
    with interpreting():
        function = pytensor.function(
            list(inputs), outputs, mode=interpreted(), on_unused_input="ignore"
        )

    def call(*values: Any) -> Any:
        with interpreting():
            return function(*values)

    return call


def evaluate(outputs: list[Any], given: Mapping[Any, Any] | None = None) -> list[np.ndarray]:
    """Values of graph variables, evaluated in Python without compilation.

    Parameters
    ----------
    outputs : list of Variable
    given : mapping of Variable to array, optional
        Values of the graph's explicit inputs.

    Returns
    -------
    list of numpy.ndarray
    """
    given = dict(given or {})
    function = interpret(list(given), outputs)
    return [np.asarray(value) for value in function(*given.values())]


def is_constant(value: Any) -> bool:
    """Whether a number, None or graph depends on nothing but constants."""
    if not isinstance(value, Variable):
        return True
    return all(isinstance(v, Constant) for v in ancestors([value]) if v.owner is None)


def range_of(variable: Any) -> tuple[float, float]:
    """Range that an expression cannot leave, read off its outermost operation.

    Parameters
    ----------
    variable : Variable

    Returns
    -------
    low, high : float
        ``(0, inf)`` for an exponential or a root, ``(0, 1)`` for a logistic function, and
        so on; infinite where nothing is known.
    """
    while variable.owner is not None:
        scalar = getattr(variable.owner.op, "scalar_op", None)
        name = type(scalar if scalar is not None else variable.owner.op).__name__
        if name in _RANGES:
            return _RANGES[name]
        if not _passes(variable.owner, variable.owner.inputs[0]):
            break
        variable = variable.owner.inputs[0]
    return -np.inf, np.inf


def resolve_model(model: Any) -> pm.Model:
    """The model given, or that of the open ``with`` block.

    Parameters
    ----------
    model : pymc.Model or None

    Returns
    -------
    pymc.Model

    Raises
    ------
    ModelError
        There is none, or the argument is something else.
    """
    if model is None:
        try:
            model = pm.modelcontext(None)
        except (TypeError, ValueError):
            raise ModelError.no_model() from None
    if not isinstance(model, pm.Model):
        raise ModelError.not_a_model(model)
    return model


class ModelGraph:
    """A model's graph with its clients, built once per question round.

    Parameters
    ----------
    model : pymc.Model
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.free = list(model.free_RVs)
        self._free_set = set(self.free)

    @cached_property
    def clients(self) -> dict[Any, list[Any]]:
        """Nodes that use each variable, over everything the model holds."""
        outputs = [*self.model.observed_RVs, *self.model.potentials, *self.model.deterministics]
        found: dict[Any, list[Any]] = {}
        seen: set[Any] = set()
        for variable in ancestors([*outputs, *self.free]):
            node = variable.owner
            if node is None or node in seen:
                continue
            seen.add(node)
            for source in node.inputs:
                found.setdefault(source, []).append(node)
        return found

    def free_among(self, variables: Iterable[Any]) -> list[Any]:
        """Free variables at which the walk up from the given ones ends."""
        reached = set(ancestors(list(variables), blockers=self.free))
        return [rv for rv in self.free if rv in reached]

    def free_parents(self, rv: Any) -> list[str]:
        """Names of the free variables that a variable's own distribution depends on."""
        inputs = [i for i in rv.owner.inputs if not isinstance(i.type, RandomType)]
        return [p.name for p in self.free_among(inputs) if p is not rv]

    def scales(self, names: Iterable[str]) -> list[str]:
        """Positive free variables on which the named ones depend or by which they are scaled."""
        found: list[str] = []
        for name in names:
            rv = self.model[name]
            for parent in [*self.free_parents(rv), *self.scaled_by(rv)]:
                transform = self.model.rvs_to_transforms.get(self.model[parent])
                if transform is not None and parent not in found:
                    found.append(parent)
        return found

    def is_unobserved_part(self, rv: Any) -> bool:
        """Whether the variable holds the missing entries of partly observed data."""
        if not rv.name.endswith("_unobserved"):
            return False
        base = rv.name.removesuffix("_unobserved")
        return any(o.name == f"{base}_observed" for o in self.model.observed_RVs)

    def standardised(self, rv: Any) -> bool:
        """Whether the distribution is constant with location 0 and scale 1."""
        name = type(rv.owner.op).__name__
        inputs = rv.owner.inputs
        if name in _LOCATION_SCALE:
            mean, sd = _constant(inputs[-2]), _constant(inputs[-1])
            return _all(mean, 0.0) and _all(sd, 1.0)
        if name == "ZeroSumNormalRV":
            return any(_all(_constant(i), 1.0) for i in inputs[2:3])
        if name == "MvNormalRV":
            mean, cov = _constant(inputs[-2]), _constant(inputs[-1])
            diagonal = None if cov is None else np.diagonal(cov, axis1=-2, axis2=-1)
            return _all(mean, 0.0) and _all(diagonal, 1.0)
        # With constant arguments (free ones are parents) a law of neighbours given each other.
        return name in _PROCESSES

    def scaled_by(self, rv: Any) -> list[str]:
        """Free variables that multiply the entries of a variable before anything else."""
        found: list[str] = []
        for variable, node in self._uses(rv):
            operands = [i for i in node.inputs if i is not variable]
            if _is_product(node) and all(self._is_scale(o, variable, node) for o in operands):
                names = [p.name for p in self.free_among(operands) if p is not rv]
                found += [n for n in names if n not in found]
        return found

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
                values = _given_value(index)
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
        """Whether a variable has as many entries as there are observations."""
        rows = [_size(self.model.rvs_to_values[o]) for o in self.model.observed_RVs]
        size = _size(rv)
        return rv.ndim > 0 and bool(rows) and size is not None and size >= max(r or 0 for r in rows)

    def level_shared_with(self, rv: Any) -> list[str]:
        """Free variables in a sum with the entries of a variable: a constant may move between."""
        shared = [leaf for _, leaves in self._sums(rv) for leaf in leaves]
        names = [_through_copies(leaf)[-1].name for leaf in shared]
        return [name for name in dict.fromkeys(names) if name != rv.name]

    def scaled_in_a_sum(self, rv: Any) -> list[str]:
        """Free variables that multiply a sum with others in it, none of them of the same group.

        An ability less a difficulty, times a discrimination: what belongs to the item scales
        what belongs to the person.
        """
        found: list[str] = []
        for total, leaves in self._sums(rv):
            own = [leaf for leaf in leaves if _through_copies(leaf)[-1] is rv]
            others = [leaf for leaf in leaves if leaf not in own]
            for node in self.clients.get(total, ()):
                operands = [i for i in node.inputs if i is not total]
                scale = _is_product(node) and operands and others
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
                users = self.clients.get(total, ())
                grew = len(users) == 1 and (_is_sum(users[0]) or _passes(users[0], total))
                total = users[0].outputs[0] if grew else total
            leaves, todo = [], [total]
            while todo:
                variable = todo.pop()
                root = _through_copies(variable)[-1]
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

    def reaches_objective(self, integrated: set[str], dropped: Mapping[str, str]) -> set[str]:
        """Names of the free variables on which the objective depends.

        The law of an integrated variable belongs to the objective, and so does the
        support of a Uniform with free bounds; other priors are dropped.
        """
        kept = [p for p in self.model.potentials if dropped.get(p.name) != "prior"]
        todo = self.free_among([*self.model.observed_RVs, *kept])
        used: set[str] = set()
        while todo:
            rv = todo.pop()
            if rv.name in used:
                continue
            used.add(rv.name)
            if rv.name in integrated or type(rv.owner.op).__name__ == "UniformRV":
                inputs = [i for i in rv.owner.inputs if not isinstance(i.type, RandomType)]
                todo += [p for p in self.free_among(inputs) if p.name not in used]
        return used

    def _uses(self, rv: Any, *, through_indexing: bool = True) -> list[tuple[Any, Any]]:
        """(variable, node) pairs at which a variable's entries are used, copies passed over."""
        found: list[tuple[Any, Any]] = []
        todo, seen = [rv], set()
        while todo:
            variable = todo.pop()
            if variable in seen:
                continue
            seen.add(variable)
            for node in self.clients.get(variable, ()):
                found.append((variable, node))
                passing = _passes(node, variable)
                if passing and (through_indexing or type(node.op).__name__ not in _INDEXING):
                    todo += node.outputs
        return found

    def _is_scale(self, operand: Any, variable: Any, node: Any) -> bool:
        if not self.free_among([operand]):
            return False
        inside = set(ancestors([operand], blockers=self.free))
        if not any(self._is_data(v, inside) for v in inside):
            return True
        if _op_name(node) in _CONTRACTING:
            # Cholesky factor of a covariance over data points (a latent Gaussian process),
            # not a matrix of features computed from data (a layer of a network).
            return any(
                v.owner is not None and "Cholesky" in _op_name(v.owner)
                for v in _through_copies(operand)
            )
        return operand.type.ndim == variable.type.ndim and _same_shape(operand, variable)

    def _is_data(self, variable: Any, inside: set[Any]) -> bool:
        if isinstance(variable.type, RandomType):
            return False
        given = isinstance(variable, SharedVariable) or (
            isinstance(variable, Constant) and np.size(getattr(variable, "data", 0)) > 1
        )
        if not given:
            return False
        if isinstance(variable, SharedVariable) and variable not in self.model.data_vars:
            return False  # dimension lengths and random states
        users = [
            node
            for node in self.clients.get(variable, ())
            if any(output in inside for output in node.outputs)
        ]
        return any(type(n.op).__name__ not in _INDEXING | _SHAPING for n in users)


def _op_name(node: Any) -> str:
    op = node.op
    core = getattr(op, "core_op", None)
    return type(core if core is not None else op).__name__


def _is_product(node: Any) -> bool:
    scalar = getattr(node.op, "scalar_op", None)
    if scalar is not None:
        return type(scalar).__name__ in {"Mul", "TrueDiv"}
    return _op_name(node) in _CONTRACTING or "dot" in str(node.op).lower()


def _groups(leaf: Any) -> set[Any]:
    """The indices by which entries are picked on the way down to a variable."""
    found = set()
    pattern = leaf.type.broadcastable
    if any(pattern) and not all(pattern):
        found.add(pattern)
    for variable in _through_copies(leaf):
        if variable.owner is None or type(variable.owner.op).__name__ not in _INDEXING:
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


def _passes(node: Any, variable: Any) -> bool:
    scalar = getattr(node.op, "scalar_op", None)
    if scalar is not None:
        return type(scalar).__name__ in {"Identity", "Cast"}
    name = type(node.op).__name__
    if name in {"Subtensor", "AdvancedSubtensor", "AdvancedSubtensor1", "Index"}:
        return node.inputs[0] is variable
    return name in _PASSING


def _through_copies(variable: Any) -> list[Any]:
    chain = [variable]
    while chain[-1].owner is not None and type(chain[-1].owner.op).__name__ in _PASSING:
        chain.append(chain[-1].owner.inputs[0])
    return chain


def _same_shape(left: Any, right: Any) -> bool:
    pairs = zip(left.type.shape, right.type.shape, strict=True)
    return all(a is None or b is None or a == b for a, b in pairs)


def _constant(variable: Any) -> np.ndarray | None:
    """Value of an expression of constants, None where it depends on anything else."""
    return evaluate([variable])[0] if is_constant(variable) else None


def _given_value(variable: Any) -> np.ndarray | None:
    """Value of an expression of constants and shared data, None where it has free inputs."""
    roots = [v for v in ancestors([variable]) if v.owner is None]
    if any(isinstance(root.type, RandomType) for root in roots):
        return None
    if not all(isinstance(root, Constant | SharedVariable) for root in roots):
        return None
    try:
        return evaluate([variable])[0]
    except TypeError:  # slices and None have no array value
        return None


def _all(value: np.ndarray | None, target: float) -> bool:
    return value is not None and bool(np.all(value == target))
