# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to rent: ranking, targets, memory, prices, own measurements, bad input, and what a person reads of it."""

from __future__ import annotations

import copy
import datetime
import json
import re

import pytest
from support.records import traded
from support.records.side_by_side import records as side_by_side

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request import advice, advice_text
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.arguments import unknown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

TODAY = datetime.date(2026, 11, 29)
ASKED = advice.Asked("llama-3.1-8b", "Q4_0", "us-east-1")


@pytest.fixture(autouse=True)
def nobodys_prices(monkeypatch, tmp_path):
    monkeypatch.setenv(prices.FILE_VARIABLE, str(tmp_path / "none.json"))


def advise(tmp_path, **asked):
    return advice.advise(ASKED._replace(**asked), tmp_path / "results", TODAY)


def told(given):
    return "\n".join(advice_text.render(given))


def test_what_meets_the_targets_comes_first_by_the_price_of_a_token(tmp_path):
    given = advise(tmp_path, users=8, token_ms=100, first_s=2)
    met = [candidate for candidate in given.candidates if candidate.meets in advice.MET]
    assert given.candidates[: len(met)] == met != []
    millions = [candidate.usd_million.middle for candidate in met]
    assert millions == sorted(millions)
    for candidate in met:
        assert candidate.token_ms.middle <= 100
        assert candidate.first_s.middle <= 2
    assert {candidate.meets for candidate in given.candidates} >= {"likely", "no"}


def test_a_figure_has_its_interval_and_the_arithmetic_of_its_price(tmp_path):
    (one,) = advise(tmp_path, types=["c8g.4xlarge"], users=4).candidates
    assert one.price.usd is not None
    assert float(one.price.usd) == pytest.approx(0.638, abs=0.001)
    assert one.usd_month == pytest.approx(float(one.price.usd) * 730)
    assert one.token_ms.middle == pytest.approx(1000 / one.generation.middle)
    assert one.usd_million.middle == pytest.approx(float(one.price.usd) / 3600 / (4 * one.generation.middle) * 1e6)
    for estimate in (one.generation, one.prompt, one.token_ms, one.first_s, one.usd_million):
        assert estimate.low < estimate.middle < estimate.high


def test_more_users_are_slower_each_and_faster_together(tmp_path):
    alone, several = (advise(tmp_path, types=["c8g.16xlarge"], users=users).candidates[0] for users in (1, 8))
    assert several.generation.middle < alone.generation.middle
    assert 8 * several.generation.middle > alone.generation.middle
    assert several.usd_million.middle < alone.usd_million.middle
    # The factor is that of one machine of ours, so the interval is wider.
    assert several.token_ms.high / several.token_ms.low > alone.token_ms.high / alone.token_ms.low


def test_types_of_the_same_cores_that_cost_more_stand_behind_the_cheapest(tmp_path):
    given = advise(tmp_path)
    (first,) = [candidate for candidate in given.candidates if candidate.kind.name == "c8g.4xlarge"]
    assert {"m8g.4xlarge", "c8gd.4xlarge"} <= set(first.dearer)
    assert not {"m8g.4xlarge", "c8gd.4xlarge"} & {candidate.kind.name for candidate in given.candidates}
    named = advise(tmp_path, types=["c8g.4xlarge", "m8g.4xlarge"])
    assert [candidate.kind.name for candidate in named.candidates] == ["c8g.4xlarge", "m8g.4xlarge"]


def test_memory_is_the_arithmetic_by_which_a_run_is_refused(tmp_path):
    need = advice.need_of(ASKED._replace(users=8))
    # 8 contexts of 4096 tokens at 131,072 bytes each, the logits of 512 tokens of 128,256 words.
    assert need.kv == 8 * 4096 * 131072
    assert need.compute == 4 * 512 * 128256
    assert need.weights == pytest.approx(4.66e9, rel=0.001)
    given = advise(tmp_path, users=8, types=["c8g"])
    assert "c8g.xlarge" not in [candidate.kind.name for candidate in given.candidates]
    assert given.left_out[0].startswith("3 types have too little memory, c8g.xlarge with 8 GiB the most of them")


def test_a_budget_and_a_memory_leave_out_what_is_not_meant(tmp_path):
    given = advise(tmp_path, types=["c8g"], budget=500, memory_gib=16)
    assert {candidate.kind.name for candidate in given.candidates} == {"c8g.2xlarge", "c8g.4xlarge"}
    assert any("cost more than 500 USD a month" in line for line in given.left_out)


def test_a_type_of_several_nodes_is_warned_of(tmp_path):
    given = advise(tmp_path, types=["c8g.24xlarge", "c8g.48xlarge"])
    assert given.warnings[0].startswith("c8g.48xlarge: several NUMA nodes, where more cores can be slower")
    assert "2.1 token/s (tg16, two nodes)" in given.warnings[0]
    assert "source Spare Cores" in given.warnings[0]
    assert advise(tmp_path, types=["c8g.24xlarge"]).warnings == []


