"""A bar chart as SVG text, without any library: one group per workload, on a logarithmic scale of its own budget."""

import math
from xml.sax.saxutils import escape

ROW = 46
LEFT = 330
WIDTH = 420
COLORS = {"ours": "#1f6f8b", "reference": "#c8553d"}


def bars(rows):
    """rows: (name, ours, reference, budget, unit); a figure may be None. Each bar is as long as the logarithm of figure / budget:
    the line in the middle is the budget, left of it is better."""
    height = ROW * len(rows) + 60
    middle = LEFT + WIDTH / 2
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 120}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{middle}" y="20" text-anchor="middle">times the budget, logarithmic: left of the line is better</text>',
    ]
    for power in range(-2, 4):
        x = position(10.0**power)
        out.append(f'<line x1="{x}" y1="30" x2="{x}" y2="{height - 20}" stroke="{"#333" if power == 0 else "#ddd"}"/>')
        out.append(f'<text x="{x}" y="{height - 5}" text-anchor="middle" fill="#666">{10.0**power:g}</text>')
    for index, (name, ours, reference, budget, unit) in enumerate(rows):
        y = 40 + index * ROW
        out.append(f'<text x="{LEFT - 8}" y="{y + 20}" text-anchor="end">{escape(name)}</text>')
        for offset, kind, figure in ((4, "ours", ours), (20, "reference", reference)):
            if figure is None or figure <= 0:
                continue
            x = position(figure / budget)
            left = position(0.01)
            out.append(f'<rect x="{left}" y="{y + offset}" width="{max(x - left, 1):.1f}" height="13" fill="{COLORS[kind]}"/>')
            out.append(f'<text x="{x + 4:.1f}" y="{y + offset + 11}">{escape(f"{kind} {figure:.3g} {unit}")}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def position(times):
    """x of a multiple of the budget, from 1/100 to 1000."""
    share = (math.log10(min(max(times, 0.01), 1000)) + 2) / 5
    return round(LEFT + share * WIDTH, 1)
