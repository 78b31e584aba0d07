"""Data, parameters and predictions drawn from or computed at a fit."""

from pymle.inference.prediction.draws import asymptotic_points, draws, simulate
from pymle.inference.prediction.effects import Effects, comparisons, effects
from pymle.inference.prediction.predict import Prediction, predict

__all__ = [
    "Effects",
    "Prediction",
    "asymptotic_points",
    "comparisons",
    "draws",
    "effects",
    "predict",
    "simulate",
]
