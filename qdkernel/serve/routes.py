"""The HTTP routes: the service's own, and those in the shapes that trainers call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field

from qdkernel._version import installed_version
from qdkernel.errors import QdkernelError
from qdkernel.rewards import (
    JudgeClosed,
    JudgeUnreachable,
    Score,
    Submission,
    Verdict,
    find_shape,
    openrlhf_answer,
    stage_of,
)
from qdkernel.serve.service import Job, QueueFull, Service
from qdkernel.serve.settings import Settings

Text = Annotated[str, Field(max_length=1 << 20)]
ShapeName = Literal["unit", "sqd", "log", "share", "rank", "cell_rank"]
_BATCH = 256  # heuristic: 16 prompts with 16 completions each


class SubmissionBody(BaseModel):
    """A completion; see ``qdkernel.rewards.Submission``."""

    model_config = ConfigDict(extra="forbid")
    completion: Text
    prompt: Text = ""
    stage: Annotated[str, Field(max_length=200)] = ""
    group: Text = ""


class JobBody(BaseModel):
    """A batch to judge."""

    model_config = ConfigDict(extra="forbid")
    submissions: Annotated[list[SubmissionBody], Field(min_length=1, max_length=_BATCH)]
    problem: str | None = Field(default=None, description="Checked against the service's problem when given.")
    duel: bool = Field(default=False, description="Rank the correct kernels of each group by interleaved duels.")


class JudgeBody(JobBody):
    """A batch to judge at once."""

    shape: ShapeName | None = Field(default=None, description="Shape of the scores; default: the service's.")
    deadline_s: Annotated[float, Field(gt=0, le=3600)] | None = Field(
        default=None, description="After this time the answer is 202 with the job, which continues."
    )


class OpenRLHFBody(BaseModel):
    """What OpenRLHF posts to ``--reward.remote_url``."""

    query: Annotated[list[Text], Field(min_length=1, max_length=_BATCH)]
    prompts: list[Text] | None = None
    labels: list[Any] | None = None


class SlimeBody(BaseModel):
    """What slime posts to ``--rm-url``."""

    prompt: Any = ""
    response: Text
    label: Any = None


class Json(Response):
    """JSON of ASCII characters only, so that no text of a model can break the encoding."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The encoded content."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


class Draining:
    """Whether the service is stopping; ``begin`` may be called from a signal handler."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.begun = False

    def attach(self) -> None:
        """Called in the event loop that the waiters run in."""
        self._loop = asyncio.get_running_loop()

    def begin(self) -> None:
        """Answers all waiting requests, and accepts no more."""
        self.begun = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Returns when the service is stopping."""
        await self._event.wait()


def make_app(service: Service, settings: Settings, draining: Draining, metrics: Callable[[], bytes]) -> FastAPI:
    """The application.

    Args:
        service: judges.
        settings: of the service.
        draining: set when the service is stopping.
        metrics: the page for Prometheus.
    """
    app = FastAPI(
        title="qdkernel judge",
        version=installed_version(),
        summary=f"Verifies and times C kernels for {service.judge.function}; rewards for trainers.",
        default_response_class=Json,
    )
    calls = _Calls(service, settings, draining)
    _add_errors(app)
    _add_own(app, calls)
    _add_trainers(app, calls)
    _add_health(app, service, draining, metrics)
    return app


