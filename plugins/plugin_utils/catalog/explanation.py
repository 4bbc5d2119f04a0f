# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance type of EC2 is, and the exact CMake line it gets, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import builds, processors

# The role adds one program to llama.cpp's own build, which prints what the library was compiled for.
_PROGRAM = "-DCMAKE_PROJECT_llama.cpp_INCLUDE=programs/programs.cmake"


def explanation(
    instance_type: str,
    gcc: int | None,
    entries: Sequence[Any],
    defaults: Mapping[str, Any],
    base: Mapping[str, Any],
    targets: Sequence[str],
) -> list[str]:
    """Return the lines for a person; `gcc` is the major version that compiles, None for one that is new enough.

    The other arguments are those of builds.resolve() and builds.configure(). Raises CatalogError and BuildError.
    """
    listed = processors.instance_type(instance_type)
    machine = machine_of(listed)
    lines = processors.description(listed)
    lines.append("compiler: gcc " + (str(gcc) if gcc else "new enough for this processor"))
    for entry in entries:
        for way in ("native", "cross"):
            variant = builds.resolve(entry, {**defaults, "way": way}, machine["architecture"])
            # Cross: as from a machine of the other architecture, which is the general case.
            prefix = builds.TRIPLES[machine["architecture"]] + "-" if way == "cross" else ""
            triple = builds.TRIPLES[machine["architecture"]]
            kind = variant["compiler"] or "gcc"
            toolchain = {"kind": kind, "major": gcc if kind == "gcc" else None, "prefix": prefix, "triple": triple}
            try:
                made = builds.configure(variant, variant["source"], machine, toolchain, base, targets)
            except builds.BuildError as error:
                if listed.core and variant["compiler"] != "clang":
                    raise
                lines.append(f"build {variant['name']}, {way}: {error}")
                continue
            where = "compiled on the instance" if way == "native" else "compiled on another machine and shipped"
            lines.append(f"build {variant['name']}, {way} ({where}):")
            lines.append("  " + builds.command_line([*made.arguments, _PROGRAM]))
            lines += [f"  because {reason}" for reason in made.why]
            lines += [f"  WARNING {warning}" for warning in made.warnings]
    return lines


def machine_of(listed: processors.InstanceType) -> dict[str, Any]:
    """Return what of a machine record an instance type already tells."""
    core = processors.core(listed.core) if listed.core else None
    machine: dict[str, Any] = {
        "name": listed.name,
        "architecture": listed.architecture,
        "cpu_features": [*core.flags, *core.also] if core else [],
        "instance": {"type": listed.name},
    }
    return dict(machine, processor=processors.recognise(machine))
