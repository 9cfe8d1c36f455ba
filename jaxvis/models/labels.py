"""Class names: index <-> name for ImageNet or any list of labels, and the top k of some logits."""

import difflib
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from jaxvis.errors import InputError

_LISTED = 12  # names in an error message


class ClassNameError(InputError):
    """A class name that is unknown or ambiguous; the message lists candidates and indices."""


class Prediction(NamedTuple):
    """One class of one image, with its probability in 0..1."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    name: str
    probability: float


@cache
def _imagenet() -> tuple[tuple[str, str], ...]:
    # The bytes are those that Keras serves as imagenet_class_index.json, so its MD5 holds here.
    text = resources.files("jaxvis").joinpath("data/imagenet_class_index.json").read_text("ascii")
    table = json.loads(text)
    return tuple((table[str(index)][0], table[str(index)][1]) for index in range(len(table)))


@cache
def imagenet_labels() -> tuple[str, ...]:
    """Return the 1000 class names of ILSVRC2012 in Keras's order and spelling; 99 is "goose"."""
    return tuple(name for _, name in _imagenet())


@cache
def imagenet_wordnet_ids() -> tuple[str, ...]:
    """Return the WordNet ids of the 1000 classes of ILSVRC2012; 99 is "n01855672"."""
    return tuple(wordnet_id for wordnet_id, _ in _imagenet())


def class_index(name: str, labels: Sequence[str] | None = None) -> int:
    """Return the index of a class by name; `labels` are ImageNet's unless given.

    Case, spaces, hyphens, underscores and apostrophes do not matter, except that a label spelt
    exactly wins ("Cardigan" is a dog, "cardigan" a garment). ImageNet's WordNet ids do as well,
    and so does the index itself as text ("99") where no label is a number.

    Raises:
        ClassNameError: the name is unknown or ambiguous; lists the nearest, or all that match.
    """
    if not isinstance(name, str):
        raise ClassNameError(f"class name {name!r} is of type {type(name).__name__}; wanted text")
    labels, ids = _labels_and_ids(labels)
    text = name.strip()
    matches = [index for index, label in enumerate(labels) if label == text]
    if not matches:
        key = _key(text)
        matches = [index for index, label in enumerate(labels) if key and _key(label) == key]
    if not matches and text.lower() in ids:
        matches = [ids.index(text.lower())]
    if len(matches) == 1:
        return matches[0]
    if matches:
        found = [(index, ids[index], labels[index]) for index in matches]
        raise ClassNameError(
            f"class name {name!r} is ambiguous: {_listed(found)}; pass the index of the one meant"
        )
    if _is_number(text) and not any(map(_is_number, labels)):
        if int(text) < len(labels):
            return int(text)
        raise ClassNameError(f"class index {text} is out of range; wanted 0 to {len(labels) - 1}")
    near = search(text, labels) if _key(text) else []
    hint = f"nearest: {_listed(near)}" if near else "and no name is near it"
    if not near and len(labels) <= _LISTED:
        hint = f"they are {_listed(list(zip(range(len(labels)), ids, labels, strict=True)))}"
    raise ClassNameError(
        f"unknown class name {name!r} among {len(labels)} classes; {hint}; "
        "pass one of the class names or an index"
    )


def search(text: str, labels: Sequence[str] | None = None) -> list[tuple[int, str, str]]:
    """Return (index, WordNet id or "", name) of the classes that a text may mean, best first.

    These are the names that contain it, whole names first, then whole words, then parts of words;
    if there is none, the ten names spelt most like it. A WordNet id or its beginning, or an index,
    finds its class, and "" finds every class. `labels` are ImageNet's unless given.
    """
    labels, ids = _labels_and_ids(labels)
    key, text = _key(text), text.strip().lower()
    ranked = []
    for index, label in enumerate(labels):
        if key == _key(label) or text == str(index) or (text and ids[index] == text):
            ranked.append((0, index))
        elif key in _words(label):
            ranked.append((1, index))
        elif key in _key(label) or (len(text) > 1 and ids[index].startswith(text)):
            ranked.append((2, index))
    found = [index for _, index in sorted(ranked)]
    if not found:
        likeness = [(-_likeness(key, label), index) for index, label in enumerate(labels)]
        found = [index for minus, index in sorted(likeness)[:10] if minus < -0.7]
    return [(index, ids[index], labels[index]) for index in found]


