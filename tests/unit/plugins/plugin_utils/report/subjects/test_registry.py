# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every metric is shown by a subject that says so, and truly; every kind has its subject; pages hold what those say."""

from __future__ import annotations

import copy
import functools
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.records import side_by_side

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import mean_interval
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import sampler
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import cost, roofline, summary, validity
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import index, pages, parts, terminal
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import RIGHT, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import registry
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Columns, Section, View
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

Record = dict[str, Any]

FIXTURES = Path(__file__).resolve().parents[5] / "fixtures"

DECLARED = [(subject, name) for subject in registry.SUBJECTS for name in subject.metrics]

# By unit: what stands nowhere else in the records.
RECOGNISABLE = {
    "token/s": 4137.0, "s": 41.37, "1/s": 41.37, "%": 63.7, "B": 3777777777, "1": 41377, "GB/s": 413.7,
    "GFLOP/s": 4137.0,
}  # fmt: skip


def says_the_same(launch: Record) -> Record:
    """Return a launch of greedy64 in the place of another one."""
    record = copy.deepcopy(launch)
    record["payload"]["cell"].update(kinds.parse_test("greedy64"), reference="F16")
    metrics_of_it = {"greedy_first_difference": "1", "greedy_same_percent": "%", "greedy_equal_tokens_percent": "%"}
    record["payload"]["metrics"] = {name: {"value": 5, "unit": unit} for name, unit in metrics_of_it.items()}
    return record


def whole(real: list[Record]) -> list[Record]:
    """Return a run that has everything that is shown anywhere, and the same once more at an earlier time."""
    every = []
    for record in copy.deepcopy(real):
        payload = record["payload"]
        if record["kind"] == "machine":
            payload["instance"] = {"type": "c7i.16xlarge", "zone": "us-east-1a"}
        if record["kind"] == "bandwidth":
            payload["fma_gflops"] = {"best": 300.0, "median": 290.0}
        every.append(record)
        if record["kind"] == "launch":
            again = copy.deepcopy(record)
            again["payload"]["number"] += 1000
            every.append(again)
            if payload["cell"]["test"] == "serve128+64@c1":
                at_a_rate = copy.deepcopy(record)
                cell = at_a_rate["payload"]["cell"]
                cell.update(test="serve128+64@r0.5", rate=0.5)
                del cell["concurrency"]
                every.append(at_a_rate)
                every += [predicting(record, test) for test in ("quality512x4", "agree128x2")]
            if payload["cell"]["test"] == "load":
                every.append(says_the_same(record))
    earlier = [
        dict(copy.deepcopy(record), run="20200101T000000Z-0000", time="2020-01-01T00:00:00Z") for record in every
    ]
    return [*earlier, *every]


def predicting(record: Record, test: str) -> Record:
    """Return a launch of the same file that measures what is predicted, with every metric of its kind."""
    launch = copy.deepcopy(record)
    cell = {name: launch["payload"]["cell"][name] for name in ("model", "quantization", "build", "threads")}
    kind = kinds.kind_of({"test": test})
    needs = {name: value for name, value in (("reference", "F16"), ("text", "alice29")) if name in kind.needs}
    launch["payload"]["cell"] = {**cell, **kinds.parse_test(test), **needs}
    launch["payload"]["metrics"] = {name: {"value": 0.01, "unit": metrics.metric(name).unit} for name in kind.metrics}
    return launch


@pytest.fixture(scope="module")
def packed() -> bytes:
    """The records of whole(), to be taken out again and again."""
    lines = (FIXTURES / "records" / "schema-2.jsonl").read_bytes().splitlines()
    return pickle.dumps(whole([records.decode(line) for line in lines]))


@pytest.fixture(scope="module")
def before(packed: bytes) -> Callable[[Subject], str]:
    """What a subject tells before anything is planted."""
    every = pickle.loads(packed)  # noqa: S301 - packed by this test
    return functools.cache(lambda subject: told(subject, every))


