"""A map under a rule is that of the rule, or there is an error: never a silent vanilla map.

Whether a model called its ReLU is known when it is traced, and must be known when compiled code is
used again, and under the caller's own transformations.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import conv, normal

import jaxvis as jv
from jaxvis.gradients.called import is_vanilla
from jaxvis.gradients.relu import RULES

X = normal(3, 4, 5, 3)
KERNEL, OUT, HIDDEN = normal(3, 3, 3, 6, seed=1), normal(6, 3, seed=2), normal(6, 6, seed=3)


def body(x, relu=jax.nn.relu):
    return relu(conv(x, KERNEL))


def straight_body(x, relu=jax.nn.relu):
    return jnp.sin(conv(x, KERNEL))


def head(a, relu=jax.nn.relu):
    return relu(a.mean((1, 2)) @ HIDDEN) @ OUT


def straight_head(a, relu=jax.nn.relu):
    return a.mean((1, 2)) @ OUT


def any_keyword(x, **_):
    return head(body(x))


def forgetful(x, relu=jax.nn.relu):
    return head(body(x))


def smooth(x):
    return straight_head(straight_body(x))


FORGETFUL = {
    "any keyword": any_keyword,
    "not used": forgetful,
    "a pair": (straight_body, straight_head),
    "no ReLU inside": jv.expose_relu(smooth),
}
CALLS = {
    "input_gradient": lambda model, rule: jv.input_gradient(model, X, 1, rule=rule),
    "saliency": lambda model, rule: jv.saliency(model, X, 1, rule=rule),
    "explain": lambda model, rule: explain(jv.explain, model, rule),
    "explain_batches": lambda model, rule: explain(jv.explain_batches, model, rule, batch_size=2),
    "compile_explain": lambda model, rule: explain(jv.compile_explain, model, rule)(model, X, 1),
    "jit": lambda model, rule: jax.jit(lambda x: jv.saliency(model, x, 1, rule=rule))(X),
    "jit of the rule": lambda model, rule: jax.jit(
        lambda x, rule: jv.saliency(model, x, 1, rule=rule),
        static_argnums=1 if callable(rule) else (),
    )(X, rule),
    "vmap": lambda model, rule: jax.vmap(
        lambda image: jv.saliency(model, image[None], 1, rule=rule)
    )(X),
    "grad": lambda model, rule: jax.grad(lambda x: jv.input_gradient(model, x, 1, rule=rule).sum())(
        X
    ),
}


def explain(function, model, rule, **options):
    return function(model, X, 1, rules={"asked": rule}, methods=["saliency"], **options)


@pytest.mark.filterwarnings("ignore:.*ReLU")  # of `expose_relu`, which found none
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("model", FORGETFUL.values(), ids=FORGETFUL)
@pytest.mark.parametrize(
    "rule", [jv.GUIDED, jv.RECTIFIED, jv.guided_relu], ids=["guided", "rectified", "function"]
)
def test_a_relu_that_is_never_called_is_an_error(call, model, rule):
    for _ in range(2):  # the second time, compiled code is there
        with pytest.raises(ValueError, match="the model never called the ReLU .* would be the"):
            call(model, rule)


@pytest.mark.filterwarnings("ignore:.*ReLU")
@pytest.mark.parametrize("first", ["vanilla", "guided"])
@pytest.mark.parametrize("model", FORGETFUL.values(), ids=FORGETFUL)
def test_one_compiled_code_for_a_rule_that_matters_and_one_that_does_not(model, first):
    """`VANILLA` alone is what a model without ReLUs may be asked for, before or after an error."""
    whole = model if callable(model) else lambda x: straight_head(straight_body(x))
    wanted = np.abs(jax.grad(lambda x: whole(x)[:, 1].sum())(X)).max(axis=-1)
    for name in [first, *RULES]:
        if name == "vanilla":
            found = jv.saliency(model, X, 1, rule=jv.VANILLA)
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)
        else:
            with pytest.raises(ValueError, match="the model never called the ReLU"):
                jv.saliency(model, X, 1, rule=RULES[name])


@pytest.mark.parametrize("model", FORGETFUL.values(), ids=FORGETFUL)
@pytest.mark.filterwarnings("ignore:.*ReLU")
def test_without_jit(model):
    with jax.disable_jit():
        with pytest.raises(ValueError, match="the model never called the ReLU"):
            jv.saliency(model, X, 1, rule=jv.GUIDED)
        jv.saliency(model, X, 1, rule=jv.VANILLA)


def test_the_message_names_the_rules_that_would_have_mattered():
    with pytest.raises(ValueError, match=r"rules asked for \(rectified, guided\) would be"):
        jv.explain((straight_body, straight_head), X, 1)
    with pytest.raises(ValueError, match=r"rules asked for \(one that is not vanilla\) would be"):
        jv.saliency(forgetful, X, 1, rule=jv.GUIDED)


def test_a_model_that_takes_no_relu():
    """Known without a call, or only by it: a pair's parts, and a function of any arguments."""
    message = "takes no relu=; wanted .*jv.expose_relu"
    with pytest.raises(TypeError, match="smooth " + message):
        jv.saliency(smooth, X, 1, rule=jv.VANILLA)
    with pytest.raises(TypeError, match="smooth " + message):
        jv.saliency((smooth, straight_head), X, 1)
    wrapped = jax.jit(smooth)
    with pytest.raises(TypeError, match=message):
        jv.saliency(wrapped, X, 1, rule=jv.GUIDED)


