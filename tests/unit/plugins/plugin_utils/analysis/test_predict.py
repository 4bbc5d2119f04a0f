# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Predictions against published figures, what must grow with what, and the posterior of own measurements."""

from __future__ import annotations

import math

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import shape_of
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import predict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.predict import GENERATION, PROMPT, Seen
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors, speeds

TABLE = speeds.table()
WIDE = predict.quantile(TABLE.degrees)


def said(name, metric, model="llama-3.1-8b", quantization="Q4_0", **more):
    kind = processors.instance_type(name)
    kernel = None
    if quantization != TABLE.source.quantization:
        kernel = predict.kernel_of(kind, quantization, metric, TABLE)
        assert kernel is not None
    return predict.predict(kind, metric, predict.work_by_name(model, quantization), TABLE, kernel=kernel, **more)


def interval(prediction):
    half = WIDE * math.sqrt(prediction.variance)
    return math.exp(prediction.log - half), math.exp(prediction.log + half)


# Published: github.com/hustshawn/llama3-on-graviton, Arm's learning path, Spare Cores (facts of published.yml).
@pytest.mark.parametrize(
    ("name", "metric", "model", "quantization", "published", "length"),
    [
        ("c7g.16xlarge", GENERATION, "llama-3.1-8b", "Q4_0", 43.43, 0),
        ("c7g.16xlarge", PROMPT, "llama-3.1-8b", "Q4_0", 285.79, 14),
        ("r8g.16xlarge", GENERATION, "llama-3.1-8b", "Q4_0", 61.6, 0),
        ("r8g.4xlarge", GENERATION, "llama-3.1-8b", "Q4_0", 49.0, 0),
        ("r8g.16xlarge", GENERATION, "llama-3.1-70b", "Q4_0", 9.8, 0),
        ("c8g.24xlarge", PROMPT, "llama-2-7b", "Q4_K_M", 164.5, 0),
        ("c7a.16xlarge", GENERATION, "llama-2-7b", "Q4_K_M", 47.4, 0),
        ("c8i.16xlarge", PROMPT, "llama-2-7b", "Q4_K_M", 282.7, 0),
    ],
)
def test_a_published_figure_is_inside_the_interval(name, metric, model, quantization, published, length):
    low, high = interval(said(name, metric, model, quantization, length=length))
    assert low < published < high
    assert high / low < 5


def test_a_larger_model_is_slower_and_more_cores_of_one_node_read_prompts_faster():
    sizes = ["llama-3.2-1b", "llama-3.2-3b", "llama-3.1-8b", "llama-3.1-70b"]
    for metric in (PROMPT, GENERATION):
        logs = [said("r8g.16xlarge", metric, model, "Q4_K_M").log for model in sizes]
        assert logs == sorted(logs, reverse=True)
    names = ["c8g.xlarge", "c8g.2xlarge", "c8g.4xlarge", "c8g.8xlarge", "c8g.16xlarge", "c8g.24xlarge"]
    logs = [said(name, PROMPT, quantization="Q4_K_M").log for name in names]
    assert logs == sorted(logs)


def test_generation_on_two_nodes_is_slower_than_on_one_and_more_so_under_a_hypervisor():
    # Spare Cores: m8g.24xlarge 50.9 token/s (tg128), c8g.48xlarge 2.1 (tg16).
    names = ("c8g.24xlarge", "c8g.metal-48xl", "c8g.48xlarge")
    one, metal, two = (said(name, GENERATION, "llama-2-7b", "Q4_K_M") for name in names)
    assert two.log < metal.log - math.log(2) < one.log - 2 * math.log(2)
    low, high = interval(two)
    assert low < 2.1 < high < 10


def test_what_is_in_the_context_makes_generation_slower():
    assert said("c8g.4xlarge", GENERATION, depth=8192).log < said("c8g.4xlarge", GENERATION).log


def test_another_quantization_is_less_certain_than_that_of_the_source():
    variances = [said("c8g.4xlarge", PROMPT, quantization=name).variance for name in ("Q4_K_M", "Q4_0", "Q8_0")]
    assert variances == sorted(variances)


