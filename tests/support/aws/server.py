# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of AWS for tests, on loopback: moto's server, made truthful where a run of EC2 instances depends on it.

    python tests/support/aws/server.py --state DIR [--port N] [--settings JSON]

It prints {"endpoint": "http://127.0.0.1:N"} when it is ready; a client needs that as AWS_ENDPOINT_URL, and any
credentials. In Python, `with AwsServer() as server:` runs the same in a process of its own. Each request is kept, a
line of JSON, in DIR/requests.jsonl and survives a kill. What the tests ask of it goes to paths below /_cloudbench:

    GET  requests     what came in: time, service, action, region, params (as a caller of boto3 writes them), write
                      (whether it can change something), status, error_code, injected (whether a rule made the answer)
    GET  faults       the rules with `fired`, how often each one did
    POST faults       a list of rules, appended to those there are
    DELETE faults     no rules any more; what was late is found
    GET  leftovers    everything in the account that is not AWS's own: service, kind, id, region, name
    GET  settings     the settings below
    POST settings     changes some of them
    POST terminate    {"instance": id or "all", "reason", "forgotten"}: it ends without having been asked to, by default
                      as spot capacity is reclaimed or, on demand, as somebody else ends it; the reason is that of EC2,
                      e.g. Client.InstanceInitiatedShutdown. forgotten: so long ago that EC2 does not know it any more
    POST expire       the time of every schedule comes: what EventBridge Scheduler does then, each with its name, the
                      instances that it ended and its error
    POST shutdown     {"address", "cancel"}: "usec", when the instance there shuts itself down, in microseconds since
                      1970, as its user data has it, or null; with cancel: true it does not
    POST reset        an empty account, no records, no rules, the settings of the start

A rule names what it is for: `service`, `action` (both with * and ?, by default any), `when` {"member": "pattern"} (a
parameter of that name anywhere in the request, for RunInstances with its launch template applied), lets `skip` requests
pass and then acts on `times` of them (default 1; null for ever). What it does:

    code, message, status    answers this error instead of doing what is asked
    after: true              does what is asked, and answers the error nevertheless
    delay                    seconds before the answer
    drop: true               closes the connection instead of an answer
    eventual                 N, or "N s": what the request creates is not found by the first N requests that name it, or
                             for N seconds. A rule with `eventual` acts for ever by default
    eventual_tags            the same, but it is found by all that does not look for tags: EC2's index of them is late

The first rule that acts ends the search. The settings, each replaced as a whole, with their defaults:

    hosts            [] of {"address", "console"}: public address and console output of the instances, in the order of
                     their launch
    regions          those that are switched on for the account; by default the ones that need not be
    pending          0: how often an instance is described as pending before it runs
    shutting_down    0: how often it is described as shutting-down before it is terminated
    minute           0: seconds after which a minute is over for `shutdown -P +N` in user data and for schedules, which
                     then end instances by themselves; 0: never
    quotas           {"L-1216C47A": 640, "L-34B43A08": 640}: vCPUs of running on-demand and of spot instances
    vpcs             5: how many VPCs a region may have, the default one among them
    account_plan     "PAID": the plan of AWS Free Tier. "FREE" launches what is eligible for it, null: one of before
    prices           rows {"instanceType" or "volumeApiName", "usd", "regionCode" (default: every region), "tenancy"
                     (default: Shared), "marketoption" (default: OnDemand)} of the price list; figures that are made up
    organisation_tags  {}: tags that are put on whatever is created, and that nobody may take away
    policies         []: ARNs of managed policies that are there to be the boundary of a role
    opted_in         []: groups of Local and Wavelength Zones that the account has opted in to
    room             {}: by zone, how many instances it has room for
    ends             null: the reason of EC2 for which whatever was launched ends as soon as it would run
    agent            "there", "asleep" (until user data restarts it) or "missing": that of Systems Manager in instances
    spot_prices      {type: USD per hour, or {zone: USD per hour}}; "*" for any other type

Answers and errors are rendered from botocore's service models. Where moto and AWS differ, AWS's API reference decides.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any


