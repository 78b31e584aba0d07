"""Forty people answer twelve questions: crossed effects, and abilities that need a declaration.

Simulated. People and questions are both samples of a population: two crossed random effects. In the
two-parameter model the questions are parameters, and the abilities, standard normal by
assumption, are recognised because discriminations scale them.

    python examples/item_response.py [picture.png]
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pymc as pm

import pymle

PICTURE = Path(__file__).parent / "pictures" / "item_response.png"

PEOPLE, QUESTIONS = 40, 12
rng = np.random.default_rng(8)
ABILITY = rng.normal(size=PEOPLE)
DIFFICULTY = rng.normal(scale=0.8, size=QUESTIONS)
person, question = (i.ravel() for i in np.indices((PEOPLE, QUESTIONS)))
RIGHT = rng.uniform(size=len(person)) < 1 / (1 + np.exp(DIFFICULTY[question] - ABILITY[person]))


def crossed() -> pm.Model:
    """People and questions as two crossed samples."""
    coords = {"person": range(PEOPLE), "question": [f"Q{i + 1}" for i in range(QUESTIONS)]}
    with pm.Model(coords=coords) as model:
        level = pm.Normal("level", 0, 2)
        ability = pm.Normal("ability", 0, pm.HalfNormal("sd_person", 1), dims="person")
        difficulty = pm.Normal("difficulty", 0, pm.HalfNormal("sd_question", 1), dims="question")
        eta = level + ability[person] - difficulty[question]
        pm.Bernoulli("right", logit_p=eta, observed=RIGHT)
    return model


def rasch() -> pm.Model:
    """Abilities standard normal, a difficulty for each question."""
    coords = {"person": range(PEOPLE), "question": [f"Q{i + 1}" for i in range(QUESTIONS)]}
    with pm.Model(coords=coords) as model:
        ability = pm.Normal("ability", 0, 1, dims="person")
        difficulty = pm.Normal("difficulty", 0, 2, dims="question")
        pm.Bernoulli("right", logit_p=ability[person] - difficulty[question], observed=RIGHT)
    return model


def main(picture: Path | str = PICTURE) -> dict[str, Any]:
    """Fit both models, print them, and draw the questions."""
    fit = pymle.find_MLE(crossed(), progressbar=False)
    print(fit, "\n")
    model = rasch()
    print(pymle.roles(model), "\n")
    declared = pymle.find_MLE(model, random=["ability"], progressbar=False)
    print(declared, "\n")

    estimated = declared.summary(var_names=["difficulty"])
    predicted = fit.derived("difficulty - level").table
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.plot(estimated["estimate"], predicted["estimate"], "o")
    left.axline((0, 0), slope=1, color="0.6", linestyle=":")
    left.set(xlabel="difficulty as a parameter", ylabel="difficulty predicted, drawn together")
    fit.random_effects().plot("difficulty", ax=right)
    figure.tight_layout()
    figure.savefig(picture, dpi=120)
    plt.close(figure)
    return {"crossed": fit, "rasch": declared, "estimated": estimated, "predicted": predicted}


if __name__ == "__main__":
    main(*sys.argv[1:])
