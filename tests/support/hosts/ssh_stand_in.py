# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What answers for ssh where instances are those of the API of the tests, which knows what they would say.

    python tests/support/hosts/ssh_stand_in.py [OPTIONS OF ssh] USER@ADDRESS COMMAND

Of an instance it knows its shutdown: `sudo -n cat /run/systemd/shutdown/scheduled` and `sudo -n shutdown -c`. What of
ssh is checked is that key and known hosts are there, and that host keys are checked.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from pathlib import Path

SCHEDULED = ["sudo", "-n", "cat", "/run/systemd/shutdown/scheduled"]
CANCEL = ["sudo", "-n", "shutdown", "-c"]


def main() -> None:
    """Answer one command."""
    arguments = sys.argv[1:]
    at = next(index for index, word in enumerate(arguments) if "@" in word)
    options, address, command = arguments[:at], arguments[at].partition("@")[2], arguments[at + 1 :]
    known_hosts = next(word.partition("=")[2] for word in options if word.startswith("UserKnownHostsFile="))
    if "StrictHostKeyChecking=yes" not in options or address not in Path(known_hosts).read_text(encoding="utf-8"):
        sys.exit("Host key verification failed.")
    if not Path(options[options.index("-i") + 1]).exists():
        sys.exit("Permission denied (publickey).")
    if command not in (SCHEDULED, CANCEL):
        sys.exit(f"{command}: command not found")
    body = json.dumps({"address": address, "cancel": command == CANCEL}).encode()
    request = urllib.request.Request(f"{os.environ['AWS_ENDPOINT_URL']}/_cloudbench/shutdown", body)
    with urllib.request.urlopen(request) as answer:
        usec = json.load(answer)["usec"]
    if command == SCHEDULED:
        if usec is None:
            sys.exit(f"cat: {SCHEDULED[-1]}: No such file or directory")
        print(f"USEC={usec}\nWARN_WALL=1\nMODE=poweroff")


if __name__ == "__main__":
    main()
