# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/fit_ec2.py: figures made from known parameters give them back, and what is left out of them."""

from __future__ import annotations

import csv
import importlib.util
import math
import random
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import predict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors, speeds

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("fit_ec2", ROOT / "tools" / "fit_ec2.py")
fit_ec2 = importlib.util.module_from_spec(_SPEC)
sys.modules["fit_ec2"] = fit_ec2
_SPEC.loader.exec_module(fit_ec2)

BYTES = {"gemma-2b": 1489055744, "llama-7b": 4080263168, "phi-4-14B": 9049559040}
# Seconds a token of Graviton4: 500 GB/s of all, 5 GB/s of a core; 20 GFLOP/s of a core, 4 % lost with each doubling.
TRUTH = {
    "tg128": (predict.GENERATION, (math.log(1 / 500e9), math.log(1 / 5e9), math.log(2e-5), math.log(1e-6))),
    "pp512": (predict.PROMPT, (math.log(1 / 10e9), 0.95, math.log(1e-4), math.log(1e-6))),
}
NOISE = 0.02


def truth(test, cores, model):
    metric, parameters = TRUTH[test]
    log_work, log_layer, *_gradients = predict.curve_terms(metric, parameters, cores)
    work = fit_ec2.work_of(model, BYTES[model])
    return predict.log_speed(metric, (log_work, log_layer, 0, 0, 0), work)[0]


def figures(families):
    draw = random.Random(7)
    made = []
    for family in families:
        for size in ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge", "24xlarge"):
            kind = processors.instance_type(f"{family}.{size}")
            for model in BYTES:
                for test in TRUTH:
                    log = truth(test, kind.physical_cores, model) + draw.gauss(0, NOISE)
                    made.append(fit_ec2.Figure(kind, model, test, log))
    return made


@pytest.fixture(scope="module")
def table():
    works = {model: fit_ec2.work_of(model, size) for model, size in BYTES.items()}
    return speeds.parse(fit_ec2.fit(figures(("c8g", "m8g", "r8g", "c8gd")), works))


@pytest.mark.parametrize("test", TRUTH)
def test_figures_of_known_parameters_give_them_back(table, test):
    metric = TRUTH[test][0]
    misses = []
    for cores in (2, 16, 64, 96):
        kind = processors.instance_type("x8g.large")._replace(physical_cores=cores)
        for model, size in BYTES.items():
            guess = predict.predict(kind, metric, fit_ec2.work_of(model, size), table)
            misses.append(abs(guess.log - truth(test, cores, model)))
            assert misses[-1] < predict.quantile(table.degrees) * math.sqrt(guess.variance)
    assert max(misses) < 0.03


def test_a_size_that_was_left_out_follows_from_the_others(table):
    for test, (metric, _parameters) in TRUTH.items():
        kind = processors.instance_type("c8g.12xlarge")
        guess = predict.predict(kind, metric, fit_ec2.work_of("llama-7b", BYTES["llama-7b"]), table)
        assert guess.words == "from Graviton4, other sizes"
        assert guess.log == pytest.approx(truth(test, 48, "llama-7b"), abs=0.06)
        near = predict.predict(kind._replace(physical_cores=64), metric, fit_ec2.work_of("llama-7b", 4.08e9), table)
        assert guess.variance > near.variance


def test_the_spread_of_hosts_is_near_the_noise(table):
    for speed in table.groups["Graviton4"].speeds.values():
        assert 0.5 * NOISE < speed.hosts < 2 * NOISE


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(fit_ec2.COLUMNS)
        writer.writerows(rows)


def test_a_file_is_read_by_the_catalog_and_written_as_parameters_alone(tmp_path):
    rows = [
        (
            figure.kind.name,
            figure.model,
            BYTES[figure.model],
            figure.test,
            figure.kind.physical_cores,
            math.exp(figure.log),
        )
        for figure in figures(("c8g", "m8g"))
    ]
    # Half of the cores, and a type that nobody knows.
    rows += [("c8g.4xlarge", "llama-7b", BYTES["llama-7b"], "tg128", 8, 1.0)]
    rows += [("z9.large", "llama-7b", BYTES["llama-7b"], "tg128", 2, 1.0)]
    write(tmp_path / "data.csv", rows)
    read, works = fit_ec2.read(tmp_path / "data.csv")
    assert len(read) == len(rows) - 2
    assert set(works) == set(BYTES)
    (tmp_path / "results").mkdir()
    asked = [str(tmp_path / "data.csv"), "--out", str(tmp_path / "out.yml"), "--results", str(tmp_path / "results")]
    assert fit_ec2.main(asked) == 0
    text = (tmp_path / "out.yml").read_text("utf-8")
    parsed = speeds.parse(yaml.safe_load(text))
    assert list(parsed.groups) == ["Graviton4"]
    assert parsed.users is None
    assert "c8g" not in text


def test_a_file_of_another_form_is_refused(tmp_path):
    (tmp_path / "data.csv").write_text("type,model\nc8g.large,llama-7b\n", "utf-8")
    with pytest.raises(SystemExit, match="has no column model_bytes, test, threads, tokens_per_s"):
        fit_ec2.read(tmp_path / "data.csv")
    write(tmp_path / "data.csv", [("c8g.large", "falcon-7b", 1, "tg128", 2, 1.0)])
    with pytest.raises(SystemExit, match="'falcon-7b', whose shape is not among _MODELS"):
        fit_ec2.read(tmp_path / "data.csv")


def test_the_shipped_table_is_in_the_form_that_the_tool_writes():
    text = (ROOT / "plugins/plugin_utils/catalog/speeds.yml").read_text("utf-8")
    assert fit_ec2.text(yaml.safe_load(text)) == text
