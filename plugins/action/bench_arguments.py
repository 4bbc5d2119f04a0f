# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell of plugin_utils/request/arguments.py: refuse what cannot be meant, before anything is done for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.utils.vars import load_extra_vars

from ansible_collections.cloudbench.llama.plugins.plugin_utils.request import arguments
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import VARIABLES, RequestError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.shell.action import CoreAction, spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records, run_id

# What an inventory gives on the command line may be: hosts, with a comma, or a path.
_HOSTS_MARK = ","


_FACTS = (
    "A host that is not this machine may set variables of this run by what it calls its facts, those that name "
    "directories of this machine among them: set inject_facts_as_vars = False under [defaults] of ansible.cfg, or "
    "ANSIBLE_INJECT_FACT_VARS=false"
)


class ActionModule(CoreAction):
    """Looks at the variables of the host, and does nothing."""

    ARGUMENTS = spec(measure=dict(type="bool", default=False), planned=dict(type="bool", default=False))
    ERRORS = (RequestError,)

    def work(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        said = arguments.unknown({*task_vars, *self._names_of_groups(task_vars)})
        said += arguments.misspelled(load_extra_vars(self._loader))
        given = self._given(task_vars)
        said += [*self._wrong_types(given), *arguments.wrong_values(given)]
        if args["measure"]:
            groups = task_vars.get("groups") or {}
            if not groups.get("bench") and "ec2_environment" not in groups:
                said.append(_nothing_to_measure())
            if "localhost" not in task_vars.get("ansible_play_hosts_all", ["localhost"]):
                limit = context.CLIARGS.get("subset")
                said.append(
                    f"--limit {limit} leaves out localhost, where the run is reported and its exit code made: "
                    f"use --limit {limit},localhost"
                )
        if args["planned"] and not _begun(task_vars):
            said.append(_nothing_planned())
        if getattr(constants, "INJECT_FACTS_AS_VARS", False) and _others(task_vars):
            self._display.warning(_FACTS)
        if said:
            raise RequestError("Nothing was done, because " + "; ".join(dict.fromkeys(said)))
        return {}

    def _names_of_groups(self, task_vars: Mapping[str, Any]) -> set[str]:
        """Return the names of variables that hosts which are going to be rented will have of their groups."""
        if "ec2_environment" not in (task_vars.get("groups") or {}):
            return set()
        names: set[str] = set()
        for source in map(Path, context.CLIARGS.get("inventory") or ()):
            for path in sorted((source if source.is_dir() else source.parent).glob("group_vars/**/*")):
                if path.is_file() and path.suffix in ("", ".yml", ".yaml", ".json"):
                    with contextlib.suppress(AnsibleError):
                        names.update(self._loader.load_from_file(str(path)) or {})
        return names

    def _given(self, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the roles' variables; what depends on something that is not there yet is left out."""
        given = {}
        for name in arguments.options():
            if name not in task_vars:
                continue
            try:
                given[name] = self._templar.template(task_vars[name])
            except AnsibleUndefinedVariable:
                continue
        return given

    @staticmethod
    def _wrong_types(given: Mapping[str, Any]) -> list[str]:
        """Return what Ansible's own check says of values that are not part of a run's request, nor secret."""
        asked = {variable.name for variable in VARIABLES.values()}
        said: list[str] = []
        for name, entry in arguments.options().items():
            if name not in given or name in asked or entry.get("no_log") or entry.get("choices"):
                continue
            expected = {key: value for key, value in entry.items() if key in ("type", "elements", "options")}
            said += ArgumentSpecValidator({name: expected}).validate({name: given[name]}).error_messages
        return said


def _others(task_vars: Mapping[str, Any]) -> bool:
    """Say whether a host of the inventory may be another machine than this one."""
    every = (task_vars.get("hostvars") or {}).values()
    return any(of_host.get("ansible_connection", "ssh") != "local" for of_host in every)


def _begun(task_vars: Mapping[str, Any]) -> bool:
    """Say whether this command has planned a host, or has on record why it could not."""
    if any("llama_bench_plan" in of_host for of_host in (task_vars.get("hostvars") or {}).values()):
        return True
    results_dir = os.environ.get(run_id.RESULTS_DIR_VARIABLE)
    try:
        return not results_dir or bool(records.read(results_dir, run_id.current_run()).records)
    except (records.RecordError, run_id.RunError, OSError):
        # Whoever cannot read them says so.
        return True


def _nothing_planned() -> str:
    """Return the sentence on a command that has planned no host, with the options that left tasks out."""
    told = "there is nothing to measure: no host was planned"
    chosen = [tag for tag in context.CLIARGS.get("tags") or () if tag != "all"]
    options = {"--tags": chosen, "--skip-tags": context.CLIARGS.get("skip_tags") or ()}
    given = " ".join(f"{option} {','.join(tags)}" for option, tags in options.items() if tags)
    if given:
        return f"{told} with {given}: no task of this collection bears a tag of its own; leave that out"
    return f"{told}; use the playbook site, or prepare before it"


def _nothing_to_measure() -> str:
    """Return the sentence on an inventory without a host to measure, with what may be the reason."""
    sources = [str(source) for source in context.CLIARGS.get("inventory") or constants.DEFAULT_HOST_LIST]
    missing = [source for source in sources if _HOSTS_MARK not in source and not os.path.exists(source)]
    told = f"there is nothing to measure: the inventory {', '.join(sources)} has no host in the group bench"
    ours = os.path.join(os.getcwd(), "ansible.cfg")
    if os.path.exists(ours) and constants.CONFIG_FILE is None:
        why = "Ansible ignores it in a directory that everybody may write to"
        return f"{told}, and {ours} was not read: {why}; chmod o-w {os.getcwd()}, or set ANSIBLE_CONFIG to its path"
    if missing:
        return f"{told}: there is no {', '.join(missing)}"
    return f"{told}: name the hosts there, or choose another one with -i"
