"""The example of profile limits, against closed forms."""

import numpy as np
import pytest
from scipy.optimize import brentq

from examples import profile_limits

Q = 3.841458820694124


def ends(ratio, estimate, low, high):
    return [
        brentq(lambda v: ratio(v) - Q, *pair, xtol=1e-12)
        for pair in ((low, estimate), (estimate, high))
    ]


def test_profile_limits(tmp_path, capsys):
    picture = tmp_path / "picture.png"
    found = profile_limits.main(picture)
    y = profile_limits.EIGHT
    n, s = len(y), y.std()
    table = found["tables"]["eight observations"]["profile"]
    half = s * np.sqrt(np.exp(Q / n) - 1)
    assert list(table.loc["mu"]) == pytest.approx([y.mean() - half, y.mean() + half], rel=1e-7)
    wanted = ends(lambda v: n * (2 * np.log(v / s) + s**2 / v**2 - 1), s, s / 9, 9 * s)
    assert list(table.loc["sigma"]) == pytest.approx(wanted, rel=1e-7)

    x, v = profile_limits.CONCENTRATION, profile_limits.VELOCITY

    def squares(k):
        """Smallest sum of squares at a half-saturation constant: the other one is linear."""
        shape = x / (k + x)
        return ((v - shape * (shape @ v) / (shape @ shape)) ** 2).sum()

    fit = found["enzyme"]
    assert fit.verdict.ok
    best = float(fit.params["half"])
    # Bates and Watts (1988), table 3.1: 212.7 and 0.06412.
    assert best == pytest.approx(0.06412, abs=5e-6)
    assert float(fit.params["top"]) == pytest.approx(212.7, abs=0.05)
    wanted = ends(lambda k: 12 * np.log(squares(k) / squares(best)), best, 0.01, 0.3)
    limits = found["tables"]["puromycin"]["profile"]
    assert list(limits.loc["half"]) == pytest.approx(wanted, rel=1e-6)
    assert "puromycin" in capsys.readouterr().out
    assert picture.stat().st_size > 10_000
