"""What is compiled for a model lives as long as the model, and is compiled once."""

import ctypes
import functools
import gc
import os
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxvis as jv
from jaxvis.gradients import kept
from jaxvis.gradients.compiled import Compiled
from jaxvis.methods.one_pass import one_pass

STATM = Path("/proc/self/statm")
X = np.random.Generator(np.random.PCG64(3)).normal(0, 1, (2, 8, 8, 3)).astype(np.float32)


def weights(wide):
    rng = np.random.Generator(np.random.PCG64(4))
    shapes = (3, 3, 3, 2), (128, wide), (wide, 3)
    return [jnp.asarray(rng.normal(0, 1, shape).astype(np.float32)) for shape in shapes]


def logits(x, kernel, middle, last):
    axes = ("NHWC", "HWIO", "NHWC")
    x = jax.nn.relu(jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=axes))
    return jax.nn.relu(x.reshape(len(x), -1) @ middle) @ last


def closure(wide):
    kernel, middle, last = weights(wide)
    return jv.expose_relu(lambda x: logits(x, kernel, middle, last)), middle


def jitted(wide):
    """The weights are constants of a jit inside, which is compiled on its own."""
    kernel, middle, last = weights(wide)
    inner = jax.jit(lambda x: logits(x, kernel, middle, last))
    return jv.expose_relu(lambda x: inner(x)), middle


def partial(wide):
    kernel, middle, last = weights(wide)
    return (
        jv.expose_relu(functools.partial(logits, kernel=kernel, middle=middle, last=last)),
        middle,
    )


class Plain:
    def __init__(self, wide):
        self.weights = weights(wide)

    def forward(self, x):
        return logits(x, *self.weights)

    def __call__(self, x, relu=jax.nn.relu):
        return jv.expose_relu(self.forward)(x, relu=relu)


def method(wide):
    model = Plain(wide)
    return jv.expose_relu(model.forward), model.weights[1]


def instance(wide):
    model = Plain(wide)
    return model, model.weights[1]


def pair(wide):
    kernel, middle, last = weights(wide)
    return jv.expose_relu(lambda x: logits(x, kernel, middle, last)).cut(0), middle


class OfEquinox(eqx.Module):
    weights: list

    def __call__(self, x):
        return logits(x, *self.weights)


def equinox(wide):
    model = OfEquinox(weights(wide))
    return model, model.weights[1]


class OfFlax(nnx.Module):
    def __init__(self, wide):
        self.kernel, self.middle, self.last = (nnx.Param(array) for array in weights(wide))

    def __call__(self, x):
        return logits(x, self.kernel[...], self.middle[...], self.last[...])


def flax(wide):
    model = OfFlax(wide)
    return model, model.middle[...]


def keras(wide):
    import keras

    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(wide, activation="relu"),
            keras.layers.Dense(3),
        ]
    )
    return model, model.weights[0].value


KNOWN_AGAIN = [closure, method, instance, pair, equinox, flax]
KINDS = [*KNOWN_AGAIN, jitted, partial, keras]


def explained(model):
    if type(model) is tuple:
        return jv.explain(model, X, layer=0)
    return jv.saliency(model, X, rule=jv.GUIDED)


@pytest.fixture
def without_strictness():
    """Keras's own code does not hold to it."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def of_new_models(make, count, wide):
    """Explain new models; return weak references to their weights."""
    references = []
    for _ in range(count):
        model, array = make(wide)
        jax.block_until_ready(explained(model))
        references.append(weakref.ref(array))
        del model, array
    gc.collect()
    return references


@pytest.mark.usefixtures("without_strictness")
@pytest.mark.parametrize("make", KINDS)
def test_the_weights_of_a_model_go_with_it(make, compilations):
    """And as long as it lives, it is compiled once."""
    model, array = make(16)
    explained(model)
    explained(model)  # the first call makes constants of its own
    del compilations[:]
    gc.collect()
    for _ in range(5 if make in KNOWN_AGAIN else 0):
        explained(model)
    assert compilations == []
    del model, array
    gc.collect()
    arrays, programs = len(jax.live_arrays()), len(one_pass._programs)
    references = of_new_models(make, 1, 16)
    assert [reference() for reference in references] == [None]
    assert len(jax.live_arrays()) <= arrays
    assert len(one_pass._programs) <= programs


@pytest.mark.slow
@pytest.mark.usefixtures("without_strictness")
@pytest.mark.skipif(not STATM.exists(), reason="memory is read as Linux tells it")
@pytest.mark.parametrize("make", [closure, equinox, flax])
def test_many_models_leave_the_memory_as_it_was(make):
    def resident():
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:  # what is free goes back to the system, and does not count
            trim(0)
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    of_new_models(make, 10, 40_000)  # allocators settle
    before = resident()
    references = of_new_models(make, 25, 40_000)  # 20 MB each, 500 together
    assert all(reference() is None for reference in references)
    # One kept array in five would be 100 MB; what the code of 25 models leaves was up to 32 MB.
    assert resident() - before < 100


def test_a_score_or_rule_that_is_made_anew_keeps_nothing():
    model, _ = closure(16)
    before = len(one_pass._programs)
    for _ in range(2):
        jv.saliency(model, X, score=lambda logits: logits[:, 0])
        jv.saliency(model, X, rule=lambda x: jv.guided_relu(x))
    gc.collect()
    assert len(one_pass._programs) <= before + 1


def test_a_bound_method_is_known_again(compilations):
    model = Plain(16)
    explained(jv.expose_relu(model.forward))
    del compilations[:]
    explained(jv.expose_relu(model.forward))
    assert compilations == []


def test_the_programs_that_were_not_used_for_longest_go(monkeypatch):
    monkeypatch.setattr(kept, "MOST", 2)
    traced = []

    @Compiled
    def function(x, name):
        traced.append(name)
        return x

    for name in "ababcacb":
        function(X, name)
    assert traced == ["a", "b", "c", "a", "b"]


def test_16_threads_and_models_that_die_meanwhile():
    @Compiled
    def function(x, model):
        return model(x)

    def work(number):
        for step in range(6):
            found = function(X, lambda x, by=number + step: x * np.float32(by))
            np.testing.assert_array_equal(found, X * np.float32(number + step))
        return function(X, jnp.negative)

    with ThreadPoolExecutor(16) as pool:
        assert len(list(pool.map(work, range(16)))) == 16
    gc.collect()
    assert len(function._programs) == 1
