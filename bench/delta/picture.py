"""The picture of the table: a row for each method, a dot for each pair, a bar for the geometric mean, on a log axis."""

import math
from xml.sax.saxutils import escape

from report import mean

LEFT, WIDTH, RIGHT, TOP, ROW = 190, 720, 84, 84, 46
BLUE, RED, INK = "#2a6fb0", "#c2185b", "#222"


class Axis:
    """Per cent to pixels, from a power of ten below the least value to a little above the greatest."""

    def __init__(self, values):
        self.first = math.floor(math.log10(min(values)))
        self.last = math.log10(max(100, max(values)) * 1.25)

    def x(self, share):
        return LEFT + WIDTH * (math.log10(share) - self.first) / (self.last - self.first)

    def ticks(self):
        """Those with a label, and those without."""
        powers = range(self.first, math.floor(self.last) + 1)
        marks = [step * 10.0 ** power for power in powers for step in range(1, 10)]
        marks = [mark for mark in marks if math.log10(mark) <= self.last]
        return [(mark, f"{mark:g}" in ("0.01", "0.1", "1", "10", "100")) for mark in marks]


def label(x, y, what, anchor="start", **style):
    attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{attributes}>{escape(what)}</text>'


def dot(x, y, gap):
    fill = BLUE if gap == 1 else "white"
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.2" fill="{fill}" fill-opacity="0.55" stroke="{BLUE}"/>'


def bar(x, y):
    return f'<rect x="{x - 2:.1f}" y="{y - 17:.1f}" width="4" height="34" rx="1" fill="{RED}"/>'


def grid(axis, bottom):
    parts = []
    for mark, named in axis.ticks():
        x, shade = axis.x(mark), "#c4c4c4" if named else "#eeeeee"
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{bottom}" stroke="{shade}"/>')
        if named:
            parts.append(label(x, bottom + 18, f"{mark:g} %", "middle"))
    return parts


def legend(y):
    x = LEFT
    parts = [dot(x + 5, y - 4, 1), label(x + 15, y, "successive releases"),
             dot(x + 165, y - 4, 3), label(x + 175, y, "gaps of three releases"),
             f'<rect x="{x + 345}" y="{y - 12}" width="4" height="16" rx="1" fill="{RED}"/>',
             label(x + 356, y, "geometric mean of all pairs")]
    return parts


def row(report, axis, method, y):
    found = [(pair, report.rows[pair, method]["percent"]) for pair in report.pairs if (pair, method) in report.rows]
    middle = mean(share for _, share in found)
    mine = method.key == "lull"
    parts = [label(LEFT - 14, y + 4.5, method.title, "end", font_weight="bold" if mine else "normal")]
    if mine:
        parts.insert(0, f'<rect x="8" y="{y - ROW / 2 + 1:.1f}" width="{LEFT + WIDTH + RIGHT - 16}" height="{ROW - 2}" '
                        'rx="4" fill="#fdf3d8"/>')
    parts += [dot(axis.x(share), y - 7 if pair.gap == 1 else y + 7, pair.gap) for pair, share in found]
    parts += [bar(axis.x(middle), y), label(LEFT + WIDTH + 8, y + 4.5, f"{middle:.3g} %", fill=RED, font_weight="bold")]
    if len(found) < len(report.pairs):
        parts.append(label(LEFT + WIDTH + 8, y + 19, f"of {len(found)} pairs", fill="#555", font_size=11))
    return parts


def svg(report):
    methods = [method for method in report.methods if report.of(method, report.pairs)]
    axis = Axis([row["percent"] for row in report.rows.values()])
    bottom = TOP + ROW * len(methods)
    height, width = bottom + 66, LEFT + WIDTH + RIGHT
    count = len(report.pairs)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
             f'height="{height}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="13" fill="{INK}">',
             '<rect width="100%" height="100%" fill="white"/>',
             label(LEFT, 28, "Bytes that cross the wire for one update", font_size=18, font_weight="bold"),
             label(LEFT, 50, f"{count} pairs of real versions; in per cent of the whole new version as tar | zstd -19; "
                             "less is better", fill="#555")]
    rows = [part for i, method in enumerate(methods) for part in row(report, axis, method, TOP + ROW * (i + 0.5))]
    backs = [part for part in rows if "#fdf3d8" in part]
    parts += backs + grid(axis, bottom) + [part for part in rows if part not in backs] + legend(bottom + 48)
    return "\n".join(parts) + "\n</svg>\n"
