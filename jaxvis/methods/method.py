"""What a method is: data that report, figures, evaluation, streams and command all read."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from jaxtyping import Array, Float


class Pass(NamedTuple):
    """What one forward and one backward pass leave, for one class of every image.

    Attributes:
        x: the network's input, an array or a pytree of arrays, channels last for methods `at` it.
        input_gradient: d score / d x, in the form of x.
        activation: A, of the layer, channels last: (n, *space, channels), after its ReLU.
        activation_gradient: d score / d A, of the same shape.

    The last two are None for methods whose maps are `at` the input, the second for all others.
    """

    x: Any
    input_gradient: Any
    activation: Float[Array, "n *space channels"] | None
    activation_gradient: Float[Array, "n *space channels"] | None


class Method(NamedTuple):
    """One way to explain an image; `jaxvis.methods.catalogue` lists those that jaxvis has.

    Attributes:
        name: by which it is asked for, and under which files and results are kept: "grad_cam".
        title: as it stands in the middle of a sentence: "Grad-CAM".
        function: from a `Pass` to raw maps (n, *space), with their signs.
        shown: from these to the maps that are shown, unless `signed=True` is asked for: |.|, say.
        kind: what it is made from; "one pass" methods share one compiled call.
        at: whether its maps have the "input"'s size, or the "layer"'s and are laid over the image.
        signed: whether the maps that are shown hold values of both signs.
        rules: whether the ReLU's rule changes it.
        forward, backward: passes through the network that it takes alone, for each rule.
        paper: where it was published.
        about: one sentence for a caption.
    """

    name: str
    title: str
    function: Callable[[Pass], Any]
    shown: Callable[[Float[Array, "..."]], Float[Array, "..."]]
    kind: Literal["one pass", "average", "masks", "optimisation"]
    at: Literal["input", "layer"]
    signed: bool
    rules: bool
    forward: int
    backward: int
    paper: str
    about: str