class AwsServer:
    """The server in a process of its own, as a context manager; it ends with this process, however that ends.

    `state` is a directory for its records, by default a temporary one; the rest are settings.
    """

    def __init__(self, state: str | Path | None = None, **settings: Any) -> None:
        self._own = None if state else tempfile.TemporaryDirectory(prefix="aws-server-")
        self.state = Path(state or self._own.name)  # type: ignore[union-attr]
        self._settings = settings
        self.endpoint = ""

    def __enter__(self) -> AwsServer:
        command = [sys.executable, __file__, "--state", str(self.state), "--settings", json.dumps(self._settings)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
        self._process = subprocess.Popen(
            [*command, "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the server of the tests did not start; its own message stands above")
        self.endpoint = json.loads(line)["endpoint"]
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.communicate()
        if self._own:
            self._own.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs in its environment."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            # Prices that whoever tests has asked AWS for are not those of this server.
            "CLOUDBENCH_PRICES": "/dev/null/none",
        }

    def _ask(self, method: str, path: str, given: Any = None) -> Any:
        body = None if given is None else json.dumps(given).encode()
        request = urllib.request.Request(f"{self.endpoint}/_cloudbench/{path}", body, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error)["error"]) from None

    def requests(self, action: str = "*", **wanted: Any) -> list[dict[str, Any]]:
        """The records of an action (with * and ?) whose other fields are as wanted, e.g. write=True."""
        return [
            record
            for record in self._ask("GET", "requests")
            if fnmatch.fnmatchcase(record["action"], action)
            and all(record[name] == value for name, value in wanted.items())
        ]

    def fault(self, **rule: Any) -> None:
        """Add a rule; raises ValueError for one that is none."""
        self._ask("POST", "faults", [rule])

    def faults(self) -> list[dict[str, Any]]:
        """The rules, with `fired`."""
        rules: list[dict[str, Any]] = self._ask("GET", "faults")
        return rules

    def clear_faults(self) -> None:
        """No rules any more; what was hidden is found."""
        self._ask("DELETE", "faults")

    def configure(self, **settings: Any) -> None:
        """Change settings until the next reset; raises ValueError for one there is not."""
        self._ask("POST", "settings", settings)

    def leftovers(self) -> list[dict[str, str]]:
        """What is in the account and not AWS's own."""
        things: list[dict[str, str]] = self._ask("GET", "leftovers")
        return things

    def terminate(self, instance: str = "all", reason: str | None = None, forgotten: bool = False) -> list[str]:
        """End an instance, or all, from outside; the ids. Raises ValueError for a reason there is not."""
        given = {"instance": instance, "reason": reason, "forgotten": forgotten}
        ids: list[str] = self._ask("POST", "terminate", given)
        return ids

    def expire(self) -> list[dict[str, Any]]:
        """Let the time of every schedule come: name, instances that it ended (ids) and error (code or None) of each."""
        done: list[dict[str, Any]] = self._ask("POST", "expire")
        return done

    def shutdown(self, address: str, cancel: bool = False) -> int | None:
        """When the instance there shuts itself down, microseconds since 1970; `cancel`: it does not any more."""
        usec: int | None = self._ask("POST", "shutdown", {"address": address, "cancel": cancel})["usec"]
        return usec

    def reset(self) -> None:
        """An empty account without records and rules, and the settings of the start."""
        self._ask("POST", "reset")


def main() -> None:
    """Serve until interrupted."""
    first, rest = (__doc__ or "").split("\n", 1)
    parser = argparse.ArgumentParser(description=first, epilog=rest, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--state", required=True, type=Path, help="directory of the records")
    parser.add_argument("--port", type=int, default=0, help="port (default: any free one)")
    parser.add_argument("--settings", type=json.loads, default={}, help="settings other than the defaults, as JSON")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input does")
    given = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    # moto takes a second, and changes botocore: not in the process of a client
    from support.aws.application import serve

    try:
        server = serve(given.state, given.port, given.settings)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(json.dumps({"endpoint": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        if given.until_eof:
            sys.stdin.read()
        else:
            threading.Event().wait()


if __name__ == "__main__":
    main()
