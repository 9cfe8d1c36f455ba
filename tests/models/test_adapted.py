"""Networks as people write them in Keras, Flax and Equinox, against themselves by hand."""

import functools
import gc

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from flax import nnx

import jaxvis as jv
from jaxvis.gradients.relu import RULES

RNG = np.random.Generator(np.random.PCG64(0))
IMAGES = RNG.integers(0, 256, (2, 16, 16, 3), np.uint8)


def scaled(images):
    return images / np.float32(127.5) - np.float32(1)


X = jnp.asarray(scaled(IMAGES))


@pytest.fixture(autouse=True)
def relaxed():
    """The libraries' own code does not hold to strict promotion."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def check(network, body, head, x=X, score=None):
    """Maps of all rules against `body(x, relu)` and `head(A, relu)`, written by hand."""
    score = score or (lambda y: y[:, 1])
    given = {"score": score} if score.__name__ != "<lambda>" else {"classes": 1}
    maps = jv.explain(network.model, x, layer=network.layer, **given)

    @jax.jit
    def by_hand(x, rule):
        relu = lambda y: jv.relu(y, rule)  # noqa: E731
        A = body(x, relu)
        slope = jax.grad(lambda x: score(head(body(x, relu), relu)).sum())(x)
        weight = jax.grad(lambda a: score(head(a, relu)).sum())(A)
        space = tuple(range(1, A.ndim - 1))
        cam = (weight.mean(space, keepdims=True) * A).sum(axis=-1)
        return head(A, relu), jnp.abs(slope).max(axis=-1), jnp.maximum(cam, 0)

    for name, rule in RULES.items():
        outputs, saliency, cam = by_hand(x, rule)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5),
            maps.logits, outputs,
        )  # fmt: skip
        for found, wanted in ((maps.saliency[name], saliency), (maps.grad_cam[name], cam)):
            np.testing.assert_allclose(found, wanted, rtol=1e-2, atol=1e-4 * wanted.max())
        assert saliency.max() > 0
    assert max(cam.max() for cam in maps.grad_cam.values()) > 0
    vanilla, guided = maps.saliency["vanilla"], maps.saliency["guided"]
    assert np.abs(vanilla - guided).max() > 1e-2 * vanilla.max()


# ---- Flax Linen ---------------------------------------------------------------------------------


class ResNetBlock(nn.Module):
    """As in the examples of Flax."""

    filters: int
    norm: object
    act: object
    strides: tuple[int, int] = (1, 1)

    @nn.compact
    def __call__(self, x):
        residual = x
        y = nn.Conv(self.filters, (3, 3), self.strides, use_bias=False)(x)
        y = self.act(self.norm()(y))
        y = nn.Conv(self.filters, (3, 3), use_bias=False)(y)
        y = self.norm(scale_init=nn.initializers.ones)(y)
        if residual.shape != y.shape:
            residual = nn.Conv(
                self.filters, (1, 1), self.strides, use_bias=False, name="conv_proj"
            )(residual)
            residual = self.norm(name="norm_proj")(residual)
        return self.act(residual + y)


class ResNet(nn.Module):
    act: object = nn.relu
    end: object = nn.log_softmax

    def setup(self):
        self.conv_init = nn.Conv(8, (3, 3), use_bias=False)
        self.dense = nn.Dense(5)

    @nn.compact
    def __call__(self, x, train: bool = True):
        norm = functools.partial(nn.BatchNorm, use_running_average=not train, momentum=0.9)
        x = self.act(norm(name="bn_init")(self.conv_init(x)))
        x = nn.max_pool(x, (2, 2), (2, 2))
        for i, strides in enumerate(((1, 1), (2, 2), (1, 1))):
            x = ResNetBlock(8 * 2 ** (i > 0), norm, self.act, strides, name=f"block_{i}")(x)
        x = nn.Dropout(0.5, deterministic=not train)(x)
        x = jnp.mean(x, axis=(1, 2))
        return self.end(self.dense(x))


def linen_variables():
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    variables = ResNet().init(keys, X)
    rng = np.random.Generator(np.random.PCG64(1))
    return jax.tree.map(
        lambda a: a + jnp.asarray(rng.normal(0, 0.05, a.shape), a.dtype) ** 2, variables
    )


def plain(z):
    return z


@pytest.mark.slow
def test_a_resnet_of_flax_linen():
    variables = linen_variables()
    network = jv.from_linen(ResNet(), variables, preprocess=scaled, size=(16, 16))
    assert (network.layer, network.name) == ("block_2", "ResNet")

    def body(x, relu):
        _, state = ResNet(relu, plain).apply(variables, x, train=False, capture_intermediates=True)
        return state["intermediates"]["block_2"]["__call__"][0]

    def head(a, relu):
        dense = variables["params"]["dense"]
        return a.mean((1, 2)) @ dense["kernel"] + dense["bias"]

    check(network, body, head)


def test_linen_bound_named_and_told_what_it_is_called_with():
    variables = linen_variables()
    bound = jv.from_linen(
        ResNet().bind(variables), preprocess=scaled, size=(16, 16), layer="block_1", name="mine"
    )
    assert (bound.layer, bound.name) == ("block_1", "mine")
    np.testing.assert_allclose(
        bound.model(X), ResNet(end=plain).apply(variables, X, train=False), rtol=1e-4, atol=1e-5
    )
    with pytest.raises(ValueError, match=r"runs as in training.*arguments=\{'train': False\}"):
        jv.from_linen(ResNet(), variables, preprocess=scaled, size=(16, 16), arguments={})
    with pytest.raises(TypeError, match="a Flax Linen module without variables"):
        jv.from_linen(ResNet(), preprocess=scaled, size=(16, 16))
    with pytest.raises(TypeError, match="preprocess is a int; wanted a function"):
        jv.from_linen(ResNet(), variables, preprocess=3, size=(16, 16))


# ---- Flax NNX -----------------------------------------------------------------------------------


class NnxBlock(nnx.Module):
    def __init__(self, before, after, strides, relu, rngs):
        self.relu = relu
        self.one = nnx.Conv(before, after, (3, 3), strides, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(after, rngs=rngs)
        self.two = nnx.Conv(after, after, (3, 3), use_bias=False, rngs=rngs)
        self.norm2 = nnx.BatchNorm(after, rngs=rngs)
        self.side = nnx.Conv(before, after, (1, 1), strides, rngs=rngs)

    def __call__(self, x):
        y = self.relu(self.norm(self.one(x)))
        return self.relu(self.norm2(self.two(y)) + self.side(x))


class NnxResNet(nnx.Module):
    def __init__(self, relu, rngs):
        self.relu = relu
        self.stem = nnx.Conv(3, 8, (3, 3), rngs=rngs)
        self.blocks = nnx.List([NnxBlock(8, 8, 1, relu, rngs), NnxBlock(8, 16, 2, relu, rngs)])
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.out = nnx.Linear(16, 5, rngs=rngs)

    def features(self, x):
        x = self.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return x

    def __call__(self, x):
        return self.out(self.dropout(self.features(x)).mean(axis=(1, 2)))


@pytest.mark.slow
def test_a_resnet_of_flax_nnx():
    model = NnxResNet(nnx.relu, nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"runs as in training.*model\.eval\(\)"):
        jv.describe(model, size=(16, 16), preprocess=scaled)
    model.eval()
    network = jv.describe(model, size=(16, 16), preprocess=scaled)
    assert network.layer_name.startswith("value #")

    def with_relu(relu):
        twin = NnxResNet(relu, nnx.Rngs(0))
        twin.eval()
        return twin

    check(
        network,
        lambda x, relu: with_relu(relu).features(x),
        lambda a, relu: with_relu(relu).out(a.mean(axis=(1, 2))),
    )


# ---- Equinox ------------------------------------------------------------------------------------


class EquinoxNet(eqx.Module):
    conv1: eqx.nn.Conv2d
    norm1: eqx.nn.BatchNorm
    conv2: eqx.nn.Conv2d
    norm2: eqx.nn.BatchNorm
    dropout: eqx.nn.Dropout
    out: eqx.nn.Linear
    relu: object

    def __init__(self, key, relu=jax.nn.relu):
        a, b, c = jax.random.split(key, 3)
        self.conv1 = eqx.nn.Conv2d(3, 8, 3, padding=1, key=a)
        self.norm1 = eqx.nn.BatchNorm(8, axis_name="batch", mode="ema")
        self.conv2 = eqx.nn.Conv2d(8, 12, 3, stride=2, key=b)
        self.norm2 = eqx.nn.BatchNorm(12, axis_name="batch", mode="ema")
        self.dropout = eqx.nn.Dropout(0.5)
        self.out = eqx.nn.Linear(12, 5, key=c)
        self.relu = relu

    def features(self, x, state):
        y, state = self.norm1(self.conv1(x), state)
        y, state = self.norm2(self.conv2(self.relu(y)), state)
        return self.relu(y), state

    def __call__(self, x, state, key=None):
        y, state = self.features(x, state)
        y = self.dropout(y.mean(axis=(1, 2)), key=key)
        return jax.nn.softmax(self.out(y)), state


@pytest.mark.slow
def test_a_network_of_equinox_with_a_state():
    model, state = eqx.nn.make_with_state(EquinoxNet)(jax.random.key(0))
    first = jnp.moveaxis(X, -1, 1)
    in_batch = jax.vmap(model, axis_name="batch", in_axes=(0, None, 0), out_axes=(0, None))
    _, state = in_batch(first, state, jax.random.split(jax.random.key(1), 2))  # statistics
    network = jv.from_equinox(model, state, preprocess=scaled, size=(16, 16))
    assert network.name == "EquinoxNet"

    def twin(relu):
        made, _ = eqx.nn.make_with_state(EquinoxNet)(jax.random.key(0), relu)
        return eqx.nn.inference_mode(made)

    def body(x, relu):
        features = jax.vmap(lambda one: twin(relu).features(one, state)[0], axis_name="batch")
        return jnp.moveaxis(features(jnp.moveaxis(x, -1, 1)), 1, -1)

    check(network, body, lambda a, relu: jax.vmap(twin(relu).out)(a.mean(axis=(1, 2))))


# ---- other kinds of networks --------------------------------------------------------------------


def weights(*shape, seed=0):
    values = np.random.Generator(np.random.PCG64(seed)).normal(size=shape)
    return jnp.asarray(values / np.sqrt(np.prod(shape[:-1])), jnp.float32)


def conv(x, kernel, stride=1):
    letters = "WDH"[: x.ndim - 2] if x.ndim != 4 else "HW"
    numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    strides = (stride,) * (x.ndim - 2)
    return jax.lax.conv_general_dilated(x, kernel, strides, "SAME", dimension_numbers=numbers)


class Vit(nn.Module):
    """Patches, a class token, attention: as Flax's examples have it, with a ReLU in its blocks."""

    relu: object = nn.relu
    blocks: int = 2

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(12, (4, 4), (4, 4), padding="VALID", name="embedding")(x)
        x = x.reshape(x.shape[0], -1, 12)
        token = self.param("cls", nn.initializers.normal(1.0), (1, 1, 12))
        x = jnp.concatenate([jnp.tile(token, [x.shape[0], 1, 1]), x], axis=1)
        x = x + self.param("places", nn.initializers.normal(0.5), (1, 17, 12))
        for i in range(self.blocks):
            x = VitBlock(self.relu, name=f"block_{i}")(x)
        x = nn.LayerNorm(name="encoder_norm")(x)
        return nn.Dense(5, name="head")(x[:, 0])


