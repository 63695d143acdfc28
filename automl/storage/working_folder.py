"""The working folder of a process of ours may be deleted while a study runs; what needs one would fail for that."""

from __future__ import annotations

import logging
import os

logger = logging.getLogger(__name__)


def leave_deleted_folder() -> None:
    """Go on in the root folder if the working folder of this process is gone; else, nothing."""
    try:
        os.getcwd()  # noqa: PTH109 # the cheapest look
    except FileNotFoundError:
        os.chdir("/")
        logger.warning("the working folder was deleted; the study goes on without it")
