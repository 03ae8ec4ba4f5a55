"""Runs the server by hand.

python -m tests.llm_server --script kernels --latency 2     replies of a ready script, after two seconds each
python -m tests.llm_server --bridge DIR                     each request becomes DIR/NNN.request.json and is answered
                                                            when DIR/NNN.reply.txt appears

The first line of the output is the base URL.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from tests.llm_server._answer import Answer, Body, Later, Script
from tests.llm_server._bridge import Bridge
from tests.llm_server._scripts import SCRIPTS
from tests.llm_server._server import ModelServer


def main(arguments: list[str] | None = None) -> int:
    """Serves until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.llm_server", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--bridge", type=Path, metavar="DIR", help="folder of requests and replies")
    what.add_argument("--script", choices=sorted(SCRIPTS), metavar="NAME", help=", ".join(SCRIPTS))
    parser.add_argument("--latency", type=float, default=0.0, metavar="S", help="seconds before each scripted reply")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    options = parser.parse_args(arguments)
    script: Script = Bridge(options.bridge) if options.bridge else _delayed(SCRIPTS[options.script](), options.latency)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ModelServer(script, options.port) as server:
        print(server.base_url, flush=True)
        stop.wait()
    return 0


def _delayed(script: Script, latency_s: float) -> Script:
    def delayed(body: Body, number: int) -> Answer | Later:
        answer = script(body, number)
        if isinstance(answer, str):
            answer = Answer(answer)
        return replace(answer, delay_s=answer.delay_s + latency_s) if isinstance(answer, Answer) else answer

    return delayed


if __name__ == "__main__":
    sys.exit(main())
