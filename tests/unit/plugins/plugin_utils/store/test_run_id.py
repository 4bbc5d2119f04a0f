# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import run_id
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.records import component
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.run_id import RunError, begin_run, current_run


def test_a_run_has_one_id_for_all_that_ask(monkeypatch):
    monkeypatch.setenv(run_id.VARIABLE, "")
    monkeypatch.setattr(run_id.time, "gmtime", lambda: (2026, 11, 23, 15, 55, 23, 0, 327, 0))
    run = begin_run()
    assert re.fullmatch(r"20261123T155523Z-[0-9a-f]{4}", run)
    assert current_run() == begin_run() == run
    assert component(run, "run id") == run
    others = set()
    for _again in range(9):
        monkeypatch.setenv(run_id.VARIABLE, "")
        others.add(begin_run())
    assert len(others) > 1, "two runs in one second have different ids"


def test_a_run_that_was_named_is_taken_up_again(monkeypatch):
    monkeypatch.setenv(run_id.VARIABLE, "nightly-7")
    assert (begin_run(), current_run()) == ("nightly-7", "nightly-7")


def test_without_the_callback_there_is_no_run(monkeypatch):
    monkeypatch.delenv(run_id.VARIABLE, raising=False)
    with pytest.raises(RunError, match=r"callbacks_enabled = cloudbench\.llama\.bench_report"):
        current_run()


@pytest.mark.parametrize("run", ["../x", "-x", "a b", "a/b", "a.jsonl", "x\n", "$(id)", "r\u00f6", "a" * 65])
def test_an_id_that_is_no_file_name_is_refused(monkeypatch, run):
    monkeypatch.setenv(run_id.VARIABLE, run)
    for ask in (begin_run, current_run):
        with pytest.raises(RunError, match="in CLOUDBENCH_RUN becomes a file name"):
            ask()


class TestGoingOn:
    """A run that did not come to its end is gone on with by the same command, and by no other."""

    @pytest.fixture(autouse=True)
    def no_id(self, monkeypatch):
        # Set, so that what a test leaves there is taken back.
        monkeypatch.setenv(run_id.VARIABLE, "")

    @staticmethod
    def interrupted(directory, asked="same", run="20261126T120000Z-0001", **changes):
        """Leave the note of a run whose process has ended."""
        ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        run_id.note_unfinished(directory, run, asked)
        path = directory / ".unfinished.json"
        note = {**json.loads(path.read_text()), "pid": int(ended.stdout), **changes}
        path.write_text(json.dumps(note))
        return path

    def test_the_same_command_goes_on(self, tmp_path):
        self.interrupted(tmp_path)
        run, said = run_id.go_on(tmp_path, "same")
        assert run == os.environ[run_id.VARIABLE] == "20261126T120000Z-0001"
        assert "which was interrupted; CLOUDBENCH_RUN=new begins another" in said

    def test_another_command_begins_another_run_and_says_how_to_go_on(self, tmp_path):
        self.interrupted(tmp_path)
        run, said = run_id.go_on(tmp_path, "other")
        assert run != "20261126T120000Z-0001"
        assert "CLOUDBENCH_RUN=20261126T120000Z-0001 goes on with it" in said

    @pytest.mark.parametrize(("given", "run"), [("new", None), ("mine", "mine")])
    def test_whoever_names_a_run_gets_it(self, tmp_path, monkeypatch, given, run):
        self.interrupted(tmp_path)
        monkeypatch.setenv(run_id.VARIABLE, given)
        begun, said = run_id.go_on(tmp_path, "same")
        assert begun not in ("new", "20261126T120000Z-0001")
        assert run in (None, begun)
        assert said is None

    def test_a_run_that_still_runs_is_left_alone(self, tmp_path):
        run_id.note_unfinished(tmp_path, "20261126T120000Z-0001", "same")
        assert run_id.unfinished(tmp_path) is None
        # A later process that happens to have its number is another one.
        self.interrupted(tmp_path, pid=os.getpid(), started="1")
        assert run_id.unfinished(tmp_path)["run"] == "20261126T120000Z-0001"

    def test_an_old_note_is_forgotten(self, tmp_path):
        path = self.interrupted(tmp_path)
        os.utime(path, (0, time.time() - 8 * 24 * 3600))
        assert run_id.unfinished(tmp_path) is None

    @pytest.mark.parametrize(
        "content",
        [
            "", "{", "[]", "null", '{"run": 1}', '{"run": "../x", "pid": 1, "started": "1"}',
            '{"run": "0", "pid": "\\uda00", "started": ""}', '{"run": "0", "pid": true, "started": "1"}',
        ],
    )  # fmt: skip
    def test_a_note_that_is_none_is_ignored(self, tmp_path, content):
        (tmp_path / ".unfinished.json").write_text(content)
        assert run_id.unfinished(tmp_path) is None
        run_id.forget_unfinished(tmp_path, "x")
        assert run_id.go_on(tmp_path, "same")[1] is None

    def test_only_the_run_itself_takes_its_note_away(self, tmp_path):
        path = self.interrupted(tmp_path)
        run_id.forget_unfinished(tmp_path, "20261126T120000Z-0002")
        assert path.exists()
        run_id.forget_unfinished(tmp_path, "20261126T120000Z-0001")
        assert not path.exists()

    def test_a_directory_that_takes_no_note_stops_no_run(self, tmp_path):
        (tmp_path / "file").write_text("")
        run_id.note_unfinished(tmp_path / "file", "20261126T120000Z-0001", "same")
        assert run_id.unfinished(tmp_path / "file") is None
