# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table that somebody has changed is read, or named with what is wrong in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import (
    builds,
    prices,
    processors,
    published,
    speeds,
    yaml_file,
)

FOLDER = Path(yaml_file.__file__).parent
PARSERS: dict[str, Callable[[Any], Any]] = {
    "builds": builds.parse, "prices": prices.parse, "processors": processors.parse, "published": published.parse,
    "speeds": speeds.parse,
}  # fmt: skip


@pytest.mark.parametrize("name", PARSERS)
def test_the_tables_that_ship_are_whole(name: str) -> None:
    assert yaml_file.read(FOLDER / f"{name}.yml", PARSERS[name])


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize(
    "text", ["", "[]", "a: b: c", "\t", "{", "- 2026-13-45", "12", "\x01", "&a [*a]", "a: 1", "[" * 5000], ids=ascii
)
def test_a_damaged_table_is_named_with_the_remedy(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.yml"
    path.write_text(text, "utf-8")
    with pytest.raises(
        yaml_file.DamagedTableError, match=rf"{path} is damaged \(.*: take back what was changed"
    ) as told:
        yaml_file.read(path, PARSERS[name])
    assert len(str(told.value)) < 600


def test_a_row_that_lacks_a_field_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "processors.yml"
    text = (FOLDER / "processors.yml").read_text("utf-8")
    path.write_text(text.replace("threads_per_core", "threads_of_core", 1), "utf-8")
    with pytest.raises(yaml_file.DamagedTableError, match="threads_of_core"):
        yaml_file.read(path, processors.parse)
