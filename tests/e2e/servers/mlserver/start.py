"""Trains models, writes MLServer's settings beside them, and becomes MLServer. Arguments: folder, ports."""

import json
import os
import pathlib
import shutil
import sys

import joblib
import pandas

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import models  # noqa: E402 - found by the path above

FOLDER, GRPC_PORT, METRICS_PORT, PORT = pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:5])


def add(name, model, settings=None, **parameters):
    folder = FOLDER / name
    folder.mkdir()
    joblib.dump(model, folder / "model.joblib")
    shutil.copy(pathlib.Path(__file__).with_name("streaming.py"), folder)
    (folder / "model-settings.json").write_text(json.dumps({
        "name": name, "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib", **parameters}, **(settings or {}),
    }))


iris = models.iris()
add("iris", iris, version="v1.2.0")
add("iris-batched", iris, {"max_batch_size": 32, "max_batch_time": 0.05}, version="v1.2.0")
add("iris-proba", iris, version="v2", extra={"predict_fn": "predict_proba"})
add("iris-named", models.iris_named(pandas.DataFrame))
add("iris-stream", iris, {"implementation": "streaming.Streaming"}, version="v1")
add("sentiment", models.sentiment())
add("diabetes", models.diabetes(), version="v0.3.0")
(FOLDER / "settings.json").write_text(json.dumps({
    "host": "127.0.0.1", "http_port": PORT, "grpc_port": GRPC_PORT, "metrics_port": METRICS_PORT,
    "parallel_workers": 0, "debug": False,
}))
os.chdir(FOLDER)
program = pathlib.Path(sys.executable).with_name("mlserver")
os.execv(program, [program, "start", FOLDER])
