"""Tables, text and HTML of a fit."""

from pymle.report.progress import counting, progress
from pymle.report.table import full_table, summary_table
from pymle.report.text import fit_html, fit_text

__all__ = ["counting", "fit_html", "fit_text", "full_table", "progress", "summary_table"]
