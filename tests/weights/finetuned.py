"""VGG16s as people fine-tune them in Keras, narrow, with heads drawn from a seed."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np

from jaxvis.models.layers import LAYERS, NO_TOP

WIDTH = 1 / 16


class Kind(NamedTuple):
    """How a network is put together."""

    way: str  # "nested", "flat" or "sequential"
    size: tuple[int, int] = (32, 32)
    channels: int = 3
    front: str = ""
    pool: str = "avg"
    rows: tuple[str, ...] = ()
    last: str = "softmax 3"
    frozen: bool = True


FRONTS = ("", "rescale", "rescale -1", "normalize", "adapt", "caffe", "tf", "torch", "augment",
          "operations")  # fmt: skip
ROWS = ("dense relu", "dense linear", "dense sigmoid", "dense softmax", "dropout", "batch norm",
        "relu", "dense without bias", "batch norm without scale")  # fmt: skip
LASTS = ("softmax 3", "sigmoid 1", "linear 4", "sigmoid 5", "activation softmax", "linear 1",
         "softmax then dropout")  # fmt: skip


# Few, so that what was compiled for one network is there for the next. Five poolings leave 1 x 1
# and 2 x 3 places of them, and drop pixels at the edge of the first.
SIZES = ((35, 47), (64, 96))


def drawn(seed: int) -> Kind:
    """A network of which every part is drawn."""
    rng = np.random.default_rng(seed)
    channels = int(rng.choice([3, 3, 3, 1]))
    fronts = [f for f in FRONTS if channels == 3 or f not in ("caffe", "torch")]
    return Kind(
        str(rng.choice(["nested", "flat", "sequential"])),
        SIZES[rng.integers(len(SIZES))],
        channels,
        str(rng.choice(fronts)),
        str(rng.choice(["avg", "max", "flatten", "batch norm, avg"])),
        tuple(map(str, rng.choice(ROWS, rng.integers(0, 5)))),
        str(rng.choice(LASTS)),
        bool(rng.integers(2)),
    )


def base_layers(width: float = WIDTH) -> Iterator[Any]:
    """The layers from block1_conv1 to block5_pool."""
    for layer in LAYERS[:NO_TOP]:
        if layer.kind == "Conv2D":
            options = {"padding": "same", "activation": "relu", "name": layer.name}
            yield keras.layers.Conv2D(int(layer.features * width), 3, **options)
        else:
            yield keras.layers.MaxPooling2D(2, name=layer.name)


def base(y: Any) -> Any:
    """The convolutions, applied to a tensor."""
    for layer in base_layers():
        y = layer(y)
    return y


def front_layers(kind: Kind) -> Iterator[Callable[[Any], Any]]:
    """What is done to the pixels first."""
    layers, preprocess = keras.layers, keras.applications.imagenet_utils.preprocess_input
    match kind.front:
        case "rescale":
            yield layers.Rescaling(1 / 255)
        case "rescale -1":
            yield layers.Rescaling(1 / 127.5, offset=-1)
        case "normalize":
            numbers = [[20.0, 30.0, 40.0], [100.0, 200.0, 300.0]]
            mean, variance = (n[: kind.channels] for n in numbers)
            yield layers.Normalization(mean=mean, variance=variance)
        case "adapt":
            layer = layers.Normalization()
            rng = np.random.default_rng(7)
            layer.adapt(rng.uniform(0, 255, (9, 8, 8, kind.channels)).astype("f4"))
            yield layer
        case "caffe" | "tf" | "torch":
            yield lambda y: preprocess(y, mode=kind.front)
        case "augment":
            yield keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)])
        case "operations":
            yield lambda y: (1.0 - y / 100.0) * 2.0


def head_layers(kind: Kind) -> Iterator[Any]:
    """What stands behind the convolutions."""
    layers = keras.layers
    if "batch norm" in kind.pool:
        yield layers.BatchNormalization()
    yield {
        "avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D,
        "flatten": layers.Flatten,
    }[kind.pool.rpartition(" ")[2]]()  # fmt: skip
    for row in kind.rows:
        match row.split():
            case "dense", "without", "bias":
                yield layers.Dense(6, use_bias=False)
            case "dense", activation:
                yield layers.Dense(8, activation=activation)
            case ("dropout",):
                yield layers.Dropout(0.4)
            case "batch", "norm", *more:
                yield layers.BatchNormalization(scale=not more, epsilon=0.01)
            case ("relu",):
                yield layers.ReLU()
    match kind.last.split():
        case "activation", name:
            yield layers.Dense(3)
            yield layers.Activation(name)
        case activation, "then", "dropout":
            yield layers.Dense(3, activation=activation)
            yield layers.Dropout(0.1)
        case activation, units:
            yield layers.Dense(int(units), activation=activation)


def network(kind: Kind, *, optimizer: bool = False) -> Any:
    """Build it in Keras, give all weights values, and an optimizer if asked to."""
    keras.utils.set_random_seed(1)
    shape = (*kind.size, kind.channels)
    with loose():
        if kind.way == "sequential" and kind.front not in ("caffe", "tf", "torch", "operations"):
            start = keras.Input(shape)
            inner = keras.Model(start, base(start), name="vgg16")
            inner.trainable = not kind.frozen
            model = keras.Sequential(
                [keras.Input(shape), *front_layers(kind), inner, *head_layers(kind)]
            )
        else:
            y = start = keras.Input(shape)
            for layer in front_layers(kind):
                y = layer(y)
            if kind.way == "flat":
                y = base(y)
            else:
                inside = keras.Input(shape)
                inner = keras.Model(inside, base(inside), name="vgg16")
                for layer in inner.layers[:-4] if kind.frozen else ():
                    layer.trainable = False
                y = inner(y, training=False)
            for layer in head_layers(kind):
                y = layer(y)
            model = keras.Model(start, y)
        rng = np.random.default_rng(3)
        for variable in model.weights:
            if variable.dtype != "float32" or variable.path.startswith("normalization"):
                continue  # a Normalization keeps what it adapted to elsewhere, too
            shape = variable.shape
            scale = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.3
            values = rng.normal(0, scale, shape)
            if "gamma" in variable.path or "variance" in variable.path:
                values = 1 + np.abs(values)
            variable.assign(values.astype("f4"))
        if optimizer:  # what a step of training would make, without the 10 s of compiling one
            model.compile("sgd", "mse")
            model.optimizer.build(model.trainable_variables)
    return model


FORMS = ("m.keras", "m.h5", "m.weights.h5")


def saved(model: Any, folder: Path, form: str) -> Path:
    """Save a model in one of Keras's forms."""
    path = folder / form
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras advises against .h5
        (model.save_weights if "weights" in form else model.save)(path)
    return path


