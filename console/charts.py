"""The desk's charts: the digest's own generator, coloured by the classes of desk.css."""

from __future__ import annotations

from alerts.digest.charts import Part, Row, bars, share_bar, trend

__all__ = ["Part", "Row", "bars", "share_bar", "trend"]
