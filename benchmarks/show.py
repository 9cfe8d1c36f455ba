"""What compare.py measured, as one result, a table and a chart."""

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GFLOP = 496  # of the six maps of four images: one forward pass and three backward
IMAGES = 4


def spread(values: Sequence[float]) -> dict[str, Any]:
    return {
        "median": statistics.median(values), "min": min(values), "max": max(values),
        "all": [round(value, 3) for value in values],
    }  # fmt: skip


def machine() -> dict[str, Any]:
    model = platform.processor()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.system(),
            "python": platform.python_version()}  # fmt: skip


def collect(
    seconds: dict[str, list[float]], roof: list[float], cold: dict[str, list], peaks: dict,
    agreement: dict, compilation: dict,
) -> dict[str, Any]:  # fmt: skip
    own = statistics.median(seconds["jaxvis"])
    rows = {
        name: {
            "warm_seconds": spread(values),
            "times_jaxvis": statistics.median(values) / own,
            "peak_mb": peaks[name],
            "agreement": agreement[name],
        }
        for name, values in seconds.items()
    }
    for name, runs in cold.items():
        kind = "cold_with_figures" if name.endswith(", figures") else "cold"
        row = rows[name.removesuffix(", figures")]
        row[f"{kind}_seconds"] = spread([run[0] for run in runs])
        row[f"{kind}_peak_mb"] = max(run[1] for run in runs)
    best = statistics.median(roof)
    return {
        "peers": rows,
        "left_out": {name: why for name, why in agreement.items() if name not in seconds},
        "roof_gflop_per_second": spread(roof),
        "jaxvis_gflop_per_second": GFLOP / own,
        "share_of_roof": GFLOP / own / best,
        "explain": compilation,
    }


def table(result: dict[str, Any]) -> str:
    lines = [
        "| | warm, s | min - max | x jaxvis | cold process, s | x jaxvis | with figures, s | "
        "peak MB | agreement | worst image |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    own = result["peers"]["jaxvis"].get("cold_seconds", {}).get("median")
    for name, row in result["peers"].items():
        warm, cold = row["warm_seconds"], row.get("cold_seconds", {}).get("median")
        figures = row.get("cold_with_figures_seconds", {}).get("median")
        cells = [
            name, f"{warm['median']:.1f}", f"{warm['min']:.1f} - {warm['max']:.1f}",
            f"{row['times_jaxvis']:.2f}",
            f"{cold:.1f}" if cold else "", f"{cold / own:.2f}" if cold else "",
            f"{figures:.1f}" if figures else "",
            f"{row['peak_mb']:.0f}",
            "{usual_correlation:.4f}, {usual_grad_cam_error:.0e}".format(**row["agreement"]),
            "{correlation:.4f}, {grad_cam_error:.0e}".format(**row["agreement"]),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    roof = result["roof_gflop_per_second"]
    lines += [
        "",
        f"Roof: {roof['median']:.0f} GFLOP/s ({roof['min']:.0f} - {roof['max']:.0f}); jaxvis "
        f"{result['jaxvis_gflop_per_second']:.0f} GFLOP/s, {result['share_of_roof']:.2f} of it. "
        f"explain compiles in {result['explain']['compile_seconds']:.2f} s and plans "
        f"{result['explain']['temporary_mb'] / IMAGES:.0f} MB of temporaries an image.",
    ]
    return "\n".join(lines)


def chart(result: dict[str, Any], path: Path) -> None:
    """Bars of warm seconds, the longest at the bottom."""
    from matplotlib.figure import Figure

    rows = sorted(result["peers"].items(), key=lambda item: item[1]["times_jaxvis"])
    middle = [row["warm_seconds"]["median"] for _, row in rows]
    low = [m - row["warm_seconds"]["min"] for m, (_, row) in zip(middle, rows, strict=True)]
    high = [row["warm_seconds"]["max"] - m for m, (_, row) in zip(middle, rows, strict=True)]
    figure = Figure(figsize=(7, 0.45 * len(rows) + 1.1), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    colours = ["#c8553d" if name.startswith("jaxvis") else "#8a9ba8" for name, _ in rows]
    bars = axes.barh([name for name, _ in rows], middle, color=colours, xerr=(low, high),
                     error_kw={"ecolor": "#333333", "capsize": 3})  # fmt: skip
    labels = [f"{m:.1f} s, x {row['times_jaxvis']:.1f}" for m, (_, row) in
              zip(middle, rows, strict=True)]  # fmt: skip
    labels = [label.removesuffix(", x 1.0") for label in labels]
    axes.bar_label(bars, labels, padding=8, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25 * max(m + h for m, h in zip(middle, high, strict=True)))
    axes.set_xlabel(f"seconds, warm, {result['machine']['cores']} CPU cores (line: min - max)")
    axes.set_title("Six maps of 4 images, full-size VGG16", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Software": None})
