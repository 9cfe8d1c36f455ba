"""What a Keras model reads is checked: convolutions and global poolings would take anything."""

import keras
import numpy as np
import pytest

import jaxvis as jv


def built(*shape):
    return keras.Sequential([
        keras.Input(shape), keras.layers.Conv2D(4, 3, activation="relu", use_bias=False),
        keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, use_bias=False),
    ])  # fmt: skip


def test_another_size_is_refused():
    network = jv.from_keras(built(16, 16, 3), preprocess="tf")
    with pytest.raises(ValueError, match=r"reads \(n, 16, 16, 3\), and x has shape \(2, 20, 16, 3"):
        jv.explain(network.model, np.zeros((2, 20, 16, 3), np.float32), 1, layer=network.layer)


def test_an_open_size_is_open():
    network = jv.from_keras(built(None, None, 3), size=(16, 16), preprocess="tf")
    maps = jv.explain(
        network.model, np.ones((2, 20, 16, 3), np.float32), 1, layer=network.layer
    )  # fmt: skip
    assert maps.saliency["vanilla"].shape == (2, 20, 16)
    with pytest.raises(ValueError, match=r"reads \(n, any, any, 3\), and x has shape"):
        network.model(np.ones((2, 20, 16, 4), np.float32))
