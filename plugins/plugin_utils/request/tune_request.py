# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a search for the best configuration is asked for, beside the request of its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import Cell
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.space import MEMORY, SpaceError, checked_space
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import did_you_mean
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import (
    RequestError,
    RunRequest,
    Variable,
    parse_test,
    read,
)

PROMPTS, GENERATION, USERS = "prompts", "generation", "users"
OBJECTIVES = (PROMPTS, GENERATION, USERS, MEMORY)

# As run_request.VARIABLES: one table, to which a test holds the role.
VARIABLES: Mapping[str, Variable] = {
    "objectives": Variable(
        "llama_bench_tune_objectives",
        {"type": "list", "elements": "str", "default": [PROMPTS, GENERATION, USERS]},
    ),
    "users": Variable("llama_bench_tune_users", {"type": "int", "default": 4}, least=1),
    "memory_gib": Variable("llama_bench_tune_memory_gib", {"type": "float", "default": 0}, least=0),
    "minutes": Variable("llama_bench_tune_minutes", {"type": "float", "default": 60}, least=0),
    "space": Variable("llama_bench_tune_space", {"type": "dict", "default": {}}),
}


@dataclass(frozen=True)
class TuneRequest:
    """What a search is asked for, checked as far as no machine is needed for that.

    `objectives`, each once, in the order given; `limit_bytes` is the limit of MEMORY, None without one; `minutes` 0 is
    no limit; `asked` is everything as it was given, by field.
    """

    objectives: tuple[str, ...]
    users: int
    limit_bytes: int | None
    minutes: float
    space: Mapping[str, list[Any]]
    asked: Mapping[str, Any]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> TuneRequest:
        """Return the request of values by field; what is not named is asked for as by default. Raises RequestError."""
        for field in values:
            if field not in VARIABLES:
                hint = did_you_mean(field, VARIABLES)
                raise RequestError(f"a search is not asked for by {field!r:.60}, but by {', '.join(VARIABLES)}{hint}")
        given = {field: variable.specification["default"] for field, variable in VARIABLES.items()} | dict(values)
        asked = {field: read(VARIABLES[field], value) for field, value in given.items()}
        name = VARIABLES["objectives"].name
        for objective in asked["objectives"]:
            if objective not in OBJECTIVES:
                hint = did_you_mean(objective, OBJECTIVES)
                raise RequestError(f"{name} has {objective!r:.40}: choose from {', '.join(OBJECTIVES)}{hint}")
        objectives = list(dict.fromkeys(asked["objectives"]))
        limit, limit_name = asked["memory_gib"], VARIABLES["memory_gib"].name
        if MEMORY in objectives and not limit:
            raise RequestError(f"{name} has {MEMORY}, which needs a limit: set {limit_name} to a number of GiB above 0")
        if limit and MEMORY not in objectives:
            objectives.append(MEMORY)
        if not objectives:
            raise RequestError(f"{name} is empty: name one or more of {', '.join(OBJECTIVES)}")
        try:
            space = checked_space(asked["space"])
        except SpaceError as error:
            raise RequestError(f"{VARIABLES['space'].name}: {error}") from error
        # However little is asked for, it is a limit.
        bytes_most = max(int(limit * 2**30), 1) if limit else None
        return cls(tuple(objectives), asked["users"], bytes_most, asked["minutes"], space, asked)

    def test(self, objective: str, request: RunRequest) -> Cell:
        """Return the fields of a cell of the test that an objective is judged by. Raises RequestError."""
        tests = {PROMPTS: "pp512", USERS: f"serve128+64@c{self.users}"}
        return parse_test(tests.get(objective, "tg128"), request.settings)

    def variables(self) -> dict[str, Any]:
        """Return the role variables that ask for the same again."""
        return {row.name: self.asked[field] for field, row in VARIABLES.items()}
