"""The figures of the study `privacy`."""

from typing import TYPE_CHECKING

from studies.privacy.claims import fitted_errors, real_rows
from studies.style import draw_interval, legend_below, say_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_GREY = "0.4"
_FIDELITY = "mean fidelity of the guess"
_NAMES = {
    "on the list": "image on the list known",
    "by the list": "new image, by the list",
    "by the moments": "new image, Gaussian prior",
}


def draw_fidelity(ax: "Axes", frame: "DataFrame") -> None:
    """Fidelity of the three attacks on Haar states against T/N', and the bound."""
    import numpy as np

    states = frame[frame["kind"] == "states"]
    if states.empty:
        say_empty(ax)
        return
    ratio = states["copies"] / states["size"]
    ratios = np.geomspace(float(ratio.min()), float(ratio.max()), 60)
    for size, dashes in zip(sorted(states["size"].unique())[-2:], ("-", ":"), strict=False):
        ax.plot(
            ratios,
            (ratios * size + 1) / (ratios * size + size),
            color=_GREY,
            marker="",
            linestyle=dashes,
            label=f"$(T+1)/(T+N')$, $N'$ = {size}",
        )
        for attack in ("collective", "global bases", "local bases"):
            rows = _one_seed(states[(states["size"] == size) & (states["attack"] == attack)])
            draw_interval(
                ax,
                rows["copies"] / size,
                low=rows["low"],
                best=rows["value"],
                high=rows["high"],
                label=f"{attack}, $N'$ = {size}",
            )
    ax.set(xlabel="copies over dimension, $T/N'$", ylabel=_FIDELITY, xscale="log", ylim=(0, 1.02))
    ax.set_xscale("log", base=2)
    legend_below(ax)


def draw_accuracy(ax: "Axes", frame: "DataFrame") -> None:
    """Fidelity against N' where as many copies are sent as an estimate to an error takes."""
    rows = frame[frame["kind"] == "accuracy"]
    if rows.empty:
        say_empty(ax)
        return
    for error in sorted(rows["error"].unique(), reverse=True):
        line = _one_seed(rows[rows["error"] == error], by="size")
        copies = int(line["copies"].iloc[0])
        draw_interval(
            ax,
            line["size"],
            low=line["low"],
            best=line["value"],
            high=line["high"],
            label=rf"$\epsilon$ = {error:g}, $T$ = {copies}",
        )
        ax.plot(line["size"], line["bound"], color=_GREY, linewidth=0.8, marker="", linestyle="-")
        ax.axvline(copies, color=ax.containers[-1][0].get_color(), linewidth=0.8, marker="")
    ax.set(xlabel="dimension $N'$ (vertical lines: $N' = T$)", ylabel=_FIDELITY, ylim=(0, 1.02))
    ax.set_xscale("log", base=2)
    legend_below(ax, title=r"$T = 1/\epsilon^2$ copies, collective attack; thin: $(T+1)/(T+N')$")


def draw_digits(ax: "Axes", frame: "DataFrame") -> None:
    """Fidelity on the digits against T/N."""
    _draw_data(ax, frame, "digits")


def draw_photographs(ax: "Axes", frame: "DataFrame") -> None:
    """Fidelity on patches of the photographs against T/N."""
    _draw_data(ax, frame, "photographs")


