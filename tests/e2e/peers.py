"""Other proxies with the settings of an ordinary installation, to run the same measurements on."""

import json
import os
import pathlib
import shutil
import tempfile

import harness as h
from harness import Agent, Process, request, wait_until

WORKERS = os.cpu_count()

NGINX = """
daemon off;
worker_processes {workers};
user root;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 19000; }}
http {{
    access_log off;
    keepalive_timeout 600s;
    client_max_body_size 0;
    proxy_temp_path {folder}/p; client_body_temp_path {folder}/b;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream model {{ server 127.0.0.1:{upstream}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://model;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Request-ID $http_x_request_id;
            proxy_request_buffering {buffering}; proxy_buffering {buffering};
        }}
    }}
}}
"""

CADDY = """
{{
    admin off
    auto_https off
    persist_config off
}}
http://127.0.0.1:{port} {{
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:{upstream}
}}
"""


def _envoy(port, upstream):
    def address(number):
        return {"socket_address": {"address": h.HOST, "port_value": number}}
    manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    route = {"match": {"prefix": "/"}, "route": {"cluster": "model", "timeout": "0s"}}
    http = {"@type": manager, "stat_prefix": "http", "codec_type": "AUTO", "stream_idle_timeout": "600s",
            "preserve_external_request_id": True,
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
            "http_filters": [{"name": "router", "typed_config": {"@type": router}}]}
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": http}]}
    most = {"max_connections": 20000, "max_pending_requests": 20000, "max_requests": 20000}
    cluster = {"name": "model", "type": "STATIC", "connect_timeout": "5s", "circuit_breakers": {"thresholds": [most]},
               "load_assignment": {"cluster_name": "model", "endpoints": [
                   {"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}]}}
    return json.dumps({"static_resources": {
        "listeners": [{"name": "http", "address": address(port), "filter_chains": [chain]}], "clusters": [cluster]}})


class Peer(Process):
    """A proxy in front of `upstream`."""

    def __init__(self, name, tool, upstream):
        self.port = h.free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-e2e-"))
        command, env = getattr(self, f"_{name.split(',')[0]}")(tool, upstream, "off" if "unbuffered" in name else "on")
        super().__init__(command, name, env=h.clean_environment(**env))
        wait_until(lambda: request(self.port, "GET", "/health", timeout=5).status == 200, f"{name} to answer")

    def _file(self, text):
        file = self.folder / "config"
        file.write_text(text)
        return file

    def _nginx(self, tool, upstream, buffering):
        text = NGINX.format(folder=self.folder, port=self.port, upstream=upstream, workers=WORKERS, buffering=buffering)
        return [tool, "-p", self.folder, "-c", self._file(text)], {}

    def _caddy(self, tool, upstream, _):
        file = self._file(CADDY.format(port=self.port, upstream=upstream))
        env = {"GOMAXPROCS": str(WORKERS), "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        return [tool, "run", "--config", file, "--adapter", "caddyfile"], env

    def _envoy(self, tool, upstream, _):
        file = self._file(_envoy(self.port, upstream)).rename(self.folder / "envoy.json")
        return [tool, "-c", file, "--concurrency", WORKERS, "--use-dynamic-base-id", "-l", "error"], {}

    def pids(self):
        return family(self.pid)

    def stop(self, patience=20.0):
        super().stop(patience)
        shutil.rmtree(self.folder, ignore_errors=True)


class Ours(Agent):
    def pids(self):
        return [self.pid]


def family(pid):
    found = [pid]
    for child in h.children(pid):
        found += family(child)
    return found


def each():
    """Names of those that are installed, with how to start each in front of a port."""
    yield "sidelight", lambda upstream: Ours(upstream=upstream)
    for name in ("nginx", "nginx, unbuffered", "envoy", "caddy"):
        tool = shutil.which(name.split(",")[0])
        if tool:
            yield name, lambda upstream, name=name, tool=tool: Peer(name, tool, upstream)
