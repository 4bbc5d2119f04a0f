# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of this room: all kinds of measurement, and which of them a test or a cell is of."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Dict, List

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.agree.kind import KIND as AGREE
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.batch.kind import KIND as BATCH
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.bench.kind import KIND as BENCH
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.greedy.kind import KIND as GREEDY
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import Cell, Kind
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.load.kind import KIND as LOAD
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.quality.kind import KIND as QUALITY
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.serve.kind import KIND as SERVE

__all__ = [
    "AGREE", "BATCH", "BENCH", "GREEDY", "KINDS", "LOAD", "QUALITY", "SERVE", "WorkloadError", "headline", "headlines",
    "kind_of", "lower_is_better", "parse_test",
]  # fmt: skip

# In the order in which a page has them; llama-bench comes first.
KINDS: Dict[str, Kind] = {kind.name: kind for kind in (BENCH, SERVE, BATCH, LOAD, QUALITY, AGREE, GREEDY)}


class WorkloadError(ValueError):
    """A test's name that says nothing; the message names it, the rule and the remedy."""


def parse_test(text: Any) -> Cell:
    """Return the fields of a cell that a test's name stands for; see Kind.parse. Raises WorkloadError."""
    name = str(text)
    for kind in KINDS.values():
        fields = kind.parse(name)
        if fields is not None:
            return fields
    raise WorkloadError(
        "%.60r is no test: write %s, such as %s" % (text, _listed([kind.forms for kind in KINDS.values()]), _examples())
    )


def _listed(forms: List[str]) -> str:
    return "%s; or %s" % ("; ".join(forms[:-1]), forms[-1])


def _examples() -> str:
    examples = [example for kind in KINDS.values() for example in kind.examples]
    return "%s or %s" % (", ".join(examples[:-1]), examples[-1])


def kind_of(cell: Cell) -> Kind:
    """Return the kind of a cell's test. What no kind knows, as from a later version, is taken for llama-bench's."""
    return _kind_of(cell["test"])


@lru_cache(maxsize=4096)
def _kind_of(test: str) -> Kind:
    return next((kind for kind in KINDS.values() if kind.parse(test) is not None), BENCH)


def headline(cell: Cell) -> str:
    """Return the name of the metric that stands for a cell."""
    return kind_of(cell).headline(cell)


def headlines() -> List[str]:
    """Return the names of all metrics that can stand for a cell."""
    return [name for kind in KINDS.values() for name in kind.headlines]


def lower_is_better(metric: str) -> bool:
    """Say whether less of a metric that stands for cells is better."""
    return any(metric in kind.lower_is_better for kind in KINDS.values())
