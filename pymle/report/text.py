"""A fit as text and as HTML: verdict first, then the table, then the notes."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import pandas as pd

from pymle.inference.constraints import constraint_notes
from pymle.report.conditional import conditional_on
from pymle.report.table import summary_table

_MOST_ROWS = 60
_TITLES = {
    "mle": "Maximum likelihood",
    "map": "Maximum a posteriori (MAP)",
    "penalised": "Firth's penalised likelihood",
}


def fit_text(fit: Any) -> str:
    """The printed form of a fit.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    str
    """
    lines = [_title(fit), ""]
    lines += [f"{name:<16} {value}" for name, value in _facts(fit)]
    lines += ["", *_table_lines(fit), ""]
    lines += [f"note: {note}" for note in _notes(fit)]
    return "\n".join(lines).rstrip()


def fit_html(fit: Any) -> str:
    """The notebook form of a fit.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    str
        Self-contained HTML.
    """
    facts = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for name, value in _facts(fit)
    )
    if fit.estimate.curvature_is_cheap:
        table = _shown_table(fit).to_html(float_format=_number, na_rep="")
    else:
        table = f"<pre>{html.escape(chr(10).join(_first_values(fit)))}</pre>"
    notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in _notes(fit))
    return (
        f"<div><strong>{html.escape(_title(fit))}</strong>"
        f"<table>{facts}</table>{table}{notes}</div>"
    )


def _title(fit: Any) -> str:
    return _TITLES[fit.objective]


def _facts(fit: Any) -> list[tuple[str, str]]:
    verdict = fit.verdict
    facts = [("verdict", f"{verdict.status.value} - {verdict.status.sentence}")]
    if verdict.parameters:
        facts.append(("direction", verdict.direction()))
    if verdict.advice:
        facts.append(("advice", verdict.advice))
    facts.append(("starts", str(verdict.evidence.get("starts", ""))))
    facts.append(("log-likelihood", f"{fit.loglik:.6f}"))
    if fit.objective == "map":
        facts.append(("log-posterior", f"{fit.logposterior:.6f}"))
    elif fit.objective == "penalised":
        facts.append(("with penalty", f"{fit.estimate.maximum:.6f}"))
        facts.append(("AIC, AICc, BIC", "none for a penalised likelihood"))
    elif fit.estimate.weights_kind == "sampling":
        facts.append(("AIC, AICc, BIC", "none with sampling weights"))
    elif verdict.unbounded:
        facts.append(("AIC, AICc, BIC", "none: the log-likelihood grows without bound"))
    elif np.isfinite(fit.nobs):
        facts.append(("AIC, AICc, BIC", f"{fit.aic:.4f}, {fit.aicc:.4f}, {fit.bic:.4f}"))
    else:
        facts.append(("AIC", f"{fit.aic:.4f}"))
    nobs = f"{fit.nobs:g}" if np.isfinite(fit.nobs) else "unknown (Potential)"
    facts.append(("observations", nobs))
    facts.append(("parameters", str(fit.nparams)))
    if fit.integrated:
        facts.append(("integrated", fit.integrated))
    restriction = fit.estimate.restriction
    if restriction is not None:
        facts.append(("constraints", _constraints(restriction)))
    return facts


def _constraints(restriction: Any) -> str:
    """Every constraint; inequalities with whether they bind."""
    parts = [
        text if relation == "=" else f"{text} ({'binds' if active else 'does not bind'})"
        for text, relation, active in zip(
            restriction.texts, restriction.relations, restriction.active, strict=True
        )
    ]
    more = f"; and {len(parts) - 8} more (fit.constraints)" if len(parts) > 8 else ""
    return "; ".join(parts[:8]) + more


def _shown_table(fit: Any) -> pd.DataFrame:
    return summary_table(fit, None, None, None, 0.95)


def _table_lines(fit: Any) -> list[str]:
    if not fit.estimate.curvature_is_cheap:
        return _first_values(fit)
    table = _shown_table(fit)
    hidden = len(table) - _MOST_ROWS
    text = table.head(_MOST_ROWS).to_string(float_format=_number, na_rep="")
    lines = text.splitlines()
    if hidden > 0:
        lines.append(f"... {hidden} more rows: fit.summary()")
    return lines


def _first_values(fit: Any) -> list[str]:
    """Estimates alone: standard errors of thousands of parameters take a while."""
    layout = fit.estimate.layout
    pairs = zip(layout.labels[:_MOST_ROWS], fit.estimate.natural, strict=False)
    lines = [f"{label}  {_number(value)}" for label, value in pairs]
    more = len(layout.labels) - len(lines)
    if more:
        lines.append(f"... {more} more")
    return [*lines, "standard errors need the dense information: fit.summary() computes it"]


def _notes(fit: Any) -> list[str]:
    if fit.estimate.curvature_is_cheap and fit.estimate.null_space is None:
        notes = ["no standard errors: the point is no strict maximum"]
    else:
        notes = ["se and 95% Wald limits from the exact observed information, natural scale"]
        if fit.estimate.weights_kind == "sampling":
            record = fit._covariance_record(None, None)
            notes = [f"se and 95% Wald limits: {record.text}, natural scale", *record.notes]
    if fit.objective == "map":
        notes = ["se: posterior curvature at the mode (not standard errors of an estimator)"]
    if fit.objective == "penalised":
        notes = [note.replace("information", "information, penalty included") for note in notes]
    if "differenced" in fit.record.hessian:
        notes[0] = notes[0].replace("exact observed information", "observed information")
        notes.append(f"second derivatives {fit.record.hessian}")
    if fit.estimate.tails is not None:
        notes.append(f"standard errors are conditional on {conditional_on(fit.estimate)}")
    notes += constraint_notes(fit.estimate) if fit.estimate.curvature_is_cheap else []
    held = fit.estimate.layout
    fixed = [
        f"{label} = {value:g}"
        for label, value, is_held in zip(held.labels, fit.estimate.natural, held.fixed, strict=True)
        if is_held
    ]
    if fixed:
        notes.append(f"held: {', '.join(fixed[:10])}" + (", ..." if len(fixed) > 10 else ""))
    if fit.record.route != "jax":
        notes.append(f"evaluated by PyTensor's interpreter: {fit.record.route_reason}")
    return notes + list(fit.notices)


def _number(value: float) -> str:
    return f"{value:.6g}"