def test_a_type_error_of_the_model_itself_is_not_explained_away():
    def wrong(x, relu=jax.nn.relu):
        raise TypeError("of another kind")

    with pytest.raises(TypeError, match="^of another kind"):
        jv.saliency(wrong, X, 1)


@pytest.mark.parametrize("layer", [0, (0,)], ids=["one", "sequence"])
@pytest.mark.parametrize("name", ["explain", "grad_cam"])
def test_relus_of_the_body_alone_are_enough(name, layer):
    """Grad-CAM's gradient stays in the head, where this network has no ReLU to be ruled."""
    pair = (body, straight_head)
    model = pair if layer == 0 else jv.expose_relu(lambda x: straight_head(body(x)))
    A, weights = np.asarray(body(X)), np.asarray(OUT[:, 1] / 20)
    wanted = np.maximum((A * weights).sum(axis=-1), 0)
    for rule in (jv.GUIDED, jv.RECTIFIED, jv.guided_relu):
        if name == "grad_cam":
            found = jv.grad_cam(model, X, 1, rule=rule, layer=layer)
        else:
            maps = jv.explain(model, X, 1, rules={"asked": rule}, layer=layer)
            found = maps.grad_cam["asked"]
            gate = lambda a, rule=rule: rule(a) if callable(rule) else jv.relu(a, rule)  # noqa: E731
            gradient = jax.grad(lambda x: straight_head(body(x, gate))[:, 1].sum())(X)  # noqa: B023
            np.testing.assert_allclose(
                maps.saliency["asked"], np.abs(gradient).max(axis=-1), rtol=1e-5, atol=1e-7
            )
        found = found if layer == 0 else found[0]
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


def test_relus_of_the_head_alone_are_enough():
    found = jv.grad_cam((straight_body, head), X, 1, rule=jv.GUIDED)
    A = straight_body(X)
    gradient = jax.grad(lambda a: head(a, jv.guided_relu)[:, 1].sum())(A)
    wanted = np.maximum((A * gradient.mean((1, 2), keepdims=True)).sum(axis=-1), 0)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


def test_a_smooth_function_has_vanilla_maps():
    """Under the default rules an error that says so; under VANILLA alone, its maps."""
    model = jv.expose_relu(smooth)
    with (
        pytest.warns(UserWarning, match="ReLU"),
        pytest.raises(ValueError, match=r"\(rectified, guided\).* if it has none .* jv.VANILLA"),
    ):
        jv.explain(model, X, 1, layer=0)
    with pytest.warns(UserWarning, match="ReLU"):
        maps = jv.explain(model, X, 1, layer=0, rules={"vanilla": jv.VANILLA})
    wanted = np.abs(jax.grad(lambda x: smooth(x)[:, 1].sum())(X)).max(axis=-1)
    np.testing.assert_allclose(maps.saliency["vanilla"], wanted, rtol=1e-5, atol=1e-7)


def inside_jit(x, relu=jax.nn.relu):
    return jax.jit(lambda x: straight_head(body(x, relu=relu)))(x)


def inside_scan(x, relu=jax.nn.relu):
    def step(a, kernel):
        return relu(a @ kernel) + a, None

    a, _ = jax.lax.scan(step, conv(x, KERNEL), jnp.stack([HIDDEN, HIDDEN.T]))
    return straight_head(a)


def inside_cond(x, relu=jax.nn.relu):
    a = conv(x, KERNEL)
    return straight_head(jax.lax.cond(a.sum() > -1e9, relu, jnp.cos, a))


def inside_checkpoint(x, relu=jax.nn.relu):
    return jax.checkpoint(lambda x: straight_head(body(x, relu=relu)))(x)


