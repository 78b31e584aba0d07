"""The example of robust errors gives what statsmodels gives."""

import numpy as np
import pytest

from examples import robust_errors


def test_seizures(tmp_path, capsys):
    picture = tmp_path / "picture.png"
    found = robust_errors.main(picture)
    theirs, errors = found["statsmodels"], found["errors"]
    factor = (236 - 1) / (236 - 6)  # what CR1S has beyond CR1
    np.testing.assert_allclose(errors["patients (CR1)"], theirs.bse / np.sqrt(factor), rtol=1e-6)
    np.testing.assert_allclose(found["fit"].summary()["estimate"], theirs.params, rtol=1e-7)
    assert np.all(errors["patients (CR1)"] > errors["information"])
    # Thall and Vail's patient 207, in the order of the data the 49th.
    assert found["influence"].table["cook"].idxmax() == 49
    assert found["one_step"] == pytest.approx(found["refit"], abs=0.1)
    assert "CR1: 59 clusters by `patient`" in capsys.readouterr().out
    assert picture.stat().st_size > 10_000
