from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch._inductor import config
from torch._inductor.runtime.cache_dir_utils import cache_dir, default_cache_dir, triton_cache_dir

from depth_net.training.compile_cache import VARIABLE, share_compiled_kernels

if TYPE_CHECKING:
    import pytest


def test_compiled_kernels_lie_in_a_folder_of_the_user_for_each_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in (VARIABLE, "DEPTH_NET_CACHE", "TRITON_CACHE_DIR", "TORCHINDUCTOR_COMPILE_THREADS"):
        monkeypatch.delenv(name, raising=False)

    share_compiled_kernels()

    folder = tmp_path / "depth_net" / "compiled" / f"torch-{torch.__version__}"
    assert folder.is_dir()
    assert cache_dir() == str(folder)
    assert triton_cache_dir(0) == str(folder / "triton" / "0")


def test_the_folder_that_importing_the_compiler_names_is_nobodys_choice(tmp_path: Path) -> None:
    environment = {VARIABLE: default_cache_dir(), "DEPTH_NET_CACHE": str(tmp_path)}

    share_compiled_kernels(environment)

    assert Path(environment[VARIABLE]).is_relative_to(tmp_path)


def test_compiling_takes_eight_processes_at_most_unless_the_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    environment = {"DEPTH_NET_CACHE": str(tmp_path)}
    with config.patch(compile_threads=32):
        share_compiled_kernels(environment | {"TORCHINDUCTOR_COMPILE_THREADS": "32"})
        assert config.compile_threads == 32

        share_compiled_kernels(environment)
        assert config.compile_threads == 8


def test_a_folder_that_the_environment_names_stays() -> None:
    environment = {VARIABLE: "/mine", "TORCHINDUCTOR_COMPILE_THREADS": "3", "HOME": "/nowhere"}

    share_compiled_kernels(environment)

    assert environment == {VARIABLE: "/mine", "TORCHINDUCTOR_COMPILE_THREADS": "3", "HOME": "/nowhere"}


def test_without_a_place_to_write_the_compiler_keeps_its_own(tmp_path: Path) -> None:
    (tmp_path / ".cache").write_text("a file")
    environment = {"HOME": str(tmp_path)}

    share_compiled_kernels(environment)

    assert VARIABLE not in environment