@contextmanager
def loose() -> Iterator[None]:
    """Keras does not hold to strict promotion, which the suite does."""
    strictness = jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard")
    with strictness[0], strictness[1], warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def logits_of(model: Any, x: np.ndarray) -> np.ndarray:
    """What Keras computes, the last softmax or sigmoid left off; two logits of one unit."""
    last = [layer for layer in model.layers if not isinstance(layer, keras.layers.Dropout)][-1]
    activation = last.activation
    with loose():
        last.activation = keras.activations.linear
        try:
            z = np.asarray(model(x, training=False))
        finally:
            last.activation = activation
    return np.concatenate([-z, z], axis=1) if z.shape[1] == 1 else z


def by_hand(model: Any, x: Any, relu: Callable[[Any], Any]) -> Any:
    """The same network on arrays, layer by layer, with a ReLU of one's own; 3 channels, no front.

    Max pooling, of even sizes, passes the gradient to the first of equal maxima.
    """

    def layers(model: Any) -> Iterator[Any]:
        for layer in model.layers:
            yield from layers(layer) if hasattr(layer, "layers") else [layer]

    found = [one for one in layers(model) if not isinstance(one, keras.layers.InputLayer)]
    last = [one for one in found if not isinstance(one, keras.layers.Dropout)][-1]
    dims = ("NHWC", "HWIO", "NHWC")
    maps = None
    for layer in found:
        arrays = [jnp.asarray(variable.value) for variable in layer.weights]
        activation = getattr(layer, "activation", None)
        match type(layer).__name__:
            case "Conv2D":
                x = jax.lax.conv_general_dilated(
                    x, arrays[0], (1, 1), "SAME", dimension_numbers=dims
                ) + arrays[1].reshape(1, 1, 1, -1)  # fmt: skip
            case "MaxPooling2D":
                n, height, width, c = x.shape
                x = x.reshape(n, height // 2, 2, width // 2, 2, c).transpose(0, 1, 3, 5, 2, 4)
                x = x.reshape(n, height // 2, width // 2, c, 4)
                first = x.argmax(axis=-1)[..., None]
                x = jnp.take_along_axis(x, first, axis=-1)[..., 0]
            case "Flatten":
                x = x.reshape(len(x), -1)
            case "GlobalAveragePooling2D":
                x = x.mean(axis=(1, 2))
            case "GlobalMaxPooling2D":
                x = x.max(axis=(1, 2))
            case "Dense":
                x = x @ arrays[0] + (arrays[1].reshape(1, -1) if len(arrays) > 1 else 0)
            case "BatchNormalization":
                *of_scale, beta, mean, variance = arrays
                x = (x - mean) / jnp.sqrt(variance + layer.epsilon)
                x = x * (of_scale[0] if of_scale else 1) + beta
            case "ReLU":
                x = relu(x)
        name = getattr(activation, "__name__", "linear") if layer is not last else "linear"
        if name == "relu":
            x = relu(x)
        elif name != "linear":
            x = getattr(jax.nn, name)(x)
        if layer.name == "block5_conv3":
            maps = x
    return x, maps
