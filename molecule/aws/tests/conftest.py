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
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support import rotation
from support.aws.accounts import ENVIRONMENT, HOST, Account
from support.aws.server import AwsServer
from support.aws.warm_python import CONTROLLER, WarmPython
from support.hosts.emulated import absent

# Most of a run is Python that starts, and some is waiting.
SIDE_BY_SIDE = 4
# What makes provisioning ask for more: a role and a profile of the instances, and a placement group.
WITH_MORE = {"ec2_environment_connection": "ssm", "ec2_environment_cluster_port": 50052}

_counted = {"faults": 0, "left": 0}
_refused: list[int] = []
_ending = contextlib.ExitStack()


class Asking(NamedTuple):
    """How an action comes to be asked for: only after the launch, for the schedule, and by which variables."""

    late: bool
    variables: dict[str, Any]


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
