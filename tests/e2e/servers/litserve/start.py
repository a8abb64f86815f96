"""LitServe with models of ours. Argument: the port."""

import pathlib
import sys

import litserve

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import models  # noqa: E402 - found by the path above

NAMES = ("setosa", "versicolor", "virginica")


class Named(litserve.LitAPI):
    """Words and scores for one row or for many."""

    def setup(self, device):
        self.model = models.iris()

    def decode_request(self, request):
        rows = request["input"]
        return rows if isinstance(rows[0], list) else [rows]

    def predict(self, rows):
        return self.model.predict_proba(rows)

    def encode_response(self, output):
        return {"output": [NAMES[row.argmax()] for row in output], "score": output.max(axis=1).tolist()}


class Batched(litserve.LitAPI):
    """One row a request, batched by LitServe; answers a number and all probabilities."""

    def setup(self, device):
        self.model = models.iris()

    def decode_request(self, request):
        return request["features"]

    def predict(self, rows):
        return list(self.model.predict_proba(rows))

    def encode_response(self, output):
        return {"label": int(output.argmax()), "probabilities": output.tolist()}


class Regression(litserve.LitAPI):
    def setup(self, device):
        self.model = models.diabetes()

    def decode_request(self, request):
        return request["input"]

    def predict(self, rows):
        return {"value": self.model.predict(rows).tolist()}


class Words(litserve.LitAPI):
    """A stream of JSON lines."""

    def setup(self, device):
        pass

    def decode_request(self, request):
        return request["prompt"]

    def predict(self, prompt):
        yield from prompt.split()

    def encode_response(self, words):
        for word in words:
            yield {"token": word}


if __name__ == "__main__":
    litserve.LitServer([
        Named(api_path="/predict"), Batched(api_path="/batched", max_batch_size=8, batch_timeout=0.05),
        Regression(api_path="/regress"), Words(api_path="/stream", stream=True),
    ], accelerator="cpu", workers_per_device=1).run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning")
