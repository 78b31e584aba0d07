"""A traced program as a flat list of operations, and its walk with sparse tangents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pymle.objective.sparse.columns import cumulate, fibres_along, one_fibre, through
from pymle.objective.sparse.known import Known
from pymle.objective.sparse.lanes import Lane, NotSparseError, Space
from pymle.objective.sparse.places import MOVING, Route, routes
from pymle.objective.sparse.products import product
from pymle.objective.sparse.rules import FLAT, Operation, elementwise, is_elementwise, move

__all__ = ["Program", "Walk", "flatten"]

#: Operations that are nothing but a program of their own.
_INLINED = frozenset(
    {
        "jit",
        "pjit",
        "closed_call",
        "composite",
        "core_call",
        "core_closed_call",
        "checkpoint",
        "remat",
        "remat2",
        "custom_vjp_call",
        "custom_vjp_call_jaxpr",
    }
)


@dataclass(frozen=True)
class Step:
    """One operation; operands and outputs by number."""

    equation: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass
class Program:
    """A program without programs inside.

    Attributes
    ----------
    inputs, outputs : list of int
        Numbers of the variables.
    constants : dict of int to array
        Constants, captured arrays and literals.
    steps : list of Step
    count : int
        How many variables there are.
    """

    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    constants: dict[int, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    count: int = 0

    def new(self) -> int:
        """Number of a new variable."""
        self.count += 1
        return self.count - 1


def flatten(closed: Any) -> Program:
    """Inline what a traced program calls, and leave out what no output needs."""
    program = Program()
    program.inputs = [program.new() for _ in closed.jaxpr.invars]
    program.outputs = _inline(program, closed.jaxpr, closed.consts, program.inputs)
    needed, steps = set(program.outputs), []
    for step in reversed(program.steps):
        if needed.intersection(step.outputs):
            needed.update(step.inputs)
            steps.append(step)
    program.steps = steps[::-1]
    return program


def _inline(
    program: Program, jaxpr: Any, consts: Sequence[Any], inputs: Sequence[int]
) -> list[int]:
    number: dict[Any, int] = dict(zip(jaxpr.invars, inputs, strict=True))

    def constant(value: Any) -> int:
        at = program.new()
        program.constants[at] = value
        return at

    def read(atom: Any) -> int:
        return constant(atom.val) if hasattr(atom, "val") else number[atom]

    number.update((v, constant(c)) for v, c in zip(jaxpr.constvars, consts, strict=True))
    for equation in jaxpr.eqns:
        at = [read(atom) for atom in equation.invars]
        name, params = equation.primitive.name, equation.params
        inner = params.get("jaxpr", params.get("call_jaxpr", params.get("fun_jaxpr")))
        if name == "bcoo_dot_general":
            inner = _written_out(equation)
        if (name in _INLINED or name == "bcoo_dot_general") and inner is not None:
            found = _inline(
                program, getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), at
            )
        else:
            found = [program.new() for _ in equation.outvars]
            program.steps.append(Step(equation, tuple(at), tuple(found)))
        number.update(zip(equation.outvars, found, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _written_out(equation: Any) -> Any:
    """A sparse matrix times a dense one, entry by entry; None for stacks of matrices."""
    import jax
    import jax.numpy as jnp

    shapes = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]
    (contract, batch), out = equation.params["dimension_numbers"], equation.outvars[0].aval
    if shapes[0].ndim != 1 or shapes[1].shape[1:] != (2,) or batch[0] or len(contract[0]) != 1:
        return None
    summed, [axis] = contract[0][0], contract[1]

    def product(data: Any, indices: Any, other: Any) -> Any:
        lines = jnp.moveaxis(other, axis, 0)
        # Entries outside of the matrix are padding.
        lines = lines.at[indices[:, summed]].get(mode="fill", fill_value=0)
        terms = data.reshape(-1, *[1] * (lines.ndim - 1)) * lines
        nothing = jnp.zeros(out.shape, out.dtype)
        return nothing.at[indices[:, 1 - summed]].add(terms.astype(out.dtype), mode="drop")

    return jax.make_jaxpr(product)(*shapes)


class Walk:
    """One walk through a program: arrays are traced, patterns and indices are not.

    Parameters
    ----------
    program : Program
    known : sequence of Known or None
        The inputs that are known.
    dependent : sequence of bool
        The inputs that depend on the coordinates.
    space : Space
    used : set of int
        Receives the arguments that the patterns rest on.
    """

    def __init__(
        self,
        program: Program,
        known: Sequence[Known | None],
        dependent: Sequence[bool],
        space: Space,
        used: set[int],
    ) -> None:
        self.program, self.space, self.used = program, space, used
        self.known: dict[int, Known] = {}
        self.dependent = {v for v, d in zip(program.inputs, dependent, strict=True) if d}
        self.paths: dict[int, list[list[Route]] | None] = {}
        self.demanded: set[int] = set()
        self._find_known(known)
        self._find_dependent()
        self._find_demand()

    def _find_known(self, inputs: Sequence[Known | None]) -> None:
        from jax.core import Tracer

        for at, value in zip(self.program.inputs, inputs, strict=True):
            if value is not None:
                self.known[at] = value
        for at, value in self.program.constants.items():
            if not isinstance(value, Tracer):
                self.known[at] = Known(frozenset(), self.used, structural=True, value=value)
        for step in self.program.steps:
            if not all(at in self.known for at in step.inputs):
                continue
            inputs = [self.known[at] for at in step.inputs]
            op = Operation(step.equation, [], [], [], self.space)
            found = Known.of(step.equation, inputs, self.used, op.bind)
            self.known.update(zip(step.outputs, found, strict=True))

    def _find_dependent(self) -> None:
        for step in self.program.steps:
            if step.equation.primitive.name in FLAT:
                continue
            if self.dependent.isdisjoint(step.inputs):
                continue
            for at, variable in zip(step.outputs, step.equation.outvars, strict=True):
                if np.issubdtype(variable.aval.dtype, np.complexfloating):
                    raise NotSparseError(f"{step.equation.primitive.name} gives complex numbers")
                if np.issubdtype(variable.aval.dtype, np.floating):
                    self.dependent.add(at)

    def _moving(self, index: int, step: Step) -> list[list[Route]] | None:
        """Where the elements go, if the operation moves elements to places that are known."""
        if index not in self.paths:

            def read(i: int) -> np.ndarray | None:
                found = self.known.get(step.inputs[i])
                return None if found is None else found.value

            shapes = [v.aval.shape for v in step.equation.invars]
            moving = step.equation.primitive.name in MOVING
            self.paths[index] = routes(step.equation, shapes, read) if moving else None
        return self.paths[index]

    def _find_demand(self) -> None:
        """Which variables' tangents matter: derivatives of what is cut off are not computed."""
        masks: dict[int, np.ndarray | None] = dict.fromkeys(self.program.outputs)
        for index in reversed(range(len(self.program.steps))):
            step = self.program.steps[index]
            wanted = [at for at in step.outputs if at in masks and at in self.dependent]
            if not wanted:
                continue
            self.demanded.update(wanted)
            found = self._moving(index, step)
            for i, at in enumerate(step.inputs):
                if at not in self.dependent:
                    continue
                mask = self._mask(step, i, masks, found)
                if mask is not None and not mask.any():
                    continue
                if at in masks:
                    old = masks[at]
                    mask = None if old is None or mask is None else old | mask
                masks[at] = mask

    @staticmethod
    def _mask(
        step: Step, i: int, masks: dict[int, np.ndarray | None], found: list[list[Route]] | None
    ) -> np.ndarray | None:
        """Elements of operand i that matter; None for all."""
        variable = step.equation.invars[i]
        size = int(np.prod(variable.aval.shape))
        outputs = [masks.get(at, np.zeros(0, bool)) for at in step.outputs]
        if found is None:
            mask = outputs[0]
            alike = len(outputs) == 1 and is_elementwise(step.equation)
            same = alike and variable.aval.shape == step.equation.outvars[0].aval.shape
            return mask if same and mask is not None else None
        here = np.zeros(size, dtype=bool)
        for aval, mask, paths in zip(
            (v.aval for v in step.equation.outvars), outputs, found, strict=True
        ):
            if mask is None:
                mask = np.ones(int(np.prod(aval.shape)), dtype=bool)
            if not mask.any():
                continue
            for route in paths:
                if route.operand != i:
                    continue
                if route.source is not None:
                    source = route.source[mask]
                    here[source[source >= 0]] = True
                else:
                    assert route.target is not None
                    here |= mask[route.target] & (route.target >= 0)
        return here

    def run(
        self, arrays: Sequence[Any], lanes: Sequence[list[Lane]]
    ) -> tuple[list[Any], list[list[Lane]]]:
        """The outputs and their tangents, for traced inputs."""
        value: dict[int, Any] = dict(zip(self.program.inputs, arrays, strict=True))
        value.update(self.program.constants)
        tangent = dict(zip(self.program.inputs, lanes, strict=True))
        for index, step in enumerate(self.program.steps):
            op = Operation(
                step.equation,
                [value[at] for at in step.inputs],
                [tangent.get(at, []) for at in step.inputs],
                [self.known.get(at) for at in step.inputs],
                self.space,
            )
            value.update(zip(step.outputs, op.bind(*op.arrays), strict=True))
            if self.demanded.isdisjoint(step.outputs) or not any(op.lanes):
                continue
            found = self._tangents(index, step, op)
            pairs = zip(step.outputs, found, strict=True)
            tangent.update((at, those) for at, those in pairs if at in self.demanded)
        outputs = self.program.outputs
        return [value[at] for at in outputs], [tangent.get(at, []) for at in outputs]

    def _tangents(self, index: int, step: Step, op: Operation) -> list[list[Lane]]:
        paths = self._moving(index, step)
        if paths is not None:
            return move(op, paths)
        if is_elementwise(op.equation):
            return elementwise(op)
        rule = _RULES.get(op.name)
        if rule is not None:
            return rule(op)
        if op.name == "custom_jvp_call":
            return self._by_own_rule(op)
        return through(op, fibres_along(op) or one_fibre(op))

    def _by_own_rule(self, op: Operation) -> list[list[Lane]]:
        """A function that brings its own derivative: the program of that derivative.

        It is linear in the tangents, so that its derivative with respect to them is itself.
        """
        import jax
        import jax.numpy as jnp

        dependent = [i for i, lanes in enumerate(op.lanes) if lanes]
        n = len(op.arrays)

        def pushed(*inputs: Any) -> list[Any]:
            held = list(inputs[:n])

            def function(*changed: Any) -> list[Any]:
                arrays = list(held)
                for i, array in zip(dependent, changed, strict=True):
                    arrays[i] = array
                return op.bind(*arrays)

            return jax.jvp(function, tuple(held[i] for i in dependent), inputs[n:])[1]

        zeros = [jnp.zeros_like(op.arrays[i]) for i in dependent]
        inner = flatten(jax.make_jaxpr(pushed)(*op.arrays, *zeros))
        known = [*op.known, *(None for _ in zeros)]
        walk = Walk(inner, known, [False] * n + [True] * len(zeros), self.space, self.used)
        lanes = [[] for _ in range(n)] + [op.lanes[i] for i in dependent]
        return walk.run([*op.arrays, *zeros], lanes)[1]


_RULES: dict[str, Callable[[Operation], list[list[Lane]]]] = {
    "dot_general": product,
    "cumsum": cumulate,
}
