# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of many machines at once: each machine's become what importing them by themselves would give.

A file that was named must hold results. One that a directory or pattern brought, or whose machine is contradicted by
others of its name, is skipped, and said with its reason; when nothing is left, the import fails.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.progress import Tell, watched
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.metrics import plural
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import files, instance, names, sources
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.files import File, Imported
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.forms import ImportFailed
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.sources import Source
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

# So many files have a line each; more of the same reason share one.
_MOST_LINES = 3
_MOST_NAMED = 5


class Asked(NamedTuple):
    """What an import is asked for: words of files, and what is said of what stands in them.

    `machine_from` is the place of the machine's name, a `way` of sources.py, "" where it does not stand in the path.
    """

    words: Sequence[str]
    machine: str = ""
    machine_from: str = ""
    model: str = ""
    threads: int = 0
    region: str = ""


class Skipped(NamedTuple):
    """A file that was not imported, and why."""

    path: str
    reason: str


class _Group(NamedTuple):
    """The files that are imported together, and what they come to."""

    files: list[File]
    imported: Imported


class Outcome(NamedTuple):
    """What an import comes to beside the records that are there.

    `fresh` are the records that are not on record yet, `imported` and `present` the paths of the files whose records
    are new and of those that were imported before; `problems` is what was left out of these files.
    """

    fresh: list[dict[str, Any]]
    machines: list[str]
    runs: list[str]
    # Relative to the results directory.
    pages: list[str]
    imported: list[str]
    present: list[str]
    skipped: list[Skipped]
    problems: list[str]


def collect(asked: Asked, results_dir: str, tell: Tell | None = None) -> Outcome:
    """Return what the files come to that are asked for; `tell` hears how far it is where that takes long.

    Raises ImportFailed, and what records.read() raises.
    """
    if not asked.words:
        raise ImportFailed("no file was named: name at least one, a directory or a pattern (FILES='data/*/stdout')")
    if asked.machine and asked.machine_from:
        raise ImportFailed(
            f"MACHINE={asked.machine:.80} names one machine and MACHINE_FROM={asked.machine_from:.40} one for each "
            "file: give one of the two"
        )
    if asked.machine_from:
        sources.check_way(asked.machine_from)
    instance.check_region(asked.region)
    meant = sources.sources(asked.words)
    skipped: list[Skipped] = []
    read = _read(meant, skipped, tell)
    groups = _groups(read, asked, {source.path for source in meant if source.named}, skipped)
    outcome = Outcome([], [], [], [], [], [], skipped, [])
    pages: set[str] = set()
    for group in watched(groups, len(groups), "looking for what is on record already, machines", tell):
        known = [
            record
            for machine in group.imported.machines
            for record in records.read(results_dir, machine=machine).records
        ]
        try:
            files.refuse_other_processor(group.imported, known)
        except ImportFailed as error:
            if not asked.machine_from:
                raise
            skipped += [Skipped(file.path, str(error)) for file in group.files]
            continue
        _add(outcome, _without_known(group, known, asked), known)
        pages |= {
            summary.page_path(record["machine"], record["payload"]["cell"])
            for record in group.imported.records
            if record["kind"] == "launch"
        }
    if not outcome.runs:
        raise ImportFailed("\n".join(["nothing is left to import", *lines_of(skipped)]))
    outcome.pages.extend(sorted(pages))
    outcome.problems.extend(filter(None, map(instance.remark, _names(asked, groups))))
    return outcome


def _without_known(group: _Group, known: Sequence[dict[str, Any]], asked: Asked) -> _Group:
    """Return a group without what is on record of other files already; one that is on record itself as it is."""
    if not known or group.imported.run in {record["run"] for record in known}:
        return group
    path = group.files[0].path
    name = sources.machine_of(path, asked.machine_from) if asked.machine_from else asked.machine
    return group._replace(imported=_imported(group.files, name, asked, known))


def _add(outcome: Outcome, group: _Group, known: Iterable[dict[str, Any]]) -> None:
    there = {record["machine"] for record in known if record["run"] == group.imported.run}
    fresh = [record for record in group.imported.records if record["machine"] not in there]
    outcome.fresh.extend(fresh)
    outcome.machines.extend(group.imported.machines or sorted({record["machine"] for record in known}))
    # What is of other files altogether became theirs.
    runs = [group.imported.run] if group.imported.machines else sorted({record["run"] for record in known})
    outcome.runs.extend(runs)
    (outcome.imported if fresh else outcome.present).extend(file.path for file in group.files)
    outcome.problems.extend(group.imported.problems)


# ---- Files ----


