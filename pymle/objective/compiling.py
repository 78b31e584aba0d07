"""How hard XLA should try: compilation is the user's time where a program runs for seconds.

Measured on models of counts with random effects: without LLVM's passes, and without the
emitters that fuse loops, compilation takes a quarter of the time with jax 0.10; jax 0.12 has no
such switch for the emitters and saves a third. Programs run about half as fast, and give the
same numbers but for the order of sums.
"""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["effort_for", "little_effort"]

#: Rows times evaluations of a fit below which compilation takes most of the time: without the
#: passes alone, and without the emitters too.
_LITTLE_WORK, _LITTLE_WORK_PLAIN = 150_000, 400_000
_NO_PASSES: dict[str, Any] = {"xla_backend_optimization_level": 0}


@cache
def little_effort() -> dict[str, Any]:
    """Options of `jax.jit` (``compiler_options``) for a program that runs for a short time.

    Returns
    -------
    dict
    """
    import jax
    import jax.numpy as jnp

    options = {**_NO_PASSES, "xla_cpu_use_fusion_emitters": False}
    try:
        jax.jit(jnp.negative, compiler_options=options).lower(0.0).compile()
    except (jax.errors.JaxRuntimeError, ValueError):
        return _NO_PASSES
    return options


def effort_for(work: float) -> dict[str, Any] | None:
    """Options of `jax.jit` for a program of which so much work is expected.

    Parameters
    ----------
    work : float
        Rows, or entries of a pattern, times evaluations.

    Returns
    -------
    dict or None
        None for JAX's own.
    """
    if work > _LITTLE_WORK_PLAIN:
        return None
    options = little_effort()
    return options if work <= _LITTLE_WORK or options is not _NO_PASSES else None
