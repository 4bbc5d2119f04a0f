# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A launch asks a server every prompt and compares it with its base, which is asked once.

The server is a stand-in of its own process, support/models/greedy_server.py.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from support.models.gguf_files import UINT32, gguf, record

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.greedy import kept
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.greedy import launch as launching
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.greedy.launch import PROMPTS, launch, obstacle
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Base, Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.pace import Pace
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings

SERVER = Path(__file__).resolve().parents[5] / "support" / "models" / "greedy_server.py"
SETTINGS = LaunchSettings(time_limit=60.0, slots=4, environment={"GIVEN": "1"})
# What the stand-in says where a test wants nothing else: four words, of which the model ends none.
SAYS = {prompt: f" w{number} b c d" for number, prompt in enumerate(PROMPTS)}


class Host:
    """A directory with two builds of the stand-in and the models that it reads."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for build in ("first", "second"):
            program = home / build / "llama-server"
            program.parent.mkdir()
            program.write_text(f"#!{sys.executable}\n{SERVER.read_text('utf-8')}", encoding="utf-8")
            program.chmod(0o755)

    def model(self, name: str, says: dict[str, str] | None = None, **does: Any) -> str:
        path = self.home / name
        path.write_text(json.dumps({"says": SAYS if says is None else says, **does}), encoding="utf-8")
        return str(path)

    def job(self, reference: str, model: str, test: str = "greedy4", **more: Any) -> Job:
        cell = {"model": "m", "quantization": "Q4_0", "build": "second", "threads": 3, "reference": "F16"}
        base = Base(str(self.home / "first"), reference, {"id": "b1", "name": "first"}, {"id": "f16"})
        build, own = {"id": "b2", "name": "second"}, {"id": "q4"}
        return Job({**cell, **registry.parse_test(test), **more}, str(self.home / "second"), model, build, own, base)

    def asked(self, model: str) -> list[Any]:
        """Return the commands and requests that servers of a model have got."""
        path = Path(model + ".asked")
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


@pytest.fixture
def host(tmp_path, monkeypatch) -> Host:
    monkeypatch.setattr(kept, "HOME", str(tmp_path))
    return Host(tmp_path)


def failed(job: Job) -> dict[str, Any]:
    with pytest.raises(LaunchFailed) as failure:
        launch(job, SETTINGS)
    return failure.value.payload


def test_the_prompts_are_eight_that_fit_into_their_room():
    assert len(set(PROMPTS)) == 8
    # No tokenizer makes more tokens than bytes, and one that begins a text.
    assert all(prompt.isascii() and len(prompt) < launching.PROMPT_TOKENS for prompt in PROMPTS)
    # Records of other prompts would be of another test.
    assert launching.PROMPTS_DIGEST == "d9811ae43392"


def test_what_says_the_same_has_no_difference(host):
    reference, model = host.model("f16"), host.model("q4")
    outcome = launch(host.job(reference, model), SETTINGS)
    assert outcome.metrics["greedy_first_difference"] == {"value": 5, "unit": "1", "samples": [5] * 8}
    assert outcome.metrics["greedy_same_percent"] == {"value": 100.0, "unit": "%"}
    assert outcome.metrics["greedy_equal_tokens_percent"] == {"value": 100.0, "unit": "%"}
    assert outcome.metrics["wall_s"]["value"] > 0
    assert [row["prompt"] for row in outcome.rows] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert outcome.detail == {"predicted": {"base": "f16", "base_build": "b1", "prompts": launching.PROMPTS_DIGEST}}
    assert outcome.argv[:3] == [str(host.home / "second" / "llama-server"), "-m", model]


def test_the_figures_of_answers_that_part(host):
    says = dict(SAYS)
    # At once, at the third token, and after the second, where the model ends.
    says[PROMPTS[0]], says[PROMPTS[1]], says[PROMPTS[2]] = " x b c d", " w1 b x d", " w2 b|"
    outcome = launch(host.job(host.model("f16"), host.model("q4", says)), SETTINGS)
    assert outcome.metrics["greedy_first_difference"]["samples"] == [1, 3, 3, 5, 5, 5, 5, 5]
    assert outcome.metrics["greedy_first_difference"]["value"] == 5
    assert outcome.metrics["greedy_same_percent"]["value"] == 62.5
    # 0 + 2 + 2 + 5 of 4 each, of which all 32 could have been the same.
    assert outcome.metrics["greedy_equal_tokens_percent"]["value"] == 75.0
    assert outcome.rows[2] == {
        "prompt": 3, "asked": PROMPTS[2], "n_prompt": 5, "base_n_prompt": 5, "tokens": 3, "base_tokens": 4,
        "first_difference": 3,
        "before": " w2 b", "said": None, "base_said": " c",
    }  # fmt: skip


def test_a_file_that_says_nothing_of_the_same_has_a_figure_too(host):
    says = dict.fromkeys(PROMPTS, " x y z q")
    metrics = launch(host.job(host.model("f16"), host.model("q4", says)), SETTINGS).metrics
    assert metrics["greedy_first_difference"]["value"] == 1
    assert metrics["greedy_same_percent"]["value"] == metrics["greedy_equal_tokens_percent"]["value"] == 0


def test_a_server_that_gives_text_alone_is_compared_by_it(host):
    says = {**SAYS, PROMPTS[4]: " w4 b x d"}
    outcome = launch(host.job(host.model("f16"), host.model("q4", says, ids=False)), SETTINGS)
    assert outcome.metrics["greedy_first_difference"]["samples"] == [5, 5, 5, 5, 3, 5, 5, 5]


def test_the_base_is_asked_once_plainly_and_with_as_many_threads(host):
    reference, model = host.model("f16"), host.model("q4")
    job = host.job(reference, model, variant="fa=off")
    launch(job, SETTINGS)
    launch(job, SETTINGS)
    command, *requests = host.asked(reference)
    assert [request["prompt"] for request in requests] == list(PROMPTS)
    assert command[command.index("-m") + 1] == reference
    assert command[command.index("-t") + 1] == "3"
    assert command[command.index("-np") + 1] == "1"
    assert "-fa" not in command
    both = [entry for entry in host.asked(model) if isinstance(entry, list)]
    assert len(both) == 2
    assert all(command[command.index("-fa") + 1] == "0" for command in both)
    # Other threads may round otherwise.
    launch(host.job(reference, model, threads=2), SETTINGS)
    assert len([entry for entry in host.asked(reference) if isinstance(entry, list)]) == 2


def test_answers_that_were_kept_broken_are_asked_again(host):
    reference, model = host.model("f16"), host.model("q4")
    launch(host.job(reference, model), SETTINGS)
    (path,) = (host.home / kept.DIRECTORY).iterdir()
    path.write_text("{", encoding="utf-8")
    assert launch(host.job(reference, model), SETTINGS).metrics["greedy_same_percent"]["value"] == 100.0
    assert len([entry for entry in host.asked(reference) if isinstance(entry, list)]) == 2


@pytest.mark.parametrize(
    ("does", "cause", "advice"),
    [
        ({"dies_at": 3}, "llama-server ended with exit code 3 at prompt 3 of 8: it ran into a wall", "by hand"),
        ({"status": 400}, "llama-server failed at prompt 1 of 8: HTTP 400: .*no room", "by hand"),
        ({"changes": {"truncated": True}}, "failed at prompt 1 of 8: the context was full", "Ask for fewer tokens"),
        ({"changes": {"content": "", "tokens_predicted": 0}}, "at prompt 1 of 8: its answer is empty", "broken"),
        ({"changes": {"completion_probabilities": []}}, "it names no tokens, which n_probs asks for", "another llama"),
        ({"says": dict.fromkeys(PROMPTS, "|")}, "the model ends its answer to every prompt before", "broken"),
    ],
)
def test_a_server_that_does_not_answer_is_a_failure_with_its_cause(host, does, cause, advice):
    broken, good = host.model("q4", **does), host.model("f16")
    payload = failed(host.job(good, broken))
    assert payload["phase"] == "measure"
    assert re.search(cause, payload["cause"]), payload["cause"]
    assert advice in payload["advice"]
    assert payload["detail"]["argv"][2] == broken
    assert "stderr_tail" in payload["detail"]
    # And of the reference it is said so, and nothing is kept.
    other = host.model("broken", **does)
    payload = failed(host.job(other, good)._replace(base=host.job(other, good).base._replace(model={"id": "other"})))
    assert payload["cause"].startswith("of the reference, F16 in the build first: ")
    assert payload["cell"]["build"] == "second"
    assert payload["detail"]["argv"][2] == other


def test_one_empty_answer_is_a_difference(host):
    says = {**SAYS, PROMPTS[0]: "|"}
    outcome = launch(host.job(host.model("f16"), host.model("q4", says)), SETTINGS)
    assert (outcome.rows[0]["first_difference"], outcome.rows[0]["said"]) == (1, None)


def test_answers_that_cannot_be_kept_are_a_failure(host):
    (host.home / ".cache").write_text("", encoding="utf-8")
    payload = failed(host.job(host.model("f16"), host.model("q4")))
    assert payload["cause"].startswith("the answers of the reference cannot be kept: ")
    assert payload["advice"]


def test_what_cannot_be_measured_is_refused_before_a_launch(host):
    (host.home / "model.gguf").write_bytes(
        gguf([
            record("general.architecture", 8, "llama"), record("llama.context_length", UINT32, 512),
        ])
    )  # fmt: skip
    job = host.job(host.model("f16"), str(host.home / "model.gguf"))
    assert obstacle(job) is None
    assert obstacle(job._replace(cell={**job.cell, **registry.parse_test("greedy448")})) is None
    cause, advice = obstacle(job._replace(cell={**job.cell, **registry.parse_test("greedy449")})) or ("", "")
    assert cause == "greedy449 takes a context of 768 tokens, and the model was trained for 512"
    assert advice == "Ask for fewer tokens."
    cause, advice = obstacle(job._replace(base=None)) or ("", "")
    assert "the reference of this model could not be obtained" in cause
    assert "llama_model_reference" in advice
    assert failed(job._replace(base=None))["cause"] == cause
    (host.home / "first" / "llama-server").unlink()
    cause, advice = obstacle(job) or ("", "")
    assert (
        cause == "the build first, the first, has no llama-server, of which the reference of the test greedy4 is asked"
    )
    assert "llama_cpp_builds" in advice
    cause, _advice = obstacle(host.job(host.model("f16"), str(host.home / "none.gguf"))) or ("", "")
    assert cause


def test_a_kind_of_one_launch():
    kind = registry.GREEDY
    cell = registry.parse_test("greedy64")
    assert [kind.launches(asked) for asked in (1, 3, 6)] == [1, 1, 1]
    assert [registry.SERVE.launches(asked) for asked in (1, 6)] == [1, 6]
    assert (kind.timed, kind.real_weights, kind.needs, kind.threads(cell)) == (False, True, ("reference",), 0)
    # Twice: a start of 5 s, 8 prompts of 64 tokens at 100 token/s and 8 answers of 64 at 10.
    assert kind.seconds(cell, Pace(100.0, 10.0, 5.0, 0.0), SETTINGS) == pytest.approx(2 * (5 + 5.12 + 51.2))
    job = Job({"threads": 1, **cell}, "bin", "m.gguf", {"id": "b", "name": "default"}, {"id": "m"})
    assert kind.argv(job, SETTINGS)[:9] == ["bin/llama-server", "-m", "m.gguf", "-t", "1", "-tb", "1", "-np", "1"]
    assert "256" in kind.argv(job, SETTINGS)
