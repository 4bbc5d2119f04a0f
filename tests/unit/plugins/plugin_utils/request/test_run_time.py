# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of minutes and bytes against runs that others published, and against files of known size."""

from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.registry import parse_test
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import PRESETS
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request import run_time
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import RunRequest
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_time import Files, Host, Range

EIGHT = PRESETS["llama-3.1-8b-synthetic"]
SEVENTY = PRESETS["llama-3.1-70b-synthetic"]


def host(name: str) -> Host:
    kind = processors.instance_type(name)
    return Host(kind.architecture, kind.core, kind.vcpus, kind.physical_cores, kind.bandwidth_gb_s)


def files(models, quantizations):
    return run_time.files(RunRequest.of({"models": models, "quantizations": quantizations}))


# Tokens per second of generation that others measured, a thread on each core.
@pytest.mark.parametrize(
    ("instance", "shape", "quantization", "measured"),
    [
        ("c7g.16xlarge", EIGHT, "Q4_0", 43.43),  # github.com/hustshawn/llama3-on-graviton
        ("r8g.16xlarge", EIGHT, "Q4_0", 61.6),  # Arm learning path llama-cpu
        ("c7g.8xlarge", EIGHT, "Q4_0", 39.7),  # arcee-ai/Benchmarks, Q4_0_8_8
        ("r8g.4xlarge", EIGHT, "Q4_0", 49.0),  # arcee-ai/Benchmarks, Q4_0_4_8
        ("c7g.16xlarge", SEVENTY, "Q4_0", 6.5),  # arcee-ai/Benchmarks
        ("r8g.16xlarge", SEVENTY, "Q4_0", 9.8),  # arcee-ai/Benchmarks
        ("r8g.12xlarge", SEVENTY, "Q4_0", 4.62),  # llamafile 503
    ],
)
def test_generation_that_was_published_lies_in_the_range(instance, shape, quantization, measured):
    one = host(instance)
    moved = run_time.generation_bytes(one, one.physical_cores)
    size = run_time.file_bytes(shape, quantization)
    assert moved.low / size <= measured <= moved.high / size


@pytest.mark.parametrize(("instance", "measured"), [("c7g.16xlarge", 285.79), ("r8g.16xlarge", 333.5)])
def test_prompts_that_were_published_lie_in_the_range(instance, measured):
    one = host(instance)
    flops = run_time.prompt_flops(one, one.physical_cores)
    work = 2 * 8.03e9
    assert flops.low / work <= measured <= flops.high / work


def test_files_of_known_size():
    # Published sizes: BF16 of 3.1 8B, F16 of 3.2 1B; Q4_0 of 3 8B with its larger output tensor.
    assert run_time.file_bytes(EIGHT, "F16") == pytest.approx(16_068_895_872, rel=0.001)
    assert run_time.file_bytes(PRESETS["llama-3.2-1b-synthetic"], "F16") == pytest.approx(2_479_595_168, rel=0.01)
    assert run_time.file_bytes(EIGHT, "Q4_0") == pytest.approx(4.653e9, rel=0.01)


def test_files_and_volume():
    one = files(["llama-3.1-8b"], ["Q4_0", "Q8_0"])
    assert one.sources == pytest.approx(16.06e9, rel=0.01)
    assert one.total == pytest.approx(16.06e9 + 4.66e9 + 8.55e9, rel=0.01)
    assert one.largest == pytest.approx(8.55e9, rel=0.01)
    # 14 + 29.27 * 1.2 = 49.1
    assert run_time.volume_gb(one) == 50
    # One file for each quantization is published: no source is kept.
    assert files(["llama-3.3-70b"], ["Q4_0"]).sources == 0
    assert run_time.volume_gb(files(["llama-3.2-1b-synthetic"], ["Q4_0"])) == 30
    other = files([{"name": "mine", "path": "/m.gguf"}, "nonsense"], ["nonsense", "legacy"])
    assert other == Files(0, 0, 0, ["mine"])
    assert files(["llama-3.1-8b"], ["legacy"]).largest == run_time.file_bytes(EIGHT, "Q4_0")


def cell(threads=64, **more):
    empty = {"n_prompt": 0, "n_gen": 0, "n_depth": 0}
    return {"model": "m", "quantization": "Q4_0", "threads": threads, "test": "any", **empty, **more}


def test_a_launch_takes_longer_for_more_of_anything():
    one = host("c7g.16xlarge")

    def seconds(repetitions=2, threads=64, **more):
        return run_time.launch_seconds(one, EIGHT, cell(threads, **more), LaunchSettings(repetitions=repetitions))

    base = seconds(n_prompt=512)
    assert 0 < base.low < base.high
    for more in (
        seconds(n_prompt=1024),
        seconds(n_prompt=512, n_depth=4096),
        seconds(n_prompt=512, threads=8),
        seconds(repetitions=5, n_prompt=512),
    ):
        assert more.low > base.low
        assert more.high > base.high
    # The ladder of the run finds no more than all cores.
    assert seconds(n_gen=128, threads=0) == seconds(n_gen=128, threads=64)
    # More threads than cores make nothing faster.
    assert seconds(n_gen=128, threads=128) == seconds(n_gen=128, threads=64)


