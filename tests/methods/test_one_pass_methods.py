"""Every method of the one pass, under every rule, against its paper's formula in float64 NumPy.

The arrays come from the NumPy twin of VGG16, and sums are written as loops over channels.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error
from scipy.ndimage import zoom

import jaxvis as jv
from jaxvis.gradients.relu import RULES
from jaxvis.methods.catalogue import FROM_ONE_PASS
from jaxvis.methods.eigen_cam import principal
from jaxvis.methods.enlarge import enlarged
from jaxvis.models import reference

CLASSES = np.array([3, 0, 6])
LAYER = "block5_conv3"
FUNCTIONS = {
    "saliency": jv.saliency, "input_x_gradient": jv.input_x_gradient,
    "guided_grad_cam": jv.guided_grad_cam, "grad_cam": jv.grad_cam,
    "grad_cam_plus_plus": jv.grad_cam_plus_plus, "layer_cam": jv.layer_cam,
    "hires_cam": jv.hires_cam, "xgrad_cam": jv.xgrad_cam,
}  # fmt: skip


class Twin:
    """A network's arrays in float64, for one rule."""

    def __init__(self, model, x, rule):
        weights = reference.weights_of(model)
        logits, tape = reference.forward(weights, x)
        top = reference.one_hot(CLASSES, logits.shape)
        self.x = np.asarray(x, np.float64)
        self.gradient = reference.backward(weights, tape, top, rule)
        self.A = tape.outputs[LAYER]
        self.g = reference.backward(weights, tape, top, rule, stop=LAYER)
        self.plain = reference.backward(weights, tape, top, jv.VANILLA, stop=LAYER)


def strongest(gradient):
    place = np.abs(gradient).argmax(axis=-1)[..., None]
    return np.take_along_axis(gradient, place, axis=-1)[..., 0]


def cam(A, weight):
    """sum_c weight(image, c) A_c, channel by channel."""
    found = np.zeros(A.shape[:3])
    for i in range(A.shape[0]):
        for c in range(A.shape[3]):
            found[i] += weight(i, c) * A[i, :, :, c]
    return found


def plus_plus(t, normalized=False):
    def weight(i, c):
        g, total = t.g[i, :, :, c], t.A[i, :, :, c].sum()
        below = 2 * g**2 + total * g**3
        alpha = np.divide(g**2, below, out=np.zeros_like(g), where=below != 0)
        if normalized and alpha.sum() != 0:
            alpha = alpha / alpha.sum()
        return (alpha * np.maximum(g, 0)).sum()

    return cam(t.A, weight)


def xgrad(t):
    def weight(i, c):
        A, g = t.A[i, :, :, c], t.g[i, :, :, c]
        return (A * g).sum() / A.sum() if A.sum() else 0

    return cam(t.A, weight)


def eigen(t):
    maps = []
    for A in t.A:
        u, s, _ = np.linalg.svd(A.reshape(-1, A.shape[-1]), full_matrices=False)
        one = u[:, 0] * s[0]
        maps.append((one * (1 if one.sum() > 0 else -1)).reshape(A.shape[:2]))
    return np.stack(maps)


def guided_product(t):
    small = np.maximum(cam(t.A, lambda i, c: t.plain[i, :, :, c].mean()), 0)
    factor = t.x.shape[1] / small.shape[1]
    return strongest(t.gradient) * np.stack([zoom(one, factor, order=1) for one in small])


BY_HAND = {
    "saliency": lambda t: strongest(t.gradient),
    "input_x_gradient": lambda t: (t.gradient * t.x).sum(axis=-1),
    "guided_grad_cam": guided_product,
    "grad_cam": lambda t: cam(t.A, lambda i, c: t.g[i, :, :, c].mean()),
    "grad_cam_plus_plus": plus_plus,
    "layer_cam": lambda t: (np.maximum(t.g, 0) * t.A).sum(axis=-1),
    "hires_cam": lambda t: (t.g * t.A).sum(axis=-1),
    "xgrad_cam": xgrad,
    "eigen_cam": eigen,
}


