"""Notebook 06: the class activation map, and a row enlarged with its corners aligned."""

import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, numbers, refuse, same, unchanged
from jaxvis.pictures.render import upsample

_KEEP = "gradient.mean(axis=(1, 2), keepdims=True) has the shape (n, 1, 1, channels), which can be multiplied by A."


@exercise("w = gradient.mean(axis=(1, 2), keepdims=True); jnp.maximum((w * A).sum(axis=-1), 0).")
def class_activation_map(class_activation_map):
    for seed, (n, height, width, channels) in enumerate([(2, 4, 5, 6), (1, 7, 3, 4), (3, 2, 2, 5)]):
        random = np.random.default_rng(seed)
        A = np.abs(random.normal(size=(n, height, width, channels))).astype(np.float32)
        gradient = random.normal(size=A.shape).astype(np.float32)
        total = np.zeros((n, height, width))  # the sum alone, no ReLU yet
        for i in range(n):
            for k in range(channels):
                total[i] += gradient[i, :, :, k].mean(dtype=float) * A[i, :, :, k]
        given = A.copy(), gradient.copy()
        answer = attempt(
            class_activation_map,
            *given,
            hints={
                "truth value": (
                    "Python's max compares two numbers; here each of the sums is to be compared with 0.",
                    "jnp.maximum(total, 0) does that for every place.",
                ),
                "broadcast": (_KEEP,),
                "ncompatible shapes": (_KEEP,),
            },
        )
        found = numbers(
            answer,
            "the map",
            total.shape,
            "The mean runs over the places, axes 1 and 2; the sum over the channels, the last axis.",
            _KEEP,
        )
        unchanged(given[0], A, "the array A")
        unchanged(given[1], gradient, "the gradient")
        wanted = np.maximum(total, 0)
        w = gradient.mean(axis=(1, 2), keepdims=True)
        refuse(
            found,
            (
                np.zeros_like(total),
                "the map is zero everywhere.",
                "First the weights: one mean of the gradient for each channel.",
                _KEEP,
            ),
        )
        if same(found, wanted):
            continue
        refuse(
            found,
            (
                total,
                "negative values are left.",
                "The formula's last step is max(0, ...) at every place.",
            ),
            (
                np.abs(total),
                "negative sums became positive.",
                "max(0, sum), not the absolute value.",
            ),
            (
                wanted * height * width,
                f"{height * width} times too large for maps of {height} x {width}.",
                "The weight is the mean over the places, not the sum.",
            ),
            (
                wanted / channels,
                f"{channels} times too small for {channels} channels.",
                "Sum over the channels, not the mean.",
            ),
            (
                np.maximum((gradient * A).sum(-1), 0),
                "you multiply by the gradient at each place.",
                "Average it over the places first: one weight for each channel.",
            ),
            (
                np.maximum(w * A, 0).sum(-1),
                "each term lost its negative values.",
                "The ReLU goes around the sum; weights and terms keep their signs.",
            ),
            (
                np.maximum((np.abs(w) * A).sum(-1), 0),
                "negative weights became positive.",
                "The weights keep their signs.",
            ),
            (
                (np.maximum(gradient, 0).mean(axis=(1, 2), keepdims=True) * A).sum(-1),
                "negative gradients are lost before the mean.",
                "The mean is over all gradients; the ReLU goes around the sum.",
            ),
            (
                np.maximum((gradient.mean(axis=-1, keepdims=True) * A).sum(-1), 0),
                "the gradient is averaged over the channels.",
                "Every channel has its own weight: the mean over the places, axes 1 and 2.",
            ),
            (
                np.maximum((gradient.mean(axis=(0, 1, 2)) * A).sum(-1), 0),
                "the pictures share their weights.",
                "Every picture has its own: axes 1 and 2, not 0.",
            ),
            (
                wanted / (wanted.max() or 1),
                "the map is scaled already.",
                "Raw values, please: scaling comes with the colours.",
            ),
        )
        i, row, column = np.unravel_index(np.abs(found - wanted).argmax(), wanted.shape)
        raise NotYet(
            f"for random arrays, picture {i}, row {row}, column {column} is {found[i, row, column]:.3f}; "
            f"two plain loops give {wanted[i, row, column]:.3f}.",
            "In this order: one weight for each picture and channel, the weighted sum of the channels, the ReLU.",
        )
    return "the maps are what plain loops give."


@exercise("where = np.linspace(0, len(values) - 1, size).")
def upsample_row(upsample_row):
    for length, size in ((14, 224), (14, 50), (4, 16), (7, 9), (5, 40)):
        values = np.random.default_rng(length).uniform(size=length)
        found = numbers(
            attempt(upsample_row, values.copy(), size),
            "the row",
            (size,),
            "`where` has one position for each of the `size` pixels.",
        )
        places, pixel = np.arange(length), np.arange(size)
        wanted = np.asarray(upsample(values[None], (1, size)))[0]
        seen = f"{length} values at {size} pixels: "
        if same(found, wanted, 1e-3):
            continue
        if np.ptp(found) == 0:
            raise NotYet(
                seen + "all pixels have one value.",
                "The positions run from the first value to the last; np.linspace makes such rows.",
            )
        refuse(
            found,
            (
                np.interp((pixel + 0.5) * length / size - 0.5, places, values),
                seen + "these are half-pixel centres.",
                "With aligned corners pixel 0 lies *on* the first value, and the last pixel on the last.",
            ),
            (
                np.interp(np.linspace(0, length, size), places, values),
                seen + "the last value is reached too early.",
                "The values lie at 0, 1, 2, ...: where does the last of them lie?",
            ),
            (
                np.interp(pixel * (length - 1) / size, places, values),
                seen + "the last pixel is not on the last value.",
                "How many steps are there between `size` pixels?",
            ),
            (
                np.interp(pixel * length / size, places, values),
                seen + "the last pixel is not on the last value.",
                "Between `size` pixels there are size - 1 steps, between the values len(values) - 1.",
            ),
            (
                np.interp(pixel, places, values),
                seen + "a step of one for every pixel.",
                "All pixels together span the values once.",
            ),
            tolerance=1e-3,
        )
        if (length, size) != (14, 224):
            raise NotYet(
                seen + "wrong, though 14 values at 224 pixels are right.",
                "Use `size` and `len(values)`, no numbers of your own.",
            )
        if not np.isclose(found[0], values[0]):
            raise NotYet(seen + "the first pixel is not on the first value.", "Its position is 0.")
        raise NotYet(
            seen + "the positions are wrong.",
            "From 0 to the last value's position, in equal steps, both ends included.",
        )
    return "the first and the last value lie on the first and the last pixel."
