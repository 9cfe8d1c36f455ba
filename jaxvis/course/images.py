"""Notebook 02: from the network's input back to a picture, and from PyTorch's input to Keras's."""

import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, numbers, refuse, same, unchanged
from jaxvis.models.preprocessing import preprocess

MEAN = np.array([103.939, 116.779, 123.68], np.float32)  # blue, green, red
TORCH_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # red, green, blue
TORCH_STD = np.array([0.229, 0.224, 0.225], np.float32)


def _pictures(seed):
    return np.random.default_rng(seed).integers(0, 256, (2, 5, 7, 3)).astype(np.uint8)


@exercise("(x + MEAN)[..., ::-1], then .round(), .clip(0, 255), .astype(np.uint8), in this order.")
def undo(undo):
    for seed in range(3):
        pictures = _pictures(seed)
        rgb = pictures.astype(float)
        x = pictures[..., ::-1].astype(np.float32) - MEAN
        given = x.copy()
        answer = attempt(undo, given)
        found = numbers(
            answer,
            "undo(x)",
            x.shape,
            "[..., ::-1] turns the last axis round and keeps the others.",
        )
        unchanged(given, x, "the input")
        refuse(
            found,
            (
                rgb[..., ::-1],
                "the colours are in the order blue, green, red.",
                "Turn the last axis round, too.",
            ),
            (
                (rgb - MEAN[::-1] + MEAN).round().clip(0, 255),
                "blue has got the mean of red, and red that of blue.",
                "The last step was the subtraction: undo that first.",
            ),
            (x[..., ::-1], "the mean is still missing.", "Add MEAN before anything else."),
            tolerance=1.2 / 255,
        )
        if not same(found, rgb, 1.2 / 255):
            off = np.abs(found - rgb).max()
            raise NotYet(
                f"a value is off by {off:.0f}.",
                "Add MEAN, then turn the channels round, then make whole numbers.",
            )
        if np.asarray(answer).dtype != np.uint8:
            raise NotYet(
                f"the type is {np.asarray(answer).dtype}; uint8 is expected.",
                ".astype(np.uint8) at the end.",
            )
    between = np.array([[[[-200.0, 0.8, 200.0], [0.3, -116.2, 150.0]]]], np.float32)
    exact = (between + MEAN)[..., ::-1].ravel()
    found = numbers(attempt(undo, between.copy()), "undo(x)").ravel()
    wanted = exact.round().clip(0, 255)
    if same(found, wanted, 0.1 / 255):
        return "every pixel of every picture is back, and other values become the nearest that is allowed."
    inside = (exact > 0) & (exact < 255)
    if same(found[inside], np.floor(exact[inside]), 0.1 / 255):
        raise NotYet(
            f"{exact[1]:.3f} became {found[1]:.0f}.",
            ".astype cuts the decimals off.",
            ".round() comes before .astype.",
        )
    raise NotYet(
        f"the values {exact.round(1)} became {found}.",
        "uint8 holds 0 to 255; what lies outside has to be brought inside first.",
        ".clip(0, 255) before .astype.",
    )


@exercise(
    "np.moveaxis(from_torch, 1, -1) * TORCH_STD + TORCH_MEAN is RGB from 0 to 1; jv.preprocess takes 0 to 255."
)
def convert(convert):
    undo_last = (
        "Undo torchvision's steps from the last to the first: times TORCH_STD, plus TORCH_MEAN."
    )
    for seed in range(3):
        pictures = _pictures(10 + seed)
        rgb = pictures.astype(np.float32)
        x = preprocess(pictures)
        from_torch = np.moveaxis((rgb / 255 - TORCH_MEAN) / TORCH_STD, -1, 1)
        given = from_torch.copy()
        answer = attempt(
            convert,
            given,
            hints={
                "broadcast": (
                    "TORCH_STD has three entries, for an axis of three: move the channels to the end first.",
                ),
                "0 to 255": (
                    "Look at shape and range after every step: torchvision's values are scaled to 0..1 before its "
                    "mean is taken off.",
                ),
            },
        )
        found = numbers(
            answer,
            "convert(from_torch)",
            x.shape,
            f"The channels are axis 1 of {from_torch.shape}. Which place do they have in {x.shape}?",
            "np.moveaxis(from_torch, 1, -1) brings the channels to the end; rows and columns keep their order.",
        )
        unchanged(given, from_torch, "the array")
        reshaped = preprocess(
            np.clip(255 * (from_torch.reshape(x.shape) * TORCH_STD + TORCH_MEAN), 0, 255)
        )
        refuse(
            found,
            (
                x + MEAN,
                "MEAN is not subtracted.",
                "jv.preprocess subtracts MEAN, and turns the channels round.",
            ),
            (
                rgb,
                "these are the pictures again, RGB from 0 to 255.",
                "Now prepare them for VGG16.",
            ),
            (x[..., ::-1], "the channels are in the order RGB.", "Turn them round."),
            (rgb - MEAN[::-1], "the channels are in the order RGB.", "Turn them round."),
            (
                reshaped,
                "the shape is right, and the numbers have lost their places.",
                "reshape only counts the numbers off in another shape; an axis is moved by np.moveaxis or transpose.",
            ),
            (
                (255 * (np.moveaxis(from_torch, 1, -1) + TORCH_MEAN) * TORCH_STD)[..., ::-1] - MEAN,
                "mean and standard deviation were undone in the wrong order.",
                undo_last,
            ),
            tolerance=3e-4,
        )
        if np.abs(found).max() < 10:
            raise NotYet(
                f"the largest value is {np.abs(found).max():.1f}.",
                "VGG16 reads values up to 255 minus a mean.",
                undo_last,
            )
        off = np.abs(found - x).max()
        if 0.05 < off < 1.5:
            raise NotYet(
                "some values are one grey level off.",
                ".astype(np.uint8) cuts decimals off: .round() first.",
            )
        if off > 0.05:
            raise NotYet(
                f"a value is off by {off:.1f}.",
                undo_last,
                "Then times 255, and what notebook 02 does to pixels.",
            )
    return "the same input as from the files."
