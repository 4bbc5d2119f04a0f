# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words and figures that more than one page uses."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.kernel_path import FALLBACK
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import PRESETS
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import UNDATED
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import (
    progress,
    summary,
    validity,
    verdict,
    weights,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import (
    Finding,
    Payload,
    Record,
    Row,
    Run,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import Markdown

# Up to so many cells are named one by one.
NAMED_CELLS = 3

# How many reasons, and how much of each, a table cell holds; all of them stand in a list of their own.
INLINE_REASONS = 2
INLINE_CHARACTERS = 120
_OF_LAUNCH = re.compile(r"launch \d+: ")

RECORDS_RULE = (
    "Speed is in tokens per second, as llama-bench gives it: no sampling, no tokenizing. A figure is the geometric "
    "mean over launches, each a fresh process, with its 95 % interval: the t interval of that mean, widened by the "
    "drift of the session and by what the gates let pass."
)
STATES_RULE = (
    f"VALID: {validity.ENOUGH_LAUNCHES} undisturbed launches or more, and known to ±{validity.RANKED_PERCENT:g} % or "
    "better. UNSTABLE: undisturbed, with fewer launches or known less well; ranked where it is known to "
    f"±{validity.RANKED_PERCENT:g} % all the same. INVALID: too many launches were disturbed; the figure is shown and "
    "never ranked. MISSING: planned and not measured. The ± holds the spread of the launches, the drift of the memory "
    "bandwidth and what the gates let pass."
)
IMPORTED_RULE = (
    "Imported figures are those of files of other programs, in tokens per second: what a process printed, the "
    "geometric mean where several printed it. What disturbed them is not known, so none of them is VALID: in a table "
    "they stand where their number puts them, and no card chooses one."
)
# The metrics of llama-bench in words, in the order in which they are told.
SPEEDS = {"tg_tps": "Generation", "pp_tps": "Prompt processing"}
# Said on the index of an UNSTABLE figure; site.js reads it, and INVALID.
NOT_RANKED = "not ranked"
# What users wait for: seconds in records, milliseconds wherever it is shown.
LATENCIES = ("ttft_s", "tpot_s", "itl_s", "e2e_s")
# Decimals of an amount of USD.
USD_PLACES = 3
VERDICT_RULE = (
    f"Slower, faster: the interval of the ratio lies wholly beyond {verdict.MARGIN_PERCENT:g} %; equal: wholly within; "
    f"undecided (~): neither. Informational (~): fewer than {verdict.ENOUGH_PAIRS} blocks in which both launches were "
    "undisturbed. q: the p-value, adjusted by Benjamini and Hochberg for all cells of the two combinations; a "
    f"difference with q over {verdict.FALSE_DISCOVERIES:g} is undecided. These are the words of `make compare`."
)
TIE_RULE = Markdown("`~`: the intervals overlap, so no difference from the fastest is established.")


NO_PLAN = "The plan of this run is not on record."
PAIRED_RULE = (
    "A ratio compares two rows of this run block by block: a block launches every cell once, in random order, so what "
    "slows the machine down for a while slows both. It is the geometric mean over the blocks, with the 95 % t interval "
    "of the mean log ratio; N/A below two blocks. Only blocks count in which both launches were undisturbed. A drift "
    "of the session is the same for both."
)


def rules(imported: bool) -> list[str]:
    """Return how the figures of a page are to be read: what they are, and how far they hold."""
    return [IMPORTED_RULE] if imported else [RECORDS_RULE, STATES_RULE]


def prose(value: object, limit: int | None = markdown.LONG) -> Markdown:
    """Return sentences of ours that passed through a record: as text, with what stands in backticks as code."""
    plain = markdown.shorten(markdown.visible(value), limit)
    shown = []
    for index, piece in enumerate(re.split(r"`([^`]+)`", plain)):
        if index % 2:
            shown.append(markdown.code(piece, None))
        elif piece:
            # text() strips the spaces that join a piece to the next one.
            lead, tail = (" " if piece[at] == " " else "" for at in (0, -1))
            shown.append(Markdown(f"{lead}{markdown.text(piece, None)}{tail if piece.strip() else ''}"))
    return Markdown("".join(shown))


def sentence(value: object) -> Markdown:
    """Return prose() that begins with a capital letter, unless a name stands there, and ends with a full stop."""
    shown = prose(value)
    ending = "" if shown.endswith((".", "!", "?")) else "."
    return Markdown(f"{shown[:1].upper()}{shown[1:]}{ending}" if re.match(r"[a-z]+[ ,]", shown) else f"{shown}{ending}")


def short_name(value: str) -> str:
    """Return the name of a model or quantization, short enough for a title."""
    return markdown.shorten(value, 60)


def records_file(run: Run) -> str:
    """Return the path of the records of `run`, relative to the results directory."""
    return f"{run.machine}/records/{run.run}.jsonl"


def date(time: str) -> str:
    """Return the time of a record to the minute: 2026-11-23 15:55 UTC; of an import it may not be known."""
    if time == UNDATED:
        return "unknown date"
    return f"{time[:10]} {time[11:16]} UTC"


def day(time: str) -> str:
    """Return the day of the time of a record: 2026-11-23."""
    return "unknown" if time == UNDATED else time[:10]


def records_links(run: Run, relative: Callable[[str], str]) -> Markdown:
    """Return links to the records of `run`, of several where it holds what those have."""
    held = [markdown.link(f"{each.run}.jsonl", relative(records_file(each))) for each in run.joined or (run,)]
    shown = [*held[-3:], *([f"and {len(held) - 3} more"] if held[3:] else [])]
    return Markdown(", ".join(shown))


def interval(row: Row | None) -> str:
    """Return the bounds of the interval of `row`, to the decimals of its mean; N/A when there are none."""
    if row is None or row.interval is None:
        return metrics.NOT_AVAILABLE
    low, high = row.interval.low, row.interval.high
    if row.speed not in LATENCIES or low is None or high is None:
        return metrics.span(low, high, metrics.decimals(row.interval.mean))
    return metrics.span(1000 * low, 1000 * high, metrics.decimals(1000 * row.interval.mean))


def with_unit(name: str, value: float | None) -> str:
    """Return a metric with its unit; what users wait for is in ms, on all pages."""
    if name not in LATENCIES or value is None:
        return metrics.with_unit(name, value)
    return f"{milliseconds(value)}{metrics.NO_BREAK}ms"


def milliseconds(value: float | None) -> str:
    """Return a time in s as a number of ms, for a column whose title has the unit."""
    return metrics.number(None if value is None else 1000 * value)


def mean(row: Row | None) -> str:
    """Return the mean of `row` in token/s."""
    return metrics.number(row.interval.mean) if row and row.interval else metrics.NOT_AVAILABLE


def mean_with_unit(row: Row, name: str) -> str:
    """Return a metric of `row` with its unit, formed as the row's own figure is; N/A when its launches lack it."""
    return with_unit(name, summary.centre(row, name))


def brief(row: Row) -> Markdown:
    """Return the state of `row` with its reasons in a few words, for the index."""
    unranked = [NOT_RANKED] if row.state == summary.UNSTABLE and not row.ranked else []
    words = markdown.join([state_words(row), *short_reasons(row), *unranked])
    return Markdown(f"{words}; {markdown.text(row.instead)}") if row.instead else words


def state_words(row: Row) -> str:
    """Return the state of `row`; a VALID figure says how well it is known: VALID ±5.4 %."""
    width = row.interval.half_width_percent if row.interval else None
    if row.state != summary.VALID or width is None:
        return row.state
    return f"{row.state}{metrics.NO_BREAK}±{metrics.with_unit('half_width_percent', width)}"


def short_reasons(row: Row) -> list[str]:
    """Return why `row` is not VALID in a few words: of disturbed launches only how many there are."""
    return _disturbed(row) if row.state == summary.INVALID else row.reasons


def _disturbed(row: Row) -> list[str]:
    if row.stamp:
        return [row.stamp]
    disturbed = len(row.launches) - len(summary.undisturbed(row.launches))
    return [_disturbed_words(row)] if disturbed and len(row.figures) == len(row.launches) else row.reasons[:1]


def _disturbed_words(row: Row) -> str:
    disturbed = len(row.launches) - len(summary.undisturbed(row.launches))
    return f"{disturbed} of {metrics.plural(len(row.launches), 'launch')} disturbed"


def badge(row: Row) -> Markdown:
    """Return the state of `row` with the first of its reasons, for a table cell."""
    if not row.reasons:
        return markdown.text(state_words(row))
    reasons = inline_reasons(row)
    shown: list[object] = [markdown.text(reason, INLINE_CHARACTERS) for reason in reasons[:INLINE_REASONS]]
    if len(reasons) > INLINE_REASONS:
        shown.append(f"and {metrics.plural(len(reasons) - INLINE_REASONS, 'more reason')}")
    return markdown.lines(
        markdown.bold(state_words(row)), markdown.small(Markdown("<br>".join(markdown.text(s) for s in shown)))
    )


def inline_reasons(row: Row) -> list[str]:
    """Return the reasons of `row` for a table cell: those of single launches as one, that says what disturbed them."""
    others = [reason for reason in row.reasons if not _OF_LAUNCH.match(reason)]
    of_launches = [reason for reason in row.reasons if _OF_LAUNCH.match(reason)]
    if not of_launches:
        return others
    causes = dict.fromkeys(reason.rpartition(": ")[2] for reason in of_launches)
    return [f"{_disturbed_words(row)}: {', '.join(causes)}", *others]


def test_words(cell: Payload) -> str:
    """Return the test of a cell: pp512, or tg128, depth 4,096."""
    depth = f", depth {metrics.number(cell['n_depth'])}" if cell["n_depth"] else ""
    return f"{cell['test'].replace('@d{}'.format(cell['n_depth']), '')}{depth}"


def cell_words(cell: Payload, several_builds: bool = True) -> str:
    """Return a cell in words: tg128, depth 4,096, 2 threads, build default."""
    build = f", build {summary.way(cell)}" if several_builds else ""
    return f"{test_words(cell)}, {progress.thread_count(cell)}{build}"


def build_title(rows: Sequence[Row]) -> str:
    """Return the title of the column that says what cells are computed by."""
    return "Build, settings" if any(row.cell.get("variant") for row in rows) else "Build"


def setting_value(cell: Payload, name: str) -> str | None:
    """Return a setting of a cell as it is shown, None where the cell does not have it."""
    value = (cell.get("settings") or {}).get(name)
    if value is None or not value.isdecimal():
        return value
    if name == "model_size":
        # One unit for a column of them.
        return f"{metrics.in_unit(int(value), 'GiB')}{metrics.NO_BREAK}GiB"
    return metrics.number(int(value)) if name == "model_n_params" else value


def settings_words(cell: Payload, names: Sequence[str]) -> str:
    """Return the settings of a cell by their names, those that it has: flash_attn 1, n_batch 2048."""
    said = ((name, setting_value(cell, name)) for name in names)
    return ", ".join(f"{name} {value}" for name, value in said if value is not None)


def thread_number(cell: Payload) -> str:
    """Return the threads of a cell for a column, in words where nobody has chosen them."""
    return metrics.number(cell["threads"]) if cell["threads"] else "by the ladder"


def thread_words(cell: Payload) -> str:
    """Return the threads of a cell for a column or after a colon, those for prompts too where they are others."""
    more = f", prompts {cell['threads_batch']}" if cell.get("threads_batch") else ""
    return f"{cell['threads'] or 'by the ladder'}{more}"


def sizes(title: str, values: Sequence[float | None]) -> tuple[str, list[str]]:
    """Return the title and the cells of a column of bytes, all in one unit, which the title has."""
    unit = metrics.common_unit(values)
    return in_title(title, unit), [metrics.in_unit(value, unit) for value in values]


def in_title(title: str, unit: str) -> str:
    """Return the title of a column with the unit of its cells, "" for none."""
    return f"{title}{metrics.NO_BREAK}{unit}" if unit else title


def key_line(
    label: str, name: str, rows: Sequence[Row], of: Callable[[Row, str], float | None]
) -> list[list[markdown.Cell]]:
    """Return the line of a metric for the head of a page, with what `of` makes of it for each row; none without any."""
    values = [(row, of(row, name)) for row in rows]
    unit = metrics.common_unit(value for _row, value in values) if metrics.metric(name).unit == "B" else ""

    def figure(value: float) -> str:
        return f"{metrics.in_unit(value, unit)}{metrics.NO_BREAK}{unit}" if unit else metrics.with_unit(name, value)

    shown = [f"{figure(value)} ({row.cell['test']})" for row, value in values if value is not None]
    return [[label, markdown.lines(*shown), "", ""]] if shown else []


def hardware(run: Run) -> str:
    """Return what the machine is, in a few words."""
    machine = summary.machine(run)
    instance = (machine.get("instance") or {}).get("type")
    cpus = metrics.plural(machine["cpu_count"], "CPU") if machine.get("cpu_count") else None
    words = [word for word in (instance, machine.get("cpu_model"), cpus) if word]
    return f" ({', '.join(map(str, words))})" if words else ""


def terminal_line(name: str, row: Row | None, figure: str | None = None) -> str:
    """Return a line of the terminal: a figure, where it was measured and how far it holds."""
    if row is None:
        return f"  {name:<11} not measured"
    if figure is None:
        spread = interval(row)
        bounds = "" if spread == metrics.NOT_AVAILABLE else f" ({spread})"
        figure = f"{with_unit(row.speed, row.interval.mean if row.interval else None)}{bounds}"
    reasons = short_reasons(row)
    state = f"{row.state}: {'; '.join(reasons)}" if row.state != summary.VALID and reasons else state_words(row)
    return f"  {name:<11} {figure} at {row.cell['quantization']} {cell_words(row.cell)}; {state}"


def synthetic_words(model: str) -> str:
    """Return the sentence that stands on every page of a model with random weights."""
    preset = PRESETS.get(model)
    shape = (
        f"the exact shape of {preset.title}" if preset and preset.source.startswith("config.json") else "a Llama shape"
    )
    return (
        f"Synthetic weights: {shape} with random values. Speed, memory and load are as with real weights; the text it "
        "generates is meaningless, so nothing here says anything about quality."
    )


EMULATED_WORDS = (
    "Emulated processor: these figures come from a program that imitates the processor. They prove that the whole way "
    "works, and which kernels are chosen; they say nothing about the speed of the real machine and are never ranked "
    "with measured ones."
)


def is_synthetic(run: Run, cell: Payload) -> bool | None:
    """Say whether the model of `cell` has random weights; None when no model record of the run tells."""
    known = models(run, [cell], [])
    if known:
        # Of an imported model nobody has said.
        said = [model["synthetic"] for model in known if model["synthetic"] is not None]
        return any(said) if said else None
    return True if cell["model"].endswith("-synthetic") else None


def models(run: Run, cells: Sequence[Payload], launches: Sequence[Record]) -> list[Payload]:
    """Return the model payloads of `run` that `launches` used; without any, those with the names of `cells`."""
    used = {record["payload"]["model"] for record in launches}
    if used:
        return [run.models[key] for key in sorted(used) if key in run.models]
    names = {(cell["model"], cell["quantization"]) for cell in cells}
    return [model for _key, model in sorted(run.models.items()) if (model["name"], model["quantization"]) in names]


def model_file(run: Run, cells: Sequence[Payload], launches: Sequence[Record]) -> Payload | None:
    """Return the model payload of models(), None where there are several of other tensors, or none."""
    known = models(run, cells, launches)
    return known[0] if len({model.get("tensors_sha256") for model in known}) == 1 else None


def bits_per_weight(model: Payload | None) -> str | None:
    """Return how many bits a weight of a model takes, None where it is not on record."""
    bits = (model or {}).get("bits_per_weight")
    return f"{metrics.number(bits, 2)} bits per weight" if bits else None


def tensor_words(model: Payload) -> str:
    """Return the types of a model's tensors with their numbers, "Q4_0 (180), Q3_K (30)"; "" where not on record."""
    return ", ".join(f"{name} ({count:,})" for name, count, _size in weights.types(model))


def model_of(run: Run, row: Row) -> Payload | None:
    """Return the model payload that the launches of a row used, None where it is not on record."""
    return next(iter(models(run, [row.cell], row.launches)), None)


def builds(run: Run, cells: Sequence[Payload], launches: Sequence[Record]) -> list[Payload]:
    """Return the builds of `run` that `launches` used; without any, those that `cells` name."""
    used = {record["payload"]["build"] for record in launches}
    names = {cell["build"] for cell in cells}
    return [
        build
        for key, build in sorted(run.builds.items(), key=lambda item: (item[1]["name"], item[0]))
        if (key in used if used else build["name"] in names)
    ]


def compiled(build: Payload) -> str | None:
    """Return where a build was compiled, None when its record does not say."""
    way, core = build.get("way"), build.get("core")
    words = {"native": "natively, on the host", "cross": f"cross, on the controller, for {core or 'this processor'}"}
    return words.get(way, way) if way else None


def small_state(row: Row) -> Markdown:
    """Return the state of `row` for a narrow table cell; the page of the quantization has the reasons in full."""
    if row.state == summary.INVALID:
        return markdown.lines(markdown.bold(row.state), markdown.small(markdown.join(_disturbed(row))))
    if row.state == summary.VALID:
        return markdown.text(state_words(row))
    return markdown.lines(markdown.bold(row.state), markdown.small(markdown.join(row.reasons)))


def kernel_state(row: Row) -> Markdown | None:
    """Return how the kernels of `row` compare with those expected, loud when it fell back; None when nobody judged."""
    state = summary.kernel_state(row)
    if state is None:
        return None
    return markdown.bold("FALLBACK") if state == FALLBACK else markdown.text(state)


def kernel_cell(row: Row) -> Markdown | None:
    """Return the layouts of `row` for a narrow table cell, and how they compare with those expected."""
    shown: list[Markdown] = []
    layouts = summary.layouts(row)
    for layout in layouts:
        if layout.name == summary.NOT_REPACKED and len(layouts) > 1:
            shown.append(markdown.small(f"{layout.name}: {layout.detail}"))
        else:
            detail = [markdown.small(layout.detail)] if layout.detail else []
            shown += [markdown.text(layout.name), *detail]
    return markdown.lines(*shown, kernel_state(row)) or None


def _named(rows: Sequence[Row], measured: Sequence[Row]) -> str:
    """Return which cells `rows` are among those `measured` of the same combination, without naming that again."""
    if len(rows) > NAMED_CELLS and len(rows) == len(measured):
        return f"all {metrics.plural(len(rows), 'cell')}"
    shown = [f"{test_words(row.cell)} at {metrics.plural(row.cell['threads'], 'thread')}" for row in rows]
    more = [f"{metrics.plural(len(shown) - 2 * NAMED_CELLS, 'more cell')}"] if len(shown) > 2 * NAMED_CELLS + 1 else []
    return ", ".join([*shown[: 2 * NAMED_CELLS], *more] if more else shown)


def cells_of(finding: Finding, rows: Sequence[Row], name: Callable[[Payload], str]) -> str:
    """Return the cells of `finding` in words.

    `rows` are all of the page, `name` gives what tells the cells of one combination from another's, or nothing.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in finding.rows:
        groups.setdefault(summary.combination(row.cell), []).append(row)
    said = []
    for key, group in groups.items():
        called = name(group[0].cell)
        cells = _named(group, [row for row in rows if row.launches and summary.combination(row.cell) == key])
        said.append(f"{called} ({cells})" if called else cells)
    return "; ".join(said)


def session_alert(run: Run) -> Markdown | None:
    """Return a line where the machine was not the same one throughout a run."""
    said = summary.drift(run)
    if not said:
        return None
    words = f"{said[:1].upper()}{said[1:]}. That is in every interval; ratios within a block do not know it."
    return markdown.alert("NOTE", markdown.text(words, None))


def session_words(run: Run) -> str:
    """Return what the canary of a run found, for a table."""
    if summary.drift_percent(run) is None:
        return "drift not measured"
    return summary.drift(run) or "no drift found"


def nothing_alert(run: Run, path: str) -> Markdown | None:
    """Return a loud line where a run that was planned has no figure of a page."""
    if not run.plan or summary.fruitful_on(run, path):
        return None
    return markdown.alert("CAUTION", markdown.text(f"Nothing was measured: {summary.why_nothing(run, path)}.", None))


def instead_words(shown: Run, standing: summary.Standing) -> str:
    """Return of rows the day of their run, where that is not the one of their page, and what a newer figure is.

    "of 2026-11-24; newer run of 2026-11-26: INVALID, 1 of 6 launches disturbed"; where it is slower and holds, both
    are named with their cells. What was set on purpose for the programs of a run is named too.
    """
    here = [] if standing.run is shown else [f"of {day(standing.run.time)}"]
    if summary.environment(standing.run):
        here.append(with_environment(standing.run))
    beside = []
    if standing.newer:
        run, row = standing.newer
        said = _with_reasons(row)
        if row.ranked:
            here.append(cell_words(summary.contenders(standing.rows)[0].cell))
            words = [cell_words(row.cell), with_environment(run) if summary.environment(run) else ""]
            said = ", ".join([*filter(None, words), mean_with_unit(row, row.speed), row.state])
        beside.append(f"newer run of {day(run.time)}: {said}")
    return "; ".join(filter(None, [", ".join(here), *beside]))


def with_environment(run: Run) -> str:
    """Return what was set on purpose for the programs of a run: with OMP_WAIT_POLICY=passive."""
    return f"with {' '.join(f'{name}={value}' for name, value in sorted(summary.environment(run).items()))}"


def _with_reasons(row: Row) -> str:
    """Return the state of a row that the page does not show, with its reasons."""
    return ", ".join([row.state, *short_reasons(row)])


def attempts_words(attempts: Sequence[Run], path: str | None = None) -> str | None:
    """Return what is to be said of the newest of the runs that came to less than the one that is shown.

    `path` is that of the page, None where all of a run counts.
    """
    if not attempts:
        return None
    run = attempts[-1]
    measured = summary.measured_on(run, path)
    if not measured:
        return f"A newer run of {date(run.time)} measured nothing: {summary.why_nothing(run, path)}"
    rows = summary.rows(run, measured)
    if summary.any_ranked(rows):
        return f"A newer run of {date(run.time)} ended early"
    said = list(dict.fromkeys(_with_reasons(row) for row in rows))
    more = ["and others"] if len(said) > INLINE_REASONS else []
    asked = [cell for cell in summary.cells(run) if summary.shown_on(run, cell, path)]
    early = " ended early" if len(measured) < len(asked) else ""
    return f"A newer run of {date(run.time)}{early}: {'; '.join([*said[:INLINE_REASONS], *more])}"


def attempts_alert(attempts: Sequence[Run], here: str, path: str | None = None) -> Markdown | None:
    """Return a loud line on runs that came to less than the one that is shown; `here` is the directory of the page."""
    words = attempts_words(attempts, path)
    if words is None:
        return None
    run = attempts[-1]
    kept = markdown.link(f"{run.run}.jsonl", posixpath.relpath(records_file(run), here))
    told = markdown.text(f"{words}. The figures are those of the run before it; its records:", None)
    return markdown.alert("CAUTION", Markdown(f"{told} {kept}."))


def earlier_lines(shown: Run, earlier: Sequence[summary.Standing]) -> list[list[markdown.Cell]]:
    """Return the lines of figures of earlier runs for the head of a page of the run `shown`, which has none that holds.

    Each with its day, and with what the newer run gave.
    """
    lines: list[list[markdown.Cell]] = []
    for standing in earlier:
        row = summary.contenders(standing.rows)[0]
        label = f"{metrics.metric(row.speed).label}, {test_words(row.cell)}"
        figure = markdown.bold(with_unit(row.speed, row.interval.mean if row.interval else None))
        said = markdown.lines(badge(row), markdown.small(instead_words(shown, standing)))
        lines.append([label, figure, interval(row), said])
    return lines


def failure_items(failures: Iterable[tuple[Sequence[object], Record]]) -> list[Markdown]:
    """Return failures for a list: where, phase and cell, the cause, and on a line of its own what to do.

    Each comes with where it happened. Several cells of one cause are one item: what a kernel or a build does not do, it
    does for no test.
    """
    alike: dict[tuple[tuple[object, ...], str, str, str], list[Payload | None]] = {}
    for where, record in failures:
        failure = record["payload"]
        key = (tuple(where), failure["phase"], failure["cause"], failure["advice"])
        alike.setdefault(key, []).append(failure.get("cell"))
    return [_failure_item(where, phase, cause, advice, cells) for (where, phase, cause, advice), cells in alike.items()]


def _failure_item(
    where: Sequence[object], phase: str, cause: str, advice: str, cells: Sequence[Payload | None]
) -> Markdown:
    words = [cell_words(cell) if cell else "the whole host" for cell in cells]
    if len(words) > 1:
        more = f"; and {metrics.plural(len(words) - NAMED_CELLS, 'more cell')}" if len(words) > NAMED_CELLS + 1 else ""
        shown = words[:NAMED_CELLS] if more else words
        words = [f"{metrics.plural(len(words), 'cell')} ({'; '.join(shown)}{more})"]
    place = markdown.join([*where, f"phase {phase}", *words])
    return Markdown(f"{place}: {prose(cause)}<br>**To do:** {prose(advice)}")
