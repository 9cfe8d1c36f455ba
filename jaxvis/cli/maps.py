"""`jaxvis maps`: maps of any number of images, in an output that a killed run leaves whole."""

import argparse
import json
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from jaxvis import stopping
from jaxvis.cli import options as shared
from jaxvis.cli.exits import DONE, IMAGES
from jaxvis.cli.say import complain, say
from jaxvis.errors import InputError
from jaxvis.packages import check_installed
from jaxvis.text import visible

if TYPE_CHECKING:
    from jaxvis.streaming.processes import Process
    from jaxvis.streaming.run import Progress
    from jaxvis.streaming.stored import StoredMaps

EVERY = 10.0  # seconds between two lines of --json
SHOWN = 5  # names of images in a message


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    add = shared.command(
        commands, "maps", run, help="write the maps of any number of images",
        description="Write the maps of any number of images to a Zarr group: read, computed and "
        "written at the same time, on all devices of this machine, or by several processes. Killed "
        "and started again with the same arguments, it goes on where it was. `jaxvis show` and "
        "`jaxvis evaluate --maps` read it, and so do zarr and xarray. Wants jaxvis[many].",
    )  # fmt: skip
    add("images", nargs="+", metavar="IMAGES",
        help="files, folders, globs, or .txt files that list paths, one a line")  # fmt: skip
    add("--out", required=True, metavar="GROUP", help="where to write, such as maps.zarr, or what "
        "TensorStore knows: gs://BUCKET/..., s3://BUCKET/...")  # fmt: skip
    shared.network(add, "default imagenet")
    shared.what_is_explained(
        add, "'predicted', each image's prediction; 'top5' for the five most probable"
    )
    shared.how_it_is_computed(add)
    add("--batch", type=batch, default="auto", metavar="N|auto", help="images on each device at "
        "once, and in a chunk; default auto, by the compiler's own plan of memory")  # fmt: skip
    add("--dtype", choices=("float32", "float16"), default="float32", help="of maps of the input's "
        "size; float16 halves what they take on the disk")  # fmt: skip
    add("--skip-broken", action="store_true",
        help="images that cannot be read are no failure; they are listed anyway")  # fmt: skip
    add("--distributed", action="store_true", help="find the other processes by what SLURM, Open "
        "MPI, Kubernetes or a TPU pod tells JAX")  # fmt: skip
    add("--coordinator", metavar="HOST:PORT", help="of process 0, which the others meet there")
    add("--process", type=int, metavar="N", help="which this is, from 0")
    add("--processes", type=shared.count, metavar="N", help="that share the work; without "
        "--coordinator each takes its part alone, as in a job array")  # fmt: skip
    add("--quiet", action="store_true", help="print nothing but errors")
    add("--json", action="store_true", help=f"print a line of JSON every {EVERY:.0f} seconds, and "
        "at the end")  # fmt: skip


def run(chosen: argparse.Namespace) -> int:
    """Run the command; errors are those of `stream`."""
    check_installed("maps of many images", "grain", "tensorstore", extra="many")
    process = _process(chosen)
    shared.use_cache(chosen)
    from jaxvis.methods.catalogue import at_hand
    from jaxvis.models.network import with_layer
    from jaxvis.streaming.source import files_of
    from jaxvis.streaming.stream import stream
    from jaxvis.weights.load import load

    files_of(chosen.images)  # what is wrong with these is said before weights are loaded
    name = chosen.network or shared.default_network()
    network = load(
        name, labels=shared.labels(chosen), precision=shared.precision(chosen, name),
        **shared.told(chosen),
    )  # fmt: skip
    network = with_layer(network, chosen.layer)
    methods = at_hand(chosen.methods, network.model)
    with _Shown(chosen) as progress:
        maps = stream(
            network, chosen.images, chosen.out, classes=chosen.class_name, dtype=chosen.dtype,
            batch=chosen.batch, resample=chosen.resample, process=process, progress=progress,
            methods=methods, rules=chosen.rules,
        )  # fmt: skip
    return _told(chosen, maps, progress, process, set(files_of(chosen.images).names))


def batch(text: str) -> int | str:
    """A number of images, or "auto"."""
    return text if text == "auto" else shared.count(text)


