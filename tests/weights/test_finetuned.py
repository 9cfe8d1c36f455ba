"""A VGG16 that somebody fine-tuned in Keras: every head, every form, against Keras itself."""

import json
import zipfile

import h5py
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from conftest import long, relative_error
from finetuned import (
    FORMS,
    Kind,
    base,
    base_layers,
    by_hand,
    drawn,
    logits_of,
    loose,
    network,
    saved,
)

import jaxvis as jv
from jaxvis.weights.errors import WeightsLayoutError, WeightsMismatchError

FAST = 12  # of the drawn networks, in the fast suite


def photographs(kind: Kind) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (2, *kind.size, kind.channels)).astype("f4")


@pytest.mark.parametrize(
    "seed",
    [
        *range(FAST),
        *(pytest.param(n, marks=pytest.mark.slow) for n in range(FAST, 10)),
        *(pytest.param(n, marks=[pytest.mark.slow, long]) for n in range(10, 20)),
    ],
)
def test_drawn_heads(tmp_path, seed):
    """Each has another front, pooling, row of layers, output, size and form of file."""
    kind = drawn(seed)
    model = network(kind)
    x = photographs(kind)
    found = jv.load_vgg16(saved(model, tmp_path, FORMS[seed % 2]))
    assert found.architecture.size == kind.size
    assert relative_error(found(x), logits_of(model, x)) < 1e-5