def top_k(
    logits: Float[Any, "n classes"], k: int = 5, *, labels: Sequence[str] | None = None,
    output: str = "softmax",
) -> list[list[Prediction]]:  # fmt: skip
    """Return the k most probable classes of each image, best first, ties in the order of indices.

    The probabilities are those of `probabilities`, whose `output` says what makes them. `logits`
    is a NumPy or JAX array. Without `labels`, 1000 classes have the ImageNet names and any other
    number "class 0", "class 1", ... All classes are returned where k exceeds them.

    Raises:
        ValueError: logits of another shape, with NaN or without a finite maximum; k under 1;
            a number of labels that is not the number of classes.
    """
    p = probabilities(logits, output)
    if k < 1:
        raise InputError(f"k is {k}; wanted at least 1")
    classes = p.shape[1]
    if labels is None:
        generic = tuple(f"class {index}" for index in range(classes))
        labels = imagenet_labels() if classes == 1000 else generic
    if len(labels) != classes:
        raise InputError(f"labels has {len(labels)} names; wanted {classes}, one per class")
    z = np.asarray(logits).astype(np.float64)
    order = np.argsort(-z, axis=1, kind="stable")[:, :k]
    return [
        [Prediction(int(c), labels[c], float(row[c])) for c in best]
        for row, best in zip(p, order, strict=True)
    ]


def probabilities(
    logits: Float[Any, "n classes"], output: str = "softmax"
) -> Float64[np.ndarray, "n classes"]:
    """Return the probability of every class, computed in float64.

    Args:
        logits: what a network returns.
        output: "softmax" for classes of which one is right, "sigmoid" for those that are asked
            about one by one, p_c = 1 / (1 + exp(-z_c)).

    Raises:
        ValueError: another output, or as `softmax`.
    """
    if output == "softmax":
        return softmax(logits)
    if output != "sigmoid":
        raise InputError(f"output is {output!r}; wanted 'softmax' or 'sigmoid'")
    softmax(logits)  # raises what is wrong with them
    z = np.asarray(logits).astype(np.float64)
    small = np.exp(-np.abs(z))  # at most 1, so that nothing overflows
    return np.where(z >= 0, 1, small) / (1 + small)


def softmax(logits: Float[Any, "n classes"]) -> Float64[np.ndarray, "n classes"]:
    """Return the probabilities p_c = exp(z_c) / sum_j exp(z_j), computed in float64.

    Raises:
        ValueError: logits of another shape, with NaN or without a finite maximum.
    """
    z = np.asarray(logits).astype(np.float64)
    if z.ndim != 2 or z.shape[1] == 0:
        raise InputError(f"logits has shape {z.shape}; wanted (n, classes), one row per image")
    top = z.max(axis=1, keepdims=True)  # NaN where any logit is
    if not np.isfinite(top).all():
        row = int(np.argmin(np.isfinite(top)))
        raise InputError(
            f"logits of image {row} have the maximum {top[row, 0]}; wanted finite logits: look for "
            "NaN or infinity in the network's input and weights"
        )
    weights = np.exp(z - top)  # at most 1, so that nothing overflows
    return weights / weights.sum(axis=1, keepdims=True)


def read_labels(file: str) -> list[str]:
    """Return class names from a text file, one a line, empty lines left out.

    Raises:
        ValueError: the file cannot be read or holds no names.
    """
    try:
        with open(file, encoding="utf-8-sig") as lines:  # Windows's editors begin with a mark
            names = [line.strip() for line in lines if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(
            f"--labels {file}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    except OSError as error:
        raise InputError(f"--labels {file}: cannot be read: {error.strerror}") from error
    if not names:
        raise InputError(f"--labels {file}: no names; wanted one a line")
    return names


def _labels_and_ids(labels: Sequence[str] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = imagenet_labels() if labels is None else tuple(labels)
    if names == imagenet_labels():
        return names, imagenet_wordnet_ids()
    return names, ("",) * len(names)


def _key(name: str) -> str:
    return re.sub(r"[\s_'-]", "", name.casefold())


def _words(name: str) -> list[str]:
    return re.split(r"[\s_-]+", name.casefold())


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _likeness(key: str, label: str) -> float:
    def ratio(other: str) -> float:
        return difflib.SequenceMatcher(None, other, key).ratio()

    # A likeness to one word counts a little less than the same likeness to the whole name.
    return max(ratio(_key(label)), 0.95 * max(map(ratio, _words(label))))


def _listed(found: list[tuple[int, str, str]]) -> str:
    names = [f"{label} ({index}{', ' * bool(wnid)}{wnid})" for index, wnid, label in found]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
