"""A model made ready to be fitted: roles, layout, lowered functions, starts, explanations."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
import xarray as xr
from pytensor.graph.basic import Variable

from pymle.errors import DataError, ModelError
from pymle.errors.words import listing
from pymle.model import checks, compat, ranges, walks
from pymle.model.coordinates import Coordinates
from pymle.model.density import (
    Density,
    Term,
    completed,
    data_inputs,
    freeze_shared,
    initial_values,
    jacobian_term,
    natural_terms,
    natural_values,
    observed_rows,
    parameter_expressions,
    repaired,
    replace_random,
    support_term,
)
from pymle.model.dims import dims_of_graph
from pymle.model.effects import (
    Effects,
    effect_expressions,
    law_terms,
    make_effects,
    reached,
)
from pymle.model.layout import entry_labels, label_array
from pymle.model.loops import totals
from pymle.model.lower import (
    Lowered,
    double_precision,
    lower_objective,
    lower_outputs,
)
from pymle.model.pieces import Pieces, make_pieces
from pymle.model.roles import DISCRETE, MISSING, PARAMETER, PRIOR, RANDOM, SUMMED, Roles
from pymle.model.sources import observed_sources
from pymle.model.summation import dependent, without_discrete
from pymle.model.text.affine import affine
from pymle.model.text.expressions import entry_index, expression, parsed


class Problem:
    """A model's objective with everything that names and transforms its parameters.

    Parameters
    ----------
    model : pymc.Model
    roles : Roles
        Checked: nothing in it is ambiguous or unsupported.
    objective : {"mle", "map"}
    jacobian : bool
        MAP only: include the Jacobian of the working transforms.
    fixed : mapping, optional
        Natural-scale values by variable name or by entry label.
    backend : {"auto", "jax", "pytensor"}
    quadrature : int, optional
        Points of adaptive Gauss-Hermite quadrature along each random effect; Laplace's
        approximation where it is left out.
    reml : tuple of str
        Parameters integrated under a flat measure; `roles` has them among the random effects.
    penalty : {"firth"} or None
        Added to the log-likelihood by those who bind it to data.

    Attributes
    ----------
    given : dict of str to numpy.ndarray
        Data that replace the model's own.
    programs : dict
        Compiled programs by lowered function, for whoever compiles them.
    """

    def __init__(
        self,
        model: Any,
        roles: Roles,
        *,
        objective: str,
        jacobian: bool,
        fixed: Mapping[str, Any] | None,
        backend: str,
        quadrature: int | None = None,
        reml: tuple[str, ...] = (),
        penalty: str | None = None,
    ) -> None:
        self.quadrature, self.reml, self.penalty = quadrature, reml, penalty
        self.given: dict[str, np.ndarray] = {}
        self.programs: dict[int, dict[str, Any]] = {}
        self.model = model
        self.roles = roles
        self.objective = objective
        self.jacobian = jacobian
        self.backend = backend
        # What is integrated or discrete has a place among the parameters only where it is held.
        self.names = tuple(
            entry.name
            for entry in roles.entries
            if entry.role == PARAMETER
            or (entry.role in {DISCRETE, RANDOM, MISSING} and entry.name in (fixed or {}))
        )
        checks.check_model(model)
        checks.check_data(model)
        integrated = [
            n for n in (*roles.names(RANDOM), *roles.names(MISSING)) if n not in self.names
        ]
        checks.check_held_effects(integrated, fixed)
        self._discrete = roles.names(SUMMED)
        self.initial = initial_values(model, self._discrete)
        self.coordinates = Coordinates(model, self.names, self.initial, fixed)
        self.layout = self.coordinates.layout
        if self.layout.size == 0:
            reason = (
                "every parameter is fixed"
                if self.coordinates.held
                else "the model has no parameter"
            )
            raise ModelError.nothing_to_estimate(reason, integrated)

    # ----- the graph ---------------------------------------------------------------------

    @cached_property
    def density(self) -> Density:
        """The objective's terms as graphs.

        With random effects ``x`` holds the parameters first and what is integrated after them.
        """
        model, layout, effects = self.model, self.layout, self.effects
        with self._swapped(), double_precision():
            size = layout.size + (effects.size if effects else 0)
            x = pt.vector("x", shape=(size,), dtype="float64")
            held = pt.vector("held", shape=(layout.natural_size,), dtype="float64")
            values, _ = self._derived
            outer, inner = (x[: layout.size], x[layout.size :]) if effects else (x, None)
            expressions = parameter_expressions(model, layout, values, outer, held)
            if effects:
                expressions |= effect_expressions(effects, model, values, inner)
            naturals, terms = completed(expressions, values), self._terms(outer, inner)
            terms, naturals = without_discrete(self, terms, naturals)
            return Density(
                model=model,
                layout=layout,
                terms=terms,
                x=x,
                held=held,
                values=values,
                naturals=naturals,
            )

    @cached_property
    def effects(self) -> Effects | None:
        """The variables that are integrated out; None where there is none.

        Those on which nothing observed depends integrate to one and drop out.
        """
        asked = self.roles.names(RANDOM) + self.roles.names(MISSING)
        names = [n for n in self._reached if n in asked]
        if not names:
            return None
        values, logps = self._derived
        mixed = dependent({n: logps[n] for n in names}, [values[n] for n in self.summed])
        return make_effects(self.model, names, self.initial, self.reml, mixed)

    @cached_property
    def summed(self) -> tuple[str, ...]:
        """The discrete variables that are summed out: those that the data depend on."""
        return tuple(n for n in self._reached if n in self._discrete)

    @cached_property
    def _reached(self) -> tuple[str, ...]:
        """What is integrated or summed, and is no constant factor of one."""
        asked = {*self.roles.names(RANDOM), *self.roles.names(MISSING), *self._discrete}
        return reached(self, [n for n in self.initial if n in asked and n not in self.names])

    @property
    def whole_model(self) -> Any:
        """The model with the discrete variables that fits sum out."""
        return getattr(self.model, "summed_from", self.model)

    @property
    def reml_size(self) -> int:
        """Number of entries that are integrated under a flat measure."""
        effects = self.effects
        return sum(effects.layout.block(n).size for n in effects.flat) if effects else 0

    @cached_property
    def _derived(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Natural value variables, and PyMC's log-densities in terms of them, by name."""
        with self._swapped(), double_precision():
            values = natural_values(self.model, self._discrete)
            names = [rv.name for rv in self.model.observed_RVs]
            names += [n for n in self.initial if n in self._with_law]
            return values, natural_terms(self.model, values, names)

    @property
    def _with_law(self) -> set[str]:
        """Free variables whose own log-density may enter the objective."""
        names = {*self.roles.names(RANDOM), *self.roles.names(MISSING), *self._discrete}
        if self.objective == "map":
            return names | set(self.names)
        unknown = [n for n in self.names if self.coordinates.supports[n].kind == "unknown"]
        return names | set(unknown)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The additive terms of the objective."""
        return self.density.terms

    @cached_property
    def observed(self) -> tuple[Term, ...]:
        """The terms of observed variables."""
        return tuple(term for term in self.terms if term.kind == "observed")

    @property
    def ceiling(self) -> float:
        """Value that the objective cannot exceed: zero for probabilities of discrete data."""
        if self.objective != "mle" or any(term.kind == "potential" for term in self.terms):
            return float("inf")
        # A flat measure, and the law of effects that are held, are no probabilities of data.
        held = {*self.roles.names(RANDOM), *self.roles.names(MISSING)} & set(self.names)
        if self.reml or held:
            return float("inf")
        discrete = all(
            rv.dtype.startswith(("int", "uint", "bool")) for rv in self.model.observed_RVs
        )
        if not (discrete and self.model.observed_RVs):
            return float("inf")
        # An approximate integral may exceed a probability's bound a little: one for each effect.
        return 0.0 if self.effects is None else float(self.effects.size)

    def _terms(self, x: Any, u: Any) -> tuple[Term, ...]:
        model = self.model
        values, logps = self._derived
        observed = [rv.name for rv in model.observed_RVs]
        integrated = {*self.roles.names(RANDOM), *self.roles.names(MISSING)}
        own = [name for name in self.names if name not in integrated]
        unknown = [n for n in own if self.coordinates.supports[n].kind == "unknown"]
        terms: list[Term] = []
        for name in observed:
            logp, shape = logps[name], self._logp_shape(logps[name], values)
            value = model.rvs_to_values[model[name]]
            value_shape = self._value_shape(value)
            if shape == (1,) and len(value_shape) == 1 and value_shape[0] > 1:
                logp, shape = pt.sum(logp), ()  # one joint density, as an array
            rows = observed_rows(shape, value_shape, type(model[name].owner.op).__name__)
            terms.append(Term(name, "observed", logp, shape, rows))
        dropped = self.roles.names(PRIOR)
        for potential in model.potentials:
            if self.objective == "mle" and potential.name in dropped:
                continue
            [logp] = replace_random(model, values, [potential])
            terms.append(Term(potential.name, "potential", compat.as_tensor(logp)))
        if self.effects:
            terms += law_terms(self.effects, model, values, logps, u)
        terms += [Term(n, "law", logps[n]) for n in self.summed]
        terms += [Term(n, "law", logps[n]) for n in self.names if n in integrated]
        terms += [Term(name, "support", support_term(logps[name])) for name in unknown]
        if self.objective == "map":
            terms += [Term(name, "prior", logps[name]) for name in own]
            if self.jacobian:
                terms += [
                    Term(block.name, "jacobian", jacobian_term(block, model, values, x))
                    for block in self.layout.blocks
                ]
        return tuple(terms)

    def _logp_shape(self, logp: Any, values: Mapping[str, Any]) -> tuple[int, ...]:
        known = compat.as_tensor(logp)
        if None in known.type.shape:
            # Data of known shape in place of `pm.Data`: the types say it, nothing is evaluated.
            data = data_inputs(self.model, [logp], as_arguments=True)
            [known] = freeze_shared([logp], data)
        if None not in known.type.shape:
            return tuple(known.type.shape)
        given = {value: self.initial[name].astype(value.dtype) for name, value in values.items()}
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return walks.evaluate(repaired([logp]), given)[0].shape

    @staticmethod
    def _value_shape(value: Any) -> tuple[int, ...]:
        return walks.evaluate([compat.as_tensor(value)])[0].shape

    # ----- lowered functions -------------------------------------------------------------

    @cached_property
    def lowered(self) -> Lowered:
        """Value, score and (for MAP) the log-likelihood of the objective."""
        density = self.density
        with self._swapped(), double_precision():
            weights = {t.name: t.logp.type.clone(shape=t.shape)() for t in self.observed}
            kept = [
                term.kind in {"observed", "potential", "support", "law"}
                and term.name not in self.roles.names(PRIOR)
                for term in self.terms
            ]
            # Potentials that are priors enter MAP but not its log-likelihood.
            further = [kept] if self.objective == "map" else []
            total, *extra = totals(density, weights, further)
            return lower_objective(
                self.model,
                total,
                extra,
                x=density.x,
                held=density.held,
                weights=list(weights.values()),
                backend=self.backend,
            )

    @cached_property
    def lowered_terms(self) -> Lowered:
        """Elementwise log-density of every observed variable."""
        density = self.density
        with double_precision():
            logps = density.substitute(repaired([t.logp for t in self.observed]))
        return self._lower_outputs(logps)

    @cached_property
    def pieces(self) -> Pieces:
        """Every element of every term, with a weight for each."""
        return make_pieces(self)

    @cached_property
    def lowered_natural(self) -> Lowered:
        """The natural vector."""
        density = self.density
        with double_precision():
            flat = [
                compat.as_tensor(density.naturals[b.name]).reshape((b.size,))
                for b in self.layout.blocks
            ]
            natural = pt.concatenate(flat)
        return self._lower_outputs([natural])

    def lowered_graphs(self, graphs: Sequence[Any]) -> Lowered:
        """Any functions of the model's variables (Deterministics), as plain tensors."""
        density = self.density
        with double_precision():
            outputs = density.replace_random([compat.as_tensor(g) for g in graphs])
        return self._lower_outputs(outputs)

    def _lower_outputs(self, outputs: Sequence[Any]) -> Lowered:
        with self._swapped():
            return lower_outputs(
                self.model,
                outputs,
                x=self.density.x,
                held=self.density.held,
                backend=self.backend,
            )

    # ----- data --------------------------------------------------------------------------

    def with_data(self, data: Mapping[str, Any] | None) -> Problem:
        """The same problem at other data.

        Parameters
        ----------
        data : mapping of name to array, optional
            ``pm.Data`` names, or names of observed variables with captured data (of the
            same shape).

        Returns
        -------
        Problem
            Shares the lowered functions where no shape changed.

        Raises
        ------
        DataError
            Unknown names, wrong dimensions, empty or non-finite data.
        """
        if not data:
            return self
        known = {item.name: item for item in self.lowered.data if item.name}
        named = {v.name for v in self.model.data_vars}
        given, reshaped = dict(self.given), False
        sources = observed_sources(self.model)
        for asked, value in data.items():
            name = sources.get(asked, asked)  # an observed variable fed by pm.Data
            if name not in known and name not in named:
                raise DataError.unknown(name, sorted({*known, *named}))
            array, changed = checks.check_new_data(
                self.model, name, value, known.get(name), is_named=name in named
            )
            given[name] = array
            # What is no argument (an integer that shapes may depend on) is a constant of the graph.
            reshaped |= changed or name not in known
        if not reshaped:
            other = copy.copy(self)
            other.given = given
            return other
        other = copy.copy(self)
        for lazy in (
            "_derived",
            "_reached",
            "summed",
            "effects",
            "density",
            "observed",
            "lowered",
            "lowered_terms",
            "lowered_natural",
            "pieces",
        ):
            other.__dict__.pop(lazy, None)
        other.given = given
        try:
            _ = other.lowered
        except (ValueError, TypeError, IndexError, AssertionError, RuntimeError) as error:
            shapes = {
                v.name: np.shape(given.get(v.name, v.get_value())) for v in self.model.data_vars
            }
            raise DataError.do_not_fit(shapes, error) from error
        return other

    def arguments(self, lowered: Lowered) -> list[np.ndarray]:
        """The present data in the order in which a lowered function takes it."""
        return [self.given.get(item.name or "", item.value) for item in lowered.data]

    @contextmanager
    def _swapped(self) -> Iterator[None]:
        """The model holds the given data while a graph is evaluated, and its own after."""
        names = {v.name for v in self.model.data_vars}
        with checks.swapped_data(self.model, {k: v for k, v in self.given.items() if k in names}):
            yield

    # ----- points ------------------------------------------------------------------------

    @cached_property
    def notices(self) -> tuple[str, ...]:
        """What deserves to be said about the layout."""
        found = [
            f"the support of `{b.name}` is known only from its own distribution: the fit stays "
            "where that has a positive density."
            for b in self.layout.blocks
            if b.support.kind == "unknown" and not b.wholly_fixed
        ]
        missing = [name.removesuffix("_unobserved") for name in self.roles.names(MISSING)]
        if missing:
            found.append(
                f"{listing(missing)} has missing entries: the likelihood is that of what was "
                "observed, which is valid if they are missing at random."
            )
        return tuple(found)

    def without_effects(self, start: Mapping[str, Any] | None) -> dict[str, Any]:
        """A start without what is integrated (``fit.point`` holds both)."""
        names = self.effects.names if self.effects else ()
        return {k: v for k, v in (start or {}).items() if k.split("[")[0] not in names}

    def labelled(self, name: str, value: np.ndarray) -> xr.DataArray:
        """An array with the dims and coords of a variable, as far as they fit."""
        dims = tuple(self.model.named_vars_to_dims.get(name) or ())[: value.ndim]
        return label_array(name, value, dims, self.layout.coords)

    # ----- Deterministics ----------------------------------------------------------------

    def small_deterministics(self, most: int = 50, *, predicted: bool = False) -> list[str]:
        """Deterministics without an observation dim and with at most ``most`` entries.

        With ``predicted`` also those that depend on what was integrated out.
        """
        observed_dims = {
            dim
            for rv in self.model.observed_RVs
            for dim in (self.model.named_vars_to_dims.get(rv.name) or ())
        }
        observed_shapes = {term.shape for term in self.observed if term.shape}
        point = self.layout.to_natural(self.coordinates.complete(None))
        more = self.effects.names if predicted and self.effects else ()
        graphs = [d for d in self.model.deterministics if self._estimated(d, more)]
        shapes = self.shapes_of(graphs, point)
        names = []
        for variable, shape in zip(graphs, shapes, strict=True):
            dims = set(self.model.named_vars_to_dims.get(variable.name) or ())
            per_row = dims & observed_dims or (not dims and shape in observed_shapes)
            if not per_row and int(np.prod(shape, dtype=int)) <= most:
                names.append(variable.name)
        return names

    def shapes_of(self, graphs: Sequence[Any], natural: np.ndarray) -> list[tuple[int, ...]]:
        """Shapes of functions of the model's variables at a natural point."""
        if not graphs:
            return []
        values = self.density.values
        with self._swapped():
            outputs = replace_random(self.model, values, [compat.as_tensor(g) for g in graphs])
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                return [v.shape for v in walks.evaluate(outputs, self._given(natural))]

    def labels_of(self, name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
        """Labels of the entries of any named variable."""
        dims = tuple(self.model.named_vars_to_dims.get(name) or ()) or (None,) * len(shape)
        return entry_labels(name, shape, dims, self.layout.coords)

    def dims_of(self, name: str | None, ndim: int) -> tuple[str | None, ...]:
        """Dims of a named variable; None for each axis without one."""
        dims = tuple(self.model.named_vars_to_dims.get(name) or ()) if name else ()
        return (*dims, *(None,) * (ndim - len(dims)))[:ndim]

    def range_of(self, graph: Any) -> tuple[float, float]:
        """Range that a Deterministic cannot leave, read off its operations."""
        return ranges.range_of(self.model[graph] if isinstance(graph, str) else graph, self.model)

    # ----- expressions -------------------------------------------------------------------

    def variable(self, name: str) -> Any:
        """A named variable of the model."""
        return self.model[name]

    def place_of(self, label: str) -> tuple[str, int | None] | None:
        """Name and flat position (None: all) of a label, None if nothing is called so."""
        return entry_index(label, self.model.named_vars, self._labels_now)

    def expression(self, text: str) -> Any:
        """The graph of an expression of the model's variables (`pymle.model.text.expressions`)."""
        return expression(text, self.model.named_vars, self._labels_now)

    def is_symbolic(self, what: Any) -> bool:
        """Whether something is a variable of a graph."""
        return isinstance(what, Variable)

    def name_of(self, variable: Any) -> str | None:
        """Name of one of the model's own named variables, else None."""
        name = getattr(variable, "name", None)
        return name if name and self.model.named_vars.get(name) is variable else None

    def is_observed(self, name: str) -> bool:
        """Whether a name is that of an observed variable."""
        return name in {rv.name for rv in self.model.observed_RVs}

    def dims_of_expression(self, graph: Any) -> tuple[str | None, ...]:
        """Dims of an expression, as far as elementwise arithmetic keeps them."""
        return dims_of_graph(graph, self.model.named_vars, self.model.named_vars_to_dims)

    def affine(self, text: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Coefficients and constant of an expression that is linear in the natural values."""
        return affine(text, self.layout, self.model.named_vars, self._labels_now)

    def names_in(self, text: str) -> list[str]:
        """Variables that an expression holds."""
        places = parsed(text, self.model.named_vars, self._labels_now)[1]
        return list(dict.fromkeys(name for name, _ in places.values()))

    def symbolic(self, result: Any, function: Callable[[Mapping[str, Any]], Any]) -> Any | None:
        """The graph of a function that returned one when it was given numbers; else None."""
        if not isinstance(result, Variable):
            return None
        return compat.as_tensor(function({name: self.model[name] for name in self.names}))

    def undetermined(self, graph: Any) -> list[str]:
        """Free variables behind a graph that the objective does not determine."""
        above = [rv.name for rv in walks.ModelGraph(self.model).free_among([graph])]
        return [name for name in above if name not in self.names]

    def _labels_now(self, name: str) -> tuple[str, ...]:
        for block in self.layout.blocks:
            if block.name == name:
                return block.labels
        point = self.layout.to_natural(self.coordinates.complete(None))
        [shape] = self.shapes_of([self.model[name]], point)
        return self.labels_of(name, shape)

    def undetermined_by(self, graphs: Sequence[Any]) -> list[str]:
        """Free variables behind graphs that are neither estimated nor predicted."""
        known = (*self.names, *(self.effects.names if self.effects else ()))
        above = [rv.name for rv in walks.ModelGraph(self.model).free_among(list(graphs))]
        return [name for name in above if name not in known]

    def _estimated(self, variable: Any, more: Sequence[str] = ()) -> bool:
        """Whether a Deterministic depends on parameters, and on nothing that is unused."""
        above = [rv.name for rv in walks.ModelGraph(self.model).free_among([variable])]
        return bool(above) and all(name in (*self.names, *more) for name in above)

    def _given(self, natural: np.ndarray) -> dict[Any, np.ndarray]:
        """Values of all natural value variables at a natural point."""
        point = self.layout.to_point(natural)
        return {
            symbol: np.asarray(point.get(name, self.initial[name])).astype(symbol.dtype)
            for name, symbol in self.density.values.items()
        }
