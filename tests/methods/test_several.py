"""Several classes of every image, several layers, and inputs of several arrays."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error
from networks import conv, normal, skipping
from test_one_pass import convolutions

import jaxvis as jv
from jaxvis.any_model.cut_at import AtCut
from jaxvis.gradients.relu import RULES
from jaxvis.methods.catalogue import LAB, METHODS
from jaxvis.methods.one_pass import one_pass, ready
from jaxvis.methods.options import asked_for
from jaxvis.models import reference

CLASSES = np.array([[3, 0], [0, 5], [6, 6]])  # two of each of the three images
FUNCTIONS = [jv.saliency, jv.grad_cam, jv.explain, partial(jv.explain_batches, batch_size=3)]
GUIDED_TOO = {**RULES, "by function": jv.guided_relu}


@pytest.fixture(scope="module")
def alone(narrow):
    """The reference's map for one column of `CLASSES`, each computed once."""
    weights, kept = reference.weights_of(narrow), {}
    pixels = np.random.Generator(np.random.PCG64(0)).normal(0, 60, (3, 64, 64, 3))
    pixels = pixels.astype(np.float32).astype(np.float64)  # those of the fixture `pixels`

    def wanted(method, rule, column, **options):
        key = method, rule, column, *options.values()
        if key not in kept:
            function = getattr(reference, method)
            kept[key] = function(weights, pixels, CLASSES[:, column], RULES[rule], **options)
        return kept[key]

    return wanted


def check_columns(maps, alone, method, rule, **options):
    """Every column of maps (n, k, ...) is the map for that class alone."""
    assert maps.shape[:2] == CLASSES.shape
    for column in range(CLASSES.shape[1]):
        wanted = alone(method, rule, column, **options)
        assert relative_error(maps[:, column], wanted) < 1e-4


@pytest.mark.parametrize("rule", RULES)
def test_maps_of_one_method_for_several_classes(narrow, pixels, alone, rule):
    found = jv.saliency(narrow, pixels, CLASSES, rule=RULES[rule])
    check_columns(found, alone, "saliency", rule)
    found = jv.input_gradient(narrow, pixels, CLASSES, rule=RULES[rule])
    check_columns(found, alone, "input_gradient", rule)
    found = jv.grad_cam(narrow, pixels, CLASSES, rule=RULES[rule])
    check_columns(found, alone, "grad_cam", rule)


@pytest.mark.parametrize("batch_size", [None, 2], ids=["explain", "explain_batches"])
def test_all_maps_for_several_classes(narrow, pixels, alone, batch_size):
    """Among the rules is a function of one's own, which goes another way than `Rule`s do."""
    if batch_size is None:
        maps = jv.explain(narrow, pixels, CLASSES, rules=GUIDED_TOO)
    else:
        maps = jv.explain_batches(narrow, pixels, CLASSES, rules=GUIDED_TOO, batch_size=batch_size)
    assert maps.logits.shape == (3, 7)
    for name in GUIDED_TOO:
        rule = name if name in RULES else "guided"
        check_columns(maps.saliency[name], alone, "saliency", rule)
        check_columns(maps.grad_cam[name], alone, "grad_cam", rule)


def test_several_classes_compiled_ahead_of_time_and_by_the_caller(narrow, pixels):
    wanted = jv.explain(narrow, pixels, CLASSES)
    run = jv.compile_explain(narrow, pixels, np.zeros_like(CLASSES))
    jitted = jax.jit(lambda x, classes: jv.explain(narrow, x, classes))
    for maps in (run(narrow, pixels, CLASSES), jitted(pixels, CLASSES)):
        for found, want in zip(jax.tree.leaves(maps), jax.tree.leaves(wanted), strict=True):
            assert relative_error(found, want) < 1e-5


def passes(narrow, pixels, classes, **options):
    """The compiled call and its arguments, without groups of images."""
    *arguments, _, _ = ready(
        narrow, pixels, classes, *asked_for(METHODS, methods=LAB, **options)
    ).arguments
    return arguments, lambda: one_pass(*arguments, None, False)