class VitBlock(nn.Module):
    relu: object

    @nn.compact
    def __call__(self, x):
        y = nn.LayerNorm()(x)
        x = x + nn.MultiHeadDotProductAttention(num_heads=3, name="attention")(y, y)
        return x + nn.Dense(12)(self.relu(nn.Dense(24)(nn.LayerNorm()(x))))


@pytest.mark.slow
def test_a_vision_transformer():
    """Behind the last block the class token alone is read: the layer is the block before."""
    variables = Vit().init(jax.random.key(0), X)
    network = jv.from_linen(Vit(), variables, preprocess=scaled, size=(16, 16))
    assert network.layer == "block_0"
    maps = jv.explain(network.model, X, 1, layer=network.layer, grid=(4, 4), signed=True)
    empty = jv.grad_cam(network.model, X, 1, layer="block_1", grid=(4, 4))
    assert not np.any(empty)  # what a cut at the last block would show
    for name, rule in RULES.items():
        relu = lambda y, rule=rule: jv.relu(y, rule)  # noqa: E731

        @jax.jit
        def by_hand(x, relu=relu):
            def seen(x):
                _, state = Vit(relu).apply(variables, x, capture_intermediates=True)
                return state["intermediates"]["block_0"]["__call__"][0]

            def head(a):
                params = variables["params"]
                a = VitBlock(relu).apply({"params": params["block_1"]}, a)
                a = nn.LayerNorm().apply({"params": params["encoder_norm"]}, a)
                return nn.Dense(5).apply({"params": params["head"]}, a[:, 0])[:, 1].sum()

            A = seen(x)
            weight = jax.grad(head)(A)[:, 1:].mean(1, keepdims=True)
            slope = jax.grad(lambda x: head(seen(x)))(x)
            return jnp.abs(slope).max(-1), (weight * A[:, 1:]).sum(-1).reshape(2, 4, 4)

        saliency, cam = by_hand(X)
        np.testing.assert_allclose(
            np.abs(maps.saliency[name]), saliency, rtol=1e-2, atol=1e-4 * saliency.max()
        )
        scale = np.abs(cam).max()
        np.testing.assert_allclose(maps.grad_cam[name], cam, rtol=1e-2, atol=1e-4 * scale)
        assert scale > 0


