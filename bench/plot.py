"""Bars of CPU per message as SVG, on a logarithmic scale, with no library."""
import math
from xml.sax.saxutils import escape

COLOURS = {"postroad": "#2b6cb0", "postfix": "#c05621", "smtp-sink": "#718096"}
WIDTH, LEFT, BAR, GAP, TOP = 860, 330, 14, 12, 56


def text(x, y, words, anchor="start", size=12):
    return f'<text x="{x}" y="{y}" font-family="sans-serif" font-size="{size}" text-anchor="{anchor}">{escape(words)}</text>'


def plot(groups, title):
    """groups: [(label, {server: microseconds})]; gives the SVG."""
    most = max(value for _, bars in groups for value in bars.values())
    decades = math.ceil(math.log10(max(10, most)))
    scale = (WIDTH - LEFT - 80) / (decades - 1)
    parts, y = [], TOP
    for label, bars in groups:
        parts.append(text(LEFT - 8, y + BAR * len(bars) / 2 + 4, label, "end"))
        for server, value in bars.items():
            length = max(1.0, (math.log10(max(value, 10)) - 1) * scale)
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 2}" fill="{COLOURS[server]}"/>')
            parts.append(text(LEFT + length + 4, y + BAR - 4, f"{value:.0f}", size=11))
            y += BAR
        y += GAP
    grid = [f'<line x1="{LEFT + i * scale:.1f}" y1="{TOP - 6}" x2="{LEFT + i * scale:.1f}" y2="{y}" stroke="#e2e8f0"/>'
            + text(LEFT + i * scale, TOP - 10, f"{10 ** (i + 1)}", "middle", 10) for i in range(decades)]
    legend = "".join(f'<rect x="{12 + 110 * i}" y="{y + 2}" width="10" height="10" fill="{colour}"/>'
                     + text(26 + 110 * i, y + 11, server, size=11) for i, (server, colour) in enumerate(COLOURS.items()))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 22}">'
            f'<rect width="100%" height="100%" fill="white"/>{text(12, 22, title, size=15)}'
            + "".join(grid + parts) + legend + "</svg>\n")
