"""The benchmarks run, at a tiny size; no time is asserted."""

import numpy as np

from tests.benchmarks.cases import bootstrap, large, parameters, profiles
from tests.benchmarks.effects import crossed_model, ratings, structure_model
from tests.benchmarks.quadrature import visits, visits_model
from tests.benchmarks.run import line
from tests.benchmarks.starts import starts


def test_benchmarks_run_at_tiny_size():
    rows = [*large(n=200, k=2, repeats=1), *parameters(groups=5, per_group=4)]
    assert len(rows) == 10
    assert all(row.value > 0 and row.what in line(row) for row in rows)
    assert "maximum" in rows[-2].note


def test_bootstrap_runs_at_tiny_size():
    rows = bootstrap(n=120, k=2, refits=10, repeats=1)
    assert len(rows) == 8
    assert float(rows[-1].note.rpartition(" ")[2]) < 1e-8


def test_profiles_run_at_tiny_size():
    rows = profiles(n=80, k=2, repeats=1)
    assert len(rows) == 3
    assert rows[0].value <= 12
    assert float(rows[-1].note.removesuffix(" SE").rpartition(" ")[2]) < 1e-6


def test_starts_run_at_tiny_size():
    rows = starts(names=("nist_misra1a",), counts=(20,), timed=2)
    assert len(rows) == 4
    assert all(row.value > 0 and row.what in line(row) for row in rows)


def test_models_with_effects_at_tiny_size():
    data = ratings(rows=300, students=30, lecturers=12, departments=3)
    assert all(len(part) == 300 for part in data)
    assert set(np.unique(data[1])) == set(range(12))
    assert len(crossed_model("gaussian", *data).free_RVs) == 7
    assert len(crossed_model("logistic", *data).free_RVs) == 6
    for kind, count in (("grouped", 4), ("nested", 6), ("series", 3)):
        assert len(structure_model(kind, 100).free_RVs) == count


def test_visits_at_tiny_size():
    data = visits(70)
    assert data[0].max() == 9
    assert set(np.unique(data[3])) == {0, 1}
    assert len(visits_model(*data).free_RVs) == 3
