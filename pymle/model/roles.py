"""The role of every variable of a model, with the reason in words.

Roles are read off the graph before anything is fitted (design: they do not depend on
``fixed=``). A free variable whose own distribution depends on other free variables, or a
standardised one that reaches the data only scaled by another free variable, is a random
effect; everything else that is continuous is a parameter, whose prior maximum likelihood
drops. What the graph leaves open stops with both readings printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pymle.errors import ModelError, PointError
from pymle.model import walks
from pymle.model.evidence import FEW_ROWS, Evidence

PARAMETER = "parameter"
RANDOM = "random effect"
MISSING = "missing value"
OBSERVED = "observed"
POTENTIAL = "potential"
PRIOR = "prior"
DETERMINISTIC = "deterministic"
DATA = "data"
UNUSED = "unused"
DISCRETE = "discrete"
SUMMED = "summed out"

_LEVELS = 5  # entries from which a factor may be a sample of a population

#: How sure a role is.
DECLARED, CERTAIN, LIKELY, OPEN = "declared", "certain", "likely", "open"


@dataclass(frozen=True)
class Role:
    """The role of one variable.

    Attributes
    ----------
    name : str
    role : str
        ``parameter``, ``random effect``, ``missing value``, ``discrete``, ``observed``,
        ``potential``, ``prior`` (a Potential read as one), ``deterministic``, ``data``,
        ``unused``, or in fits ``summed out`` for what was ``discrete``.
    reason : str
        Why, in words.
    sure : str
        ``declared`` by the user; ``certain``, from the graph alone; ``likely``, the other reading
        is possible but unusual; ``open``, so that a fit stops and asks.
    """

    name: str
    role: str
    reason: str
    sure: str = CERTAIN


@dataclass(frozen=True)
class Roles:
    """Roles of all named variables; prints as a table.

    Attributes
    ----------
    entries : tuple of Role
    notices : tuple of str
        What deserves to be said although the roles are clear.
    ambiguous : mapping of str to str
        Variables whose role the graph leaves open, with the evidence.
    """

    entries: tuple[Role, ...]
    notices: tuple[str, ...]
    ambiguous: Mapping[str, str]

    def names(self, role: str) -> tuple[str, ...]:
        """Names of the variables with a role.

        Parameters
        ----------
        role : str
            As in :class:`Role`.

        Returns
        -------
        tuple of str
            In model order.
        """
        return tuple(entry.name for entry in self.entries if entry.role == role)

    def __getitem__(self, name: str) -> Role:
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise PointError.unknown("roles", name, [entry.name for entry in self.entries])

    def to_frame(self) -> pd.DataFrame:
        """The table as a pandas frame.

        Returns
        -------
        pandas.DataFrame
            Columns ``role``, ``reason`` and ``sure``, indexed by name.
        """
        rows = [(e.name, self._shown(e), e.reason, e.sure) for e in self.entries]
        return pd.DataFrame(rows, columns=["name", "role", "reason", "sure"]).set_index("name")

    def _shown(self, entry: Role) -> str:
        return "ambiguous" if entry.name in self.ambiguous else entry.role

    def __repr__(self) -> str:
        width = max([len(e.name) for e in self.entries] + [8])
        lines = [f"{'variable':<{width}}  {'role':<14} reason"]
        lines += [
            f"{entry.name:<{width}}  {self._shown(entry):<14} {entry.reason}"
            + (f" [{entry.sure}]" if entry.sure == LIKELY else "")
            for entry in self.entries
        ]
        for name in self.ambiguous:
            lines.append(f'open: integrate `{name}` out with `random=["{name}"]`, or estimate its')
            lines.append(f'      entries with `parameters=["{name}"]`; fitting stops until then.')
        lines += [f"notice: {text}" for text in self.notices]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return self.to_frame().to_html()


def roles(
    model: Any = None,
    *,
    random: Sequence[str] | None = None,
    parameters: Sequence[str] | None = None,
    potentials: Mapping[str, str] | None = None,
    objective: str = "mle",
) -> Roles:
    """Tell the role of every variable of a model, before anything is fitted.

    Parameters
    ----------
    model : pymc.Model, optional
        Default: the model of the open ``with`` block.
    random : sequence of str, optional
        Names to integrate out as random effects. An empty sequence means none at all:
        every free variable is then a parameter.
    parameters : sequence of str, optional
        Names to estimate as parameters, overriding what the graph suggests.
    potentials : mapping of str to str, optional
        ``"prior"`` drops a Potential as a prior in maximum likelihood; ``"likelihood"``
        (the default) keeps it in the objective.
    objective : {"mle", "map"}
        For ``"map"`` the priors of the parameters are kept: what they depend on is used.

    Returns
    -------
    Roles
        One entry per named variable, with the reason. Ambiguous variables are shown as
        such; fitting stops at them.

    Raises
    ------
    ModelError
        No model, or a model without any likelihood term.
    PointError
        A name that the model does not have (the nearest is suggested).
    """
    model = walks.resolve_model(model)
    free = {rv.name: rv for rv in model.free_RVs}
    chosen_random = _known(random, free, "random")
    chosen_parameters = _known(parameters, free, "parameters")
    chosen_potentials = _potential_choice(model, potentials)
    graph = Evidence(model)
    notices: list[str] = []
    ambiguous: dict[str, str] = {}
    found: dict[str, tuple[str, str]] = {}
    sure = dict.fromkeys((*chosen_random, *chosen_parameters), DECLARED)

    for rv in model.free_RVs:
        if rv.name in chosen_parameters:
            found[rv.name] = (PARAMETER, "declared by `parameters=`")
        elif rv.name in chosen_random:
            found[rv.name] = (RANDOM, "declared by `random=`")
        elif rv.dtype.startswith(("int", "uint", "bool")):
            found[rv.name] = (DISCRETE, "a free discrete variable")
        elif random is not None and len(random) == 0:
            found[rv.name] = (PARAMETER, "no variable is integrated (`random=[]`)")
        else:
            role, reason, doubt = _classify(graph, rv, chosen_random, chosen_parameters)
            found[rv.name] = (role, reason)
            sure[rv.name] = {"stop": OPEN, "notice": LIKELY, "likely": LIKELY}.get(doubt, CERTAIN)
            if doubt == "notice":
                notices.append(f"`{rv.name}` is estimated as a parameter: {reason}.")
            elif doubt == "stop":
                ambiguous[rv.name] = reason

    _mark_unused(graph, found, chosen_potentials, notices, objective)
    entries = [Role(rv.name, *found[rv.name], sure.get(rv.name, CERTAIN)) for rv in model.free_RVs]
    entries += [Role(rv.name, OBSERVED, "observed data") for rv in model.observed_RVs]
    integrated = {n for n, (role, _) in found.items() if role in {RANDOM, MISSING}} | set(ambiguous)
    for potential in model.potentials:
        entry, notice = _potential_role(graph, potential, chosen_potentials, integrated)
        entries.append(entry)
        if notice:
            notices.append(notice)
    entries += [Role(v.name, DETERMINISTIC, "a function of others") for v in model.deterministics]
    entries += [Role(v.name, DATA, "given") for v in model.data_vars]
    return Roles(tuple(entries), tuple(notices), ambiguous)


def restricted(roles_: Roles, names: Sequence[str]) -> Roles:
    """Parameters turned to variables that are integrated under a flat measure.

    Parameters
    ----------
    roles_ : Roles
    names : sequence of str

    Returns
    -------
    Roles

    Raises
    ------
    PointError
        An unknown name.
    ModelError
        A variable that is no parameter.
    """
    for name in names:
        if name not in {entry.name for entry in roles_.entries}:
            raise PointError.unknown("reml", name, [entry.name for entry in roles_.entries])
        if roles_[name].role != PARAMETER:
            raise ModelError.not_restrictable(name, f"its role is `{roles_[name].role}`")
    entries = tuple(
        Role(entry.name, RANDOM, "integrated under a flat measure (`reml=`)")
        if entry.name in names
        else entry
        for entry in roles_.entries
    )
    return Roles(entries, roles_.notices, roles_.ambiguous)


def check_decided(roles_: Roles) -> None:
    """Stop at ambiguous roles, naming the variables.

    Raises
    ------
    ModelError
    """
    for name, why in roles_.ambiguous.items():
        raise ModelError.ambiguous(name, why)


def _classify(
    graph: Evidence, rv: Any, random: set[str], parameters: set[str]
) -> tuple[str, str, str]:
    """Role, reason and doubt ("", "likely", "notice" or "stop") of a continuous free variable."""
    if graph.is_unobserved_part(rv):
        return MISSING, "the unobserved entries of a partly observed variable", ""
    parents = graph.free_parents(rv)
    if parents:
        text = ", ".join(parents)
        if type(rv.owner.op).__name__ in {"UniformRV", "HalfFlatRV"}:
            reason = f"its prior is flat; only its support depends on {text}"
            return PARAMETER, reason, "notice"
        return RANDOM, f"its distribution depends on {text}", ""
    law = graph.latent_law(rv)
    if law:
        return PARAMETER, law, "stop"
    plain = "its distribution is a prior that depends on no other variable"
    if rv.ndim == 0 or not graph.standardised(rv):
        scales = graph.latent_covariate(rv)
        if not scales:
            return PARAMETER, plain, ""
        text = ", ".join(scales)
        if graph.given_locations(rv):
            reason = f"scaled by {text}, and its law, which depends on no other variable, has a"
            return RANDOM, f"{reason} location of its own for each entry", "likely"
        reason = f"it and {text} multiply each other, with few observations per entry"
        return PARAMETER, reason, "stop"
    scales = graph.scaled_by(rv)
    if scales:
        return _scaled(graph, scales, random, parameters)
    scales = graph.scaled_in_a_sum(rv)
    if scales:
        reason = f"standardised, of a group of its own, and scaled by {', '.join(scales)}"
        return RANDOM, reason, "likely"
    counts = graph.rows_per_entry(rv)
    if counts is None:
        if graph.fills_the_data(rv):
            reason = "a standardised prior, and as many entries as there are observations"
            return PARAMETER, reason, "stop"
        return PARAMETER, plain, ""
    median = float(np.median(counts))
    reason = (
        f"a standardised prior, indexed by a group with a median of {median:g} "
        "observations per entry"
    )
    if median < FEW_ROWS:
        return PARAMETER, reason, "stop"
    beside = _level_beside(graph, rv, random)
    if beside:
        reason += (
            f"; as parameters its entries and {', '.join(beside)} would not be identified, since a "
            "constant can move from one to the other"
        )
        return PARAMETER, reason, "stop"
    return PARAMETER, reason, "notice"


def _scaled(
    graph: Evidence, scales: list[str], random: set[str], parameters: set[str]
) -> tuple[str, str, str]:
    """The role of a standardised variable that others multiply."""
    text = ", ".join(scales)
    mutual = [s for s in scales if _scales_back(graph, s)]
    if len(mutual) < len(scales):
        # A standard deviation is positive; a coefficient or loading may be either.
        positive = any(graph.positive(s) for s in scales if s not in mutual)
        return RANDOM, f"standardised, and scaled by {text}", "" if positive else "likely"
    if set(mutual) & random and not set(mutual) - random:
        reason = f"it scales {text}, which is integrated out"
        return PARAMETER, reason, "notice"
    if set(mutual) <= parameters:
        return RANDOM, f"standardised, and scaled by {text}", "likely"
    reason = f"it and {text} are both standardised and multiply each other"
    return PARAMETER, reason, "stop"


def _scales_back(graph: Evidence, name: str) -> bool:
    """Whether a scale is itself a standardised vector that the variable would scale."""
    other = graph.model[name]
    return other.ndim > 0 and not graph.free_parents(other) and graph.standardised(other)


def _level_beside(graph: Evidence, rv: Any, random: set[str]) -> list[str]:
    """Parameters with which a sample of groups would share a level that nothing identifies."""
    entries = graph.entries(rv.name)
    if entries < _LEVELS:
        return []
    found = []
    for name in graph.level_shared_with(rv):
        other = graph.model[name]
        integrated = name in random or graph.free_parents(other) or graph.scaled_by(other)
        # Of two groupings the one with more entries is asked about.
        if not integrated and (graph.entries(name), name) < (entries, rv.name):
            found.append(name)
    return found


def _mark_unused(
    graph: Evidence,
    found: dict[str, tuple[str, str]],
    potentials: Mapping[str, str],
    notices: list[str],
    objective: str,
) -> None:
    kept = {RANDOM, MISSING, DISCRETE} | ({PARAMETER} if objective == "map" else set())
    with_law = {n for n, (role, _) in found.items() if role in kept}
    used = graph.reaches_objective(with_law, dropped=potentials)
    for name, (role, _) in found.items():
        if role == PARAMETER and name not in used:
            found[name] = (UNUSED, "no path to the likelihood")
            notices.append(f"`{name}` does not reach the likelihood: it is not estimated.")


def _potential_role(
    graph: Evidence, potential: Any, chosen: Mapping[str, str], integrated: set[str]
) -> tuple[Role, str | None]:
    name = potential.name
    if chosen.get(name) == "prior":
        return Role(name, PRIOR, "declared a prior by `potentials=`"), None
    holds_data = graph.holds_data(potential)
    if holds_data or not graph.has_other_likelihood(potential):
        return Role(name, POTENTIAL, "part of the likelihood"), None
    inside = [rv.name for rv in graph.free_among([potential]) if rv.name in integrated]
    if inside:
        return Role(name, POTENTIAL, f"part of the law of {', '.join(inside)}"), None
    reason = "holds only parameters: it acts as a penalty on the likelihood"
    notice = (
        f"the Potential `{name}` holds only parameters and acts as a penalty; drop it as a "
        f'prior with `potentials={{"{name}": "prior"}}`.'
    )
    if chosen.get(name) == "likelihood":
        return Role(name, POTENTIAL, "declared part of the likelihood"), None
    return Role(name, POTENTIAL, reason), notice


def _known(names: Sequence[str] | None, free: Mapping[str, Any], argument: str) -> set[str]:
    if isinstance(names, str):
        names = [names]
    chosen = set(names or ())
    for name in chosen:
        if name not in free:
            raise PointError.unknown(argument, name, free)
    return chosen


def _potential_choice(model: Any, potentials: Mapping[str, str] | None) -> dict[str, str]:
    known = [p.name for p in model.potentials]
    for name, value in (potentials or {}).items():
        if name not in known:
            raise PointError.unknown("potentials", name, known)
        if value not in {"prior", "likelihood"}:
            raise ModelError(
                f'potentials: `{name}` = {value!r}; expected "prior" (dropped by maximum '
                'likelihood) or "likelihood" (kept).'
            )
    return dict(potentials or {})
