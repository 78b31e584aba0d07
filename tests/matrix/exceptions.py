"""Where PyMC's own log-density differs from the reference, and why.

``docs/limitations.md`` explains the reasons. Sizes are bounds of the difference relative to
max(1, |log-likelihood|); infinite where PyMC gives minus infinity for a finite log-likelihood.
"""

from __future__ import annotations

import numpy as np

SINGLE = "a constant is computed in single precision (PyTensor's type of 2.0 is float32)"
UNDERFLOW = "the logarithm of a probability that underflows to 0, or of 1 minus one rounded to 1"

_SINGLE = {
    "AR": (4e-9,),
    "Censored LogNormal": (6e-9, 1e-10, 3e-8),
    "Censored Normal": (8e-9,),
    "ChiSquared": (2e-9, 4e-10),
    # The bank's own log-density says log(2.0), as a user would.
    "CustomDist": (4e-10,),
    "DiscreteUniform in a Mixture": (2e-8, 4e-9),
    "EulerMaruyama": (1e-9,),
    "ExGaussian": (4e-9,),
    "GaussianRandomWalk": (2e-9,),
    "HalfCauchy": (2e-9, 3e-10),
    "HalfStudentT": (1e-9,),
    "LKJCholeskyCov eta 40.0": (8e-8, 2e-8),
    "LKJCorr eta 40.0": (2e-7, 5e-9),
    "OrderedProbit": (4e-9, 2e-8),
    "RandomWalk": (2e-9,),
    "SkewNormal": (2e-8,),
    "SkewStudentT": (4e-9, 2e-9),
    "Truncated LogNormal": (2e-8, 5e-10, 5e-7),
    "Truncated Normal": (5e-8, 4e-7, 7e-7),
    "TruncatedNormal": (7e-9, 7e-8, 3e-7),
    "TruncatedNormal one side": (4e-9, 5e-10),
    "Wishart": (2e-9, 3e-10),
}
_UNDERFLOW = (
    ("Bernoulli logit_p", 1),
    ("Censored Beta", 2),
    ("Censored Gamma", 2),
    ("Censored InverseGamma", 1),
    ("Rice", 1),
    ("SkewNormal", 1),
    # PyMC 5.28 only.
    ("VonMises", 1),
)

CONSTANT = "a law of neighbours lacks a part of its constant, for ICAR with the scale in it"
_CONSTANT = {("CAR", 0): 2.3, ("CAR", 1): 2.3, ("ICAR", 0): 0.1, ("ICAR", 1): 12.0}

#: (case, point) -> (largest relative difference, reason)
PYMC_DIFFERS: dict[tuple[str, int], tuple[float, str]] = {
    (name, k): (size, SINGLE) for name, sizes in _SINGLE.items() for k, size in enumerate(sizes)
} | dict.fromkeys(_UNDERFLOW, (np.inf, UNDERFLOW))
PYMC_DIFFERS |= {key: (size, CONSTANT) for key, size in _CONSTANT.items()}
