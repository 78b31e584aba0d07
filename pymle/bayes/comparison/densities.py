"""Densities of draws, their overlap with a normal one, and the number of their modes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

#: Places of the grid on which densities are computed.
GRID = 512
#: Fewer different values than this are a discrete variable's: it has no density.
_DISCRETE = 25
#: A second mode counts if the density falls to this share of it on the way to the first,
_VALLEY = 0.7
#: and if it holds this share of the draws.
_MASS = 0.05


@dataclass(frozen=True)
class Density:
    """A density on a grid.

    Attributes
    ----------
    x, height : numpy.ndarray, shape (n,)
        Integrates to one.
    """

    x: np.ndarray
    height: np.ndarray


def density_of(
    draws: np.ndarray, low: float = -np.inf, high: float = np.inf, widen: float = 1.0
) -> Density | None:
    """Gaussian kernel density, reflected at the bounds of the support.

    Parameters
    ----------
    draws : numpy.ndarray, shape (n,)
    low, high : float
        Bounds of the support.
    widen : float
        Factor for the bandwidth, which is Silverman's robust one.

    Returns
    -------
    Density or None
        None for constants and for discrete draws.

    References
    ----------
    Silverman (1986), Density Estimation for Statistics and Data Analysis, sections 2.10 and 3.4.
    """
    n = len(draws)
    sd = float(np.std(draws))
    if not np.isfinite(sd) or sd == 0.0 or len(np.unique(draws[:4096])) < min(_DISCRETE, n):
        return None
    quartiles = np.quantile(draws, [0.25, 0.75])
    robust = min(sd, float(np.diff(quartiles)[0]) / 1.349) or sd
    width = 0.9 * robust * n**-0.2 * widen
    # Far tails of heavy laws would take the whole grid: it ends where next to nothing is left.
    ends = np.quantile(draws, [0.0005, 0.9995])
    reach = 12.0 * (quartiles[1] - quartiles[0])
    first = max(ends[0] - 4 * width, quartiles[0] - reach, low)
    last = min(ends[1] + 4 * width, quartiles[1] + reach, high)
    if not first < last:
        return None
    count = int(np.clip(np.ceil((last - first) / width * 4), GRID, 8192))
    x = np.linspace(first, last, count)
    step = x[1] - x[0]
    edges = np.concatenate([x - 0.5 * step, [x[-1] + 0.5 * step]])
    margin = int(np.ceil(4 * width / step))
    kernel = np.exp(-0.5 * (np.arange(-margin, margin + 1) * step / width) ** 2)
    kernel /= kernel.sum() * step * n
    height = np.convolve(np.histogram(draws, edges)[0], kernel, mode="same")
    for bound, near in ((low, draws - low), (high, high - draws)):
        if np.isfinite(bound):
            mirrored = 2.0 * bound - draws[near < 5 * width]
            if len(mirrored):
                distance = (x[:, None] - mirrored[None, :]) / width
                height += np.exp(-0.5 * distance**2).sum(axis=1) / (width * n * np.sqrt(2 * np.pi))
    height /= _integral(x, height)
    return Density(x, height)


def overlap_with_normal(density: Density | None, mean: float, sd: float) -> float:
    """Area that a density shares with a normal one.

    Parameters
    ----------
    density : Density or None
    mean, sd : float

    Returns
    -------
    float
        Between 0 (nothing in common) and 1 (the same); nan where one of them is missing.
    """
    if density is None or not (np.isfinite(mean) and np.isfinite(sd)) or sd <= 0.0:
        return float("nan")
    # On the grid of whichever is narrower, so that a spike between two places is not lost.
    x = np.union1d(density.x, np.linspace(mean - 6 * sd, mean + 6 * sd, GRID))
    height = np.interp(x, density.x, density.height, left=0.0, right=0.0)
    normal = np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * np.sqrt(2.0 * np.pi))
    return float(min(_integral(x, np.minimum(height, normal)), 1.0))


def modes_of(draws: np.ndarray, low: float, high: float) -> int:
    """Number of modes that stand apart.

    Parameters
    ----------
    draws : numpy.ndarray, shape (n,)
    low, high : float
        Bounds of the support.

    Returns
    -------
    int
        Maxima of a density with one and a half times Silverman's bandwidth, between which it
        falls to 70% of the lower one and which hold 5% of the draws each; 0 where there is no
        density.

    Notes
    -----
    Rough on purpose: it finds modes that a picture shows, and no ripples.
    """
    density = density_of(draws, low, high, widen=1.5)
    if density is None:
        return 0
    height, x = density.height, density.x
    inner = np.flatnonzero((height[1:-1] >= height[:-2]) & (height[1:-1] > height[2:])) + 1
    peaks = [int(each) for each in inner]
    if height[0] > height[1]:
        peaks.insert(0, 0)
    if height[-1] > height[-2]:
        peaks.append(len(height) - 1)
    cells = np.gradient(x) * height
    # The shallowest valley is filled until those that are left are deep enough.
    while len(peaks) > 1:
        valleys = [int(a + np.argmin(height[a : b + 1])) for a, b in pairwise(peaks)]
        ends = [0, *valleys, len(height)]
        masses = [cells[a:b].sum() for a, b in pairwise(ends)]
        depth = [
            height[v] / min(height[a], height[b])
            for v, a, b in zip(valleys, peaks, peaks[1:], strict=False)
        ]
        light = int(np.argmin(masses))
        if masses[light] < _MASS:
            peaks.pop(light)
            continue
        shallow = int(np.argmax(depth))
        if depth[shallow] <= _VALLEY:
            break
        a, b = peaks[shallow], peaks[shallow + 1]
        peaks.remove(a if height[a] < height[b] else b)
    return len(peaks)


def _integral(x: np.ndarray, height: np.ndarray) -> float:
    return float(np.sum(0.5 * (height[1:] + height[:-1]) * np.diff(x)))
