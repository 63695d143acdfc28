"""How long the trainer's whole chain takes on the demo data, each action a command of its own.

``python -m benchmarks.depth_net.chain``: train (vit_tiny, crop 70, 4 epochs of 25 steps), evaluate, inference, export,
quantize and evaluate again, one thread each. Wall and CPU seconds per action; most of them are imports, which
``--one-process`` pays once.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from depth_net.cli import main as depth_net

BATCH = 4
HEIGHT, WIDTH = 70, 98  # of the exported model


def main() -> int:
    """Run the chain and print the table; status 1 if an action fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one-process", action="store_true", help="all actions in a process that imports once")
    is_joined = parser.parse_args().one_process
    os.environ["OMP_NUM_THREADS"] = "1"
    program = Path(sys.executable).with_name("depth_net")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([program, "demo-data", folder / "data"], check=True, capture_output=True)
        spec = folder / "spec.yaml"
        spec.write_text(yaml.safe_dump(make_spec(folder)), encoding="utf-8")
        best, small = f"{folder}/out/train/dn_model_best.pth", f"{folder}/out/quantize/quantized_model_torchao.pth"
        began = time.monotonic()
        for action, *words in (
            ["train"],
            ["evaluate", f"evaluate.checkpoint={best}"],
            ["inference", f"inference.checkpoint={best}"],
            ["export", f"export.checkpoint={best}"],
            ["quantize", f"quantize.model_path={best}"],
            ["evaluate", f"evaluate.checkpoint={small}", f"evaluate.results_dir={folder}/out/int8"],
        ):
            started, cpu_s = time.monotonic(), _cpu_s()
            command = [action, "-e", str(spec), *words]
            status = depth_net(command) if is_joined else subprocess.run([program, *command], check=False).returncode
            if status:
                print(f"{action} ended with {status}")
                return 1
            print(f"{action:<10} {time.monotonic() - started:6.1f} s wall {_cpu_s() - cpu_s:6.1f} s CPU", flush=True)
        print(f"{'together':<10} {time.monotonic() - began:6.1f} s wall")
    return 0


def make_spec(folder: Path) -> dict[str, object]:
    """Return a spec that every action of the chain reads."""
    split = {"batch_size": BATCH, "workers": 0, "augmentation": {"crop_size": [70, 70]}}
    files = {"train": "train", "val": "val", "test": "test", "infer": "val"}
    return {
        "results_dir": str(folder / "out"),
        "dataset": {
            "min_depth": 0.1,
            "max_depth": 8.0,
            **{
                f"{kind}_dataset": {
                    **split,
                    "data_sources": [{"dataset_name": "NYUDV2", "data_file": f"{folder}/data/rooms/{file}.txt"}],
                }
                for kind, file in files.items()
            },
        },
        "model": {"model_type": "MetricDepthAnything", "encoder": "vit_tiny"},
        "train": {
            "num_epochs": 4,
            "seed": 1,
            "optim": {"lr": 5e-4, "lr_scheduler": "LambdaLR", "warmup_fraction": 0.1},
        },
        "export": {"input_height": HEIGHT, "input_width": WIDTH},
    }


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    sys.exit(main())
