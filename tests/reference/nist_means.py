"""Mean functions of the 27 NIST StRD nonlinear regression problems.

Each takes a namespace ``m`` (``exp``, ``cos``, ``sin``, ``arctan``, ``pi``), the predictors and
the parameters in NIST's order, so that PyTensor builds the models from them and mpmath the
observed information (``nist_observed.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Mean = Callable[..., Any]


def misra1a(m, x, b1, b2):
    return b1 * (1 - m.exp(-b2 * x))


def misra1b(m, x, b1, b2):
    return b1 * (1 - (1 + b2 * x / 2) ** (-2))


def misra1c(m, x, b1, b2):
    return b1 * (1 - (1 + 2 * b2 * x) ** (-0.5))


def misra1d(m, x, b1, b2):
    return b1 * b2 * x * ((1 + b2 * x) ** (-1))


def chwirut(m, x, b1, b2, b3):
    return m.exp(-b1 * x) / (b2 + b3 * x)


def lanczos(m, x, b1, b2, b3, b4, b5, b6):
    return b1 * m.exp(-b2 * x) + b3 * m.exp(-b4 * x) + b5 * m.exp(-b6 * x)


def gauss(m, x, b1, b2, b3, b4, b5, b6, b7, b8):
    first = b3 * m.exp(-((x - b4) ** 2) / b5**2)
    second = b6 * m.exp(-((x - b7) ** 2) / b8**2)
    return b1 * m.exp(-b2 * x) + first + second


def danwood(m, x, b1, b2):
    return b1 * x**b2


def kirby2(m, x, b1, b2, b3, b4, b5):
    return (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2)


def cubic_ratio(m, x, b1, b2, b3, b4, b5, b6, b7):
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


def nelson(m, x1, x2, b1, b2, b3):
    return b1 - b2 * x1 * m.exp(-b3 * x2)


def mgh17(m, x, b1, b2, b3, b4, b5):
    return b1 + b2 * m.exp(-x * b4) + b3 * m.exp(-x * b5)


def mgh09(m, x, b1, b2, b3, b4):
    return b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4)


def mgh10(m, x, b1, b2, b3):
    return b1 * m.exp(b2 / (x + b3))


def roszman1(m, x, b1, b2, b3, b4):
    return b1 - b2 * x - m.arctan(b3 / (x - b4)) / m.pi


def enso(m, x, b1, b2, b3, b4, b5, b6, b7, b8, b9):
    def cycle(period, cosine, sine):
        angle = 2 * m.pi * x / period
        return cosine * m.cos(angle) + sine * m.sin(angle)

    return b1 + cycle(12, b2, b3) + cycle(b4, b5, b6) + cycle(b7, b8, b9)


def boxbod(m, x, b1, b2):
    return b1 * (1 - m.exp(-b2 * x))


def rat42(m, x, b1, b2, b3):
    return b1 / (1 + m.exp(b2 - b3 * x))


def rat43(m, x, b1, b2, b3, b4):
    return b1 / ((1 + m.exp(b2 - b3 * x)) ** (1 / b4))


def eckerle4(m, x, b1, b2, b3):
    return (b1 / b2) * m.exp(-0.5 * ((x - b3) / b2) ** 2)


def bennett5(m, x, b1, b2, b3):
    return b1 * (b2 + x) ** (-1 / b3)


MEANS: dict[str, Mean] = {
    "nist_misra1a": misra1a,
    "nist_misra1b": misra1b,
    "nist_misra1c": misra1c,
    "nist_misra1d": misra1d,
    "nist_chwirut1": chwirut,
    "nist_chwirut2": chwirut,
    "nist_lanczos1": lanczos,
    "nist_lanczos2": lanczos,
    "nist_lanczos3": lanczos,
    "nist_gauss1": gauss,
    "nist_gauss2": gauss,
    "nist_gauss3": gauss,
    "nist_danwood": danwood,
    "nist_kirby2": kirby2,
    "nist_hahn1": cubic_ratio,
    "nist_nelson": nelson,
    "nist_mgh17": mgh17,
    "nist_mgh09": mgh09,
    "nist_mgh10": mgh10,
    "nist_thurber": cubic_ratio,
    "nist_roszman1": roszman1,
    "nist_enso": enso,
    "nist_boxbod": boxbod,
    "nist_rat42": rat42,
    "nist_rat43": rat43,
    "nist_eckerle4": eckerle4,
    "nist_bennett5": bennett5,
}
