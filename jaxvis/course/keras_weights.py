"""Notebook 09: a reader of Keras 3's layout, and fc1 for channels first."""

import h5py
import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, numbers, same


def _made_up(convolutions, dense):
    """A file in the layout of Keras 3, in memory, of a network that nobody has seen."""
    random = np.random.default_rng(convolutions)
    file = h5py.File(f"made_up_{convolutions}.weights.h5", "w", driver="core", backing_store=False)
    names, arrays = ["input_1"], {}
    for stem, layers in (
        ("conv2d", [f"block{i}_conv{i}" for i in range(convolutions)]),
        ("dense", [f"fc{i}" for i in range(dense)]),
    ):
        for number, layer in enumerate(layers):
            arrays[layer] = random.normal(size=(2, 3)), random.normal(size=3)
            group = f"layers/{stem}_{number}" if number else f"layers/{stem}"
            for role, array in enumerate(arrays[layer]):
                file[f"{group}/vars/{role}"] = array
            names.append(layer)
            if stem == "conv2d" and number % 3 == 0:
                names.append(f"block{number}_pool")
    names.insert(len(names) - dense, "flatten")
    return file, names, arrays


@exercise('group = f"{stem}_{count[stem]}" if count[stem] else stem.')
def read_keras3(read_keras3):
    for size in ((13, 3), (4, 1), (12, 11)):
        file, names, arrays = _made_up(*size)
        with file:
            found = attempt(
                read_keras3,
                file,
                list(names),
                hints={
                    "conv2d_0": (
                        "The first of a type has no number: conv2d. The second is conv2d_1.",
                    ),
                    "dense_0": (
                        "The first of a type has no number: dense. The second is dense_1.",
                    ),
                    "KeyError": (
                        "The groups are called conv2d, conv2d_1, conv2d_2, ..., dense, dense_1, ...: each type counts by itself.",
                    ),
                },
            )
            if not hasattr(found, "keys"):
                raise NotYet(
                    f"read_keras3 gives back a {type(found).__name__}; a dictionary is expected.",
                    "Leave the last line as it was.",
                )
            missing = [layer for layer in arrays if layer not in found]
            if missing:
                raise NotYet(
                    f"the layer {missing[0]} is missing.", "Only the marked line needs to change."
                )
            wrong = []
            for layer, both in arrays.items():
                kernel, bias = (numbers(one, f"an array of {layer}", None) for one in found[layer])
                if same(kernel, both[1]) and same(bias, both[0]):
                    raise NotYet(
                        "kernel and bias are exchanged.", "vars/0 is the kernel, vars/1 the bias."
                    )
                if not same(kernel, both[0]) or not same(bias, both[1]):
                    wrong.append(layer)
        if not wrong:
            continue
        right = [layer for layer in arrays if layer not in wrong]
        if right == [
            next(layer for layer in arrays if "conv" in layer),
            next(layer for layer in arrays if "conv" not in layer),
        ]:
            raise NotYet(
                "only the first of each type is right.",
                "count[stem] is 0, 1, 2, ... for the layers of one type.",
            )
        raise NotYet(
            f"{wrong[0]} has another layer's arrays.",
            "conv2d, conv2d_1, conv2d_2, ..., and dense starts again.",
        )
    return "every layer has its own arrays, in three files of networks of different depth."


@exercise(".transpose(2, 0, 1, 3) between the two reshapes.")
def for_channel_first(for_channel_first, height, width, channels):
    units = 5
    random = np.random.default_rng(0)
    kernel = random.normal(size=(height * width * channels, units)).astype(np.float32)
    features = random.normal(size=(height, width, channels))
    answer = attempt(
        for_channel_first,
        kernel.copy(),
        hints={"axes": ("There are four axes: height, width, channels, units.",)},
    )
    found = numbers(
        answer, "for_channel_first(kernel)", kernel.shape, "End with .reshape(-1, units)."
    )
    if same(found, kernel):
        raise NotYet(
            "the kernel is as it was.",
            "Which order of the axes does the other library flatten?",
            "A transpose between the two reshapes.",
        )
    if not same(np.sort(found[:, 0]), np.sort(kernel[:, 0])):
        raise NotYet(
            "unit 0 has other weights than before.", "The axis of the units, number 3, stays last."
        )
    by_loop = np.zeros(units)  # from the definition of the two orders
    for i, j, m in np.ndindex(height, width, channels):
        by_loop += features[i, j, m] * kernel[(i * width + j) * channels + m]
    flat = np.array(
        [features[i, j, m] for m in range(channels) for i in range(height) for j in range(width)]
    )
    if same(flat @ found, by_loop, 1e-3):
        return "the sums of fc1 are those of the file."
    exchanged = np.array(
        [features[i, j, m] for m in range(channels) for j in range(width) for i in range(height)]
    )
    if same(exchanged @ found, by_loop, 1e-3):
        raise NotYet(
            "the channels come first, but rows and columns are exchanged.",
            "Behind the channels: height, then width.",
        )
    raise NotYet(
        "the rows are in another order.",
        "The axes are 0 height, 1 width, 2 channels, 3 units; the channels must come first, then height, then width.",
    )
