"""Trains a model, saves it as MLflow's, and becomes MLflow's scoring server. Arguments: folder, model, port."""

import os
import pathlib
import shlex
import sys

import mlflow
import pandas
from mlflow.models import infer_signature
from mlflow.pyfunc import scoring_server

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import models  # noqa: E402 - found by the path above

FOLDER, NAME, PORT = sys.argv[1:4]


def save(model, rows, function="predict"):
    signature = infer_signature(rows, getattr(model, function)(rows))
    mlflow.sklearn.save_model(model, FOLDER, signature=signature, pyfunc_predict_fn=function,
                              pip_requirements=["scikit-learn"], serialization_format="cloudpickle")


iris = pandas.DataFrame(models.load_iris().data, columns=models.FEATURES)
if NAME == "iris":
    save(models.iris_named(pandas.DataFrame), iris)
elif NAME == "iris-proba":
    save(models.iris_named(pandas.DataFrame), iris, "predict_proba")
elif NAME == "iris-tensor":
    save(models.iris(), models.load_iris().data)
else:
    data = models.load_diabetes()
    rows = pandas.DataFrame(data.data, columns=data.feature_names)
    save(models.LinearRegression().fit(rows, data.target), rows)
# what `mlflow models serve --env-manager local` runs
command, environment = scoring_server.get_cmd(FOLDER, PORT, "127.0.0.1", nworkers=1)
os.execve(pathlib.Path(sys.executable).with_name("uvicorn"), shlex.split(command), environment)