# What people make most: nested or flat, averaged, a softmax of three or one sigmoid unit.
COMMON = {
    "nested, softmax of 3": Kind("nested", rows=("dropout",)),
    "flat, one sigmoid unit": Kind("flat", rows=("dropout",), last="sigmoid 1"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", COMMON)
def test_the_six_that_were_refused(tmp_path, name, form):
    model = network(COMMON[name], optimizer=True)
    x = photographs(COMMON[name])
    found = jv.load_vgg16(saved(model, tmp_path, form), size=(32, 32) if "w" in form else None)
    assert relative_error(found(x), logits_of(model, x)) < 1e-5


@pytest.mark.slow  # Keras compiles its step of training for 10 s
def test_one_that_was_trained_a_step(tmp_path):
    kind = COMMON["nested, softmax of 3"]
    model = network(kind, optimizer=True)
    x = photographs(kind)
    before = logits_of(model, x)
    with loose():
        model.train_on_batch(x, np.zeros((2, *model.output_shape[1:]), "f4"))
    after = logits_of(model, x)
    assert relative_error(after, before) > 0
    for form in FORMS[:2]:
        found = jv.load_vgg16(saved(model, tmp_path, form))
        assert relative_error(found(x), after) < 1e-5


MAPPED = {
    "averaged": Kind("nested", (64, 32), rows=("dense relu", "batch norm", "dense relu")),
    "one unit": Kind("flat", (64, 32), pool="max", rows=("dense linear", "relu"), last="sigmoid 1"),
    "flattened": Kind("sequential", (64, 64), pool="flatten", rows=("dense relu", "dense sigmoid")),
}


@pytest.mark.parametrize("name", MAPPED)
def test_maps_are_those_of_the_network_by_hand(tmp_path, name):
    model = network(MAPPED[name])
    x = jnp.asarray(photographs(MAPPED[name]))
    read = jv.load_vgg16(saved(model, tmp_path, "m.keras"))
    found = jv.explain(read, x, 1)

    @jax.jit  # eagerly, every operation on the way back would be compiled by itself
    def gradient(x, rule):
        def unit(x):
            logits, maps = by_hand(model, x, lambda x: jv.relu(x, rule))
            return logits[:, -1 if logits.shape[1] == 1 else 1].sum(), maps

        return jax.grad(unit, has_aux=True)(x)[0]

    for rule in jv.RULES:
        with loose():
            wanted = np.abs(gradient(x, jv.RULES[rule])).max(axis=-1)
        assert relative_error(found.saliency[rule], wanted) < 1e-4, rule
    unit_of_two = found.logits.shape[1] == 2
    other = jv.explain(read, x, 0).saliency["vanilla"]
    assert (relative_error(other, found.saliency["vanilla"]) < 1e-6) == unit_of_two


def test_one_unit_is_two_classes(tmp_path):
    """Class 1 is the unit, class 0 its negative; names and probabilities likewise."""
    kind = COMMON["flat, one sigmoid unit"]
    model = network(kind)
    path = saved(model, tmp_path, "m.keras")
    made = jv.load(path, labels=["ill", "well"])
    x = photographs(kind)
    with loose():
        share = np.asarray(model(x, training=False))[:, 0]
    for row, p in zip(jv.top_k(made.model(x), labels=made.labels, output=made.output), share,
                      strict=True):  # fmt: skip
        by_name = {one.name: one.probability for one in row}
        assert by_name["well"] == pytest.approx(p, rel=1e-5)
        assert by_name["ill"] == pytest.approx(1 - p, rel=1e-5)
    assert made.class_index("well") == 1
    signed = [jv.explain(made.model, x, c, methods=["grad_cam"], rules=["vanilla"], signed=True)
              .grad_cam["vanilla"] for c in (0, 1)]  # fmt: skip
    np.testing.assert_allclose(signed[0], -signed[1], rtol=1e-6)
    with pytest.raises(WeightsMismatchError, match="has 2 classes, but labels= .* gives 1 names"):
        jv.load(path, labels=["ill"])


def test_probabilities_of_a_row_of_sigmoids(tmp_path):
    kind = Kind("flat", last="sigmoid 5")
    model = network(kind)
    made = jv.load(saved(model, tmp_path, "m.keras"))
    x = photographs(kind)
    with loose():
        wanted = np.asarray(model(x, training=False))
    rows = jv.top_k(made.model(x), k=5, output=made.output)
    found = [[one.probability for one in sorted(row)] for row in rows]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_what_is_left_off_is_said(tmp_path):
    text = jv.load(saved(network(COMMON["nested, softmax of 3"]), tmp_path, "m.keras")).summary()
    assert "The softmax of dense" in text
    assert "is left off: the outputs are logits." in text
    one = jv.load(saved(network(COMMON["flat, one sigmoid unit"]), tmp_path, "m.keras")).summary()
    assert "The sigmoid of dense" in one
    assert "Class 1 is the one unit of dense" in one
    assert "block5_conv3 (Conv2D)" in one
    assert "global_average_pooling2d" in one


# --- Weights alone --------------------------------------------------------------------------------


def hidden(pool: str = "avg") -> Kind:
    return Kind("nested", (64, 96), pool=pool, rows=("dense relu",), last="softmax 3")


@pytest.mark.parametrize("form", ["m.weights.h5", "listed.h5"])
@pytest.mark.parametrize("pool", ["avg", "max", "flatten"])
def test_weights_alone(tmp_path, pool, form):
    """What they do not tell is asked for by name, and then they load."""
    model = network(hidden(pool))
    path = saved(model, tmp_path, form if "weights" in form else "m.h5")
    if form == "listed.h5":  # as save_weights of Keras 2 leaves it
        with h5py.File(path, "r+") as file:
            del file.attrs["model_config"]
    with pytest.raises(WeightsLayoutError, match='tell what follows it; pass activation="relu"'):
        jv.load_vgg16(path, size=(64, 96))
    if pool == "flatten":
        with pytest.raises(WeightsLayoutError, match=r"6 places .* pass size=\(height, width\)"):
            jv.load_vgg16(path, activation="relu")
        with pytest.raises(WeightsMismatchError, match="6 places .*would leave 1 x 1"):
            jv.load_vgg16(path, activation="relu", size=(32, 32))
    else:
        with pytest.raises(WeightsLayoutError, match=r"not tell it; pass size=\(height"):
            jv.load_vgg16(path, activation="relu")
    found = jv.load_vgg16(path, activation="relu", size=(64, 96))
    x = photographs(hidden())
    assert relative_error(found(x), logits_of(model, x)) < 1e-5


@pytest.mark.parametrize("last", ["softmax", "sigmoid"])
def test_weights_alone_do_not_tell_what_makes_probabilities(tmp_path, last):
    """Logits are the same; a softmax is assumed, and said."""
    kind = Kind("flat", (64, 96), last=f"{last} 3")
    model = network(kind)
    path = saved(model, tmp_path, "m.weights.h5")
    x = photographs(kind)
    found = jv.load(path, size=(64, 96), last=last)
    assert found.output == last
    assert relative_error(found.model(x), logits_of(model, x)) < 1e-5
    assert f"The {last} of " in found.summary()
    silent = jv.load(path, size=(64, 96))
    assert silent.output == "softmax"
    assert "Nothing follows the last layer: probabilities are a softmax of its" in silent.summary()
    whole = saved(model, tmp_path, "m.keras")
    with pytest.raises(jv.WeightsError, match=f"itself what the network is, and last='{last}' was"):
        jv.load(whole, last=last)


def test_an_activation_of_hidden_layers_wants_hidden_layers(tmp_path):
    path = saved(network(Kind("flat", (64, 96))), tmp_path, "m.weights.h5")
    with pytest.raises(WeightsMismatchError, match="activation='relu' is of hidden .* leave"):
        jv.load_vgg16(path, size=(64, 96), activation="relu")


def test_weights_without_the_names_of_layers_ask_for_the_pooling(tmp_path):
    """Files that list only what has arrays."""
    model = network(Kind("flat", (64, 96), pool="max", last="linear 4"))
    path = saved(model, tmp_path, "m.h5")
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
        group = file["model_weights"]
        names = [n for n in group.attrs["layer_names"] if len(group[n].attrs["weight_names"])]
        group.attrs["layer_names"] = names
    with pytest.raises(
        WeightsLayoutError, match='pass pool="avg" .--pool avg. for GlobalAveragePool'
    ):
        jv.load_vgg16(path)
    x = photographs(Kind("flat", (64, 96)))
    logits = {
        pool: jv.load_vgg16(path, pool=pool, size=(64, 96))(x) for pool in ("avg", "max")
    }  # fmt: skip
    assert relative_error(logits["max"], logits_of(model, x)) < 1e-5
    assert relative_error(logits["avg"], logits["max"]) > 1e-2


def test_what_weights_alone_cannot_tell(tmp_path):
    for rows, message in (
        (("batch norm",), "a layer with arrays of its own.*save the whole model"),
        (("relu",), "without weights, and the file does not tell what it does; save the whole"),
    ):
        path = saved(network(Kind("flat", rows=rows)), tmp_path, "m.weights.h5")
        with pytest.raises(WeightsLayoutError, match=message):
            jv.load_vgg16(path, pool="avg")
    path = saved(network(Kind("flat", front="rescale")), tmp_path, "m.weights.h5")
    with pytest.raises(WeightsLayoutError, match="without weights, and the file does not tell"):
        jv.load_vgg16(path)


# --- How images are read --------------------------------------------------------------------------

MODES = {"tf": "tf", "torch": "torch", "caffe": "caffe"}


@pytest.mark.parametrize("mode", MODES)
def test_modes_are_kerass(tmp_path, mode):
    images = np.random.default_rng(2).integers(0, 256, (2, 32, 32, 3), np.uint8)
    network_ = jv.load(saved(network(Kind("flat")), tmp_path, "m.keras"), preprocess=mode)
    wanted = keras.applications.imagenet_utils.preprocess_input(images.astype("f4"), mode=mode)
    np.testing.assert_allclose(network_.preprocess(images), wanted, rtol=1e-5, atol=1e-5)
    inside = network(Kind("nested", front=mode))
    path = saved(inside, tmp_path, "inside.keras")
    raw = jv.load(path)  # which does it itself, so that images come as they are
    with loose():
        wanted = logits_of(inside, images.astype("f4"))
    assert relative_error(raw.model(raw.preprocess(images)), wanted) < 1e-5


def test_other_ways_to_read(tmp_path):
    images = np.random.default_rng(2).integers(0, 256, (2, 32, 32, 3), np.uint8)
    path = saved(network(Kind("flat")), tmp_path, "m.keras")
    assert jv.load(path).preprocess is jv.preprocess
    np.testing.assert_allclose(jv.load(path, preprocess="rescale").preprocess(images),
                               images / 255, rtol=1e-6)  # fmt: skip
    own = jv.load(path, preprocess=lambda images: images.astype("f4") - 9)
    np.testing.assert_array_equal(own.preprocess(images), images.astype("f4") - 9)
    for preprocess in ("vgg", 3):
        with pytest.raises((TypeError, ValueError), match="wanted a function.*'caffe'"):
            jv.load(path, preprocess=preprocess)


def test_one_channel(tmp_path):
    kind = Kind("flat", channels=1)
    path = saved(network(kind), tmp_path, "m.keras")
    images = np.random.default_rng(2).integers(0, 256, (2, 32, 32, 3), np.uint8)
    with pytest.raises(ValueError, match="one channel reads is not known; wanted preprocess="):
        jv.load(path)
    with pytest.raises(ValueError, match="made for three channels, but the network reads one"):
        jv.load(path, preprocess="caffe")
    made = jv.load(path, preprocess="rescale")
    from PIL import Image

    grey = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in images])
    np.testing.assert_allclose(made.preprocess(images)[..., 0] * 255, grey, atol=1.01)
    maps = jv.explain(made.model, made.preprocess(images), 1)
    assert maps.saliency["guided"].shape == (2, 32, 32)
    inside = jv.load(saved(network(Kind("flat", channels=1, front="rescale")), tmp_path, "b.keras"))
    assert inside.preprocess(images).max() > 100  # raw: the network scales it itself


