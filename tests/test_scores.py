"""Scores against NumPy, their gradients against finite differences, and their errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxvis as jv
from jaxvis import scores

LOGITS = np.array([[1.0, -2.0, 0.5, 3.0], [0.0, 1.0, 2.0, -1.0]], np.float32)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


ROWS = np.arange(2)
CASES = {
    "logit": (scores.logit(2), LOGITS[:, 2]),
    "logit of each": (scores.logit([3, 1]), LOGITS[ROWS, [3, 1]]),
    "several": (scores.several([0, 3]), (LOGITS[:, 0] + LOGITS[:, 3]) / 2),
    "weighted": (scores.several([0, 3], [2, -1]), 2 * LOGITS[:, 0] - LOGITS[:, 3]),
    "contrast": (scores.contrast(0, 1), LOGITS[:, 0] - LOGITS[:, 1]),
    "contrast of each": (scores.contrast([0, 2], 1), LOGITS[ROWS, [0, 2]] - LOGITS[:, 1]),
    "others": (scores.others(0), LOGITS[:, 0] - LOGITS[:, 1:].mean(axis=1)),
    "probability": (scores.probability(3), softmax(LOGITS)[:, 3]),
    "inactive": (scores.inactive(), np.zeros(2)),
}


@pytest.mark.parametrize(("score", "wanted"), CASES.values(), ids=CASES)
def test_values(score, wanted):
    np.testing.assert_allclose(score(jnp.asarray(LOGITS)), wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("score", "wanted"), CASES.values(), ids=CASES)
def test_equal_scores_are_one_key(score, wanted):
    again = type(score)(*vars(score).values())
    assert again == score
    assert hash(again) == hash(score)


def test_binary():
    one = jnp.asarray([[2.0], [-3.0]])
    np.testing.assert_allclose(scores.binary([True, False])(one), [2, 3])
    both = jnp.asarray([[-2.0, 2.0], [3.0, -3.0]])
    np.testing.assert_allclose(scores.binary(False)(both), [-2, 3])


def test_they_are_explained_as_by_hand(narrow, pixels):
    """The gradient of a contrast is the difference of the gradients, and so on."""
    gradients = [np.asarray(jv.input_gradient(narrow, pixels, c)) for c in range(7)]
    for score, wanted in (
        (scores.contrast(3, 5), gradients[3] - gradients[5]),
        (scores.several([1, 2], [0.5, 2]), 0.5 * gradients[1] + 2 * gradients[2]),
        (scores.others(0), gradients[0] - np.mean(gradients[1:], axis=0)),
        (scores.inactive(), np.zeros_like(gradients[0])),
    ):
        found = jv.input_gradient(narrow, pixels, score=score)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_a_probability_saturates(narrow, pixels):
    logits = np.asarray(narrow(pixels), np.float64)
    p = softmax(logits)
    found = jv.input_gradient(narrow, pixels, score=scores.probability(3))
    gradients = np.stack([np.asarray(jv.input_gradient(narrow, pixels, c)) for c in range(7)], 1)
    mean = (p[..., None, None, None] * gradients).sum(axis=1)
    wanted = p[:, 3, None, None, None] * (gradients[:, 3] - mean)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-6)


ERRORS = {
    "out of range": (lambda: scores.logit(4)(LOGITS), r"classes \[4\]; wanted indices from 0 to 3"),
    "negative": (lambda: scores.contrast(0, -1)(LOGITS), r"\[-1\]; wanted indices from 0"),
    "number": (lambda: scores.logit([0, 1, 2])(LOGITS), "3 classes for 2 images; wanted 1 or 2"),
    "name": (lambda: scores.logit("goose"), "a class is 'goose'; wanted its index"),
    "float": (lambda: scores.probability(1.0), "a class is 1.0; wanted its index"),
    "weights": (lambda: scores.several([0, 1], [1]), "1 weights for 2 classes"),
    "shape": (lambda: scores.logit(0)(LOGITS[0]), r"shape \(4,\); this score wants logits"),
    "units": (lambda: scores.binary(True)(LOGITS), "4 outputs; wanted a network of one unit"),
    "targets": (lambda: scores.binary([True] * 3)(LOGITS[:, :1]), "3 targets for 2 images"),
    "one class": (lambda: scores.others(0)(LOGITS[:, :1]), "has one class; wanted others"),
}


@pytest.mark.parametrize(("call", "message"), ERRORS.values(), ids=ERRORS)
def test_errors(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_an_index_out_of_range_is_no_map(narrow, pixels):
    with pytest.raises(ValueError, match="the model has 7 classes"):
        jv.saliency(narrow, pixels, score=scores.logit(7))


def test_the_same_score_compiles_once(narrow, pixels, compilations):
    jv.saliency(narrow, pixels, score=scores.contrast(1, 2))
    del compilations[:]
    jax.block_until_ready(jv.saliency(narrow, pixels, score=scores.contrast(1, 2)))
    assert compilations == []
