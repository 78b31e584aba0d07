"""The bootstrap: resampled or simulated data, refits, and limits from them."""

from pymle.inference.bootstrap.batch import Refits, batchable, refit_batch
from pymle.inference.bootstrap.bootstrap import bootstrap
from pymle.inference.bootstrap.record import Bootstrap

__all__ = ["Bootstrap", "Refits", "batchable", "bootstrap", "refit_batch"]
