"""The catalogue of methods, and what `explain` makes of any choice of methods and rules."""

from itertools import combinations, permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error
from networks import conv, normal
from test_one_pass import convolutions

import jaxvis as jv
from jaxvis.gradients.relu import RULES, Relu
from jaxvis.methods.catalogue import LAB, METHODS
from jaxvis.methods.method import Method, Pass
from jaxvis.methods.one_pass import one_pass, ready
from jaxvis.methods.options import asked_for
from jaxvis.models import reference

KERNEL, HIDDEN, OUT = normal(3, 3, 3, 5), normal(5, 12, seed=1), normal(12, 3, seed=2)
X = normal(2, 6, 7, 3, seed=3)


def body(x, relu: Relu = jax.nn.relu):
    return relu(conv(x, KERNEL))


def head(a, relu: Relu = jax.nn.relu):
    return relu(a.mean((1, 2)) @ HIDDEN) @ OUT


PAIR = body, head


def straight(x):
    """A rule of one's own: a ReLU that passes every gradient on."""
    return x + jax.lax.stop_gradient(jax.nn.relu(x) - x)


ALL_RULES = {**RULES, "straight": straight}


def by_hand(name, rule, c=1):
    """A map from plain `jax.grad`, its sign kept; nothing of jaxvis but the ReLU itself."""
    relu = (lambda x: jv.relu(x, rule)) if isinstance(rule, jv.Rule) else rule
    if name == "saliency":
        gradient = np.asarray(jax.grad(lambda x: head(body(x, relu), relu)[:, c].sum())(X))
        largest = np.abs(gradient).argmax(axis=-1)[..., None]
        return np.take_along_axis(gradient, largest, axis=-1)[..., 0]
    A = np.asarray(body(X))
    gradient = np.asarray(jax.grad(lambda a: head(a, relu)[:, c].sum())(jnp.asarray(A)))
    if name == "layer_cam":
        return (np.maximum(gradient, 0) * A).sum(axis=-1)
    return (gradient.mean(axis=(1, 2), keepdims=True) * A).sum(axis=-1)


@pytest.fixture(scope="module")
def signed():
    """Every map that the tests below ask for, computed once."""
    names = "saliency", "grad_cam", "layer_cam"
    return {(m, r): by_hand(m, rule) for m in names for r, rule in ALL_RULES.items()}


def shown(method, array):
    return np.abs(array) if method == "saliency" else np.maximum(array, 0)


def check(maps, methods, rules, signed):
    """Names in the order asked for, and each map by hand."""
    assert list(maps) == [(method, rule) for method in methods for rule in rules]
    for (method, rule), found in maps.items():
        wanted = shown(method, signed[method, rule])
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
        assert np.abs(signed[method, rule]).max() > 0


SETS_OF_METHODS = [c for k in (1, 2) for c in permutations(LAB, k)]
SETS_OF_RULES = [c for k in (1, 2, 3) for c in combinations(RULES, k)]


@pytest.mark.parametrize("methods", SETS_OF_METHODS, ids=" ".join)
@pytest.mark.parametrize("rules", SETS_OF_RULES, ids=" ".join)
def test_every_choice_of_methods_and_rules(methods, rules, signed):
    given = {name: RULES[name] for name in reversed(rules)}
    check(jv.explain(PAIR, X, 1, methods=methods, rules=given), methods, rules[::-1], signed)
    check(jv.explain(PAIR, X, 1, methods=[*methods], rules=rules), methods, rules, signed)


def test_functions_and_rules_may_alternate(signed):
    """Rules that are data go through the network together, and functions one by one."""
    rules = {"straight": straight, "guided": jv.GUIDED, "rectified": jv.rectified_relu,
             "vanilla": jv.VANILLA}  # fmt: skip
    for methods in SETS_OF_METHODS:
        check(jv.explain(PAIR, X, 1, methods=methods, rules=rules), methods, rules, signed)
    for name, rule in rules.items():
        check(jv.explain(PAIR, X, 1, rules={name: rule}), LAB, [name], signed)


def test_what_is_shown_of_signed_maps(signed):
    found = jv.explain(PAIR, X, 1, signed=True)
    assert min(found["grad_cam", "vanilla"].min(), found["saliency", "vanilla"].min()) < 0
    check(found.shown(), LAB, RULES, signed)
    np.testing.assert_array_equal(found.shown().logits, found.logits)


def test_signed_maps(signed):
    maps = jv.explain(PAIR, X, 1, signed=True, rules=ALL_RULES)
    for name, found in maps.items():
        np.testing.assert_allclose(found, signed[name], rtol=1e-4, atol=1e-6)
    assert all(min(map(np.min, maps[method].values())) < 0 for method in LAB)


def layer_cam(given: Pass):
    """Jiang et al. (2021): every place has a weight of its own, its gradient's positive part."""
    return jnp.sum(jnp.maximum(given.activation_gradient, 0) * given.activation, axis=-1)


LAYER_CAM = METHODS["grad_cam"]._replace(name="layer_cam", title="LayerCAM", function=layer_cam)


