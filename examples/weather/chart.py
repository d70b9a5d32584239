"""Draws the months: for each year the span of temperatures by month, and the rain below it."""

import calendar
import json

import airlock

STEP = 15  # between months
PANEL = 12 * STEP
GAP = 24
LEFT, TOP = 44, 84
TEMPERATURE, RAIN = 140, 60  # heights
COLDEST, HOTTEST = -5, 30
WETTEST = 300

STYLE = """
  text { font: 11px system-ui, sans-serif; fill: #5b6770 }
  .title { font-size: 17px; font-weight: 600; fill: #1d2a33 }
  .year { font-size: 13px; font-weight: 600; fill: #1d2a33 }
  .grid { stroke: #e6eaed }
  .freezing { stroke: #b8c4cc; stroke-dasharray: 2 3 }
  .rain { fill: #5b9bd0 }
  g.month:hover .span { fill: #1d2a33 }
  g.month:hover .rain { fill: #1d2a33 }
"""


def temperature_y(celsius):
    return TOP + TEMPERATURE * (HOTTEST - celsius) / (HOTTEST - COLDEST)


def rain_height(millimetres):
    return RAIN * min(millimetres, WETTEST) / WETTEST


def colour(celsius):
    """From blue at 0 °C over yellow to red at 28 °C."""
    stops = [(0, (77, 130, 184)), (12, (146, 190, 160)), (20, (240, 196, 90)), (28, (216, 84, 60))]
    celsius = min(max(celsius, stops[0][0]), stops[-1][0])
    for (low, start), (high, end) in zip(stops, stops[1:]):
        if celsius <= high:
            share = (celsius - low) / (high - low)
            return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in zip(start, end))


def month_marks(year, number, month, x):
    low, high = month["temp_min_mean"], month["temp_max_mean"]
    name = f"{calendar.month_abbr[number]} {year}"
    title = f"{name}: {low:.1f} to {high:.1f} °C, {month['precipitation']:.1f} mm"
    gradient = f"t{year}{number:02}"
    top, bottom = temperature_y(high), temperature_y(low)
    height = rain_height(month["precipitation"])
    floor = TOP + TEMPERATURE + 16 + RAIN
    return [
        f'<linearGradient id="{gradient}" gradientUnits="userSpaceOnUse" x1="0" x2="0" y1="{top:.1f}" y2="{bottom:.1f}">'
        f'<stop stop-color="{colour(high)}"/><stop offset="1" stop-color="{colour(low)}"/></linearGradient>',
        f'<g class="month"><title>{title}</title>',
        f'<rect class="span" fill="url(#{gradient})" x="{x - 4.5}" y="{top:.1f}" width="9" height="{bottom - top:.1f}" rx="4.5"/>',
        f'<rect class="rain" x="{x - 5}" y="{floor - height:.1f}" width="10" height="{height:.1f}" rx="1.5"/></g>',
    ]


def panel(year, months, left):
    marks = [f'<text class="year" x="{left}" y="{TOP - 12}">{year}</text>']
    for celsius in range(COLDEST + 5, HOTTEST + 1, 10):
        y = temperature_y(celsius)
        kind = "freezing" if celsius == 0 else "grid"
        marks.append(f'<line class="{kind}" x1="{left}" x2="{left + PANEL}" y1="{y:.1f}" y2="{y:.1f}"/>')
    floor = TOP + TEMPERATURE + 16 + RAIN
    marks.append(f'<line class="grid" x1="{left}" x2="{left + PANEL}" y1="{floor}" y2="{floor}"/>')
    for number, month in months.items():
        x = left + (number - 0.5) * STEP
        marks += month_marks(year, number, month, x)
        marks.append(f'<text text-anchor="middle" x="{x}" y="{floor + 15}">{calendar.month_abbr[number][0]}</text>')
    rain = sum(month["precipitation"] for month in months.values())
    rainy = sum(month["rainy_days"] for month in months.values())
    marks.append(f'<text x="{left}" y="{floor + 34}">{rain:.0f} mm on {rainy} days</text>')
    return marks


years = {}
for key, path in airlock.input_partitions("months").items():
    [month] = json.loads(path.read_text())
    years.setdefault(int(key[:4]), {})[int(key[5:7])] = month
width = LEFT + len(years) * (PANEL + GAP)
height = TOP + TEMPERATURE + 16 + RAIN + 50
drawing = [
    f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
    "<title>Weather at Seattle-Tacoma by month</title>",
    f"<style>{STYLE}</style>",
    f'<rect width="{width}" height="{height}" fill="#fff"/>',
    f'<text class="title" x="{LEFT}" y="28">Weather at Seattle-Tacoma</text>',
    f'<text x="{LEFT}" y="45">Mean daily low to mean daily high (°C) and precipitation (mm), by month</text>',
]
for celsius in range(COLDEST + 5, HOTTEST + 1, 10):
    drawing.append(f'<text text-anchor="end" x="{LEFT - 8}" y="{temperature_y(celsius) + 4:.1f}">{celsius}°</text>')
base = TOP + TEMPERATURE + 16 + RAIN
drawing.append(f'<text text-anchor="end" x="{LEFT - 8}" y="{base - rain_height(WETTEST) + 8:.1f}">{WETTEST}</text>')
drawing.append(f'<text text-anchor="end" x="{LEFT - 8}" y="{base}">0</text>')
for index, (year, months) in enumerate(years.items()):
    drawing += panel(year, months, LEFT + index * (PANEL + GAP))
drawing.append("</svg>")
airlock.store_text("\n".join(drawing) + "\n")