def told(subject: Subject, every: list[Record]) -> str:
    """Return all that a subject tells of the page of the records, and of it on the index."""
    runs = summary.runs(every)
    path = next(iter(summary.pages(runs[-1])))
    view = View(path, runs)
    entries = [index.entry(path, runs)]
    section = subject.section(view) if subject.section else None
    pieces: list[object] = list(section.blocks) if section else []
    pieces += subject.key_lines(view) if subject.key_lines else []
    pieces += [draw(view) for _name, draw in subject.figures]
    pieces += subject.terminal(view.every) if subject.terminal else []
    pieces += [show(entries) for show in (subject.columns, subject.felt) if show]
    return "\n".join(map(str, pieces)).replace("\\xa0", " ").replace(metrics.NO_BREAK, " ")


def holds(text: str, shown: str) -> bool:
    """Say whether a text holds a figure, and not only as a part of another one."""
    figure = re.escape(shown.replace(metrics.NO_BREAK, " "))
    return bool(re.search(rf"(?<![\d.,]){figure}(?![\d])", text))


# ---- Values that are planted, and how they are shown ----


def in_launches(every: list[Record], name: str, value: float) -> str:
    planted = 0
    for record in every:
        payload = record["payload"]
        if record["kind"] == "launch":
            for held in (payload["metrics"], payload["gates"]):
                if name in held:
                    held[name] = {**held[name], "value": value} if held is payload["metrics"] else value
                    planted += 1
    assert planted
    # The unit of bytes is that of their column, in its title.
    return metrics.show(name, value).partition(metrics.NO_BREAK)[0]


def in_ladders_too(every: list[Record], name: str, value: float) -> str:
    for record in every:
        if record["kind"] == "threads":
            for rung in record["payload"]["prompt" if name == "pp_tps" else "generation"]["ladder"]:
                rung["mean"] = value
    return in_launches(every, name, value)


def where_pages_were_swapped_in(every: list[Record], name: str, value: float) -> str:
    in_launches(every, "swap_in_pages", 3)
    return in_launches(every, name, value)


def where_threads_were_missed(every: list[Record], name: str, value: float) -> str:
    for record in every:
        if record["kind"] == "launch":
            record["payload"]["cell"]["threads"] = int(value) + 1
            record["payload"]["gates"][name] = value
    return metrics.show(name, value)


def as_median(every: list[Record], name: str, value: float) -> str:
    in_launches(every, name, value / 1000)
    return f"median {metrics.number(value)}"


def of_samples(every: list[Record], name: str, value: float) -> str:
    field = {"rss_anon_peak_bytes": "anon_bytes", "rss_file_peak_bytes": "file_bytes"}[name]
    for record in every:
        if record["kind"] == "samples":
            series = record["payload"]
            series[field] = [1000, int(value), 2000]
            other = {"anon_bytes": None, "file_bytes": None, field: series[field]}
            assert sampler.peaks(other)[name]["value"] == value
    return metrics.show(name, value).partition(metrics.NO_BREAK)[0]


def of_the_machine(every: list[Record], name: str, value: float) -> str:
    for record in every:
        if record["kind"] == "bandwidth":
            record["payload"][name] = {"best": value, "median": value}
    return metrics.show(name, value)


def as_share_of_requests(every: list[Record], name: str, _value: float) -> str:
    in_launches(every, name, 0.37)
    return "37 % failed"


def of_an_import(every: list[Record], name: str, value: float) -> str:
    file = {"file": "a.log", "form": "llama-cli", "sha256": "0" * 64}
    for record in every:
        payload = record["payload"]
        if record["kind"] == "run":
            payload["imported"] = [file]
        if record["kind"] == "launch":
            payload["imported"] = file
            payload["metrics"][name] = {"value": value, "unit": "s"}
    return metrics.with_unit(name, value)


def row_of(every: list[Record], test: str) -> tuple[summary.Run, summary.Row]:
    run = summary.runs(every)[-1]
    return run, next(row for row in summary.rows(run, summary.cells(run)) if row.cell["test"] == test)


