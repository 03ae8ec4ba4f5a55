"""A real service, asked over real HTTP the way trainers and the client ask."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
from typing import Any

import pytest

from qdkernel.errors import QdkernelError, UnknownName
from qdkernel.rewards import Ending, RemoteJudge, Reward, Submission
from tests.rewards.kernels import broken, fast, plain, renamed, threaded, wrong
from tests.serve.service import TOKEN, Served, batch, fenced, wait_done

pytestmark = pytest.mark.slow


def test_a_batch_is_judged_at_once_with_scores_and_raw_values(served: Served) -> None:
    status, found, headers = served.ask(
        "POST", "/v1/judge", batch([fast(), wrong(), broken()], problem="dgemm"), {"X-Request-ID": "step-17"}
    )
    assert status == 200
    good, bad, worse = found["results"]
    assert good["ending"] == "ok"
    assert good["score"] > 0.3
    assert good["gflops"] > 0
    assert [bad["score"], worse["score"]] == [0.2, 0.08]
    assert headers["x-request-id"] == "step-17"


def test_a_job_has_an_id_a_place_in_the_queue_and_a_result(served: Served) -> None:
    status, job, _ = served.ask("POST", "/v1/jobs", batch([plain(100), plain(101), renamed(plain(100))]))
    assert status == 202
    assert job["state"] == "pending"
    assert job["position"] >= 0
    assert job["expected_s"] > 0
    first, _, third = wait_done(served, job["id"])["verdicts"]
    assert third["duplicate_of"] == first["kernel_id"]
    assert served.ask("GET", f"/v1/jobs/{job['id']}")[1]["verdicts"][0] == first
    assert served.ask("GET", "/v1/jobs/nonsense")[0] == 404


def test_a_deadline_that_passes_gives_the_job_instead(served: Served) -> None:
    sources = [plain(constant) for constant in range(110, 118)]
    status, job, _ = served.ask("POST", "/v1/judge", batch(sources, deadline_s=0.05))
    assert status == 202
    assert [verdict["ending"] for verdict in wait_done(served, job["id"])["verdicts"]] == ["ok"] * 8


def test_a_group_can_be_ranked_by_duels(served: Served) -> None:
    status, found, _ = served.ask("POST", "/v1/judge", batch([plain(118), fast()], duel=True, shape="rank"))
    assert status == 200
    assert [result["score"] for result in found["results"]] == [0.3, 1.0]
    assert found["results"][1]["relative"] == 1.0


def test_openrlhf_posts_query_prompts_and_labels(served: Served) -> None:
    prompt = f"<|im_start|>user\n{fenced(fast())}<|im_end|>\n<|im_start|>assistant\n"
    body = {"query": [f"{prompt}{fenced(wrong())}<|im_end|>"], "prompts": [prompt], "labels": [None]}
    status, found, _ = served.ask("POST", "/openrlhf", body)
    assert (status, found["rewards"], found["scores"]) == (200, [0.2], [0.2])
    assert found["extra_logs"]["correct"] == [0.0]


def test_slime_posts_one_sample_and_reads_the_answer_as_the_reward(served: Served) -> None:
    body = {"prompt": "p", "response": fenced(threaded()), "label": json.dumps({"stage": "blocking"})}
    assert served.ask("POST", "/slime", body)[:2] == (200, 0.1)
    status, found, _ = served.ask("POST", "/slime/details", body)
    assert (status, found["score"], found["ending"]) == (200, 0.1, "outside_stage")


def test_nemo_gym_posts_its_row_and_reads_it_back_with_the_reward(served: Served) -> None:
    assert served.ask("POST", "/seed_session", {})[0] == 200
    row = {
        "responses_create_params": {"input": [{"role": "user", "content": "Write dgemm."}]},
        "verifier_metadata": {"stage": "threads", "row": 3},
        "response": {"output": [{"type": "message", "content": [{"type": "output_text", "text": fenced(threaded())}]}]},
    }
    status, found, _ = served.ask("POST", "/verify", row)
    assert status == 200
    assert {key: found[key] for key in row} == row
    assert found["reward"] > 0.3
    status, found, _ = served.ask("POST", "/verify", {"response": None})
    assert (status, found["detail"]) == (
        422,
        "expected response.output to be a list, as in an OpenAI Response object",
    )


def test_the_client_of_the_rewards_needs_only_the_address(served: Served) -> None:
    with Reward(served.url, "log", token=TOKEN) as reward:
        good, bad = reward.trl_reward(["p", "p"], [fenced(fast()), fenced(wrong())])
        assert good is not None
        assert good > -7
        assert bad == -8.0
        assert asyncio.run(reward.trl_reward_async(["p"], [fenced(wrong())])) == [-8.0]


def test_the_client_tells_a_refusal_with_the_services_words(served: Served) -> None:
    judge = RemoteJudge(served.url, TOKEN)
    with pytest.raises(QdkernelError, match=r"HTTP 422: no stage 'x'; \(known: blocking, everything, simd, threads\)"):
        judge.judge([Submission("c", stage="x")])
    with pytest.raises(QdkernelError, match=r"HTTP 401: .*set QDKERNEL_SERVE_TOKEN to the service's token") as caught:
        RemoteJudge(served.url, "wrong").judge([Submission("c")])
    assert not isinstance(caught.value, UnknownName)


@pytest.mark.parametrize(
    "header",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic !!!"}, {"Authorization": f"Digest {TOKEN}"}],
)
def test_without_the_token_nothing_is_told(served: Served, header: dict[str, str]) -> None:
    sent = {"Authorization": "", **header}
    for method, path in (("POST", "/v1/judge"), ("GET", "/metrics"), ("GET", "/openapi.json"), ("POST", "/slime")):
        status, found, headers = served.ask(method, path, {} if method == "POST" else None, sent)
        assert status == 401
        assert found == {"detail": "expected the service's token as 'Authorization: Bearer TOKEN'"}
        assert headers["www-authenticate"] == "Bearer"


def test_clients_that_only_take_an_address_send_the_token_as_a_password(served: Served) -> None:
    basic = base64.b64encode(f"any:{TOKEN}".encode()).decode()
    assert served.ask("POST", "/seed_session", {}, {"Authorization": f"Basic {basic}"})[0] == 200


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "JSON decode error"),
        (b"\xff\xfe", ""),
        (b"[]", "Input should be a valid dictionary"),
        ({"submissions": []}, "at least 1 item"),
        ({"submissions": [{"completion": "x"}] * 257}, "at most 256 items"),
        ({"submissions": [{"completion": 3}]}, "submissions.0.completion: Input should be a valid string"),
        ({"submissions": [{"completion": "\ud800"}]}, ""),
        ({"submissions": [{"completion": "x", "stage": "nope"}]}, "no stage 'nope'"),
        ({"submissions": [{"completion": "x"}], "problem": "jacobi2d"}, "this service judges dgemm"),
        ({"submissions": [{"completion": "x"}], "surprise": 1}, "Extra inputs are not permitted"),
    ],
)
def test_garbage_gets_one_clear_answer(served: Served, body: Any, told: str) -> None:
    status, found, _ = served.ask("POST", "/v1/jobs", body)
    assert status in (400, 422)
    assert told in found["detail"]
    assert served.ask("GET", "/healthz")[0] == 200


def test_an_oversize_body_is_refused_before_it_is_read(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as client:
        head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 99999999\r\n\r\n"
        client.sendall(head.encode())
        assert b"413" in client.recv(4096).split(b"\r\n")[0]
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as client:
        head = (
            f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        client.sendall(head.encode())
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        answer = b""
        try:
            for _ in range(10):
                client.sendall(chunk)
            answer = client.recv(4096)
        except ConnectionError:
            answer = b"HTTP/1.1 413"  # closed while the rest was being sent
        assert b"413" in answer.split(b"\r\n")[0]


def test_slow_clients_hold_up_nobody(served: Served) -> None:
    slow = [socket.create_connection(("127.0.0.1", served.port), timeout=20) for _ in range(50)]
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 1000\r\n\r\n{{"
    for client in slow:
        client.sendall(head.encode())
    assert served.ask("POST", "/v1/judge", batch([fast()]))[0] == 200
    for client in slow:
        client.close()


def test_a_full_queue_is_told_with_when_to_come_again(served: Served) -> None:
    jobs: list[str] = []
    status, found, headers = served.ask("GET", "/readyz")
    for start in range(200, 400, 20):
        status, found, headers = served.ask("POST", "/v1/jobs", batch([plain(start + i) for i in range(20)]))
        if status == 429:
            break
        jobs.append(found["id"])
    assert status == 429
    assert int(headers["retry-after"]) >= 1
    assert found["detail"] == f"the queue is full; try again in {headers['retry-after']} s"
    for job in jobs:
        assert len(wait_done(served, job)["verdicts"]) == 20


def test_the_client_waits_out_a_full_queue(served: Served) -> None:
    judge = RemoteJudge(served.url, TOKEN)
    found: list[Ending] = []

    def ask(start: int) -> None:
        sources = [plain(start + i) for i in range(16)]
        found.extend(verdict.ending for verdict in judge.judge([Submission(fenced(source)) for source in sources]))

    threads = [threading.Thread(target=ask, args=(start,)) for start in range(400, 480, 16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Ending.OK] * 80


def test_health_readiness_metrics_and_the_description(served: Served) -> None:
    assert served.ask("GET", "/healthz", headers={"Authorization": ""})[:2] == (200, {"status": "ok"})
    ready = served.ask("GET", "/readyz", headers={"Authorization": ""})[1]
    assert ready["status"] == "ready"
    assert ready["problem"] == "dgemm"
    status, text, _ = served.ask("GET", "/metrics")
    assert status == 200
    assert 'qdkernel_requests_total{route="/v1/judge",status="200"}' in text
    assert 'qdkernel_evaluations_total{outcome="ok"}' in text
    assert "qdkernel_queued_kernels 0.0" in text
    described = served.ask("GET", "/openapi.json")[1]
    assert {"/v1/judge", "/v1/jobs", "/openrlhf", "/slime", "/verify"} <= set(described["paths"])
    assert served.ask("GET", "/docs")[0] == 200


def test_equal_requests_at_once_are_one_measurement(served: Served) -> None:
    def evaluations() -> float:
        lines = served.ask("GET", "/metrics")[1].splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("qdkernel_evaluations_total{"))

    before = evaluations()
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(served.ask("POST", "/v1/judge", batch([plain(500)]))[1]))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert evaluations() == before + 1
    assert len({each["results"][0]["gflops"] for each in found}) == 1