def test_a_unet_with_a_score():
    """One number for every pixel and class; what is explained is the class's mean over a region."""
    kernels = [weights(3, 3, a, b, seed=i) for i, (a, b) in enumerate(((3, 6), (6, 8), (14, 8)))]
    last = weights(1, 1, 8, 4, seed=9)

    def body(x, relu=jax.nn.relu):
        high = relu(conv(x, kernels[0]))
        low = relu(conv(high, kernels[1], 2))
        up = jax.image.resize(low, (*high.shape[:3], 8), "nearest")
        return relu(conv(jnp.concatenate([high, up], axis=-1), kernels[2]))

    def head(a, relu=jax.nn.relu):
        return conv(a, last)

    def region(outputs):
        return outputs[:, 4:8, 4:8, 1].mean((1, 2))

    f = jv.expose_relu(lambda x: head(body(x)))
    point = jv.cut_points(f, X).last
    assert point.shape == (2, 16, 16, 8)
    check(jv.Network(f, (16, 16), scaled, None, point.layer, "unet"), body, head, score=region)


def test_tuple_and_dict_outputs_with_a_score():
    kernel, out = weights(3, 3, 3, 6), weights(6, 5, seed=1)

    def body(x, relu=jax.nn.relu):
        return relu(conv(x, kernel))

    def head(a, relu=jax.nn.relu):
        y = relu(a.mean((1, 2)) - 0.1)
        return {"classes": y @ out, "best": (jnp.argmax(y @ out, axis=1), y)}

    def of_two(outputs):
        return outputs["classes"][:, 1] + outputs["best"][1][:, 0]

    f = jv.expose_relu(lambda x: head(body(x)))
    check(jv.Network(f, (16, 16), scaled, None, "last", "two heads"), body, head, score=of_two)
    with pytest.raises(ValueError, match=r"returned a dict for 2 images; wanted .* score="):
        jv.saliency(f, X, 1)
    with pytest.raises(ValueError, match=r"score returned shape \(\) for an output of \(2,\), "):
        jv.saliency(f, X, score=lambda outputs: outputs["classes"].sum())


