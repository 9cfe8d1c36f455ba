"""A network described: what is found out by itself, what has to be told, what is refused."""

import jax
import jax.numpy as jnp
import keras
import layered
import networks
import numpy as np
import pytest

import jaxvis as jv
from jaxvis.models.network import Network, as_network, grey_level, with_layer

LABELS = ("cat", "goose", "great_white_shark", "fish", "dog")


def scaled(images):
    """Pixels from -1 to 1."""
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)


@pytest.fixture(scope="module")
def exposed():
    return jv.expose_relu(networks.nnx_module()[0])


@pytest.fixture(scope="module")
def network(exposed):
    return jv.describe(exposed, size=(8, 8), preprocess=scaled, labels=LABELS)


# ---- what can be described ----------------------------------------------------------------------


def test_a_vgg16_knows_everything():
    model = jv.VGG16(width=1 / 64, classes=3, size=40, labels=["a", "b", "c"])
    found = jv.describe(model)
    assert found == Network(model, (40, 40), jv.preprocess, ("a", "b", "c"), "block5_conv3",
                            "VGG16", "softmax")  # fmt: skip
    other = jv.describe(model, labels=["x", "y", "z"], layer="block4_conv3", name="mine")
    assert other == Network(model, (40, 40), jv.preprocess, ("x", "y", "z"), "block4_conv3", "mine")
    assert jv.describe(jv.VGG16(width=1 / 64, classes=3, size=32)).labels is None


def test_a_vgg16_without_a_classifier_is_one_too():
    """It has no logits, but a table and layers to cut."""
    model = jv.VGG16(width=1 / 64, size=32, top=False)
    assert "block5_conv3 (Conv2D)" in jv.describe(model).summary()


def test_an_exposed_function(exposed, network):
    assert network == Network(exposed, (8, 8), scaled, LABELS, "#2", "NnxNet")
    x = scaled(np.full((2, 8, 8, 3), 200, np.uint8))
    np.testing.assert_array_equal(network.forward(x), exposed(x))


def test_a_pair(exposed):
    pair = exposed.cut(0)
    found = jv.describe(pair, size=(8, 8), preprocess=scaled)
    assert found.model is pair
    x = jnp.asarray(scaled(np.full((2, 8, 8, 3), 200, np.uint8)))
    np.testing.assert_allclose(found.forward(x), exposed(x), rtol=1e-6)
    doubled = jax.tree.map(lambda a: 2 * a, pair)  # its weights are data, not closed over
    other = found._replace(model=doubled).forward
    assert jax.tree.structure(other) == jax.tree.structure(found.forward)
    assert (np.asarray(other(x)) != np.asarray(exposed(x))).any()


@pytest.mark.parametrize("kind", ["keras", "nnx", "linen", "equinox"])
def test_other_peoples_models_are_exposed(kind):
    """Their logits are their own, and the ReLUs are found: a guided gradient is another one."""
    model, f, size, preprocess = {
        "keras": keras_model, "nnx": nnx_module, "linen": linen_module, "equinox": equinox_module,
    }[kind]()  # fmt: skip
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        found = jv.describe(model, size=size, preprocess=preprocess)
        images = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (2, *size, 3), np.uint8)
        x = jnp.asarray(preprocess(images))
        np.testing.assert_allclose(found.forward(x), f(x), rtol=1e-5, atol=1e-6)
        vanilla, guided = (
            np.asarray(jv.input_gradient(found.model, x, 1, rule=rule))
            for rule in (jv.VANILLA, jv.GUIDED)
        )
    assert np.abs(vanilla - guided).max() > 1e-4 * np.abs(vanilla).max()
    assert found.name == {"keras": "small", "linen": "LinenNet"}.get(kind, type(model).__name__)
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        last = jv.cut_points(found.model, x).last
    assert found.layer == last.layer
    assert found.layer_name == (last.name or f"value {last.number}")


def keras_model():
    i = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(4, 3, activation="relu")(i)
    y = keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(y))
    model = keras.Model(i, y, name="small")
    rng = np.random.Generator(np.random.PCG64(1))  # Keras draws others every time
    model.set_weights([rng.normal(size=a.shape) for a in model.weights])
    layered.KEPT.append(model)
    return model, model, (8, 8), scaled


def nnx_module():
    model = networks.nnx_module()[0]
    return model, model, (8, 8), scaled


def linen_module():
    module = networks.LinenNet()
    variables = module.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    return module.bind(variables), lambda x: module.apply(variables, x), (8, 8), scaled


