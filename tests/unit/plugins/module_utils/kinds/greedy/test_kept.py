# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a base answered is read again as it was written, and never when it is another's or broken."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.greedy import kept
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.greedy.answers import Answer, Piece

OF = {"build": "b", "model": "m", "prompts": "p", "n_gen": 2, "threads": 1, "threads_batch": 1}
ANSWERS = [
    Answer(5, 2, [7, 8], [Piece(" √", 1), Piece("", 1)], " √", True),
    Answer(6, 2, None, [Piece("a", 1), Piece("b", 1)], "ab", False),
]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(kept, "HOME", str(tmp_path))
    return tmp_path


def test_answers_come_back_as_they_were_kept():
    assert kept.read(OF) is None
    kept.keep(OF, ANSWERS)
    assert kept.read(OF) == ANSWERS
    assert kept.read({**OF, "threads": 2}) is None
    # No draft is left behind.
    assert os.listdir(os.path.dirname(kept.path_of(OF))) == [os.path.basename(kept.path_of(OF))]


@pytest.mark.parametrize("broken", ["", "{", "[]", "null", '{"of": {}}', '{"of": 1, "answers": 1, "digest": 1}'])
def test_a_broken_file_is_no_answer(broken):
    kept.keep(OF, ANSWERS)
    Path(kept.path_of(OF)).write_text(broken, encoding="utf-8")
    assert kept.read(OF) is None


def test_an_answer_that_was_changed_is_none():
    kept.keep(OF, ANSWERS)
    path = Path(kept.path_of(OF))
    known = json.loads(path.read_text("utf-8"))
    known["answers"][0]["ids"][0] = 9
    path.write_text(json.dumps(known), encoding="utf-8")
    assert kept.read(OF) is None


def test_what_cannot_be_written_leaves_no_draft(monkeypatch):
    def full(*_given: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(kept.os, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        kept.keep(OF, ANSWERS)
    assert os.listdir(os.path.dirname(kept.path_of(OF))) == []
