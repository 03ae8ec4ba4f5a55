"""The environment behind OpenEnv's own server, spoken to by OpenEnv's own client; the judge is the real one."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
import yaml
from openenv.core.generic_client import GenericEnvClient
from qdkernel_openenv import app

from qdkernel.problems import find_problem

CONFIG = """
problem: dgemm
sizes: [48]
threads: 1
workers: 1
budget: {minutes: 1}
timing: {budget_s: 0.02, rounds_min: 2, rounds_max: 3, disturbed: 1000}
stage_order: advance
stages:
  - {name: serial, permits: {threading: [serial]}, until: {evaluations: 10}}
  - {name: everything}
"""
KERNEL = find_problem("dgemm").seed_source(find_problem("dgemm").seeds[0])
THREADED = KERNEL.replace("for (int i", "#pragma omp parallel for\n    for (int i", 1)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    tasks = tmp_path_factory.mktemp("tasks") / "tasks.yaml"
    tasks.write_text(CONFIG)
    served = app.kernel_app(str(tasks), str(tasks), num_tasks=4, turns=2)
    server = uvicorn.Server(uvicorn.Config(served, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.05)
        assert thread.is_alive(), "the server did not start"
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def fenced(source: str) -> dict[str, str]:
    return {"completion": f"```c\n{source}\n```"}


def ask(url: str, path: str, body: object) -> object:
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=60))


def test_an_episode_gives_the_prompt_then_verdicts_and_ends_after_its_turns(url: str) -> None:
    with GenericEnvClient(base_url=url).sync() as client:
        begun = client.reset(index=0)
        assert begun.observation["stage"] == "serial"
        assert [message["role"] for message in begun.observation["prompt"]] == ["system", "user"]
        first = client.step(fenced("int no_kernel;"))
        assert (first.reward, first.done, first.observation["ending"]) == (0.0, False, "no_kernel")
        second = client.step(fenced(KERNEL))
        assert (second.done, second.observation["ending"], second.observation["turn"]) == (True, "ok", 2)
        assert 0.3 <= second.reward <= 1.0
        assert "times the baseline" in second.observation["feedback"]


def test_a_stage_is_enforced_by_measurement(url: str) -> None:
    with GenericEnvClient(base_url=url).sync() as client:
        client.reset(index=0)
        found = client.step(fenced(THREADED))
        assert (found.reward, found.observation["ending"]) == (0.1, "outside_stage")


def test_tasks_are_listed_as_the_task_api_asks(url: str) -> None:
    assert ask(url, "/qdkernel/num_tasks", {"split": "train"}) == {"num_tasks": 4}
    found = ask(url, "/qdkernel/task", {"split": "train", "index": 3})
    assert found["task"]["stage"] == "everything"


def test_the_manifest_names_the_server() -> None:
    manifest = yaml.safe_load((Path(__file__).parents[1] / "openenv.yaml").read_text())
    assert (manifest["app"], manifest["validation"]["reward"]["range"]) == ("qdkernel_openenv.app:app", [0.0, 1.0])
