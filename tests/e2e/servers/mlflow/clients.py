"""What clients send to MLflow's scoring server, which has one model and names none."""

import harness as h
from spoken import DIABETES, ROWS, THREE, Request, get, of_predictions

DIABETES_COLUMNS = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
VERSION = "3"


def invoke(body, model, **headers):
    return Request("/invocations", body, of_predictions(model, VERSION), **headers)


def split(rows, columns=h.FEATURES, **more):
    return {"dataframe_split": {"columns": list(columns), "data": rows, **more}}


def records(rows):
    return {"dataframe_records": [dict(zip(h.FEATURES, row)) for row in rows]}


def lists(rows):
    return {"inputs": {name: [row[i] for row in rows] for i, name in enumerate(h.FEATURES)}}


def csv(rows):
    return "\n".join([",".join(h.FEATURES), *(",".join(map(str, row)) for row in rows), ""])


def iris():
    requests = [invoke(split([row]) if i % 2 else records([row]), "iris") for i, row in enumerate(ROWS)]
    requests += [
        invoke(split(ROWS), "iris"), invoke(records(ROWS), "iris"), invoke(lists(ROWS), "iris"),
        invoke(split([row[::-1] for row in THREE], h.FEATURES[::-1], index=[7, 3, 9]), "iris"),
        invoke(csv(ROWS), "iris", Content_Type="text/csv"),
        invoke(split(THREE), "iris", Content_Type="application/json; charset=utf-8"),
        get("/ping"), get("/health"), get("/version"),
    ]
    mistakes = [
        invoke(split([[5.1, 3.5]], h.FEATURES[:2]), "iris"), invoke({"rows": THREE}, "iris"),
        invoke('{"dataframe_split":', "iris", Content_Type="application/json"),
        invoke("hello", "iris", Content_Type="text/plain"), Request("/predict", split(THREE)), get("/invocations"),
        invoke(split([["a", "b", "c", "d"]]), "iris"),
    ]
    return requests, mistakes, [invoke(split([row]), "iris") for row in ROWS[::5]]


def proba():
    requests = [invoke(split([row]), "iris-proba") for row in ROWS[::3]] + [invoke(split(ROWS), "iris-proba")]
    return requests, [invoke({"instances": []}, "iris-proba")], requests[:10]


def tensors():
    forms = [(key, rows) for key in ("instances", "inputs") for rows in (THREE, ROWS, [ROWS[7]])]
    requests = [invoke({key: rows}, "iris-tensor") for key, rows in forms]
    return requests, [invoke({"instances": [["a", 1, 2, 3]]}, "iris-tensor")], requests


def diabetes():
    requests = [invoke(split([row], DIABETES_COLUMNS), "diabetes") for row in DIABETES]
    requests.append(invoke(split(DIABETES, DIABETES_COLUMNS), "diabetes"))
    return requests, [invoke(split(THREE), "diabetes")], requests


def subjects(folder, start, _):
    parts = {"iris": iris(), "iris-proba": proba(), "iris-tensor": tensors(), "diabetes": diabetes()}
    ports = {model: h.free_port() for model in parts}
    servers = {model: start(folder / model, model, port) for model, port in ports.items()}
    for model, (requests, mistakes, together) in parts.items():
        servers[model].wait_for(ports[model], "/ping")
        # the wire has neither
        config = {"model": {"name": model, "version": VERSION}}
        yield {"name": f"MLflow's {model}", "port": ports[model], "requests": requests, "mistakes": mistakes,
               "together": together, "config": config, "models": [model]}
