"""An agent's process, contained like the compiler, and everything that it has started."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from qdkernel.config import AgentConfig
from qdkernel.errors import ConfigError
from qdkernel.evaluators.toolchain import AGENT_RIGHTS, NETWORK_RIGHTS, Built, Toolchain, confined_command

_FILE_MB = 256
_FILES = 1024
_TOKEN = "QDKERNEL_AGENT"  # in the environment of all its processes, also those that leave its session
_NETWORK_FILES = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/run/systemd/resolve",
)
_LOG = "agent.log"


class AgentProcess:
    """A running agent.

    Args:
        config: command and what it may use.
        folder: where it works, and the only place where it may write.
        toolchain: whose system folders it may read.
        built: the confinement.
        log: file for what it prints, outside of its folder.

    Raises:
        ConfigError: the command is not there.
    """

    def __init__(self, config: AgentConfig, folder: Path, toolchain: Toolchain, built: Built, log: Path) -> None:
        program = shutil.which(config.command[0])
        if program is None:
            raise ConfigError(f"mutators: agent: no program {config.command[0]!r} on PATH; give its path in command")
        self._token = secrets.token_hex(16)
        rights = AGENT_RIGHTS | (NETWORK_RIGHTS if config.network else 0)
        command = confined_command(
            built,
            cpu_s=int(60 * config.minutes * (os.cpu_count() or 1)) + 1,
            memory_mb=config.memory_mb,
            file_mb=_FILE_MB,
            files=_FILES,
            rights=rights,
            folder=folder,
            readable=[*toolchain.readable, *_readable(config, program)],
            command=[program, *config.command[1:]],
        )
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=self._environment(config, folder, toolchain),
                start_new_session=True,
            )

    @property
    def ended(self) -> bool:
        """Whether the process that was started has ended."""
        return self._process.poll() is not None

    def close(self) -> int:
        """Kills it with all that it has started, and returns its exit status; negative: the signal that ended it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        for pid in self._left():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        return status

    def _environment(self, config: AgentConfig, folder: Path, toolchain: Toolchain) -> Mapping[str, str]:
        given = {name: os.environ[name] for name in config.env if name in os.environ}
        return {
            "PATH": os.environ.get("PATH", toolchain.search_path),
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "LC_ALL": "C.UTF-8",
            "QDKERNEL_MINUTES": f"{config.minutes:g}",
            "QDKERNEL_USD": f"{config.usd:g}",
            _TOKEN: self._token,
            **given,
        }

    def _left(self) -> Iterator[int]:
        """Processes that have left its session, as long as they keep the environment they were given."""
        mark = f"{_TOKEN}={self._token}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)


def _readable(config: AgentConfig, program: str) -> list[str]:
    """The program's own files, the user's further ones, and with a network those for names and certificates."""
    own = Path(program).resolve()
    prefix = own.parent.parent if own.parent.name == "bin" and own.parent.parent != Path("/") else own
    network = [path for path in _NETWORK_FILES if config.network]
    return [program, str(prefix), *(str(path.expanduser().absolute()) for path in config.readable), *network]
