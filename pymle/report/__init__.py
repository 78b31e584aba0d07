"""Tables, text and HTML of a fit."""

from pymle.report.bar import bar
from pymle.report.progress import counting, progress
from pymle.report.table import (
    correlation_table,
    covariance_table,
    full_table,
    summary_table,
)
from pymle.report.text import fit_html, fit_text

__all__ = [
    "bar",
    "correlation_table",
    "counting",
    "covariance_table",
    "fit_html",
    "fit_text",
    "full_table",
    "progress",
    "summary_table",
]