@pytest.fixture(scope="module")
def x():
    return np.random.Generator(np.random.PCG64(0)).normal(0, 60, (3, 64, 64, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def twins(narrow, x):
    return {name: Twin(narrow, x, rule) for name, rule in RULES.items()}


@pytest.fixture(scope="module")
def signed(narrow, x):
    names = [method.name for method in FROM_ONE_PASS]
    return jv.explain(narrow, x, CLASSES, methods=names, signed=True)


def test_all_of_them_have_an_oracle(signed):
    assert set(signed.methods) == set(BY_HAND)
    assert list(signed.eigen_cam) == ["any"]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", BY_HAND)
def test_formulas(signed, twins, name, rule):
    found = signed[name, "any" if name == "eigen_cam" else rule]
    wanted = BY_HAND[name](twins[rule])
    assert np.abs(wanted).max() > 0
    assert relative_error(found, wanted) < 1e-4


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_give_the_same(narrow, x, signed, name, rule):
    found = FUNCTIONS[name](narrow, x, CLASSES, rule=RULES[rule])
    wanted = np.asarray(signed[name, rule])
    if name == "saliency":
        wanted = np.abs(wanted)
    elif name not in ("input_x_gradient", "guided_grad_cam"):
        wanted = np.maximum(wanted, 0)
    assert relative_error(found, wanted) < 1e-5


def test_eigen_cam(narrow, x, signed):
    found = jv.eigen_cam(narrow, x)
    assert relative_error(found, np.maximum(signed.eigen_cam["any"], 0)) < 1e-5


@pytest.mark.parametrize("rule", RULES)
def test_plus_plus_normalized(narrow, x, twins, rule):
    found = jv.grad_cam_plus_plus(narrow, x, CLASSES, rule=RULES[rule], normalized=True)
    wanted = np.maximum(plus_plus(twins[rule], normalized=True), 0)
    assert relative_error(found, wanted) < 1e-3
    assert relative_error(found, np.maximum(plus_plus(twins[rule]), 0)) > 1e-2


def test_guided_grad_cam_is_not_grad_cam_under_the_guided_rule(signed):
    ratio = np.asarray(signed["guided_grad_cam", "guided"])
    both = np.asarray(signed["saliency", "guided"])
    layer = np.abs(ratio).sum() / np.abs(both).sum()
    assert layer > 0
    for i in range(3):  # the same Grad-CAM lies under all rules
        cams = []
        for rule in RULES:
            known = np.asarray(signed["saliency", rule][i])
            usable = np.abs(known) > 0.3 * np.abs(known).max()
            product = np.asarray(signed["guided_grad_cam", rule][i])
            cams.append(np.where(usable, product / np.where(usable, known, 1), np.nan))
        for other in cams[1:]:
            there = ~np.isnan(cams[0]) & ~np.isnan(other)
            np.testing.assert_allclose(cams[0][there], other[there], rtol=1e-3, atol=1e-3)


def test_a_channel_of_zeros_and_a_gradient_of_zeros():
    """0 / 0 in XGrad-CAM and Grad-CAM++: the channel has no weight, and no map is NaN."""
    body = lambda x, relu=jax.nn.relu: relu(x)  # noqa: E731
    head = lambda a, relu=jax.nn.relu: a.sum((1, 2))[:, :2]  # noqa: E731
    image = jnp.stack([jnp.ones((4, 4)), -jnp.ones((4, 4)), jnp.full((4, 4), 2.0)], axis=-1)[None]
    for name in ("xgrad_cam", "grad_cam_plus_plus", "eigen_cam", "layer_cam", "hires_cam"):
        maps = jv.explain((body, head), image, 1, methods=[name])[name]
        for found in maps.values():
            assert np.isfinite(found).all()
    assert not np.asarray(jv.xgrad_cam((body, head), image, 1)).any()
    np.testing.assert_allclose(jv.xgrad_cam((body, head), image, 0), np.ones((1, 4, 4)))


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (6, 6)])
@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e25])
def test_principal_component_of_any_shape_and_scale(rng, shape, scale):
    matrix = (np.abs(rng.normal(size=shape)) * scale).astype(np.float32)
    _u, _s, v = np.linalg.svd(matrix.astype(np.float64))
    wanted = matrix.astype(np.float64) @ v[0]
    wanted *= np.sign(wanted.sum())
    assert relative_error(principal(jnp.asarray(matrix)), wanted) < 1e-4


def test_principal_component_of_zeros():
    assert not np.asarray(principal(jnp.zeros((4, 3)))).any()


def test_enlarged_is_upsample(rng):
    maps = rng.normal(size=(2, 5, 7)).astype(np.float32)
    np.testing.assert_allclose(
        enlarged(jnp.asarray(maps), (11, 20)), jv.upsample(maps, (11, 20)), rtol=1e-5, atol=1e-6
    )


def test_hires_cam_adds_up_to_a_linear_head(rng):
    """Completeness: where all above the layer is linear without biases."""
    kernel = jnp.asarray(rng.normal(size=(3, 4)), jnp.float32)
    body = lambda x, relu=jax.nn.relu: relu(x)  # noqa: E731
    head = lambda a, relu=jax.nn.relu: a.mean((1, 2)) @ kernel  # noqa: E731
    x = rng.normal(size=(2, 4, 4, 3)).astype(np.float32)
    maps = jv.explain((body, head), x, 2, methods=["hires_cam", "xgrad_cam"], signed=True)
    for name in ("hires_cam", "xgrad_cam"):
        total = np.asarray(maps[name, "vanilla"]).sum(axis=(1, 2))
        np.testing.assert_allclose(total, np.asarray(maps.logits)[:, 2], rtol=1e-4)


def test_several_layers(narrow, x):
    """A map at the input that is made of a layer too is a dict by layer, as those of layers are."""
    layers = ["block4_conv3", LAYER]
    found = jv.explain(narrow, x, CLASSES, methods=["guided_grad_cam", "saliency"], layer=layers)
    assert list(found["guided_grad_cam", "guided"]) == layers
    for layer in layers:
        wanted = np.abs(jv.guided_grad_cam(narrow, x, CLASSES, layer=layer))
        assert relative_error(found["guided_grad_cam", "guided"][layer], wanted) < 1e-4
    assert found["saliency", "guided"].shape == (3, 64, 64)


def test_several_classes(narrow, x):
    classes = np.array([[3, 1], [0, 2], [6, 5]])
    names = ["grad_cam_plus_plus", "guided_grad_cam", "eigen_cam"]
    found = jv.explain(narrow, x, classes, methods=names)
    for k in range(2):
        one = jv.explain(narrow, x, classes[:, k], methods=names)
        for name, wanted in one.items():
            assert relative_error(found[name][:, k], wanted) < 1e-4


def test_variants_of_plus_plus_compile_once(narrow, x, compilations):
    for options in ({"normalized": True}, {"epsilon": 1e-3}):
        jv.grad_cam_plus_plus(narrow, x, CLASSES, **options)
        del compilations[:]
        jax.block_until_ready(jv.grad_cam_plus_plus(narrow, x, CLASSES, **options))
        assert compilations == []
    with pytest.raises(ValueError, match="epsilon is -1; wanted a number, at least 0"):
        jv.grad_cam_plus_plus(narrow, x, CLASSES, epsilon=-1)