# --- Refused, by name -----------------------------------------------------------------------------


def with_layer(*layers: keras.layers.Layer) -> keras.Model:
    with loose():
        y = start = keras.Input((32, 32, 3))
        y = base(y)
        for layer in layers:
            y = layer(y)
        return keras.Model(start, y)


def _layers(name: str) -> tuple:
    layers = keras.layers
    mean, last = layers.GlobalAveragePooling2D(), layers.Dense(3)
    return {
        "tanh": (mean, layers.Dense(4, activation="tanh", name="odd"), last),
        "leaky": (mean, layers.Dense(4), layers.LeakyReLU(name="odd"), last),
        "convolution": (layers.Conv2D(4, 1, name="odd"), mean, last),
        "layer norm": (mean, layers.LayerNormalization(name="odd"), last),
        "capped": (mean, layers.ReLU(max_value=6, name="odd"), last),
        "kept axes": (layers.GlobalAveragePooling2D(keepdims=True, name="odd"), layers.Flatten(),
                      last),
        "no pooling": (layers.Dense(3, name="odd"),),
        "lambda": (mean, layers.Lambda(lambda y: y * 2, name="odd"), last),
        "resized": (layers.Resizing(4, 4, name="odd"), mean, last),
    }[name]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tanh", "odd: its activation is 'tanh'; wanted one of linear, relu, softmax, sigmoid"),
        ("leaky", "odd: a layer LeakyReLU behind block5_pool"),
        ("convolution", "odd: a layer Conv2D behind block5_pool"),
        ("layer norm", "odd: a layer LayerNormalization behind block5_pool"),
        ("capped", "odd: max_value is '6'; wanted None"),
        ("kept axes", "odd: keepdims is 'True'; wanted False"),
        ("no pooling", "'odd' of the head stands behind block5_pool directly"),
        ("lambda", "odd: a layer Lambda behind block5_pool"),
        ("resized", "odd: a layer Resizing behind block5_pool"),
    ],
)
def test_other_heads_are_refused_by_name(tmp_path, name, message):
    path = saved(with_layer(*_layers(name)), tmp_path, "m.keras")
    with pytest.raises(WeightsLayoutError, match=message) as caught:
        jv.load_vgg16(path)
    assert "jv.from_keras" in str(caught.value)
    assert str(path) in str(caught.value)