def _read(meant: Sequence[Source], skipped: list[Skipped], tell: Tell | None) -> list[File]:
    """Return the files that hold results, each content once; what is skipped is added to `skipped`."""
    read = []
    of_name: dict[str, int] = {}
    for source in meant:
        name = os.path.basename(source.path)
        of_name[name] = of_name.get(name, 0) + 1
    for source in watched(meant, len(meant), "reading files", tell):
        path, name = source.path, os.path.basename(source.path)
        called = name if of_name[name] == 1 else path
        if not source.named and not os.path.isfile(path):
            skipped.append(Skipped(path, "is no file that is there to be read"))
            continue
        try:
            read.append(files.load(path, called))
        except ImportFailed as error:
            if source.named:
                raise
            skipped.append(Skipped(path, _without(str(error), path, called)))
    return read


def _without(message: str, *called: str) -> str:
    """Return a message about a file short of its name, so that equal reasons of several are equal."""
    for name in called:
        message = message.removeprefix(f"{name} ").replace(f"{name}, line", "line")
    return message


# ---- Machines ----


def _groups(read: Sequence[File], asked: Asked, named: set[str], skipped: list[Skipped]) -> list[_Group]:
    """Return the files by the machines that they are imported as. Raises ImportFailed."""
    if not asked.machine_from:
        if not read:
            return []
        return [_group(read, _imported(read, asked.machine, asked), skipped)]
    groups = []
    for name, of_machine in _by_name(read, asked.machine_from).items():
        try:
            groups.append(_group(of_machine, _imported(of_machine, name, asked), skipped))
        except ImportFailed as error:
            if any(file.path in named for file in of_machine):
                raise
            called = [word for file in of_machine for word in (file.path, file.name)]
            skipped += [Skipped(file.path, _without(str(error), *called)) for file in of_machine]
    return groups


def _imported(read: Sequence[File], machine: str, asked: Asked, known: Iterable[dict[str, Any]] = ()) -> Imported:
    return files.of_files(read, machine, asked.model, asked.threads, asked.region, known)


def _group(read: Sequence[File], imported: Imported, skipped: list[Skipped]) -> _Group:
    """Return files with their records; those whose content is that of another one are skipped."""
    kept: dict[str, File] = {}
    for file in read:
        if file.digest in kept:
            skipped.append(Skipped(file.path, f"has the same content as {kept[file.digest].path}"))
        kept.setdefault(file.digest, file)
    return _Group(list(kept.values()), imported)


def _by_name(read: Iterable[File], way: str) -> dict[str, list[File]]:
    """Return the files by the name of their machine. Raises ImportFailed where two names would be one."""
    by_name: dict[str, list[File]] = {}
    kept_as: dict[str, str] = {}
    for file in read:
        name = sources.machine_of(file.path, way)
        other = kept_as.setdefault(names.machine_name(name, ""), name)
        if other != name:
            raise ImportFailed(
                f"{other:.80} and {name:.80} would both be kept as {names.machine_name(name, '')}: rename one, or "
                "import each by itself under a name of its own (MACHINE=...)"
            )
        by_name.setdefault(name, []).append(file)
    return by_name


def _names(asked: Asked, groups: Iterable[_Group]) -> list[str]:
    """Return the names that machines were given, each once."""
    if not asked.machine_from:
        return [asked.machine]
    return list(dict.fromkeys(sources.machine_of(group.files[0].path, asked.machine_from) for group in groups))


# ---- What is said of it ----


def lines_of(skipped: Iterable[Skipped]) -> list[str]:
    """Return a line for each file that was skipped; many of one reason share one."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in skipped:
        by_reason.setdefault(reason, []).append(path)
    lines = []
    for reason, paths in by_reason.items():
        if len(paths) <= _MOST_LINES:
            lines += [f"{path}: {reason}" for path in paths]
        else:
            more = f" and {len(paths) - _MOST_NAMED} more" if paths[_MOST_NAMED:] else ""
            lines.append(f"{len(paths)} files: {reason}: {', '.join(paths[:_MOST_NAMED])}{more}")
    return lines


def said(outcome: Outcome, results_dir: str) -> list[str]:
    """Return what became of the files, in lines for a terminal: counts, what was skipped and why, where pages are."""
    counts = {
        "imported": len(outcome.imported),
        "imported before": len(outcome.present),
        "skipped": len(outcome.skipped),
    }
    machines = plural(len(set(outcome.machines)), "machine")
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count or word != "imported before")
    lines = [f"Files: {told}; {machines}"]
    lines += [f"skipped: {line}" for line in lines_of(outcome.skipped)]
    lines += [f"left out: {problem}" for problem in outcome.problems]
    pages = [os.path.join(results_dir, path) for path in outcome.pages]
    if len(pages) > _MOST_NAMED:
        index = Path(results_dir, summary.INDEX)
        return [*lines, f"{plural(len(pages), 'page')} of the figures, listed by {index}"]
    return [*lines, *pages]
