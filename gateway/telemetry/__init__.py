"""What the gateway shows of itself: metrics, structured logs, health. Never personal data.

Labels come from endpoint names, formats, effects, steps and codes only: closed sets, so that
neither a caller nor a body can make a new time series.
"""
