"""The frames of a video, as batches for prediction. OpenCV decodes; frames come upright, in order, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from depth_net.data.dataset import Sample
from depth_net.data.loaders import Batch, collate
from depth_net.data.transforms import normalize_image, resize_image
from depth_net.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from depth_net.data.readers import ImageArray


class Video:
    """One video file.

    Args:
        path: The file.

    Raises:
        DataError: it holds no frame that OpenCV can decode.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        capture = cv2.VideoCapture(str(path) if path.is_file() else "")
        has_frame, _ = capture.read()
        if not has_frame:
            found = f"no frame of a video that OpenCV {cv2.__version__} can decode"
            fix = "convert it to MP4" if path.is_file() else "check the path"
            raise DataError(f"{path}: found {found if path.is_file() else 'no such file'}; {fix}")
        rate = capture.get(cv2.CAP_PROP_FPS)
        self.frames_per_s = rate if 0 < rate < 1000 else 25.0  # noqa: PLR2004 - files without a rate claim absurd ones
        self.announced = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        capture.release()

    def __len__(self) -> int:
        """Return how many frames the file claims to have."""
        return self.announced

    def frames(self) -> Iterator[ImageArray]:
        """Yield the frames as RGB."""
        capture = cv2.VideoCapture(str(self.path))
        try:
            while True:
                has_frame, frame = capture.read()
                if not has_frame:
                    return
                yield np.ascontiguousarray(np.asarray(frame, dtype=np.uint8)[..., ::-1])
        finally:
            capture.release()

    def batches(
        self,
        batch_size: int,
        shape_of: Callable[[int, int], tuple[int, int]],
        mean: Sequence[float],
        std: Sequence[float],
    ) -> Iterator[tuple[Batch, list[ImageArray]]]:
        """Yield batches of frames, and the frames themselves.

        Args:
            batch_size: Frames of a batch.
            shape_of: Height and width of a frame -> those that the model sees.
            mean: As for `normalize_image`.
            std: As for `normalize_image`.
        """
        samples: list[Sample] = []
        frames: list[ImageArray] = []
        for number, frame in enumerate(self.frames()):
            if frames and (len(frames) == batch_size or frame.shape != frames[0].shape):
                yield collate(samples, stack_targets=False), frames
                samples, frames = [], []
            samples.append(self._sample(frame, number, shape_of, mean, std))
            frames.append(frame)
        if frames:
            yield collate(samples, stack_targets=False), frames

    def _sample(
        self,
        frame: ImageArray,
        number: int,
        shape_of: Callable[[int, int], tuple[int, int]],
        mean: Sequence[float],
        std: Sequence[float],
    ) -> Sample:
        height, width = frame.shape[:2]
        return Sample(
            image=torch.from_numpy(normalize_image(resize_image(frame, shape_of(height, width)), mean, std)),
            target=torch.zeros(1, height, width),
            valid=torch.ones(1, height, width, dtype=torch.bool),
            image_size=[height, width],
            image_path=str(self.path.with_suffix("") / f"frame_{number:06d}.png"),
            has_target=False,
            row=number,
        )
