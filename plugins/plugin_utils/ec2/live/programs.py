# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that the live check runs as a person would: the playbooks of this collection, and ssh.

A playbook is a process of its own because its credentials are others: those of this process cannot be changed for one
task, since what asks AWS on the controller reads the environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.live.checks import LiveError

_ROOT = Path(__file__).parents[4]
_SSH_S = 40
# What names an identity or a region, and is left out unless it is given.
_FOREIGN = (
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "EC2_REGION",
)


class Played(NamedTuple):
    """How a playbook ended. `output`: also in `log`."""

    code: int
    output: str
    log: Path

    def verdict(self) -> tuple[bool, str]:
        """Say the exit code, and why it is not 0."""
        if self.code == 0:
            return True, "exit code 0"
        lines = [line.strip() for line in self.output.splitlines()]
        errors = [line for line in lines if line.startswith("[ERROR]")] or [
            line for line in lines if line.startswith("msg:")
        ]
        why = errors[-1] if errors else "it does not say why"
        return False, f"exit code {self.code}: {why} ({self.log.name})"


class Playbooks:
    """Runs playbooks of this collection for one run. `variables`: of all of them; `directory`: of their logs."""

    def __init__(self, run: str, directory: Path, variables: Mapping[str, Any]) -> None:
        self.run, self.directory, self.variables = run, directory, dict(variables)

    def command(self, name: str, more: Mapping[str, Any], inventory: bool) -> list[str]:
        """Return the command of a playbook, with the instances of all runs as its inventory or without."""
        hosts = ["-i", str(_ROOT / "inventory/aws")] if inventory else []
        told = json.dumps({**self.variables, **more})
        return [sys.executable, "-m", "ansible", "playbook", *hosts, str(_ROOT / f"playbooks/{name}.yml"), "-e", told]

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of this process with `given` for all that names an identity or a region.

        What a playbook records of its failures is not for the results of this checkout.
        """
        kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        return {
            **kept,
            "ANSIBLE_NOCOLOR": "1",
            "CLOUDBENCH_RUN": self.run,
            "CLOUDBENCH_RESULTS_DIR": str(self.directory / "results"),
            **given,
        }

    def play(self, name: str, given: Mapping[str, str], timeout: float, inventory: bool = False, **more: Any) -> Played:
        """Run a playbook to its end, or for `timeout` seconds. Raises LiveError and OSError."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = self.directory / f"{name}.log"
        with log.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                self.command(name, more, inventory),
                env=self.environment(given),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(timeout=max(1.0, timeout))
            except subprocess.TimeoutExpired as error:
                raise LiveError(f"it did not end within {timeout:.0f} s ({log.name})") from error
            finally:
                if process.poll() is None:
                    _end(process)
        return Played(code, log.read_text("utf-8", errors="replace"), log)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a playbook as Ctrl-C does, and whatever that leaves of its group."""
    for with_signal, seconds in ((signal.SIGINT, 15), (signal.SIGKILL, 15)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, with_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
            return


class Ssh:
    """ssh to instances of a run. `program`: its words; `directory`: where key and known hosts of the run are."""

    def __init__(self, program: Sequence[str], directory: Path) -> None:
        self.program, self.directory = list(program), directory

    def command(self, user: str, address: str, *words: str) -> list[str]:
        """Return the command that runs `words` on an instance."""
        options = [
            "BatchMode=yes",
            "ConnectTimeout=10",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={self.directory / 'known_hosts'}",
        ]
        given = [word for option in options for word in ("-o", option)]
        return [*self.program, *given, "-i", str(self.directory / "id_ed25519"), f"{user}@{address}", *words]

    def run(self, user: str, address: str, *words: str) -> str:
        """Run `words` on an instance and return what they print. Raises LiveError and OSError."""
        try:
            done = subprocess.run(
                self.command(user, address, *words),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SSH_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LiveError(f"ssh to {user} on an instance did not answer within {_SSH_S} s") from error
        if done.returncode:
            said = " ".join(done.stderr.split()) or "it says nothing"
            raise LiveError(f"{' '.join(words)} ended with exit code {done.returncode}: {said}")
        return done.stdout
