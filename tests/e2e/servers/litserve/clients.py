"""What clients send to LitServe, whose wire is what its user makes it."""

import json
import pathlib

import harness as h
from spoken import DIABETES, ROWS, THREE, Request, get, said


def words(answer):
    told = json.loads(answer.body)
    return said(None, None, told["output"], told["score"])


def label(answer):
    told = json.loads(answer.body)
    return said(None, None, [told["label"]], [told["probabilities"][told["label"]]])


def value(answer):
    return said(None, None, json.loads(answer.body)["value"])


def subjects(_, start, __):
    requests = [Request("/predict", {"input": row}, words) for row in ROWS[::2]]
    requests += [Request("/batched", {"features": row}, label) for row in ROWS[::10]]
    requests += [
        Request("/predict", {"input": THREE}, words), Request("/predict", {"input": ROWS}, words),
        Request("/regress", {"input": DIABETES}, value), Request("/stream", {"prompt": "some words to say"}),
        get("/health"), get("/info"), get("/openapi.json"),
    ]
    mistakes = [
        Request("/predict", {"x": ROWS[0]}), Request("/predict", {"input": [[1.0, 2.0]]}), Request("/nowhere", {}),
        Request("/predict", '{"input":[', Content_Type="application/json"), get("/predict"),
    ]
    together = [Request("/batched", {"features": row}, label) for row in ROWS[::5]]
    port = h.free_port()
    start(port).wait_for(port, "/health")
    # classes with scores are found out, or mapped by the user; the rest is always the user's to say
    mapped = json.loads(pathlib.Path(__file__).with_name("routes.json").read_text())
    for name, routes in (("LitServe", mapped[2:]), ("LitServe, mapped", mapped)):
        yield {"name": name, "port": port, "requests": requests, "mistakes": mistakes, "together": together,
               "config": {"routes": routes}, "models": ["default"]}
