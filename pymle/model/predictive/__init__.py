"""Data drawn from a model, their means, and models at new data."""