def test_two_branches_are_refused(tmp_path):
    with loose():
        y = start = keras.Input((32, 32, 3))
        y = base(y)
        pools = [keras.layers.GlobalAveragePooling2D()(y), keras.layers.GlobalMaxPooling2D()(y)]
        both = keras.layers.Concatenate(name="both")(pools)
        model = keras.Model(start, keras.layers.Dense(2)(both))
    with pytest.raises(WeightsLayoutError, match="both: a layer Concatenate of 2 inputs"):
        jv.load_vgg16(saved(model, tmp_path, "m.keras"))


def test_a_layer_that_is_called_twice_is_refused(tmp_path):
    """Its arrays are there once, and it is no row of layers."""
    with loose():
        y = start = keras.Input((32, 32, 3))
        y = keras.layers.GlobalAveragePooling2D()(base(y))
        twice = keras.layers.Dense(32, activation="relu", name="twice")
        model = keras.Model(start, keras.layers.Dense(2)(twice(twice(y))))
    with pytest.raises(WeightsLayoutError, match="twice: it is called 2 times; wanted once"):
        jv.load_vgg16(saved(model, tmp_path, "m.keras"))


@pytest.mark.parametrize("nested", [False, True])
def test_layers_that_go_on_training_are_refused(tmp_path, nested):
    """Called with training=True, dropout draws whenever the model is called."""
    with loose():
        y = start = keras.Input((32, 32, 3))
        if nested:
            inside = keras.Input((32, 32, 3))
            y = keras.Model(inside, base(inside), name="odd")(y, training=True)
        else:
            y = base(y)
        y = keras.layers.GlobalAveragePooling2D()(y)
        if not nested:
            y = keras.layers.Dropout(0.5, name="odd")(y, training=True)
        model = keras.Model(start, keras.layers.Dense(2)(y))
    for form in FORMS[:2]:
        with pytest.raises(WeightsLayoutError, match="odd: it is called with training=True"):
            jv.load_vgg16(saved(model, tmp_path, form))


