from __future__ import annotations

import threading
from pathlib import Path

import pytest

from qdkernel.errors import QdkernelError
from qdkernel.machine import CoreLock, give_way, lent_s


def test_shared_holders_run_beside_each_other(tmp_path: Path) -> None:
    with CoreLock(tmp_path).shared(), CoreLock(tmp_path).shared():
        pass


def test_an_exclusive_holder_waits_for_shared_ones_and_keeps_new_ones_out(tmp_path: Path) -> None:
    order: list[str] = []
    inside, waiting = threading.Event(), threading.Event()

    def benchmark() -> None:
        waiting.set()
        with CoreLock(tmp_path).exclusive():
            order.append("benchmark")
            inside.set()

    with CoreLock(tmp_path).shared():
        thread = threading.Thread(target=benchmark)
        thread.start()
        waiting.wait()
        assert not inside.wait(0.1)
        order.append("first")

        def latecomer() -> None:
            with CoreLock(tmp_path).shared():
                order.append("latecomer")

        late = threading.Thread(target=latecomer)
        late.start()
        late.join(0.1)
        assert late.is_alive(), "a waiting benchmark keeps the gate shut"
    thread.join()
    late.join()
    assert order == ["first", "benchmark", "latecomer"]


def test_work_is_stopped_while_a_benchmark_that_waits_for_the_cores_has_them(tmp_path: Path) -> None:
    order: list[str] = []

    def benchmark() -> None:
        with CoreLock(tmp_path).exclusive():
            order.append("benchmark")

    def stopped_s() -> float:
        return give_way(lambda: order.append("stopped"), lambda: order.append("continued"))

    with CoreLock(tmp_path).shared():
        assert stopped_s() == 0.0, "no benchmark waits"
        thread = threading.Thread(target=benchmark)
        thread.start()
        while not (seconds := stopped_s()):
            pass
        thread.join()
        assert order == ["stopped", "benchmark", "continued"]
        assert lent_s() == seconds
    assert lent_s() == 0.0
    assert stopped_s() == 0.0, "this thread does not hold the cores"


def test_a_lock_file_that_cannot_be_opened_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "qdkernel-gate.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(QdkernelError, match="remove it, or set TMPDIR"), CoreLock(tmp_path).shared():
        pass