def derived(every: list[Record], name: str, _value: float) -> str:
    """Return how a metric is shown that follows from others."""
    run, prompt = row_of(every, "pp512")
    run, generation = row_of(every, "tg128")
    assert prompt.interval
    assert generation.interval
    model = parts.model_of(run, prompt)
    assert model
    bandwidths = summary.bandwidths(run)
    if name == "half_width_percent":
        numbers = (100.0, 104.0)
        launches = [record for record in every if record in prompt.launches]
        for record, number in zip(launches, numbers, strict=True):
            record["payload"]["metrics"]["pp_tps"]["value"] = number
        widened = validity.widened(mean_interval(numbers), prompt.budget)
        return f"±{metrics.with_unit(name, widened.half_width_percent)}"
    if name == "usd_per_million_tokens":
        price = cost.hourly(run)
        assert price
        assert price.usd
        return metrics.number(cost.per_million(price.usd, prompt.interval.mean), 3)
    top = roofline.ceiling(bandwidths, generation.cell["threads"])
    rate = roofline.prompt_gflops(model, prompt.cell, prompt.interval.mean)
    peak = roofline.arithmetic(bandwidths, prompt.cell["threads"])
    values: dict[str, float | None] = {
        "token_time_ms": metrics.token_time_ms(generation.interval.mean),
        "prompt_time_ms": 1000 * 512 / prompt.interval.mean,
        "bandwidth_share": roofline.bandwidth_share(model, generation.cell, generation.interval.mean, top),
        "prompt_gflops": rate,
        "arithmetic_share": roofline.arithmetic_share(rate, peak),
    }
    assert values[name] is not None
    return metrics.show(name, values[name])


def of_a_cluster(every: list[Record], name: str, value: float) -> str:
    """Have several hosts compute all launches, with this of the network."""
    host = {"host": "first", "layers": 1, "threads": 1, "model_bytes": 1, "kv_bytes": 1, "compute_bytes": 1}
    for record in every:
        if record["kind"] == "launch":
            record["payload"]["cluster"] = {"hosts": [host]}
            record["payload"]["metrics"][name] = {"value": 1.0, "unit": metrics.metric(name).unit}
    return in_launches(every, name, value)


PLANTED: dict[str, Callable[[list[Record], str, float], str]] = {
    **dict.fromkeys(("pp_tps", "tg_tps"), in_ladders_too),
    **dict.fromkeys(("ttft_s", "tpot_s", "itl_s", "e2e_s"), as_median),
    **dict.fromkeys(("rss_anon_peak_bytes", "rss_file_peak_bytes"), of_samples),
    **dict.fromkeys(("read_gb_s", "triad_gb_s", "fma_gflops"), of_the_machine),
    **dict.fromkeys(metrics.DERIVED, derived),
    **dict.fromkeys(("network_token_bytes", "network_round_trip_ms", "network_share_percent"), of_a_cluster),
    "pressure_some_percent": where_pages_were_swapped_in,
    "threads_ran": where_threads_were_missed,
    "error_share": as_share_of_requests,
    "log_load_s": of_an_import,
}


# ---- Metrics ----


def test_every_metric_is_shown_somewhere_or_said_why_not() -> None:
    """Whoever adds a metric to the catalog adds it to the subject that shows it, or gives the reason here."""
    assert registry.shown() | set(registry.NOT_SHOWN) == set(metrics.REGISTRY)
    assert not registry.shown() & set(registry.NOT_SHOWN)
    assert all(len(reason) > 20 for reason in registry.NOT_SHOWN.values())


@pytest.mark.parametrize(
    ("subject", "name"), DECLARED, ids=[f"{subject.name} {name}" for subject, name in DECLARED]
)  # fmt: skip
def test_what_is_declared_as_shown_is_shown(
    packed: bytes, before: Callable[[Subject], str], subject: Subject, name: str
) -> None:
    every = pickle.loads(packed)  # noqa: S301 - packed by this test
    value = RECOGNISABLE.get(metrics.metric(name).unit, 41.37)
    shown = PLANTED.get(name, in_launches)(every, name, value)
    # What follows from others stands there already.
    assert name in metrics.DERIVED or not holds(before(subject), shown)
    assert holds(told(subject, every), shown)


def test_what_is_held_of_launches_is_all_that_pages_of_several_machines_need(real: list[Record]) -> None:
    """Were a metric of a column not held, the page would say N/A for it."""
    fleet = [*whole(real), *side_by_side.records()]
    runs = summary.runs(fleet)
    entries = [
        index.entry(path, [run for run in runs if path in summary.pages(run)])
        for path in dict.fromkeys(path for run in runs for path in summary.pages(run))
    ]
    lean = [index.lean(entry) for entry in entries]
    latest = list({run.machine: run for run in runs}.values())
    assert index.context(lean, latest, []) == index.context(entries, latest, [])
    for model, of_model in index.by_model(entries).items():
        assert index.model_context(model, index.by_model(lean)[model]) == index.model_context(model, of_model)
    assert set(registry.kept()) | set(registry.largest()) <= registry.shown()


