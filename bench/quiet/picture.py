"""Pictures of the runs: the line over time, how long requests took, and the pair of harm and use. SVG, by hand."""

import math
from xml.sax.saxutils import escape

from scenarios import SCENARIOS

LINES = ("step", "mixed", "step-fair", "halves")  # pictures of the line over time
TIMES = ("web", "own-pfifo-fast")                 # pictures of the requests

INK, GRID, OTHERS, OURS, CAPACITY = "#222", "#e2e2e2", "#c2185b", "#2a6fb0", "#777"
COLOURS = {
    "nothing": "#777777", "priority": "#222222", "lull": "#2a6fb0", "lull-urgent": "#5e9bd1",
    "lull-background": "#123f6b", "lull-off": "#8db4d8", "cubic": "#c2185b", "bbr": "#e07b00", "utp": "#3a8f3a",
    "utp-25": "#7bbf4a", "rsync": "#7b4fa6", "curl-limit": "#a0782c", "curl-limit-80": "#c9a35a"
}


def text(x, y, what, anchor="start", **style):
    attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{attributes}>{escape(what)}</text>'


def rule(x1, y1, x2, y2, stroke=GRID, **style):
    attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"{attributes}/>'


def path(points, stroke, **style):
    attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{places}" stroke="{stroke}" stroke-width="1.5" fill="none"{attributes}/>'


def page(width, height, parts):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12" fill="{INK}">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n'
        + "\n".join(parts) + "\n</svg>\n")


# ---- the line over time ----

LEFT, WIDTH, PANEL, GAP, TOP = 64, 760, 120, 46, 62


def steps_of(scenario, curve):
    """The line's rate at the moments of the curve, Mbit/s."""
    return [scenario.capacity(i * 0.1, (i + 1) * 0.1) * 80 / 1e6 for i in range(len(curve))]


def panel(scenario, who, curves, top):
    highest = max([scenario.shape.rate, *(rate for _, rate in scenario.shape.changes)]) / 1e6
    count = len(curves["ours"])
    x = lambda i: LEFT + WIDTH * i / max(1, count)  # noqa: E731
    y = lambda rate: top + PANEL - PANEL * min(rate, highest * 1.1) / (highest * 1.1)  # noqa: E731
    parts = [text(LEFT, top - 8, who, font_weight="bold")]
    for share in (0, 0.5, 1):
        parts += [rule(LEFT, y(highest * share), LEFT + WIDTH, y(highest * share)),
                  text(LEFT - 8, y(highest * share) + 4, f"{highest * share:g}", "end")]
    every = 50 if count <= 300 else 100
    for i in range(0, count + 1, every):
        parts += [rule(x(i), top, x(i), top + PANEL), text(x(i), top + PANEL + 16, f"{i / 10:g} s", "middle")]
    capacity = steps_of(scenario, curves["ours"])
    parts.append(path([(x(i + 0.5), y(rate)) for i, rate in enumerate(capacity)], CAPACITY, stroke_dasharray="5 3"))
    area = [(x(0), y(0)), *((x(i + 0.5), y(rate)) for i, rate in enumerate(curves["others"])), (x(count), y(0))]
    parts.append(
        f'<polygon points="{" ".join(f"{px:.1f},{py:.1f}" for px, py in area)}" fill="{OTHERS}" fill-opacity="0.16"/>')
    parts.append(path([(x(i + 0.5), y(rate)) for i, rate in enumerate(curves["others"])], OTHERS))
    parts.append(path([(x(i + 0.5), y(rate)) for i, rate in enumerate(curves["ours"])], OURS))
    return parts


def over_time(store, name):
    scenario = SCENARIOS[name]
    order = [
        "nothing", "lull", "lull-urgent", "lull-background", "lull-off", "priority", "bbr", "utp", "utp-25", "cubic",
        "rsync", "curl-limit", "curl-limit-80"
    ]
    who = [peer for peer in order if (name, peer) in store.curves]
    if len(who) < 2:
        return None
    parts = [
        text(LEFT, 22, f"Mbit/s that came through the line: {scenario.what}", font_size=14, font_weight="bold"),
        rule(LEFT, 36, LEFT + 24, 36, OTHERS, stroke_width=2),
        text(LEFT + 30, 40, "the others"),
        rule(LEFT + 120, 36, LEFT + 144, 36, OURS, stroke_width=2),
        text(LEFT + 150, 40, "the bulk transfer"),
        rule(LEFT + 280, 36, LEFT + 304, 36, CAPACITY, stroke_dasharray="5 3"),
        text(LEFT + 310, 40, "what the line can carry")
    ]
    top = TOP + 14
    for peer in who:
        parts += panel(scenario, peer, store.curves[name, peer], top)
        top += PANEL + GAP
    return page(LEFT + WIDTH + 30, top - GAP + 34, parts)