INSIDE = [inside_jit, inside_scan, inside_cond, inside_checkpoint]


@pytest.mark.parametrize("function", INSIDE)
@pytest.mark.parametrize("exposed", [False, True], ids=["by hand", "exposed"])
def test_a_relu_inside_of_something_counts(function, exposed):
    model = jv.expose_relu(lambda x: function(x)) if exposed else function
    for rule, gate in ((jv.GUIDED, jv.guided_relu), (jv.RECTIFIED, jv.rectified_relu)):
        wanted = jax.grad(lambda x: function(x, gate)[:, 1].sum())(X)  # noqa: B023
        plain = jax.grad(lambda x: function(x)[:, 1].sum())(X)
        assert np.abs(wanted - plain).max() > 1e-2
        for _ in range(2):
            found = jv.input_gradient(model, X, 1, rule=rule)
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("numbers", "rule"),
    [((1, 1), jv.GUIDED), ((0, 1), jv.RECTIFIED), ((1, 0), jv.VANILLA), ((0, 0), (False, False))],
)
def test_rules_of_numbers_are_rules_of_booleans(numbers, rule):
    """`~1` is -2, which is true: a gate of 1 would never close."""
    given = jv.Rule(*numbers)
    whole = lambda x, relu=jax.nn.relu: head(body(x, relu=relu), relu=relu)  # noqa: E731

    def by_hand(gate_input, gate_gradient):
        @jax.custom_vjp
        def relu(x):
            return jnp.maximum(x, 0)

        def backward(x, g):
            open_ = jnp.ones(x.shape, bool)
            open_ = open_ & (x > 0) if gate_input else open_
            return (jnp.where(open_ & (g > 0) if gate_gradient else open_, g, 0),)

        relu.defvjp(lambda x: (relu(x), x), backward)
        return relu

    relu = by_hand(*map(bool, rule))
    wanted = jax.grad(lambda x: whole(x, relu)[:, 1].sum())(X)
    np.testing.assert_allclose(jv.input_gradient(whole, X, 1, rule=given), wanted, rtol=1e-5)
    direct = jax.grad(lambda x: whole(x, lambda a: jv.relu(a, given))[:, 1].sum())(X)
    np.testing.assert_allclose(direct, wanted, rtol=1e-5)
    maps = jv.explain((body, head), X, 1, rules={"numbers": given, "booleans": jv.Rule(*rule)})
    np.testing.assert_array_equal(maps.saliency["numbers"], maps.saliency["booleans"])
    np.testing.assert_allclose(
        maps.saliency["numbers"], np.abs(wanted).max(axis=-1), rtol=1e-5, atol=1e-7
    )


def test_what_is_known_to_be_vanilla():
    for rule in (jv.VANILLA, jv.Rule(1, 0), jv.Rule(True, False), jax.nn.relu, jv.vanilla_relu):
        assert is_vanilla(rule)
    for rule in (jv.GUIDED, jv.RECTIFIED, jv.Rule(0, 0), jv.Rule(1, 1), jv.guided_relu):
        assert not is_vanilla(rule)
    assert not jax.jit(lambda rule: jnp.asarray(is_vanilla(rule)))(jv.VANILLA)


@jax.jit
def as_an_argument(relu, x):
    return relu(x)


@partial(jax.jit, static_argnums=0)
def as_a_static_argument(relu, x):
    return relu(x)


HANDED_ON = {
    "argument": as_an_argument,
    "static argument": as_a_static_argument,
    "by keyword": lambda relu, x: relu(x=x),
    "map": lambda relu, x: jax.lax.map(relu, x),
    "vmap": lambda relu, x: jax.vmap(relu)(x),
}


@pytest.mark.parametrize("hand_on", HANDED_ON.values(), ids=HANDED_ON)
def test_a_relu_that_is_handed_on_counts(hand_on):
    """To functions that JAX keeps traced, whatever they were called with before."""

    def model(x, relu):
        return head(conv(x, KERNEL), relu=lambda a: hand_on(relu, a))

    for index in (1, 0):
        for rule, gate in ((jv.GUIDED, jv.guided_relu), (jv.RECTIFIED, jv.rectified_relu)):
            wanted = jax.grad(lambda x: head(conv(x, KERNEL), gate)[:, index].sum())(X)  # noqa: B023
            found = jv.input_gradient(model, X, index, rule=rule)
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-7)
    with jax.disable_jit():
        found = jv.input_gradient(model, X, index, rule=rule)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-7)
