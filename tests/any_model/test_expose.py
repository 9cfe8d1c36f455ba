"""Every network must give what it gives with its ReLUs written by hand."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from conftest import forced_devices, long
from networks import ALL, dense, linen, normal

import jaxvis as jv
from jaxvis.any_model import run as reenter
from jaxvis.any_model.expose import count_relus, expose_relu
from jaxvis.any_model.jaxprs import walk
from jaxvis.gradients.relu import RULES
from jaxvis.methods.one_pass import one_pass

RELUS = {"vanilla": jv.vanilla_relu, "rectified": jv.rectified_relu, "guided": jv.guided_relu}


def pulled_back(f, x):
    """The gradient of a score that gives every output a weight of its own sign."""
    y, pull_back = jax.vjp(f, x)
    return pull_back(normal(*y.shape, seed=3).astype(y.dtype))[0]


@pytest.mark.parametrize("builder", ALL.values(), ids=ALL)
def test_networks_as_their_authors_write_them(builder):
    f, by_hand, x = builder()
    assert count_relus(f, x).relus
    g = jax.jit(lambda rule, x: pulled_back(lambda x: expose_relu(f)(x, relu=rule), x))
    h = jax.jit(lambda rule, x: pulled_back(by_hand(lambda x: jv.relu(x, rule)), x))
    wanted = {name: np.asarray(h(rule, x)) for name, rule in RULES.items()}
    for name, rule in RULES.items():
        np.testing.assert_allclose(g(rule, x), wanted[name], rtol=1e-5, atol=1e-6)
    assert np.abs(wanted["vanilla"] - wanted["guided"]).max() > 1e-2  # or all would pass
    assert np.abs(wanted["rectified"] - wanted["guided"]).max() > 1e-2


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_the_function_of_that_rule(name):
    f, by_hand, x = dense()
    wanted = pulled_back(by_hand(RELUS[name]), x)
    for relu in (RULES[name], RELUS[name]):
        found = pulled_back(lambda x: expose_relu(f)(x, relu=relu), x)  # noqa: B023
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("builder", ALL.values(), ids=ALL)
def test_values_are_the_same(builder):
    f, _, x = builder()
    g = expose_relu(f)
    for run in (lambda f: f, jax.jit):
        wanted = np.asarray(run(lambda x: f(x))(x))
        np.testing.assert_array_equal(run(lambda x: g(x))(x), wanted)  # bit for bit
        # Under a rule XLA joins other operations, which may sum in another order.
        ruled = run(lambda x: g(x, relu=jv.GUIDED))(x)
        np.testing.assert_allclose(ruled, wanted, rtol=1e-5, atol=1e-6)


def one(relu):
    """A layer of each kind that a transformation has to enter."""
    kernels = normal(3, 6, 6)

    @jax.custom_jvp
    def own_jvp(x):
        return relu(x @ kernels[0]) @ kernels[1]

    @jax.custom_vjp
    def own_vjp(x, kernel):
        return relu(x @ kernel) @ kernels[1]

    @jax.jit
    def block(x, kernel):
        return relu(x @ kernel)

    def counting(carry, kernel):
        x, count = carry
        return (relu(x @ kernel) + x, count + 1), x.sum()

    def scan(x):
        (x, count), sums = jax.lax.scan(counting, (x, 0), kernels, reverse=True, unroll=2)
        return x + sums.sum() + count.astype(x.dtype)

    own_jvp.defjvp(lambda primals, tangents: (own_jvp(*primals), 7 * tangents[0]))
    own_vjp.defvjp(lambda x, k: (own_vjp(x, k), None), lambda _, g: (7 * g, jnp.zeros((6, 6))))
    return {
        "jit": lambda x: block(block(x, kernels[0]), kernels[1]),
        "checkpoint": jax.checkpoint(
            lambda x: relu(x @ kernels[0]) @ kernels[1],
            policy=jax.checkpoint_policies.dots_saveable,
            prevent_cse=False,
        ),
        "scan": scan,
        "fori_loop": lambda x: jax.lax.fori_loop(0, 3, lambda i, x: relu(x @ kernels[i]) + x, x),
        "map": lambda x: jax.lax.map(lambda row: relu(row @ kernels[0]), x),
        "cond": lambda x: jax.lax.cond(x[0, 0] > 9, jnp.sin, lambda x: relu(x @ kernels[0]), x),
        "switch": lambda x: jax.lax.switch(
            jnp.argmax(x[0]), [lambda x, k=k: relu(x @ kernels[k % 3]) for k in range(6)], x
        ),
        "vmap": jax.vmap(lambda row: relu(row @ kernels[0]) @ kernels[1]),
        "vmap of scan": jax.vmap(
            lambda row: jax.lax.scan(lambda h, k: (relu(h @ k), None), row, kernels)[0]
        ),
        "named_call": jax.named_call(lambda x: relu(x @ kernels[0]), name="layer"),
        "custom_jvp": own_jvp,
        "custom_vjp": lambda x: own_vjp(x, kernels[0]),
        "plain": lambda x: relu(x @ kernels[0]) @ kernels[1],
    }


# In the first the ReLU is one equation, in the second it is spread over two jaxprs.
FORMS = {"relu": jax.nn.relu, "where": lambda x: jnp.where(x > 0, x, 0)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", one(jax.nn.relu))
def test_everything_that_holds_jaxprs_is_entered(kind, form):
    x = normal(4, 6, seed=1)
    f = one(FORMS[form])[kind]
    g = expose_relu(f)
    # A custom gradient is none of the body, through which alone a ReLU can be reached.
    by_hand = one(jv.guided_relu)["plain" if kind.startswith("custom") else kind]
    wanted = pulled_back(by_hand, x)
    assert set(count_relus(f, x).by_form) == {form}
    for run in (lambda f: f, jax.jit):
        np.testing.assert_array_equal(run(lambda x: g(x, relu=jv.GUIDED))(x), run(f)(x))
    found = jax.jit(lambda rule: pulled_back(lambda x: g(x, relu=rule), x))
    np.testing.assert_allclose(found(jv.GUIDED), wanted, rtol=1e-5, atol=1e-6)
    assert np.abs(wanted - found(jv.RECTIFIED)).max() > 1e-2


def test_while_loop_is_entered_in_condition_and_body():
    kernel = normal(6, 6)

    def f(x):
        def more(carry):
            return (carry[0] < 3) & (jax.nn.relu(carry[1]).sum() < 1e9)

        def step(carry):
            return carry[0] + 1, jax.nn.relu(carry[1] @ kernel) + x

        return jax.lax.while_loop(more, step, (0, x))

    x = normal(4, 6, seed=1)
    assert [site.name_stack for site in count_relus(f, x).relus] == ["while", "while"]
    shapes = []

    def relu(x, where):
        shapes.append((where.index, x.shape))
        return jax.nn.relu(x)

    for found, wanted in zip(expose_relu(f)(x, relu=relu), f(x), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert set(shapes) == {(0, (4, 6)), (1, (4, 6))}


@pytest.mark.parametrize(
    ("form", "relu"),
    [
        ("relu", jax.nn.relu),
        ("relu", jv.guided_relu),
        ("relu6", jax.nn.relu6),
        ("maximum", lambda x: jnp.maximum(0, x)),
        ("maximum", lambda x: jnp.maximum(x, jnp.zeros_like(x))),
        ("maximum", lambda x: jax.lax.max(x, jnp.float32(0))),
        ("maximum", lambda x: jnp.maximum(np.zeros(40, np.float32), x)),
        ("maximum", lambda x: jnp.minimum(jnp.maximum(x, 0), 6)),
        ("where", lambda x: jnp.where(x > 0, x, 0)),
        ("where", lambda x: jnp.where(x >= 0, x, jnp.zeros_like(x))),
        ("where", lambda x: jnp.where(x <= 0, 0, x)),
        ("where", lambda x: jax.lax.select(x < 0, jnp.zeros_like(x), x)),
        ("clip", lambda x: jnp.clip(x, 0)),
        ("clip", lambda x: jnp.clip(x, 0, 6)),
        ("clip", lambda x: jax.lax.clamp(0.0, x, 6.0)),
        ("product", lambda x: x * (x > 0).astype(x.dtype)),
    ],
)
def test_every_form_of_a_relu(form, relu):
    x, g = 5 * normal(40), normal(40, seed=1)
    x = x.at[:3].set(jnp.array([0.0, 6.0, 7.0]))
    count = count_relus(relu, x)
    assert count.by_form == {form: 1}
    assert count.left_alone == ()
    y, pull_back = jax.vjp(lambda x: expose_relu(relu)(x, relu=jv.GUIDED), x)
    np.testing.assert_array_equal(y, relu(x))
    capped = not np.array_equal(relu(x), np.maximum(x, 0))
    inside = (x > 0) & ((x < 6) | (not capped))
    wanted = np.where(inside & (g > 0), g, 0)
    found = np.array(pull_back(g)[0])
    if form in ("maximum", "clip") and capped:  # jnp.minimum halves the gradient at the cap
        assert found[1] in (0, g[1] / 2)
        found[1] = wanted[1]
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "name",
    [
        "leaky_relu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "hard_silu",
        "hard_sigmoid",
        "hard_tanh",
        "squareplus",
        "mish",
    ],
)
def test_what_is_no_relu_is_left_alone_and_reported(name):
    activation = getattr(jax.nn, name)
    x = normal(9)
    count = count_relus(activation, x)
    assert count.relus == ()
    assert [site.form for site in count.left_alone] == [name]
    assert f"left alone  {name}" in str(count)
    with pytest.warns(UserWarning, match=rf"found no ReLU in the function.*it found {name} \(1\)"):
        found = pulled_back(lambda x: expose_relu(activation)(x, relu=jv.GUIDED), x)
    np.testing.assert_array_equal(found, pulled_back(activation, x))


def test_a_functions_own_name_does_not_hide_it():
    @jax.jit
    def elu(x):
        return jax.nn.relu(x)

    assert count_relus(elu, normal(3)).by_form == {"relu": 1}


@pytest.mark.parametrize(
    "f",
    [
        jax.nn.softplus,
        lambda x: jnp.logaddexp(x, 0.0),
        lambda x: jnp.maximum(x, 0.5),
        lambda x: jnp.maximum(x, -x),
        lambda x: jnp.where(x > 0, x, 0.1 * x),
        lambda x: jnp.where(x > 0, jnp.sin(x), 0),
        lambda x: jnp.where(x > 0.5, x, 0),
        lambda x: jnp.where(x > 0, 0, x),
        lambda x: jnp.where(jnp.sin(x) > 0, x, 0),
        lambda x: x / jnp.sqrt(jnp.maximum(x, 0) + 1),
        lambda x: x * jax.lax.rsqrt(1 + jnp.clip(x, 0)),
        lambda x: jax.image.resize(x, (4,), "linear"),
        lambda x: x * jax.random.uniform(jax.random.key(0), x.shape),
        jnp.median,
        lambda x: x * jnp.maximum(x.astype(jnp.int32), 0).astype(x.dtype),
    ],
)
def test_what_only_looks_like_a_relu(f):
    assert count_relus(f, normal(9)).relus == ()


def test_forms_choose_what_counts():
    f, _, x = dense()
    assert count_relus(f, x).by_form == {"relu": 1, "maximum": 1, "where": 1, "clip": 1}
    only = count_relus(f, x, forms=("where",))
    assert [site.form for site in only.relus] == ["where"]
    assert [site.form for site in only.left_alone] == ["relu", "maximum", "clip"]
    g = expose_relu(f, forms="where")
    seen = []
    g(x, relu=lambda x, where: seen.append(where) or x)
    assert tuple(seen) == only.relus == count_relus(g, x).relus


def test_layer_normalisation_guards_its_variance_with_no_relu():
    f, _, x = linen()
    count = count_relus(f, x)
    assert count.by_form == {"relu": 3}
    assert [site.form for site in count.left_alone] == ["guard of a square root"]


def test_one_layer_alone_can_be_guided():
    kernels = normal(3, 6, 6)

    def with_relus(*relus):
        def f(x):
            for i, relu in enumerate(relus):
                with jax.named_scope(f"layer{i}"):
                    x = relu(x @ kernels[i])
            return x

        return f

    x, plain, guided = normal(4, 6, seed=1), jax.nn.relu, jv.guided_relu
    g = expose_relu(with_relus(plain, plain, plain))
    wanted = pulled_back(with_relus(plain, guided, plain), x)
    for chosen in (
        lambda x, where: guided(x) if where.index == 1 else plain(x),
        lambda x, site: guided(x) if site.name_stack == "layer1" else plain(x),
        lambda x, where=None: guided(x) if where.index == 1 else plain(x),
    ):
        found = pulled_back(lambda x: g(x, relu=chosen), x)  # noqa: B023
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    twice = with_relus(*[lambda x: plain(x) * 2] * 3)(x)
    for no_where in (lambda x, slope=2.0: plain(x) * slope, partial(scaled, slope=2.0)):
        np.testing.assert_array_equal(g(x, relu=no_where), twice)


def scaled(x, slope):
    return jax.nn.relu(x) * slope


def test_indices_go_on_in_a_jit_that_is_called_twice():
    block = jax.jit(lambda x: jax.nn.relu(jnp.sin(x)))
    seen = []
    expose_relu(lambda x: block(block(x)))(
        normal(3), relu=lambda x, where: seen.append(where.index) or jax.nn.relu(x)
    )
    assert seen == [0, 1]


@jax.custom_batching.custom_vmap
def with_own_vmap(x):
    return jax.nn.relu(x)


@with_own_vmap.def_vmap
def _(size, batched, x):
    return with_own_vmap(x), batched[0]


@pytest.mark.parametrize(
    ("primitive", "f"),
    [
        (
            "custom_linear_solve",
            lambda x: jax.lax.custom_linear_solve(lambda y: y, x, lambda _, b: jax.nn.relu(b)),
        ),
        ("reduce", lambda x: jax.lax.reduce(x, 0.0, lambda a, b: jax.nn.relu(a + b), (0,))),
        ("custom_vmap_call", with_own_vmap),
    ],
)
def test_what_cannot_be_entered_is_an_error_only_if_it_holds_a_relu(primitive, f):
    x = normal(4)
    message = rf"the primitive '{primitive}' .*holds a ReLU \(relu\).*forms="
    for call in (lambda: expose_relu(f)(x, relu=jv.GUIDED), lambda: count_relus(f, x)):
        with pytest.raises(NotImplementedError, match=message):
            call()
    np.testing.assert_array_equal(expose_relu(f)(x), f(x))

    def without(x):
        return jax.lax.custom_linear_solve(lambda y: 2 * y, jax.nn.relu(x), lambda _, b: b / 2)

    np.testing.assert_array_equal(expose_relu(without)(x, relu=jv.GUIDED), without(x))


def test_pytrees_integers_flags_and_several_inputs():
    def f(batch, flip, *, scale, name="sum"):
        x = jax.nn.relu(batch["x"] @ batch["table"][batch["index"]]) * scale
        return {"out": -x if flip else x, "count": batch["index"] + 1, "none": None, name: x.sum()}

    batch = {
        "x": np.asarray(normal(4, 6), np.float64),  # canonicalised as JAX does
        "table": normal(3, 6, 6),
        "index": np.int32(2),
    }
    g = expose_relu(f)
    wanted = f(batch, True, scale=2.0, name="total")
    found = g(batch, True, relu=jv.GUIDED, scale=2.0, name="total")
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    jax.tree.map(np.testing.assert_array_equal, found, wanted)
    table = jax.grad(lambda table: g(batch | {"table": table}, False, scale=1.0)["sum"])
    assert np.abs(table(batch["table"])[2]).max() > 0


def test_rules_are_data():
    """vmap over rules equals a loop, and its forward pass runs once."""
    f, _, x = linen()
    g = expose_relu(f)

    def gradient(rule):
        return pulled_back(lambda x: g(x, relu=rule), x)

    stack = jax.tree.map(lambda *gates: jnp.stack(gates), *RULES.values())
    for row, rule in zip(jax.vmap(gradient)(stack), RULES.values(), strict=True):
        np.testing.assert_allclose(row, gradient(rule), rtol=1e-5, atol=1e-6)
    text = str(jax.make_jaxpr(jax.vmap(lambda rule: g(x, relu=rule)))(stack))
    forward = str(jax.make_jaxpr(g)(x))
    assert text.count("conv_general_dilated[") == forward.count("conv_general_dilated[") == 2
    assert "f32[3," not in text.split("conv_general_dilated[")[1]


def test_no_recompilation_from_rule_to_rule():
    f = one(jax.nn.relu)["scan"]
    g, x = expose_relu(f), normal(4, 6)
    traces = []

    @jax.jit
    def gradient(rule):
        traces.append(rule)
        return pulled_back(lambda x: g(x, relu=rule), x)

    results = [gradient(rule) for rule in RULES.values()]
    assert len(traces) == 1
    assert not np.array_equal(results[0], results[2])
    # Called outside of jit, a loop is compiled by itself, and kept too.
    g(x, relu=jv.GUIDED)
    loops = len(reenter._kept)
    (*_, (_, loop, _)) = reenter._kept._made.values()
    compiled = loop._cache_size()
    assert compiled > 0
    for rule in RULES.values():
        g(x, relu=rule)
    assert len(reenter._kept) == loops
    assert loop._cache_size() == compiled


def test_nothing_is_frozen_when_called():
    weights = {"kernel": normal(6, 6)}
    g, x = expose_relu(lambda x: jax.nn.relu(x @ weights["kernel"])), normal(4, 6)
    before = g(x, relu=jv.GUIDED)
    weights["kernel"] = 2 * weights["kernel"]
    np.testing.assert_array_equal(g(x, relu=jv.GUIDED), 2 * before)


def test_weights_that_are_closed_over_have_gradients():
    def network(kernels, relu):
        block = jax.jit(lambda x: relu(x @ kernels[0]))

        def step(x, kernel):
            return relu(x @ kernel @ kernels[1]), None

        return lambda x: jax.lax.scan(step, block(x), kernels)[0]

    kernels, x = normal(3, 6, 6), normal(4, 6, seed=1)
    wanted = jax.grad(lambda kernels: network(kernels, jv.guided_relu)(x).sum())(kernels)
    for run in (lambda f: f, jax.jit):
        found = run(
            jax.grad(
                lambda kernels: expose_relu(network(kernels, jax.nn.relu))(x, relu=jv.GUIDED).sum()
            )
        )(kernels)
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_effects_happen_once_a_step(capfd):
    def step(x, kernel):
        jax.debug.print("step")
        return jax.nn.relu(x @ kernel), None

    kernels = normal(3, 6, 6)
    expose_relu(lambda x: jax.lax.scan(step, x, kernels)[0])(normal(4, 6), relu=jv.GUIDED)
    jax.effects_barrier()
    assert capfd.readouterr().out.splitlines() == ["step"] * 3


def test_saliency_compiles_once_for_one_model_and_shares_nothing_between_two():
    kernels = normal(2, 6, 6)

    def closure(kernel):
        return lambda x: jax.nn.relu(x @ kernel)

    x = normal(4, 6, seed=1)
    one, two = (closure(kernel) for kernel in kernels)
    g = expose_relu(one)
    first = jv.input_gradient(g, x, 0, rule=jv.GUIDED)
    compiled = one_pass.traces
    for rule in RULES.values():
        jv.input_gradient(g, x, 1, rule=rule)
        jv.input_gradient(expose_relu(one), x, 1, rule=rule)
    assert one_pass.traces == compiled
    other = jv.input_gradient(expose_relu(two), x, 0, rule=jv.GUIDED)
    assert one_pass.traces == compiled + 1
    for found, kernel in ((first, kernels[0]), (other, kernels[1])):
        wanted = jax.grad(lambda x: jv.guided_relu(x @ kernel)[:, 0].sum())(x)  # noqa: B023
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "linen",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("nnx_module", "equinox", "haiku")),
    ],
)
def test_weights_of_a_pytree_are_traced_and_not_frozen(name):
    f, _, x = ALL[name]()
    first = jv.input_gradient(expose_relu(f), x, 0, rule=jv.GUIDED)
    compiled = one_pass.traces
    doubled = jax.tree.map(lambda leaf: 2 * leaf if hasattr(leaf, "shape") else leaf, f)
    second = jv.input_gradient(expose_relu(doubled), x, 0, rule=jv.GUIDED)
    assert one_pass.traces == compiled
    assert not np.allclose(first, second)


def test_jit_keeps_its_name_and_donation():
    def layer(x):
        return jax.nn.relu(jnp.sin(x))

    f = jax.jit(layer, donate_argnums=0)
    jaxpr = jax.make_jaxpr(lambda x: expose_relu(f)(x, relu=jv.GUIDED))(normal(3))
    assert jaxpr.eqns[0].params["name"] == "layer"
    x, y = normal(3), normal(3)
    f(x)
    expose_relu(f)(y, relu=jv.GUIDED)
    assert x.is_deleted() == y.is_deleted()


KERAS = {"VGG16": "relu", "MobileNet": "relu6", "ResNet50": "relu"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form"),
    [pytest.param(*row, marks=[long] if row[0] == "ResNet50" else []) for row in KERAS.items()],
    ids=KERAS,
)
def test_networks_of_keras(name, form, monkeypatch):
    """Against the same network, while Keras finds ruled ReLUs in the place of JAX's."""
    options = {"weights": None, "input_shape": (32, 32, 3), "classes": 5}
    model = getattr(keras.applications, name)(classifier_activation=None, **options)
    x = normal(2, 32, 32, 3)
    with jax.numpy_rank_promotion("allow"):  # Keras adds a bias (5,) to (2, 5)
        count = count_relus(model, x)
        assert count.by_form == {form: {"VGG16": 15, "ResNet50": 49, "MobileNet": 27}[name]}
        g = expose_relu(model)
        # Poolings and depthwise convolutions are computed otherwise, and round otherwise.
        y, logits = (np.asarray(jax.jit(f)(x)) for f in (lambda x: g(x, relu=jv.GUIDED), model))
        assert np.abs(y - logits).max() < 1e-5 * np.abs(logits).max()
        found = jax.jit(lambda x: pulled_back(lambda x: g(x, relu=jv.GUIDED), x))(x)

        def guided_relu6(x):
            y = jv.guided_relu(x)
            return jnp.where(y >= 6, jnp.asarray(6, y.dtype), y)

        monkeypatch.setattr(jax.nn, "relu", jv.guided_relu)
        monkeypatch.setattr(jax.nn, "relu6", guided_relu6)
        wanted = jax.jit(lambda x: pulled_back(model, x))(x)
    assert np.abs(wanted).max() > 0
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(found / scale, wanted / scale, rtol=1e-5, atol=1e-6)


