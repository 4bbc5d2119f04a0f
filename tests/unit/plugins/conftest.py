# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server of the tests, one for all of them: it takes seconds to start and a few milliseconds to empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.aws.server import AwsServer


@pytest.fixture(autouse=True)
def no_prices_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What whoever tests has asked AWS for is not what the tests count with."""
    monkeypatch.setenv("CLOUDBENCH_PRICES", "/dev/null/none")


@pytest.fixture(scope="session")
def running() -> Iterator[AwsServer]:
    """The server, with whatever the test before has left in it."""
    with AwsServer() as server:
        yield server


@pytest.fixture
def server(running: AwsServer, monkeypatch: pytest.MonkeyPatch) -> AwsServer:
    """An empty account that the environment leads to."""
    running.reset()
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    return running
