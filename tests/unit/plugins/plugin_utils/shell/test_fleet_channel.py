# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell import fleet_channel
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.fleet_channel import VARIABLE, Channel, tell


@pytest.fixture
def channel(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    opened = Channel()
    yield opened
    opened.close()
    assert VARIABLE not in os.environ


def test_what_a_forked_worker_tells_is_heard(channel):
    pid = os.fork()
    if not pid:
        tell("one", 12.5)
        tell("two", None)
        os._exit(0)
    os.waitpid(pid, 0)
    assert list(channel.told(5)) == [("one", 12.5), ("two", None)]
    assert list(channel.told(0)) == []


def test_nobody_waits_for_whoever_does_not_listen(channel):
    for number in range(20_000):
        tell("a host with a long name", float(number))
    heard = 0
    while lines := list(channel.told(0)):
        heard += len(lines)
    assert 0 < heard < 20_000
    tell("one", 1.0)
    # A line that was cut off by the end of a read is joined to its rest.
    assert list(channel.told(1)) == [("one", 1.0)]


@pytest.mark.parametrize("given", ["", "no number", "99999"])
def test_without_a_listener_nothing_is_told(monkeypatch, given):
    monkeypatch.setenv(VARIABLE, given)
    tell("one", 1.0)


def test_a_line_that_would_not_be_whole_is_not_told(channel):
    tell("x" * fleet_channel.select.PIPE_BUF, 1.0)
    assert list(channel.told(0)) == []
