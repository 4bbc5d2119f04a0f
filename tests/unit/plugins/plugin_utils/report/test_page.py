# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else a page shows beside speeds, as far as a run has it; and foreign words on it stay text."""

from __future__ import annotations

import json

from support.records.real_run import asked_only, page, section, without

from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages

CEILINGS = "Memory bandwidth and arithmetic"
FELT = "Latency, load time and cost"


def test_every_section_of_a_real_run_is_there(real):
    text = page(real)
    for title in ("Throughput", "Latency", "Load time", "Threads", CEILINGS, "Not measured", "CPU use"):
        assert section(text, title), title
    assert "4 users" in section(text, "Latency")
    assert "llama-batched-bench" in section(text, "Latency")
    assert "Processors and memory over the time of a launch" in section(text, "CPU use")
    # What ran for the ladder is no figure of its own.
    assert "tg32 |" not in section(text, "Throughput")
    assert "| serve" not in section(text, "Throughput")
    assert "llama_bench_minutes" in section(text, "Not measured")


def test_a_run_without_any_of_it_has_none_of_it(real):
    plain = asked_only(without(real, "samples", "bandwidth", "threads", "omitted", "end"), "pp512")
    assert FELT not in pages.render(plain)["README.md"]
    text = page(plain)
    for title in ("Latency", "Load time", "Threads", CEILINGS, "Noise floor", "Not measured"):
        assert f"## {title}" not in text


def test_what_was_set_for_the_programs_is_said_once_and_in_the_commands(real):
    assert "Set on purpose" not in page(real)
    for record in real:
        if record["kind"] in ("run", "launch"):
            record["payload"]["environment"] = {"OMP_PROC_BIND": "close", "X": "a b"}
    text = page(real)
    said = "Set on purpose in the environment of the programs: `OMP_PROC_BIND=close`, `X=a b`."
    assert text.count(said) == 1
    assert said in section(text, "Method")
    assert "\nenv OMP_PROC_BIND=close 'X=a b' " in section(text, "Reproduce")


def test_a_page_of_fewer_instances_than_were_asked_for_says_so(real):
    assert "one of" not in section(page(real), "Method")
    (plan,) = [record["payload"] for record in real if record["kind"] == "run"]
    plan["fleet"] = {"asked": 20, "enough": 15, "there": 15}
    said = "It is one of 15 instances where 20 were asked for; 15 were said to be enough."
    assert said in " ".join(section(page(real), "Method").split())


def test_names_of_a_record_stay_text(real):
    evil = "x | <b>y</b>\n# z"
    for one in real:
        payload = one["payload"]
        if one["kind"] == "omitted":
            payload.update(cause=evil, advice=evil)
        if one["kind"] == "threads":
            payload["prompt"].update(reason=evil, collapse=evil)
        if one["kind"] == "bandwidth":
            payload["stage"] = evil
    text = page(real)
    assert "<b>" not in text
    assert "\n# z" not in text
    assert json.dumps(evil)[1:-1] not in text
