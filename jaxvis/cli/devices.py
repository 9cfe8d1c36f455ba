"""`jaxvis devices`: what is here, and which precision is fast on it."""

import argparse
from typing import Any

from jaxvis.cli import options as shared
from jaxvis.cli.exits import DONE
from jaxvis.cli.say import say


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    shared.command(
        commands, "devices", run,
        help="say what JAX computes on here, and measure how fast and how exact each precision is",
    )  # fmt: skip


def run(chosen: argparse.Namespace) -> int:
    """Run the command."""
    import jax

    from jaxvis.gradients import devices, onednn

    say(f"JAX {jax.__version__}, {jax.device_count()} x {devices.in_words()}")
    if any(map(onednn.is_asked, onednn.UNITS)):
        say(f"{onednn.SWITCH}=0 turns oneDNN off.")
    say("\nprecision    GFLOP/s    largest error")
    speeds = {}
    for precision in devices.PRECISIONS:
        speeds[precision] = found = devices.speed(precision)
        say(f"{precision:<9}  {found.gflops:9.0f}    {found.error:.0e}")
    gained = speeds["bfloat16"].gflops / speeds["highest"].gflops
    say(
        "\nOne convolution of VGG16 (block3_conv2), four images, best of five; the error is a share"
        "\nof the largest result. highest is float32 everywhere, default is JAX's own: TF32 on a"
        "\nGPU, bfloat16 on a TPU, float32 on a CPU."
    )
    if gained > 1.1:
        say(f"bfloat16 is {gained:.1f} times as fast as highest here.")
    else:
        say("bfloat16 gains nothing here.")
        units = onednn.units("bfloat16")
        if units and onednn.too_old():
            say(f"This CPU has {units}: JAX 0.12, on Python 3.12 or newer, uses it.")
    say(
        "What rounding does to maps: guided ones hardly change, vanilla saliency does most;"
        "\nbenchmarks/notes.md has the figures."
    )
    return DONE
