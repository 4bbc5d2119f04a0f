# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds: where the programs that were measured come from, and how they were compiled."""

from __future__ import annotations

from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import BY_NAME
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import facts, markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, SideBySide, View

_NONE = markdown.text("No build is on record for this page.")


def _section(view: View) -> Section:
    builds = parts.builds(view.run, view.cells, view.launches)
    blocks = [block for build in builds for block in _blocks(build)]
    return Section("Build", blocks or [_NONE])


def _blocks(build: Payload) -> list[Markdown]:
    """Return the facts of a build, its warnings, what it leaves unused, and what is long in a closed block."""
    unused = build.get("cpu_features_unused") or []
    detail = _detail(build)
    blocks = [facts.table("Build", build["name"], _facts(build))]
    blocks += [markdown.alert("WARNING", parts.sentence(said)) for said in build.get("warnings") or [] if said]
    if unused:
        names = markdown.join(markdown.code(name) for name in unused)
        blocks.append(
            Markdown(f"The processor has {names}, and this build does not use that: it may be slower than need be.")
        )
    if detail:
        blocks.append(markdown.details("Flags, system_info and digests", detail))
    return blocks


def _facts(build: Payload) -> list[tuple[str, object]]:
    source = build.get("source") or {}
    return [
        ("Engine", build.get("engine")),
        ("Source", source.get("name")),
        ("Kind", source.get("type")),
        ("Version", source.get("version")),
        ("Commit", markdown.code(source["commit"]) if source.get("commit") else None),
        ("Digest", source.get("digest")),
        ("URL", markdown.code(source["url"]) if source.get("url") else None),
        ("Licence", build.get("licence")),
        ("Provenance", markdown.lines(*build["provenance"]) if build.get("provenance") else None),
        # Of a build of ours the source says it.
        ("Build number", str(build["build_number"]) if build.get("build_number") and not build.get("way") else None),
        ("Compiler", build.get("compiler")),
        ("CMake", build.get("cmake")),
        ("Compiled", parts.compiled(build)),
        ("Flags of the kernels", _flags(build)),
        ("Core", markdown.code(build["core"]) if build.get("core") else None),
        ("-march", markdown.code(build["march"]) if build.get("march") else None),
        ("Uses of the processor", ", ".join(build.get("cpu_features") or [])),
        ("Reads of the removed types", ", ".join(_removed_types(build))),
        ("Fingerprint", markdown.code(build["id"])),
    ]


def _detail(build: Payload) -> Markdown:
    system_info = (piece.strip() for piece in (build.get("system_info") or "").split("|"))
    digests = [f"{digest}  {name}" for name, digest in sorted((build.get("binaries") or {}).items())]
    return facts.blocks(
        (
            ("CMake arguments", "\n".join(build.get("cmake_arguments") or [])),
            ("system_info", "\n".join(filter(None, system_info))),
            (
                "SHA-256 of the source and the binaries",
                "\n".join(filter(None, (_digest(build.get("source") or {}), *digests))),
            ),
        )
    )


def _flags(build: Payload) -> Markdown | None:
    """Return the flags with which the kernels were compiled, of a build that says where it was compiled."""
    flags = build.get("compile_flags")
    return markdown.code(" ".join(flags)) if flags and build.get("way") else None


def _removed_types(build: Payload) -> list[str]:
    """Return the file types that llama.cpp has removed since and this build still reads."""
    return [name for name in build.get("file_types") or [] if name in BY_NAME and BY_NAME[name].legacy]


def _digest(source: Payload) -> str | None:
    return f"{source['sha256']}  {source.get('name') or 'source'}" if source.get("sha256") else None


def _side_by_side(view: SideBySide) -> Section:
    """Return what the builds are, a line each; the page of a quantization has all of it."""
    builds = parts.builds(view.run, [row.cell for row in view.rows], view.launches)
    if not builds:
        return Section("Builds", [_NONE])
    columns = [("Build", LEFT), ("Source", LEFT), ("Compiler", LEFT), ("-march", LEFT)]
    lines = []
    for build in builds:
        source, compiled = build.get("source") or {}, parts.compiled(build)
        lines.append(
            [
                build["name"],
                markdown.lines(source.get("name"), markdown.code(source["commit"]) if source.get("commit") else None),
                markdown.lines(build.get("compiler"), markdown.small(compiled) if compiled else None) or None,
                markdown.code(build["march"]) if build.get("march") else None,
            ]
        )
    return Section("Builds", [markdown.table(columns, lines)])


SUBJECT = Subject(name="build", section=_section, compared_section=_side_by_side)
