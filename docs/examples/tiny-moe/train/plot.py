"""Copies runs/log.jsonl to training/ and draws it as an SVG: loss against passes over the text."""

import json

import data

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 48, 52
SERIES = (
    ("train_loss", "#2563eb", "training (mean since the last point)"),
    ("validation_loss", "#d97706", "validation chapters"),
)


def line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def text(x: float, y: float, content: str, anchor: str = "middle", extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{content}</text>'


def draw(rows: list[dict[str, float]]) -> str:
    lowest = min(row[name] for row in rows for name, _, _ in SERIES)
    highest = max(row[name] for row in rows for name, _, _ in SERIES)
    low, high = int(lowest * 2) / 2, int(highest * 2 + 1) / 2
    epochs = rows[-1]["epochs"]

    def x(value: float) -> float:
        return LEFT + value / epochs * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for i in range(int((high - low) * 2) + 1):
        value = low + i / 2
        parts += [line(LEFT, y(value), WIDTH - RIGHT, y(value), "#e5e7eb")]
        parts += [text(LEFT - 8, y(value) + 4, f"{value:.1f}", "end")]
    for i in range(int(epochs) + 1):
        parts += [line(x(i), HEIGHT - BOTTOM, x(i), HEIGHT - BOTTOM + 5, "#6b7280")]
        parts += [text(x(i), HEIGHT - BOTTOM + 19, str(i))]
    parts += [text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "passes over the training text")]
    middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = f' transform="rotate(-90 16 {middle:.1f})"'
    parts += [text(16, middle, "loss (nats per token)", extra=turned)]
    for i, (name, colour, label) in enumerate(SERIES):
        points = " ".join(f"{x(row['epochs']):.1f},{y(row[name]):.1f}" for row in rows)
        parts += [f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>']
        key = LEFT + 8 + i * 290
        parts += [f'<rect x="{key}" y="20" width="18" height="4" fill="{colour}"/>']
        parts += [text(key + 26, 27, label, "start")]
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="13" fill="#374151">\n'
        f"<title>Training and validation loss over {epochs:.1f} passes</title>\n"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def main() -> None:
    log = data.EXAMPLE / "runs" / "log.jsonl"
    lines = log.read_text()
    rows = [json.loads(row) for row in lines.splitlines()]
    if len(rows) < 2:
        raise SystemExit(f"{log}: {len(rows)} points, at least 2 are needed for a curve")
    folder = data.EXAMPLE / "training"
    folder.mkdir(exist_ok=True)
    (folder / "log.jsonl").write_text(lines)
    (folder / "loss.svg").write_text(draw(rows))


if __name__ == "__main__":
    main()
