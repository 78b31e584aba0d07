"""Expressions, hypotheses and constraints as users write them."""
