"""The bootstrap: resampled or simulated data, refits, and limits from them."""

from pymle.inference.bootstrap.batch import Refits, batchable, refit_batch

__all__ = ["Refits", "batchable", "refit_batch"]