class ChannelsLast(networks.EquinoxNet):
    """Equinox has channels first; the maps are made of pixels."""

    def __call__(self, x):
        return super().__call__(jnp.moveaxis(x, -1, 1))


def equinox_module():
    model = ChannelsLast(jax.nn.relu)
    return model, model, (8, 9), scaled


def mean_of(weights, x):
    return jax.nn.relu(x).mean(axis=(1, 2)) @ weights["w"]


def mean(x, relu=jax.nn.relu):
    return relu(x).mean(axis=(1, 2))


def test_a_name_is_found():
    weights = {"w": jnp.ones((3, 5))}
    exposed = jv.expose_relu(jax.tree_util.Partial(mean_of, weights))
    for model, name in ((exposed, "mean_of"), (mean, "mean")):
        assert jv.describe(model, size=(8, 8), preprocess=scaled).name == name
        assert jv.describe(model, size=(8, 8), preprocess=scaled, name="mine").name == "mine"


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["size", "preprocess"])
def test_what_it_reads_has_to_be_told(exposed, missing):
    told = {"size": (8, 8), "preprocess": scaled}
    del told[missing]
    with pytest.raises(TypeError, match=r"ExposedRelu does not say .* wanted size=.* preprocess="):
        jv.describe(exposed, **told)


@pytest.mark.parametrize("size", [8, (8,), (8, 8, 3), (8, 0), (8.0, 8.0), [8, 8], "88"])
def test_a_size_is_two_numbers_of_pixels(exposed, size):
    with pytest.raises(ValueError, match=r"size is .*; wanted \(height, width\) in pixels"):
        jv.describe(exposed, size=size, preprocess=scaled)


@pytest.mark.parametrize("count", [4, 6])
def test_labels_are_one_per_class(exposed, count):
    with pytest.raises(ValueError, match=f"labels has {count} names; wanted 5, one per class of N"):
        jv.describe(exposed, size=(8, 8), preprocess=scaled, labels=["x"] * count)


@pytest.mark.parametrize(
    ("preprocess", "found"),
    [
        (lambda images: images, r"uint8 \(1, 8, 8, 3\)"),
        (lambda images: images.astype(np.int32), r"int32 \(1, 8, 8, 3\)"),
        (lambda images: scaled(images)[0], r"float32 \(8, 8, 3\)"),
        (lambda images: np.concatenate([scaled(images)] * 2), r"float32 \(2, 8, 8, 3\)"),
        (lambda images: scaled(images).tolist(), "a float"),
        (lambda images: None, "nothing"),
    ],
)
def test_preprocess_returns_floats_one_for_each_image(exposed, preprocess, found):
    with pytest.raises(ValueError, match=f"preprocess returned .*{found}.* wanted floats whose"):
        jv.describe(exposed, size=(8, 8), preprocess=preprocess)


def test_channels_come_last():
    """Otherwise a saliency map would be the maximum over the columns, and look like one."""
    model = networks.EquinoxNet(jax.nn.relu)
    with pytest.raises(ValueError, match=r"float32 \(1, 3, 8, 9\), channels first; wanted .*-1, 1"):
        jv.describe(
            model, size=(8, 9), preprocess=lambda images: scaled(images).transpose(0, 3, 1, 2)
        )


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (lambda x, relu=jax.nn.relu: relu(x).mean(axis=-1), r"shape \(1, 8, 8\)"),
        (lambda x, relu=jax.nn.relu: relu(x).mean(axis=(1, 2, 3)), r"shape \(1,\)"),
        (lambda x, relu=jax.nn.relu: relu(x).mean(axis=(0, 1)), r"shape \(8, 3\)"),
        (lambda x, relu=jax.nn.relu: [relu(x)], "a list"),
    ],
)
def test_a_model_returns_logits(model, shape):
    with pytest.raises(ValueError, match=f"returned {shape} for 1 images; wanted logits .1, class"):
        jv.describe(model, size=(8, 8), preprocess=scaled)


def test_what_is_no_model_and_what_takes_no_relu():
    for model, message in (
        (3, "the model is a int; wanted a callable"),
        (lambda x: x, r"takes no relu=; wanted .* jv.expose_relu\(model\)"),
        (lambda x, relu: relu(x), r"without relu=; wanted a default, as in .*relu=jax.nn.relu\)"),
        (networks.LinenNet(), "Linen module without variables; wanted them bound"),
    ):
        with pytest.raises(TypeError, match=message):
            jv.describe(model, size=(8, 8), preprocess=scaled)


