# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of module_utils/measure/run.py: measure the cells of a run on this host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llama_bench
short_description: Measure llama.cpp in fresh, interleaved processes
description:
  - Launches C(llama-bench), C(llama-server) or C(llama-batched-bench) for every cell, a fresh process each time, in
    randomised complete blocks, and returns a record of every launch, failures included.
  - Where cells leave the number of threads open (V(0)), a ladder of thread counts comes first and chooses it.
  - A cell is launched until its 95 % interval is as narrow as its test allows, between O(launches) and
    O(launches_most) times.
  - Goes on where an interrupted run of the same id stopped, from the records in O(spool).
  - A launch that crashes, hangs, is killed or prints nonsense becomes a failure record; the other cells go on.
  - The action plugin of the same name runs this module in the background and shows its progress on the controller.
version_added: 0.1.0
author:
  - cloudbench.llama contributors (@cloudbench)
attributes:
  check_mode:
    description: Checks the cells, the programs and the files, and launches nothing.
    support: full
options:
  run:
    description: The id of the run.
    type: str
    required: true
  machine:
    description: The payload of the machine record, as P(cloudbench.llama.machine_info#module) returns it.
    type: dict
    required: true
  cells:
    description: What to measure; each has C(model), C(quantization), C(build), C(threads), C(test), C(n_prompt),
      C(n_gen) and C(n_depth).
    type: list
    elements: dict
    required: true
  builds:
    description: Payloads of build records, each with C(bin), the directory that holds C(llama-bench).
    type: list
    elements: dict
    required: true
  models:
    description: Payloads of model records, each with C(path).
    type: list
    elements: dict
    required: true
  duets:
    description: Pairs of cells that are measured at the same moment too, each on half of the cores and then on the
      other, before the launches; each has C(a), what C(b) is measured against, and C(b), whose threads are replaced by
      the cores of a half.
    type: list
    elements: dict
    default: []
  launches:
    description: Undisturbed fresh processes per cell at least.
    type: int
    default: 6
  launches_most:
    description: Fresh processes per cell at most.
    type: int
    default: 30
  repetitions:
    description: Measurements inside one process.
    type: int
    default: 2
  seed:
    description: Seed of the order of launches.
    type: int
    required: true
  time_limit:
    description: Seconds after which a launch is taken for hung and killed.
    type: float
    default: 1800
  minutes:
    description: How long all launches may take; V(0) is no limit. What it has no room for is said before the first
      launch.
    type: float
    default: 0
  slots:
    description: Slots of the server.
    type: int
    default: 4
  requests:
    description: Requests of each user in one launch of the server.
    type: int
    default: 4
  slo:
    description: What a request has to meet to count as goodput, C(ttft_s) and C(tpot_s) in seconds.
    type: dict
    default: {ttft_s: 2.0, tpot_s: 0.1}
  tune:
    description:
      - Searches for the best configuration instead, for the objective in the C(purpose) of each of O(cells), over all
        of O(builds); the first of them and the defaults of llama.cpp are what everything is compared with.
      - C(space) has the values that are tried by factor, C(threads) the numbers of threads, both those of the machine
        where they are not named; C(limit_bytes) is the limit of the objective C(memory).
    type: dict
    default: {}
  cluster:
    description:
      - The hosts that compute cells with C(hosts=) in their C(variant) together, or share the requests of cells with
        C(servers=), as P(cloudbench.llama.llama_rpc_cluster#module) returns it. Empty means that this host is alone.
      - C(head) is the name of this host, and each of C(workers) has C(host), C(address), C(port), C(threads),
        C(machine) and C(serves).
    type: dict
    default: {}
  cluster_key:
    description: What the C(llama-server) of each worker is asked with.
    type: str
    default: ""
  environment:
    description: Variables for the programs that are measured, names and texts. Of that of the module they get only
      E(PATH), E(HOME), E(LANG), C(LC_*) and E(TMPDIR).
    type: dict
    default: {}
  spool:
    description: Directory on the host where each record is written as it is made.
    type: path
    default: ~/.cache/cloudbench/spool
  patience:
    description: Seconds without a sign of the controller after which no further launch is begun; V(0) means never.
      The action plugin gives that sign each time it looks at the progress.
    type: float
    default: 0
  silence:
    description: Seconds without an answer after which the action plugin gives the host up, and returns a failure with
      all the records that it has seen until then.
    type: float
    default: 600
"""

EXAMPLES = r"""
- name: Measure two cells
  cloudbench.llama.llama_bench:
    run: 20261123T155523Z-1a2b
    machine: "{{ llama_bench_machine }}"
    cells: "{{ llama_bench_plan.cells }}"
    builds: "{{ llama_cpp_built }}"
    models: "{{ llama_model_files }}"
    seed: 1
"""

RETURN = r"""
bench_records:
  description: The records of the launches and failures, for the callback P(cloudbench.llama.bench_report#callback).
  returned: when not in check mode
  type: dict
launched:
  description: How many launches gave a figure, those of duets aside.
  returned: always
  type: int
failed_cells:
  description: How many cells could not be measured.
  returned: always
  type: int
abandoned:
  description: Whether the run ended early because the controller was gone.
  returned: always
  type: bool
"""

import os
import signal
from typing import Any, Dict, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job, JobError, jobs_of, program
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.cluster import Cluster, ClusterError
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.run import measure
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.settings import Settings
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.space import SpaceError, checked_space
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.spool import Spool, SpoolError, machine_lock
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.tune import Asked, tune
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system.environment import EnvironmentRefused, checked
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME

# Least values of the options, and what they count.
_LEAST = {
    "launches": 1,
    "launches_most": 1,
    "repetitions": 1,
    "time_limit": 0.001,
    "minutes": 0,
    "slots": 1,
    "requests": 1,
}
_SLO = ("ttft_s", "tpot_s")


def _check(module: AnsibleModule, jobs: List[Job]) -> None:
    for name, least in _LEAST.items():
        if module.params[name] < least:
            module.fail_json(msg="%s must be at least %s, not %s" % (name, least, module.params[name]))
    slo = module.params["slo"]
    for name in _SLO:
        if not isinstance(slo.get(name), (int, float)) or slo[name] <= 0:
            module.fail_json(msg="slo.%s must be a number of seconds above 0, not %r" % (name, slo.get(name)))
    for path in sorted({program(job, "llama-bench") for job in jobs}):
        if not os.access(os.path.join(HOME, path), os.X_OK) and not module.check_mode:
            module.fail_json(msg="%s is not there or cannot be executed; role llama_cpp builds it" % path)


def _duets(params: Dict[str, Any]) -> List[Tuple[Job, Job]]:
    """Return the jobs of the duets of which both sides could be obtained. Raises JobError."""
    joined = [jobs_of([pair["a"], pair["b"]], params["builds"], params["models"]) for pair in params["duets"]]
    return [(jobs[0], jobs[1]) for jobs in joined if len(jobs) == 2]


def _understood(module: AnsibleModule) -> Tuple[List[Job], Dict[str, str], Optional[Asked]]:
    """Return the jobs, the environment of the programs, and what a search is asked for, None where there is none."""
    params = module.params
    cells, searched = params["cells"], params["tune"]
    if searched:
        cells = [dict(cell, build=build["name"]) for cell in cells for build in params["builds"]]
    try:
        jobs = jobs_of(cells, params["builds"], params["models"])
        environment = checked(params["environment"], "environment")
        space = checked_space(searched.get("space") or {})
    except (JobError, EnvironmentRefused, SpaceError) as error:
        module.fail_json(msg=str(error))
    asked = Asked(space, searched.get("threads") or (), searched.get("limit_bytes") or None) if searched else None
    return jobs, environment, asked


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            run=dict(type="str", required=True),
            machine=dict(type="dict", required=True),
            cells=dict(type="list", elements="dict", required=True),
            builds=dict(type="list", elements="dict", required=True),
            models=dict(type="list", elements="dict", required=True),
            duets=dict(type="list", elements="dict", default=[]),
            launches=dict(type="int", default=6),
            launches_most=dict(type="int", default=30),
            repetitions=dict(type="int", default=2),
            seed=dict(type="int", required=True),
            time_limit=dict(type="float", default=1800),
            minutes=dict(type="float", default=0),
            slots=dict(type="int", default=4),
            requests=dict(type="int", default=4),
            slo=dict(type="dict", default={"ttft_s": 2.0, "tpot_s": 0.1}),
            tune=dict(type="dict", default={}),
            cluster=dict(type="dict", default={}),
            cluster_key=dict(type="str", default="", no_log=True),
            environment=dict(type="dict", default={}),
            spool=dict(type="path", default="~/.cache/cloudbench/spool"),
            patience=dict(type="float", default=0),
            silence=dict(type="float", default=600),
        ),
        supports_check_mode=True,
    )
    params = module.params
    jobs, environment, asked = _understood(module)
    try:
        duets = _duets(params)
        given = params["cluster"]
        cluster = Cluster.of(given, params["machine"], params["cluster_key"]) if given else None
        jobs = cluster.reach(jobs) if cluster else jobs
    except (JobError, ClusterError) as error:
        module.fail_json(msg=str(error))
    _check(module, jobs)
    if module.check_mode:
        module.exit_json(changed=bool(jobs), launched=0, failed_cells=0, abandoned=False)

    settings = Settings(
        launches=params["launches"],
        launches_most=max(params["launches"], params["launches_most"]),
        repetitions=params["repetitions"],
        seed=params["seed"],
        time_limit=params["time_limit"],
        budget=params["minutes"] * 60,
        slots=params["slots"],
        requests=params["requests"],
        slo_ttft_s=params["slo"]["ttft_s"],
        slo_tpot_s=params["slo"]["tpot_s"],
        environment=environment,
    )
    machine = params["machine"]
    patience: float = params["patience"]
    counts = {"launch": 0, "failure": 0}
    # fail_json raises SystemExit, which lets process.run kill the launch in flight before this process ends.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: module.fail_json(msg="the run was ended by SIGTERM"))
    try:
        spool = Spool(params["spool"], params["run"])

        def emit(kind: str, payload: Dict[str, Any], started: Optional[float]) -> None:
            counts[kind] = counts.get(kind, 0) + 1
            spool.append(envelope.make(kind, params["run"], machine["name"], payload, started))

        def progress(state: Dict[str, Any]) -> None:
            spool.progress(dict(state, pid=os.getpid()))

        def abandoned() -> bool:
            return 0 < patience < spool.unseen()

        with machine_lock(orphan=spool.runner()):
            spool.open()
            earlier = [record for record in spool.records() if record["machine"] == machine["name"]]
            known = {(record["kind"], record["payload"].get("id")) for record in earlier}
            # What is compared with is on record as what is compared.
            sides = [*jobs, *(job.base for job in jobs if job.base)]
            for kind in ("build", "model"):
                for payload in {getattr(side, kind)["id"]: getattr(side, kind) for side in sides}.values():
                    if (kind, payload["id"]) not in known:
                        emit(kind, payload, None)
            # Reading a large model for the first time takes minutes: the controller is to know that somebody lives.
            progress({"done": 0, "of": 0, "now": None, "figures": [], "failed": [], "left_s": None})
            if asked:
                ended = tune(jobs, asked, settings, machine, emit, progress, abandoned, earlier)
            else:
                ended = measure(
                    jobs, settings, machine, emit, progress, abandoned, earlier, duets=duets, cluster=cluster
                )
            emit("end", {"state": "finished" if ended else "abandoned", "launches": counts["launch"]}, None)
            records = spool.records()
    except SpoolError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg="the spool %s cannot be written: %s" % (params["spool"], error))
    module.exit_json(
        changed=True,
        launched=counts["launch"],
        failed_cells=counts["failure"],
        abandoned=not ended,
        bench_records=envelope.as_result(records),
    )


if __name__ == "__main__":
    main()
