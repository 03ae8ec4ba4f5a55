"""What the models of a run did and cost, as lines and a table for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from rich.table import Table
from rich.text import Text

from qdkernel.analysis import OperatorStats, operator_and_model, operator_stats
from qdkernel.core import Arm, one_line
from qdkernel.runs import End, FailureCount, Record, RunFolder, Spending, StoredConversation

_SHOWN = 300  # characters of a text from outside


def spending_lines(folder: RunFolder) -> list[str]:
    """What was spent on models: all together, then each one when there are several; none without models."""
    by_model = folder.conversations.spending()
    if not by_model:
        return []
    counts = folder.conversations.counts_by_ending()
    made: Counter[str] = Counter()
    for (_, model), endings in counts.items():
        made[model] += endings[End.PROPOSAL]
    lines = [_spending_text(sum(by_model.values(), Spending()), made.total())]
    if len(by_model) > 1:
        lines += [f"{model}: {_spending_text(spent, made[model])}" for model, spent in by_model.items()]
    return lines


def conversation_line(conversation: StoredConversation) -> str:
    """The model of a kernel's conversation, and what it cost."""
    calls = conversation.calls
    tokens = sum(call.prompt_tokens + call.completion_tokens for call in calls)
    cost = sum(call.cost for call in calls)
    parts = [
        f"{conversation.model}, conversation {conversation.id}",
        _counted(len(calls), "turn"),
        f"{tokens:,} tokens",
    ]
    return ", ".join(parts + ([usd(cost)] if cost else []))


def arms_table(records: Iterable[Record], endings: Mapping[Arm, Counter[str]]) -> Table:
    """Operators with each model, those that won most cells first; built-in operators compete in it.

    Args:
        records: the run's log.
        endings: ``RunFolder.counts_by_ending``.
    """
    table = Table(title="operators", title_justify="left", box=None, pad_edge=False)
    table.add_column("operator", no_wrap=True)
    table.add_column("model", no_wrap=True)
    for name in ("conversations", "proposals", "ok", "cells won", "held now", "unreadable", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    earned = operator_stats(records, operator_and_model)
    for arm in [*earned, *(arm for arm in endings if arm not in earned)]:
        table.add_row(*(Text(value) for value in _arm_row(arm, earned.get(arm, OperatorStats()), endings.get(arm))))
    return table


def failures_table(failures: Iterable[FailureCount]) -> Table:
    """How often each model failed in which way, with the words of the last time.

    Args:
        failures: ``RunFolder.failures``.
    """
    table = Table(title="failures of models", title_justify="left", box=None, pad_edge=False)
    for name in ("model", "kind"):
        table.add_column(name, no_wrap=True)
    table.add_column("calls", justify="right", no_wrap=True)
    table.add_column("the last one", overflow="fold")
    for failure in failures:
        words = (failure.model, failure.kind, str(failure.calls), failure.text)
        table.add_row(*(Text(one_line(word, _SHOWN)) for word in words))
    return table


def usd(cost: float) -> str:
    """A sum of money; in hundredths of a cent below a dollar."""
    return f"${cost:,.2f}" if cost >= 1 else f"${cost:.4f}"


def _arm_row(arm: Arm, tally: OperatorStats, endings: Counter[str] | None) -> list[str]:
    proposed = [str(tally.proposals), f"{tally.ok_share:.0%}", str(tally.won), str(tally.held)]
    if not tally.proposals:  # e.g. plans and lessons, which bring no kernel themselves
        proposed = ["", "", "", ""]
    operator, model = (one_line(part) for part in arm)
    if endings is None:
        return [operator, model, "", *proposed, "", ""]
    unreadable, failed = endings[End.NOTHING], endings[End.FAILED]
    return [operator, model, str(endings.total()), *proposed, str(unreadable), str(failed)]


def _spending_text(spent: Spending, proposals: int) -> str:
    failed = f" ({_counted(spent.failures, 'call')} failed)" if spent.failures else ""
    parts = [f"{_counted(spent.requests, 'request')}{failed}"]
    estimated = f"; {spent.estimated_tokens:,} of them estimated" if spent.estimated_tokens else ""
    parts.append(f"{spent.tokens:,} tokens ({spent.prompt_tokens:,} in, {spent.completion_tokens:,} out{estimated})")
    parts += [usd(spent.cost)] if spent.cost else []
    parts += [f"{spent.tokens / proposals:,.0f} tokens per proposal"] if proposals else ["no proposal yet"]
    return ", ".join(parts)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("s" if count != 1 else "")
