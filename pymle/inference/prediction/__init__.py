"""Data, parameters and predictions drawn from or computed at a fit."""

from pymle.inference.prediction.draws import asymptotic_points, draws, simulate
from pymle.inference.prediction.predict import Prediction, predict

__all__ = ["Prediction", "asymptotic_points", "draws", "predict", "simulate"]