@pytest.mark.parametrize("shape", [(2, 24, 3), (2, 8, 8, 6, 1)], ids=["signal", "volume"])
def test_signals_and_volumes(shape):
    rng = np.random.Generator(np.random.PCG64(3))
    x = jnp.asarray(rng.normal(size=shape), jnp.float32)
    space = (3,) * (len(shape) - 2)
    kernels = [weights(*space, shape[-1], 6), weights(*space, 6, 8, seed=1)]
    out = weights(8, 5, seed=2)

    def body(x, relu=jax.nn.relu):
        return relu(conv(relu(conv(x, kernels[0], 2)), kernels[1]))

    def head(a, relu=jax.nn.relu):
        return a.mean(tuple(range(1, a.ndim - 1))) @ out

    f = jv.expose_relu(lambda x: head(body(x)))
    check(jv.Network(f, (1, 1), scaled, None, "last", "other"), body, head, x)


def test_two_inputs_of_a_keras_model():
    """An image and numbers: the default layer is on all paths from the image."""
    keras.utils.set_random_seed(0)
    image, numbers = keras.Input((16, 16, 3)), keras.Input((2,))
    y = keras.layers.Conv2D(6, 3, activation="relu", name="conv")(image)
    y = keras.layers.GlobalAveragePooling2D(name="gap")(y)
    y = keras.layers.Concatenate()([y, numbers])
    y = keras.layers.Dense(12, activation="relu", bias_initializer="random_normal")(y)
    model = keras.Model([image, numbers], keras.layers.Dense(1, activation="sigmoid")(y))
    rng = np.random.Generator(np.random.PCG64(3))
    numbers = jnp.asarray(rng.normal(size=(2, 2)), jnp.float32)

    def read(images):
        return scaled(images), np.asarray(numbers)[: len(images)]

    exposed = jv.cut_points(lambda x: model(list(x)), (X, numbers))
    assert exposed.last.layer == "conv"
    network = jv.Network(
        jv.expose_relu(
            jv.without_last_activation(lambda x: model(list(x)), (X, numbers))[0]
        ), (16, 16), read, None, "last", "two",
    )  # fmt: skip
    kernel, bias, hidden, hidden_bias, out, out_bias = (v.value for v in model.weights)

    def logits(pair, relu):
        y = relu(
            jax.lax.conv_general_dilated(
                pair[0], kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
            ) + bias
        )  # fmt: skip
        y = jnp.concatenate([y.mean((1, 2)), pair[1]], axis=-1)
        return relu(y @ hidden + hidden_bias) @ out + out_bias

    for name, rule in RULES.items():
        found = jv.explain(network.model, (X, numbers), 0, layer="last").saliency[name]
        by_hand = jax.grad(lambda pair, rule=rule: logits(pair, lambda y: jv.relu(y, rule)).sum())
        wanted = jax.jit(by_hand)((X, numbers))
        np.testing.assert_allclose(found[0], np.abs(wanted[0]).max(-1), rtol=1e-3, atol=1e-7)
        np.testing.assert_allclose(found[1], np.abs(wanted[1]), rtol=1e-3, atol=1e-7)