def test_a_description_is_no_model(network):
    """It may be taken for one; the error says what to pass in its place."""
    with pytest.raises(TypeError, match=r"is a Network, .* jv.explain\(network.model, network.pre"):
        jv.explain(network, network.preprocess(np.zeros((1, 8, 8, 3), np.uint8)))
    with pytest.raises(TypeError, match="is a Network"):
        jv.describe(network, size=(8, 8), preprocess=scaled)


# ---- what a description does ---------------------------------------------------------------------


def test_as_network(network):
    assert as_network(network) is network
    model = jv.VGG16(width=1 / 64, classes=3, size=32)
    assert as_network(model) == jv.describe(model)
    with pytest.raises(TypeError, match="ExposedRelu does not say what it reads"):
        as_network(network.model)


def test_with_layer(network):
    assert with_layer(network, None) is network
    first = with_layer(network, 0)  # the number of the first convolution is no missing one
    assert first == jv.describe(
        network.model, size=(8, 8), preprocess=scaled, labels=LABELS, layer=0
    )
    assert (first.layer, first.layer_name) == (0, "convolution 0")
    assert first._replace(layer=network.layer) == network
    assert with_layer(network, "block").layer_name == "block"


@pytest.mark.parametrize(
    ("preprocess", "wanted"),
    [
        (jv.preprocess, 1),
        (scaled, 2 / 255),
        (lambda images: scaled(images).transpose(0, 3, 1, 2), 2 / 255),
        (lambda images: {"image": scaled(images), "size": np.zeros((len(images), 1))}, 2 / 255),
        # black is 0 and white 1 in one channel, -3 and 3 in the others: 7 levels' worth for three
        (lambda images: images / np.array([255, 42.5, 42.5]) - [0, 3, 3], (1 + 6 + 6) / 3 / 255),
    ],
)
def test_a_grey_level_of_the_input(network, preprocess, wanted):
    found = grey_level(network._replace(preprocess=preprocess, size=(6, 8)))
    assert found == pytest.approx(wanted, rel=1e-6)


def test_a_grey_level_where_every_image_is_scaled_by_itself(network):
    """From 0 to 255 such an image goes from -1 to 1, if half of it is black."""

    def standardised(images):
        floats = images.astype(np.float64)
        centred = floats - floats.mean(axis=(1, 2, 3), keepdims=True)
        return centred / centred.std(axis=(1, 2, 3), keepdims=True)

    assert grey_level(network._replace(preprocess=standardised)) == pytest.approx(2 / 255)


def test_summary_of_both_kinds(network):
    model = jv.VGG16(width=1 / 64, classes=3, size=32, param_dtype=np.float16)
    total = sum(leaf.size for leaf in jax.tree.leaves(model))
    table = jv.describe(model).summary()
    assert "predictions (Dense)         (None, 3)" in table
    assert f"Total params: {total:,} ({2 * total / 1024:.2f} KB)" in table
    lines = network.summary().splitlines()
    assert "stem   bias (4,), kernel (3, 3, 3, 4)                  112" in lines
    assert lines[-1] == "Total params: 301"
    closed = jv.describe(mean, size=(8, 8), preprocess=scaled)
    assert closed.summary().startswith("no table of layers: the model holds no weights")


def test_class_names_and_indices(network):
    assert [network.class_index(name) for name in ("goose", "Great white shark", "3")] == [1, 2, 3]
    assert [network.class_name(index) for index in range(5)] == list(LABELS)
    with pytest.raises(ValueError, match="unknown class name 'gose' among 5 classes; nearest: goo"):
        network.class_index("gose")
    with pytest.raises(ValueError, match="class index 5 is out of range; wanted 0 to 4"):
        network.class_index("5")
    nameless = network._replace(labels=None)
    assert (nameless.class_index("3"), nameless.class_name(3)) == (3, "class 3")
    with pytest.raises(ValueError, match="NnxNet has no class names, so 'goose' cannot be found"):
        nameless.class_index("goose")


def test_layer_number_zero_is_a_layer(narrow):
    assert jv.describe(narrow, layer=0).layer == 0
    assert jv.describe(narrow).layer == "block5_conv3"


def test_how_images_are_resized_for_it():
    """Nearest unless it was trained otherwise, and a filter that there is."""
    model = jv.VGG16(width=1 / 64, classes=3, size=32, labels=["x", "y", "z"])
    assert jv.describe(model).resample == "nearest"
    assert jv.describe(model, resample="bicubic").resample == "bicubic"
    with pytest.raises(
        jv.InputError, match="resample is 'cubic'; wanted one of nearest, box, bili"
    ):
        jv.describe(model, resample="cubic")
