# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the records say, before it becomes text: runs, their cells, the figure of each cell and how far it holds.

Everything is a function of the set of records: neither their order nor the time of day changes a result.
"""

from __future__ import annotations

import hashlib
import math
import operator
import posixpath
import re
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import cell as cell_fields
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.capabilities import version_of
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.kernel_path import (
    AS_EXPECTED,
    FALLBACK,
    SWITCHED_OFF,
    UNKNOWN,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.log import (
    KLEIDIAI,
    RUN_TIME,
    in_kleidiai,
    is_repacked,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval, mean_interval, t_975
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.time_budget import duration
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import QuantizationError, slug
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import (
    CONTROLLER,
    TOLD_BY,
    canonical,
    seconds,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import agreement, validity
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.agreement import Disagreement
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.machines import Names
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.validity import Budget
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.metrics import (
    NO_BREAK,
    one_place,
    over_tokens,
    plural,
)

INDEX = "README.md"

# A memory bandwidth that moves further during a run is worth a word: it is that of a machine with company.
DRIFT_PERCENT = 2.0

VALID, UNSTABLE, INVALID, MISSING = validity.VALID, validity.UNSTABLE, validity.INVALID, validity.MISSING
undisturbed = validity.undisturbed

# The tests llama-bench runs when nothing else is asked, by which figures of different pages can be set side by side.
USUAL_TESTS = ("pp512", "tg128")

_CELL_FIELDS = ("model", "quantization", "build", "threads", "test", "n_prompt", "n_gen", "n_depth")
# What not every cell has.
_MORE_FIELDS = (
    "concurrency", "rate", "load", "repack", "numa", "threads_batch", "purpose", "variant", "reference", "text",
)  # fmt: skip
_cell_fields = operator.itemgetter(*_CELL_FIELDS)
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", re.ASCII)

# The combination that others are set against: today's everyday file type in the pinned build.
REFERENCE_QUANTIZATION, REFERENCE_BUILD = "Q4_0", "default"

# A type of weights in a file that holds a kernel's layout already: Q4_0_8X8 of the removed file types.
_LAYOUT_TYPE = re.compile(r"\w+_\d+X\d+")

Payload = dict[str, Any]
Record = dict[str, Any]


class Run(NamedTuple):
    """One run on one machine.

    `plan` is the payload of its run record, None when that is missing; `others` are the records that are neither of a
    thing nor of a launch or failure, by kind; `by_cell` are the launches by the key of their cell. `joined` are the
    runs that this one holds the figures of, where it is one for all imports of a machine. `disagreements`: what was
    found to predict otherwise than the first build; launches of what computes like that are INVALID.
    """

    machine: str
    run: str
    time: str
    plan: Payload | None
    machines: dict[str, Payload]
    builds: dict[str, Payload]
    models: dict[str, Payload]
    launches: list[Record]
    failures: list[Record]
    others: dict[str, list[Record]]
    by_cell: dict[tuple[Any, ...], list[Record]]
    joined: Sequence[Run] = ()
    disagreements: Sequence[Disagreement] = ()


class Row(NamedTuple):
    """One cell of one run.

    `speed` is the metric that stands for the cell, pp_tps or tg_tps for llama-bench, `interval` what it is known to
    (None without a launch), `budget` the parts of that, `lowest` and `highest` the extremes of the launches' means, of
    imported ones of their samples. `state` is VALID, UNSTABLE, INVALID or MISSING, and `reasons` say why it is not
    VALID, in full, or that launches were left out. `launches` are all of them, `figures` those that the interval is of.
    `instead` is what a page says of a row that stands there in the place of one of a newer run, "" where it does not.
    `stamp` is why its build is wrong, and the row INVALID for that, "" where it is not known to be.
    """

    cell: Payload
    speed: str
    launches: list[Record]
    interval: Interval | None
    lowest: float | None
    highest: float | None
    state: str
    reasons: list[str]
    figures: Sequence[Record] = ()
    budget: Budget | None = None
    instead: str = ""
    stamp: str = ""

    @property
    def ranked(self) -> bool:
        """Whether it may be ranked: it is undisturbed, and known well enough."""
        return validity.ranked(self.state, self.interval)


class Finding(NamedTuple):
    """What was found of the kernels of one or more cells, in sentences; None where there is nothing to say or do."""

    why: str | None
    remedy: str | None
    rows: list[Row]


def _component(name: str) -> str:
    """Return `name` as a directory or file name; one that is not safe as it is gets a digest, to stay itself."""
    if _SAFE.fullmatch(name) and name != "records":
        return name
    readable = re.sub(r"[^A-Za-z0-9]+", "-", name, flags=re.ASCII).strip("-")[:40]
    digest = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return f"{readable}-{digest}" if readable else digest


def page_path(machine: str, cell: Payload) -> str:
    """Return the path of the page on which `cell` of `machine` is shown, relative to the results directory."""
    try:
        quantization = slug(cell["quantization"])
    except QuantizationError:
        quantization = _component(cell["quantization"] + "?").lower()
    return f"{machine}/{_component(cell['model'])}/{quantization}.md"


def machine_path(machine: str) -> str:
    """Return the path of the page of a machine."""
    return f"{machine}/{INDEX}"


def model_path(model: str) -> str:
    """Return the path of the page of a model, over all machines."""
    return f"models/{_component(model)}.md"


def comparison_path(page: str) -> str:
    """Return the path of the page that would set side by side what is measured of the model of `page`."""
    return posixpath.join(posixpath.dirname(page), INDEX)


def quality_path(page: str) -> str:
    """Return the path of the page that says what quality the model of `page` is traded for."""
    return posixpath.join(posixpath.dirname(page), "quality.md")


def way(cell: Payload) -> str:
    """Return what a cell is computed by: its build, with the settings of its variant: `default, fa=off`."""
    return f"{cell['build']}, {cell['variant']}" if cell.get("variant") else str(cell["build"])


def combination(cell: Payload) -> tuple[str, str]:
    """Return the quantization and the way of a cell, by which comparisons tell cells of one test apart."""
    return cell["quantization"], way(cell)


def comparisons(machine: str, cells: Iterable[Payload]) -> dict[str, list[Payload]]:
    """Return the cells of one run by the page that sets them side by side.

    A model has such a page when its cells are of more than one combination of quantization, build and variant.
    """
    models: dict[str, list[Payload]] = {}
    for cell in cells:
        models.setdefault(comparison_path(page_path(machine, cell)), []).append(cell)
    return {path: alike for path, alike in models.items() if len({combination(cell) for cell in alike}) > 1}


def cell_key(cell: Payload) -> tuple[Any, ...]:
    """Return what identifies a cell."""
    settings = cell.get("settings")
    return (*_cell_fields(cell), *map(str, map(cell.get, _MORE_FIELDS)), canonical(settings) if settings else "")


def differing_settings(cells: Iterable[Payload]) -> list[str]:
    """Return the names of the settings in which cells differ; one that some of them do not have is among them."""
    every = [cell.get("settings") or {} for cell in cells]
    names = sorted({name for settings in every for name in settings})
    return [name for name in names if len({settings.get(name) for settings in every}) > 1]


# What a file of results says of weights and build, beside the settings of a launch.
OF_WEIGHTS, OF_BUILD = ("model_n_params", "model_size"), ("compiler", "system_info")


def launch_settings(cell: Payload) -> dict[str, str]:
    """Return the settings of a cell that may be alike for other weights and another build."""
    settings = cell.get("settings") or {}
    return {name: value for name, value in settings.items() if name not in (*OF_WEIGHTS, *OF_BUILD)}


def shared_settings(cells: Iterable[Payload]) -> dict[str, str]:
    """Return the settings that all cells have and none has otherwise."""
    every = [cell.get("settings") or {} for cell in cells]
    return {
        name: value
        for name, value in (every[0] if every else {}).items()
        if all(settings.get(name) == value for settings in every)
    }


def speed_of(cell: Payload) -> str:
    """Return the name of the metric that stands for a cell: pp_tps or tg_tps for llama-bench."""
    return kinds.headline(cell)


def benched(cell: Payload) -> bool:
    """Say whether a cell is one of llama-bench: a speed, and not a latency or a load time."""
    return kinds.kind_of(cell).name == "bench"


def by_ladder(cell: Payload) -> Payload:
    """Return a cell as a plan has it that leaves the thread counts to the ladder of its run."""
    return {**{key: value for key, value in cell.items() if key != "threads_batch"}, "threads": cell_fields.BY_LADDER}


def cell_order(cell: Payload) -> tuple[Any, ...]:
    """Return the key by which the cells of a page are sorted."""
    return (
        speed_of(cell),
        cell["n_depth"],
        cell["n_prompt"],
        cell["n_gen"],
        cell["test"],
        cell["build"],
        cell["threads"],
        cell_key(cell),
    )


class _Order:
    """Where a record stands among others: by its time, and by its text where that is the same."""

    __slots__ = ("record", "text", "time")

    def __init__(self, record: Record) -> None:
        self.record, self.time, self.text = record, record["time"], ""

    def __lt__(self, other: _Order) -> bool:
        if self.time != other.time:
            return bool(self.time < other.time)
        for each in (self, other):
            each.text = each.text or canonical(each.record)
        return self.text < other.text


def runs(records: Iterable[Record]) -> list[Run]:
    """Return the runs in `records`, the oldest first within each machine. Unknown kinds say nothing here.

    Machines are told apart by their fingerprints: a run on a second one of the same name has another name.
    """
    groups: dict[tuple[str, str], dict[str, list[Record]]] = {}
    for record in records:
        groups.setdefault((record["machine"], record["run"]), {}).setdefault(record["kind"], []).append(record)
    for by_kind in groups.values():
        for alike in by_kind.values():
            alike.sort(key=_Order)
    every = [_run(machine, run, by_kind) for (machine, run), by_kind in groups.items()]
    names = Names()
    # What begins a name comes before it, because one of the same beginning may be that of another fingerprint.
    every.sort(key=lambda run: (run.machine.split("-"), run.time, run.run))
    every = [_renamed(run, names.of(run.machine, machine(run) or None)) for run in every]
    imports: dict[str, list[Run]] = {}
    for run in every:
        if imported(run):
            imports.setdefault(run.machine, []).append(run)
    of_imports = [_joined(sorted(alike, key=_run_order)) for alike in imports.values()]
    return sorted([*(run for run in every if not imported(run)), *of_imports], key=_run_order)


def _renamed(run: Run, name: str) -> Run:
    """Return `run` under the name that tells its machine apart, which the records need not have known."""
    if name == run.machine:
        return run
    machines = {key: {**payload, "name": name} for key, payload in run.machines.items()}
    return run._replace(machine=name, machines=machines)


def _run_order(run: Run) -> tuple[str, str, str]:
    return run.machine, run.time, run.run


def _joined(imports: Sequence[Run]) -> Run:
    """Return one run for all imports of a machine: what was imported first stands as what was imported since.

    A file that is in several of them counts once.
    """
    *before, latest = imports
    if not before:
        return latest
    of_file: dict[str, str] = {}
    for run in imports:
        for told in (run.plan or {}).get("imported") or []:
            of_file[told["sha256"]] = run.run
    launches = []
    for run in imports:
        for record in run.launches:
            told = record["payload"].get("imported") or {}
            if of_file.get(told.get("sha256", ""), run.run) == run.run:
                launches.append(record)
    by_cell: dict[tuple[Any, ...], list[Record]] = {}
    for record in launches:
        by_cell.setdefault(cell_key(record["payload"]["cell"]), []).append(record)
    plan = dict(
        latest.plan or {},
        cells=[alike[0]["payload"]["cell"] for alike in by_cell.values()],
        imported=list({told["sha256"]: told for run in imports for told in (run.plan or {})["imported"]}.values()),
    )
    return latest._replace(
        plan=plan,
        machines={key: payload for run in imports for key, payload in run.machines.items()},
        builds={key: payload for run in imports for key, payload in run.builds.items()},
        models={key: payload for run in imports for key, payload in run.models.items()},
        launches=launches,
        failures=[record for run in imports for record in run.failures],
        by_cell=by_cell,
        joined=tuple(imports),
    )


_OTHERS = ("bandwidth", "threads", "duet", "samples", "omitted", "end", "tuned")


def _run(machine: str, run: str, by_kind: dict[str, list[Record]]) -> Run:
    def by_id(kind: str) -> dict[str, Payload]:
        payloads = (record["payload"] for record in reversed(by_kind.get(kind, [])))
        return {payload["id"]: payload for payload in payloads}

    plans = by_kind.get("run", [])
    # They come in the order of time, which a number that is there twice keeps.
    launches = sorted(by_kind.get("launch", []), key=lambda record: record["payload"]["number"])
    by_cell: dict[tuple[Any, ...], list[Record]] = {}
    for record in launches:
        by_cell.setdefault(cell_key(record["payload"]["cell"]), []).append(record)
    sampled: dict[tuple[Any, ...], list[Record]] = {}
    for record in by_kind.get("samples", []):
        if record["payload"].get("mhz"):
            sampled.setdefault(cell_key(record["payload"]["cell"]), []).append(record)
    if sampled:
        clocked = {key: validity.with_clocks(alike, sampled.get(key, ())) for key, alike in by_cell.items()}
        launches, by_cell = _in_place(launches, by_cell, clocked), clocked
    builds = by_id("build")
    disagreeing = agreement.disagreements(by_cell, builds)
    if disagreeing:
        stamped = {
            key: agreement.stamped(alike, agreement.stamp(disagreeing, alike[0]["payload"]["cell"]))
            for key, alike in by_cell.items()
        }
        launches, by_cell = _in_place(launches, by_cell, stamped), stamped
    return Run(
        machine=machine,
        run=run,
        time=plans[0]["time"] if plans else min(record["time"] for group in by_kind.values() for record in group),
        plan=plans[0]["payload"] if plans else None,
        machines=by_id("machine"),
        builds=builds,
        models=by_id("model"),
        launches=launches,
        failures=_distinct(standing_failures([record for alike in by_kind.values() for record in alike])),
        others={kind: by_kind[kind] for kind in _OTHERS if kind in by_kind},
        by_cell=by_cell,
        disagreements=disagreeing,
    )


def _in_place(
    launches: Sequence[Record], before: dict[tuple[Any, ...], list[Record]], after: dict[tuple[Any, ...], list[Record]]
) -> list[Record]:
    """Return the launches in their order, each as it was judged: those of each cell `before` and `after` that."""
    judged = {id(old): new for key, alike in before.items() for old, new in zip(alike, after[key], strict=True)}
    return [judged[id(record)] for record in launches]


def standing_failures(records: Sequence[Record]) -> list[Record]:
    """Return the failures, of the records of one run, that nothing has made up for since.

    A run that was interrupted and taken up again may have measured what had failed before: a host that came to its end
    afterwards was not lost, and a cell that was launched afterwards can be measured. Nor was a host lost that came to
    its end by itself, before the controller, which could not reach it, gave it up.
    """
    ended: dict[str, str] = {}
    # Of each machine: when its runner wrote last, and whether that was its end.
    last: dict[str, tuple[str, bool]] = {}
    launched: dict[tuple[Any, ...], str] = {}
    searched: set[tuple[Any, ...]] = set()
    for record in records:
        if record["kind"] == "run":
            searched |= {cell_key(cell) for cell in record["payload"]["cells"] if cell_fields.tuned_for(cell)}
        finished = record["kind"] == "end" and record["payload"]["state"] == "finished"
        if record["kind"] in ("launch", "bandwidth", "end"):
            last[record["machine"]] = max((record["time"], finished), last.get(record["machine"], ("", False)))
        if finished:
            ended[record["machine"]] = max(record["time"], ended.get(record["machine"], ""))
        elif record["kind"] == "launch":
            key = (record["machine"], *cell_key(record["payload"]["cell"]))
            launched[key] = max(record["time"], launched.get(key, ""))

    def stands(record: Record) -> bool:
        cell, machine = record["payload"].get("cell"), record["machine"]
        if (record["payload"].get("detail") or {}).get(TOLD_BY) == CONTROLLER and last.get(machine, ("", False))[1]:
            return False
        # What a search tried beside the defaults may be refused: it learns from that.
        if cell_fields.tuned_for(cell) and cell_key(by_ladder(cell)) not in searched:
            return False
        if cell:
            return bool(record["time"] >= launched.get((machine, *cell_key(cell)), ""))
        # What was refused in the plan stays refused.
        return bool(record["payload"]["phase"] == "plan" or record["time"] >= ended.get(machine, ""))

    return [record for record in records if record["kind"] == "failure" and stands(record)]


def _distinct(failures: list[Record]) -> list[Record]:
    """Return the failures, one of each: a run that is taken up again may report one twice."""
    return list({canonical(record["payload"]): record for record in reversed(failures)}.values())[::-1]


def machine(run: Run) -> Payload:
    """Return the fingerprint of the machine of `run`, the first by its id should there be several; {} without one."""
    return next((payload for _id, payload in sorted(run.machines.items())), {})


def is_shared(machine: Payload) -> bool:
    """Say whether a machine shares its processor with others, as far as that is on record: it is a virtual one.

    An Arm machine does not say so; on EC2 all are but those of metal.
    """
    kind = str((machine.get("instance") or {}).get("type") or "")
    return bool(machine.get("virtualization")) or bool(kind and ".metal" not in kind)


def commits(run: Run, launches: Iterable[Record]) -> list[str]:
    """Return the commits of llama.cpp that the builds of launches were made from, as far as they are on record.

    A source that names none and knows its build number is told from others by that: b11434.
    """
    builds = {record["payload"]["build"] for record in launches}
    known = {version_of((run.builds.get(build) or {}).get("source")) for build in builds}
    return sorted(known - {""})


def emulated(run: Run) -> bool:
    """Say whether the figures of `run` come from an emulated processor."""
    planned = bool(run.plan and run.plan["emulated"])
    return planned or any(payload.get("emulated") for payload in run.machines.values())


def environment(run: Run) -> dict[str, str]:
    """Return the variables that were set on purpose for the programs of `run`."""
    payloads = [run.plan or {}, *(record["payload"] for record in run.launches)]
    return next((payload["environment"] for payload in payloads if payload.get("environment")), {})


def imported(run: Run) -> bool:
    """Say whether the figures of `run` come from files of other programs."""
    return bool(run.plan and run.plan.get("imported"))


def omitted_cells(run: Run) -> list[Record]:
    """Return the records of cells that time had no room for, without those of duets that came to nothing."""
    records = run.others.get("omitted", [])
    return [record for record in records if record["payload"]["cell"].get("purpose") != cell_fields.DUET]


def tuning(run: Run) -> bool:
    """Say whether `run` searches for the best configuration, and so has no cells for other pages."""
    return bool(run.plan and run.plan.get("tune"))


def tuned(run: Run) -> dict[str, list[Payload]]:
    """Return what the searches of `run` came to, the payloads of their records, by the page that shows them.

    In the order of the objectives that were asked for.
    """
    of_page: dict[str, list[Payload]] = {}
    asked = list((run.plan or {}).get("tune", {}).get("objectives") or [])
    payloads = [record["payload"] for record in run.others.get("tuned", [])]
    order = {objective: place for place, objective in enumerate(asked)}
    for payload in sorted(payloads, key=lambda payload: order.get(payload["objective"], len(order))):
        model = run.models.get(payload["model"])
        cell = payload["default"] or ({"model": model["name"], **model} if model else None)
        if cell:
            of_page.setdefault(tuned_path(page_path(run.machine, cell)), []).append(payload)
    return of_page


def tuned_path(page: str) -> str:
    """Return the path of the page that says what is best for the model of `page`."""
    folder, name = posixpath.split(page)
    return posixpath.join(folder, f"tuned-{name}")


def tuned_file(page: str) -> str:
    """Return the path of the variables that measure what a page of tuned_path() found."""
    machine, model, name = page.split("/")
    return f"{machine}/tuned/{model}-{name.removeprefix('tuned-').removesuffix('.md')}.yml"


def not_found(run: Run) -> list[str]:
    """Return a sentence for each search of `run` that gave no configuration."""
    return [
        f"the best configuration for {payload['objective']}: {payload.get('why') or 'nobody knows why'}"
        for of_page in tuned(run).values()
        for payload in of_page
        if payload["cell"] is None
    ]


def cells(run: Run) -> list[Payload]:
    """Return every cell that `run` planned, measured or failed at, in the order of pages' tables.

    Those of its ladder and the second copy of one are measured for a purpose of their own, and are not among them; nor
    is what the time limit had no room for.
    """
    told = [launches[0]["payload"]["cell"] for launches in run.by_cell.values()]
    told += [record["payload"]["cell"] for record in run.failures if record["payload"].get("cell")]
    omitted = {cell_key(by_ladder(record["payload"]["cell"])) for record in omitted_cells(run)}
    # A cell that left its threads to the ladder is the one that was measured with some.
    known = {cell_key(by_ladder(cell)) for cell in told} | omitted
    promised = [
        cell
        for cell in (run.plan["cells"] if run.plan else [])
        if cell_key(by_ladder(cell)) not in (omitted if cell["threads"] else known)
    ]
    every = [cell for cell in [*promised, *told] if not cell.get("purpose")]
    return sorted({cell_key(cell): cell for cell in every}.values(), key=cell_order)


def pages(run: Run) -> dict[str, list[Payload]]:
    """Return the cells of `run` by the page that shows them.

    Where time had no room for anything of a page, it has what was planned, to say so.
    """
    by_page: dict[str, list[Payload]] = {}
    for cell in cells(run):
        by_page.setdefault(page_path(run.machine, cell), []).append(cell)
    left: dict[str, list[Payload]] = {}
    for cell in sorted(run.plan["cells"] if run.plan else [], key=cell_order):
        page = page_path(run.machine, cell)
        if page not in by_page and not cell.get("purpose"):
            left.setdefault(page, []).append(cell)
    return {**by_page, **left}


def measured_cells(run: Run, wanted: Iterable[Payload]) -> list[Payload]:
    """Return those of the `wanted` cells of `run` that have a figure."""
    return [
        cell
        for cell in wanted
        if any(value(record, speed_of(cell)) is not None for record in run.by_cell.get(cell_key(cell), []))
    ]


def fruitful(run: Run) -> bool:
    """Say whether a run has a figure of anything that it was asked for: its thread ladder alone is none."""
    return bool(measured_cells(run, cells(run)))


def measured_on(run: Run, page: str | None) -> list[Payload]:
    """Return the cells of which a run has a figure, of a page or of all."""
    return [cell for cell in measured_cells(run, cells(run)) if shown_on(run, cell, page)]


def fruitful_on(run: Run, page: str) -> bool:
    """Say whether a run has a figure of anything that a page shows."""
    return bool(measured_on(run, page))


def _compared_by(cell: Payload) -> tuple[str, str, str]:
    return (speed_of(cell), *combination(cell))


def falls_short(run: Run, wanted: Sequence[Payload], before: Run, wanted_before: Sequence[Payload]) -> bool:
    """Say whether `run` gives less of a page than the run `before`, so that it must not take its place.

    It does without any figure, without one that holds where the run before has one, and where it ended before it came
    to something that is known of the run before. What failed, or was left out for want of time, was come to. `wanted`:
    the cells that the page shows of each.
    """
    done = {_compared_by(cell) for cell in measured_cells(before, wanted_before)}
    if not done:
        return False
    measured = measured_cells(run, wanted)
    if any_ranked(rows(before, wanted_before)) and not any_ranked(rows(run, measured)):
        return True
    failed = {cell_key(record["payload"]["cell"]) for record in run.failures if record["payload"].get("cell")}
    ended = {cell_key(cell) for cell in measured} | failed
    left = {_compared_by(cell) for cell in wanted if cell_key(cell) not in ended}
    return not measured or bool(done & (left - {_compared_by(cell) for cell in measured}))


class OfPage(NamedTuple):
    """The runs that a page is made of, the one it shows last, and what was tried since without taking its place."""

    runs: list[Run]
    attempts: list[Run]


def of_page(concerned: Iterable[tuple[Run, Sequence[Payload]]]) -> OfPage:
    """Return which runs a page shows, of those that concern it, in their order and each with its cells on the page."""
    kept: list[Run] = []
    attempts: list[Run] = []
    shown: tuple[Run, Sequence[Payload]] | None = None
    for run, wanted in concerned:
        if shown and falls_short(run, wanted, *shown):
            attempts.append(run)
            continue
        kept += [*attempts, run]
        attempts, shown = [], (run, wanted)
    return OfPage(kept, attempts)


def of_pages(runs: Iterable[Run]) -> dict[str, OfPage]:
    """Return what each page of one machine is made of, by its path; the runs come in their order."""
    concerned: dict[str, list[tuple[Run, list[Payload]]]] = {}
    for run in runs:
        for path, wanted in pages(run).items():
            concerned.setdefault(path, []).append((run, wanted))
    return {path: of_page(each) for path, each in concerned.items()}


class Standing(NamedTuple):
    """The rows of one test on a page, of the run whose figure of it stands.

    `newer` is a later run with a row of that test: one that does not hold, or the best of other cells, which is slower;
    None where there is none.
    """

    run: Run
    rows: list[Row]
    newer: tuple[Run, Row] | None


def _test_of(cell: Payload) -> tuple[Any, ...]:
    """Return what a cell measures, whatever the threads, the build and the settings."""
    fields = (
        "test", "n_prompt", "n_gen", "n_depth", "concurrency", "rate", "load", "repack", "numa", "reference", "text",
    )  # fmt: skip
    return (speed_of(cell), kinds.kind_of(cell).name, *map(str, map(cell.get, fields)))


class _OfCell(NamedTuple):
    """A row of a page and where its run stands among those of the page, 0 for the newest."""

    at: int
    run: Run
    row: Row


def _by_cell(page: OfPage, path: str) -> list[list[_OfCell]]:
    """Return the rows of each cell of a page, the newest first; the environment of its launches is part of a cell.

    Emulated runs are looked at for the page of an emulated one only.
    """
    every = [run for run in (*page.runs, *page.attempts)[::-1] if emulated(run) == emulated(page.runs[-1])]
    alike: dict[tuple[Any, ...], list[_OfCell]] = {}
    for at, run in enumerate(every):
        set_on_purpose = canonical(environment(run))
        for row in rows(run, pages(run).get(path, [])):
            alike.setdefault((*cell_key(row.cell), set_on_purpose), []).append(_OfCell(at, run, row))
    return list(alike.values())


def _standing_of(of_cell: Sequence[_OfCell], page: OfPage) -> _OfCell:
    """Return which row stands for a cell: the newest that holds, else that of the run shown, else the newest."""
    measured = [each for each in of_cell if each.row.launches]
    holding = next((each for each in measured if each.row.ranked), None)
    shown = next((each for each in measured if each.run is page.runs[-1]), None)
    return holding or shown or (measured or of_cell)[0]


def standing_figures(page: OfPage, path: str) -> list[tuple[Run, Row]]:
    """Return the row that stands for each measured cell of a page, with its run."""
    standing = [_standing_of(of_cell, page) for of_cell in _by_cell(page, path)]
    return [(each.run, each.row) for each in standing if each.row.launches]


def standing_rows(page: OfPage, path: str) -> list[Standing]:
    """Return the rows of each test of a page, of the run with the best of the figures that stand for its cells.

    A figure of an earlier run competes where the software is current: made of the commit that the newest figure of its
    build is made of. Where no figure holds, the rows are those of the run that the page shows. Runs are not mixed
    within a test.
    """
    tests: dict[tuple[Any, ...], list[_OfCell]] = {}
    stands: dict[tuple[Any, ...], list[_OfCell]] = {}
    for of_cell in _by_cell(page, path):
        test = _test_of(of_cell[0].row.cell)
        tests.setdefault(test, []).extend(of_cell)
        stands.setdefault(test, []).append(_standing_of(of_cell, page))
    told = (_standing_test(stands[test], alike, page) for test, alike in tests.items())
    return [standing for standing in told if standing]


def _standing_test(stands: Sequence[_OfCell], alike: Sequence[_OfCell], page: OfPage) -> Standing | None:
    """Return what stands for one test, of which `alike` are all rows and `stands` those that stand for their cells."""
    shown = page.runs[-1]
    best = _best(stands)
    if best is None:
        tried = sorted((each for each in alike if each.run in (shown, *page.attempts)), key=lambda each: each.at)
        if not tried:
            return None
        run = next((each.run for each in tried if each.run is shown), tried[0].run)
    else:
        run = best.run
    at = next(each.at for each in alike if each.run is run)
    holders = {id(each.row) for each in stands}
    kept = [each.row for each in alike if each.at == at and (id(each.row) in holders or not each.row.ranked)]
    for newer in (shown, *page.attempts)[::-1]:
        later = [each for each in alike if each.run is newer and each.at < at]
        row = _beside(later, best, newer is shown)
        if row:
            return Standing(run, kept, (newer, row))
    return Standing(run, kept, None)


def _best(stands: Sequence[_OfCell]) -> _OfCell | None:
    """Return the best of the figures of one test that hold and whose software is current, None without one."""
    holding = sorted((each for each in stands if each.row.ranked), key=lambda each: each.at)
    current: dict[str, list[str]] = {}
    for each in holding:
        current.setdefault(each.row.cell["build"], commits(each.run, each.row.launches))
    known = [each for each in holding if commits(each.run, each.row.launches) == current[each.row.cell["build"]]]
    return min(known, key=lambda each: _fastest_first(each.row), default=None)


def _beside(later: Sequence[_OfCell], best: _OfCell | None, is_shown: bool) -> Row | None:
    """Return which row of a later run is named beside the figure that stands: of its cell, else the best, the first."""
    measured = [each.row for each in later if each.row.launches]
    same = [row for row in measured if best and cell_key(row.cell) == cell_key(best.row.cell) and not row.ranked]
    missed = [each.row for each in later] if is_shown else []
    return next(iter([*same, *contenders(measured), *measured, *missed]), None)


def shown_on(run: Run, cell: Payload, page: str | None) -> bool:
    """Say whether a cell stands on a page, or on the one that sets it beside others; on no page in particular: yes."""
    path = page_path(run.machine, cell)
    return page in (None, path, comparison_path(path))


def planned(run: Run, page: str | None = None) -> list[Payload]:
    """Return the cells that `run` was asked for, of a page or of all."""
    cells_asked = run.plan["cells"] if run.plan else []
    return [cell for cell in cells_asked if not cell.get("purpose") and shown_on(run, cell, page)]


def why_nothing(run: Run, page: str | None = None) -> str:
    """Return why a run without a figure has none: what failed, what time had no room for, or that it was ended.

    `page`: of what a page shows, or None for all of the run.
    """
    failures = [
        record["payload"]
        for record in run.failures
        if not record["payload"].get("cell") or shown_on(run, record["payload"]["cell"], page)
    ]
    if failures:
        more = f" (and {plural(len(failures) - 1, 'failure')} more)" if len(failures) > 1 else ""
        return f"phase {failures[0]['phase']}: {failures[0]['cause'].rstrip('.')}{more}"
    omitted = [record for record in omitted_cells(run) if shown_on(run, record["payload"]["cell"], page)]
    if omitted:
        limit = duration((run.plan or {}).get("time_limit_s") or 0)
        return f"the time limit of {limit} had no room for {_all_of(len(omitted))}{_ladder_words(run)}"
    return f"it ended before the first launch of {_all_of(len(planned(run, page)))}{_ladder_words(run)}"


def _all_of(count: int) -> str:
    return "its one cell" if count == 1 else f"any of its {count} cells"


def _ladder_words(run: Run) -> str:
    """Return how long a run chose thread counts, and how many launches of that were disturbed, "" where it did not.

    Where the counts were given, the launches were those from whose speeds it estimates how long the others take.
    """
    climbed = [record for record in run.launches if record["payload"]["cell"].get("purpose") == cell_fields.LADDER]
    if not climbed:
        return ""
    took = duration(sum(float(value(record, "wall_s") or 0) for record in climbed))
    disturbed = len(climbed) - len(undisturbed(climbed))
    company = f", and {disturbed} of its {len(climbed)} launches were disturbed" if disturbed else ""
    given = all(cell["threads"] for cell in planned(run))
    done = "estimating how long launches take" if given else "choosing the thread counts"
    return f": {done} took {took}{company}"


def failures_of(run: Run, page: str) -> list[Record]:
    """Return the failures of `run` that concern `page`: those of its cells and those of the whole host."""
    return [
        record
        for record in run.failures
        if not record["payload"].get("cell") or page_path(run.machine, record["payload"]["cell"]) == page
    ]


def rows(run: Run, wanted: Iterable[Payload]) -> list[Row]:
    """Return a row for each of the `wanted` cells of `run`."""
    failed = [record["payload"].get("cell") for record in run.failures]
    keys = {cell_key(cell) for cell in failed if cell}
    whole = None in failed
    launches_planned = run.plan["launches"] if run.plan else None
    moments = canary_moments(run)
    others = imported(run)
    shared = is_shared(machine(run))
    omitted = {cell_key(by_ladder(record["payload"]["cell"])) for record in omitted_cells(run)}

    def missing(cell: Payload) -> str:
        if whole or cell_key(cell) in keys:
            return "see Failures"
        return "no time was left, see Not measured" if cell_key(by_ladder(cell)) in omitted else "no launch on record"

    return [
        _stamped(
            _row(cell, run.by_cell.get(cell_key(cell), []), launches_planned, missing(cell), moments, shared, others),
            agreement.stamp(run.disagreements, cell),
        )
        for cell in wanted
    ]


def _stamped(row: Row, why: str) -> Row:
    """Return a row, INVALID for the one reason `why` where its build is wrong."""
    if not why or not row.launches:
        return row
    return row._replace(state=INVALID, reasons=[why], stamp=why)


def _row(
    cell: Payload,
    launches: list[Record],
    planned: int | None,
    missing: str,
    moments: Sequence[validity.Moment],
    shared: bool,
    others: bool,
) -> Row:
    speed = speed_of(cell)
    used = [record for record in launches if value(record, speed) is not None]
    if not used:
        return Row(cell, speed, [], None, None, None, MISSING, [missing])
    kind = kinds.kind_of(cell)
    planned = planned and kind.launches(planned)
    figures = validity.formed_over(used, planned)
    values = [float(value(record, speed) or 0) for record in figures]
    of_launches = mean_interval(values)
    budget = validity.budget(of_launches, figures, values, moments, shared)
    interval = validity.widened(of_launches, budget) if validity.widens(speed) else of_launches
    if others:
        state, reasons = UNSTABLE, _weak_import(used, speed)
    else:
        state, reasons = validity.judged(interval, used, figures, planned, kind.launches(validity.ENOUGH_LAUNCHES))
    lowest, highest = _range_of_samples(figures, speed) if others else (min(values), max(values))
    return Row(cell, speed, used, interval, lowest, highest, state, reasons, figures, budget)


def _range_of_samples(launches: Iterable[Record], speed: str) -> tuple[float | None, float | None]:
    """Return the extremes of what imported processes repeated, None where one of them does not have its samples."""
    samples = [record["payload"]["metrics"][speed].get("samples") for record in launches]
    if not all(samples):
        return None, None
    every = [float(sample) for some in samples for sample in some or []]
    return min(every), max(every)


def _weak_import(launches: Sequence[Record], speed: str) -> list[str]:
    """Return why an imported figure is not VALID, however many files it is of."""
    samples = sum(len(record["payload"]["metrics"][speed].get("samples") or [0]) for record in launches)
    processes = "1 process" if len(launches) == 1 else f"{len(launches)} processes"
    inside = f", {samples} repetitions within" if samples > len(launches) else ""
    return [f"imported: {processes}{inside}, nothing known of what disturbed them"]


def bandwidths(run: Run) -> list[Payload]:
    """Return the payloads of the bandwidth records of a run, in the order of time."""
    return [record["payload"] for record in run.others.get("bandwidth", [])]


def _canary(run: Run) -> list[Record]:
    """Return the records of bandwidth at the start, in the middle and at the end, of one thread count."""
    return [
        record for record in run.others.get("bandwidth", []) if record["payload"]["stage"] in ("start", "middle", "end")
    ]


def canary_moments(run: Run) -> list[validity.Moment]:
    """Return the read bandwidths (GB/s) of the canary, in the order of time.

    Of an older record, which knows nothing of its processes, the best that it has.
    """
    return [
        validity.Moment(
            seconds(record["time"]),
            record["payload"].get("looks_gb_s") or [record["payload"]["read_gb_s"]["best"]],
        )
        for record in _canary(run)
    ]


def drift_percent(run: Run) -> float | None:
    """Return how far the read bandwidth of a session drifted, in percent of the highest; None below two moments."""
    half = validity.drift(canary_moments(run))
    return None if half is None else -100 * math.expm1(-2 * half / validity.DRIFT_FACTOR)


def drift(run: Run) -> str | None:
    """Return how far the memory of a session drifted, in words; None where it was the same one throughout."""
    percent = drift_percent(run)
    if percent is None or percent <= DRIFT_PERCENT:
        return None
    return f"the memory bandwidth drifted by {one_place(percent)} % during the run"


def twin(run: Run) -> tuple[Row, Row] | None:
    """Return the cell of a run that was measured twice and its second copy, None when there is none."""
    copies = {cell_key(r["payload"]["cell"]): r["payload"]["cell"] for r in run.launches if is_twin(r)}
    for cell in copies.values():
        second, first = rows(run, [cell, {name: value for name, value in cell.items() if name != "purpose"}])
        if first.launches and second.launches:
            return first, second
    return None


def is_twin(record: Record) -> bool:
    """Say whether a launch is one of the second copy of a cell."""
    return bool(record["payload"]["cell"].get("purpose") == cell_fields.TWIN)


def value(record: Record, name: str) -> float | int | None:
    """Return the metric or gate `name` of a launch record, None when it has none."""
    launch = record["payload"]
    entry = launch["metrics"].get(name)
    if entry is not None:
        number: float | int | None = entry["value"]
        return number
    number = (launch.get("gates") or {}).get(name)
    return number


def values(row: Row, name: str) -> list[float]:
    """Return the metric or gate `name` of the launches of `row` that have it."""
    known = []
    # As value() says it: a page asks for hundreds of thousands of them.
    for record in row.launches:
        launch = record["payload"]
        entry = launch["metrics"].get(name)
        number = (launch.get("gates") or {}).get(name) if entry is None else entry["value"]
        if number is not None:
            known.append(number)
    return known


def mean_of(row: Row, name: str) -> Interval | None:
    """Return a metric over the launches that the figure of `row` is of, as that figure is formed; None without any.

    What widens the figure of `row` widens that of its other speeds and times. What is a mean over tokens has an
    arithmetic one over launches too. Another metric that is 0 somewhere has no geometric mean: its arithmetic mean
    stands without bounds.
    """
    known = [float(number) for number in (value(record, name) for record in row.figures) if number is not None]
    if not known:
        return None
    if over_tokens(name):
        return arithmetic_interval(known)
    if min(known) > 0:
        interval = mean_interval(known)
        return validity.widened(interval, row.budget) if validity.widens(name) else interval
    return Interval(sum(known) / len(known), None, None, len(known), None)


def arithmetic_interval(numbers: Sequence[float]) -> Interval:
    """Return the arithmetic mean of numbers with its 95 % t interval, without bounds below two of them.

    half_width_percent is None: the mean may be 0. Raises ValueError when there is no number.
    """
    if not numbers:
        raise ValueError("an interval needs at least one value")
    mean, n = fmean(numbers), len(numbers)
    if n < 2:
        return Interval(mean, None, None, n, None)
    half = t_975(n - 1) * stdev(numbers) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n, None)


def centre(row: Row, name: str) -> float | None:
    """Return the mean of mean_of(), None without any."""
    interval = mean_of(row, name)
    return interval.mean if interval else None


def largest(row: Row, name: str) -> float | None:
    """Return the largest of values(), None without any."""
    return max(values(row, name), default=None)


def average(row: Row, name: str) -> float | None:
    """Return the arithmetic mean of values(), disturbed launches included, None without any."""
    known = values(row, name)
    return fmean(known) if known else None


def fewest_users(rows: Iterable[Row]) -> Row | None:
    """Return the row of a server of one host with as few users at once as were measured, None without one."""
    served = [row for row in rows if "concurrency" in row.cell and kinds.kind_of(row.cell).name == "serve"]
    known = [row for row in served if row.interval is not None and variant.hosts(row.cell) == 1]
    return min(known, key=lambda row: (row.cell["concurrency"], cell_order(row.cell)), default=None)


def same_test(rows: Sequence[Row], test: Row) -> list[Row]:
    """Return the rows that measured what `test` measured."""

    def key(row: Row) -> tuple[Any, ...]:
        # Two models may have one name: their numbers of parameters tell.
        parameters = (row.cell.get("settings") or {}).get("model_n_params")
        return (*(row.cell[name] for name in ("model", "test", "n_prompt", "n_gen", "n_depth")), parameters)

    return [row for row in rows if key(row) == key(test)]


def above(row: Row, other: Row) -> bool:
    """Say whether `row` is established to be faster than `other`: both intervals exist and do not overlap."""
    first, second = row.interval, other.interval
    if first is None or second is None or None in (first.low, first.high, second.low, second.high):
        return False
    if kinds.lower_is_better(row.speed):
        first, second = second, first
    return bool((first.low or 0) > (second.high or 0))


def any_ranked(rows: Iterable[Row]) -> bool:
    """Say whether one of the rows may be ranked."""
    return any(row.ranked for row in rows)


def contenders(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that may be ranked, the fastest first: undisturbed, known well enough, and of one machine."""
    return sorted((row for row in rows if row.ranked and variant.hosts(row.cell) == 1), key=_fastest_first)