def test_a_siamese_pair():
    """Nothing that has space axes is on all paths: the layer has to be said, one of the two."""
    kernel, out = weights(3, 3, 3, 6), weights(6, 6, seed=1)

    def branch(x, relu):
        return relu(conv(x, kernel))

    def compare(a, b, relu):
        one, two = (relu(y.mean((1, 2)) @ out) for y in (a, b))
        return jnp.stack([(one * two).sum(-1), -((one - two) ** 2).sum(-1)], axis=-1)

    def f(pair):
        return compare(branch(pair[0], jax.nn.relu), branch(pair[1], jax.nn.relu), jax.nn.relu)

    pair = (X, X[::-1])
    exposed = jv.expose_relu(f)
    with pytest.raises(ValueError, match="no value with space axes lies on all paths"):
        jv.explain(exposed, pair, 1, layer="last")
    first, second = jv.cut_points(exposed, pair).points
    maps = jv.explain(exposed, pair, 1, layer=[first.layer, second.layer])
    for name, rule in RULES.items():
        relu = lambda y, rule=rule: jv.relu(y, rule)  # noqa: E731
        A = [branch(x, relu) for x in pair]
        slopes = jax.grad(lambda a, b, relu=relu: compare(a, b, relu)[:, 1].sum(), (0, 1))(*A)
        for layer, a, slope in zip((first.layer, second.layer), A, slopes, strict=True):
            cam = jnp.maximum((slope.mean((1, 2), keepdims=True) * a).sum(-1), 0)
            np.testing.assert_allclose(
                maps.grad_cam[name][layer], cam, rtol=1e-3, atol=1e-5 * float(cam.max())
            )


# ---- Keras --------------------------------------------------------------------------------------