def test_checkpoint_keeps_its_policy():
    f = one(jax.nn.relu)["checkpoint"]
    jaxpr = jax.make_jaxpr(lambda x: expose_relu(f)(x, relu=jv.GUIDED))(normal(4, 6))
    (found,) = [v.eqn.params for v in walk(jaxpr) if v.eqn.primitive.name == "remat2"]
    wanted = jax.make_jaxpr(f)(normal(4, 6)).eqns[0].params
    assert found["prevent_cse"] == wanted["prevent_cse"]
    assert found["policy"] == wanted["policy"]


def test_the_demo_network_through_expose_relu_is_its_own_relu(narrow, pixels):
    g = expose_relu(narrow)
    for rule in RULES.values():
        wanted = jv.input_gradient(narrow, pixels, 1, rule=rule)
        found = jv.input_gradient(g, pixels, 1, rule=rule)
        # Not bit for bit: VGG16 may be computed by oneDNN, other functions are not.
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_a_relu_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"relu returned float32\[\] for float32\[3\].*index=0"):
        expose_relu(jax.nn.relu)(normal(3), relu=jnp.sum)


def test_wrong_arguments():
    with pytest.raises(TypeError, match="f is a int; wanted a function"):
        expose_relu(3)
    with pytest.raises(ValueError, match="forms has 'mish'; wanted some of relu, relu6, maximum"):
        expose_relu(jax.nn.relu, forms=("relu", "mish"))
    with pytest.raises(TypeError, match="rule is 'guided'; wanted"):
        expose_relu(jax.nn.relu)(normal(3), relu="guided")


SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import PartitionSpec as P
import jaxvis as jv
from jaxvis.any_model.expose import expose_relu

mesh = jax.make_mesh((2,), ("rows",), axis_types=(jax.sharding.AxisType.Auto,))
kernel = jnp.asarray(np.random.default_rng(0).normal(size=(6, 6)), jnp.float32)
x = jnp.asarray(np.random.default_rng(1).normal(size=(4, 6)), jnp.float32)

def network(relu):
    return lambda x: jnp.sin(relu(jnp.where(x > 9, 0, x) @ kernel))

def gradient(f):
    return jax.jit(jax.grad(lambda x: jnp.sum(f(x) * jnp.cos(3 * x))))(x)

def sharded(f):
    return jax.shard_map(f, mesh=mesh, in_specs=P("rows"), out_specs=P("rows"))

for form in (jax.nn.relu, lambda x: jnp.maximum(x, 0), lambda x: jnp.where(x > 0, x, 0)):
    for rule, relu in ((jv.GUIDED, jv.guided_relu), (jv.RECTIFIED, jv.rectified_relu)):
        wanted = gradient(network(relu))
        outside = gradient(sharded(lambda x: expose_relu(network(form))(x, relu=rule)))
        within = gradient(lambda x: expose_relu(sharded(network(form)))(x, relu=rule))
        np.testing.assert_allclose(outside, wanted, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(within, wanted, rtol=1e-5, atol=1e-6)
    expose_relu(sharded(network(form)))(x, relu=jv.GUIDED)
assert len(jax.devices()) == 2 and np.abs(wanted).max() > 0
"""


def test_inside_and_around_shard_map():
    two = forced_devices(2)
    subprocess.run([sys.executable, "-c", SHARDED], check=True, env=os.environ | two, timeout=120)


def test_relus_of_a_package_whose_name_begins_like_jax(tmp_path, monkeypatch):
    """`jax_models` is no part of JAX: its functions are looked into, and its ReLUs found."""
    folder = Path(jax.__file__).parent
    source = (
        "import jax, jax.numpy as jnp\n"
        "@jax.jit\n"
        "def net(x):\n"
        "    return jnp.maximum(x, 0) + jnp.where(x > 1, x, 0)\n"
    )
    found = {}
    # Such a file may lie right beside JAX, where its path begins with JAX's own.
    for name in ("my_models", "jax_models"):
        code = compile(source, str(folder.parent / name / "net.py"), "exec")
        module = {"__name__": name}
        exec(code, module)
        found[name] = jv.count_relus(module["net"], jnp.ones((2, 3))).by_form
    assert found["jax_models"] == found["my_models"]
    assert found["my_models"]["maximum"] == 1
