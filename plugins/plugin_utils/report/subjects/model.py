# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models: the files that were measured, whether their weights are real, and whether they are what they are called."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.cloudbench.llama.plugins.module_utils.models import texts
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import promised_types
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import weights
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Record
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import facts, markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Entry, Section, SideBySide, View

# With less of the quantized bytes than this a quantization is not mostly what it is called.
_MOSTLY = 0.5


def _section(view: View) -> Section:
    models = _models(view)
    blocks = [_facts(model, view.launches) for model in models]
    return Section("Model", blocks or [markdown.text("No model file is on record for this page.")])


def _models(view: View | SideBySide) -> list[Payload]:
    cells = view.cells if isinstance(view, View) else [row.cell for row in view.rows]
    return parts.models(view.run, cells, view.launches)


def _facts(model: Payload, launches: Iterable[Record]) -> Markdown:
    bits = model.get("bits_per_weight")
    return facts.table(
        "Model",
        f"{model['name']} {model['quantization']}",
        (
            ("File", model.get("file")),
            ("Size", metrics.binary(model["bytes"]) if model.get("bytes") else None),
            ("Parameters", model.get("parameters")),
            ("Called by llama-bench", _misnamed_words(model, launches)),
            ("Tensors", markdown.text(parts.tensor_words(model), None)),
            ("Bits per weight", metrics.number(bits, 2) if bits else None),
            ("Architecture", model.get("architecture")),
            ("Weights", _weights(model)),
            ("Made wider from", _widened_words(model)),
            ("Importance matrix", _imatrix_words(model)),
            ("Source", model.get("source")),
            ("SHA-256", markdown.code(model["sha256"]) if model.get("sha256") else None),
            (
                "SHA-256 of the tensors alone",
                markdown.code(model["tensors_sha256"]) if model.get("tensors_sha256") else None,
            ),
        ),
    )


def _weights(model: Payload) -> str | None:
    return None if model["synthetic"] is None else "synthetic (random values)" if model["synthetic"] else "real"


def _widened_words(model: Payload) -> str | None:
    before = model.get("widened_from")
    return f"{before}: what that had lost is lost here too" if before else None


def _imatrix_words(model: Payload) -> str | None:
    made = model.get("imatrix")
    if not made:
        return None
    chunks = f"{made['chunks']:,} chunks of " if isinstance(made.get("chunks"), int) else ""
    return f"{chunks}{texts.title(made['text']) if made.get('text') else 'a text that is not named'}"


def _misnamed_words(model: Payload, launches: Iterable[Record]) -> str | None:
    """Return llama-bench's word for the model, where that gives it a size that it does not have."""
    rows = (row for record in launches if record["payload"]["model"] == model["id"] for row in _rows(record))
    said = {row["model_type"] for row in rows if isinstance(row.get("model_type"), str)}
    wrong = sorted(word for word in said if weights.is_misnamed(model, word))
    return f"{', '.join(wrong)}, which is not its size" if wrong else None


def _rows(record: Record) -> list[Payload]:
    return record["payload"].get("rows") or []


def _kinds(model: Payload) -> str:
    return " or ".join(promised_types(model["quantization"]))


def alerts(view: View | SideBySide) -> list[Markdown]:
    """Return a loud line for each quantization whose name none of its tensors bears."""
    said = []
    for model in _models(view):
        if weights.promised_share(model) == 0:
            words = f"no tensor of {model['quantization']} is {_kinds(model)}, which its name promises"
            what = ", ".join(filter(None, (parts.tensor_words(model), parts.bits_per_weight(model))))
            todo = "Compare it as what it is, or take a quantization that this model can have."
            said.append(f"**NOT {_kinds(model)}**: {markdown.text(f'{words}: {what}.', None)}<br>**To do:** {todo}")
    return [markdown.alert("CAUTION", Markdown(words)) for words in dict.fromkeys(said)]


def remarks(view: View | SideBySide) -> list[Markdown]:
    """Return a quiet note for each quantization that is another one's bytes, or less than half what it is called."""
    models = _models(view)
    first = weights.twins(models)
    notes = []
    for model in models:
        name = first.get(model.get("tensors_sha256") or "", model["quantization"])
        if name != model["quantization"]:
            words = f"Weights: {model['quantization']} has the same bytes as {name}; no figure tells them apart."
            notes.append(markdown.text(words, None))
        share = weights.promised_share(model)
        if share and share < _MOSTLY:
            words = (
                f"Weights: {metrics.number(100 * share, 0)} % of the quantized bytes of {model['quantization']} are "
                f"{_kinds(model)}; its tensors are {parts.tensor_words(model)}."
            )
            notes.append(markdown.text(words, None))
    return list(dict.fromkeys(notes))


def _mark(item: Entry) -> Markdown | None:
    """Return a loud word for the line of a page whose quantization none of its tensors bears."""
    model = item.model_file
    return markdown.bold(f"NOT {_kinds(model)}") if model and weights.promised_share(model) == 0 else None


SUBJECT = Subject(name="model", section=_section, mark=_mark)
