from __future__ import annotations

import re

import numpy as np
import pytest

from qdkernel.config import AGENT, config_schema
from qdkernel.errors import UnknownName
from qdkernel.mutators import BUILT_IN, MODEL_OPERATORS, MUTATORS, OPERATORS, names_in_words
from qdkernel.mutators.contract import by_name
from qdkernel.mutators.llm.prompts import compose
from tests.mutators.briefs import prompt_brief


def test_every_operator_is_built_in_or_needs_a_model_or_is_the_agent() -> None:
    assert {name for name, operator in OPERATORS.items() if operator.kind == "built-in"} == set(MUTATORS)
    assert {name for name, operator in OPERATORS.items() if operator.kind == "model"} == set(MODEL_OPERATORS)
    assert {name for name, operator in OPERATORS.items() if operator.kind == "agent"} == {AGENT}


def test_an_operator_is_created_under_the_name_it_is_declared_with() -> None:
    assert {name: create().name for name, create in MUTATORS.items()} == {name: name for name in MUTATORS}


def test_proposals_of_seeds_and_built_in_operators_come_from_no_model() -> None:
    assert {"seed", *MUTATORS} == BUILT_IN
    assert not BUILT_IN & set(MODEL_OPERATORS)


def test_a_name_is_declared_once() -> None:
    tune = OPERATORS["tune"]
    with pytest.raises(ValueError, match="expected each operator once, got a second 'tune'; give it another name"):
        by_name([tune, tune])


def test_an_unknown_model_operator_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=re.escape("no model operator 'edti'; did you mean 'edit'?")):
        compose("edti", prompt_brief(), (), 1, np.random.default_rng(0))


def test_the_schema_of_configurations_lists_every_operator_with_its_help() -> None:
    described = config_schema()["$defs"]["MutatorConfig"]["properties"]["name"]["description"]
    assert described == f"The operator: {names_in_words()}."
    assert all(f"{name} ({operator.help})" in described for name, operator in OPERATORS.items())
