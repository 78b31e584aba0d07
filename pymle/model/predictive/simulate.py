"""New data drawn from a model at given parameter values.

The model's own graph of random variables is run forward in PyTensor's interpreter, with NumPy's
generators: nothing is compiled. What does not depend on a random draw (the mean of a
regression) is computed once for each parameter value, and only the draws are repeated.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import clone_replace
from pytensor.graph.rewriting.basic import MergeOptimizer
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.type import RandomType

from pymle.errors import AnalysisError
from pymle.model import compat, walks
from pymle.model.evidence import Evidence
from pymle.model.predictive.levels import effects_read
from pymle.model.problem import Problem
from pymle.model.roles import PRIOR

Seed = int | np.integer | Sequence[int] | np.random.SeedSequence | np.random.Generator | None


class Simulator:
    """Draws of a model's observed variables at parameter values.

    Parameters
    ----------
    problem : Problem
        With the data (`Problem.with_data`) at which to simulate.
    names : iterable of str, optional
        Observed variables that are wanted; all by default.
    sizes : mapping of str to tuple of int, optional
        Shapes of observed variables that are not those of the observed data, where the
        predictors are new.
    kept : sequence of str
        Random effects and missing values that are not drawn: their natural values follow
        those of the parameters in the vectors that `draw` takes. Parameters that were
        integrated under a flat measure have no law and must be among them.
    given : sequence of str
        Observed variables that are not drawn but have their values, for those in ``names`` that
        depend on them.

    Raises
    ------
    AnalysisError
        The likelihood contains a Potential, which says how likely data are and not how to
        draw them; one that is the law of effects that are kept is no obstacle.

    Notes
    -----
    All observed variables are drawn together, forward through the graph: one that depends
    on another gets the draw of the other and not its observed value, as in
    ``pm.sample_posterior_predictive``. A lagged outcome that is given as a covariate stays
    what it is. Free variables that are no parameters (those that are integrated out) are drawn
    from their distributions. Frequency weights change nothing: one value is drawn for
    each row. Missing entries that PyMC imputes are left out, as they are in the observed
    variable.
    """

    def __init__(
        self,
        problem: Problem,
        names: Iterable[str] | None = None,
        sizes: Mapping[str, tuple[int, ...]] | None = None,
        kept: Sequence[str] = (),
        given: Sequence[str] = (),
    ) -> None:
        self._problem = problem
        self.names = _checked_names(problem, names, kept)
        effects = problem.effects
        lawless = [n for n in (effects.flat if effects else ()) if n not in kept]
        if lawless:
            raise AnalysisError.restricted("This analysis", lawless)
        self._kept, self._fixed = tuple(kept), tuple(given)
        self._symbols = {name: problem.model[name].type() for name in (*problem.names, *kept)}
        with warnings.catch_warnings():
            # PyMC calls functions of PyTensor that are deprecated; its user cannot help it.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            outputs = self._outputs(sizes or {})
            if any(compat.is_xtensor(v) for v in ancestors(outputs)):
                # On the clones: this rewrite changes the graph that it is given.
                outputs = cast("list[Any]", rewrite_graph(outputs, include=("lower_xtensor",)))
            self._prepare, self._draw, self._states = _split(list(self._symbols.values()), outputs)

    def _outputs(self, sizes: Mapping[str, tuple[int, ...]]) -> list[Any]:
        """The observed variables as functions of the parameters' symbols."""
        model = self._problem.model
        swaps = {model[name]: symbol for name, symbol in self._symbols.items()}
        swaps |= {model[name]: model.rvs_to_values[model[name]] for name in self._fixed}
        if not sizes:
            outputs = clone_replace([model[name] for name in self.names], swaps)
        else:
            # One by one in the order of their declaration: a variable of another size is that
            # for those which depend on it, too.
            for rv in [rv for rv in model.observed_RVs if rv.name not in self._fixed]:
                graph = _resized(rv, sizes.get(rv.name))
                [swaps[rv]] = clone_replace([graph], swaps, rebuild_strict=False)
            # That leaves copies of a variable that another depends on: one draw.
            outputs = [swaps[model[name]] for name in self.names]
            copies = FunctionGraph(outputs=outputs, clone=False)
            MergeOptimizer().rewrite(copies)
            outputs = list(copies.outputs)
        outputs = [compat.as_tensor(output) for output in outputs]
        states = {v for name in self._symbols for v in model[name].owner.inputs}
        drawn = {v for v in ancestors(outputs) if isinstance(v.type, RandomType)}
        if drawn & states:
            raise RuntimeError("a parameter would be drawn from its prior")
        return outputs

    def draw(
        self, natural: np.ndarray, random_seed: Seed = None, n: int | None = None
    ) -> dict[str, np.ndarray]:
        """Data sets at one parameter value, or one for each of several.

        Parameters
        ----------
        natural : numpy.ndarray, shape (m,) or (n, m)
            Natural vector(s) of the problem's layout, followed by what is kept.
        random_seed : int, sequence of int, SeedSequence, numpy.random.Generator or None
            The first draws of a longer series with the same seed are the same.
        n : int, optional
            Number of data sets at one parameter value (1 by default). With several
            parameter values their number.

        Returns
        -------
        dict of str to numpy.ndarray
            Shape ``(n, *shape)`` for every observed variable.

        Raises
        ------
        AnalysisError
            A variable has no way to be drawn (a ``CustomDist`` without ``random=``).
        """
        natural = np.asarray(natural, dtype=np.float64)
        stacked = natural.ndim == 2
        count = len(natural) if stacked else (1 if n is None else int(n))
        if stacked and n is not None and int(n) != count:
            raise AnalysisError.argument("n", n, f"the number of parameter values, {count}")
        rows: list[list[np.ndarray]] = []
        with self._problem._swapped(), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            with walks.interpreting():
                prepared = None if stacked else self._prepare(*self._given(natural))
                for i, seed in enumerate(_spawned(random_seed, count)):
                    ready = self._prepare(*self._given(natural[i])) if stacked else prepared
                    rows.append(self._one(seed, ready))
        if not rows:
            raise AnalysisError.argument("n", n, "a positive number of data sets")
        return {
            name: np.stack([np.asarray(row[j]) for row in rows])
            for j, name in enumerate(self.names)
        }

    def _one(self, seed: np.random.SeedSequence, prepared: Any) -> list[np.ndarray]:
        states = [np.random.Generator(np.random.PCG64(child)) for child in seed.spawn(self._states)]
        try:
            return self._draw(*states, *prepared)
        except (NotImplementedError, TypeError, ValueError, AssertionError) as error:
            raise AnalysisError.cannot_simulate(self.names, error) from error

    def _given(self, natural: np.ndarray) -> list[np.ndarray]:
        layout, effects = self._problem.layout, self._problem.effects
        point = layout.to_point(natural[: layout.natural_size])
        at = layout.natural_size
        for name in self._kept:
            assert effects is not None
            block = effects.layout.block(name)
            point[name] = natural[at : at + block.size].reshape(block.shape)
            at += block.size
        return [point[name].astype(symbol.dtype) for name, symbol in self._symbols.items()]


