"""Pictures through one path of the networks: their own sizes, the finish, the strength."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from functools import cached_property
from threading import Lock

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ostcli.config import Direction, Finish, Precision, ViewConfig
from ostcli.errors import UsageError
from ostcli.events import Note, OnEvent, ignore_events
from ostcli.images.finish import blend, photo_finish
from ostcli.images.folder import reduce_to_working_size
from ostcli.images.tensors import levels_of, levels_to_tensor, tensor_to_image
from ostcli.method.networks import NetworkPath, Networks
from ostcli.method.tiles import Area, Source, translate_in_tiles
from ostcli.training.device import (
    autocast,
    handed_to,
    is_out_of_memory,
    memory_for_whole,
    pictures_at_once,
)

SMALLEST = 32
"""Least height and width that the networks are given, in pixels."""

# Decision 0034.
BYTES_PER_VALUE = 25
"""What a picture takes on its way whole, in bytes for each pixel and each channel of the first
layer; measured."""
MEMORY_FOR_KEPT = 800_000_000
"""Bytes for what is kept of a picture that goes in tiles; `fast` keeps 24 megapixels in them."""
TILE_SIDE, LEAST_TILE_SIDE = 256, 64
"""Height and width of a tile, in pixels, and what they are halved to where memory is short."""


def path_to(networks: Networks, to: Direction) -> NetworkPath:
    """Return T_AB or T_BA, by the domain that is wanted."""
    return {Direction.A: networks.translate_ba, Direction.B: networks.translate_ab}[to]


def view_of(view: ViewConfig, megapixels: float | None) -> ViewConfig:
    """Return a view by which the network sees so many megapixels of a larger picture.

    Args:
        view: the model's own.
        megapixels: None for what the view says; else it also takes the place of `short_side`.

    Raises:
        UsageError: it is not a number, or less than a training view has.
    """
    if megapixels is None:
        return view
    least = view.size**2 / 1e6
    if not least <= megapixels < math.inf:
        raise UsageError(
            f"megapixels must be a number of at least {least:g}, which is a training view",
            hint="leave --megapixels out, or give as many as a picture has to have all of it seen",
        )
    return replace(view, working_pixels=round(megapixels * 1e6), short_side=None)


class Translator:
    """Apply one path of the networks to whole pictures of any size.

    Args:
        networks: the weights for use, on the device to compute on.
        path: T_AB, T_BA, T_BB or T_AA.
        view: says how many pixels the networks see.
        finish: PHOTO or NETWORK.
        strength: 0 gives the source, 1 the translation.
        precision: FP32 or a half, not AUTO.
        on_event: told where memory is too short for a picture as a whole.
    """

    def __init__(
        self,
        networks: Networks,
        path: NetworkPath,
        view: ViewConfig,
        *,
        finish: Finish = Finish.NETWORK,
        strength: float = 1.0,
        precision: Precision = Precision.FP32,
        on_event: OnEvent = ignore_events,
    ) -> None:
        self._networks = networks
        self._path = path
        self._view = view
        self._finish = finish
        self._strength = strength
        self._precision = precision
        self._device = next(networks.parameters()).device
        self._on_event = on_event
        self._lock = Lock()
        self._memory_for_whole = memory_for_whole(self._device)

    def translate(self, image: Image.Image) -> Image.Image:
        """Return the picture through the path, finished and blended. RGB, the size of the input."""
        seen = reduce_to_working_size(image, self._view)
        return self.finished(image, seen, self.network_pixels(seen))

    def finished(self, image: Image.Image, seen: Image.Image, pixels: Image.Image) -> Image.Image:
        """Return what becomes of a picture, finished and blended; no network is asked.

        Args:
            image: the picture. RGB.
            seen: the same as the network saw it.
            pixels: what the network made of that.
        """
        if self._finish is Finish.PHOTO:
            result = photo_finish(image, seen, pixels)
        elif pixels.size == image.size:
            result = pixels
        else:
            result = pixels.resize(image.size, Image.Resampling.BICUBIC)
        return blend(image, result, self._strength)

    def network_pixels(self, image: Image.Image) -> Image.Image:
        """Return what the network makes of a picture, at the picture's size. RGB."""
        [pixels] = self.network_pixels_of([image])
        return pixels

    def network_pixels_of(self, images: Sequence[Image.Image]) -> list[Image.Image]:
        """Return what the network makes of pictures of one size, all at once. RGB.

        A large one goes in tiles, and so do those that memory turns out not to hold; the result is
        the same within a step of an 8-bit picture.
        """
        padded = [_pad(image, self._networks.multiple) for image in images]
        size, num_pixels = images[0].size, padded[0].width * padded[0].height
        whole = BYTES_PER_VALUE * self._networks.architecture.width * num_pixels * len(images)
        if whole <= self._memory_for_whole:
            try:
                return self._whole_ones(padded, size)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Past the error, which holds on to what was computed.
            self._memory_for_whole = whole - 1
            self._on_event(
                Note(
                    text="there is not enough memory for the whole picture at once, so it goes "
                    "through the network in tiles; the result is the same"
                )
            )
        return [self._in_tiles(one, size) for one in padded]

    def num_at_once(self, size: tuple[int, int]) -> int:
        """Return how many pictures of a size to give the network at once, for it to be fastest."""
        return pictures_at_once(self._device, size[0] * size[1])

    def _whole_ones(
        self, padded: Sequence[Image.Image], size: tuple[int, int]
    ) -> list[Image.Image]:
        """Return pictures of one size: a GPU takes them together, a CPU one to each thread."""
        if self._device.type != "cpu" or len(padded) == 1:
            return self._whole(padded, size)
        made = self._threads.map(lambda one: self._whole([one], size), padded)
        return [pixels for [pixels] in made]

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        """Threads that compute one picture each, kept as their memory is."""
        number = torch.get_num_threads()
        threads = ThreadPoolExecutor(
            number, "ost-network", initializer=torch.set_num_threads, initargs=(1,)
        )
        wait([threads.submit(torch.get_num_threads) for _ in range(number)])
        torch.set_num_threads(number)  # Theirs counts for threads to come as well.
        return threads

    @torch.inference_mode()
    def _whole(self, padded: Sequence[Image.Image], size: tuple[int, int]) -> list[Image.Image]:
        width, height = size
        pictures, precision = self._as_seen(padded), self._precision
        with autocast(self._device, precision):
            translated = self._path(pictures)
        if precision is Precision.FP16 and not torch.isfinite(translated).all():
            self._give_up_fp16()
            return self._whole(padded, size)
        return [tensor_to_image(one) for one in translated[:, :, :height, :width]]

    def _give_up_fp16(self) -> None:
        with self._lock:  # Several threads may come to it at once; one tells.
            if self._precision is Precision.FP16:
                self._precision = Precision.FP32
                self._on_event(Note(text="fp16 is too small for these numbers: going on in fp32"))

    def _as_seen(self, images: Sequence[Image.Image]) -> Tensor:
        """Return pictures of one size as the networks take them, on their device."""
        return levels_to_tensor(handed_to(self._device, levels_of(images)))

    def _in_tiles(self, padded: Image.Image, size: tuple[int, int]) -> Image.Image:
        side, kept = TILE_SIDE, MEMORY_FOR_KEPT
        while True:
            try:
                return self._in_tiles_of(side, kept, padded, size)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or side == LEAST_TILE_SIDE:
                    raise
            side, kept = side // 2, 0

    @torch.inference_mode()
    def _in_tiles_of(
        self, side: int, kept: int, padded: Image.Image, size: tuple[int, int]
    ) -> Image.Image:
        def read(area: Area) -> Tensor:
            rows, columns = area
            tile = padded.crop((columns.start, rows.start, columns.stop, rows.stop))
            return self._as_seen([tile])

        source = Source((padded.height, padded.width), read)
        made = Image.new("RGB", size)
        # What is too large for fp16 would be seen too late here.
        in_fp16 = self._precision is Precision.FP16
        with autocast(self._device, Precision.FP32 if in_fp16 else self._precision):
            for (rows, columns), tile in translate_in_tiles(
                self._path, source, side=side, memory=kept
            ):
                made.paste(tensor_to_image(tile), (columns.start, rows.start))
        return made


def _pad(image: Image.Image, multiple: int) -> Image.Image:
    """Continue a picture at the right and below to a size that the networks divide evenly.

    By reflection where there is enough to reflect, else by repeating the border.
    """
    height, width = image.height, image.width
    wanted = [max(SMALLEST, -(-side // multiple) * multiple) for side in (height, width)]
    below, right = wanted[0] - height, wanted[1] - width
    if not (below or right):
        return image
    beyond = ((0, below), (0, right), (0, 0))
    if below < height and right < width:
        return Image.fromarray(np.pad(np.asarray(image), beyond, mode="reflect"))
    return Image.fromarray(np.pad(np.asarray(image), beyond, mode="edge"))
