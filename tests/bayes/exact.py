"""Independent draws from posteriors known in closed form, as chains."""

import arviz
import numpy as np
import xarray as xr


def dataset(arrays, dims=None, coords=None):
    """A posterior of arrays (chains, draws, ...)."""
    dims = dims or {}
    return xr.Dataset(
        {
            name: (
                ("chain", "draw", *dims.get(name, [f"{name}_{i}" for i in range(a.ndim - 2)])),
                a,
            )
            for name, a in arrays.items()
        },
        coords=coords,
    )


def container(posterior, **groups):
    """What `pm.sample` returns: InferenceData with ArviZ 0.x, DataTree with ArviZ 1."""
    if arviz.__version__.startswith("0."):
        return arviz.InferenceData(posterior=posterior, **groups)
    return xr.DataTree.from_dict(
        {"/posterior": posterior, **{f"/{k}": v for k, v in groups.items()}}
    )


def cells(rng, log_density, grid, shape):
    """Draws of a scalar whose log-density is known on an even grid, spread within its cells."""
    p = np.exp(log_density - log_density.max())
    at = rng.choice(len(grid), size=shape, p=p / p.sum())
    return grid[at] + (grid[1] - grid[0]) * (rng.uniform(size=shape) - 0.5)


EFFECT = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
SE = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


def eight_schools(rng, shape):
    """Draws for mu ~ N(0, 5) and tau ~ HalfCauchy(5): tau on a grid, then mu, then theta."""
    grid = np.arange(0.005, 60.0, 0.01)
    total = SE**2 + grid[:, None] ** 2
    precision = (1 / total).sum(axis=1) + 1 / 25
    centre = (EFFECT / total).sum(axis=1) / precision
    log_density = (
        -0.5 * np.log(total).sum(axis=1)
        - 0.5 * (EFFECT**2 / total).sum(axis=1)
        + 0.5 * precision * centre**2
        - 0.5 * np.log(precision)
        - np.log1p((grid / 5) ** 2)
    )
    tau = np.maximum(cells(rng, log_density, grid, shape), 1e-4)
    total = SE**2 + tau[..., None] ** 2
    precision = (1 / total).sum(axis=-1) + 1 / 25
    mu = rng.normal((EFFECT / total).sum(axis=-1) / precision, precision**-0.5)
    own = 1 / SE**2 + 1 / tau[..., None] ** 2
    middle = (EFFECT / SE**2 + mu[..., None] / tau[..., None] ** 2) / own
    return {"mu": mu, "tau": tau, "theta": rng.normal(middle, own**-0.5)}
