"""Judges the replies of a study, problem after problem."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from qdkernel.config import StudyConfig, load_config
from qdkernel.rewards import LocalJudge, Submission
from qdkernel.study.store import Question, Store


def judge(config: StudyConfig, store: Store, say: Callable[[str], None]) -> None:
    """Judges every reply that has no verdict, and the reference kernel of each problem.

    A kernel of which nothing could be said, as the host was busy, has no verdict afterwards; the next call tries again.

    Args:
        config: of the study.
        store: has the replies, and gets every verdict.
        say: gets a line for each problem.

    Raises:
        QdkernelError: a problem cannot be judged here, or earlier replies were judged on another machine.
    """
    for problem in config.problems:
        asked = [question for question in store.replies if question.problem == problem]
        waiting = [question for question in asked if question not in store.verdicts]
        reference = Question(problem)
        if not asked or (not waiting and reference in store.verdicts):
            continue
        say(f"judging {len(waiting)} replies for {problem}")
        with closing(LocalJudge.open(load_config(config.run_values(problem)), say)) as judging:
            facts = judging.environment.facts()
            store.settle(
                "machine.json",
                {"cpu": facts.machine.cpu, "class": facts.machine_class, "threads": facts.threads},
                "verdicts of two machines do not compare: take another --out, with --replay for the same replies",
            )
            own = judging.environment.problem
            texts = {question: store.replies[question] for question in waiting}
            if reference not in store.verdicts:
                texts = {reference: f"```c\n{own.seed_source(own.seeds[0])}\n```", **texts}
            for question, text in texts.items():
                [verdict] = judging.judge([Submission(text)])
                if not verdict.lost:
                    store.add_verdict(question, verdict)
