"""Profile likelihood: limits, curves and contours."""

from pymle.inference.profile.follow import Asked, check_profiles, cutoff_of, profile
from pymle.inference.profile.records import Flag, Profile, Profiles

__all__ = ["Asked", "Flag", "Profile", "Profiles", "check_profiles", "cutoff_of", "profile"]