@pytest.mark.parametrize(
    ("less", "more"),
    [("serve128+64@c1", "serve128+64@c4"), ("serve128+64@c1", "serve256+64@c1"), ("batch8+8@c1", "batch8+8@c8")],
)
def test_more_users_take_longer(less, more):
    one = host("c7g.16xlarge")
    first, second = (
        run_time.launch_seconds(one, EIGHT, cell(0, **parse_test(test)), LaunchSettings(repetitions=2))
        for test in (less, more)
    )
    assert first.high < second.high
    assert first.low < second.low


def test_loading_from_a_disk_is_slower_than_from_memory():
    one = host("c7g.16xlarge")
    load = run_time.launch_seconds(one, EIGHT, cell(0, **parse_test("load")), LaunchSettings(repetitions=2))
    # 4.7 GB at the 125 MB/s of gp3, once by itself and once by a cold start.
    assert 60 < load.low < load.high < 200


@pytest.mark.parametrize("name", ["c7i.16xlarge", "c5.4xlarge", "t3.nano", "m9g.48xlarge"])
def test_every_processor_has_a_range(name):
    one = host(name)
    for found in (run_time.prompt_flops(one, one.physical_cores), run_time.generation_bytes(one, one.physical_cores)):
        assert 0 < found.low < found.high


def test_requests_at_a_rate_take_as_long_as_they_arrive():
    one, settings = host("c7g.16xlarge"), LaunchSettings(requests=2, slots=4)
    # 8 requests, one every 100 s.
    rare = run_time.launch_seconds(one, EIGHT, cell(0, **parse_test("serve128+64@r0.01")), settings)
    assert 800 < rare.low < rare.high < 840


def test_minutes_of_a_run():
    one = host("c7g.16xlarge")
    wanted = files(["llama-3.1-8b"], ["Q4_0"])
    cells = [cell(n_prompt=512), cell(n_gen=128)]

    def minutes(builds=1, path="/llama-8b.gguf", **more):
        request = RunRequest.of({"models": [{"name": "m", "path": path}], "minutes": 0, **more})
        return run_time.expected_minutes(one, request, cells, builds, wanted)

    prepared = run_time.prepare_minutes(one, 1, wanted)
    usual = minutes()
    seconds = [run_time.launch_seconds(one, EIGHT, which, LaunchSettings(repetitions=2)) for which in cells]
    assert usual.low == pytest.approx(prepared.low + 6 * sum(time.low for time in seconds) / 60 + 1)
    # Where intervals do not become narrow, cells are launched more often.
    assert usual.high == pytest.approx(prepared.high + 12 * sum(time.high for time in seconds) / 60 + 3)
    # But not more often than is asked for.
    capped = prepared.high + 7 * sum(time.high for time in seconds) / 60 + 3
    assert minutes(launches_most=7).high == pytest.approx(capped)
    quick = prepared.high + 2 * sum(time.high for time in seconds) / 60 + 3
    assert minutes(launches=2).high == pytest.approx(quick)
    assert minutes(minutes=0.01).high == pytest.approx(prepared.high + 0.01 + 3)
    assert minutes(builds=2).low - usual.low == pytest.approx(0.5)
    # A model of unknown size adds nothing.
    unknown = minutes(path="/m.gguf")
    assert unknown == prepared.plus(Range(1, 3))


def test_duets_take_their_share_of_the_time():
    one, wanted = host("c7g.16xlarge"), files(["llama-3.1-8b"], ["Q4_0"])
    pair = {"a": cell(0, n_gen=128), "b": cell(0, n_gen=128)}

    def minutes(*duets, **more):
        request = RunRequest.of({"models": [{"name": "m", "path": "/llama-8b.gguf"}], "minutes": 0, **more})
        return run_time.expected_minutes(one, request, [], 1, wanted, duets)

    without, half = minutes(), run_time.launch_seconds(one, EIGHT, cell(32, n_gen=128), LaunchSettings(repetitions=2))
    assert minutes(pair).low - without.low == pytest.approx(6 * 2 * half.low / 60)
    assert minutes(pair).high - without.high == pytest.approx(12 * 2 * half.high / 60)
    assert minutes(pair, pair).low - without.low == pytest.approx(2 * 6 * 2 * half.low / 60)
    assert minutes(*[pair] * 50, minutes=30).high - minutes(minutes=30).high == pytest.approx(10)