def test_one_forward_pass_for_several_classes(narrow, pixels):
    """Only the backward pass is for every class (k = 2) and rule (3) of the three images."""
    _, call = passes(narrow, pixels, CLASSES)
    assert convolutions(call) == {3: 13, 3 * 2 * 3: 13}


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (np.zeros((2, 2), int), r"shape \(2, 2\); wanted .*\(3,\), or several .*: \(3, k\)"),
        (np.zeros((4, 2), int), r"shape \(4, 2\); wanted .*: \(3, k\)"),
        (np.zeros((3, 2, 1), int), r"shape \(3, 2, 1\); wanted .*: \(3, k\)"),
        (np.zeros(4, int), r"shape \(4,\); wanted .*: \(3, k\)"),
        ([[0, 1], [2, 3], [4, 7]], r"classes are \[\[0, 1\], .*\]\]; wanted indices from 0 to 6"),
        ([[0, 1], [2, -1], [4, 5]], r"classes are \[\[0, 1\], .*\]\]; wanted indices from 0 to 6"),
    ],
)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_bad_classes(pixels, function, classes, message):
    with pytest.raises(ValueError, match=message):
        function(thin(), pixels[:, ::2, ::2], classes)


def thin(made=[]):  # noqa: B006 - made once
    """A VGG16 of few channels: for what goes wrong, one that compiles quickly."""
    if not made:
        made.append(jv.VGG16(width=1 / 64, classes=7, size=32))
    return made[0]


LAYERS = ("block3_conv2", "block5_conv3", "block4_pool")


def test_several_layers_are_one_layer_at_a_time(narrow, pixels, alone):
    maps = jv.explain(narrow, pixels, CLASSES[:, 0], layer=LAYERS)
    for rule in RULES:
        assert list(maps.grad_cam[rule]) == list(LAYERS)
        for layer, found in maps.grad_cam[rule].items():
            assert relative_error(found, alone("grad_cam", rule, 0, layer=layer)) < 1e-4
        assert relative_error(maps.saliency[rule], alone("saliency", rule, 0)) < 1e-4
    (one,) = jv.grad_cam(narrow, pixels, CLASSES[:, 0], layer=LAYERS[:1]).items()
    assert one[0] == LAYERS[0]
    assert relative_error(one[1], alone("grad_cam", "vanilla", 0, layer=LAYERS[0])) < 1e-4


def test_several_layers_and_classes_in_batches(narrow, pixels, alone):
    maps = jv.explain_batches(
        narrow, pixels, CLASSES, layer=list(LAYERS[:2]), rules=["guided"], batch_size=2
    )
    check_columns(maps.saliency["guided"], alone, "saliency", "guided")
    for layer, found in maps.grad_cam["guided"].items():
        check_columns(found, alone, "grad_cam", "guided", layer=layer)


def test_layers_of_an_exposed_function_by_number_and_name():
    """Against a cut of its own and plain `jax.grad`, ReLUs written by hand."""
    f, by_hand, x = skipping()
    layers = [0, "block", -1]
    maps = jv.explain(jv.expose_relu(f), x, 1, layer=layers)
    for name, rule in RULES.items():
        with_rule = by_hand(lambda x: jv.relu(x, rule))  # noqa: B023
        wanted = np.abs(jax.grad(lambda x: with_rule(x)[:, 1].sum())(x)).max(axis=-1)  # noqa: B023
        np.testing.assert_allclose(maps.saliency[name], wanted, rtol=1e-4, atol=1e-6)
        assert list(maps.grad_cam[name]) == layers
        for layer in layers:
            body, head = jv.cut_at(with_rule, layer, forms=())
            at_cut = body(x)

            def score(activation, at_cut=at_cut, head=head):
                return head(AtCut(activation, at_cut.carried, at_cut.arguments))[:, 1].sum()

            weights = jax.grad(score)(at_cut.activation).mean(axis=(1, 2), keepdims=True)
            wanted = np.maximum((weights * at_cut.activation).sum(axis=-1), 0)
            np.testing.assert_allclose(maps.grad_cam[name][layer], wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        ([], ValueError, r"layer is \[\]; wanted at least one layer, each once"),
        (["block5_pool"] * 2, ValueError, r"layer is \['block5_pool', .*; wanted .* each once"),
        (None, TypeError, "layer is None; wanted a name, a number, or a sequence"),
        (1.5, TypeError, r"layer is 1\.5; wanted a name, a number, or a sequence"),
        ([True], TypeError, r"layer is \[True\]; wanted a name, a number, or a sequence"),
        (True, TypeError, "layer is True; wanted a name, a number, or a sequence"),
        (["block5_pool", None], TypeError, "layer is .*None.; wanted a name, a number"),
        (["block5_pool", "block6"], ValueError, "no layer 'block6'"),
        (["block5_pool", "fc1"], ValueError, r"behind 'fc1' there is shape \(3, 64\)"),
    ],
)
def test_bad_layers(pixels, layer, error, message):
    with pytest.raises(error, match=message):
        jv.explain(thin(), pixels[:, ::2, ::2], 0, layer=layer)