def _draw_data(ax: "Axes", frame: "DataFrame", kind: str) -> None:
    """Attacks that know the distribution, the blind guess, and the bound for Haar states."""
    rows = real_rows(frame)
    rows = rows[rows["kind"] == kind]
    if rows.empty:
        say_empty(ax)
        return
    size = _shown(rows)
    rows = rows[rows["size"] == size]
    for attack, name in _NAMES.items():
        line = _one_seed(rows[rows["attack"] == attack])
        draw_interval(
            ax,
            line["copies"] / size,
            low=line["low"],
            best=line["value"],
            high=line["high"],
            label=name,
        )
    blind = _one_seed(rows[rows["attack"] == "blind"])
    ax.fill_between(blind["copies"] / size, blind["low"], blind["high"], color=_GREY, alpha=0.2)
    ax.plot(
        blind["copies"] / size,
        blind["value"],
        color=_GREY,
        marker="",
        linestyle="--",
        label="blind guess, new image",
    )
    ax.plot(
        blind["copies"] / size,
        blind["bound"],
        color=_GREY,
        marker="",
        linestyle="-",
        label="bound for Haar states",
    )
    ax.set(xlabel="copies over dimension, $T/N$", ylabel=_FIDELITY, ylim=(0, 1.02))
    ax.set_xscale("log", base=2)
    legend_below(ax, title=f"{kind}, $N$ = {size}")


def draw_bits(ax: "Axes", frame: "DataFrame") -> None:
    """What is missing of the fidelity against bits or qubits sent, classical and quantum."""
    sent = frame[frame["kind"].isin(["digits", "photographs"])]
    classical = sent[sent["attack"] == "classical"]
    if classical.empty:
        say_empty(ax)
        return
    kind = "photographs" if "photographs" in set(classical["kind"]) else "digits"
    classical = classical[classical["kind"] == kind]
    size = int(classical["size"].min())
    sent = sent[(sent["kind"] == kind) & (sent["size"] == size)]
    for attack, name in (
        ("classical", "classical vector, bits"),
        ("by the moments", "copies, Gaussian prior, qubits"),
    ):
        line = _one_seed(sent[sent["attack"] == attack], by="sent")
        draw_interval(
            ax,
            line["sent"],
            low=1 - line["high"],
            best=1 - line["value"],
            high=1 - line["low"],
            label=name,
        )
        if attack != "classical":
            ax.plot(
                line["sent"],
                1 - line["bound"],
                color=_GREY,
                marker="",
                linestyle="-",
                label="copies of Haar states, bound",
            )
    ax.set(
        xlabel=r"bits or qubits sent ($N b$ or $T \log_2 N$)",
        ylabel="1 - fidelity of the guess",
        xscale="log",
        yscale="log",
    )
    legend_below(ax, title=f"{kind}, $N$ = {size}")


def draw_parameters(ax: "Axes", frame: "DataFrame") -> None:
    """Error of Bob's angles against the queries, with the fitted power."""
    import numpy as np

    rows = frame[frame["kind"] == "parameters"]
    if rows.empty:
        say_empty(ax)
        return
    line = _one_seed(rows)
    size, angles = int(line["size"].iloc[0]), int(line["angles"].iloc[0])
    draw_interval(
        ax,
        line["copies"],
        low=line["low"],
        best=line["value"],
        high=line["high"],
        label=f"fit of {angles} angles, $N'$ = {size}",
    )
    law = fitted_errors(frame)
    if law is not None:
        copies = np.geomspace(line["copies"].min(), line["copies"].max(), 50)
        ax.plot(
            copies,
            law.at(copies),
            color=_GREY,
            marker="",
            linestyle="-",
            label=f"$T$ to the power {law.exponents[0]}",
        )
    ax.axhline(np.pi / 3**0.5, color=_GREY, marker="", linestyle="--", label="blind guess")
    ax.set(
        xlabel="queries, copies of the answer $T$",
        ylabel="error of an angle in radians (rms)",
        xscale="log",
        yscale="log",
    )
    legend_below(ax)


def _shown(rows: "DataFrame") -> int:
    """The size that a figure shows: 64 where it is stored, which all presets have."""
    sizes = sorted(int(size) for size in rows["size"].unique())
    return 64 if 64 in sizes else sizes[-1]


def _one_seed(rows: "DataFrame", *, by: str = "copies") -> "DataFrame":
    """The rows of the first seed stored, in order."""
    return rows[rows["seed"] == rows["seed"].min()].sort_values(by)