def _fastest_first(row: Row) -> tuple[float, str]:
    mean = row.interval.mean if row.interval else 0
    return (mean if kinds.lower_is_better(row.speed) else -mean, canonical(row.cell))


def standing(rows: Sequence[Row], row: Row) -> str:
    """Return how `row` stands among all `rows` of the same test.

    "fastest" when its interval lies above those of all others; "~" when it is not established that the row with the
    highest mean is faster; "" when that is established, or nothing can be compared.
    """
    field = contenders(same_test(rows, row))
    if len(field) < 2 or row not in field:
        return ""
    first = field[0]
    if row is not first:
        return "" if above(first, row) else "~"
    return "fastest" if all(above(first, other) for other in field[1:]) else "~"


def headline(rows: Sequence[Row], speed: str) -> Row | None:
    """Return the row that stands for the `speed` (pp_tps or tg_tps) of a page: the usual test's fastest.

    One that may not be ranked stands only where none may, an INVALID one where there is nothing else, a MISSING one
    never, nor one of several hosts: what they do together is no figure of this machine.
    """
    measured = [row for row in rows if row.speed == speed and row.interval is not None and variant.hosts(row.cell) == 1]
    if not measured:
        return None
    test = min(
        measured,
        key=lambda row: (row.cell["n_depth"], row.cell["test"] not in USUAL_TESTS, cell_order(row.cell)),
    )
    field = same_test(measured, test)
    ranked = contenders(field)
    return ranked[0] if ranked else min(field, key=lambda row: (row.state == INVALID, *_fastest_first(row)))


