# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a build beside what the catalog says."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.cloudbench.llama.plugins.action.llama_cpp_configuration import ActionModule
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import builds, explanation, processors

OTHER = "kleidiai.tar.xz is KleidiAI 1.32.0, where llama.cpp's CMake names 1.24.0"


@pytest.mark.parametrize("warnings", [[], [OTHER]])
def test_a_warning_that_is_handed_in_is_shown_and_recorded_after_the_others(warnings):
    shown: list[str] = []
    action = object.__new__(ActionModule)
    action._display = SimpleNamespace(warning=shown.append)
    defaults = {"source_type": "pypi", "version": "11434.0.0", "cmake_options": {}, "way": "native"}
    machine = explanation.machine_of(processors.instance_type("c8g.16xlarge"))
    arguments = {
        "variant": builds.resolve("kleidiai", defaults, "aarch64"),
        "source": {"sha256": "0" * 64},
        "machine": {**machine, "name": "gv4"},
        "toolchain": {"compiler": "gcc 12.2.0", "march": "armv9-a+i8mm"},
        "cmake_options": {},
        "targets": ["llama-bench"],
        "programs": None,
    }
    before = action.work({**arguments, "warnings": []}, {})["configuration"]["warnings"]
    shown.clear()
    made = action.work({**arguments, "warnings": warnings}, {})["configuration"]
    assert made["warnings"] == [*before, *warnings]
    assert shown == [f"gv4: build kleidiai: {warning}" for warning in made["warnings"]]
