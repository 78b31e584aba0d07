"""Arrays to matplotlib Axes; knows no model."""