def test_a_pair_is_cut_at_one_place_only(pixels):
    """Its one map under two names would be a lie about one of them."""
    pair = thin().cut("block4_pool")
    with pytest.raises(ValueError, match="layers are 'block4_pool', 'block5_pool', but .* a pair"):
        jv.explain(pair, pixels[:, ::2, ::2], 0, layer=["block4_pool", "block5_pool"])


def test_xla_computes_what_layers_share_once(narrow, pixels):
    """Traced, a second layer repeats the forward pass; compiled, nothing is repeated."""

    def compiled(layer):
        arguments, _ = passes(narrow, pixels, 3, layer=layer)
        executable = one_pass.compile(*arguments, None, False)._executable
        text = executable.as_text()
        return text.count(" convolution(") + text.count("__onednn$convolution")

    assert convolutions(passes(narrow, pixels, 3, layer=LAYERS[:2])[1]).total() > 26
    assert compiled("block5_conv3") == 26
    assert compiled(LAYERS[:2]) == 26
    # In groups on a CPU, each layer would be a pass of its own.
    *_, group, _ = ready(
        narrow, pixels, 3, *asked_for(METHODS, methods=LAB, layer=LAYERS[:2])
    ).arguments
    assert group is None


def of_two(x, relu=jax.nn.relu):
    """A network of an image and of numbers that belong to it, in a tuple or a dict."""
    return top(below(x, relu=relu), relu=relu)


def below(x, relu=jax.nn.relu):
    image, numbers = (x["image"], x["numbers"]) if isinstance(x, dict) else x
    maps = relu(conv(image, normal(3, 3, 3, 4)))
    return maps + relu(numbers @ normal(5, 4, seed=1))[:, None, None]


def top(a, relu=jax.nn.relu):
    return relu(a.mean((1, 2)) @ normal(4, 16, seed=2)) @ normal(16, 3, seed=3)


PARTS = {"image": normal(3, 6, 5, 3, seed=4), "numbers": normal(3, 5, seed=5)}
INPUTS = [tuple(PARTS.values()), PARTS]


def largest(gradient):
    """|.| of the largest over channels; a row of numbers has none."""
    return np.abs(gradient).max(axis=-1) if gradient.ndim > 2 else np.abs(gradient)


@pytest.mark.parametrize("x", INPUTS, ids=["tuple", "dict"])
@pytest.mark.parametrize("rule", RULES)
def test_gradients_of_several_inputs_come_in_their_form(x, rule):
    relu = lambda a: jv.relu(a, RULES[rule])  # noqa: E731
    wanted = jax.grad(lambda x: of_two(x, relu)[:, 2].sum())(x)
    found = jv.input_gradient(of_two, x, 2, rule=RULES[rule])
    maps = jv.saliency(of_two, x, 2, rule=RULES[rule])
    assert jax.tree.structure(found) == jax.tree.structure(maps) == jax.tree.structure(x)
    for one, want in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert relative_error(one, want) < 1e-5
    for one, want in zip(jax.tree.leaves(maps), jax.tree.leaves(wanted), strict=True):
        assert relative_error(one, largest(want)) < 1e-5


