"""The Grafana dashboard, as code.

`screen.py` is the dashboard: rows of panels, each with its queries and with what good looks like;
`beneath.py` are its folded rows. Change it there, then

    python -m dashboards                    # writes helm/privacy-gateway/files/dashboards/*.json
    python -m dashboards --picture FILE     # plays some minutes of traffic and draws the screen

`panels.py` are the words that the screen is written in, `queries.py` says PromQL once, `grafana.py`
and `shapes.py` turn both into Grafana's JSON. What a real Prometheus answers to that JSON is in
`answers.py` (variables: `interpolation.py`), drawn by `picture.py`, `drawing.py` and `units.py`;
`scene.py` is the traffic, `play.py` an incident in it.
"""