def small_keras(end="softmax", units=3):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 3))
    y = keras.layers.Conv2D(6, 3, name="one")(inputs)
    y = keras.layers.BatchNormalization(name="norm")(y)
    y = keras.layers.ReLU(name="act")(y)
    y = keras.layers.Conv2D(8, 3, activation="relu", name="two")(y)
    y = keras.layers.Dropout(0.5)(keras.layers.MaxPooling2D(name="pool")(y))
    y = keras.layers.Dense(8, activation="relu")(keras.layers.Flatten()(y))
    model = keras.Model(inputs, keras.layers.Dense(units, activation=end)(y), name="small")
    rng = np.random.Generator(np.random.PCG64(5))
    for variable in model.weights:
        shape = variable.shape
        if variable.path.endswith("moving_variance"):
            variable.assign(rng.uniform(0.5, 2, shape))
        elif len(shape) == 1:
            variable.assign(rng.normal(0, 0.2, shape))
    return model


def test_a_keras_model_in_one_line():
    model = small_keras()
    network = jv.from_keras(model, preprocess=scaled)
    assert (network.size, network.layer, network.name) == ((16, 16), "two", "small")
    one, bias1, gamma, beta, mean, variance, two, bias2, *rest = (v.value for v in model.weights)
    names = [v.path.rpartition("/")[2] for v in model.weights][2:6]
    assert names == ["gamma", "beta", "moving_mean", "moving_variance"]
    hidden, hidden_bias, out, out_bias = rest

    def valid(x, kernel):
        dims = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=dims)

    def body(x, relu):
        y = valid(x, one) + bias1
        y = relu((y - mean) / jnp.sqrt(variance + 1e-3) * gamma + beta)
        return relu(valid(y, two) + bias2)

    def head(a, relu):
        y = jax.lax.reduce_window(a, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        y = relu(y.reshape(y.shape[0], -1) @ hidden + hidden_bias)
        return y @ out + out_bias

    check(network, body, head)


def test_a_network_of_keras_keeps_its_model_and_weights():
    model = small_keras()
    network = jv.from_keras(model, preprocess=scaled)
    exposed = network.model
    del model
    gc.collect()
    jv.explain(network.model, network.preprocess(IMAGES), 1, layer=network.layer)
    del network
    gc.collect()
    with pytest.raises(ValueError, match="the Keras model is gone"):
        exposed(X + 1)


@pytest.mark.parametrize("end", ["softmax", "sigmoid", "linear", "log_softmax"])
def test_the_last_activation_is_taken_off(end):
    network = jv.from_keras(small_keras(end), preprocess=scaled)
    wanted = small_keras("linear")(X)
    np.testing.assert_allclose(network.model(X), wanted, rtol=1e-4, atol=1e-5)
    assert network.output == ("sigmoid" if end == "sigmoid" else "softmax")


def test_one_sigmoid_unit_is_two_classes():
    network = jv.from_keras(small_keras("sigmoid", 1), preprocess="tf", labels=("no", "yes"))
    z = small_keras("linear", 1)(X)
    np.testing.assert_allclose(network.preprocess(IMAGES), X, rtol=1e-5, atol=1e-6)
    found = network.model(X)
    np.testing.assert_allclose(found[:, 1:] - found[:, :1], 2 * z, rtol=1e-4, atol=1e-5)
    assert (network.output, network.layer) == ("sigmoid", "two")
    maps = jv.explain(network.model, X, [0, 1], layer=network.layer)
    assert np.abs(maps.saliency["guided"]).max() > 0


def test_what_is_wrong_with_a_keras_model():
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3)])
    with pytest.raises(TypeError, match=r"reads \(None, None, None, 3\), which is no height"):
        jv.from_keras(model, preprocess=scaled)
    with pytest.raises(TypeError, match="of Keras, but no model"):
        jv.from_keras(keras.Sequential([keras.layers.Dense(3)]), preprocess=scaled, size=(8, 8))
    found = jv.from_keras(small_keras(), preprocess=scaled, layer="act", labels=("a", "b", "c"))
    assert (found.layer, found.class_index("b")) == ("act", 1)
    with pytest.raises(ValueError, match="labels has 2 names; wanted 3"):
        jv.from_keras(small_keras(), preprocess=scaled, labels=("a", "b"))