@pytest.mark.parametrize("x", INPUTS, ids=["tuple", "dict"])
@pytest.mark.parametrize("batch_size", [None, 2, "auto"])
def test_explain_of_several_inputs(x, batch_size):
    model, classes = (below, top), np.array([2, 0, 1])
    if batch_size is None:
        maps = jv.explain(model, x, classes)
    else:
        maps = jv.explain_batches(model, x, classes, batch_size=batch_size)
    np.testing.assert_allclose(maps.logits, of_two(x), rtol=1e-5)
    for name, rule in RULES.items():
        relu = lambda a, rule=rule: jv.relu(a, rule)  # noqa: E731
        pick = lambda logits: jnp.take_along_axis(logits, classes[:, None], 1).sum()  # noqa: E731
        gradient = jax.grad(lambda x: pick(of_two(x, relu)))(x)  # noqa: B023
        assert jax.tree.structure(maps.saliency[name]) == jax.tree.structure(x)
        for one, want in zip(
            jax.tree.leaves(maps.saliency[name]), jax.tree.leaves(gradient), strict=True
        ):
            assert relative_error(one, largest(want)) < 1e-5
        a = below(x)
        weights = jax.grad(lambda a: pick(top(a, relu)))(a).mean((1, 2), keepdims=True)  # noqa: B023
        assert relative_error(maps.grad_cam[name], np.maximum((weights * a).sum(-1), 0)) < 1e-5


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ((PARTS["image"], PARTS["numbers"][:2]), ValueError,
         r"x holds \(3, 6, 5, 3\), \(2, 5\); wanted arrays whose first axis is the same number"),
        ((PARTS["image"], np.ones((3, 5), int)), ValueError, r"dtype int32 and shape \(3, 5\)"),
        ((PARTS["image"], 1.0), TypeError, "x holds a float; wanted one array"),
        ({"image": PARTS["image"], "numbers": "one"}, TypeError, "x holds a str; wanted one array"),
        (PARTS["numbers"].tolist(), TypeError, "x holds a float; .*np.stack"),
        (2.0, TypeError, "x holds a float; wanted one array"),
        ((), ValueError, "x holds nothing; wanted arrays"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("function", [jv.saliency, jv.input_gradient])
def test_inputs_that_no_network_takes(function, x, error, message):
    with pytest.raises(error, match=message):
        function(of_two, x, 0)


def test_batches_of_arrays_that_differ_in_number():
    x = PARTS["image"], PARTS["numbers"][:2]
    with pytest.raises(ValueError, match=r"x holds \[2, 3\] images; wanted one number"):
        jv.explain_batches((below, top), x, 0)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_list_of_images_is_no_batch(pixels, function):
    images = list(pixels[:, ::2, ::2])
    with pytest.raises(ValueError, match=r"the input is a list; wanted one array .*np.stack"):
        function(thin(), images, 0)


def test_integers_have_no_gradient(pixels):
    for x in (pixels[:, ::2, ::2].astype(np.int32), jnp.ones((3, 32, 32, 3), bool)):
        with pytest.raises(ValueError, match=rf"dtype {x.dtype}; wanted the floats"):
            jv.explain(thin(), x, 0)


def test_layers_keep_their_order():
    """JAX sorts the keys of a dict, and cannot sort names and numbers among each other."""
    f, _, x = skipping()
    layers = [1, "block", 0]
    wanted = [jv.grad_cam(jv.expose_relu(f), x, 1, layer=layer) for layer in layers]
    options = {"layer": layers, "methods": ["grad_cam"], "rules": ["vanilla"]}
    maps = jv.explain(jv.expose_relu(f), x, 1, **options)
    for same in (
        maps,
        jax.tree.map(lambda a: a, maps),
        jax.jit(lambda maps: maps)(maps),
        jax.jit(lambda x: jv.explain(jv.expose_relu(f), x, 1, **options))(x),
        jv.explain_batches(jv.expose_relu(f), x, 1, batch_size=1, **options),
    ):
        assert list(same.grad_cam["vanilla"]) == layers
        for found, want in zip(same.grad_cam["vanilla"].values(), wanted, strict=True):
            assert relative_error(found, want) < 1e-5
    shown = "grad_cam['vanilla']: {1: 'float32[2, 5, 4]', 'block': 'float32[2, 5, 4]', 0: "
    assert shown in repr(maps)


class Independent:
    """A network of two inputs that lets its images go in groups."""

    images_are_independent = True

    def __call__(self, x, relu=jax.nn.relu):
        return of_two(x, relu)

    def cut(self, layer):
        return below, top


@pytest.mark.parametrize("x", INPUTS, ids=["tuple", "dict"])
def test_several_inputs_do_not_go_in_groups(x):
    """Nobody knows how to take two images of each."""
    maps = jv.explain(Independent(), x, 1, rules=["guided"])
    wanted = jax.grad(lambda x: of_two(x, jv.guided_relu)[:, 1].sum())(x)
    assert jax.tree.structure(maps.saliency["guided"]) == jax.tree.structure(x)
    for found, want in zip(
        jax.tree.leaves(maps.saliency["guided"]), jax.tree.leaves(wanted), strict=True
    ):
        assert relative_error(found, largest(want)) < 1e-5


def test_what_is_no_array_is_none_in_batches_either():
    with pytest.raises(TypeError, match="x holds a float; wanted one array"):
        jv.explain_batches(of_two, [0.5, 1.5], 0)
    with pytest.raises(TypeError, match="classes is 'goose'; wanted indices"):
        jv.explain_batches(of_two, INPUTS[0], "goose")


def test_no_class_of_an_image_is_refused(narrow, pixels):
    """Else maps without a single value come back."""
    with pytest.raises(ValueError, match=r"classes have shape \(3, 0\); wanted one index"):
        jv.explain(narrow, pixels, np.zeros((3, 0), int))
