"""Texts of errors about derived quantities, hypotheses and comparisons of fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

from pymle.errors.words import listing


class HypothesisTexts:
    """Constructors that `AnalysisError` inherits."""

    @classmethod
    def _make(cls, text: str) -> Any:
        return cls(text)  # type: ignore[call-arg]

    @classmethod
    def observed_quantity(cls, name: str) -> Self:
        """An observed variable in the place of a function of the parameters.

        Parameters
        ----------
        name : str

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            f"`{name}` is observed: it is data, and no function of the parameters. Its mean and "
            "new observations of it are predictions (`fit.predict`); a function of its parameters "
            "can be written out, or declared as a pm.Deterministic."
        )

    @classmethod
    def function_failed(cls, name: str, said: str, names: Sequence[str]) -> Self:
        """A user's function raised.

        Parameters
        ----------
        name : str
        said : str
            The exception.
        names : sequence of str
            What the point holds.

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            f"`{name}` failed at or near the estimate: {said}. It is called with one argument, a "
            f"dict of natural-scale arrays with the keys {listing(names, 20)}."
        )

    @classmethod
    def function_result(cls, name: str, seen: str) -> Self:
        """A user's function returned no array of numbers.

        Parameters
        ----------
        name : str
        seen : str

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            f"`{name}` returned {seen}: expected a real number or an array of real numbers. "
            "Several quantities of different shapes go in as a dict of functions."
        )

    @classmethod
    def no_deterministics(cls) -> Self:
        """All Deterministics were asked for, and there are none.

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            "The model has no pm.Deterministic that depends on estimated parameters alone: name "
            'an expression, such as `fit.derived("exp(a) * b")`, or pass a function.'
        )

    @classmethod
    def no_draws(cls, why: str) -> Self:
        """Asymptotic draws from a covariance that is not there.

        Parameters
        ----------
        why : str

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            f"There is no normal distribution to draw parameters from ({why}): some have no "
            "standard error. See `fit.verdict`."
        )

    @classmethod
    def constant_hypothesis(cls, text: str) -> Self:
        """A hypothesis that moves with no estimated parameter.

        Parameters
        ----------
        text : str

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            f'"{text}" holds or fails whatever the data say: no estimated parameter is in it '
            "(what `fixed=` or `constraints=` hold does not count)."
        )

    @classmethod
    def contradictory(cls, texts: Iterable[str]) -> Self:
        """Hypotheses of which one excludes another.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            "These hypotheses contradict each other, or contradict what always holds between the "
            f"parameters: {'; '.join(texts)}. The same combination of parameters is set equal to "
            "different values."
        )

    @classmethod
    def edge_hypothesis(cls, text: str, value: float, low: float, high: float) -> Self:
        """A Wald test of a value on the edge of a range, or beyond.

        Parameters
        ----------
        text : str
        value, low, high : float

        Returns
        -------
        AnalysisError
        """
        where = "on the edge of" if value in (low, high) else "outside of"
        return cls._make(
            f'"{text}": {value:g} lies {where} the range [{low:g}, {high:g}] of that quantity, '
            "where an estimate is not normal around it. Compare with a fit under the hypothesis: "
            "`fit.lr_test(pymle.find_MLE(model, fixed={...}))`, which uses the chi-bar-squared "
            "distribution there."
        )

    @classmethod
    def no_standard_error(cls, texts: Iterable[str], why: str) -> Self:
        """A test that would need a standard error that does not exist.

        Parameters
        ----------
        texts : iterable of str
        why : str

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            f"{'; '.join(texts)}: there is no standard error for it, and so no Wald test. {why}"
        )

    @classmethod
    def not_comparable(cls, why: str) -> Self:
        """Fits whose likelihoods are not those of the same data.

        Parameters
        ----------
        why : str

        Returns
        -------
        AnalysisError
        """
        return cls._make(f"These fits cannot be compared: {why}")

    @classmethod
    def not_nested(cls, why: str) -> Self:
        """Fits of which neither is a special case of the other, as far as can be seen.

        Parameters
        ----------
        why : str

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            f"No likelihood-ratio test: {why} `pymle.compare` ranks models that are not nested."
        )

    @classmethod
    def test_needs_certificate(cls, which: str, verdict: str) -> Self:
        """A test from a fit that is no certified maximum.

        Parameters
        ----------
        which : str
        verdict : str

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            f"{which} is not certified as a maximum, and a test needs one ({verdict}) See "
            "`fit.verdict` for what to do about it."
        )

    @classmethod
    def wrong_order(cls, small: str, large: str, below: float, above: float) -> Self:
        """A larger model with a lower likelihood.

        Parameters
        ----------
        small, large : str
        below, above : float
            Their log-likelihoods.

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            f"{large} has more parameters and a lower log-likelihood ({above:.6f}) than {small} "
            f"({below:.6f}): it did not reach its maximum, or the models are not nested. Fit it "
            "again from the estimate of the smaller model (`start=`), or with more starts "
            "(`n_starts=`)."
        )

    @classmethod
    def edge_derivatives(cls, names: Iterable[str], why: str) -> Self:
        """No derivatives at the edge of a support.

        Parameters
        ----------
        names : iterable of str
        why : str

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            f"The null hypothesis has {listing(names)} on the edge of its support, and derivatives "
            f"there cannot be computed: {why}. A parametric bootstrap of the likelihood ratio "
            "needs none."
        )

    @classmethod
    def vanishes(cls, names: Iterable[str]) -> Self:
        """An information at the null hypothesis that is not positive definite.

        Parameters
        ----------
        names : iterable of str

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            f"Under the null hypothesis the information about {listing(names)} is not positive "
            "definite: a parameter drops out of the model there (the mean of a mixture component "
            "of weight zero), or these data are far from the null hypothesis. No chi-squared "
            "distribution follows; a parametric bootstrap of the likelihood ratio is valid."
        )

    @classmethod
    def nothing_held(cls) -> Self:
        """A score test of a fit that holds nothing fixed.

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            "A score test asks whether values that a fit holds are the true ones, and this fit "
            'holds none. Fit under the null hypothesis: `pymle.find_MLE(model, fixed={"beta[x3]": '
            "0}).score_test()`."
        )

    @classmethod
    def inequality_score(cls, texts: Iterable[str]) -> Self:
        """A score test of inequalities.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            f"A score test of inequalities ({', '.join(texts)}) is not available. Compare the fits "
            "with and without them: `fit.lr_test(other)`, which uses the chi-bar-squared "
            "distribution."
        )

    @classmethod
    def not_a_fit(cls, seen: object) -> Self:
        """Something else in the place of a fit.

        Parameters
        ----------
        seen : object

        Returns
        -------
        AnalysisError
        """
        return cls._make(
            f"{seen!r} is no fit: expected what `pymle.find_MLE` or `pymle.compile(...).fit` "
            "returns."
        )
