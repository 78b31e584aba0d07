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
from pymle.model.bambi import pymc_model_of
from pymle.model.operations import (
    CONTRACTING,
    INDEXING,
    PASSING,
    is_product,
    multipliers,
    op_name,
    passes,
)

#: Laws on the whole line whose last two arguments are a location and a scale.
LOCATION_SCALE = {"NormalRV", "StudentTRV", "LaplaceRV", "LogisticRV", "CauchyRV", "GumbelRV"}
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


def resolve_model(model: Any) -> pm.Model:
    """The model given, or that of the open ``with`` block.

    Parameters
    ----------
    model : pymc.Model, bambi.Model or None

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
    model = pymc_model_of(model)
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
        """Nodes that use each variable on the way to the objective.

        A Deterministic that only reports something, or a variable that nothing observed
        depends on, is no evidence about what it is computed from.
        """
        outputs = [*self.model.observed_RVs, *self.model.potentials]
        found: dict[Any, list[Any]] = {}
        seen: set[Any] = set()
        for variable in ancestors(outputs):
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
        if name in LOCATION_SCALE:
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
            if is_product(node) and all(self._is_scale(o, variable, node) for o in operands):
                names = [p.name for p in self.free_among(operands) if p is not rv]
            else:
                names = [p.name for p in self.free_among(multipliers(node, variable))]
            found += [n for n in names if n not in found and n != rv.name]
        return found

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
                passing = passes(node, variable) or self._centres(node, rv)
                if passing and (through_indexing or type(node.op).__name__ not in INDEXING):
                    todo += node.outputs
        return found

    def _centres(self, node: Any, rv: Any) -> bool:
        """Whether a sum is of a variable and functions of it alone: ``z - z.mean()``."""
        scalar = getattr(node.op, "scalar_op", None)
        if type(scalar).__name__ not in {"Add", "Sub"}:
            return False
        return all(self.free_among([operand]) == [rv] for operand in node.inputs)

    def _is_scale(self, operand: Any, variable: Any, node: Any) -> bool:
        if not self.free_among([operand]):
            return False
        inside = set(ancestors([operand], blockers=self.free))
        if not any(self._is_data(v, inside) for v in inside):
            return True
        if op_name(node) in CONTRACTING:
            # Cholesky factor of a covariance over data points (a latent Gaussian process),
            # not a matrix of features computed from data (a layer of a network).
            return any(
                v.owner is not None and "Cholesky" in op_name(v.owner)
                for v in through_copies(operand)
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
        return any(type(n.op).__name__ not in INDEXING | _SHAPING for n in users)


def through_copies(variable: Any) -> list[Any]:
    """A variable and those that it is a copy or a selection of, back to the first."""
    chain = [variable]
    while chain[-1].owner is not None and type(chain[-1].owner.op).__name__ in PASSING:
        chain.append(chain[-1].owner.inputs[0])
    return chain


def _same_shape(left: Any, right: Any) -> bool:
    pairs = zip(left.type.shape, right.type.shape, strict=True)
    return all(a is None or b is None or a == b for a, b in pairs)


def _constant(variable: Any) -> np.ndarray | None:
    """Value of an expression of constants, None where it depends on anything else."""
    return evaluate([variable])[0] if is_constant(variable) else None


def given_value(variable: Any) -> np.ndarray | None:
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
