"""Imported by the fork server of loading processes, and by nothing else: gives that server a process group of its own.

A signal to the group of the training process must not end the server, whose loading processes would end with it.
"""

import os

os.setpgid(0, 0)