def test_old_prices_are_said_to_be(tmp_path):
    new = told(advise(tmp_path, types=["c8g.4xlarge"]))
    assert "days old" not in new
    old = told(advise(tmp_path, types=["c8g.4xlarge"], region="eu-central-1"))
    assert re.search(r"2025-03-02,\s+which is 637 days old:\s+`make prices REGIONS=eu-central-1`\s+renews it", old)


def test_targets_that_nothing_meets_are_told_how_near_the_nearest_comes_and_what_would_meet_them(tmp_path):
    given = advise(tmp_path, model="llama-3.1-70b", users=8, token_ms=50, first_s=1)
    assert not [candidate for candidate in given.candidates if candidate.meets in advice.MET]
    nearest, *others = given.near
    assert re.fullmatch(
        r"nothing meets this: the nearest is \S+ with \d+ ms a token and the first token after [\d.]+ s, [\d.]+ times "
        r"what is asked for",
        nearest,
    )
    assert others[-1].startswith("llama-3.2-3b would meet it, on ")


def test_fewer_users_may_meet_what_many_do_not(tmp_path):
    given = advise(tmp_path, types=["c8g.8xlarge"], users=64, context=512, prompt=100, token_ms=100)
    assert given.near[0].startswith("nothing meets this: the nearest is c8g.8xlarge")
    assert re.fullmatch(r"\d+ users at once would be met, by c8g.8xlarge first", given.near[1])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "llama-3.1-8bb"}, "did you mean llama-3.1-8b?"),
        ({"quantization": "Q4_KM"}, "did you mean Q4_K_M?"),
        ({"quantization": "Q6_K"}, "ask for Q4_K_M, Q4_0, Q8_0, or measure it"),
        ({"region": "us-east-11"}, "did you mean us-east-1?"),
        ({"market": "on_demand"}, "did you mean on-demand?"),
        ({"types": ["c8h"]}, "'c8h' is neither an instance type nor a family of them; did you mean c8"),
        ({"types": ["c8g.4xlrge"]}, "did you mean c8g.4xlarge?"),
        ({"users": 0}, "users is 0: it is a number from 1 to 512"),
        ({"context": 0}, "context is 0: it is a number from 1 to 131072"),
        ({"token_ms": -1.0}, "token_ms is -1.0: it is a number above 0, or 0 for no such target"),
        ({"budget": float("nan")}, "budget is nan"),
        ({"first_s": 1.0, "prompt": 5000}, "a prompt of 5000 tokens does not fit into a context of 4096"),
        ({"budget": 5.0}, "costs at most 5 USD a month in us-east-1: the cheapest, "),
        ({"model": "llama-3.1-70b", "types": ["c8g.4xlarge"]}, "fits into no type: c8g.4xlarge has most memory"),
        ({"memory_gib": 1e6}, "no type has 1e+06 GiB: "),
        ({"types": ["r9g"]}, "neither price nor memory is known of r9g."),
        ({"types": ["g7"]}, "nothing is predicted of g7."),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_remedy(tmp_path, changes, said):
    with pytest.raises(advice.AdviceError) as refused:
        advise(tmp_path, **changes)
    assert said in str(refused.value)


def test_a_quantization_may_be_written_in_any_case(tmp_path):
    assert advise(tmp_path, quantization="q4_k_m", types=["c8g.4xlarge"]).asked.quantization == "Q4_K_M"


def test_imported_figures_pull_too_and_are_not_called_measured_here(tmp_path, monkeypatch):
    own(tmp_path)
    monkeypatch.setattr(advice.summary, "imported", lambda _run: True)
    (one,) = advise(tmp_path, types=["c7g.16xlarge"]).candidates
    assert one.origin == "published"
    assert "in run 20261123T171500Z-beef" in one.how


def own(tmp_path, run="20261123T171500Z-beef", factor=1.0):
    """Keep a run on c7g.16xlarge, whose figures are those that others published, times a factor."""
    every = copy.deepcopy(side_by_side(run=run))
    for record in every:
        for metric in record["payload"].get("metrics", {}).values():
            if metric["unit"] == "token/s":
                metric["value"] *= factor
                metric["samples"] = [factor * sample for sample in metric["samples"]]
    records.append(tmp_path / "results", every)
    assert records.read(tmp_path / "results").problems == []