def test_an_activation_that_is_an_object_is_refused(tmp_path):
    """It has settings of its own, such as the 6 of a ReLU6."""
    with loose():
        y = start = keras.Input((32, 32, 3))
        y = keras.layers.GlobalAveragePooling2D()(base(y))
        y = keras.layers.Dense(4, activation=keras.layers.ReLU(max_value=6), name="odd")(y)
        model = keras.Model(start, keras.layers.Dense(2)(y))
    with pytest.raises(WeightsLayoutError, match="odd: its activation is 'an object of its own'"):
        jv.load_vgg16(saved(model, tmp_path, "m.keras"))


def test_no_classifier(tmp_path):
    path = saved(with_layer(keras.layers.GlobalAveragePooling2D()), tmp_path, "m.keras")
    with pytest.raises(WeightsLayoutError, match="without its classifier.*pass top=False"):
        jv.load_vgg16(path)
    assert not jv.load_vgg16(path, top=False).architecture.top


def test_labels_are_names_and_no_file(tmp_path):
    path = saved(network(Kind("flat")), tmp_path, "m.keras")
    with pytest.raises(TypeError, match="labels is 'names.txt', one text; wanted a sequence of na"):
        jv.load(path, labels="names.txt")


def test_preprocessing_before_what_the_file_does_itself_is_warned_of(tmp_path):
    path = saved(network(Kind("flat", front="rescale")), tmp_path, "m.keras")
    with pytest.warns(UserWarning, match="scales its input itself, and preprocess='caffe' comes"):
        jv.load(path, preprocess="caffe")
    jv.load(path, preprocess="raw")  # warnings are errors here


def test_what_the_file_says_needs_no_telling(tmp_path):
    path = saved(network(Kind("flat")), tmp_path, "m.keras")
    for options, message in (
        ({"pool": "max"}, "says itself what the network is, and pool='max' was given; leave out"),
        ({"size": (64, 64)}, r"reads 32 x 32 pixels, but size= gives \(64, 64\)"),
    ):
        with pytest.raises(jv.WeightsError, match=message):
            jv.load_vgg16(path, **options)
    for options, message in (
        ({"pool": "mean"}, "pool is 'mean'; wanted 'avg' or 'max'"),
        ({"size": 150}, r"size is 150; wanted \(height, width\)"),
        ({"activation": "elu"}, "activation is 'elu'; wanted one of linear, relu"),
        ({"last": "linear"}, "last is 'linear'; wanted 'softmax' or 'sigmoid'"),
    ):
        with pytest.raises(ValueError, match=message):
            jv.load_vgg16(path, **options)


def test_a_size_that_the_file_leaves_open(tmp_path):
    with loose():
        y = start = keras.Input((None, None, 3))
        y = keras.layers.GlobalAveragePooling2D()(base(y))
        model = keras.Model(start, keras.layers.Dense(3)(y))
    path = saved(model, tmp_path, "m.keras")
    assert jv.load_vgg16(path).architecture.size == (224, 224)
    found = jv.load_vgg16(path, size=(48, 80))
    x = np.random.default_rng(0).uniform(0, 255, (1, 48, 80, 3)).astype("f4")
    assert relative_error(found(x), logits_of(model, x)) < 1e-5


# --- Saved again ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [2, 5, 11])
def test_save_and_load(tmp_path, seed):
    kind = drawn(seed)
    first = jv.load_vgg16(saved(network(kind), tmp_path, "m.keras"))
    jv.save_vgg16(first, tmp_path / "again.h5", facts={"a": 1})
    again = jv.load_vgg16(tmp_path / "again.h5")
    assert again.architecture == first.architecture
    x = photographs(kind)
    np.testing.assert_array_equal(again(x), first(x))


# --- The archive ----------------------------------------------------------------------------------


