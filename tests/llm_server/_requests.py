"""What a request asks for, by its wording."""

from __future__ import annotations

from tests.llm_server._answer import Body


def asks_for(body: Body) -> str:
    """What a request wants, by its wording: ``edit``, ``rewrite``, ``cross``, ``repair``, ``plan`` or ``text``."""
    asked = last_user_message(body)
    wanted = asked.rpartition("## Answer")[2]  # what comes before quotes kernels, failures and lessons
    if "JSON" in wanted:
        return "plan"
    if "This is repair" in asked:
        return "repair"
    if "## Second kernel" in asked:
        return "cross"
    if ">>>>>>> REPLACE" in wanted:
        return "edit"
    return "rewrite" if "C file" in wanted else "text"


def last_user_message(body: Body) -> str:
    """The text that a request ends with."""
    return next((str(m["content"]) for m in reversed(body["messages"]) if m["role"] == "user"), "")
