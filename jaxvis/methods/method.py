"""What a method is: data that report, figures, evaluation, streams and command all read."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from jaxtyping import Array, Float


class Pass(NamedTuple):
    """What one forward and one backward pass leave, for one class of every image.

    Attributes:
        x: the network's input, an array or a pytree of arrays, channels last for methods `at` it.
        input_gradient: d score / d x, in the form of x.
        activation: A, of the layer, channels last: (n, *space, channels), after its ReLU.
        activation_gradient: d score / d A, of the same shape.

        plain_gradient: the same under `VANILLA`, whatever the rule.

    The last three are None for methods that make nothing of a layer, the second for those whose
    maps are `at` it. `plain_gradient` is there for methods that are made `of_both` alone.
    """

    x: Any
    input_gradient: Any
    activation: Float[Array, "n *space channels"] | None
    activation_gradient: Float[Array, "n *space channels"] | None
    plain_gradient: Float[Array, "n *space channels"] | None = None


ANY = "any"  # in the place of a rule's name, for methods that no rule changes


class Method(NamedTuple):
    """One way to explain an image; `jaxvis.methods.catalogue` lists those that jaxvis has.

    Attributes:
        name: by which it is asked for, and under which files and results are kept: "grad_cam".
        title: as it stands in the middle of a sentence: "Grad-CAM".
        function: to raw maps (n, *space), with their signs: from a `Pass`, where the kind is "one
            pass"; else from `(model, x, classes, *, layer, rule, score, grid, channel_axis)`.
        shown: from these to the maps that are shown, unless `signed=True` is asked for: |.|, say.
        kind: what it is made from; "one pass" methods share one compiled call.
        at: whether its maps have the "input"'s size, or the "layer"'s and are laid over the image.
        signed: whether the maps that are shown hold values of both signs.
        rules: whether the ReLU's rule changes it; if not, there is one map, under the name `ANY`.
        forward, backward: passes through the network that it takes alone, for each rule and image.
        paper: where it was published.
        about: one sentence for a caption.
        of_both: whether a map at the input is made of a layer's activations as well.
        of_chain: whether the model has to come apart into layers (`gradients.chain`), as a `VGG16`
            does and a function of JAX does not.
    """

    name: str
    title: str
    function: Callable[..., Any]
    shown: Callable[[Float[Array, "..."]], Float[Array, "..."]]
    kind: Literal["one pass", "average", "masks", "layer by layer"]
    at: Literal["input", "layer"]
    signed: bool
    rules: bool
    forward: int
    backward: int
    paper: str
    about: str
    of_both: bool = False
    of_chain: bool = False

    @property
    def of_layer(self) -> bool:
        """Whether a layer has to be named for it."""
        return self.at == "layer" or self.of_both

    def under(self, rules: Sequence[str]) -> tuple[str, ...]:
        """Return the names that its maps have by rule, where these rules are asked for."""
        return tuple(rules) if self.rules else (ANY,)
