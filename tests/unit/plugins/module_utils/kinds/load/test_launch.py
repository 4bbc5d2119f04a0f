# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that was dropped from the page cache stays cold until the server reads it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.load import launch as loading
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.server import ServerError


def test_nothing_reads_the_file_between_its_drop_and_the_cold_start(monkeypatch):
    done: list[str] = []

    class Broken:
        def __init__(self, *_arguments: Any) -> None:
            done.append("start")

        def __enter__(self) -> Any:
            raise ServerError("it does not start", "advice")

        def __exit__(self, *_exception: object) -> None: ...

    def tokens_of(_path: str) -> list[int]:
        done.append("header")
        return [7]

    monkeypatch.setattr(loading, "Server", Broken)
    monkeypatch.setattr(loading, "tokens_of", tokens_of)
    monkeypatch.setattr(loading.page_cache, "drop", lambda _path: done.append("drop") or 0.0)
    monkeypatch.setattr(loading.page_cache, "read_through", lambda _path: done.append("read") or 1.0)
    cell = {"model": "m", "quantization": "Q4_0", "build": "default", "threads": 2, **registry.parse_test("load")}
    job = Job(cell, "bin", "m.gguf", {"id": "b", "name": "default"}, {"id": "m"})
    with pytest.raises(LaunchFailed, match="it does not start"):
        loading.launch(job, LaunchSettings(time_limit=60.0))
    assert done == ["header", "drop", "read", "drop", "start"]
