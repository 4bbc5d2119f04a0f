# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.system import last_look
from ansible_collections.cloudbench.llama.plugins.module_utils.system.last_look import LastLook


@pytest.fixture
def clocks(monkeypatch, tmp_path):
    """Two clocks, of which one can be set, and how a controller looks."""
    path = tmp_path / "run.seen"
    state = SimpleNamespace(path=str(path), monotonic=1000.0, wall=1.8e9)

    def look():
        os.utime(path, (state.wall, state.wall))

    def later(seconds):
        state.monotonic += seconds
        state.wall += seconds

    state.look, state.later = look, later
    stand_in = SimpleNamespace(monotonic=lambda: state.monotonic, time=lambda: state.wall)
    monkeypatch.setattr(last_look, "time", stand_in)
    return state


def test_it_counts_from_the_last_look(clocks):
    looked = LastLook(clocks.path)
    clocks.later(100)
    assert looked.seconds() == pytest.approx(100)
    clocks.look()
    clocks.later(30)
    assert looked.seconds() == pytest.approx(30)
    clocks.later(200)
    assert looked.seconds() == pytest.approx(230)


@pytest.mark.parametrize("jump", [3600, -3600, 1e8])
def test_a_clock_that_is_set_makes_no_controller_disappear(clocks, jump):
    looked = LastLook(clocks.path)
    clocks.later(10)
    clocks.look()
    clocks.wall += jump
    clocks.later(5)
    assert 0 <= looked.seconds() <= 15
    # Before the next look, and after it.
    clocks.later(15)
    assert looked.seconds() <= 30
    clocks.look()
    clocks.later(15)
    assert looked.seconds() == pytest.approx(15)


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_controller_that_is_gone_is_gone_whatever_the_clock_says(clocks, jump):
    looked = LastLook(clocks.path)
    clocks.wall += jump
    clocks.later(121)
    assert looked.seconds() == pytest.approx(121)


def test_a_file_that_is_gone_is_an_error(clocks):
    looked = LastLook(clocks.path)
    os.unlink(clocks.path)
    with pytest.raises(OSError, match=r"run\.seen"):
        looked.seconds()
