from __future__ import annotations

import contextlib
import io
import logging
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import torch
import yaml

from depth_net.cli import StandardOutput, main, preload
from tests.depth_net.specs import write_spec

if TYPE_CHECKING:
    from pathlib import Path


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom depth_net.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as stop:\n    assert stop.code == 0\n"
        "heavy = {'torch', 'numpy', 'cv2', 'lightning', 'yaml_unused'} & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout


def test_the_last_line_of_a_failed_run_says_so(tmp_path: Path) -> None:
    words = ["train", "-e", str(write_spec(tmp_path)), "train.lr=1"]

    done = subprocess.run(
        [sys.executable, "-m", "depth_net", *words], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].endswith("Execution status: FAIL")
    assert "did you mean train.optim.lr?" in done.stdout


def test_log_lines_go_to_what_standard_output_is_at_the_time() -> None:
    handler = StandardOutput()

    with contextlib.redirect_stdout(io.StringIO()) as now:
        handler.emit(logging.LogRecord("depth_net", logging.INFO, "x.py", 1, "epoch 1", (), None))

    assert now.getvalue() == "epoch 1\n"


@pytest.mark.parametrize("words", [["train"], ["train", "-e", "none.yaml"]])
def test_a_missing_spec_ends_with_status_1(words: list[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert main(words) == 1

    assert caplog.messages[-1] == "Execution status: FAIL"


def test_check_reports_what_it_saw_and_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = write_spec(tmp_path)

    good = main(["check", "-e", str(spec)])
    shown = capsys.readouterr().out
    bad = main(["check", "-e", str(spec), "dataset.train_dataset.batch_size=99"])

    assert (good, bad) == (0, 1)
    assert "6 samples" in shown
    assert "batch_size" in capsys.readouterr().out


def test_check_names_keys_without_effect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-e", str(write_spec(tmp_path)), "model.corr_radius=9"]) == 0

    printed = capsys.readouterr().out
    assert "notice: model.corr_radius: set without effect; read by stereo models only" in printed
    assert "1 findings, 0 of them errors" in printed


def test_check_reports_a_wrong_spec(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main(["check", "-e", str(write_spec(tmp_path)), "train.lr=1"]) == 1
    assert "did you mean train.optim.lr?" in caplog.text


def test_an_engine_is_built_elsewhere_and_the_command_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = write_spec(tmp_path)

    assert main(["gen_trt_engine", "-e", str(spec), "gen_trt_engine.onnx_file=/models/depth.onnx"]) == 1

    assert f"depth_net gen_trt_engine -e {spec} gen_trt_engine.onnx_file=/models" in capsys.readouterr().out


def test_overrides_may_stand_on_both_sides_of_the_spec(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main(["check", "train.one=1", "-e", str(write_spec(tmp_path)), "train.two=2"]) == 1

    assert "train.one" in caplog.text
    assert "train.two" in caplog.text


def test_an_unknown_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["check", "-e", str(write_spec(tmp_path)), "--fast"])


def test_a_file_name_that_is_no_text_can_be_reported(tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_bytes(b"caf\xe9.png depth.png\n")
    words = ["check", "-e", str(write_spec(tmp_path)), f"dataset.train_dataset.data_sources[0].data_file={listed}"]

    done = subprocess.run([sys.executable, "-m", "depth_net", *words], capture_output=True, check=False)

    assert done.returncode == 1
    assert b"image not found: caf\\udce9.png" in done.stdout


def test_check_reports_weights_that_are_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-e", str(write_spec(tmp_path)), "train.pretrained_model_path=none.pth"]) == 1

    assert "error: train.pretrained_model_path" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["{}", "results_dir={}"])
def test_default_specs_are_written_once(tmp_path: Path, form: str) -> None:
    words = ["default_specs", form.format(tmp_path / "specs")]

    assert main(words) == 0
    assert main(words) == 1

    tree = yaml.safe_load((tmp_path / "specs" / "train.yaml").read_text(encoding="utf-8"))
    assert tree["train"]["optim"]["lr_scheduler"] == "MultiStepLR"


def test_preloading_leaves_no_thread_and_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    threads, running = torch.get_num_threads(), threading.active_count()

    preload()

    assert (torch.get_num_threads(), threading.active_count()) == (threads, running)
    assert not list(tmp_path.iterdir())
