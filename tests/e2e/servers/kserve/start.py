"""KServe's own server with models of ours. Arguments: ports of gRPC and HTTP."""

import pathlib
import sys

import pandas
from kserve import Model, ModelServer
from kserve.utils.utils import get_predict_input, get_predict_response

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import models  # noqa: E402 - found by the path above

GRPC_PORT, PORT = map(int, sys.argv[1:3])


class Small(Model):
    """What KServe's server for scikit-learn does, without its storage."""

    def __init__(self, name, model, answer="predict"):
        super().__init__(name)
        self.answer = getattr(model, answer)
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        return get_predict_response(payload, self.answer(get_predict_input(payload)), self.name)


if __name__ == "__main__":
    iris = models.iris()
    ModelServer(http_port=PORT, grpc_port=GRPC_PORT, workers=1, enable_latency_logging=False).start([
        Small("iris", iris), Small("iris-proba", iris, "predict_proba"),
        Small("iris-named", models.iris_named(pandas.DataFrame)), Small("diabetes", models.diabetes()),
    ])
