"""What has to be so before any test module is imported."""

from __future__ import annotations

import os

# Ray reads this once, when it is first imported, and some libraries import it just to see whether it is there. A
# study insists on tokens; the token itself is found later, where the study puts it.
os.environ.setdefault("RAY_AUTH_MODE", "token")
# Likewise: a local Ray listens on loopback only.
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
