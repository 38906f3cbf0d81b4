"""Makes the picture of docs/plots.md: ``python -m tests.plots.pictures``."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from PIL import Image

from courier_nb import plots

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "plots.png"
GAP = 12
COUNT = 1_240


def orders() -> pd.DataFrame:
    """Return what a consumer that fails now and then leaves behind."""
    random = np.random.default_rng(23)
    created = NOW - pd.to_timedelta(random.gamma(2, 4 * 3_600, COUNT), unit="s").floor("s")
    ends = NOW + pd.to_timedelta(random.normal(100, 90, COUNT), unit="s")
    events = ["order.created", "order.cancelled", "payment.failed", "refund.requested", "stock.low", None]
    return pd.DataFrame(
        {
            "created": created.as_unit("us"),
            "delivery_count": pd.array(random.geometric(0.35, COUNT), dtype="Int64"),
            "lock_expires_at": pd.DatetimeIndex(ends).as_unit("us"),
            "prop.event": random.choice(events, COUNT, p=[0.45, 0.2, 0.15, 0.1, 0.07, 0.03]),
        }
    )


def main() -> None:
    mpl.use("agg")
    frame = orders()
    drawn = [
        plots.arrivals(frame),
        plots.delivery_count(frame),
        plots.lock_left(frame, now=NOW),
        plots.top_values(frame, "event", most=4),
    ]
    images = []
    for ax in drawn:
        ax.figure.set_size_inches(7, 3.6)
        file = io.BytesIO()
        ax.figure.savefig(file, format="png", dpi=80)
        images.append(Image.open(file).convert("RGB"))
    width, height = images[0].size
    sheet = Image.new("RGB", (2 * width + GAP, 2 * height + GAP), "white")
    for place, image in enumerate(images):
        sheet.paste(image, (place % 2 * (width + GAP), place // 2 * (height + GAP)))
    sheet.quantize(64).save(PICTURE, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
