"""The Grafana dashboard, as code.

`screen.py` is the dashboard: rows of panels, each with its queries and with what good looks like.
Change it there, then

    python -m dashboards                    # writes helm/privacy-gateway/files/dashboards/*.json
    python -m dashboards --picture FILE     # plays some minutes of traffic and draws the screen

`queries.py` says PromQL once, `panels.py` are the words that the screen is written in, `grafana.py`
turns them into Grafana's JSON. `interpolation.py`, `prometheus.py`-backed `scene.py` and
`picture.py` ask the same queries of a real Prometheus, for the tests and for the picture in docs/.
"""
