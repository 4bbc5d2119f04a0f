# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures.cause import (
    ADVICE,
    advice_of,
    cause_of,
    failure_line,
)

# Results of failed tasks as ansible-core 2.19.14 hands them to a rescue, shortened by times and invocation.
CMAKE = "CMake Error at CMakeLists.txt:1: no C++ compiler"
COMMAND = {
    "changed": True, "stdout": "configuring", "rc": 3, "failed": True, "msg": "non-zero return code",
    "stderr": f"checking\n{CMAKE}\nsee the log\n\nbye\nend",
    "cmd": ["cmake", "-S", ".", "-B", "b"], "exception": "(traceback unavailable)",
}  # fmt: skip
QUIET = {
    "changed": True, "stdout": "1\n2\n3\n4\n", "stderr": "", "rc": -4, "cmd": "kill -ILL $$", "failed": True,
    "msg": "non-zero return code",
}  # fmt: skip
LOOP = {
    "results": [
        {"failed": False, "item": "a", "msg": "fine"},
        {"failed": True, "msg": "non-zero return code", "cmd": ["false", "b"], "rc": 1, "stdout": "", "stderr": ""},
        {"failed": True, "msg": "the second", "item": "c"},
    ],
    "skipped": False, "changed": True, "failed": True, "msg": "One or more items failed",
}  # fmt: skip
ASSERT = {"failed": True, "evaluated_to": False, "assertion": "1 + 1 == 3", "msg": "Assertion failed", "changed": False}
MODULE = {"failed": True, "changed": False, "msg": "Request failed: <urlopen error [Errno 111] Connection refused>\n"}
# Of hosts whose Python is 3.6.15 and 3.7.16, with ansible-core 2.19.14.
NO_RESULT = "Module result deserialization failed: No start of json char found"
PYTHON_36 = {
    "failed": True, "msg": NO_RESULT, "rc": 1, "module_stdout": "", "exception": "(traceback unavailable)",
    "module_stderr": '  File "<stdin>", line 3\nSyntaxError: future feature annotations is not defined\n',
}  # fmt: skip
PYTHON_37 = {
    **PYTHON_36,
    "module_stderr": 'Traceback (most recent call last):\n  File "<stdin>", line 138, in invoke_module\n'
    '  File "/tmp/a/errors.zip/ansible/module_utils/_internal/__init__.py", line 50\n'
    "    def import_controller_module(_module_name: str, /) -> t.Any:\n"
    "                                                    ^\nSyntaxError: invalid syntax\n",
}
# Of apt 2.6.1, while another process held the lock, shortened.
LOCKED = "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?"
APT = {
    "failed": True, "rc": 100, "stderr": LOCKED + "\n",
    "msg": f"'/usr/bin/apt-get -y -o DPkg::Lock::Timeout=3 install 'sl=5.02-1+b1'' failed: {LOCKED}\n",
    "stdout": "Waiting for cache lock: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 2684 "
    "(python3)...\n" * 2,
}  # fmt: skip

# Messages of modules of amazon.aws 10.1.2, to which the API of the tests refused an action.
REFUSED = {
    "Failed to associate route table: An error occurred (UnauthorizedOperation) when calling the AssociateRouteTable "
    "operation: You are not authorized to perform this operation.": "ec2:AssociateRouteTable",
    "Failed to describe launch templates: An error occurred (UnauthorizedOperation) when calling the "
    "DescribeLaunchTemplates operation: You are not authorized to perform this operation.":
    "ec2:DescribeLaunchTemplates",
    "The internet gateway of the run fault-15 cannot be created: An error occurred (UnauthorizedOperation) when "
    "calling the DescribeInternetGateways operation: You are not authorized to perform this operation.":
    "ec2:DescribeInternetGateways",
    "Failed to create role: An error occurred (AccessDenied) when calling the CreateRole operation: User: "
    "arn:aws:iam::123456789012:user/moto is not authorized to perform: iam:CreateRole": "iam:CreateRole",
    "The schedule cloudbench-fault-45 cannot be created: An error occurred (AccessDeniedException) when calling the "
    "CreateSchedule operation: User: arn:aws:iam::123456789012:user/moto is not authorized to perform: "
    "scheduler:CreateSchedule": "scheduler:CreateSchedule",
    # Here the module keeps to itself what AWS said.
    "Unable to create security group: Failed to create security group": "ec2:CreateSecurityGroup",
    "Failed to fetch status of new EC2 instance: Failed to describe instance status": "ec2:DescribeInstanceStatus",
}  # fmt: skip
THROTTLED = (
    "Failed to create vpc: An error occurred (RequestLimitExceeded) when calling the CreateVpc operation (reached max "
    "retries: 4): RequestLimitExceeded was asked for by the test"
)
UNREACHED = 'Failed to create vpc: Could not connect to the endpoint URL: "http://127.0.0.1:1/"'


