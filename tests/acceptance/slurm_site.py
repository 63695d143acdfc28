"""A real Slurm of one node: munged, slurmctld and slurmd as processes of the test, on loopback, in a folder."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel")
_CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket,cred_expire=5
SlurmctldPort={control_port}
SlurmdPort={node_port}
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=20
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Return why no Slurm can be started here; None if one can."""
    absent = [program for program in PROGRAMS if _find(program) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    return None if os.getuid() == 0 else "slurmd of this set-up needs root"


@dataclass(frozen=True, slots=True)
class Site:
    """A running Slurm."""

    root: Path

    def call(self, *command: str, is_checked: bool = True) -> str:
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0 or not is_checked, done.stderr
        return done.stdout

    def environment(self) -> dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.root / "slurm.conf")}

    def job(self, number: str) -> dict[str, str]:
        return dict(re.findall(r"(\w+)=(\S+)", self.call("scontrol", "show", "job", number)))


@contextlib.contextmanager
def slurm_site() -> Iterator[Site]:
    """Start a Slurm, and end it with everything that it has started."""
    root = Path(tempfile.mkdtemp(prefix="slurm-"))
    started: list[subprocess.Popen[bytes]] = []
    try:
        root.chmod(0o755)
        for name in ("state", "spool", "munge"):
            (root / name).mkdir(mode=0o700)
        key = root / "munge/key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        cpus = len(os.sched_getaffinity(0))
        text = _CONFIGURATION.format(
            host=socket.gethostname(), root=root, control_port=_port(), node_port=_port(), cpus=cpus
        )
        (root / "slurm.conf").write_text(text, encoding="utf-8")
        site = Site(root)
        files = [f"--{name}={root}/munge/{name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
        commands = (
            [_found("munged"), "--foreground", "--force", f"--key-file={key}", *files],
            [_found("slurmctld"), "-D", "-f", f"{root}/slurm.conf"],
            [_found("slurmd"), "-D", "-f", f"{root}/slurm.conf"],
        )
        for command in commands:
            log = (root / f"{Path(command[0]).name}.out").open("wb")
            started.append(
                subprocess.Popen(command, env=site.environment(), stdout=log, stderr=log, start_new_session=True)
            )
            log.close()
            time.sleep(1.0)
        _await_node(site)
        yield site
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            process.kill()
        shutil.rmtree(root, ignore_errors=True)


def _await_node(site: Site) -> None:
    ends_s = time.monotonic() + 60
    while "idle" not in (state := site.call("sinfo", "-h", "-o", "%t", is_checked=False)):
        assert time.monotonic() < ends_s, f"the node stays {state!r}; see {site.root}"
        time.sleep(0.5)


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _found(program: str) -> str:
    found = _find(program)
    assert found is not None
    return found


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
