from __future__ import annotations

from depth_net.config.actions import ConvertConfig, ExportConfig


def test_the_default_export_size_fits_the_patches_of_the_encoder() -> None:
    export = ExportConfig()

    assert (export.input_height % 14, export.input_width % 14) == (0, 0)


def test_an_existing_file_is_kept_unless_asked_otherwise() -> None:
    assert not ExportConfig().overwrite
    assert not ConvertConfig().overwrite