@pytest.mark.parametrize(("message", "action"), REFUSED.items(), ids=REFUSED.values())
def test_what_a_module_was_refused_names_the_action_to_allow(message, action):
    cause = cause_of({"failed": True, "msg": message})
    assert cause.startswith(f"{action}: ")
    assert f"allow {action} to " in cause
    # As a task with until and a loop has it.
    assert cause_of({"msg": "All items", "results": [{"failed": True, "attempts": 12, "msg": message}]}) == cause


def test_what_aws_refused_for_another_reason_has_its_own_way_out():
    assert cause_of({"msg": THROTTLED}).startswith(
        "ec2:CreateVpc: AWS answered again and again that it is asked too often (RequestLimitExceeded): wait"
    )
    assert cause_of({"msg": UNREACHED}) == UNREACHED
    assert advice_of("provision", UNREACHED).startswith("Check the network, the proxy")


def test_what_is_no_refusal_is_left_as_it_is():
    for message in ("Failed to measure it", "Failed to download the model.", "An error occurred"):
        assert cause_of({"msg": message}) == message


@pytest.mark.parametrize(
    ("result", "cause"),
    [
        (
            COMMAND,
            f"non-zero return code | command: cmake -S . -B b | exit code 3 | {CMAKE}",
        ),
        (QUIET, "non-zero return code | command: kill -ILL $$ | ended by signal 4 | 2 | 3 | 4"),
        (LOOP, "non-zero return code | command: false b | exit code 1"),
        (ASSERT, "Assertion failed | assertion: 1 + 1 == 3"),
        ({**ASSERT, "msg": ["first", "second"]}, "first second | assertion: 1 + 1 == 3"),
        (MODULE, "Request failed: <urlopen error [Errno 111] Connection refused>"),
        ({"failed": True, "msg": "", "changed": False}, "the task failed without a message"),
        ({}, "the task failed without a message"),
        ({"failed": True, "msg": "All items completed", "results": []}, "All items completed"),
    ],
    ids=["command", "signal", "loop", "assert", "fail_msg", "module", "no message", "empty", "no item"],
)
def test_a_cause_is_what_was_said(result, cause):
    assert cause_of(result) == cause


@pytest.mark.parametrize(
    ("result", "last"),
    [(PYTHON_36, "SyntaxError: future feature annotations is not defined"), (PYTHON_37, "SyntaxError: invalid syntax")],
)
def test_an_old_python_is_named(result, last):
    cause = cause_of(result)
    assert cause == f"the Python of the host is older than 3.8, which the modules need | {last}"
    assert advice_of("plan", cause).startswith("Install Python 3.8 or newer")


def test_what_a_module_without_a_result_left_is_read():
    sudo = {"failed": True, "msg": NO_RESULT, "module_stderr": "sudo: a password is required\n", "module_stdout": ""}
    assert cause_of(sudo) == "sudo: a password is required"
    crash = 'Traceback (most recent call last):\n  File "errors.py", line 1, in f\n    error()\nMemoryError\n'
    assert cause_of({"msg": NO_RESULT, "module_stdout": crash}) == "MemoryError"
    core = "ansible-core requires a minimum of Python version 3.9. Current version: 3.8.18"
    assert cause_of({"msg": core}) == core
    assert "that version or newer" in advice_of("plan", core)


def test_who_holds_the_lock_of_the_package_manager_is_named():
    cause = cause_of(APT)
    assert cause.startswith("'/usr/bin/apt-get -y")
    assert LOCKED in cause
    assert cause.endswith(" | held by process 2684 (python3)")
    assert advice_of("build", cause).startswith("Wait for that process to end")
    said = "Failed to lock apt: E:Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)"
    assert cause_of({"msg": said}) == said


