import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error

import jaxvis as jv
from jaxvis.gradients.relu import RULES
from jaxvis.methods.one_pass import one_pass
from jaxvis.models import reference


@pytest.mark.parametrize("name", RULES)
def test_gradient_and_map_are_the_references(narrow, pixels, name):
    weights, classes = reference.weights_of(narrow), np.array([3, 0, 6])
    wanted = reference.input_gradient(weights, pixels, classes, RULES[name])
    found = jv.input_gradient(narrow, pixels, classes, rule=RULES[name])
    assert relative_error(found, wanted) < 1e-4
    found = jv.saliency(narrow, pixels, classes, rule=RULES[name])
    assert relative_error(found, reference.saliency(weights, pixels, classes, RULES[name])) < 1e-4


@pytest.mark.parametrize("name", RULES)
def test_double_precision(name, x64):
    model = jv.VGG16(width=1 / 16, classes=7, size=64, param_dtype=jnp.float64)
    x = np.random.Generator(np.random.PCG64(2)).normal(0, 60, (2, 64, 64, 3))
    wanted = reference.input_gradient(reference.weights_of(model), x, 2, RULES[name])
    assert relative_error(jv.input_gradient(model, x, 2, rule=RULES[name]), wanted) < 1e-10


def toy(x, relu=jax.nn.relu):
    """Ten lines that know no VGG16: one hidden layer over the pixels."""
    n = x.shape[0]
    first = jnp.cos(jnp.arange(12 * 8, dtype=x.dtype)).reshape(12, 8)
    second = jnp.sin(jnp.arange(8 * 3, dtype=x.dtype)).reshape(8, 3)
    return relu(x.reshape(n, 12) @ first) @ second


@pytest.fixture
def small(rng):
    return rng.normal(size=(2, 2, 2, 3)).astype(np.float32)


def test_any_callable_is_a_model(small):
    gradient = jv.input_gradient(toy, small, 1, rule=jv.GUIDED)
    first = np.cos(np.arange(96)).reshape(12, 8)
    second = np.sin(np.arange(24)).reshape(8, 3)
    gates = (small.reshape(2, 12) @ first > 0) & (second[:, 1] > 0)
    wanted = (gates * second[:, 1]) @ first.T
    assert relative_error(gradient, wanted.reshape(small.shape)) < 1e-5
    np.testing.assert_array_equal(
        jv.saliency(toy, small, 1, rule=jv.GUIDED), np.abs(gradient).max(-1)
    )


def test_without_classes_the_largest_logit_is_explained(small):
    largest = np.argmax(toy(small), axis=1)
    np.testing.assert_array_equal(
        jv.input_gradient(toy, small), jv.input_gradient(toy, small, largest)
    )


def test_a_score_takes_the_place_of_a_class(small):
    def difference(logits):
        return logits[:, 0] - 2 * logits[:, 2]

    wanted = jv.input_gradient(toy, small, 0) - 2 * jv.input_gradient(toy, small, 2)
    assert relative_error(jv.input_gradient(toy, small, score=difference), wanted) < 1e-6


def test_a_students_own_relu_is_a_rule(small):
    @jax.custom_vjp
    def doubled(x):
        return jnp.maximum(x, jnp.zeros((), x.dtype))

    doubled.defvjp(lambda x: (doubled(x), None), lambda _, g: (g + g,))
    straight = jv.Rule(False, False)
    np.testing.assert_array_equal(
        jv.input_gradient(toy, small, 0, rule=doubled),
        2 * jv.input_gradient(toy, small, 0, rule=straight),
    )


def test_jit_and_vmap_of_the_caller(small):
    plain = jv.saliency(toy, small, 1, rule=jv.GUIDED)
    jitted = jax.jit(lambda x, c: jv.saliency(toy, x, c, rule=jv.GUIDED))
    assert relative_error(jitted(small, 1), plain) < 1e-6
    one = jax.vmap(lambda image: jv.saliency(toy, image[None], 1, rule=jv.GUIDED)[0])
    assert relative_error(one(small), plain) < 1e-6
    with jax.disable_jit():
        assert relative_error(jv.saliency(toy, small, 1, rule=jv.GUIDED), plain) < 1e-6


def test_new_rules_classes_weights_and_images_do_not_recompile(narrow, pixels):
    jv.saliency(narrow, pixels, 3)
    before = one_pass.traces
    maps = [jv.saliency(narrow, pixels + 1, c, rule=r) for c in (0, 5) for r in RULES.values()]
    other = jv.VGG16(width=1 / 16, classes=7, size=64)
    maps.append(jv.saliency(other, pixels, 3))
    assert one_pass.traces == before
    assert len({np.asarray(m).tobytes() for m in maps}) == len(maps)


def test_changed_weights_are_seen(pixels):
    model = jv.VGG16(width=1 / 64, classes=3, size=64)
    before = jv.saliency(model, pixels, 0)
    model.predictions.kernel[...] = 2 * model.predictions.kernel[...]
    np.testing.assert_allclose(jv.saliency(model, pixels, 0), 2 * before, rtol=1e-6)


def test_inputs_are_not_modified(narrow, pixels):
    copy = pixels.copy()
    jv.saliency(narrow, pixels, 0)
    np.testing.assert_array_equal(pixels, copy)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((3,), {}, ValueError, "classes are 3; wanted indices from 0 to 2, since .* 3 classes"),
        ((-1,), {}, ValueError, "classes are -1; wanted"),
        (([0, 7],), {}, ValueError, r"classes are \[0, 7\]; wanted"),
        (([0, 1, 2],), {}, ValueError, r"shape \(3,\); wanted one index, one per image: \(2,\)"),
        (("goose",), {}, TypeError, r"'goose'; wanted indices: model.class_index\(name\)"),
        ((1.0,), {}, TypeError, "dtype float32; wanted integers"),
        ((0,), {"score": jnp.sum}, ValueError, "both classes and score= are given"),
        ((), {"score": jnp.sum}, ValueError, r"score returned shape \(\) .* wanted one score per"),
        ((0,), {"rule": "guided"}, TypeError, "rule is 'guided'; wanted jv.VANILLA"),
    ],
)
def test_bad_arguments(small, arguments, options, error, message):
    with pytest.raises(error, match=message):
        jv.input_gradient(toy, small, *arguments, **options)


def test_bad_models_and_inputs(small):
    with pytest.raises(TypeError, match="the model is a str; wanted a callable"):
        jv.saliency("demo", small, 0)
    with pytest.raises(ValueError, match="dtype uint8 and shape .* wanted floats"):
        jv.saliency(toy, small.astype(np.uint8), 0)
    with pytest.raises(ValueError, match=r"returned shape \(2, 2, 2, 3\) for 2 images"):
        jv.saliency(lambda x, relu: relu(x), small, 0)
