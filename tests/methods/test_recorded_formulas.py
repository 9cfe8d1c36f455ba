"""What other libraries compute, in NumPy, against what was recorded of them.

The recordings are those of tests/record_captum.py, record_pytorch_grad_cam.py and
record_tf_keras_vis_more.py, whose docstrings say the same in words. Maps at block5_conv3 are made
of the activation and the gradient that were recorded beside them; where a method asks the network
again, jaxvis's own narrow VGG16 answers, one window or channel after another.
"""

from pathlib import Path

import jax
import numpy as np
import pytest
from conftest import relative_error as of_one_array

import jaxvis as jv
from jaxvis.models import reference

RECORDED = Path(__file__).parents[1] / "recorded"
SCALES = {"": 1.0, "scaled_": 1 / 128}


def read(name: str) -> dict[str, np.ndarray]:
    with np.load(RECORDED / f"{name}.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def lab():
    return read("tf_keras_vis")


@pytest.fixture(scope="module")
def tf_keras_vis():
    return read("tf_keras_vis_more")


@pytest.fixture(scope="module")
def captum():
    return read("captum")


@pytest.fixture(scope="module")
def pytorch_grad_cam():
    return read("pytorch_grad_cam")


def relative_error(found, wanted):
    """Return the largest relative error of an image, each by the largest value of its own."""
    assert len(found) == len(wanted)
    return max(map(of_one_array, found, wanted))


class Network:
    """Logits of the narrow VGG16, of an input or of an activation of block5_conv3."""

    def __init__(self) -> None:
        self.model = jv.load_vgg16(RECORDED / "narrow_vgg16.h5")
        self.weights = reference.weights_of(self.model)
        _, head = self.model.cut("block5_conv3")
        self.of_input = jax.jit(lambda x: self.model(x))
        self.of_activation = jax.jit(lambda a: head(a))

    def scores(self, inputs, image, classes, scale=1.0, *, at_layer=False):
        """Return the logit of that image's class for every input."""
        run = self.of_activation if at_layer else self.of_input
        logits = np.asarray(run(np.float32(inputs)), np.float64)
        return logits[:, classes[image]] * scale

    def gradient(self, x, classes, rule=jv.VANILLA):
        return np.asarray(jv.input_gradient(self.model, np.float32(x), classes, rule=rule))


@pytest.fixture(scope="module")
def network():
    return Network()


def positive(x):
    return np.maximum(x, 0)


def over_space(x, how=np.sum):
    return how(x, axis=(1, 2), keepdims=True)


def weighted(weights, A):
    """Sum over c of w_c A_c; weights (n, c), or with axes for height and width."""
    if weights.ndim == 2:
        weights = weights[:, None, None]
    return (weights * A).sum(axis=-1)


def divided(a, b):
    """Return a / b, and 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b != 0)


def first_component(M):
    """Return, image by image, M centred, times its first right singular vector."""
    n, height, width, channels = M.shape
    maps = []
    for places in M.reshape(n, height * width, channels):
        centred = places - places.mean(axis=0)
        maps.append(centred @ np.linalg.svd(centred)[2][0])
    return np.reshape(maps, (n, height, width))


def up_to_sign(found, wanted):
    """Return the largest relative error, each image with the sign that suits it."""
    signs = np.sign((found * wanted).sum(axis=(1, 2), keepdims=True))
    return relative_error(signs * found, wanted)


def half_pixel(maps, size):
    """Enlarge (n, h, w) bilinearly, pixel centres on pixel centres, the edge repeated."""

    def matrix(before):
        place = np.clip((np.arange(size) + 0.5) * before / size - 0.5, 0, before - 1)
        return positive(1 - np.abs(place[:, None] - np.arange(before)))

    return matrix(maps.shape[1]) @ maps @ matrix(maps.shape[2]).T


def to_unit(maps, epsilon):
    low = maps.min(axis=(1, 2), keepdims=True)
    return (maps - low) / (maps.max(axis=(1, 2), keepdims=True) - low + epsilon)


def smooth(seed, shape):
    return np.random.RandomState(seed).standard_normal(shape)


# Activation and gradients themselves


def test_the_libraries_saw_the_same_network(lab, captum, pytorch_grad_cam, tf_keras_vis, network):
    logits, tape = reference.forward(network.weights, lab["x"])
    seed = reference.one_hot(lab["classes"], logits.shape)
    gradient = reference.backward(network.weights, tape, seed, jv.VANILLA, stop="block5_conv3")
    for peer in (captum, pytorch_grad_cam, tf_keras_vis):
        assert relative_error(peer["activation"], tape.outputs["block5_conv3"]) < 1e-4
        assert relative_error(peer["activation_gradient"], gradient) < 1e-4
        assert (peer["classes"] == lab["classes"]).all()
    for peer in (pytorch_grad_cam, tf_keras_vis):
        assert peer["logit_scale"] == 1 / 128
        assert relative_error(peer["scaled_activation_gradient"], gradient / 128) < 1e-4
    assert relative_error(pytorch_grad_cam["logits"], logits) < 1e-4
    of_input = network.gradient(lab["x"], lab["classes"])
    assert relative_error(pytorch_grad_cam["input_gradient"], of_input) < 1e-4


# pytorch-grad-cam


def weights_plus_plus(A, g):
    alpha = g**2 / (2 * g**2 + over_space(A) * g**3 + 1e-6)
    return (positive(g) * np.where(g != 0, alpha, 0)).sum(axis=(1, 2))


def weights_xgrad(A, g):
    return (g * A / (over_space(A) + 1e-7)).sum(axis=(1, 2))


SIGNED = {
    "grad_cam": lambda A, g: weighted(over_space(g, np.mean), A),
    "grad_cam_plus_plus": lambda A, g: weighted(weights_plus_plus(A, g), A),
    "xgrad_cam": lambda A, g: weighted(weights_xgrad(A, g), A),
    "hires_cam": lambda A, g: (g * A).sum(axis=-1),
    "element_wise": lambda A, g: positive(g * A).sum(axis=-1),
    "layer_cam": lambda A, g: (positive(g) * A).sum(axis=-1),
}
COMPONENTS = {
    "eigen_cam": lambda A, g: A,
    "eigen_grad_cam": lambda A, g: g * A,
    "grad_cam_eigen_smooth": lambda A, g: over_space(g, np.mean) * A,
    "seg_eigen_cam": lambda A, g: np.abs(g) * A,
}


@pytest.mark.parametrize("prefix", SCALES)
@pytest.mark.parametrize("name", SIGNED)
def test_pytorch_grad_cam(pytorch_grad_cam, name, prefix):
    A, g = at_layer(pytorch_grad_cam, prefix)
    assert relative_error(SIGNED[name](A, g), pytorch_grad_cam[prefix + name]) < 1e-4


@pytest.mark.parametrize("prefix", SCALES)
@pytest.mark.parametrize("name", COMPONENTS)
def test_pytorch_grad_cam_components(pytorch_grad_cam, name, prefix):
    found = first_component(COMPONENTS[name](*at_layer(pytorch_grad_cam, prefix)))
    theirs = pytorch_grad_cam[prefix + name]
    assert up_to_sign(found, theirs) < 1e-4
    if name == "seg_eigen_cam":
        assert (theirs.max(axis=(1, 2)) >= -theirs.min(axis=(1, 2))).all()


def test_pytorch_grad_cam_shown(pytorch_grad_cam):
    small = to_unit(positive(pytorch_grad_cam["grad_cam"]), 1e-7)
    shown = to_unit(half_pixel(small, 64), 1e-7)
    assert relative_error(shown, pytorch_grad_cam["grad_cam_shown"]) < 1e-4


@pytest.mark.parametrize("prefix", SCALES)
def test_pytorch_ablation_cam(pytorch_grad_cam, network, prefix):
    A, _ = at_layer(pytorch_grad_cam, prefix)
    assert (A.min(axis=(1, 2, 3)) == 0).all()
    classes = pytorch_grad_cam["classes"]
    drop = drops(network, A, classes, SCALES[prefix])
    score = pytorch_grad_cam[f"{prefix}logits"][np.arange(3), classes]
    assert score.min() < 0 < score.max()
    weights = drop / score[:, None]
    assert relative_error(weights, pytorch_grad_cam[f"{prefix}ablation_cam_weights"]) < 1e-4
    assert relative_error(weighted(weights, A), pytorch_grad_cam[f"{prefix}ablation_cam"]) < 1e-4


@pytest.mark.parametrize("prefix", SCALES)
def test_pytorch_score_cam(pytorch_grad_cam, lab, network, prefix):
    A, _ = at_layer(pytorch_grad_cam, prefix)
    rows = []
    for image in range(3):
        masks = to_unit(jv.upsample(A[image].transpose(2, 0, 1), (64, 64)), 1e-8)
        masked = masks[..., None] * lab["x"][image]
        scores = network.scores(masked, image, lab["classes"], SCALES[prefix])
        rows.append(softmax(scores))
    weights = np.array(rows)
    assert relative_error(weights, pytorch_grad_cam[f"{prefix}score_cam_weights"]) < 1e-4
    assert relative_error(weighted(weights, A), pytorch_grad_cam[f"{prefix}score_cam"]) < 1e-4


def test_pytorch_full_grad(pytorch_grad_cam, lab, network):
    def shown(channels):
        return half_pixel(to_unit(np.concatenate(np.moveaxis(channels, -1, 1)), 1e-7), 64)

    x, weights = lab["x"], network.weights
    logits, tape = reference.forward(weights, x)
    seed = reference.one_hot(lab["classes"], logits.shape)
    gradient = reference.backward(weights, tape, seed, jv.VANILLA)
    total = shown(np.abs(x * gradient)).reshape(3, 3, 64, 64).sum(axis=1)
    for name in [name for name in tape.sums if name.startswith("block")]:
        gradient = reference.backward(weights, tape, seed, jv.VANILLA, stop=name)
        gradient = reference.relu_backward(tape.sums[name], gradient, jv.VANILLA)
        bias = weights[name][1]
        maps = shown(np.abs(bias * gradient))
        total += maps.reshape(3, len(bias), 64, 64).sum(axis=1)
    assert relative_error(total, pytorch_grad_cam["full_grad"]) < 1e-4


# tf-keras-vis


def test_tf_keras_vis_grad_cam_plus_plus(tf_keras_vis, lab):
    A, g = at_layer(tf_keras_vis, "scaled_")
    score = lab["logits"][np.arange(3), lab["classes"]] / 128
    alpha = divided(g**2, 2 * g**2 + over_space(A) * g**3)
    alpha = divided(alpha, over_space(alpha))
    exponential = np.exp(score.astype(np.float64))[:, None]
    weights = exponential * (positive(g) * alpha).sum(axis=(1, 2))
    found = positive(weighted(weights, A))
    assert relative_error(found, tf_keras_vis["scaled_grad_cam_plus_plus"]) < 1e-4


def test_tf_keras_vis_grad_cam_plus_plus_overflows(tf_keras_vis, lab):
    """The logits of the three classes are -241, 584 and 175: exp is 0 or infinite in float32."""
    theirs = tf_keras_vis["grad_cam_plus_plus"]
    assert not theirs[0].any()
    assert np.isnan(theirs[1:]).all()


@pytest.mark.parametrize("prefix", SCALES)
def test_tf_keras_vis_layer_cam(tf_keras_vis, prefix):
    A, g = at_layer(tf_keras_vis, prefix)
    found = positive((positive(g) * A).sum(axis=-1))
    assert relative_error(found, tf_keras_vis[f"{prefix}layer_cam"]) < 1e-4


@pytest.mark.parametrize(
    ("kind", "most"),
    [("", None), ("", 4), ("scaled_", None), ("scaled_", 4), ("softmax", None)],
)
def test_tf_keras_vis_score_cam(tf_keras_vis, lab, network, kind, most):
    scale = SCALES.get(kind, 1 / 128)
    A, _ = at_layer(tf_keras_vis, "")
    if most:
        largest = np.argsort(-A.std(axis=(1, 2)), axis=1)[:, :most]
        A = A[..., np.unique(largest)]
        assert A.shape[-1] == 5  # not every image has the same four
    rows = []
    for image in range(3):
        masks = to_unit(jv.upsample(A[image].transpose(2, 0, 1), (64, 64)), 1e-7)
        masked = np.float32(masks[..., None] * lab["x"][image])
        outputs = np.asarray(network.of_input(masked), np.float64) * scale
        if kind == "softmax":
            outputs = softmax(outputs)
        rows.append(softmax(outputs)[:, lab["classes"][image]])
    found = positive(weighted(np.array(rows), A))
    name = f"{kind}score_cam" if kind != "softmax" else "scaled_score_cam_of_softmax"
    theirs = tf_keras_vis[f"{name}_of_4" if most else name]
    if kind:
        assert relative_error(found, theirs) < 1e-4
    else:
        assert np.abs(found - theirs).max() < 1e-3 * A.max()


def test_tf_keras_vis_smooth_grad(tf_keras_vis, lab, network):
    x, classes = lab["x"], lab["classes"]
    z = smooth(tf_keras_vis["noise_seed"], (4, 3, 64, 64, 3))
    assert np.allclose(z[:, :, ::16, ::16], tf_keras_vis["noise_corner"])
    span = np.ptp(x, axis=(1, 2, 3), keepdims=True)
    gradients = np.array([network.gradient(x + 0.2 * span * one, classes) for one in z])
    absolute = np.abs(gradients).mean(axis=0).max(axis=-1)
    assert relative_error(absolute, tf_keras_vis["smooth_grad"]) < 1e-4
    signed = gradients.mean(axis=0)[..., 0]
    assert relative_error(signed, tf_keras_vis["smooth_grad_signed"]) < 1e-4


# Captum


def test_captum_input_x_gradient(captum, lab, network):
    found = lab["x"] * network.gradient(lab["x"], lab["classes"])
    assert relative_error(found, captum["input_x_gradient"]) < 1e-4


def test_captum_guided_backprop(captum, lab, network):
    found = network.gradient(lab["x"], lab["classes"], jv.GUIDED)
    assert relative_error(found[..., 0], captum["guided_backprop"]) < 1e-4


def integrated(network, x, classes, baseline, nodes, weights):
    """Return the attributions and their sum less what it should be."""
    total = sum(
        weight * network.gradient(baseline + node * (x - baseline), classes).astype(np.float64)
        for node, weight in zip(nodes, weights, strict=True)
    )
    map_ = (x - baseline) * total
    ends = [network.of_input(np.float32(end)) for end in (x, np.full_like(x, baseline))]
    rise = np.subtract(*(np.asarray(end, np.float64)[np.arange(3), classes] for end in ends))
    return map_, map_.sum(axis=(1, 2, 3)) - rise


@pytest.mark.parametrize("suffix", ["", "_from_baseline"])
def test_captum_integrated_gradients(captum, lab, network, suffix):
    nodes, weights = np.polynomial.legendre.leggauss(16)
    baseline = float(captum["baseline"]) if suffix else 0.0
    map_, delta = integrated(
        network, lab["x"], lab["classes"], baseline, (1 + nodes) / 2, weights / 2
    )
    theirs = captum[f"integrated_gradients{suffix}"]
    assert relative_error(map_[..., 0] if suffix else map_, theirs) < 1e-4
    # Less of two sums of hundreds, of 12288 values each: float32 leaves that many places
    assert relative_error(delta, captum[f"integrated_gradients{suffix}_delta"]) < 1e-3


@pytest.mark.parametrize(
    ("rule", "nodes", "weights"),
    [
        ("right", np.arange(1, 17) / 16, np.full(16, 1 / 16)),
        ("middle", (np.arange(16) + 0.5) / 16, np.full(16, 1 / 16)),
    ],
)
def test_captum_riemann_sums(captum, lab, network, rule, nodes, weights):
    """Of its rules "left" and "trapezoid" begin at the baseline, an even image, in which a pool's
    values differ by rounding alone: whose gradient passes there depends on the processor."""
    _, delta = integrated(network, lab["x"], lab["classes"], 0.0, nodes, weights)
    assert relative_error(delta, captum[f"integrated_gradients_{rule}_delta"]) < 1e-3


@pytest.mark.parametrize(
    ("name", "window", "stride"),
    [("occlusion", 16, 8), ("occlusion_uneven", 20, 16), ("occlusion_from_baseline", 16, 8)],
)
def test_captum_occlusion(captum, lab, network, name, window, stride):
    baseline = captum["baseline"] if name.endswith("baseline") else 0
    starts = stride * np.arange(-(-(64 - window) // stride) + 1)
    windows = np.zeros((len(starts), len(starts), 64, 64))
    for i, top in enumerate(starts):
        for j, left in enumerate(starts):
            windows[i, j, top : top + window, left : left + window] = 1
    windows = windows.reshape(-1, 64, 64)
    for image in range(3):
        fall = falls(network, lab, image, windows, baseline)
        found = np.tensordot(fall, windows, 1) / windows.sum(axis=0)
        assert of_one_array(found, captum[name][image]) < 1e-4


def test_captum_feature_ablation(captum, lab, network):
    squares = np.kron(np.eye(16).reshape(16, 4, 4), np.ones((16, 16)))
    for image in range(3):
        found = np.tensordot(falls(network, lab, image, squares, 0), squares, 1)
        assert of_one_array(found, captum["feature_ablation"][image]) < 1e-4


def falls(network, lab, image, masks, baseline):
    """Return by how much the score falls for each mask, in which the input becomes `baseline`."""
    x = lab["x"][image]
    changed = np.where(masks[..., None] > 0, baseline, x)
    before = network.scores(x[None], image, lab["classes"])
    return before - network.scores(changed, image, lab["classes"])


def test_captum_layer_grad_cam(captum, lab, network):
    A, g = at_layer(captum, "")
    signed = weighted(over_space(g, np.mean), A)
    assert signed.min() < 0
    assert relative_error(signed, captum["layer_grad_cam"]) < 1e-4
    assert relative_error(half_pixel(signed, 64)[:1], captum["layer_grad_cam_bilinear"]) < 1e-4
    _, tape = reference.forward(network.weights, lab["x"])
    sums = tape.sums["block5_conv3"]
    of_sums = weighted(over_space(g * (sums > 0), np.mean), sums)
    assert relative_error(of_sums, captum["layer_grad_cam_of_sums"]) < 1e-4
    guided = network.gradient(lab["x"], lab["classes"], jv.GUIDED)
    repeated = np.kron(positive(signed), np.ones((16, 16)))
    assert relative_error(guided * repeated[..., None], captum["guided_grad_cam"]) < 1e-4
    assert relative_error(g * A, captum["layer_gradient_x_activation"]) < 1e-4


def test_captum_layer_feature_ablation(captum, network):
    A, _ = at_layer(captum, "")
    found = drops(network, A, captum["classes"], 1.0)
    assert relative_error(found, captum["layer_feature_ablation"]) < 1e-4


def test_captum_noise_tunnel(captum, lab, network):
    z = smooth(captum["noise_seed"], (12, 3, 64, 64))
    assert np.allclose(z[:, :, ::16, ::16], captum["noise_corner"])
    noise = z.reshape(3, 4, 3, 64, 64).transpose(1, 0, 3, 4, 2) * captum["noise_deviation"]
    gradients = np.array([network.gradient(lab["x"] + one, lab["classes"]) for one in noise])
    gradients = gradients.astype(np.float64)[..., 0]
    mean, squares = gradients.mean(axis=0), (gradients**2).mean(axis=0)
    assert relative_error(mean, captum["smooth_grad"]) < 1e-4
    assert relative_error(squares[:1], captum["smooth_grad_squared"]) < 1e-4
    assert relative_error(squares - mean**2, captum["var_grad"]) < 1e-4


def at_layer(peer, prefix):
    """Return the activation of block5_conv3 and the gradient there, in float64."""
    gradient = peer[f"{prefix}activation_gradient"]
    return peer["activation"].astype(np.float64), gradient.astype(np.float64)


def drops(network, A, classes, scale):
    """Return by how much each image's score falls without each of the channels, (n, channels)."""
    channels = A.shape[-1]
    rows = []
    for image in range(len(A)):
        without = A[image] * (1 - np.eye(channels))[:, None, None]
        before = network.scores(A[image][None], image, classes, scale, at_layer=True)
        rows.append(before - network.scores(without, image, classes, scale, at_layer=True))
    return np.array(rows)


def softmax(x):
    exponential = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponential / exponential.sum(axis=-1, keepdims=True)
