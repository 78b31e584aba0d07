"""Second-order forward differentiation in NumPy: exact derivatives for the test problems."""

from __future__ import annotations

import numpy as np


def _outer(a, b):
    return a[..., :, None] * b[..., None, :]


class Jet:
    """An array with its gradient and Hessian with respect to k coordinates."""

    __array_ufunc__ = None

    def __init__(self, v, g, h):
        self.v, self.g, self.h = v, g, h

    def _lift(self, other):
        if isinstance(other, Jet):
            return other
        v, k = np.asarray(other, dtype=float), self.g.shape[-1]
        return Jet(v, np.zeros((*v.shape, k)), np.zeros((*v.shape, k, k)))

    def apply(self, v, d1, d2):
        d1, d2 = np.asarray(d1), np.asarray(d2)
        return Jet(
            v,
            d1[..., None] * self.g,
            d1[..., None, None] * self.h + d2[..., None, None] * _outer(self.g, self.g),
        )

    def __add__(self, other):
        other = self._lift(other)
        return Jet(self.v + other.v, self.g + other.g, self.h + other.h)

    def __mul__(self, other):
        a, b = self, self._lift(other)
        cross = _outer(a.g, b.g) + _outer(b.g, a.g)
        return Jet(
            a.v * b.v,
            a.v[..., None] * b.g + b.v[..., None] * a.g,
            a.v[..., None, None] * b.h + b.v[..., None, None] * a.h + cross,
        )

    def __pow__(self, p):
        if p == 1:
            return self
        square = p * (p - 1) * self.v ** (p - 2) if p != 2 else 2.0 * np.ones_like(self.v)
        return self.apply(self.v**p, p * self.v ** (p - 1), square)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -1.0 * self._lift(other)

    def __rsub__(self, other):
        return self._lift(other) - self

    def __truediv__(self, other):
        return self * self._lift(other) ** -1

    def __rtruediv__(self, other):
        return self._lift(other) * self**-1

    def __getitem__(self, i):
        return Jet(self.v[i], self.g[i], self.h[i])

    def sum(self):
        axes = tuple(range(self.v.ndim))
        return Jet(self.v.sum(), self.g.sum(axis=axes), self.h.sum(axis=axes))


def exp(a):
    e = np.exp(a.v)
    return a.apply(e, e, e)


def log(a):
    return a.apply(np.log(a.v), 1.0 / a.v, -1.0 / a.v**2)


def log1pexp(a):
    p = 0.5 * (1.0 + np.tanh(0.5 * a.v))
    q = 0.5 * (1.0 - np.tanh(0.5 * a.v))
    return a.apply(np.logaddexp(0.0, a.v), p, p * q)


def squares(*residuals):
    """Minus the sum of squares of several residuals."""
    total = None
    for r in residuals:
        term = -1.0 * (r * r).sum()
        total = term if total is None else total + term
    return total


class Problem:
    """An objective from a function of a Jet of coordinates."""

    has_score = True
    has_hessian = True

    def __init__(self, function, size):
        self.function, self.size = function, size

    def _jet(self, x):
        x = np.asarray(x, dtype=float)
        k = self.size
        return self.function(Jet(x.copy(), np.eye(k), np.zeros((k, k, k))))

    def value(self, x):
        return float(self._jet(x).v)

    def value_and_score(self, x):
        jet = self._jet(x)
        return float(jet.v), jet.g

    def hessian(self, x):
        return self._jet(x).h

    def hessian_product(self, x, v):
        return self._jet(x).h @ v

    def values(self, X):
        return np.array([self.value(x) for x in X])


class Mapped(Problem):
    """The same log-likelihood as a function of z, with x = offset + matrix @ z."""

    def __init__(self, base, matrix, offset=None):
        self.base, self.matrix, self.size = base, np.asarray(matrix, dtype=float), base.size
        self.offset = np.zeros(base.size) if offset is None else np.asarray(offset, dtype=float)

    def _jet(self, z):
        jet = self.base._jet(self.offset + self.matrix @ z)
        return Jet(jet.v, self.matrix.T @ jet.g, self.matrix.T @ jet.h @ self.matrix)
