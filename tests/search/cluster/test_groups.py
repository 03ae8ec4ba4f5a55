from __future__ import annotations

import pickle

from qdkernel.config import BudgetConfig
from qdkernel.core import Kernel
from qdkernel.evaluators.pipeline import CompileSpec, EvaluationSpec, EvaluationTask
from qdkernel.search import share_of_budget
from qdkernel.search.cluster.groups import _secrets, plain_config
from qdkernel.search.cluster.node import NodeSpec, NodeTask
from tests.search.offline import configured

TASK = EvaluationTask(EvaluationSpec("dgemm", "", CompileSpec("gcc", ())), Kernel("void dgemm(void);"))
MODEL = {"name": "m", "base_url": "http://localhost:1/v1", "model": "some-model", "api_key_env": "SECRET_OF_MINE"}


def test_the_shares_of_a_budget_never_exceed_it() -> None:
    budget = BudgetConfig(evaluations=10, minutes=3.0, tokens=1000, usd=1.0)
    shares = [share_of_budget(budget, part, 7) for part in (2, 2, 3)]
    assert [share.evaluations for share in shares] == [2, 2, 4]
    assert sum(share.tokens or 0 for share in shares) <= 1000
    assert sum(share.usd or 0.0 for share in shares) <= 1.0
    assert {share.minutes for share in shares} == {3.0}
    assert {share.requests for share in shares} == {None}


def test_nothing_of_a_model_travels_to_a_node() -> None:
    config = configured(1, models=[MODEL])
    sent = pickle.dumps(NodeTask(NodeSpec(plain_config(config), "class"), TASK))
    assert b"SECRET_OF_MINE" not in sent
    assert b"some-model" not in sent
    assert _secrets(config) == ["OPENAI_API_KEY", "QDKERNEL_API_KEY", "SECRET_OF_MINE"]
