"""What can be asked of stored maps, without the network that they are of."""

import os
from collections.abc import Callable, Mapping, Sequence

from jaxvis.errors import InputError
from jaxvis.evaluate.boxes import Box, box_masks
from jaxvis.evaluate.conclusion import conclusion
from jaxvis.evaluate.evaluation import Evaluation
from jaxvis.evaluate.maps import BATCH, baseline_maps, by_name, enlarged
from jaxvis.evaluate.questions.question import joined
from jaxvis.evaluate.questions.where import where_is_it
from jaxvis.evaluate.subjects import Subjects, seeds_of
from jaxvis.evaluate.verdict import verdict
from jaxvis.streaming.stored import StoredMaps
from jaxvis.text import visible

LEFT_OUT = (
    "Whether what the maps mark matters to the network, and whether they depend on it, takes the "
    "network, and was not asked of stored maps; `jaxvis evaluate --images` asks it."
)


def evaluate_stored(
    stored: StoredMaps,
    boxes: Mapping[str, Sequence[Box]],
    *,
    folder: str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Ask where the object is of all maps in a store that are done.

    Of several classes of each image, the maps of the most probable one are asked.

    Args:
        stored: what `open_maps` returned.
        boxes: what `read_boxes` returned.
        folder: where the image files are, if they were moved.
        progress: called with a line on what is being done.

    Raises:
        ImageError: a file is gone.
        InputError: no maps are there, the images are no files, or one has no box.
    """
    numbers = stored.done
    if not len(numbers):
        raise InputError(f"{visible(stored.path)}: no maps are done; wanted some")
    names = stored.names
    parts = []
    for start in range(0, len(numbers), BATCH):
        progress(f"where is it: image {start + 1} of {len(numbers)}")
        rows = numbers[start : start + BATCH]
        masks = box_masks(boxes, stored.files(rows, folder=folder), stored.size)
        images = stored.images(rows, folder=folder)
        subjects = Subjects(
            [names[row] for row in rows], images, stored.classes(rows, rank=0), masks,
            seeds_of(images),
        )  # fmt: skip
        maps = enlarged(by_name(stored.maps(rows, rank=0).shown()), subjects)
        parts.append(where_is_it(maps | baseline_maps(subjects), masks))
    questions = [joined(parts)]
    found = verdict(questions)
    said = [*conclusion(questions, found), LEFT_OUT]
    return Evaluation(questions, None, found, said, {}, (LEFT_OUT,))
