# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thread ladders: the speed at each thread count, and what the memory bandwidth would allow."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import roofline, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import specification as spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.specification import Values
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View

_BOUND = "dashed: limit of the memory bandwidth"


def _advice(run: Run) -> Payload | None:
    """Return the latest advice on threads of a run."""
    records = run.others.get("threads", [])
    return records[-1]["payload"] if records else None


def _section(view: View) -> Section | None:
    advice = _advice(view.run)
    if advice is None:
        return None
    model = view.run.models.get(advice["model"])
    of = f" of {model['name']} {model['quantization']}" if model else ""
    blocks = [
        markdown.text(
            f"Ladders{of}, a few short launches each; where no thread count was given, the other cells of the run have "
            "the best ones.",
            None,
        )
    ]
    lines: list[list[Cell]] = []
    for title, name in (("Prompt", "prompt"), ("Generation", "generation")):
        ladder = advice.get(name)
        if not ladder:
            continue
        blocks.append(markdown.bullets([markdown.text(f"{title}: {ladder['reason']}.", None)]))
        if ladder.get("collapse"):
            blocks.append(markdown.alert("WARNING", markdown.text(f"{title}: {ladder['collapse']}.", None)))
        lines += [_rung(title, rung, ladder["best"]) for rung in ladder["ladder"]]
    columns = [("Ladder", LEFT), ("Threads", RIGHT), ("token/s", RIGHT), ("95 % interval", RIGHT), ("Launches", RIGHT)]
    blocks.append(markdown.table(columns, lines))
    return Section("Threads", blocks, "threads")


def _rung(title: str, rung: Payload, best: int) -> list[Cell]:
    node = f", one NUMA node ({rung['numa']})" if rung.get("numa") else ""
    mean = metrics.number(rung["mean"])
    return [
        title,
        metrics.number(rung["threads"]) + node,
        markdown.bold(mean) if rung["threads"] == best and not node else mean,
        metrics.span(rung.get("low"), rung.get("high"), metrics.decimals(rung["mean"])),
        metrics.number(rung["n"]),
    ]


def _drawing(view: View) -> Drawing | None:
    """Draw the ladders of threads, that of generation with what the memory bandwidth would allow."""
    run = view.run
    advice = _advice(run)
    model = run.models.get(advice["model"]) if advice else None
    if advice is None or model is None:
        return None
    panels: list[spec.Spec] = []
    words: list[str] = []
    counts: list[int] = []
    bounded = False
    for name, word in (("generation", "Generation"), ("prompt", "Prompt")):
        ladder = advice.get(name) or {}
        rungs = [rung for rung in ladder.get("ladder", []) if not rung.get("numa")]
        if len(rungs) < 2:
            continue
        counts += [rung["n"] for rung in rungs]
        values = [
            {
                "threads": rung["threads"],
                "what": "measured",
                **spec.bounds(Interval(rung["mean"], rung.get("low"), rung.get("high"), rung["n"], None)),
            }
            for rung in rungs
        ]
        x, axis = spec.steps("threads", "Threads"), f"{word}, token/s"
        layers = spec.line(x, axis)
        bound = _bound(run, model, rungs) if name == "generation" else []
        bounded = bounded or bool(bound)
        if bound:
            layers.append(
                {
                    "data": {"values": bound},
                    "mark": {
                        "type": "line",
                        "color": spec.ORANGE,
                        "strokeDash": [5, 4],
                        "point": {"color": spec.ORANGE},
                    },
                    "encoding": {"x": x, "y": spec.number("mean", axis)},
                }
            )
        panels.append(spec.panel(values, layers, f"{word}: best {ladder['best']}"))
        speeds = ", ".join(f"{metrics.number(rung['mean'])} token/s with {rung['threads']}" for rung in rungs)
        words.append(f"{word.lower()} {speeds}")
        if bound:
            words.append(f"the memory bandwidth allows {metrics.number(bound[-1]['mean'])} token/s")
    if not panels:
        return None
    notes = [
        spec.counted(counts, "short launch"),
        spec.SYNTHETIC if model["synthetic"] else None,
        spec.emulated(run),
        _BOUND if bounded else None,
        "the bandwidth drifted: see the page" if summary.drift(run) else None,
    ]
    title = spec.title(f"Threads: {spec.model_words(model['name'], model['quantization'], run)}", notes)
    return Drawing(spec.said("Threads", words), spec.whole(title, *panels))


def _bound(run: Run, model: Payload, rungs: Sequence[Payload]) -> Values:
    """Return the token/s that reading all weights would allow, for the threads whose bandwidth was measured."""
    cells = (record["payload"]["cell"] for record in run.launches)
    generated = next((cell for cell in cells if cell.get("purpose") and cell["n_gen"]), {"n_depth": 0, "n_gen": 0})
    bandwidths = summary.bandwidths(run)
    bound: Values = []
    for rung in rungs:
        top = roofline.ceiling(bandwidths, rung["threads"])
        allowed = roofline.allowed_tps(model, generated, top)
        if top and top.threads == rung["threads"] and allowed is not None:
            bound.append({"threads": rung["threads"], "mean": spec.short(allowed)})
    return bound


SUBJECT = Subject(
    name="threads",
    metrics=("pp_tps", "tg_tps"),
    section=_section,
    figures=(("threads", _drawing),),
)