def values_read(graphs: Iterable[Any]) -> set[Any]:
    """Variables whose values some graphs read, those apart that they only take the shape of."""
    found: set[Any] = set()
    waiting = list(graphs)
    while waiting:
        variable = waiting.pop()
        if variable in found:
            continue
        found.add(variable)
        owner = variable.owner
        if owner is not None and type(owner.op).__name__ not in {"Shape", "Shape_i"}:
            waiting.extend(owner.inputs)
    return found


def _checked_names(
    problem: Problem, names: Iterable[str] | None, kept: Sequence[str]
) -> tuple[str, ...]:
    priors = problem.roles.names(PRIOR)
    parts = [p for p in problem.model.potentials if p.name not in priors]
    parts = [p.name for p in parts if not _is_law_of(problem, p, kept)]
    if parts:
        raise AnalysisError.potential_cannot_simulate(parts)
    known = [rv.name for rv in problem.model.observed_RVs]
    wanted = known if names is None else list(names)
    for name in wanted:
        if name not in known:
            raise AnalysisError.unknown_variable(name, known)
    return tuple(wanted)


def _is_law_of(problem: Problem, potential: Any, kept: Sequence[str]) -> bool:
    """Whether a Potential says how likely effects are that are kept, and nothing about data."""
    read = effects_read(problem, [potential])
    if not read or not set(read) <= set(kept):
        return False
    return not Evidence(problem.model).holds_data(potential, beside=problem.model[read[0]])


