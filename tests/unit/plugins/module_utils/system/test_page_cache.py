# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page cache, of a real file on this machine's disk."""

from __future__ import annotations

import mmap
import tempfile
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.system import page_cache

SIZE = 8 << 20


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * SIZE)
    if page_cache.drop(str(path)) > 0.5:
        pytest.skip(f"{tempfile.gettempdir()} lies in memory, so nothing can be dropped from its cache")
    return path


def test_a_file_is_dropped_and_read_again(file):
    assert page_cache.drop(str(file)) == 0.0
    assert page_cache.read_through(str(file)) > 0
    # A kernel that reclaims of its own accord may have taken single pages back by now.
    assert page_cache.resident_share(str(file)) > 0.99
    assert page_cache.drop(str(file)) == 0.0


def test_a_part_is_a_share(file):
    page_cache.drop(str(file))
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), SIZE, prot=mmap.PROT_READ) as mapped:
        mapped.madvise(mmap.MADV_RANDOM)
        _touched = [mapped[offset] for offset in range(0, SIZE // 4, mmap.PAGESIZE)]
        share = page_cache.resident_share(str(file))
    assert 0.2 < share < 0.9


def test_what_is_empty_or_not_there(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    assert page_cache.resident_share(str(tmp_path / "empty")) == 1.0
    with pytest.raises(OSError, match="none"):
        page_cache.drop(str(Path(tmp_path, "none")))