@pytest.mark.parametrize("name", ["ttft_s", "tpot_s", "load_cold_s", "load_warm_s", "output_tps"])
def test_a_metric_that_is_not_held_is_missed(real: list[Record], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = summary.runs(whole(real))
    entry = index.entry(next(iter(summary.pages(runs[-1]))), runs)
    whole_page = index.model_context(entry.model, [index.lean(entry)])
    names = [kept for kept in registry.kept() if kept != name]
    monkeypatch.setattr(registry, "kept", lambda: names)
    assert index.model_context(entry.model, [index.lean(entry)]) != whole_page


# ---- Kinds ----


def test_every_kind_of_measurement_has_its_subject() -> None:
    """A further kind has a subject that names it, with a line in the registry."""
    shown = [kind for subject in registry.SUBJECTS for kind in subject.kinds]
    assert sorted(shown) == sorted(kinds.KINDS)
    for kind in kinds.KINDS.values():
        of_kind = {name for subject in registry.SUBJECTS if kind.name in subject.kinds for name in subject.metrics}
        assert set(kind.headlines) <= of_kind
        assert set(kind.metrics) <= registry.shown()


# ---- Pages ----


def toy(name: str) -> Subject:
    """Return a subject of one kind of measurement, whose rows it finds by the kind's name."""

    def section(view: View) -> Section:
        return Section("Toy", [Markdown(f"{len(view.of_kind('serve'))} toys")], "toy")

    def drawing(view: View) -> Drawing:
        return Drawing(f"Toys of {view.run.machine}.", {"title": {"text": "Toys"}})

    return Subject(
        name=name,
        key_lines=lambda view: [["Toy figure", "1", None, None]],
        key_words=lambda view: Markdown("Toy words."),
        section=section,
        figures=(("toy", drawing),),
        terminal=lambda rows: ["  toy line"],
        columns=lambda entries: Columns([("Toy column", RIGHT)], [["2"] for _entry in entries]),
        felt=lambda entries: Columns([("Toy felt", RIGHT)], [None for _entry in entries], "Toy note."),
        mark=lambda entry: Markdown("toy mark"),
        index_section=lambda entries: Section("Toys of all", [Markdown("Toy list.")]),
        index_figure=("toys", lambda entries: Drawing("All toys.", {})),
        model_figure=("toys", lambda entries: Drawing("Toys of a model.", {})),
        machine_section=lambda run: Section("Toys of a machine", [Markdown("Toy machine.")]),
    )


def test_a_further_subject_is_one_line_of_the_registry(real: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SUBJECTS", (*registry.SUBJECTS, toy("toy")))
    rendered = pages.render(real)
    page = next(text for path, text in rendered.items() if path.endswith("/q4.md"))
    assert "| Toy figure | 1 | N/A | N/A |" in page
    assert "\nToy words.\n" in page
    served = {record["payload"]["cell"]["test"] for record in real if record["kind"] == "launch"}
    count = sum(test.startswith("serve") for test in served)
    assert "## Toy\n\n<picture>" in page
    assert f"\n{count} toys\n" in page
    start = rendered["README.md"]
    for words in ("toy mark", "## Toys of all\n\nToy list.\n"):
        assert words in start, words
    (of_model,) = (text for path, text in rendered.items() if path.startswith("models/"))
    for words in ("Toy column", "Toy felt", "Toy note.", "toy mark"):
        assert words in of_model, words
    (machine,) = (text for path, text in rendered.items() if path.endswith("/README.md") and path.count("/") == 1)
    assert "## Toys of a machine\n\nToy machine.\n" in machine
    assert {"q4-toy", "toys", "tiny-synthetic-toys"} <= {figure.path.rpartition("/")[2] for figure in rendered.figures}
    assert "  toy line" in terminal.lines(real, real[0]["run"], "results")


def test_subjects_have_names_of_their_own() -> None:
    names = [subject.name for subject in registry.SUBJECTS]
    assert len(names) == len(set(names))
    figures = [name for subject in registry.SUBJECTS for name, _draw in subject.figures]
    assert len(figures) == len(set(figures))