class Layout(NamedTuple):
    """How weights were used, by the log: the name of a layout, and how many tensors, None where that says it."""

    name: str
    detail: str | None


NOT_REPACKED = "not repacked"


def _layouts(kernel: Payload) -> list[Layout]:
    """Return the layouts in which the weights of a launch were used; empty when its log does not say."""
    tensors, types = kernel.get("tensors"), kernel.get("types")
    copies = [buffer["name"] for buffer in kernel.get("buffers") or [] if buffer["bytes"] and is_repacked(buffer)]
    if copies and not kernel.get("repack") and not in_kleidiai(kernel):
        # A log names the tensors only where it was asked to say more.
        return [Layout("repacked", f"layouts not named, in {', '.join(copies)}")]
    told = (kernel.get("repack") or {}).get(RUN_TIME)
    if told:
        return [Layout(f"repacked {RUN_TIME}", plural(told, "tensor"))]
    if not tensors or types is None:
        repack = kernel.get("repack")
        if repack is None:
            return []
        words = ", ".join(f"{name} ({plural(count, 'tensor')})" for name, count in sorted(repack.items()))
        return [Layout(words or "no repacking", None)]
    # The log names the buffer and no tensor in it.
    taken = in_kleidiai(kernel)
    layouts: list[Layout] = [Layout(KLEIDIAI, f"{kind}, tensors not named") for kind in taken]
    left = []
    for kind in sorted({*tensors, *types}):
        there = tensors.get(kind)
        repacked = types.get(kind) or {}
        of = f" of {there}" if there else ""
        layouts += [Layout(layout, f"{count}{of} {kind}") for layout, count in sorted(repacked.items())]
        # Norms and the like are F32 in every file: nobody repacks them.
        if there and not repacked and kind != "F32" and kind not in taken:
            if _LAYOUT_TYPE.fullmatch(kind):
                layouts.append(Layout(f"{kind.lower()} in the file", plural(there, "tensor")))
            else:
                left.append(f"{there}{NO_BREAK}{kind}")
    return [*layouts, *([Layout(NOT_REPACKED, ", ".join(left))] if left else [])]


