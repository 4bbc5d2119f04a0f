# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.system.disk import SpaceError, require_space, size


def test_room_is_looked_for_where_the_directory_is_going_to_be(tmp_path):
    require_space(str(tmp_path / "not" / "there" / "yet"), 1, "a model")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SpaceError, match=r"^a model: needs .*\(1000000000000\.00 GB\), but only ") as caught:
        require_space(str(tmp_path / "not" / "there" / "yet"), 10**21, "a model")
    assert f"are free in {tmp_path}; free space there" in str(caught.value)


def test_a_size_is_exact_and_readable():
    assert size(500000000) == "500,000,000 bytes (0.50 GB)"