def rewritten(path, target, change=lambda members: None, **options):
    """The archive with other members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return saved(network(Kind("flat")), tmp_path_factory.mktemp("archive"), "m.keras")


def test_a_packed_archive_loads(archive, tmp_path):
    packed = rewritten(archive, tmp_path / "p.keras", compression=zipfile.ZIP_DEFLATED)
    x = photographs(Kind("flat"))
    np.testing.assert_array_equal(jv.load_vgg16(packed)(x), jv.load_vgg16(archive)(x))


def without(name):
    return lambda members: members.pop(name)


BOMB = {"config.json": b" " * (3 << 20), "model.weights.h5": bytes(64 << 20)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("config.json"), "a Keras archive (.keras) without config.json or model.weights"),
        (without("model.weights.h5"), "without config.json or model.weights.h5"),
        (lambda m: m.update({"config.json": BOMB["config.json"]}), "config.json is .* bytes that "
         "would unpack to 3,145,728"),
        (lambda m: m.update({"model.weights.h5": BOMB["model.weights.h5"]}), "model.weights.h5 is "
         ".* bytes that would unpack to 67,108,864"),
        (lambda m: m.update({"config.json": b"\xff\xfe"}), "config.json is not UTF-8 text"),
        (lambda m: m.update({"config.json": b"{}"}), "config.json describes no Keras model"),
        (lambda m: m.update({"config.json": b"[" * 100_000}), "config.json describes no Keras"),
        (lambda m: m.update({"model.weights.h5": b"no"}), "no HDF5 file"),
        (lambda m: m.update({f"assets/{i}": b"" for i in range(1001)}), "an archive of 1,004 mem"),
    ],
)  # fmt: skip
def test_bad_archives(archive, tmp_path, change, message):
    def changed(members):
        members["metadata.json"] = members.pop("metadata.json")
        start = {"metadata.json": members["metadata.json"]}
        change(members)
        for name in list(members):
            start[name] = members[name]
        members.clear()
        members.update(start)

    path = rewritten(archive, tmp_path / "b.keras", changed, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(jv.WeightsError, match=message.replace("(", r"\(").replace(")", r"\)")):
        jv.load_vgg16(path)


def test_a_damaged_archive(archive, tmp_path):
    whole = archive.read_bytes()
    (tmp_path / "short.keras").write_bytes(whole[:-30])
    with pytest.raises(jv.WeightsError, match="archive is truncated|archive is damaged"):
        jv.load_vgg16(tmp_path / "short.keras")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1  # in the weights, of which the archive keeps a checksum
    (tmp_path / "flipped.keras").write_bytes(flipped)
    with pytest.raises(jv.WeightsError, match="archive is damaged: Bad CRC-32"):
        jv.load_vgg16(tmp_path / "flipped.keras")


def test_nothing_is_left_of_an_archive(archive, tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    jv.load_vgg16(archive)
    assert list(tmp_path.iterdir()) == []


def test_config_names_no_code_to_run(archive, tmp_path):
    """A class of somebody's own, and modules to import, are text."""

    def change(members):
        config = json.loads(members["config.json"])
        config["module"], config["registered_name"] = "os", "system"
        members["config.json"] = json.dumps(config).encode()

    x = photographs(Kind("flat"))
    path = rewritten(archive, tmp_path / "c.keras", change)
    np.testing.assert_array_equal(jv.load_vgg16(path)(x), jv.load_vgg16(archive)(x))

    def own(members):
        config = json.loads(members["config.json"])
        config["class_name"] = "Mine"
        members["config.json"] = json.dumps(config).encode()

    with pytest.raises(WeightsLayoutError, match="Mine: a class of somebody's own"):
        jv.load_vgg16(rewritten(archive, tmp_path / "d.keras", own))


def test_relus_as_layers_of_their_own(tmp_path):
    """As networks are written by hand: convolutions without activation, a ReLU behind each."""
    keras.utils.set_random_seed(2)
    with loose():
        y = start = keras.Input((32, 32, 3))
        for layer in base_layers():
            if isinstance(layer, keras.layers.Conv2D):
                layer.activation = keras.activations.linear
                y = keras.layers.ReLU()(layer(y))
            else:
                y = layer(y)
        y = keras.layers.Flatten()(y)
        model = keras.Model(start, keras.layers.Dense(3)(y))
    x = photographs(Kind("flat"))
    found = jv.load_vgg16(saved(model, tmp_path, "m.keras"))
    assert relative_error(found(x), logits_of(model, x)) < 1e-5
