"""Profile likelihood: limits, curves and contours."""

from pymle.inference.profile.calibrate import Calibration, calibrate
from pymle.inference.profile.contour import profile_contour
from pymle.inference.profile.follow import Asked, check_profiles, cutoff_of, profile
from pymle.inference.profile.records import Contour, Curve, Flag, Profile, Profiles

__all__ = [
    "Asked",
    "Calibration",
    "Contour",
    "Curve",
    "Flag",
    "Profile",
    "Profiles",
    "calibrate",
    "check_profiles",
    "cutoff_of",
    "profile",
    "profile_contour",
]
