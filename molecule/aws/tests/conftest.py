# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the scenario keeps its things; and accounts of AWS in which a test does what people and clouds do wrong.

A test that takes `account` is not run in its turn: all of those that were chosen run side by side, each alone in an
Account, and when the turn of one comes it is told how it ended. Fixtures other than parameters it cannot have.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support import rotation
from support.aws.server import AwsServer
from support.aws.warm_python import CONTROLLER, WarmPython
from support.hosts.emulated import absent

PROJECT = Path(__file__).resolve().parents[3]
# Most of a run is Python that starts, and some is waiting.
SIDE_BY_SIDE = 4
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

# What makes provisioning ask for more: a role and a profile of the instances, and a placement group.
WITH_MORE = {"ec2_environment_connection": "ssm", "ec2_environment_cluster_port": 50052}

_counted = {"faults": 0, "left": 0}
_refused: list[int] = []
_ending = contextlib.ExitStack()


class Asking(NamedTuple):
    """How an action comes to be asked for: only after the launch, for the schedule, and by which variables."""

    late: bool
    variables: dict[str, Any]


class Done(NamedTuple):
    """How a playbook ended: exit code, and its output with every space between words a single one."""

    code: int
    output: str


class Account:
    """An empty account of AWS and the results of one run in it. `faults`: how many were injected by other means.

    `interpreter` is the Python of its modules, `controller` that of the playbooks which are not to be interrupted.
    """

    host = HOST

    def __init__(self, server: AwsServer, directory: Path, run: str, interpreter: str, controller: str) -> None:
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
        with (self.directory / "output.log").open("a", encoding="utf-8") as log:
            return subprocess.Popen(
                [*command, f"playbooks/{playbook}.yml", "-e", json.dumps(told), *options],
                cwd=PROJECT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                text=True, start_new_session=True,
            )  # fmt: skip

    def play(self, playbook: str, *options: str, **variables: Any) -> Done:
        """Run a playbook to its end."""
        log = self.directory / "output.log"
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
        return self.faults + sum(rule["fired"] for rule in self.server.faults())

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
        assert process.poll() is None, (self.directory / "output.log").read_text("utf-8")
        kill(process, with_signal)
        if with_signal == signal.SIGKILL:
            for pid in started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, with_signal)

    def wait_for(self, action: str, seconds: float = 300) -> None:
        """Wait until an action was asked for, which three other playbooks and a stage beside this one may delay."""
        end = time.monotonic() + seconds
        while not self.server.requests(action):
            assert time.monotonic() < end, (self.directory / "output.log").read_text("utf-8")
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


@contextlib.contextmanager
def emptied(server: AwsServer, run: str, interpreter: str, controller: str) -> Iterator[Account]:
    """An empty account, whose faults and leavings are counted in the end."""
    server.reset()
    directory = Path(tempfile.mkdtemp(prefix="aws-faults-"))
    used = Account(server, directory, run, interpreter, controller)
    try:
        yield used
    finally:
        _counted["faults"] += used.injected()
        _counted["left"] += len(server.leftovers())
        shutil.rmtree(directory, ignore_errors=True)


@functools.cache
def pythons() -> tuple[str, str]:
    """The Python of modules and that of playbooks, until the tests end."""
    return _ending.enter_context(WarmPython()), _ending.enter_context(WarmPython(CONTROLLER, ENVIRONMENT))


def clean(variables: dict[str, Any]) -> dict[tuple[str, str], Asking]:
    """Service and action of all that provisioning with variables asks for when nothing is wrong."""
    with AwsServer(hosts=[HOST]) as server, emptied(server, "clean", *pythons()) as used:
        done = used.provision(**variables)
        assert done.code == 0, done.output
        asked = [(one["service"], one["action"]) for one in server.requests()]
        server.reset()
    launched = asked.index(("ec2", "RunInstances"))
    return {action: Asking(asked.index(action) > launched, variables) for action in asked}


@functools.cache
def asked_for() -> dict[tuple[str, str], Asking]:
    """What the default asks for, and what WITH_MORE does beside that."""
    pythons()
    with ThreadPoolExecutor(2) as pool:
        plain, more = pool.map(clean, [{}, WITH_MORE])
    return dict(sorted({**more, **plain}.items()))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `asked` is one of every action that provisioning asks for, or of a sixth of them."""
    if "asked" in metafunc.fixturenames:
        actions = asked_for()
        cases = rotation.chosen(list(actions.items()), parts=rotation.SIXTHS)
        _refused[:] = [len(cases), len(actions)]
        metafunc.parametrize(("asked", "asking"), cases, ids=[":".join(action) for action, _asking in cases])


@pytest.fixture(scope="session")
def account(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[None]]]:
    """An account for the test alone. What the fixture itself holds is how the tests end, by their ids."""
    chosen = [item for item in request.session.items if "account" in getattr(item, "fixturenames", ())]
    # Those that wait longest begin.
    chosen.sort(key=lambda item: item.get_closest_marker("slow") is None)
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(SIDE_BY_SIDE))
        free: queue.Queue[AwsServer] = queue.Queue()
        # A server loads for seconds: all at once.
        for server in pool.map(AwsServer.__enter__, [AwsServer(hosts=[HOST]) for _test in chosen[:SIDE_BY_SIDE]]):
            stack.push(server)
            free.put(server)

        warm = pythons()

        def run(number: int, item: pytest.Function) -> None:
            parameters = item.callspec.params if hasattr(item, "callspec") else {}
            server = free.get()
            try:
                with emptied(server, f"fault-{number}", *warm) as used:
                    item.function(account=used, **parameters)
            finally:
                free.put(server)

        yield {item.nodeid: pool.submit(run, number, item) for number, item in enumerate(chosen)}
        pool.shutdown(cancel_futures=True)


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Wait for a test that takes `account`, instead of running it."""
    if "account" not in pyfuncitem.fixturenames:
        return None
    pyfuncitem.funcargs["account"][pyfuncitem.nodeid].result()
    return True


def pytest_configure(config: pytest.Config) -> None:
    """Know the marker of tests that wait for long."""
    config.addinivalue_line("markers", "slow: it waits for long, and begins before the others")


def pytest_unconfigure() -> None:
    """End what served all tests."""
    _ending.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what came of all faults together."""
    if _refused:
        terminalreporter.write_line("refused: {} of {} actions; CLOUDBENCH_THOROUGH=1 refuses each".format(*_refused))
    if _counted["faults"]:
        terminalreporter.write_line(f"faults: {_counted['faults']}, resources left: {_counted['left']}")


# ---- The scenario's own run ----


@pytest.fixture(scope="session")
def base() -> Path:
    """The scenario's ephemeral directory: aws/, ec2/, hub/ and results/ are in it."""
    return Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])


@pytest.fixture(scope="session")
def started(base: Path) -> dict[str, Any]:
    """What hosts/emulated.py said of the hosts; skips where there can be none."""
    if problem := absent(base / "hosts.json"):
        pytest.skip(problem)
    return json.loads((base / "hosts.json").read_text())
