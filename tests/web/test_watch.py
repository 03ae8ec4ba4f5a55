"""``qdkernel watch`` and ``report`` as commands: what they need and what they load."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from qdkernel.commands.read.watch import watch
from qdkernel.errors import QdkernelError
from tests.paths import ROOT
from tests.web.runs import usual_run


@pytest.mark.parametrize("module", ["uvicorn", "starlette"])
def test_without_the_extra_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    for loaded in [
        name for name in sys.modules if name.startswith("qdkernel.web.live") or name.split(".")[0] == module
    ]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(QdkernelError, match=rf"watch needs {module}.*: pip install 'qdkernel\[serve\]'"):
        watch(tmp_path, 0)


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    usual_run(tmp_path, 5)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "qdkernel", "watch", str(tmp_path), "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"port {port} cannot be used (Address already in use); give another --port, or 0" in done.stderr


def test_a_report_needs_no_server_no_compiler_and_no_plots(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from qdkernel.commands.read.report import report
report([Path(sys.argv[1])], None)
print(sorted({"starlette", "uvicorn", "matplotlib", "openai", "ribs"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", code, str(usual_run(tmp_path, 20))]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": ""}, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_run_folders_are_opened_in_one_module_of_the_room() -> None:
    room = ROOT / "qdkernel" / "web"
    assert [path.name for path in sorted(room.rglob("*.py")) if "RunFolder." in path.read_text()] == ["reading.py"]
