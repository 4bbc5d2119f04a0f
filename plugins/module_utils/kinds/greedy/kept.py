# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a base answered, on the disk of the measured host: asked once, and read by every run that compares with it."""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.greedy.answers import Answer, Piece
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope, json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME

# From process.HOME.
DIRECTORY = os.path.join(".cache", "cloudbench", "greedy")


def path_of(of: Mapping[str, Any]) -> str:
    """Return where the answers of a base are kept; `of`: all that they depend on."""
    return os.path.join(HOME, DIRECTORY, envelope.digest(dict(of)) + ".json")


def read(of: Mapping[str, Any]) -> Optional[List[Answer]]:
    """Return the answers of a base, None where they are not on the disk, whole and of this base."""
    try:
        with open(path_of(of), encoding="utf-8") as file:
            known = json_text.loads(file.read())
        if known["of"] != of or known["digest"] != envelope.digest([known["of"], known["answers"]]):
            return None
        return [
            Answer(**dict(answer, pieces=[Piece(*piece) for piece in answer["pieces"]])) for answer in known["answers"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(of: Mapping[str, Any], answers: List[Answer]) -> None:
    """Write the answers of a base, whole or not at all. Raises OSError."""
    kept: List[Dict[str, Any]] = [
        dict(answer._asdict(), pieces=[list(piece) for piece in answer.pieces]) for answer in answers
    ]
    path = path_of(of)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".answers-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"of": of, "answers": kept, "digest": envelope.digest([of, kept])}, file)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
