"""A verdict with the evidence of profiles added to that of the fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pymle.inference.profile import Flag, Profile
from pymle.verdict import Status, Verdict

#: What a side without a crossing is called.
_OPEN = {
    Flag.UNBOUNDED: "no finite limit",
    Flag.EDGE: "up to the edge of the support",
    Flag.WORK: "not as far as it was followed",
}


def with_profiles(verdict: Verdict, profiles: Mapping[str, Profile]) -> Verdict:
    """A new verdict: what the profiles show beside what the fit showed.

    Parameters
    ----------
    verdict : Verdict
    profiles : mapping of str to Profile

    Returns
    -------
    Verdict
        Evidence ``profiles`` (for each label what each side is), ``one_sided`` (labels whose limit
        on one side is an edge of the support, with the limit on the other), ``weakly_identified``
        (labels with an open side, whose profile never crosses the cut-off), ``higher_value``
        where a profile met a higher log-likelihood; then a maximum is called a local one.
    """
    sides: dict[str, Mapping[str, str]] = {}
    weak: dict[str, str] = {}
    one_sided: dict[str, float] = {}
    higher = None
    for label, each in profiles.items():
        flags = {"lower": each.lower_flag, "upper": each.upper_flag}
        sides[label] = {side: flag.value for side, flag in flags.items()}
        open_ = [f"{side}: {_OPEN[flag]}" for side, flag in flags.items() if flag in _OPEN]
        both_edges = all(flag is Flag.EDGE for flag in flags.values())
        if {Flag.UNBOUNDED, Flag.WORK} & set(flags.values()) or both_edges:
            weak[label] = "; ".join(open_)
        elif open_:
            one_sided[label] = each.upper if each.lower_flag is Flag.EDGE else each.lower
        if each.better_fit is not None or Flag.HIGHER in flags.values():
            higher = max(each.loglik, higher or each.loglik)
    evidence: dict[str, Any] = {
        **verdict.evidence,
        "profiles": sides,
        "one_sided": one_sided,
        "weakly_identified": tuple(weak),
        "profile_level": next((p.level for p in profiles.values()), float("nan")),
    }
    advice = [verdict.advice] if verdict.advice else []
    status = verdict.status
    if higher is not None:
        evidence["higher_value"] = higher
        if status is Status.MAXIMUM:
            status = Status.LOCAL
        advice.append(
            f"A profile met the log-likelihood {higher:.6g}: go on from `fit.profile(...)"
            ".better_fit`."
        )
    for label, limit in one_sided.items():
        side = "upper" if profiles[label].lower_flag is Flag.EDGE else "lower"
        advice.append(f"The {side} limit of `{label}` is {limit:.6g}, the other one its edge.")
    if weak:
        named = ", ".join(f"`{label}` ({text})" for label, text in weak.items())
        advice.append(
            f"Weakly identified: the profile does not cross its threshold for {named}. Report "
            "the limit that exists, not a standard error; `fixed=`, more data, or a prior "
            "(`pymle.find_MAP`) would close it."
        )
    return replace(verdict, status=status, evidence=evidence, advice=" ".join(advice))
