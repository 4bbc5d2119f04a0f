# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of before registry.py, for what has not moved to it yet."""

from __future__ import annotations

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import cell, registry

BENCH, SERVE, BATCH, LOAD = registry.KINDS
LADDER, TWIN, BY_LADDER = cell.LADDER, cell.TWIN, cell.BY_LADDER
KINDS = registry.KINDS
HEADLINES = tuple(registry.headlines())
LOWER_IS_BETTER = tuple(name for name in HEADLINES if registry.lower_is_better(name))
WorkloadError = registry.WorkloadError
parse_test = registry.parse_test
headline = registry.headline


def kind(cell_):
    return registry.kind_of(cell_).name


def precision(cell_):
    return registry.kind_of(cell_).precision