def test_own_figures_pull_the_prediction_of_their_type_alone(tmp_path):
    before = {name: advise(tmp_path, types=[name]).candidates[0] for name in ("c7g.16xlarge", "m7g.16xlarge")}
    assert before["m7g.16xlarge"].origin == "predicted"
    own(tmp_path)
    after = {name: advise(tmp_path, types=[name]).candidates[0] for name in before}
    assert after["m7g.16xlarge"] == before["m7g.16xlarge"]
    pulled, guess = after["c7g.16xlarge"], before["c7g.16xlarge"]
    assert pulled.origin == "measured"
    assert "in run 20261123T171500Z-beef" in pulled.how
    # 285.8 token/s of pp512 were measured, and another host of the type is about as fast.
    assert abs(pulled.prompt.middle - 285.8) < abs(guess.prompt.middle - 285.8) / 4
    assert pulled.prompt.high / pulled.prompt.low < guess.prompt.high / guess.prompt.low


def test_what_others_published_of_a_type_is_told_as_theirs(tmp_path):
    (one,) = advise(tmp_path, types=["r8g.16xlarge"]).candidates
    assert one.origin == "published"
    assert "61.6 token/s by Arm learning path llama-cpu" in one.how


def test_own_figures_that_contradict_each_other_are_named(tmp_path):
    own(tmp_path)
    own(tmp_path, "20261124T171500Z-cafe", 0.3)
    given = advise(tmp_path, types=["c7g.16xlarge"])
    told_of = [line for line in given.warnings if "contradict each other" in line and line.count("run 2026") == 2]
    (sentence,) = [
        line for line in told_of if line.startswith("c7g.16xlarge: 43.43 token/s of llama-3.1-8b Q4_0 in run ")
    ]
    assert "20261123T171500Z-beef" in sentence
    assert "20261124T171500Z-cafe" in sentence
    assert "3.3 times apart" in sentence


def test_the_command_measures_the_first_three_and_knows_the_variables_of_the_roles(tmp_path):
    given = advise(tmp_path, users=8, market="spot")
    line, _quote, rest = given.command.partition("'")
    assert line == "AWS_REGION=us-east-1 ansible-playbook site.yml -i inventory/aws -e "
    variables = json.loads(rest.removesuffix("'"))
    types = [candidate.kind.name for candidate in given.candidates[:3]]
    assert variables["ec2_environment_instances"] == [{"type": name, "market": "spot"} for name in types]
    assert variables["llama_model_models"] == ["llama-3.1-8b"]
    assert variables["llama_model_quantizations"] == ["Q4_0"]
    assert variables["llama_bench_tests"] == ["pp512", "tg128", "serve512+128@c8"]
    assert variables["llama_bench_slots"] == 8
    assert unknown(variables) == []


def test_the_lines_fit_a_terminal_and_name_their_sources(tmp_path):
    given = advise(tmp_path, users=8, token_ms=100, first_s=2)
    lines = advice_text.render(given)
    assert " ".join(lines[:2]) == (
        "llama-3.1-8b Q4_0, 4096 tokens of context, 8 users at once, us-east-1: at most 100 ms a token, first token of "
        "1000 within 2 s"
    )
    assert max(map(len, lines[:-1])) <= 120
    assert lines[-1] == f"  {given.command}"
    text = " ".join(" ".join(lines).split())
    assert "Spare Cores (github.com/SpareCores/sc-inspector-data at 804d3c7, CC BY-SA 4.0;" in text
    assert "measured on one machine of ours (local-amd-epyc, llama-3.2-1b-synthetic Q4_0" in text
    assert "\x1b" not in text


def test_a_page_is_written_where_it_is_asked_for_and_over_no_other_file(tmp_path):
    given = advise(tmp_path, types=["c8g"])
    page = tmp_path / "results" / "advice.md"
    assert advice_text.write(page, given)
    assert not advice_text.write(page, given)
    text = page.read_text("utf-8")
    assert text.startswith(advice_text.MARKER)
    assert "| c8g.4xlarge<br><sub>Graviton4, Neoverse V2</sub> | 16 | 32.00 |" in text
    assert given.command in text
    page.write_text("mine", "utf-8")
    with pytest.raises(advice.AdviceError, match="is no page of advice and is left alone"):
        advice_text.write(page, given)


def test_a_build_that_is_fast_and_wrong_advises_nobody(tmp_path):
    every = traded.records(traded.TRADED[5:])
    for record in every:
        record["machine"] = "gv3-c7g-xlarge"
        if record["kind"] == "machine":
            record["payload"].update(name="gv3-c7g-xlarge", instance={"type": "c7g.xlarge", "zone": "us-east-1a"})
    assert not records.append(tmp_path, every).problems
    told = advice.own_figures(tmp_path)
    assert len(told) == 1
    figures = next(iter(told.values()))
    speeds = {(figure.quantization, figure.metric): round(figure.tps) for figure in figures}
    # The wrong one gives 190 and 900.
    assert speeds == {("Q4_0", "tg"): 130, ("Q4_0", "pp"): 500}
