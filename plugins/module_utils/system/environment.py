# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of programs that are measured: little of the host's, and what a person sets on purpose.

OpenMP, malloc, the loader and llama.cpp itself take settings from variables (OMP_*, GOMP_*, KMP_*, GGML_*, MALLOC_*,
LD_PRELOAD, LLAMA_ARG_*), so that a shell's leftovers would be part of a figure without being on record. What is kept is
a list: nobody has to know the names that the next version reads.
"""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List, Mapping, Optional

# What programs need to start and to write. LC_* is kept beside them.
KEPT = ("HOME", "LANG", "PATH", "TMPDIR")
# Where the loader looks for libraries first.
LIBRARIES = "LD_LIBRARY_PATH"

# Longer than any setting is, and short enough for a record.
_LONGEST = 4096

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)
_LOGIN = re.compile(r"://[^/\s]*@")


class EnvironmentRefused(ValueError):
    """Variables that cannot be set for programs; the message names the variable, the rule and the remedy."""


def inherited(host: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """Return what a measured program gets of an environment, of this process's when none is given."""
    variables = os.environ if host is None else host
    return {name: value for name, value in variables.items() if name in KEPT or name.startswith("LC_")}


def libraries(host: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """Return where an environment, this process's when none is given, has the loader look: nothing where it is silent.

    For programs that are not measured, which only have to start.
    """
    variables = os.environ if host is None else host
    return {name: value for name, value in variables.items() if name == LIBRARIES}


def checked(given: Any, variable: str) -> Dict[str, str]:
    """Return the variables of a mapping that a person gave, in the order of their names; a whole number becomes text.

    `variable` is where they were given. What looks like a secret is refused, because all of it is published with the
    figures. Raises EnvironmentRefused, which says no value.
    """
    if not isinstance(given, Mapping):
        raise EnvironmentRefused("%s is a mapping of names to values, not %s" % (variable, type(given).__name__))
    texts: Dict[str, str] = {}
    for name in sorted(given, key=str):
        if not isinstance(name, str) or not _NAME.match(name):
            raise EnvironmentRefused(
                "%s has %.60r, which is no name of a variable: use letters, digits and '_', the first no digit"
                % (variable, name)
            )
        value = given[name]
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str):
            raise EnvironmentRefused(
                "%s.%.60s is a text, not %s: write it in quotes" % (variable, name, _type_name(value))
            )
        if len(text) > _LONGEST or not text.isprintable():
            raise EnvironmentRefused(
                "%s.%.60s is one line of at most %d characters: shorten it, or take out what cannot be printed"
                % (variable, name, _LONGEST)
            )
        if _SECRET.search(name) or _LOGIN.search(text):
            raise EnvironmentRefused(
                "%s.%.60s looks like a secret, and what programs are measured with is published with their figures: "
                "leave it out" % (variable, name)
            )
        texts[name] = text
    return texts


def _type_name(value: Any) -> str:
    names = {bool: "a truth value", float: "a number with a point", type(None): "nothing"}
    return names.get(type(value), "a %s" % type(value).__name__)


def assignments(variables: Mapping[str, str]) -> List[str]:
    """Return variables as `NAME=value`, in the order of their names."""
    return ["%s=%s" % pair for pair in sorted(variables.items())]