def layouts(row: Row) -> list[Layout]:
    """Return the layouts in which the weights of `row` were used, as the log of the launches says; empty without it."""
    every: set[Layout] = set()
    before: Payload = {}
    for record in row.launches:
        kernel = record["payload"].get("kernel") or {}
        # Nearly always that of the launch before.
        if kernel != before:
            every.update(_layouts(kernel))
            before = kernel
    return sorted(every, key=lambda layout: (layout.name == NOT_REPACKED, layout.name, layout.detail or ""))


def kernel_paths(row: Row) -> list[str]:
    """Return the layouts of `row` with the number of their tensors, a line each."""
    return [f"{layout.name} ({layout.detail})" if layout.detail else layout.name for layout in layouts(row)]


def _verdicts(row: Row) -> list[Payload]:
    paths = [(record["payload"].get("kernel") or {}).get("path") for record in row.launches]
    return [path for path in paths if path]


def kernel_state(row: Row) -> str | None:
    """Return FALLBACK when one launch of `row` fell back, else what all are, UNKNOWN when they differ or nobody knows.

    None when no launch was judged: records of 0.1.0 are not.
    """
    states = {path["state"] for path in _verdicts(row)}
    if not states:
        return None
    if FALLBACK in states:
        return FALLBACK
    return next((state for state in (AS_EXPECTED, SWITCHED_OFF) if states == {state}), UNKNOWN)


