"""The words of ``spec_params``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.spec.special import WordKind, created_name, word_kind

if TYPE_CHECKING:
    from automl.skill.model import JsonValue


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("output_dir", WordKind.OUTPUT_DIR),
        ("key", WordKind.KEY),
        ("parent_model", WordKind.PARENT),
        ("parent_model_folder", WordKind.PARENT_FOLDER),
        ("parent_model_or_ptm", WordKind.PARENT_OR_PRETRAINED),
        ("ptm", WordKind.PRETRAINED),
        ("ptm_if_no_resume_model", WordKind.PRETRAINED_UNLESS_RESUMED),
        ("resume_model", WordKind.RESUME),
        ("create_onnx_file", WordKind.CREATE),
        ("create_something_new", WordKind.CREATE),
        ({"link": "https://x", "destination_path": "/y"}, WordKind.DOWNLOAD),
        ({"link": "https://x"}, WordKind.LITERAL),
        ("MonoDataset", WordKind.LITERAL),
        ("create", WordKind.LITERAL),
        ("literal", WordKind.LITERAL),
        ("download", WordKind.LITERAL),
        (3, WordKind.LITERAL),
        (None, WordKind.LITERAL),
    ],
)
def test_the_vocabulary_is_open(value: JsonValue, kind: WordKind) -> None:
    assert word_kind(value) is kind


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("create_onnx_file", "net.onnx"),
        ("create_onnx_file_2d", "net_2d.onnx"),
        ("create_engine_file", "net.engine"),
        ("create_cal_cache", "net.bin"),
        ("create_pth_file", "net.pth"),
        ("create_evaluate_matches_plot_reid", "evaluate_matches_plot_reid.png"),
        ("create_inference_result_file_pose", "inference_result_pose.json"),
        ("create_novelty", "net.out"),
    ],
)
def test_every_created_file_has_a_name_of_its_own(word: str, name: str) -> None:
    assert created_name(word, "net") == name