def _resized(rv: Any, size: tuple[int, ...] | None) -> Any:
    """A random variable with another shape, its parameters left as they are."""
    if size is None or compat.is_xtensor(rv):  # (labelled arrays follow the lengths of their dims)
        return rv
    from pymc.distributions.shape_utils import change_dist_size

    support = getattr(rv.owner.op, "ndim_supp", 0)
    batch = size[: len(size) - support]
    return change_dist_size(rv, batch)


def _split(
    inputs: list[Any], outputs: list[Any]
) -> tuple[Callable[..., Any], Callable[..., Any], int]:
    """What is computed once, what is drawn each time, and the number of random states."""
    states = [
        v
        for v in ancestors(outputs)
        if isinstance(v, SharedVariable) and isinstance(v.type, RandomType)
    ]
    random = _depending_on(set(states), outputs)
    border = [
        v
        for node in dict.fromkeys(r.owner for r in random if r.owner is not None)
        for v in node.inputs
        if v not in random and not isinstance(v, Constant | SharedVariable)
    ]
    # A variable that is drawn nowhere (an output that is no random variable) is prepared too.
    border += [v for v in outputs if v not in random]
    border = list(dict.fromkeys(border))
    prepare = _interpreted(inputs, border)
    symbols = [v.type() for v in border]
    generators = [state.type() for state in states]
    swaps = dict(zip([*states, *border], [*generators, *symbols], strict=True))
    drawn = clone_replace(outputs, swaps)
    return prepare, _interpreted([*generators, *symbols], drawn), len(generators)


def _depending_on(states: set[Any], outputs: list[Any]) -> set[Any]:
    """Variables of a graph with a random state above them."""
    found = set(states)
    known: dict[Any, bool] = {}
    for output in outputs:
        stack = [output]
        while stack:
            variable = stack[-1]
            if variable in known:
                stack.pop()
                continue
            if variable.owner is None:
                known[variable] = variable in found or isinstance(variable.type, RandomType)
                stack.pop()
                continue
            waiting = [v for v in variable.owner.inputs if v not in known]
            if waiting:
                stack.extend(waiting)
                continue
            known[variable] = any(known[v] for v in variable.owner.inputs)
            stack.pop()
    return {variable for variable, depends in known.items() if depends}


def _interpreted(inputs: list[Any], outputs: list[Any]) -> Callable[..., Any]:
    """As `walks.interpret`, for a caller that stays in its context over many calls."""
    import pytensor

    with walks.interpreting():
        return pytensor.function(
            inputs, outputs, mode=walks.interpreted(), on_unused_input="ignore"
        )


def _spawned(random_seed: Seed, count: int) -> list[np.random.SeedSequence]:
    """Independent seeds, one for each data set."""
    if isinstance(random_seed, np.random.Generator):
        random_seed = [int(v) for v in random_seed.integers(2**32, size=4)]
    if isinstance(random_seed, np.random.SeedSequence):
        return random_seed.spawn(count)
    return np.random.SeedSequence(random_seed).spawn(count)
