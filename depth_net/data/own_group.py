"""Imported by the fork server of loading processes only: moves that server to a process group of its own.

A signal to the group of the training process must not end the server, and with it the loading processes.
"""

import os

os.setpgid(0, 0)