class _Calls:
    """What the routes have in common."""

    def __init__(self, service: Service, settings: Settings, draining: Draining) -> None:
        self.service = service
        self.settings = settings
        self.draining = draining

    async def accept(self, submissions: Sequence[Submission], duel: bool = False) -> Job:
        if self.draining.begun:
            raise JudgeClosed("the service is stopping; try again when it is back")
        return await asyncio.to_thread(self.service.accept, submissions, duel)

    async def wait(self, job: Job, seconds: float) -> list[Verdict] | None:
        """The verdicts; ``None`` when they do not come in time, or the service is stopping."""
        done = asyncio.wrap_future(job.result)
        stopping = asyncio.ensure_future(self.draining.wait())
        either: set[asyncio.Future[Any]] = {done, stopping}
        try:
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if not done.done():
            done.add_done_callback(_look)  # no request waits for it any more
            return None
        try:
            return done.result()
        except JudgeClosed:
            return None

    async def scores(self, submissions: Sequence[Submission], whole_groups: bool = False) -> list[Score]:
        """Scores for a trainer's route.

        Raises:
            JudgeUnreachable: they do not come in time, or nothing is known of a kernel; the client tries again.
        """
        job = await self.accept(submissions)
        verdicts = await self.wait(job, self.settings.deadline_s)
        if verdicts is None:
            raise JudgeUnreachable(f"job {job.id} is not done yet; the same request joins it")
        if lost := next((verdict for verdict in verdicts if verdict.lost), None):
            raise JudgeUnreachable(f"nothing is known of a kernel: {lost.detail}")
        return scored(verdicts, self.settings.shape, submissions if whole_groups else None)


def scored(verdicts: Sequence[Verdict], shape: str, submissions: Sequence[Submission] | None) -> list[Score]:
    """Scores of verdicts, by group when the submissions are given, otherwise each alone."""
    places: dict[Any, list[int]] = {}
    for at in range(len(verdicts)):
        places.setdefault(submissions[at].group if submissions else at, []).append(at)
    values: list[float | None] = [None] * len(verdicts)
    for group in places.values():
        for at, value in zip(group, find_shape(shape)([verdicts[at] for at in group]), strict=True):
            values[at] = value
    return [Score(value, verdict) for value, verdict in zip(values, verdicts, strict=True)]


def _look(done: asyncio.Future[list[Verdict]]) -> None:
    if not done.cancelled():
        done.exception()


def _submissions(body: JobBody, service: Service) -> list[Submission]:
    function = service.judge.function
    if body.problem not in (None, function):
        raise QdkernelError(f"this service judges {function}, got problem {body.problem!r}; ask its own service")
    return [Submission(**each.model_dump()) for each in body.submissions]


def _add_own(app: FastAPI, calls: _Calls) -> None:
    service = calls.service

    def status(job: Job) -> dict[str, Any]:
        measuring = service.judge.measuring
        position = service.position(job)
        return {
            "id": job.id,
            "state": "pending",
            "position": position,
            "expected_s": round((position + 1) * measuring.seconds_per_kernel, 1),
        }

    @app.post("/v1/judge", summary="Judge a batch; 202 with a job when the deadline passes.")
    async def judge(body: JudgeBody) -> Response:
        submissions = _submissions(body, service)
        job = await calls.accept(submissions, body.duel)
        verdicts = await calls.wait(job, body.deadline_s or calls.settings.deadline_s)
        if verdicts is None:
            return Json(await asyncio.to_thread(status, job), 202)
        scores = scored(verdicts, body.shape or calls.settings.shape, submissions)
        return Json({"id": job.id, "results": [{"score": s.value, **s.verdict.to_json()} for s in scores]})

    @app.post("/v1/jobs", status_code=202, summary="Accept a batch; its result is asked for by the job's id.")
    async def add_job(body: JobBody) -> Response:
        job = await calls.accept(_submissions(body, service), body.duel)
        return Json(await asyncio.to_thread(status, job), 202)

    @app.get("/v1/jobs/{job_id}", summary="A job's verdicts, or its place in the queue.")
    async def get_job(job_id: str, wait_s: Annotated[float, Field(ge=0, le=60)] = 0.0) -> Response:
        job = service.active(job_id)
        if job is not None:
            if wait_s:
                await calls.wait(job, wait_s)
            if not job.result.done():
                return Json(await asyncio.to_thread(status, job))
        verdicts = await asyncio.to_thread(service.finished, job_id)
        if verdicts is None and service.active(job_id) is None and job is None:
            return Json({"detail": "no such job; ids are those that POST /v1/jobs gave"}, 404)
        if verdicts is None:  # the service is stopping; the job continues after its restart
            return Json({"detail": "the service is stopping"}, 503, {"Retry-After": "5"})
        return Json({"id": job_id, "state": "done", "verdicts": [verdict.to_json() for verdict in verdicts]})