def test_a_processor_that_was_never_measured_is_predicted_from_its_relative_with_a_wider_interval():
    kind, work = processors.instance_type("m9g.4xlarge"), predict.work_by_name("llama-2-7b", "Q4_K_M")
    others = {name: group for name, group in TABLE.groups.items() if name != "Graviton5"}
    for metric, measured in ((PROMPT, 43.9), (GENERATION, 30.2)):
        known = predict.predict(kind, metric, work, TABLE)
        guess = predict.predict(kind, metric, work, TABLE._replace(groups=others))
        assert guess.words == "Graviton5 was never measured: from its relative Graviton4"
        assert guess.variance > 4 * known.variance
        low, high = interval(guess)
        assert low < measured < high


def test_what_nothing_tells_of_is_not_predicted():
    work = predict.work_by_name("llama-3.1-8b", "Q4_K_M")
    for name in ("g7.2xlarge", "p5.48xlarge", "x8i.96xlarge"):
        assert predict.predict(processors.instance_type(name), GENERATION, work, TABLE) is None
    kind = processors.instance_type("c8g.48xlarge")._replace(physical_cores=160)
    assert predict.predict(kind, GENERATION, work, TABLE) is None
    # Q4_0 has no kernels of its own on Cortex-A72.
    assert predict.kernel_of(processors.instance_type("a1.4xlarge"), "Q4_0", GENERATION, TABLE) is None
    assert predict.work_by_name("mistral-7b", "Q4_0") is None


def test_a_size_between_measured_ones_lies_between_them():
    # No type has 40 cores of Graviton4: 32 and 48 were measured.
    work = predict.work_by_name("llama-2-7b", "Q4_K_M")
    kind = processors.instance_type("c8g.8xlarge")
    logs = [predict.predict(kind._replace(physical_cores=cores), PROMPT, work, TABLE).log for cores in (32, 40, 48)]
    assert logs == sorted(logs)


def test_the_work_of_a_shape_is_what_the_method_says():
    # Llama 3 8B: 4.357 GB of the 4.652 GB of Q4_0 are read for a token, 131,072 bytes of KV, 6.98 billion weights.
    work = predict.work_of(shape_of("llama-3.1-8b"), 4.652e9)
    assert work.read_bytes == pytest.approx(4.357e9, rel=0.005)
    assert work.kv_bytes == 131072
    assert work.weights == pytest.approx(6.98e9, rel=0.001)


@pytest.mark.parametrize(("degrees", "confidence", "expected"), [(4, 0.9, 2.132), (10, 0.95, 2.228), (1e9, 0.9, 1.645)])
def test_the_quantile_is_that_of_student(degrees, confidence, expected):
    assert predict.quantile(degrees, confidence) == pytest.approx(expected, rel=0.01)


def test_measurements_pull_the_prediction_and_make_it_more_certain():
    guess = said("c8g.4xlarge", GENERATION)
    faster = Seen(0.3, 0.01**2, True, True, "a run")
    once = predict.pulled(guess, [faster])
    twice = predict.pulled(guess, [faster, faster])
    assert guess.log < once.log < twice.log < guess.log + 0.3
    assert guess.variance > once.variance > twice.variance > guess.hosts**2
    vague = predict.pulled(guess, [faster._replace(variance=1.0)])
    assert abs(vague.log - guess.log) < abs(once.log - guess.log) / 2
    assert predict.pulled(guess, []) == guess


def test_measurements_that_contradict_each_other_or_the_prediction_are_named():
    guess = said("c8g.4xlarge", GENERATION)
    high, low = (Seen(off, 0.02**2, True, True, f"run {off}") for off in (0.1, -0.9))
    sentences = predict.contradictions(guess, [high, low], TABLE.degrees)
    assert sentences[0].startswith("run 0.1 and run -0.9 contradict each other")
    assert "2.7 times apart" in sentences[0]
    assert sentences[1].startswith("run -0.9 is outside of what was predicted of it, 0.41 times the prediction")
    assert predict.contradictions(guess, [high, high], TABLE.degrees) == []
