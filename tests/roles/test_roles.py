"""Roles read off the graph: the table of constructions, overrides, and stability."""

import numpy as np
import pymc as pm
import pytest

import pymle
from tests.roles import models


def role_in(roles, name):
    """The role as the table shows it."""
    return roles.to_frame().loc[name, "role"]


@pytest.mark.parametrize("name", list(models.CASES))
def test_table_of_constructions(name):
    _, expected = models.CASES[name]
    found = pymle.roles(models.model_of(name))
    assert {v: role_in(found, v) for v in expected} == expected


@pytest.mark.parametrize("name", list(models.CASES))
def test_every_named_variable_has_a_role_with_a_reason(name):
    model = models.model_of(name)
    found = pymle.roles(model)
    table = found.to_frame()
    assert set(table.index) >= set(model.named_vars)
    assert (table["reason"].str.len() > 0).all()
    for variable in table.index:
        assert variable in repr(found)
        assert variable in found._repr_html_()


def test_inside_the_model_block():
    with pm.Model():
        pm.Normal("y", pm.Normal("mu", 0, 1), 1.0, observed=models.Y)
        assert pymle.roles()["mu"].role == "parameter"


def test_overrides():
    model = models.model_of("non_centred_with_dims")
    assert pymle.roles(model, parameters=["z"])["z"].role == "parameter"
    assert pymle.roles(model, random=[])["z"].role == "parameter"
    assert "random=[]" in pymle.roles(model, random=[])["z"].reason
    declared = pymle.roles(model, random=["mu"])
    assert declared["mu"].role == "random effect"
    assert declared["z"].role == "random effect"
    assert "random=" in declared["mu"].reason


@pytest.mark.parametrize("argument", ["parameters", "random"])
def test_a_single_name_may_be_a_string(argument):
    model = models.model_of("rasch_abilities")
    found = pymle.roles(model, **{argument: "ability"})
    assert found["ability"].role == {"parameters": "parameter", "random": "random effect"}[argument]
    assert not found.ambiguous


def test_ambiguous_stops_with_both_calls_printed():
    model = models.model_of("standard_group_intercepts_few_rows")
    with pytest.raises(pymle.ModelError) as error:
        pymle.find_MLE(model)
    text = str(error.value)
    assert "`alpha`" in text
    assert 'random=["alpha"]' in text
    assert 'parameters=["alpha"]' in text
    assert "median of 3" in text


def test_many_rows_per_entry_is_a_parameter_with_a_notice():
    found = pymle.roles(models.model_of("standard_group_intercepts_many_rows"))
    assert not found.ambiguous
    assert any("`alpha`" in n and "median of 12" in n for n in found.notices)


def test_wide_priors_and_design_matrices_say_nothing():
    for name in ("wide_group_intercepts", "coefficients_of_a_design_matrix", "network_weights"):
        assert pymle.roles(models.model_of(name)).notices == ()


@pytest.mark.parametrize("fixed", [{}, {"tau": 2.0}, {"mu": 0.0}])
def test_roles_do_not_change_with_fixed(fixed):
    """Fixing the scale does not turn a random effect into a parameter."""
    for name, effect in (("centred", "theta"), ("non_centred_with_dims", "z")):
        likelihood = pymle.compile(models.model_of(name), fixed=fixed)
        assert likelihood.roles.names("random effect") == (effect,)


def test_fixed_leaves_the_roles_of_a_fit_alone():
    model = models.model_of("coefficients_of_a_design_matrix")
    free = pymle.find_MLE(model)
    held = pymle.find_MLE(model, fixed={"sigma": 1.0, "beta[x2]": 0.0})
    assert repr(free.roles) == repr(held.roles) == repr(pymle.roles(model))


def test_penalty_is_named_with_the_way_to_drop_it():
    model = models.model_of("potential_as_a_penalty")
    found = pymle.roles(model)
    assert "penalty" in found["bump"].reason
    assert any('potentials={"bump": "prior"}' in n for n in found.notices)
    dropped = pymle.roles(model, potentials={"bump": "prior"})
    assert dropped["bump"].role == "prior"
    assert dropped.notices == ()
    kept = pymle.roles(model, potentials={"bump": "likelihood"})
    assert kept["bump"].role == "potential"
    assert kept.notices == ()


@pytest.mark.parametrize(
    "name", ["potential_as_the_likelihood", "potential_with_data_beside_an_observed_variable"]
)
def test_a_potential_with_data_is_likelihood_without_a_notice(name):
    found = pymle.roles(models.model_of(name))
    assert found.notices == ()


def test_uniform_with_a_free_bound_is_noticed():
    found = pymle.roles(models.model_of("uniform_with_a_free_bound"))
    assert any("`u`" in n and "theta" in n for n in found.notices)


def test_unused_is_noticed_and_not_counted():
    model = models.model_of("a_variable_that_reaches_nothing")
    with pytest.warns(pymle.Notice, match="`idle` does not reach the likelihood"):
        fit = pymle.find_MLE(model)
    assert fit.nparams == 1
    assert fit.verdict.ok
    assert "idle" not in fit.summary().index
    np.testing.assert_allclose(fit.params["mu"], models.Y.mean(), rtol=1e-12)


def test_dropping_a_potential_can_leave_a_variable_unused():
    with pm.Model() as model:
        mu, other = pm.Normal("mu", 0, 1), pm.Normal("other", 0, 1)
        pm.Potential("tie", -0.5 * (other - mu) ** 2)
        pm.Normal("y", mu, 1.0, observed=models.Y)
    assert pymle.roles(model)["other"].role == "parameter"
    assert pymle.roles(model, potentials={"tie": "prior"})["other"].role == "unused"


def test_scale_of_an_integrated_variable_is_used():
    """tau reaches the data only through the law of theta: it is a parameter, not unused."""
    assert pymle.roles(models.model_of("centred"))["tau"].role == "parameter"


@pytest.mark.parametrize("argument", ["parameters", "random", "potentials"])
def test_unknown_names_suggest_the_nearest(argument):
    model = models.model_of("potential_as_a_penalty")
    given = {"bum": "prior"} if argument == "potentials" else ["nu"]
    nearest = "bump" if argument == "potentials" else "mu"
    with pytest.raises(pymle.PointError, match=f"{argument}.*Did you mean `{nearest}`"):
        pymle.roles(model, **{argument: given})


def test_a_potential_choice_outside_the_list():
    with pytest.raises(pymle.ModelError, match="`bump` = 'drop'; expected \"prior\""):
        pymle.roles(models.model_of("potential_as_a_penalty"), potentials={"bump": "drop"})


def test_unknown_entry_of_the_table():
    found = pymle.roles(models.model_of("centred"))
    with pytest.raises(pymle.PointError, match="Did you mean `theta`"):
        found["thet"]


def test_no_model_at_all():
    with pytest.raises(pymle.ModelError, match="No model"):
        pymle.roles()
    with pytest.raises(pymle.ModelError, match=r"must be a pymc\.Model, seen dict"):
        pymle.roles({})
