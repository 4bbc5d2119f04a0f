# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account of AWS in which playbooks of EC2 are run, and in which people and clouds do what is wrong."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from support.aws.server import AwsServer

PROJECT = Path(__file__).resolve().parents[3]
# What all of its playbooks have said.
LOG = "output.log"
# Words that AWS would not issue, so that they are found wherever they are shown.
ACCESS_KEY = "AKIA" + "WORDSNOBODYSHOWS"
SECRET_KEY = "words/that+nobody/shows/in/any+output123"
# A console that shows a host key, and an address that nobody but this machine has.
HOST = {
    "address": "127.0.0.2",
    "console": "cloudbench-host-key ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDduK+2i6ufIPu4rXlnobuXzQdlEYZgnMQ+tPmJo/SWX",
}

# What all playbooks of these tests have, and nothing of AWS or Ansible that this process was told.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))},
    "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
    "LC_ALL": "C.UTF-8",
}


class Done(NamedTuple):
    """How a playbook ended: exit code, and its output with every space between words a single one."""

    code: int
    output: str


class Account:
    """An empty account of AWS and the results of one run in it. `faults`: how many were injected by other means.

    `interpreter` is the Python of its modules, `controller` that of the playbooks which are not to be interrupted.
    """

    host = HOST

    def __init__(
        self,
        server: AwsServer,
        directory: Path,
        run: str,
        interpreter: str = sys.executable,
        controller: str = sys.executable,
    ) -> None:
        self.server, self.directory, self.run = server, directory, run
        self.controller = controller
        self.faults = 0
        self.environment = {
            **ENVIRONMENT,
            **server.environment,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "CLOUDBENCH_RUN": run,
            "CLOUDBENCH_RESULTS_DIR": str(directory / "results"),
        }
        # The instances of these tests are this machine.
        self.variables: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": interpreter,
            "ec2_environment_directory": str(directory / "ec2"),
            "ec2_environment_ssh_from": "203.0.113.7",
            "ec2_environment_timeout": 1,
        }

    def start(
        self, playbook: str, *options: str, python: str = sys.executable, **variables: Any
    ) -> subprocess.Popen[str]:
        """Start a playbook in a process group of its own; its output goes to a file."""
        told = {name: value for name, value in {**self.variables, **variables}.items() if value is not None}
        command = [python, str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory/aws"]
        with (self.directory / LOG).open("a", encoding="utf-8") as log:
            return subprocess.Popen(
                [*command, f"playbooks/{playbook}.yml", "-e", json.dumps(told), *options],
                cwd=PROJECT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                text=True, start_new_session=True,
            )  # fmt: skip

    def play(self, playbook: str, *options: str, **variables: Any) -> Done:
        """Run a playbook to its end."""
        log = self.directory / LOG
        before = log.stat().st_size if log.exists() else 0
        process = self.start(playbook, *options, python=self.controller, **variables)
        try:
            # EC2 without room is asked for two minutes by the module itself, beside three other playbooks.
            process.wait(timeout=500)
        except subprocess.TimeoutExpired:
            kill(process, signal.SIGKILL)
            raise AssertionError(f"{playbook} did not end: {log.read_text('utf-8')[before:]}") from None
        output = " ".join(log.read_text("utf-8")[before:].split())
        for secret in (ACCESS_KEY, SECRET_KEY, "PRIVATE KEY"):
            assert secret not in output
        assert "Traceback" not in output, output
        return Done(process.returncode, output)

    def provision(self, *options: str, **variables: Any) -> Done:
        """Run the playbook that makes what a run needs."""
        return self.play("provision", *options, **variables)

    def failures(self) -> list[dict[str, Any]]:
        """The payloads of the failure records of the run."""
        lines = [
            json.loads(line)
            for file in sorted((self.directory / "results").glob("*/records/*.jsonl"))
            for line in file.read_text("utf-8").splitlines()
        ]
        return [line["payload"] for line in lines if line["kind"] == "failure"]

    def kinds(self) -> list[str]:
        """What kinds of things are in the account, each once."""
        return sorted({one["kind"] for one in self.server.leftovers()})

    def injected(self) -> int:
        """How many faults there were so far."""
        return self.faults + sum(int(rule["fired"]) for rule in self.server.faults())

    def mend(self) -> None:
        """No faults any more."""
        self.faults = self.injected()
        self.server.clear_faults()

    def give_back(self) -> Done:
        """Tear the run down once the faults are gone; nothing may be left. Not if nothing was made."""
        self.mend()
        if not self.server.requests(write=True):
            assert self.server.leftovers() == []
            return Done(0, "")
        done = self.play("teardown", ec2_environment_run=self.run)
        assert self.server.leftovers() == [], done.output
        assert done.code == 0, done.output
        return done

    def stop(self, process: subprocess.Popen[str], with_signal: signal.Signals) -> None:
        """Interrupt it as Ctrl-C does, or end it, and all that it has started, at once."""
        self.faults += 1
        started = descendants(process.pid)
        assert process.poll() is None, (self.directory / LOG).read_text("utf-8")
        kill(process, with_signal)
        if with_signal == signal.SIGKILL:
            for pid in started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, with_signal)

    def wait_for(self, action: str, seconds: float = 300) -> None:
        """Wait until an action was asked for, which three other playbooks and a stage beside this one may delay."""
        end = time.monotonic() + seconds
        while not self.server.requests(action):
            assert time.monotonic() < end, (self.directory / LOG).read_text("utf-8")
            time.sleep(0.05)


def kill(process: subprocess.Popen[str], with_signal: signal.Signals) -> int:
    """Send a signal to a process group and return the exit code of its leader."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, with_signal)
    return process.wait(timeout=60)


def descendants(pid: int) -> list[int]:
    """Return the processes below a process; Ansible's own leave its group."""
    below: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            child, parent = stat.read_text().rpartition(")")[0], stat.read_text().rpartition(")")[2].split()[1]
            below.setdefault(int(parent), []).append(int(child.split()[0]))
    found, waiting = [], [pid]
    while waiting:
        children = below.get(waiting.pop(), [])
        found += children
        waiting += children
    return found
