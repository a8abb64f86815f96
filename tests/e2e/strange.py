"""A model server that says whatever a client asks for: bombs, and words without number.

Arguments: the port. Routes:
  POST /predict                     one class and confidence
  POST /predict?bomb=MIB,COATS      a prediction of so many MiB in gzip
  POST /predict?classes=FROM,COUNT  COUNT predictions, each of a class of its own
  POST /predict?model=N             a prediction of the model and class of that number
  POST /predict?version=N           a prediction of the version of that number
  *    /unknown/...                 404
  *    anything else                200
"""

import sys

from bombs import bomb
from quick import Quick, answer


def numbers(path):
    return [int(number) for number in path.partition(b"=")[2].split(b",")]


class Strange(Quick):
    def asked(self, peer, path, fields, body):
        peer.sendall(self.said(path))

    def said(self, path):
        if path.startswith(b"/unknown/"):
            return answer({"detail": "Not Found"}, b"404 Not Found")
        kind = path.partition(b"?")[2].partition(b"=")[0]
        if kind == b"bomb":
            content, encoding = bomb(*numbers(path))
            return answer(content, fields=b"Content-Encoding: %b\r\n" % encoding.encode())
        if kind == b"classes":
            first, count = numbers(path)
            return answer([{"prediction": f"class {number}", "confidence": 0.5} for number in range(first, first + count)])
        said = {"prediction": "setosa", "confidence": 0.98, "model_version": "1"}
        if kind == b"model":
            said["model"] = f"model {numbers(path)[0]}"
        elif kind == b"version":
            said["model_version"] = f"version {numbers(path)[0]}"
        return answer(said)


if __name__ == "__main__":
    Strange(int(sys.argv[1])).run()
