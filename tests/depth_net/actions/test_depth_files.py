from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from depth_net.actions.depth_files import Camera, camera_of, require_possible, write_depth_png, write_points, write_raw
from depth_net.config.actions import InferenceConfig
from depth_net.config.choices import Output, Overflow
from depth_net.data.readers import read_pfm
from depth_net.errors import DataError, SpecError
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from pathlib import Path

DEPTH = np.array([[1.0, 2.5, np.inf], [0.0004, 65.535, 9.9996]], dtype=np.float32)


@pytest.mark.parametrize(("scale", "per_metre"), [(None, 1000), ("centimetres", 100), ("kitti", 256), ("0.002", 500)])
def test_depth_is_stored_in_the_scale_that_is_asked_for(tmp_path: Path, scale: str | None, per_metre: int) -> None:
    clipped = write_depth_png(tmp_path / "new" / "d.png", DEPTH, InferenceConfig(depth_scale=scale))

    stored = cv2.imread(str(tmp_path / "new" / "d.png"), cv2.IMREAD_UNCHANGED)
    assert stored is not None
    assert clipped == 0
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(stored, np.rint(np.where(np.isfinite(DEPTH), DEPTH, 0).astype(float) * per_metre))


def test_what_16_bits_cannot_hold_is_refused_or_clipped_and_counted(tmp_path: Path) -> None:
    far = np.array([[80.0, 65.5351, 70.0, 3.0]], dtype=np.float32)

    with pytest.raises(DataError, match=r"2 of 4 pixels are beyond 65\.535.*millimetres; the largest is 80; use a"):
        write_depth_png(tmp_path / "d.png", far, InferenceConfig())
    assert not (tmp_path / "d.png").exists()
    assert write_depth_png(tmp_path / "d.png", far, InferenceConfig(on_overflow=Overflow.CLIP)) == 2
    stored = cv2.imread(str(tmp_path / "d.png"), cv2.IMREAD_UNCHANGED)
    assert stored is not None
    assert stored.tolist() == [[65535, 65535, 65535, 3000]]


def test_raw_files_hold_the_numbers_as_they_are(tmp_path: Path) -> None:
    write_raw(tmp_path / "d.pfm", DEPTH, Output.PFM)
    write_raw(tmp_path / "d.npy", DEPTH, Output.NPY)

    np.testing.assert_array_equal(read_pfm(tmp_path / "d.pfm"), DEPTH)
    np.testing.assert_array_equal(np.load(tmp_path / "d.npy"), DEPTH)


def test_points_lie_where_the_camera_saw_them(tmp_path: Path) -> None:
    image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    camera = Camera(fx=2.0, fy=4.0, cx=1.0, cy=0.5)

    count = write_points(tmp_path / "p.ply", DEPTH, image, camera)

    header, _, body = (tmp_path / "p.ply").read_bytes().partition(b"end_header\n")
    assert count == 5  # infinity is no point
    assert b"element vertex 5" in header
    kind = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])
    points = np.frombuffer(body, dtype=kind)
    np.testing.assert_allclose(points["xyz"][0], [(0 - 1) / 2 * 1.0, (0 - 0.5) / 4 * 1.0, 1.0])
    np.testing.assert_allclose(points["xyz"][4], [(2 - 1) / 2 * 9.9996, (1 - 0.5) / 4 * 9.9996, 9.9996], rtol=1e-6)
    assert points["rgb"][4].tolist() == [15, 16, 17]


def test_a_field_of_view_gives_the_focal_length() -> None:
    camera = camera_of((), 90.0, (480, 640))

    assert (camera.fx, camera.cx, camera.cy) == pytest.approx((320.0, 319.5, 239.5))
    assert camera_of((500.0, 510.0, 300.0, 200.0), None, (480, 640)).fy == 510.0
    assert camera_of((), 60.0, (10, 100)).fx == pytest.approx(50 / math.tan(math.radians(30)))


@pytest.mark.parametrize(
    ("outputs", "model_type", "text"),
    [
        ((Output.PLY,), ModelType.RELATIVE, "ply with a relative model, which has no metres"),
        ((Output.PLY,), ModelType.METRIC, r"ply without a camera; set inference\.intrinsics"),
        ((Output.DEPTH_PNG,), ModelType.RELATIVE, "set inference.depth_scale to the disparity of one stored step"),
    ],
)
def test_files_that_the_model_cannot_give_are_refused(
    outputs: tuple[Output, ...], model_type: ModelType, text: str
) -> None:
    with pytest.raises(SpecError, match=text):
        require_possible(InferenceConfig(outputs=outputs), model_type)


def test_a_unit_of_length_is_no_scale_of_a_relative_model() -> None:
    outputs = (Output.DEPTH_PNG,)

    with pytest.raises(SpecError, match="a relative model, whose disparity has no metres"):
        require_possible(InferenceConfig(outputs=outputs, depth_scale="Millimetres"), ModelType.RELATIVE)
    require_possible(InferenceConfig(outputs=outputs, depth_scale="1/256"), ModelType.RELATIVE)


def test_exr_is_refused_where_opencv_cannot_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = InferenceConfig(outputs=(Output.EXR,))
    monkeypatch.setattr(cv2, "haveImageWriter", lambda _: False)

    with pytest.raises(SpecError, match="writes no EXR; use pfm or npy"):
        require_possible(settings, ModelType.METRIC)