def _add_trainers(app: FastAPI, calls: _Calls) -> None:
    @app.post("/openrlhf", summary="OpenRLHF's --reward.remote_url.")
    async def openrlhf(body: OpenRLHFBody) -> Response:
        count = len(body.query)
        prompts, labels = body.prompts or [""] * count, body.labels or [None] * count
        if len(prompts) != count or len(labels) != count:
            raise QdkernelError(f"expected as many prompts and labels as queries, {count}")
        submissions = [
            Submission(query, prompt, stage_of(label), group=prompt)
            for query, prompt, label in zip(body.query, prompts, labels, strict=True)
        ]
        return Json(openrlhf_answer(await calls.scores(submissions)))

    async def slime_score(body: SlimeBody) -> Score:
        prompt = body.prompt if isinstance(body.prompt, str) else ""
        (score,) = await calls.scores([Submission(body.response, prompt, stage_of(body.label))])
        return score

    @app.post("/slime", summary="slime's --rm-url: the answer is the reward.")
    async def slime(body: SlimeBody) -> Response:
        return Json((await slime_score(body)).value)

    @app.post("/slime/details", summary="slime's --rm-url with --reward-key score.")
    async def slime_details(body: SlimeBody) -> Response:
        score = await slime_score(body)
        return Json({"score": score.value, **score.raw(), "ending": score.verdict.ending.value})

    @app.post("/seed_session", summary="NeMo Gym: nothing to prepare.")
    async def seed_session() -> Response:
        return Json({})

    @app.post("/verify", summary="NeMo Gym: the request's fields plus reward.")
    async def verify(body: dict[str, Any]) -> Response:
        stage = stage_of(body.get("verifier_metadata"))
        (score,) = await calls.scores([Submission(_response_text(body.get("response")), stage=stage)])
        try:
            return Json({**body, "reward": score.value, **score.raw(), "ending": score.verdict.ending.value})
        except ValueError as error:
            raise QdkernelError(f"the request holds a number that JSON does not have: {error}") from error


def _response_text(response: Any) -> str:
    """The text of an OpenAI Response object.

    Raises:
        QdkernelError: it has no ``output``.
    """
    output = response.get("output") if isinstance(response, dict) else None
    if not isinstance(output, list):
        raise QdkernelError("expected response.output to be a list, as in an OpenAI Response object")
    texts = [
        part["text"]
        for item in output
        if isinstance(item, dict) and isinstance(item.get("content"), list)
        for part in item["content"]
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    ]
    return "\n".join(texts)


def _add_health(app: FastAPI, service: Service, draining: Draining, metrics: Callable[[], bytes]) -> None:
    @app.get("/healthz", summary="The process answers.")
    async def healthz() -> Response:
        return Json({"status": "ok"})

    @app.get("/readyz", summary="Jobs are accepted.")
    async def readyz() -> Response:
        if draining.begun:
            return Json({"status": "stopping"}, 503)
        return Json({"status": "ready", "problem": service.judge.function, "queued": service.queued})

    @app.get("/metrics", summary="Numbers for Prometheus.")
    async def prometheus() -> Response:
        return Response(metrics(), media_type="text/plain; version=0.0.4")


def _add_errors(app: FastAPI) -> None:
    Handler = Callable[[Request, Exception], Awaitable[Response]]

    def answered(status: int, retry_after: int | None = None) -> Handler:
        async def handler(request: Request, error: Exception) -> Response:
            wait = error.retry_after_s if isinstance(error, QueueFull) else retry_after
            return Json({"detail": str(error)}, status, {"Retry-After": str(wait)} if wait else None)

        return handler

    async def unfit(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        # without the input, which may be long or not encodable
        found = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:10]]
        return Json({"detail": "; ".join(found)}, 422)

    app.add_exception_handler(QueueFull, answered(429))
    app.add_exception_handler(JudgeClosed, answered(503, 5))
    app.add_exception_handler(JudgeUnreachable, answered(503, 1))
    app.add_exception_handler(QdkernelError, answered(422))
    app.add_exception_handler(RequestValidationError, unfit)
