"""Maps for the most probable classes of every image, beside the one that the report explains."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Unpack

import numpy as np
from jaxtyping import Int

from jaxvis.errors import InputError
from jaxvis.methods.catalogue import METHODS
from jaxvis.methods.maps import Maps
from jaxvis.methods.options import Options as Asked
from jaxvis.models.network import Network
from jaxvis.streaming.batches import explain_batches


class OtherClasses(NamedTuple):
    """Attributes:
    classes: (n, k) indices: of every image the most probable ones, but for the one explained.
    maps: as methods show them, with an axis for the classes behind the images': (n, k, *space).
    """

    classes: Int[np.ndarray, "n k"]
    maps: Maps


def check_methods(methods: Sequence[str], count: int) -> None:
    """Raise InputError if further classes are wanted of methods that take many passes each."""
    others = [name for name in methods if METHODS[name].kind != "one pass"]
    if count > 1 and others:
        raise InputError(
            f"--classes {count} with {', '.join(others)}, which would take all passes again for "
            "every class; wanted methods of one pass, such as the lab's: leave out one of the two"
        )


def other_classes(
    network: Network,
    images: np.ndarray,
    explained: Int[np.ndarray, " n"],
    probable: Sequence[Sequence[int]],
    count: int,
    *,
    batch_size: int,
    progress: Callable[[str], None],
    **asked: Unpack[Asked],
) -> OtherClasses:
    """Explain the `count` - 1 most probable classes of every image besides the one explained.

    One forward pass serves all classes of an image, and one backward pass a class and rule.

    Args:
        network, images: uint8 RGB of the network's size.
        explained: the class of every image that has its maps already.
        probable: classes of every image, most probable first.
        count: of classes in all; fewer if the network has no more.
        batch_size: images at a time.
        asked: options of `explain`.
    """
    wanted = [
        [index for index in row if index != own][: count - 1]
        for own, row in zip(explained, probable, strict=True)
    ]
    classes = np.array(wanted, np.int32)

    def batch_done(done: int, total: int) -> None:
        if done < total:
            progress(f"maps of further classes, {done + 1} of {total}")

    maps = explain_batches(
        network.model, network.preprocess(images), classes, batch_size=batch_size,
        progress=batch_done, **asked,
    )  # fmt: skip
    return OtherClasses(classes, maps)
