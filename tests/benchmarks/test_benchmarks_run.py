"""The benchmarks run, at a tiny size; no time is asserted."""

from tests.benchmarks.cases import large, parameters
from tests.benchmarks.run import line


def test_benchmarks_run_at_tiny_size():
    rows = [*large(n=200, k=2, repeats=1), *parameters(groups=5, per_group=4)]
    assert len(rows) == 10
    assert all(row.value > 0 and row.what in line(row) for row in rows)
    assert "maximum" in rows[-2].note