def test_a_cause_is_no_log():
    long = {"msg": "m" * 900, "cmd": "c" * 900, "rc": 1, "stderr": "\n".join(["error " + "e" * 300] * 9)}
    assert len(cause_of(long)) == 1500
    assert cause_of(long).count("error ") == 2


def test_a_failure_is_one_line():
    cell = {"model": "m", "quantization": "Q4_0", "test": "pp512", "threads": 2, "build": "default"}
    failure = {"phase": "measure", "cause": "It broke.", "advice": "Mend it.", "cell": cell}
    assert failure_line("local-x", failure) == "local-x: measure, m Q4_0 pp512, 2 threads: It broke. Mend it."
    whole_host = {**failure, "cell": None, "cause": "exit code 3"}
    assert failure_line("local-x", whole_host) == "local-x: measure: exit code 3. Mend it."


@pytest.mark.parametrize(
    ("cause", "advice"),
    [
        ("The module interpreter '/usr/bin/python3.11' was not found.", "Install Python 3.8 or newer"),
        ("/bin/sh: 1: /usr/bin/python3: not found", "Install Python 3.8 or newer"),
        ("No python interpreters found for host gv2", "Install Python 3.8 or newer"),
        ("'Q4_9' is no quantization", "Correct the variable"),
    ],
)
def test_a_host_without_python_is_told_to_install_it(cause, advice):
    assert advice_of("plan", cause).startswith(advice)


def test_every_phase_has_an_advice():
    assert set(ADVICE) == {"provision", "connect", "plan", "build", "model", "measure", "report"}


KILLED = "c++: fatal error: Killed signal terminated program cc1plus"


@pytest.mark.parametrize(
    ("stderr", "stdout", "told"),
    [
        ("ninja: build stopped: subcommand failed.", f"[1/9] Building CXX object a.o\n{KILLED}\nmore", KILLED),
        ("gmake[2]: *** [all] Error 1\nmake: *** [all] Error 2", f"[1/9]\n{KILLED}", KILLED),
        ("warning: -Werror is set", "a.cpp:3:1: error: no such thing", "a.cpp:3:1: error: no such thing"),
        ("a.cpp:3:1: error: this", "b.cpp:3:1: error: that", "a.cpp:3:1: error: this"),
        ("fatal: not a repository", "error.cpp.o built", "fatal: not a repository"),
        (f"collect2: error: ld returned 1 exit status\n{KILLED}", "", KILLED),
        ("", "No space left on device", "No space left on device"),
        ("ninja: build stopped: subcommand failed.", "", "ninja: build stopped: subcommand failed."),
    ],
)
def test_the_cause_is_the_line_that_tells_most_of_both_outputs(stderr: str, stdout: str, told: str) -> None:
    result = {"failed": True, "msg": "failed", "cmd": "ninja", "rc": 1, "stderr": stderr, "stdout": stdout}
    assert cause_of(result).rpartition("exit code 1 | ")[2] == told


@pytest.mark.parametrize("value", [7, -1.5, True, "text", [], ["a", 7], {}, {"a": []}, [{"failed": True}]], ids=repr)
def test_whatever_a_host_puts_into_a_result_it_has_a_cause(value: object) -> None:
    """Else it would have no failure on record, and the run of which it is part none of its ends."""
    names = ("results", "msg", "module_stderr", "module_stdout", "assertion", "cmd", "rc", "stderr", "stdout")
    for name in names:
        cause = cause_of({**dict.fromkeys(("cmd", "msg"), "x"), name: value})
        assert isinstance(cause, str)
        assert cause
    assert cause_of(dict.fromkeys(names, value))


@pytest.mark.parametrize("items", [12, "x", {"failed": True}, [1, None, "x"]])
def test_items_that_are_none_are_no_loop(items):
    assert cause_of({"msg": "no", "results": items}) == "no"


def test_loops_without_end_have_a_cause():
    result = {"msg": "the innermost", "failed": True}
    for _level in range(5000):
        result = {"msg": "a loop", "failed": True, "results": [result]}
    assert cause_of(result) == "a loop"


@pytest.mark.parametrize("code", ["1", [1], {"a": 1}, 1.5])
def test_an_exit_code_that_is_none_is_left_out(code):
    assert cause_of({"msg": "no", "cmd": "x", "rc": code, "stderr": "error: y"}) == "no | command: x | error: y"
