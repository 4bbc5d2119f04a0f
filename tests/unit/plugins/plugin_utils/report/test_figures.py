# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures follow from the records, say their units and n, are drawn once, and foreign strings in them stay text."""

from __future__ import annotations

import copy
import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from support.records import side_by_side

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import drawing, figures
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report

Record = dict[str, Any]
ROOT = Path(__file__).resolve().parents[5]
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '</svg><script>alert(1)</script>"&\u202e\n|https://example.com'


def shown(records: list[Record]) -> dict[str, figures.Figure]:
    return {one.path.rpartition("/")[2]: one for one in report.render(records).figures}


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def values(spec: Any) -> list[dict[str, Any]]:
    """Return every row of data in a specification."""
    if isinstance(spec, dict):
        own = spec["data"]["values"] if "data" in spec else []
        return own + [row for key, part in spec.items() if key != "data" for row in values(part)]
    return [row for part in spec for row in values(part)] if isinstance(spec, list) else []


def test_the_version_that_draws_is_the_one_that_is_pinned() -> None:
    name, version = drawing.DRAWN_WITH.split()
    assert importlib.metadata.version(name) == version
    pinned = re.findall(rf"^{name}==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned == [version]


def test_every_figure_of_a_real_run_has_unit_n_and_words(real: list[Record]) -> None:
    found = shown(real)
    assert {"q4-load", "q4-threads", "q4-sweep", "q4-latency", "q4-memory", "q4-use"} <= set(found)
    drawn = drawing.draw([drawing.themed(one.spec, "light") for one in found.values()])
    for figure, svg in zip(found.values(), drawn, strict=True):
        said = " ".join(texts(svg))
        assert re.search(r"\bn = \d", said), figure.path
        assert re.search(r"token/s|GiB|Seconds|ms|GFLOP/s|%", said), figure.path
        assert figure.alt.endswith(".")
        assert len(figure.alt) > 40


def test_the_figures_show_what_the_records_say(real: list[Record]) -> None:
    """The ladder is that of the threads record, and a load time lies inside of its launches."""
    (advice,) = [one["payload"] for one in real if one["kind"] == "threads"]
    rows = [row for row in values(shown(real)["q4-threads"].spec) if row.get("what") == "measured"]
    ladders = [rung for name in ("generation", "prompt") for rung in advice[name]["ladder"]]
    assert [(row["threads"], row["mean"]) for row in rows] == [
        (rung["threads"], float(f"{rung['mean']:.5g}")) for rung in ladders
    ]
    loads = [
        one["payload"]["metrics"]["load_cold_s"]["value"]
        for one in real
        if one["kind"] == "launch" and "load_cold_s" in one["payload"]["metrics"]
    ]
    cold = next(row for row in values(shown(real)["q4-load"].spec) if row["what"] == "cold: ready")
    assert min(loads) <= cold["mean"] <= max(loads)


def test_a_sweep_and_a_load_of_users_are_drawn_where_there_are_several(real: list[Record]) -> None:
    found = shown(real)
    cells = [
        one["payload"]["cell"] for one in real if one["kind"] == "launch" and not one["payload"]["cell"].get("purpose")
    ]
    lengths = {cell["n_prompt"] for cell in cells if cell["test"].startswith("pp") and not cell["n_depth"]}
    assert lengths <= {row["at"] for row in values(found["q4-sweep"].spec)}
    users = {cell["concurrency"] for cell in cells if cell["test"].startswith("serve")}
    assert {row["users"].split()[0] for row in values(found["q4-latency"].spec)} == {str(count) for count in users}
    few = [
        one
        for one in real
        if not re.match(r"serve.*@c[24]|pp(?!512)|tg.*@d", (one["payload"].get("cell") or {}).get("test", ""))
    ]
    plan = next(one for one in few if one["kind"] == "run")
    plan["payload"]["cells"] = [cell for cell in plan["payload"]["cells"] if cell["test"] in ("pp512", "tg128")]
    assert not {"q4-sweep", "q4-latency"} & set(shown(few))


def test_a_history_joins_only_what_may_be_compared() -> None:
    first, later = side_by_side.records(), side_by_side.records(run="20261125T120000Z-ffff")
    for record in later:
        if record["kind"] == "launch":
            record["payload"]["key"] = "another"
    rows = values(shown([*first, *later])["q4-history"].spec)
    assert {row["setup"] for row in rows} == {"setup 1", "setup 2"}
    assert "q4-history" not in shown(first)


def test_the_price_performance_figure_needs_two_priced_machines() -> None:
    first = side_by_side.records()
    second = copy.deepcopy(first)
    for record in second:
        record["machine"] = "gv3-c7g-8xlarge"
        if record["kind"] == "machine":
            record["payload"]["instance"]["type"] = "c7g.8xlarge"
    for record in [*first, *second]:
        if record["kind"] == "machine":
            record["payload"]["instance"]["zone"] = "us-east-1a"
    assert "frontier" not in shown(first)
    rows = values(shown([*first, *second])["frontier"].spec)
    assert {row["machine"] for row in rows} == {"gv3-c7g-16xlarge", "gv3-c7g-8xlarge"}
    assert {row["usd"] for row in rows} == {2.32, 1.16}


def test_drawing_twice_gives_the_same_bytes(real: list[Record]) -> None:
    specs = [drawing.themed(shown(real)["q4-threads"].spec, theme) for theme in drawing.THEMES]
    light, dark = drawing.draw(specs)
    assert [light, dark] == drawing.draw(specs)
    assert light != dark
    assert drawing.THEMES["dark"]["paper"] in dark


def test_what_is_drawn_is_not_drawn_again_and_what_is_not_shown_is_removed(
    tmp_path: Path, real: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = report.render(real)
    written = report.write(tmp_path, pages, pages.figures)
    svgs = sorted(path for path in written if path.endswith(".svg"))
    assert len(svgs) == 2 * len(pages.figures) > 0
    for path in svgs:
        assert (tmp_path / path).read_text().startswith(report.MARKER)
        ElementTree.parse(tmp_path / path)
    linked = {
        f"{Path(path).parent}/{name}" for path, text in pages.items() for name in re.findall(r"figures/[^\"]+", text)
    }
    assert linked == set(svgs)
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", lambda *_args, **_more: pytest.fail("something was drawn"))
        assert report.write(tmp_path, pages, pages.figures) == []
    (tmp_path / svgs[0]).unlink()
    assert report.write(tmp_path, pages, pages.figures) == [svgs[0]]
    assert set(svgs) <= set(report.write(tmp_path, pages))
    assert not list(tmp_path.rglob("*.svg"))


def test_hostile_strings_stay_text_in_figures(real: list[Record]) -> None:
    some = json.loads(json.dumps(real))
    for record in some:
        for cell in [record["payload"].get("cell") or {}, *record["payload"].get("cells", [])]:
            cell.update({name: HOSTILE for name in ("model", "build") if name in cell})
        if record["kind"] == "model":
            record["payload"]["name"] = HOSTILE
    found = report.render(some).figures
    assert found
    for svg in drawing.draw([drawing.themed(one.spec, "dark") for one in found]):
        names = {node.tag.removeprefix(SVG) for node in ElementTree.fromstring(svg).iter()}
        assert names <= {"svg", "rect", "g", "path", "text", "tspan", "line", "defs", "clipPath", "title"}
        assert "\u202e" not in svg


def test_without_vl_convert_the_pages_stand_and_the_remedy_is_named(
    tmp_path: Path, real: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "__file__", str(tmp_path / "drawing.py"))
    code = "raise ModuleNotFoundError(\"No module named 'vl_convert'\")\n"
    (tmp_path / "drawing_process.py").write_text(code)
    pages = report.render(real)
    with pytest.raises(report.ReportError, match=re.escape(f"{sys.executable} -m pip install vl-convert-python==")):
        report.write(tmp_path / "results", pages, pages.figures)
    assert all((tmp_path / "results" / path).is_file() for path in pages)
    (tmp_path / "drawing_process.py").write_text("import sys; sys.exit('out of paint')\n")
    with pytest.raises(report.ReportError, match="could not draw: out of paint"):
        report.write(tmp_path / "results", pages, pages.figures)
