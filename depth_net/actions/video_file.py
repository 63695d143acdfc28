"""A video that is written frame by frame, as MP4 by OpenCV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from depth_net.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from depth_net.colours import ImageArray


class VideoFile:
    """Takes frames of one size; they are cut or filled up to the size of the first, with even sides.

    Args:
        path: The file; its folder is created.
        frames_per_s: Rate.
    """

    def __init__(self, path: Path, frames_per_s: float) -> None:
        self.path = path
        self._frames_per_s = frames_per_s
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def add(self, frame: ImageArray) -> None:
        """Append a frame, RGB.

        Raises:
            DataError: this OpenCV writes no MP4.
        """
        if self._writer is None:
            self._size = (frame.shape[0] + frame.shape[0] % 2, frame.shape[1] + frame.shape[1] % 2)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self.path), codec, self._frames_per_s, self._size[::-1])
            if not self._writer.isOpened():
                raise DataError(
                    f"{self.path}: this OpenCV ({cv2.__version__}) cannot write the video; set inference.outputs to "
                    "files of single frames, such as depth_png"
                )
        height, width = self._size
        fitted = frame[:height, :width]
        missing = (height - fitted.shape[0], width - fitted.shape[1])
        fitted = np.pad(fitted, ((0, missing[0]), (0, missing[1]), (0, 0)))
        self._writer.write(np.ascontiguousarray(fitted[..., ::-1]))

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()
