"""Bar charts and latency curves as SVG text, written by hand so that nothing has to be installed to draw them."""
import html
import math

OURS, OTHERS, TEXT, GRID = "#0f9d8a", ["#c2703d", "#8d7aa8"], "#6b7280", "#9ca3af"
FONT = "font-family='system-ui,sans-serif'"
WIDTH = 760


def told(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def label(x, y, text, size=12, anchor="start", weight="normal", color=TEXT):
    return f"<text x='{x:.1f}' y='{y:.1f}' {FONT} font-size='{size}' font-weight='{weight}' text-anchor='{anchor}' fill='{color}'>{html.escape(text)}</text>"


def legend(names, colors, y):
    out, x = [], 12.0
    for name, color in zip(names, colors):
        out += [f"<rect x='{x:.1f}' y='{y - 9}' width='10' height='10' rx='2' fill='{color}'/>", label(x + 15, y, name)]
        x += 34 + 7 * len(name)
    return out


def picture(height, parts):
    return (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' width='{WIDTH}' height='{height:.0f}' role='img'>\n"
            + "\n".join(parts) + "\n</svg>\n")


def bars(title, unit, names, groups):
    """Horizontal bars. `groups` is [(label, [value or None for each of names])]; all start at zero and share one scale."""
    colors = [OURS, *OTHERS][:len(names)]
    largest = max((v for _, values in groups for v in values if v), default=1)
    left, room = 12, WIDTH - 24 - 90
    parts = [label(12, 22, f"{title}, {unit}", 15, weight="600"), *legend(names, colors, 44)]
    y = 62
    for name, values in groups:
        parts.append(label(left, y + 10, name))
        y += 16
        for value, color in zip(values, colors):
            if value is None:
                continue
            length = max(1.5, room * value / largest)
            parts.append(f"<rect x='{left}' y='{y}' width='{length:.1f}' height='12' rx='2' fill='{color}'/>")
            parts.append(label(left + length + 6, y + 10, told(value), 11))
            y += 15
        y += 8
    return picture(y + 4, parts)


def curves(title, lines):
    """Latency by percentile, on logarithmic axes. `lines` is [(name, color index, dashed, [(percentile, µs)])]."""
    left, right, top, bottom = 70, WIDTH - 20, 66, 330
    values = [v for *_, points in lines for _, v in points if v > 0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    nines = lambda percent: -math.log10(1 - min(percent, 99.99) / 100)
    first, last = nines(50), nines(99.9)
    place_x = lambda percent: left + (right - left - 30) * (nines(percent) - first) / (last - first)
    place_y = lambda value: bottom - (bottom - top) * (math.log10(value) - low) / (high - low)
    colors = [OURS, *OTHERS]
    parts = [label(12, 22, f"{title}", 15, weight="600")]
    x = 12.0
    for name, color, dashed, _ in lines:
        dash = " stroke-dasharray='5 4'" if dashed else ""
        parts += [f"<line x1='{x}' y1='40' x2='{x + 20}' y2='40' stroke='{colors[color]}' stroke-width='2.5'{dash}/>", label(x + 25, 44, name)]
        x += 44 + 6.6 * len(name)
    for exponent in range(low, high + 1):
        y = place_y(10.0 ** exponent)
        unit = f"{10 ** exponent} µs" if exponent < 3 else f"{10 ** (exponent - 3)} ms"
        parts += [f"<line x1='{left}' y1='{y:.1f}' x2='{right}' y2='{y:.1f}' stroke='{GRID}' stroke-opacity='0.35'/>", label(left - 8, y + 4, unit, 11, "end")]
    for percent in (50, 90, 99, 99.9):
        parts.append(label(place_x(percent), bottom + 18, f"p{percent}", 11, "middle"))
    for _, color, dashed, points in lines:
        path = " ".join(f"{place_x(p):.1f},{place_y(v):.1f}" for p, v in points if v > 0)
        dash = " stroke-dasharray='5 4'" if dashed else ""
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colors[color]}' stroke-width='2.5'{dash}/>")
        parts += [f"<circle cx='{place_x(p):.1f}' cy='{place_y(v):.1f}' r='3' fill='{colors[color]}'/>" for p, v in points if v > 0]
    return picture(bottom + 32, parts)
