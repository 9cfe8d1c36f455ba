from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error
from jax.extend import core
from networks import conv, normal

import jaxvis as jv
from jaxvis.gradients.max_pool import max_pool
from jaxvis.gradients.relu import RULES
from jaxvis.methods.catalogue import LAB, METHODS
from jaxvis.methods.one_pass import one_pass, ready
from jaxvis.methods.options import asked_for
from jaxvis.models import reference


@pytest.fixture(scope="module")
def classes():
    return np.array([3, 0, 6])


def test_all_six_maps_are_the_references(narrow, pixels, classes):
    weights = reference.weights_of(narrow)
    maps = jv.explain(narrow, pixels, classes)
    assert relative_error(maps.logits, reference.forward(weights, pixels)[0]) < 1e-5
    assert list(maps.saliency) == list(maps.grad_cam) == ["vanilla", "rectified", "guided"]
    for name, rule in RULES.items():
        wanted = reference.saliency(weights, pixels, classes, rule)
        assert relative_error(maps.saliency[name], wanted) < 1e-4
        wanted = reference.grad_cam(weights, pixels, classes, rule)
        assert relative_error(maps.grad_cam[name], wanted) < 1e-4


def equations(jaxpr):
    """Every equation of a jaxpr, those inside calls included."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            for inner in jax.tree.leaves(value, is_leaf=lambda v: hasattr(v, "eqns")):
                inner = getattr(inner, "jaxpr", inner)
                if isinstance(inner, core.Jaxpr):
                    yield from equations(inner)


def convolutions(call, *arguments):
    """How many convolutions a call takes, by the number of images that each of them is for."""
    jaxpr = jax.make_jaxpr(call)(*arguments)
    return Counter(
        equation.invars[0].aval.shape[0]
        for equation in equations(jaxpr.jaxpr)
        if equation.primitive.name == "conv_general_dilated"
    )


@pytest.mark.parametrize(
    ("group", "wanted"),
    [(3, {3: 13, 9: 13}), (2, {2: 13, 1: 13, 6: 13, 3: 13})],
    ids=["together", "in groups"],
)
def test_forward_convolutions_run_once_and_backward_ones_for_three_rules(
    narrow, pixels, group, wanted
):
    """13 convolutions at batch n, their 13 transposes at batch 3n, and not one more."""
    *arguments, _, _ = ready(narrow, pixels, 3, *asked_for(METHODS, methods=LAB)).arguments
    # n = 3 images, or 2 and then 1
    assert convolutions(lambda: one_pass(*arguments, group, False)) == wanted


def test_signed_maps_are_the_references_before_their_signs_went(narrow, pixels, classes):
    weights = reference.weights_of(narrow)
    logits, tape = reference.forward(weights, pixels)
    maps = jv.explain(narrow, pixels, classes, signed=True)
    for name, rule in RULES.items():
        gradient = reference.input_gradient(weights, pixels, classes, rule)
        largest = np.abs(gradient).argmax(axis=-1)[..., None]
        wanted = np.take_along_axis(gradient, largest, axis=-1)[..., 0]
        assert relative_error(maps.saliency[name], wanted) < 1e-4
        one_hot = reference.one_hot(classes, logits.shape)
        at_cut = reference.backward(weights, tape, one_hot, rule, stop="block5_conv3")
        weighted = at_cut.mean(axis=(1, 2), keepdims=True) * tape.outputs["block5_conv3"]
        assert relative_error(maps.grad_cam[name], weighted.sum(axis=-1)) < 1e-4
        assert wanted.min() < 0


def test_without_classes_each_image_is_explained_for_its_prediction(narrow, pixels):
    maps = jv.explain(narrow, pixels)
    wanted = jv.explain(narrow, pixels, np.argmax(maps.logits, axis=1))
    for found, want in zip(jax.tree.leaves(maps), jax.tree.leaves(wanted), strict=True):
        assert relative_error(found, want) < 1e-6


def test_jit_and_vmap(narrow, pixels):
    plain = jv.explain(narrow, pixels, 3)
    jitted = jax.jit(lambda model, x: jv.explain(model, x, 3))(narrow, pixels)
    mapped = jax.vmap(lambda image: jv.explain(narrow, image[None], 3))(pixels)
    mapped = jax.tree.map(lambda a: a[:, 0], mapped)
    for other in (jitted, mapped):
        for found, want in zip(jax.tree.leaves(other), jax.tree.leaves(plain), strict=True):
            assert relative_error(found, want) < 1e-5


def test_without_jit_the_maps_are_the_same(rng):
    W = rng.normal(size=(3, 5)).astype(np.float32)
    pair = (
        lambda x, relu: max_pool(relu(x @ W[:, :3])),
        lambda a, relu: relu(a.mean((1, 2)) @ W) @ W.T,
    )
    x = rng.normal(size=(2, 4, 6, 3)).astype(np.float32)
    plain = jv.explain(pair, x, 1)
    with jax.disable_jit():
        unjitted = jv.explain(pair, x, 1)
    for found, want in zip(jax.tree.leaves(unjitted), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-7)
    assert all(np.any(one) for one in plain.saliency.values())


def test_other_layers_rules_and_pairs(narrow, pixels):
    rules = {"plain": jv.VANILLA, "straight": jv.Rule(False, False)}
    maps = jv.explain(narrow.cut("block4_pool"), pixels, 3, rules=rules)
    weights = reference.weights_of(narrow)
    for name, rule in rules.items():
        wanted = reference.grad_cam(weights, pixels, 3, rule, layer="block4_pool")
        assert relative_error(maps.grad_cam[name], wanted) < 1e-4
        wanted = reference.saliency(weights, pixels, 3, rule)
        assert relative_error(maps.saliency[name], wanted) < 1e-4
    with pytest.raises(ValueError, match="rules is empty; wanted at least one"):
        jv.explain(narrow, pixels, 3, rules={})


def test_one_compilation_for_all_rules_and_classes(narrow, pixels):
    jv.explain(narrow, pixels, 3)
    before = one_pass.traces
    jv.explain(narrow, pixels, 5, rules={"a": jv.GUIDED, "b": jv.GUIDED, "c": jv.Rule(True, False)})
    assert one_pass.traces == before


def test_compiled_ahead_of_time(narrow, pixels, classes):
    run = jv.compile_explain(narrow, pixels, classes)
    wanted = jv.explain(narrow, pixels + 1, classes)
    for found, want in zip(
        jax.tree.leaves(run(narrow, pixels + 1, classes)), jax.tree.leaves(wanted), strict=True
    ):
        np.testing.assert_array_equal(found, want)
    with pytest.raises(ValueError, match=r"classes are \[9, 9, 9\]; wanted"):
        run(narrow, pixels, np.array([9, 9, 9]))
    with pytest.raises(TypeError, match="not of the kind that this was compiled for"):
        run(narrow.cut("fc1"), pixels, classes)


def test_errors_are_those_of_grad_cam(narrow, pixels):
    with pytest.raises(ValueError, match="classes are 7; wanted indices from 0 to 6"):
        jv.explain(narrow, pixels, 7)
    with pytest.raises(ValueError, match="behind 'flatten' there is shape"):
        jv.explain(narrow, pixels, 0, layer="flatten")


def minus_the_batchs_mean(x, relu=jax.nn.relu):
    """A body in which every image changes the activation of every other."""
    a = relu(conv(x - x.mean(axis=0, keepdims=True), normal(3, 3, 3, 6)))
    return a - a.mean(axis=(0, 1, 2), keepdims=True) / 2


def two_layers(a, relu=jax.nn.relu):
    hidden = relu(a.mean((1, 2)) @ normal(6, 16, seed=1))
    return (hidden - hidden.mean(axis=0, keepdims=True)) @ normal(16, 3, seed=2)


def test_images_that_influence_each_other_are_kept_together():
    """Three images are two groups on a CPU, and only a network that says so may be split."""
    x, classes = normal(3, 6, 7, 3, seed=3), np.array([2, 0, 1])
    pair = minus_the_batchs_mean, two_layers
    maps = jv.explain(pair, x, classes)
    rows = np.arange(3)

    def whole(x, relu=jax.nn.relu):
        return two_layers(minus_the_batchs_mean(x, relu), relu)

    @jax.jit
    def by_hand(x, rule):
        relu = lambda x: jv.relu(x, rule)  # noqa: E731
        gradient = jax.grad(lambda x: whole(x, relu)[rows, classes].sum())(x)
        a = minus_the_batchs_mean(x)
        weights = jax.grad(lambda a: two_layers(a, relu)[rows, classes].sum())(a)
        cam = (weights.mean((1, 2), keepdims=True) * a).sum(axis=-1)
        return jnp.abs(gradient).max(axis=-1), jnp.maximum(cam, 0)

    for name, rule in RULES.items():
        wanted, cam = by_hand(x, rule)
        assert relative_error(maps.saliency[name], wanted) < 1e-5
        assert relative_error(jv.saliency(whole, x, classes, rule=rule), wanted) < 1e-5
        assert relative_error(jv.saliency(pair, x, classes, rule=rule), wanted) < 1e-5
        assert relative_error(maps.grad_cam[name], cam) < 1e-5
        assert relative_error(jv.grad_cam(pair, x, classes, rule=rule), cam) < 1e-5
    alone = jax.jit(jax.vmap(lambda image: whole(image[None])[0]))(x)
    assert relative_error(alone, whole(x)) > 0.1  # else the images would not matter


def test_vgg16_says_that_its_images_are_independent(narrow, pixels):
    """And they are: the logits of one image are those that it has among others."""
    assert narrow.images_are_independent
    run = jax.jit(narrow)
    alone = np.concatenate([run(pixels[i : i + 1]) for i in range(3)])
    assert relative_error(alone, run(pixels)) < 1e-5
    group = ready(narrow, pixels, 3, *asked_for(METHODS, methods=LAB)).arguments[-2]
    assert group == (2 if jax.default_backend() == "cpu" else 3)
    pair = narrow.cut("block5_conv3")
    assert ready(pair, pixels, 3, *asked_for(METHODS, methods=LAB)).arguments[-2] is None
