"""What the first word of an AWS call's name does."""

from __future__ import annotations

import re
from typing import Final

_VERBS: Final = {
    "creation": "Create Run Allocate Copy Import Register Generate Issue Publish Upload Purchase Request "
    "Provision Clone Initiate Insert Subscribe Invite Build Bundle Replicate",
    "deletion": "Delete Terminate Release Deregister Purge Destroy Unsubscribe Deprovision Empty Abort Leave "
    "Close Forget",
    "change": "Update Modify Set Put Add Remove Attach Detach Change Enable Disable Associate Disassociate "
    "Authorize Revoke Replace Reset Rotate Tag Untag Apply Assign Unassign Activate Deactivate Move Promote "
    "Resize Schedule Accept Reject Grant Share Unshare Transfer Upgrade Archive Unarchive Merge Configure "
    "Rename Retire Confirm Complete Monitor Unmonitor Increase Decrease Switch Lock Unlock Failover Link "
    "Unlink Deploy Edit Finalize Refresh Rebuild Write Extend Suspend Advertise Withdraw Transact Upsert "
    "Resync Rollback Backtrack Switchover Deauthorize Rebalance Redrive Label Unlabel Decline Reorder "
    "Cancel Connect Disconnect Opt Continue Resend Enter Exit Record Flush Restore Rotation Execute",
    "start": "Start Reboot Send Submit Resume Launch Trigger Restart Invoke",
    "end": "Stop Kill Hibernate Pause",
    "access": "Get List Describe Head Lookup Search Scan Query Select Read View Download Decrypt Encrypt "
    "Verify Discover Filter Retrieve Export Re Poll Receive Check Count Preview Simulate Test Validate "
    "Estimate Fetch Decode Derive Is Report Detect Sign",
}
_EFFECT_OF: Final = {verb: effect for effect, verbs in reversed(_VERBS.items()) for verb in verbs.split()}
_FIRST_WORD: Final = re.compile(r"(?:Batch|Bulk|Admin)?([A-Z][a-z]+)")


def effect_of(action: str) -> str:
    """Return creation, deletion, change, start, end, access, or info where the first word says nothing."""
    word = _FIRST_WORD.match(action)
    return _EFFECT_OF.get(word[1], "info") if word else "info"