def _process(chosen: argparse.Namespace) -> "Process":
    """Find out which process of several this is, before JAX is used."""
    from jaxvis.streaming.processes import connect, process_of

    if chosen.distributed and chosen.coordinator is not None:
        raise InputError(
            "--distributed finds the coordinator by itself, and --coordinator names one; leave out "
            "one of the two"
        )
    if chosen.distributed or chosen.coordinator is not None:
        return connect(chosen.coordinator, chosen.process, chosen.processes)
    return process_of(chosen.process, chosen.processes)


class _Shown:
    """What is shown of a run's progress: a bar on a terminal, or lines of JSON."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        from tqdm import tqdm

        self._out, self._json, self._last = chosen.out, chosen.json, time.monotonic()
        self.at: Progress | None = None
        self._bar = tqdm(
            desc="jaxvis", unit=" images", disable=True if chosen.quiet or chosen.json else None,
            leave=False,
        )  # fmt: skip

    def __enter__(self) -> "_Shown":
        return self

    def __call__(self, progress: "Progress") -> None:
        if self.at is None and progress.total is not None:
            self._bar.total = progress.total
            self._bar.initial = self._bar.n = progress.done - progress.here
        self.at = progress
        of = "" if progress.total is None else f" of {progress.total}"
        stopping.succeeded(
            f"{progress.done}{of} images are in {visible(self._out)}; the same command goes on"
        )
        self._bar.set_postfix_str(f"{share_waiting(progress):.0%} waiting", refresh=False)
        self._bar.update(progress.done - self._bar.n)
        if self._json and time.monotonic() - self._last >= EVERY:
            self._last = time.monotonic()
            say(json.dumps(_figures(progress)))

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()


def share_waiting(progress: "Progress") -> float:
    """Return the share of the time in which the devices had nothing to do."""
    return progress.waiting / progress.seconds if progress.seconds else 0.0


def _figures(progress: "Progress") -> dict[str, Any]:
    rate = progress.here / progress.seconds if progress.seconds else 0.0
    left = None
    if progress.total is not None and rate:
        left = round((progress.total - progress.done) / rate)
    return {
        "done": progress.done, "total": progress.total, "images_per_second": round(rate, 3),
        "seconds": round(progress.seconds, 1), "seconds_left": left,
        "waiting": round(share_waiting(progress), 4),
    }  # fmt: skip


def _told(
    chosen: argparse.Namespace, maps: "StoredMaps", shown: _Shown, process: "Process",
    there: set[str],
) -> int:  # fmt: skip
    """Say what was done, and what was not; return the exit code."""
    broken, came = maps.broken, sorted(there - {*maps.names})
    missing = maps.missing
    figures = {} if shown.at is None else _figures(shown.at)
    if chosen.json:
        told = {
            **figures, "out": chosen.out, "images": len(maps), "missing": missing,
            "broken": broken, "came_since": came,
        }  # fmt: skip
        say(json.dumps(told))
    elif not chosen.quiet:
        speed = ""
        if shown.at is not None and shown.at.here:
            speed = (
                f", {shown.at.here} now, {figures['images_per_second']:.2f} a second; the devices "
                f"waited {share_waiting(shown.at):.1%} of the time"
            )
        done = len(maps) - missing - len(broken)
        say(f"{visible(chosen.out)}: maps of {_images(done)}{speed}")
        if missing:
            others = "other processes have" if process.of > 1 else "the next run has"
            say(f"left: {_images(missing)}, which {others} to do")
        if came:
            say(
                f"not in it: {_images(len(came))} that came since this was begun: {_listed(came)}; "
                "another --out would have them"
            )
    for reason in list(broken.values())[:SHOWN]:
        complain(f"jaxvis: {visible(reason)}")
    if broken:
        more = f", {len(broken) - SHOWN} of them not listed here" if len(broken) > SHOWN else ""
        complain(
            f"jaxvis: {len(broken)} of the images cannot be read{more}: their maps are NaN, and "
            "the same command tries them again"
        )
    return DONE if chosen.skip_broken or not broken else IMAGES


def _images(count: int) -> str:
    return f"{count} image{'s' * (count != 1)}"


def _listed(names: list[str]) -> str:
    shown = ", ".join(visible(name) for name in names[:SHOWN])
    return f"{shown}, ..." if len(names) > SHOWN else shown
