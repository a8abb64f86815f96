"""A runtime of MLServer that answers each message of a stream; its own answers the first alone."""

from mlserver_sklearn import SKLearnModel


class Streaming(SKLearnModel):
    async def predict_stream(self, payloads):
        async for payload in payloads:
            yield await self.predict(payload)
