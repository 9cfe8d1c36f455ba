"""Occlusion, RISE, Score-CAM and Ablation-CAM against loops that mask one image at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error, with_biases

import jaxvis as jv
from jaxvis import scores
from jaxvis.methods.rise import Grids

CLASSES = np.array([3, 0, 6])


@pytest.fixture(scope="module")
def narrow():
    """The suite's narrow VGG16 with logits of about 1, so that no probability is 0 or 1."""
    model = with_biases(jv.VGG16(width=1 / 16, classes=7, size=64))
    for array in (model.predictions.kernel, model.predictions.bias):
        array[...] = array[...] / 300
    return model


@pytest.fixture(scope="module")
def logits(narrow):
    """The same network as one program, for the loops."""
    return jax.jit(lambda x: narrow(x))


@pytest.fixture(scope="module")
def small():
    """One convolution, for what has nothing to do with the network: cut behind it, at 0."""
    rng = np.random.default_rng(2)
    kernel = jnp.asarray(rng.normal(size=(3, 3, 3, 6)) / 300, jnp.float32)
    last = jnp.asarray(rng.normal(size=(6, 7)), jnp.float32)

    def network(x):
        y = jax.lax.conv_general_dilated(
            x, kernel, (4, 4), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return jax.nn.relu(y).mean((1, 2)) @ last

    return jv.expose_relu(network)


def test_probabilities_are_none_of_0_and_1(narrow, small, pixels):
    for model in (narrow, small):
        shares = softmax(model(pixels))
        assert 1e-3 < shares.min() < shares.max() < 0.9


def test_the_small_network_tells_its_classes_and_images_apart(small, pixels):
    of = np.asarray(small(pixels))
    assert min(np.ptp(of, axis=0).max(), np.ptp(of, axis=1).min()) > 0.1


def softmax(z):
    z = np.asarray(z, np.float64)
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(("window", "stride"), [(16, 16), ((7, 30), (5, 17))])
def test_occlusion(narrow, logits, pixels, window, stride):
    height, width = window if isinstance(window, tuple) else (window, window)
    down, right = stride if isinstance(stride, tuple) else (stride, stride)
    lost, times = np.zeros((3, 64, 64)), np.zeros((64, 64))
    plain = np.asarray(logits(pixels))
    for top in range(0, 64, down):
        for left in range(0, 64, right):
            where = np.zeros((64, 64), bool)
            where[top : top + height, left : left + width] = True
            covered = np.where(where[None, ..., None], np.float32(4), pixels)
            left_over = np.asarray(logits(covered))
            for i, c in enumerate(CLASSES):
                lost[i] += where * (plain[i, c] - left_over[i, c])
            times += where
            if left + width >= 64:
                break
        if top + height >= 64:
            break
    found = jv.occlusion(
        narrow, pixels, CLASSES, window=window, stride=stride, fill=4.0, batch_size=5
    )
    assert relative_error(found, lost / times) < 1e-4


def test_occlusion_finds_what_alone_matters():
    """A score that reads one pixel falls by it where that is covered, and nowhere else."""
    model = lambda x, relu=jax.nn.relu: x[:, 5:6, 9, 0] * 3  # noqa: E731
    x = np.ones((1, 12, 12, 3), np.float32)
    found = np.asarray(jv.occlusion(model, x, 0, window=1, stride=1))
    wanted = np.zeros((1, 12, 12))
    wanted[0, 5, 9] = 3
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_rise(narrow, logits, pixels):
    key, kept = jax.random.key(5), 0.4
    found = jv.rise(narrow, pixels, CLASSES, masks=11, cells=5, kept=kept, key=key, batch_size=4)
    masks = np.asarray(Grids((64, 64), 5)((key, kept), jnp.arange(11)), np.float64)
    wanted = np.zeros((3, 64, 64))
    for mask in masks:
        seen = (pixels * mask[..., None]).astype(np.float32)
        shares = softmax(logits(seen))
        for i, c in enumerate(CLASSES):
            wanted[i] += shares[i, c] * mask
    assert relative_error(found, wanted / (11 * kept)) < 1e-4


def test_masks_of_rise():
    grids = jax.jit(Grids((30, 42), 6))
    masks = np.asarray(grids((jax.random.key(0), 0.3), jnp.arange(3000)))
    assert masks.shape == (3000, 30, 42)
    assert masks.min() >= 0
    assert masks.max() <= 1
    # Each pixel is kept with that probability, wherever it lies: otherwise the map would have a
    # shape of its own. 3,000 draws of a deviation below 0.46.
    np.testing.assert_allclose(masks.mean(axis=0), 0.3, atol=5 * 0.46 / np.sqrt(3000))
    again = grids((jax.random.key(0), 0.3), jnp.asarray([7, 2]))
    np.testing.assert_allclose(again, masks[[7, 2]], atol=1e-6)
    assert np.abs(np.diff(masks, axis=1)).max() < 1 / 4  # smooth: a cell is 5 pixels long


def test_one_mask_of_rise_by_hand():
    """A grid enlarged by one cell more than the image, half-pixel bilinear, and shifted."""
    key, number = jax.random.key(1), 4
    grid_key, shift_key = jax.random.split(jax.random.fold_in(key, number))
    grid = np.asarray(jax.random.bernoulli(grid_key, 0.5, (3, 3)), np.float64)
    shifts = np.asarray(jax.random.uniform(shift_key, (2,)))
    whole = np.asarray(jax.image.resize(jnp.asarray(grid), (16, 16), "linear"))  # 4 cells of 4
    down, right = np.floor(shifts * 4).astype(int)
    found = jax.jit(Grids((12, 12), 3))((key, 0.5), jnp.asarray([number]))[0]
    np.testing.assert_allclose(found, whole[down : down + 12, right : right + 12], atol=1e-6)


def score_cam_by_hand(narrow, logits, pixels, channels_of, weights):
    body, _ = narrow.cut("block5_conv3")
    A = np.asarray(body(pixels), np.float64)
    maps = []
    for i, c in enumerate(CLASSES):
        values = []
        for channel in channels_of(A)[i]:
            mask = np.asarray(jv.upsample(A[i, :, :, channel], (64, 64)), np.float64)
            extent = mask.max() - mask.min()
            mask = (mask - mask.min()) / extent if extent > 0 else 0 * mask
            seen = (pixels * mask[..., None]).astype(np.float32)  # all, as many as in other loops
            row = np.asarray(logits(seen))[i]
            values.append(softmax(row)[c] if weights == "class" else row[c])
        values = np.array(values) if weights == "class" else softmax(np.array(values))
        chosen = A[i][:, :, list(channels_of(A)[i])]
        maps.append(np.maximum((chosen * values).sum(axis=-1), 0))
    return np.stack(maps)


def every(A):
    return [range(A.shape[-1])] * len(A)


def most_varied(A):
    return [np.argsort(-a.reshape(-1, a.shape[-1]).std(axis=0))[:6] for a in A]


def of_any(A):
    return [sorted({*np.concatenate(most_varied(A))})] * len(A)


@pytest.mark.parametrize("weights", ["class", "channels"])
def test_score_cam(narrow, logits, pixels, weights):
    found = jv.score_cam(narrow, pixels, CLASSES, weights=weights, batch_size=5)
    wanted = score_cam_by_hand(narrow, logits, pixels, every, weights)
    assert relative_error(found, wanted) < 1e-4


@pytest.mark.parametrize("union", [False, True])
def test_fewer_channels(narrow, logits, pixels, union):
    found = jv.score_cam(narrow, pixels, CLASSES, channels=6, union=union)
    channels_of = of_any if union else most_varied
    wanted = score_cam_by_hand(narrow, logits, pixels, channels_of, "class")
    assert relative_error(found, wanted) < 1e-4


def test_only_the_union_depends_on_other_images(rng):
    """Two images that vary in different channels; each by itself takes its own."""
    body = lambda x, relu=jax.nn.relu: relu(x)  # noqa: E731
    head = lambda a, relu=jax.nn.relu: a.mean((1, 2))  # noqa: E731
    x = np.ones((2, 8, 8, 3), np.float32)
    x[0, ..., 0], x[1, ..., 1] = rng.uniform(0, 2, (2, 8, 8))
    for union in (False, True):
        alone = jv.score_cam((body, head), x[:1], 0, channels=1, union=union)
        together = jv.score_cam((body, head), x, 0, channels=1, union=union)[:1]
        assert (relative_error(together, alone) < 1e-4) == (not union)
        values = []
        for channel in [0, 1] if union else [0]:
            low, high = x[0, ..., channel].min(), x[0, ..., channel].max()
            mask = (x[0, ..., channel] - low) / (high - low) if high > low else 0 * x[0, ..., 0]
            values.append(softmax((x[0] * mask[..., None]).mean((0, 1)))[0] * x[0, ..., channel])
        assert relative_error(together[0], np.sum(values, axis=0)) < 1e-4


def test_ablation_cam(narrow, pixels):
    body, head = narrow.cut("block5_conv3")
    head = jax.jit(head)
    A = np.asarray(body(pixels))
    plain = np.asarray(head(A))
    wanted = np.zeros(A.shape[:3])
    for channel in range(A.shape[-1]):
        without = A.copy()
        without[..., channel] = 0
        logits = np.asarray(head(without))
        for i, c in enumerate(CLASSES):
            wanted[i] += (plain[i, c] - logits[i, c]) / abs(plain[i, c]) * A[i, :, :, channel]
    found = jv.ablation_cam(narrow, pixels, CLASSES, batch_size=5)
    assert relative_error(found, np.maximum(wanted, 0)) < 1e-4
    signed = jv.explain(narrow, pixels, CLASSES, methods=["ablation_cam"], signed=True)
    assert relative_error(signed["ablation_cam", "any"], wanted) < 1e-4


def test_of_a_network_whose_cut_holds_more_than_activations(narrow, pixels):
    """A skip connection crosses the cut, so that all images go on together."""
    kernel = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3, 3, 4)), jnp.float32)
    last = jnp.asarray(np.random.default_rng(1).normal(size=(7, 5)), jnp.float32)

    def network(x):
        y = jax.nn.relu(
            jax.lax.conv_general_dilated(
                x, kernel, (4, 4), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
        )
        return jnp.concatenate([y, x[:, ::4, ::4] / 60], axis=-1).mean((1, 2)) @ last

    exposed = jv.expose_relu(network)
    body, head = exposed.cut(0)
    at_cut = body(pixels)
    A = np.asarray(jax.tree.leaves(at_cut)[0])
    assert A.shape[-1] == 4
    leaves, tree = jax.tree.flatten(at_cut)
    plain = np.asarray(network(pixels))[:, 1]
    wanted = np.zeros(A.shape[:3])
    for channel in range(4):
        without = A.copy()
        without[..., channel] = 0
        lost = plain - np.asarray(head(jax.tree.unflatten(tree, [without, *leaves[1:]])))[:, 1]
        wanted += (lost / np.abs(plain))[:, None, None] * A[..., channel]
    found = jv.ablation_cam(exposed, pixels, 1, layer=0)
    assert relative_error(found, np.maximum(wanted, 0)) < 1e-4


MASKS = {
    "occlusion": {"window": 32, "stride": 32},
    "rise": {"masks": 4},
    "score_cam": {"channels": 3, "layer": 0},
    "ablation_cam": {"layer": 0},
}


@pytest.mark.parametrize("name", ["occlusion", "rise", "score_cam"])
def test_a_score_in_the_place_of_a_class(small, pixels, name):
    function, options = getattr(jv, name), MASKS[name]
    one = scores.logit(2) if name == "occlusion" else scores.probability(2)
    found = function(small, pixels, score=one, **options)
    assert relative_error(found, function(small, pixels, 2, **options)) < 1e-4


# Masks of images share one step, tried with a batch of each size; RISE's take long to compile.
@pytest.mark.parametrize(
    ("name", "batch_size"),
    [("occlusion", 2), ("occlusion", 3), ("rise", 3), ("score_cam", 2), ("ablation_cam", 2),
     ("ablation_cam", 3)],
)  # fmt: skip
def test_a_score_with_a_class_for_each_image(small, pixels, name, batch_size):
    """Its batches hold versions of one image, not one of each."""
    function, options = getattr(jv, name), {**MASKS[name], "batch_size": batch_size}
    classes = [4, 1, 0]  # as many images as a batch holds, or more
    found = function(small, pixels, score=scores.probability(classes), **options)
    alone = [
        function(small, pixels[image : image + 1], score=scores.probability(own), **options)[0]
        for image, own in enumerate(classes)
    ]
    assert relative_error(found, np.stack(alone)) < 1e-4


@pytest.mark.parametrize("name", MASKS)
def test_a_score_that_is_no_number_for_each_image(small, pixels, name):
    function = getattr(jv, name)
    with pytest.raises(ValueError, match=r"score returned shape \(\).*wanted one score per image"):
        function(small, pixels, score=jnp.sum, **MASKS[name])
    with pytest.raises(ValueError, match="has 2 classes for 3 images"):
        function(small, pixels, score=scores.logit([1, 2]), **MASKS[name])


def test_a_model_that_returns_no_row_for_an_image(small, pixels):
    def model(x, relu=jax.nn.relu):
        return small(x, relu=relu), jnp.mean(x)

    with pytest.raises(ValueError, match="wanted one row for every image in each"):
        jv.occlusion(model, pixels, score=lambda returned: returned[0][:, 1])


def test_channels_first(small, pixels):
    """Masks lie over height and width, wherever the channels are."""
    first = np.moveaxis(pixels, -1, 1)

    def model(x, relu=jax.nn.relu):
        return small(jnp.moveaxis(x, 1, -1), relu=relu)

    for function, options in (
        (jv.occlusion, {"window": 32, "stride": 32}),
        (jv.rise, {"masks": 4}),
    ):
        wanted = function(small, pixels, CLASSES, **options)
        found = function(model, first, CLASSES, channel_axis=1, **options)
        assert relative_error(found, wanted) < 1e-4
        with pytest.raises(ValueError, match=r"channels first.*channel_axis=1"):
            function(model, first, CLASSES, **options)


ERRORS = {
    "window": ("occlusion", {"window": 65}, r"window is \(65, 65\); wanted at most the image"),
    "none": ("occlusion", {"window": 0}, "window is 0; wanted a whole number, at least 1"),
    "stride": ("occlusion", {"window": 4, "stride": 8}, "some pixels would never be covered"),
    "pair": ("occlusion", {"window": (4, 4, 4)}, "wanted a number of pixels"),
    "masks": ("rise", {"masks": 0}, "masks is 0"),
    "kept": ("rise", {"kept": 1.0}, "kept is 1.0; wanted a probability between 0 and 1"),
    "channels": ("score_cam", {"channels": 33}, "channels is 33; wanted at most 32"),
    "weights": ("score_cam", {"weights": "increase"}, "weights is 'increase'"),
    "layer": ("score_cam", {"layer": "fc1"}, "a class activation map needs maps"),
    "batch": ("ablation_cam", {"batch_size": 0}, "batch_size is 0"),
    "class": ("ablation_cam", {"classes": 7}, "wanted indices from 0 to 6"),
}


@pytest.mark.parametrize(("name", "options", "message"), ERRORS.values(), ids=ERRORS)
def test_errors(narrow, pixels, name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(jv, name)(narrow, pixels, **options)


def test_what_is_no_image():
    with pytest.raises(ValueError, match="wanted images"):
        jv.rise(lambda x, relu=None: x, np.zeros((2, 5), np.float32), 0)


def test_explained_together_with_others(narrow, pixels):
    """In the order asked for, one map whatever the rules; `compile_explain` says why it cannot."""
    names = ["occlusion", "saliency", "ablation_cam"]
    maps = jv.explain(narrow, pixels, CLASSES, methods=names, rules=["guided", "vanilla"])
    assert list(maps) == [
        ("occlusion", "any"), ("saliency", "guided"), ("saliency", "vanilla"),
        ("ablation_cam", "any"),
    ]  # fmt: skip
    lost = np.asarray(jv.occlusion(narrow, pixels, CLASSES))
    np.testing.assert_allclose(maps["occlusion", "any"], np.maximum(lost, 0))
    batches = jv.explain_batches(
        narrow, pixels, CLASSES, methods=names, rules=["guided", "vanilla"], batch_size=2
    )
    assert list(batches) == list(maps)
    for name, found in batches.items():
        assert relative_error(found, maps[name]) < 1e-4
    with pytest.raises(ValueError, match="'occlusion', which runs the network many times"):
        jv.compile_explain(narrow, pixels, CLASSES, methods=names)
    layers = jv.explain(
        narrow, pixels, CLASSES, methods=["ablation_cam"], layer=["block4_conv3", "block5_conv3"]
    )
    np.testing.assert_array_equal(
        layers["ablation_cam", "any"]["block5_conv3"], maps["ablation_cam", "any"]
    )


def test_predictions_are_explained_without_classes(narrow, pixels):
    predicted = np.argmax(narrow(pixels), axis=1)
    for name in ("score_cam", "occlusion"):
        found = jv.explain(narrow, pixels, methods=[name])[name, "any"]
        wanted = jv.explain(narrow, pixels, predicted, methods=[name])[name, "any"]
        np.testing.assert_array_equal(found, wanted)


def test_masks_compile_once(small, pixels, compilations):
    options = {"window": 16, "stride": 16, "batch_size": 5}  # 16 windows: the last call is filled
    jv.occlusion(small, pixels, CLASSES, **options)
    del compilations[:]
    jv.occlusion(small, pixels + 1, CLASSES, **options)
    assert compilations == []


def test_the_network_is_compiled_once_whatever_covers_its_images(pixels):
    kernel = jnp.asarray(np.random.default_rng(2).normal(size=(3, 3, 3, 7)) / 300, jnp.float32)
    traced = []

    def network(x):
        traced.append(x.shape[0])
        y = jax.lax.conv_general_dilated(
            x, kernel, (4, 4), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return jax.nn.relu(y).mean((1, 2))

    model = jv.expose_relu(network)
    jv.occlusion(model, pixels, CLASSES, window=16, stride=16, batch_size=5)
    before = traced.count(5)
    assert before > 0
    jv.occlusion(model, pixels, CLASSES, window=20, stride=(10, 5), batch_size=5)
    jv.rise(model, pixels, CLASSES, masks=8, batch_size=5)
    assert traced.count(5) == before
