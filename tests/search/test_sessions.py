"""Requests to models: a real server on the loopback interface, the real session, and made-up evaluations."""

from __future__ import annotations

import threading
from pathlib import Path

from qdkernel.mutators.llm import Assignment, Expect
from qdkernel.runs import RunFolder
from tests.fake_runs import new_run
from tests.llm_server import ModelServer
from tests.model_runs import kernel, reply
from tests.search.offline import configured, search

PARALLEL = 4


def asked(run: Path) -> list[Assignment]:
    """What models were asked for a kernel or a plan, in order."""
    with RunFolder.open(run) as folder:
        assignments = [conversation.assignment for conversation in folder.conversations.all()]
    return [assignment for assignment in assignments if assignment.expects is not Expect.TEXT]


def test_parallel_requests_differ_in_parent_or_target_and_no_two_prompts_are_the_same(tmp_path: Path) -> None:
    together = threading.Barrier(PARALLEL)

    def script(body: object, number: int) -> str:
        if number < PARALLEL:
            together.wait(timeout=20)  # the first requests are under way at once
        return reply(kernel(number % 15 + 2).replace("sum", f"sum{number}"), f"idea {number}")

    with ModelServer(script) as server, new_run(tmp_path) as folder:
        model = {"name": "m", "model": "m", "base_url": server.base_url, "parallel": PARALLEL}
        mutators = [{"name": name} for name in ("edit", "rewrite", "cross")]
        config = configured(24, models=[model], mutators=mutators, llm={"repairs": 0, "sweep": 0})
        with search(config, folder) as run:
            run.evolution.run()
        path = folder.path
    assignments = asked(path)
    first = [(assignment.parents[:1], assignment.target) for assignment in assignments[:PARALLEL]]
    assert len(set(first)) == PARALLEL
    assert "Being written at the same time" in assignments[1].messages[-1].content
    prompts = {tuple(message.content for message in assignment.messages) for assignment in assignments}
    assert len(prompts) == len(assignments) >= 20
