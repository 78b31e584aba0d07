"""Jacobians of traced programs on the pattern of what is not zero."""
