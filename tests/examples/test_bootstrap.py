"""The example of bootstrap limits, against the exact ones."""

import numpy as np
import pytest

from examples import bootstrap


def test_bootstrap(tmp_path, capsys):
    picture = tmp_path / "picture.png"
    found = bootstrap.main(picture, n=1999)
    table = found["table"]
    # Davison and Hinkley (1997), example 2.11.
    np.testing.assert_allclose(table.loc[("exact", "")], [65.9, 209.2], atol=0.05)
    np.testing.assert_allclose(
        table.loc[("parametric", "studentized")], table.loc[("exact", "")], rtol=0.07
    )
    case = found["boots"]["case"]
    assert case.se["mean"] == pytest.approx(bootstrap.HOURS.std() / np.sqrt(12), rel=0.07)
    assert table.loc[("case", "percentile"), "upper"] < table.loc[("case", "bca"), "upper"]
    assert "exact" in capsys.readouterr().out
    assert picture.stat().st_size > 10_000
