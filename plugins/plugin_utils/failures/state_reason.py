# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why EC2 says that an instance has ended, and what to do about it: run again, or mend something first.

Source: docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html; of Client.InternalError,
docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html and repost.aws/knowledge-center/
encrypted-volumes-stops-immediately.
"""

from __future__ import annotations

_AGAIN = "run again"
_KEY = (
    "mend it first, for another try is paid for too and ends the same way. The volume is encrypted with the account's "
    "default key of EBS (aws ec2 get-ebs-default-kms-key-id), and {who} may not use it: allow kms:CreateGrant, "
    "kms:Decrypt, kms:DescribeKey, kms:GenerateDataKeyWithoutPlaintext and kms:ReEncrypt* in the policy of that "
    "key{how}"
)
_SPOT_ROLE = "the role AWSServiceRoleForEC2Spot"
_GRANT = (
    ", or by aws kms create-grant with arn:aws:iam::ACCOUNT:role/aws-service-role/spot.amazonaws.com/"
    "AWSServiceRoleForEC2Spot as --grantee-principal"
)
_BY_CODE = {
    "Server.InternalError": _AGAIN,
    "Server.InsufficientInstanceCapacity": (
        "EC2 had no room after all: name other zones, or_types or the other market, or run again later"
    ),
    "Server.ScheduledStop": f"its hardware was retired: {_AGAIN}",
    "Client.VolumeLimitExceeded": (
        "mend it first: the account has no room for another EBS volume. Delete volumes that nobody needs, take a "
        "smaller ec2_environment_volume_gb or fewer instances, or raise the quota L-7A658B76 (storage of gp3 volumes) "
        "in Service Quotas"
    ),
    "Client.InvalidSnapshot.NotFound": "mend it first: the snapshot of its image is gone; name another image",
    "Client.InstanceInitiatedShutdown": (
        "it was shut down from inside, as its time limit does: give a new run more time by ec2_environment_ttl_minutes"
    ),
    "Client.InstanceTerminated": f"somebody made an image of it: {_AGAIN}",
    "Client.UserInitiatedHibernate": f"somebody hibernated it: {_AGAIN}",
    "Client.UserInitiatedShutdown": (
        "somebody ended it, or its schedule did (CloudTrail, TerminateInstances, tells who): give a new run more time "
        "by ec2_environment_ttl_minutes, or run again"
    ),
}
_UNKNOWN_CLIENT = (
    "mend it first: EC2 blames what was asked for. Look the code up (API reference of EC2, StateReason); another try "
    "is paid for too"
)


def remedy(code: str, spot: bool) -> str:
    """Return what to do about an instance that ended for this reason, as the end of a sentence; `spot`: its market."""
    if code == "Client.InternalError" or code.startswith("Client.InvalidKMSKey"):
        return _KEY.format(who=_SPOT_ROLE, how=_GRANT) if spot else _KEY.format(who="the caller", how="")
    if code in _BY_CODE:
        return _BY_CODE[code]
    if "Spot" in code:
        return "run again, or ask for on-demand instances"
    return _UNKNOWN_CLIENT if code.startswith("Client.") else _AGAIN