def _findings(rows: Iterable[Row], states: Sequence[str]) -> list[Finding]:
    by_words: dict[tuple[str | None, str | None], dict[int, Row]] = {}
    for row in rows:
        for path in _verdicts(row):
            why, remedy = path.get("why"), path.get("remedy")
            if path["state"] in states and (why or path["state"] == FALLBACK):
                by_words.setdefault((why, remedy), {})[id(row)] = row
    return [Finding(why, remedy, list(alike.values())) for (why, remedy), alike in by_words.items()]


def fallbacks(rows: Iterable[Row]) -> list[Finding]:
    """Return every distinct fallback of `rows`: what does not run on the kernels that the processor has."""
    return _findings(rows, (FALLBACK,))


def remarks(rows: Iterable[Row]) -> list[Finding]:
    """Return what else is to be said of the kernels of `rows`: why it is not known, what an expectation rests on."""
    return _findings(rows, (AS_EXPECTED, SWITCHED_OFF, UNKNOWN))


def by_block(row: Row, metric: str = "") -> dict[int, float]:
    """Return the speed of each block in which `row` was launched undisturbed, of the first launch should it have two.

    `metric` is another one than stands for the cell.

    What drifts over a session is the same for all of a block; what disturbed one launch is not.
    """
    speeds: dict[int, float] = {}
    for record in undisturbed(row.launches):
        block, speed = record["payload"].get("block"), value(record, metric or row.speed)
        if block is not None and speed is not None:
            speeds.setdefault(block, speed)
    return speeds


def reference(rows: Sequence[Row]) -> Row | None:
    """Return the row of one test and thread count that ratios refer to: Q4_0 in `default`, else the first measured."""
    measured = [row for row in rows if row.launches]
    wanted = (REFERENCE_QUANTIZATION, REFERENCE_BUILD)
    return next((row for row in measured if combination(row.cell) == wanted), measured[0] if measured else None)


def load_modes(row: Row) -> list[str]:
    """Return how llama-bench loaded the weights, as its rows say: load_mode, or use_mmap before that existed."""
    modes = set()
    for record in row.launches:
        for tool_row in record["payload"].get("rows") or []:
            mode = tool_row.get("load_mode")
            if isinstance(mode, str):
                modes.add(mode)
            elif isinstance(tool_row.get("use_mmap"), (bool, int)):
                modes.add("mmap" if tool_row["use_mmap"] else "no mmap")
    return sorted(modes)