def test_a_method_of_ones_own(signed):
    methods = [LAYER_CAM, "saliency", METHODS["grad_cam"]]
    maps = jv.explain(PAIR, X, 1, methods=methods, rules=ALL_RULES)
    check(maps, ["layer_cam", "saliency", "grad_cam"], ALL_RULES, signed)
    assert maps.layer_cam["guided"] is maps["layer_cam", "guided"]
    batches = jv.explain_batches(PAIR, X, 1, methods=methods, rules=ALL_RULES, batch_size=1)
    check(batches, ["layer_cam", "saliency", "grad_cam"], ALL_RULES, signed)
    run = jv.compile_explain(PAIR, X, 0, methods=[LAYER_CAM], rules=["guided"])
    check(run(PAIR, X, 1), ["layer_cam"], ["guided"], signed)


def test_a_method_of_ones_own_is_the_references_on_vgg16(narrow, pixels):
    """In two layers of one call; `shown` is its own as well."""
    weights, classes = reference.weights_of(narrow), np.array([3, 0, 6])
    logits, tape = reference.forward(weights, pixels)
    one_hot = reference.one_hot(classes, logits.shape)
    doubled = LAYER_CAM._replace(shown=lambda maps: 2 * maps)
    layers = "block4_conv3", "block5_conv3"
    maps = jv.explain(narrow, pixels, classes, methods=[doubled], rules=["guided"], layer=layers)
    for layer in layers:
        at_cut = reference.backward(weights, tape, one_hot, jv.GUIDED, stop=layer)
        wanted = 2 * (np.maximum(at_cut, 0) * tape.outputs[layer]).sum(axis=-1)
        assert relative_error(maps.layer_cam["guided"][layer], wanted) < 1e-4


def test_more_methods_take_no_more_passes(narrow, pixels):
    def count(methods):
        *arguments, _, _ = ready(narrow, pixels, 3, *asked_for(METHODS, methods=methods)).arguments
        return convolutions(lambda: one_pass(*arguments, None, False))

    assert count(LAB) == count([*LAB, LAYER_CAM]) == {3: 13, 9: 13}
    assert count(["saliency"]) == {3: 13, 9: 13}
    # Grad-CAM behind the last convolution takes no backward pass through any.
    assert count(["grad_cam"]) == count(["grad_cam", LAYER_CAM]) == {3: 13}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"methods": ["smooth_grad"]}, ValueError, "methods has 'smooth_grad'; wanted .* saliency"),
        ({"methods": []}, ValueError, "methods is empty; wanted at least one"),
        ({"methods": "saliency"}, TypeError, r"methods is 'saliency'; wanted a sequence"),
        ({"methods": LAYER_CAM}, TypeError, "methods is Method.*; wanted a sequence"),
        ({"methods": ["saliency"] * 2}, ValueError, "a name twice: saliency, saliency"),
        ({"methods": ["grad_cam", LAYER_CAM._replace(name="grad_cam")]}, ValueError, "name twice"),
        ({"rules": ["guided", "giuded"]}, ValueError, "rules has 'giuded'; wanted some of vanilla"),
        ({"rules": []}, ValueError, "rules is empty; wanted at least one"),
        ({"rules": {}}, ValueError, "rules is empty; wanted at least one"),
        ({"rules": "guided"}, TypeError, r"rules is 'guided'; wanted rules by name, or a sequence"),
        ({"rules": jv.GUIDED}, TypeError, "rules is Rule.*; wanted rules by name"),
        ({"rules": {"a": "guided"}}, TypeError, "rule is 'guided'; wanted jv.VANILLA"),
        ({"rule": jv.GUIDED}, TypeError, "unexpected keyword argument 'rule'"),
    ],
)
@pytest.mark.parametrize("function", [jv.explain, jv.compile_explain, jv.explain_batches])
def test_what_cannot_be_asked_for(function, options, error, message):
    with pytest.raises(error, match=message):
        function(PAIR, X, 1, **options)


@pytest.mark.parametrize("name", METHODS)
def test_rows_are_complete(name, narrow, pixels):
    """And true: of the size, the signs and the dependence on rules that they promise."""
    method = METHODS[name]
    assert isinstance(method, Method)
    assert method.name == name
    assert name.isidentifier()
    assert all(isinstance(text, str) and text for text in (method.title, method.paper))
    assert method.about.endswith(".")
    assert method.forward >= 1
    assert method.backward >= 0
    if method.of_chain:  # a pair of functions is none
        model, x, halved = narrow, pixels[:2], narrow
        sizes = {"input": (64, 64), "layer": (4, 4)}
    else:
        model, x, halved = PAIR, X, (body_halved, head)
        sizes = {"input": (6, 7), "layer": (3, 4)}
    maps = jv.explain(model, x, 1, methods=[name], rules=ALL_RULES)
    raw = jv.explain(model, x, 1, methods=[name], rules=ALL_RULES, signed=True)
    of_layer = np.stack([*jv.explain(halved, x, 1, methods=[name])[name].values()])
    assert of_layer.shape[2:] == sizes[method.at]
    values = np.stack([*maps[name].values()])
    assert (values.min() < 0) == method.signed
    assert list(maps[name]) == (list(ALL_RULES) if method.rules else ["any"])
    for rule in maps[name]:
        np.testing.assert_allclose(maps[name][rule], method.shown(raw[name][rule]), rtol=1e-6)
    assert all(not np.allclose(values[0], other, rtol=1e-3) for other in values[1:])


def body_halved(x, relu: Relu = jax.nn.relu):
    return relu(conv(x, KERNEL, stride=2))


def test_the_lab_is_in_the_catalogue():
    assert set(LAB) <= set(METHODS)
    assert jv.explain(PAIR, X, 1).methods == LAB
    with pytest.raises(TypeError):
        METHODS["mine"] = LAYER_CAM