# ---- how long requests took ----

def distribution(store, name):
    """Cumulative, on a log axis."""
    who = [(peer, store.curves[name, peer]["web"]) for peer in COLOURS if store.curves.get((name, peer), {}).get("web")]
    if len(who) < 2:
        return None
    left, width, height, top = 64, 560, 300, 44
    low = math.log10(min(values[0] for _, values in who)) - 0.03
    high = math.log10(max(values[-1] for _, values in who)) + 0.05
    x = lambda value: left + width * (math.log10(max(value, 0.001)) - low) / (high - low)  # noqa: E731
    y = lambda share: top + height * (1 - share)  # noqa: E731
    parts = [
        text(left, 24, f"requests answered within, of all: {SCENARIOS[name].what}", font_size=14, font_weight="bold")
    ]
    for share in (0, 0.25, 0.5, 0.75, 0.9, 1):
        parts += [
            rule(left, y(share), left + width, y(share)),
            text(left - 8,
                 y(share) + 4, f"{100 * share:g} %", "end")
        ]
    for power in range(-1, 5):
        for digit in (1, 2, 5):
            value = digit * 10.0 ** power
            if low <= math.log10(value) <= high:
                parts += [
                    rule(x(value), top, x(value), top + height),
                    text(x(value), top + height + 18, f"{value:g} ms", "middle")
                ]
    for i, (peer, values) in enumerate(who):
        parts.append(path([(x(value), y((j + 1) / 200)) for j, value in enumerate(values)], COLOURS[peer],
                          **({"stroke_dasharray": "6 3"} if peer in ("nothing", "priority") else {})))
        parts += [
            rule(left + width + 20,
                 top + 12 + 20 * i,
                 left + width + 44,
                 top + 12 + 20 * i,
                 COLOURS[peer],
                 stroke_width=2),
            text(left + width + 50, top + 16 + 20 * i, peer)
        ]
    return page(left + width + 180, top + height + 36, parts)


# ---- the pair ----

def frontier(store, name):
    """Harm to the others' median against what is used of the rest, a point for each peer."""
    rows = [(peer, store.middle(name, peer)) for peer in COLOURS if peer != "nothing" and store.of(name, peer)]
    rows = [(peer, row["residual"], row["p50_ratio"]) for peer, row in rows if row["p50_ratio"]]
    if len(rows) < 2:
        return None
    left, width, height, top = 74, 520, 300, 44
    high = math.log10(max(1.2, max(harm for *_, harm in rows)) * 1.15)
    x = lambda share: left + width * min(share, 1.1) / 1.1  # noqa: E731
    y = lambda harm: top + height * (1 - max(0.0, math.log10(max(harm, 1.0))) / high)  # noqa: E731
    parts = [
        text(left, 24, f"harm and use: {SCENARIOS[name].what}", font_size=14, font_weight="bold"),
        text(left + width / 2, top + height + 36, "used of what others leave", "middle"),
        f'<text transform="translate(18,{top + height / 2}) rotate(-90)" text-anchor="middle">'
        'median of the others, times that without bulk</text>'
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts += [
            rule(x(share), top, x(share), top + height),
            text(x(share), top + height + 18, f"{100 * share:g} %", "middle")
        ]
    for harm in (1, 1.05, 1.1, 1.2, 1.5, 2, 3, 5, 8, 12, 20):
        if math.log10(harm) <= high and (high < 0.5 or harm not in (1.05, 1.1)):
            parts += [rule(left, y(harm), left + width, y(harm)), text(left - 8, y(harm) + 4, f"x {harm:g}", "end")]
    above = {}
    for peer, share, harm in sorted(rows, key=lambda row: (-row[2], row[1])):
        px, py = x(share), y(harm)
        label = py
        while any(abs(label - other) < 13 and abs(px - at) < 110 for other, at in above.items()):
            label += 13
        above[label] = px
        parts += [
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="5" fill="{COLOURS[peer]}"/>',
            text(px + 9, label + 4, peer, fill=COLOURS[peer])
        ]
    return page(left + width + 130, top + height + 50, parts)


def draw(store):
    """Writes those pictures for which there are runs."""
    for name in SCENARIOS:
        drawn = {"line": over_time(store, name) if name in LINES else None}
        if name in TIMES:
            drawn |= {"times": distribution(store, name), "pair": frontier(store, name)}
        for kind, image in drawn.items():
            if image:
                with open(f"{store.directory}/quiet-{name}-{kind}.svg", "w", encoding="utf-8") as file:
                    file.write(image)
