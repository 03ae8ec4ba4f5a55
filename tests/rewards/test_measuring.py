"""The judge on this machine: every content once, stages by measurement, nothing lost with a worker."""

from __future__ import annotations

import re
import threading
from concurrent.futures import Future

import psutil
import pytest

from qdkernel.config import Config
from qdkernel.core import Kernel, Outcome
from qdkernel.errors import UnknownName
from qdkernel.rewards import Ending, JudgeUnreachable, LocalJudge, Reward, Submission, Verdict
from qdkernel.rewards.completion import kernel_in
from tests.conftest import naive
from tests.rewards.kernels import broken, crashing, fast, plain, renamed, threaded, wrong


def fenced(source: str) -> str:
    return f"```c\n{source}\n```"


def judged(judge: LocalJudge, *sources: str, stage: str = "") -> list[Verdict]:
    return judge.judge([Submission(fenced(source), stage=stage) for source in sources])


def evaluations(judge: LocalJudge) -> int:
    return sum(judge.measuring.outcomes.values())


def test_every_kind_of_ending_is_told_with_the_raw_values(judge: LocalJudge) -> None:
    good, *bad = judged(judge, fast(), wrong(), broken(), crashing())
    assert good.ending is Ending.OK
    assert good.cell.endswith("/serial/none")
    assert good.gflops is not None
    assert good.gflops > 0
    assert good.ratio_low is not None
    assert good.ratio is not None
    assert 0 < good.ratio_low <= good.ratio
    assert [verdict.ending for verdict in bad] == [Ending.WRONG, Ending.COMPILE_ERROR, Ending.CRASHED]
    assert "error" in bad[1].detail


def test_a_completion_without_a_kernel_ends_so_and_costs_no_evaluation(judge: LocalJudge) -> None:
    before = evaluations(judge)
    (verdict,) = judge.judge([Submission("I would rather not.")])
    assert verdict.ending is Ending.NO_KERNEL
    assert verdict.detail == "the reply holds neither a C kernel nor a SEARCH/REPLACE block"
    assert evaluations(judge) == before


def test_equal_content_joins_one_measurement_from_many_threads(judge: LocalJudge) -> None:
    before = evaluations(judge)
    found: list[Verdict] = []
    threads = [threading.Thread(target=lambda: found.extend(judged(judge, plain(71)))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert evaluations(judge) == before + 1
    assert len({verdict.gflops for verdict in found}) == 1
    assert len(found) == 12


def test_equal_code_under_other_names_is_measured_once_and_told(judge: LocalJudge) -> None:
    before = evaluations(judge)
    first, second, third = judged(judge, plain(72), renamed(plain(72)), renamed(renamed(plain(72))))
    assert evaluations(judge) == before + 1
    assert second.duplicate_of == third.duplicate_of == first.kernel_id
    assert second.gflops == third.gflops == first.gflops
    assert (first.duplicate_of, second.kernel_id) == ("", Kernel(renamed(plain(72))).id)


def test_equal_machine_code_of_another_source_has_the_same_verdict(judge: LocalJudge) -> None:
    (first,) = judged(judge, plain(73))
    (second,) = judged(judge, plain(73).replace("int mark = 73", "int mark = 70 + 3"))
    assert second.duplicate_of == first.kernel_id
    assert second.gflops == first.gflops


def test_stages_are_enforced_by_measurement(judge: LocalJudge) -> None:
    (free,) = judged(judge, threaded())
    (outside,) = judged(judge, threaded(), stage="blocking")
    (inside,) = judged(judge, threaded(), stage="threads")
    assert free.ending is inside.ending is Ending.OK
    assert outside.ending is Ending.OUTSIDE_STAGE
    assert outside.gflops is None
    assert "threading is static" in outside.detail
    assert "permits" in outside.detail


def test_a_kernel_first_seen_outside_its_stage_is_measured_where_it_is_permitted(judge: LocalJudge) -> None:
    source = threaded().replace("parallel for", "parallel for schedule(dynamic)")
    (outside,) = judged(judge, source, stage="blocking")
    (inside,) = judged(judge, source, stage="threads")
    assert (outside.ending, inside.ending) == (Ending.OUTSIDE_STAGE, Ending.OK)


def test_an_unknown_stage_is_told_with_the_known_ones(judge: LocalJudge) -> None:
    with pytest.raises(UnknownName, match=re.escape("no stage 'blokking'; did you mean 'blocking'?")):
        judged(judge, naive(), stage="blokking")


def test_the_rank_in_the_cell_counts_the_kernels_judged_before(judge: LocalJudge) -> None:
    judged(judge, fast(), plain(74))
    (verdict,) = judged(judge, plain(75))
    assert verdict.cell_rank is not None
    assert 0 <= verdict.cell_rank <= 1


def test_a_group_is_ranked_by_real_duels(judge: LocalJudge) -> None:
    reward = Reward(judge, "rank", group="duel")
    scores = reward.score([fenced(source) for source in (plain(76), fast(), wrong(), renamed(fast()))])
    assert [score.verdict.ending for score in scores] == [Ending.OK, Ending.OK, Ending.WRONG, Ending.OK]
    slow, quick, _, same = (score.verdict.relative for score in scores)
    assert quick == same == 1.0
    assert slow is not None
    assert slow < 1.0
    assert scores[0].value == 0.3
    assert scores[1].value == scores[3].value == pytest.approx(0.825)


def test_a_killed_worker_costs_no_verdict(judge: LocalJudge) -> None:
    sources = [plain(constant) for constant in range(80, 86)]
    futures = judge.submit([Submission(fenced(source)) for source in sources])
    for child in psutil.Process().children():
        if "popen_loky" in " ".join(child.cmdline()):
            child.kill()
            break
    verdicts = [future.result() if isinstance(future, Future) else future for future in futures]
    assert [(verdict.ending, verdict.detail) for verdict in verdicts] == [(Ending.OK, "")] * 6


@pytest.mark.slow
def test_memory_is_bounded_and_an_old_kernel_is_measured_anew(config: Config) -> None:
    judge = LocalJudge.open(config)
    judge.measuring._memory = 2
    try:
        for constant in (90, 91, 92):
            judged(judge, plain(constant))
        assert len(judge.measuring._evaluations) == len(judge.measuring._verdicts) == 2
        (again,) = judged(judge, renamed(plain(90)))
        assert again.ending is Ending.OK
        assert judge.measuring.outcomes[Outcome.OK.value] == 4
        known = (judge.environment.scratch.folder / "known").iterdir()
        assert sum(len(path.read_text().splitlines()) for path in known) == 4  # two hashes of each kernel that is kept
    finally:
        judge.close()


def test_a_closed_judge_says_so(config: Config) -> None:
    judge = LocalJudge.open(config)
    futures = judge.submit([Submission(fenced(plain(constant))) for constant in range(95, 99)])
    judge.close()
    assert all(isinstance(each, Future) and each.done() for each in futures)
    with pytest.raises(JudgeUnreachable, match="the judge is closed; start it again"):
        judged(judge, plain(99))
    assert not judge.environment.scratch.folder.exists()


def test_the_kernel_that_is_judged_is_the_one_of_the_completion(judge: LocalJudge) -> None:
    (verdict,) = judged(judge, plain(77))
    kernel, _ = kernel_in(fenced(plain(77)), "", "dgemm")
    assert kernel is not None
    assert verdict.kernel_id == kernel.id
