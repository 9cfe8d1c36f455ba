"""The whole suite runs under strict dtype promotion and rank promotion; warnings are errors."""

import gc
import os

os.environ.setdefault("KERAS_BACKEND", "jax")
# Most programs run once: XLA compiles them in half the time without LLVM's optimisations. Those of
# XLA itself stay as they are; `.ci/run` has the arithmetic compiled in full as well (XLA_FLAGS="").
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax
import numpy as np
import pytest

from jaxvis.evaluate.subjects import Subjects
from jaxvis.models.vgg16 import VGG16

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


# Of slow tests, the cases that take minutes each and that one other of their kind stands for.
long = pytest.mark.skipif("JAXVIS_LONG" not in os.environ, reason="minutes; JAXVIS_LONG=1 runs it")


def forced_devices(count: int) -> dict[str, str]:
    """Environment variables with which a CPU pretends to be so many devices, else as here."""
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={count}"
    return {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(0))


@pytest.fixture
def x64():
    """Double precision for one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True, scope="module")
def little_to_collect():
    """The collector of garbage looks at what a file makes, not at what all files before have kept.

    That is gigabytes of programs and jaxprs after some 50 files, and seconds for `gc.collect()`.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def compilations():
    """The names of what XLA compiles while the test runs."""
    events: list[str] = []

    def heard(event: str, seconds: float, **_: object) -> None:
        if event.endswith("backend_compile_duration"):
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(heard)
    yield events
    jax.monitoring.clear_event_listeners()


@pytest.fixture(scope="session")
def narrow() -> VGG16:
    """A VGG16 of 4 to 32 channels for 64 x 64 images and 7 classes, its biases not zero."""
    return with_biases(VGG16(width=1 / 16, classes=7, size=64))


def with_biases(model: VGG16, seed: int = 1) -> VGG16:
    """Give every bias a value: with zeros, a bias that is left out would not be noticed."""
    rng = np.random.Generator(np.random.PCG64(seed))
    for _, layer in sorted(vars(model).items()):
        if hasattr(layer, "bias"):
            bias = layer.bias[...]
            layer.bias[...] = jax.numpy.asarray(rng.normal(0, 5, bias.shape), bias.dtype)
    return model


@pytest.fixture(scope="session")
def keras_vgg16():
    """Keras's own VGG16 for 32 x 32 images, its weights random."""
    import keras

    return keras.applications.VGG16(
        weights=None, input_shape=(32, 32, 3), classes=1000, classifier_activation=None
    )


def in_keras(model: object, x: np.ndarray) -> np.ndarray:
    """Call a Keras model, whose own code does not hold to strict rank promotion."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        return np.asarray(model(x))  # type: ignore[operator]


@pytest.fixture
def pixels(rng: np.random.Generator) -> np.ndarray:
    """Three preprocessed images for `narrow`."""
    return rng.normal(0, 60, (3, 64, 64, 3)).astype(np.float32)


def relative_error(found: object, wanted: object) -> float:
    """Largest difference as a share of the largest value wanted, which must not be 0."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    assert found.shape == wanted.shape
    assert np.abs(wanted).max() > 0
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def by_windows(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM of two maps as Wang et al. write it, one window after another."""
    a, b = (
        (x - x.min()) / (x.max() - x.min()) if np.ptp(x) else 0 * x
        for x in (a.astype(np.float64), b.astype(np.float64))
    )
    height, width = a.shape
    values = []
    for top in range(height - 6):
        for left in range(width - 6):
            x, y = (m[top : top + 7, left : left + 7].ravel() for m in (a, b))
            c = np.cov(x, y)
            brightness = (2 * x.mean() * y.mean() + 1e-4) / (x.mean() ** 2 + y.mean() ** 2 + 1e-4)
            values.append(brightness * (2 * c[0, 1] + 9e-4) / (c[0, 0] + c[1, 1] + 9e-4))
    return float(np.mean(values))


# The maps that an evaluation compares unless others are asked for, by the names it gives them.
SIX = (
    "saliency vanilla", "saliency rectified", "saliency guided",
    "Grad-CAM vanilla", "Grad-CAM rectified", "Grad-CAM guided",
)  # fmt: skip


@pytest.fixture
def subjects(rng: np.random.Generator) -> Subjects:
    """Three images for `narrow`, each with a class and a mask."""
    images = rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    masks = np.zeros((3, 64, 64), bool)
    masks[:, 10:30, 20:50] = True
    return Subjects(["a", "b", "c"], images, np.array([1, 4, 0]), masks, [7, 8, 9])
